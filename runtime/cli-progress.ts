// SPDX-License-Identifier: MIT
/**
 * Progress for people, on stderr: a bar on a terminal, lines elsewhere or when they are asked for.
 */
import { SingleBar } from 'cli-progress';
import pc from 'picocolors';
import type { ApplyEvent } from './index.js';

export interface Reporter {
  readonly event: (event: ApplyEvent) => void;
  /** Takes the bar off the terminal; before anything else is printed. */
  readonly end: () => void;
}

export function reporter(stream: NodeJS.WriteStream, verbose: boolean): Reporter {
  return stream.isTTY && !verbose ? bar(stream) : lines(stream);
}

const QUIET_MS = 5000;

function lines(stream: NodeJS.WriteStream): Reporter {
  let migrated = 0;
  let total = 0;
  let last = performance.now();
  const say = (line: string) => {
    last = performance.now();
    stream.write(`${line}\n`);
  };
  const event = (event: ApplyEvent) => {
    if (event.kind === 'step') say(`${pc.bold(event.step)}: ${event.message}`);
    else if (event.kind === 'thread-migrated') {
      migrated++;
      say(`${pc.green('migrated')}: thread ${event.tid} (${event.name}), ${migrated} of ${total}`);
    } else {
      total = event.total;
      if (performance.now() - last > QUIET_MS) say(`${event.migrated} of ${total} threads have migrated`);
    }
  };
  return { event, end: () => {} };
}

function bar(stream: NodeJS.WriteStream): Reporter {
  const single = new SingleBar({
    stream,
    format: 'migrating {bar} {value} of {total} threads  {name}',
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  });
  let started = false;
  let name = '';
  const event = (event: ApplyEvent) => {
    if (event.kind === 'thread-migrated') name = event.name;
    if (event.kind !== 'progress') return;
    if (!started) single.start(event.total, event.migrated, { name });
    started = true;
    single.setTotal(event.total);
    single.update(event.migrated, { name });
  };
  return {
    event,
    end: () => {
      if (started) single.stop();
      started = false;
    },
  };
}
