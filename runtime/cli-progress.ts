// SPDX-License-Identifier: MIT
/**
 * Progress for people, on stderr: a bar on a terminal, lines elsewhere or when they are asked for. The bar counts the
 * threads of all processes that are changed.
 */
import pc from 'picocolors';
import type { JobEvent, Target } from './index.js';

export interface Reporter {
  /** Of the one process that is changed. */
  readonly event: (event: JobEvent) => void;
  /** Of one among many. */
  readonly eventOf: (event: JobEvent, target: Target) => void;
  readonly onFound: (count: number) => void;
  /** Takes the bar off the terminal; before anything else is printed. */
  readonly end: () => void;
}

type Teller = Pick<Reporter, 'end' | 'onFound'> & { readonly tell: (event: JobEvent, target: Target | null) => void };

export async function reporter(stream: NodeJS.WriteStream, verbose: boolean): Promise<Reporter> {
  const { tell, onFound, end } = stream.isTTY && !verbose ? await bar(stream) : lines(stream);
  return { event: (event) => tell(event, null), eventOf: tell, onFound, end };
}

const QUIET_MS = 5000;

function lines(stream: NodeJS.WriteStream): Teller {
  const colours = pc.createColors(stream.isTTY === true && pc.isColorSupported);
  const counts = new Counts();
  let last = performance.now();
  const say = (line: string, target: Target | null) => {
    last = performance.now();
    stream.write(`${target ? `[${target.pid}] ` : ''}${line}\n`);
  };
  const tell = (event: JobEvent, target: Target | null) => {
    if (event.kind === 'step') say(`${colours.bold(event.step)}: ${event.message}`, target);
    else if (event.kind === 'thread-migrated') {
      const { migrated, total } = counts.migrated(target);
      say(`${colours.green('migrated')}: thread ${event.tid} (${event.name}), ${migrated} of ${total}`, target);
    } else {
      counts.set(target, event);
      if (performance.now() - last > QUIET_MS) say(`${event.migrated} of ${event.total} threads have migrated`, target);
    }
  };
  const onFound = (count: number) => say(`${count} process${count === 1 ? '' : 'es'} found`, null);
  return { tell, onFound, end: () => {} };
}

async function bar(stream: NodeJS.WriteStream): Promise<Teller> {
  const { SingleBar } = await import('cli-progress');
  const single = new SingleBar({
    stream,
    format: 'migrating {bar} {value} of {total} threads{of}  {name}',
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  });
  const counts = new Counts();
  let started = false;
  let name = '';
  let of = '';
  const tell = (event: JobEvent, target: Target | null) => {
    if (event.kind === 'thread-migrated') name = target ? `${target.name} ${target.pid}` : event.name;
    if (event.kind !== 'progress') return;
    counts.set(target, event);
    const { migrated, total } = counts.sum();
    if (!started) single.start(total, migrated, { name, of });
    started = true;
    single.setTotal(total);
    single.update(migrated, { name, of });
  };
  return {
    tell,
    onFound: (count) => {
      of = ` of ${count} process${count === 1 ? '' : 'es'}`;
    },
    end: () => {
      if (started) single.stop();
      started = false;
    },
  };
}

interface Count {
  readonly migrated: number;
  readonly total: number;
}

/** Threads by process: as the kernel counted them last, and as they were told one by one. */
class Counts {
  private readonly last = new Map<number, Count>();
  private readonly told = new Map<number, number>();

  set(target: Target | null, { migrated, total }: Count): void {
    this.last.set(target?.pid ?? 0, { migrated, total });
  }

  /** One more has been told. */
  migrated(target: Target | null): Count {
    const pid = target?.pid ?? 0;
    const migrated = (this.told.get(pid) ?? 0) + 1;
    this.told.set(pid, migrated);
    return { migrated, total: this.last.get(pid)?.total ?? migrated };
  }

  sum(): Count {
    const all = [...this.last.values()];
    const add = (pick: (one: Count) => number) => all.reduce((sum, one) => sum + pick(one), 0);
    return { migrated: add((one) => one.migrated), total: add((one) => one.total) };
  }
}
