// SPDX-License-Identifier: MIT
// One fix, in the guest: a server under load is patched, looked at, reverted, looked at, and so on. All that was expected and not
// found is written down; nothing is made up for, and a server that ends is not started again.
//
//   server ─ load ─ quiet ─ [ apply ─ in effect? ─ revert ─ out of effect? ] × rounds ─ apply ─ in effect? ─ load's account

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Patch, readPatch } from '../../../planner/index.js';
import { apply, RuntimeError, revert, status } from '../../../runtime/index.js';
import { type LoadProcess, startLoad } from '../../load/process.js';
import { now, type Window } from '../../load/windows.js';
import type { Server } from '../../servers/process.js';
import type { Fix } from '../../servers/subject.js';
import { subjectNamed } from '../../servers/subjects.js';
import { entriesOf, processesWith, threadCount } from '../entries.js';
import type { Case, CaseResult } from './case.js';

const quietMs = 1000;
const patchSeconds = 60;

type OnRound = (round: number, server: Server) => void | Promise<void>;

export async function runCase(job: Case, onRound: OnRound = () => {}): Promise<CaseResult> {
  const scratch = mkdtempSync(join(tmpdir(), `${job.program}-`));
  const subject = subjectNamed(job.program);
  const fix = subject.fixes.find(({ index }) => index === job.fix)!;
  const server = await subject.start({ folder: job.folder, host: job.host, scratch });
  let load: LoadProcess | null = null;
  try {
    load = await startLoad({ server: job.program, port: server.port, connections: subject.connections });
    const trial = new Trial(job, fix, join(job.folder, subject.object), server, load);
    await trial.rounds(onRound);
    return await trial.account();
  } finally {
    load?.kill();
    await server.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

class Trial {
  private readonly job: Case;
  private readonly fix: Fix;
  private readonly object: string;
  private readonly server: Server;
  private readonly load: LoadProcess;
  private readonly bytes: Buffer;
  private readonly patch: Patch;
  private readonly pids: readonly number[];
  private threads: number;
  private readonly problems: string[] = [];
  private readonly windows: { during: Window; before: Window }[] = [];
  private readonly quiet: Window[] = [];
  private readonly transitions: number[] = [];
  private readonly seen = { old: '', new: '' };
  private applied = 0;
  private reverted = 0;

  constructor(job: Case, fix: Fix, object: string, server: Server, load: LoadProcess) {
    this.job = job;
    this.fix = fix;
    this.object = object;
    this.server = server;
    this.load = load;
    this.bytes = readFileSync(job.patch);
    this.patch = readPatch(this.bytes);
    this.pids = processesWith(object);
    this.threads = threadCount(this.pids);
    this.expect(this.pids.includes(server.pid), `process ${server.pid} to run ${object}`, this.pids);
  }

  async rounds(onRound: OnRound): Promise<void> {
    await sleep(1000);
    await this.inEffect('old', 'before any patch');
    for (let round = 1; round <= this.job.rounds && this.problems.length === 0; round++) {
      await onRound(round, this.server);
      await this.change('apply', `round ${round}`);
      await this.inEffect('new', `round ${round}, applied`);
      await this.change('revert', `round ${round}`);
      await this.inEffect('old', `round ${round}, reverted`);
    }
    if (this.problems.length > 0) return;
    await this.change('apply', 'at the end');
    await this.inEffect('new', 'at the end, applied');
  }

  /** Ends the load. */
  async account(): Promise<CaseResult> {
    const { job, problems, pids, threads, applied, reverted, transitions } = this;
    const quiet = await this.load.windows(this.quiet.map((window) => ({ ...window, which: 'inside' as const })));
    const held: number[] = [];
    for (const { during, before } of this.windows) {
      const both = [during, before].map((window) => ({ ...window, which: 'touching' as const }));
      const [now, then] = await this.load.windows(both);
      this.expect(now!.requests > 0, 'requests under way during the transition', now!.requests);
      if (now!.max !== null && then!.max !== null) held.push(now!.max / then!.max);
    }
    const totals = await this.load.stop();
    const { failed, dropped, failures } = totals;
    this.expect(failed === 0, 'no request to fail', `${failed} of ${totals.requests} (${failures.join('; ')})`);
    this.expect(
      dropped === 0,
      'no connection to be dropped',
      `${dropped} of ${totals.connections} (${failures.join('; ')})`,
    );
    this.expect(
      this.server.ending() === null,
      'the server to run on',
      `${this.server.ending()}: ${this.server.said()}`,
    );
    const medians = quiet.flatMap(({ p50 }) => (p50 === null ? [] : [p50])).sort((a, b) => a - b);
    return {
      program: job.program,
      fix: job.fix,
      processes: pids.length,
      threads,
      applied,
      reverted,
      transitions,
      quiet: medians[medians.length >> 1] ?? Number.NaN,
      held,
      totals,
      behaviour: this.fix.behaviour ? this.seen : null,
      problems,
    };
  }

  /** Applies or reverts, in every process that runs the object, after a while in which nothing happens. */
  private async change(which: 'apply' | 'revert', when: string): Promise<void> {
    const from = now();
    await sleep(quietMs);
    const begun = now();
    this.quiet.push({ from, to: begun });
    let seen = 0;
    for (const pid of this.pids) {
      try {
        const start = now();
        const { state, already, threads, timing } =
          which === 'apply'
            ? await apply(this.bytes, { pid, timeout: patchSeconds })
            : await revert(this.patch.name, { pid, timeout: patchSeconds });
        const took = now() - start;
        seen += threads.total;
        const good = state === (which === 'apply' ? 'applied' : 'reverted') && !already;
        this.expect(good, `${when}: ${which} to be done in process ${pid}`, { state, already, threads });
        this.expect(threads.migrated === threads.total, `${when}: every thread to migrate`, threads);
        if (which === 'revert') continue;
        this.transitions.push(timing.transitionUs);
        const during = { from: start, to: start + took };
        this.windows.push({ during, before: { from: Math.max(from, begun - took), to: begun } });
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        this.expect(false, `${when}: ${which} to be done in process ${pid}`, `${error.code}: ${error.message}`);
      }
    }
    this.threads = Math.max(this.threads, seen);
    if (which === 'apply') this.applied++;
    else this.reverted++;
  }

  private async inEffect(code: 'old' | 'new', when: string): Promise<void> {
    const wanted = code === 'old' ? 'original' : 'detoured';
    for (const pid of this.pids) {
      const found = entriesOf(pid, this.object, this.patch);
      this.expect(found === wanted, `${when}: the entries in process ${pid} to be ${wanted}`, found);
      const carried = status({ pid }).processes[0]?.patches.filter(({ state }) => state === 'applied') ?? [];
      const says = carried.some(({ name }) => name === this.patch.name);
      this.expect(
        says === (code === 'new'),
        `${when}: status to say ${code === 'new' ? 'applied' : 'nothing'}`,
        carried,
      );
    }
    const { behaviour } = this.fix;
    if (!behaviour) return;
    const found = await behaviour.ask(this.server);
    this.seen[code] = found;
    this.expect(found === behaviour[code], `${when}: the ${code} code to answer ${behaviour[code]}`, found);
  }

  private expect(holds: boolean, expected: string, found: unknown): void {
    if (holds) return;
    this.problems.push(`expected ${expected}, found ${typeof found === 'string' ? found : JSON.stringify(found)}`);
  }
}
