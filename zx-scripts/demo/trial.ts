// SPDX-License-Identifier: MIT
// The demo's part inside the guest, also run by a guest suite: a memcached that serves as a proxy under load is patched, and
// everything that can be seen of it from outside is written down. It judges nothing; verdict.ts does.
//
//   a victim shows the bug ─ servers ─ load, steady ─ probe ─ window before ─ apply = window during ─ probe ─ window after ─ figures
//
// While it is measured, what the load has seen lately is told twice a second, to be looked at; the figures are taken at the end.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApplyResult, apply } from '../../runtime/index.js';
import type { LoadTotals } from '../load/load.js';
import { type LoadProcess, startLoad } from '../load/process.js';
import { now, type Sample, thinned, toThousandths, type Window, type WindowStats } from '../load/windows.js';
import { ports, startProxy, startStore, workers } from '../servers/memcached.js';
import { type Answer, harmless, overflowing, Probe } from '../servers/memcached-probe.js';
import { endingWithin, type Server } from '../servers/process.js';
import { type Looks, lookAt, type Thread, threadsOf } from './threads.js';

export interface TrialOptions {
  /** The build that runs. */
  readonly program: string;
  readonly patchFile: string;
  /** How long it is measured before, and after. */
  readonly windowSeconds: number;
  /** The longest wait for the load to become steady before that. */
  readonly warmSeconds: number;
  readonly onEvent?: (event: TrialEvent) => void;
}

/** `during` is all of apply; `transition` is its part from the call that migrates to the fold. */
export const windowNames = ['before', 'during', 'transition', 'after'] as const;
export type WindowName = (typeof windowNames)[number];

export type TrialEvent =
  | { readonly kind: 'victim'; readonly overflow: Overflow }
  | { readonly kind: 'servers'; readonly store: number; readonly proxy: number; readonly threads: readonly Thread[] }
  | { readonly kind: 'load'; readonly connections: number }
  | { readonly kind: 'steady'; readonly seconds: number }
  | { readonly kind: 'probe'; readonly when: 'before' | 'after'; readonly answers: readonly Answer[] }
  | { readonly kind: 'window'; readonly name: WindowName; readonly seconds: number | null }
  | { readonly kind: 'step'; readonly step: string; readonly message: string }
  | {
      readonly kind: 'migrated';
      readonly thread: Thread;
      readonly migrated: number;
      readonly total: number;
      /** When it did, by the kernel's word, since the first could; null if it was born in the view. */
      readonly ms: number | null;
    }
  | { readonly kind: 'lately'; readonly stats: WindowStats }
  | { readonly kind: 'overflow'; readonly overflow: Overflow }
  | { readonly kind: 'trace'; readonly trace: Trace };

/** From the beginning of the first window to the end of the last, for plots. Seconds since apply began. */
export interface Trace {
  /** When a request ended, and its latency in milliseconds. */
  readonly points: readonly (readonly [number, number])[];
  readonly transition: Window;
  readonly applied: number;
  /** When a thread migrated, by the kernel's word, and which one it was. */
  readonly migrated: readonly { readonly at: number; readonly thread: Thread }[];
}

/** What the request that writes past the buffer did. */
export interface Overflow {
  readonly answer: Answer;
  /** Of the process; null: it runs on. */
  readonly ending: string | null;
}

export interface Outcome {
  readonly windows: Readonly<Record<WindowName, WindowStats>>;
  readonly totals: LoadTotals;
  readonly apply: ApplyResult;
  readonly migrated: readonly Thread[];
  readonly looks: Looks;
  readonly probes: { readonly before: readonly Answer[]; readonly after: readonly Answer[] };
  /** An ordinary multiget after the patch. */
  readonly ordinary: readonly Answer[];
  readonly overflow: { readonly unpatched: Overflow; readonly patched: Overflow };
}

/** Dealt to the workers in turn: a multiple of their number, so that the probes get one each as well. */
const connections = 16;
const tellMs = 20;
const livelyMs = 500;
const tracePoints = 2000;

export async function runTrial(options: TrialOptions): Promise<Outcome> {
  const { program, windowSeconds, warmSeconds, onEvent: emit = () => {} } = options;
  const patch = await readFile(options.patchFile);
  const servers: Server[] = [];
  const started = async (starting: Promise<Server>) => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  let load: LoadProcess | null = null;
  let lively: NodeJS.Timeout | undefined;
  const probes: Probe[] = [];
  try {
    const store = await started(startStore(program));
    const unpatched = await overflow(await started(startProxy(program, ports.victim)));
    emit({ kind: 'victim', overflow: unpatched });

    const proxy = await started(startProxy(program, ports.proxy));
    emit({ kind: 'servers', store: store.pid, proxy: proxy.pid, threads: threadsOf(proxy.pid) });
    load = await startLoad({ server: 'memcached', port: ports.proxy, connections });
    emit({ kind: 'load', connections });
    for (let number = 0; number < workers; number++) probes.push(await Probe.open(ports.proxy));
    const askAll = (spaces: number) => Promise.all(probes.map((probe) => probe.ask(spaces)));
    await probes[0]!.store();
    const before = await askAll(harmless);
    emit({ kind: 'probe', when: 'before', answers: before });

    emit({ kind: 'steady', seconds: await untilSteady(load, warmSeconds) });
    await load.lately();
    lively = setInterval(async () => {
      const stats = await load?.lately().catch(() => null);
      if (stats && lively) emit({ kind: 'lately', stats });
    }, livelyMs);
    emit({ kind: 'window', name: 'before', seconds: windowSeconds });
    const windowBefore = await timed(() => sleep(windowSeconds * 1000));
    emit({ kind: 'window', name: 'during', seconds: null });
    const patched = await applyWatched(patch, proxy.pid, emit);

    const after = await askAll(harmless);
    emit({ kind: 'probe', when: 'after', answers: after });
    emit({ kind: 'window', name: 'after', seconds: windowSeconds });
    const windowAfter = await timed(() => sleep(windowSeconds * 1000));
    clearInterval(lively);
    lively = undefined;
    const ordinary = await askAll(1);
    const survived = await overflow(proxy);
    emit({ kind: 'overflow', overflow: survived });
    const { during, transition } = patched.windows;
    const stats = await load.windows([
      { ...windowBefore, which: 'inside' },
      { ...during, which: 'touching' },
      { ...transition, which: 'touching' },
      { ...windowAfter, which: 'inside' },
    ]);
    const whole = { from: windowBefore.from, to: windowAfter.to, which: 'inside' } as const;
    emit({ kind: 'trace', trace: traceOf(await load.samples(whole), patched) });
    const windows = Object.fromEntries(windowNames.map((name, at) => [name, stats[at]!]));
    const totals = await load.stop();
    const { result, migrated, looks } = patched;
    const asked = { before, after };
    return {
      apply: result,
      migrated,
      looks,
      probes: asked,
      ordinary,
      overflow: { unpatched, patched: survived },
      windows: windows as Outcome['windows'],
      totals,
    };
  } finally {
    clearInterval(lively);
    for (const probe of probes) probe.close();
    load?.kill();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function traceOf(samples: readonly Sample[], { windows, moments }: Watched): Trace {
  const zero = windows.during.from;
  const seconds = (ms: number) => toThousandths((ms - zero) / 1000);
  return {
    points: thinned(samples, tracePoints, zero),
    transition: { from: seconds(windows.transition.from), to: seconds(windows.transition.to) },
    applied: seconds(windows.during.to),
    migrated: moments.map(({ ms, thread }) => ({ at: seconds(ms), thread })),
  };
}

type Watched = Awaited<ReturnType<typeof applyWatched>>;

/**
 * Apply, and look at the process's threads whenever there is news of it. What there is to tell of migrations waits a moment
 * (or for the next step): a slow reader is no part of the transition.
 */
async function applyWatched(patch: Uint8Array, pid: number, emit: (event: TrialEvent) => void) {
  const migrated: Thread[] = [];
  /** By the monotonic clock. */
  const moments: { ms: number; thread: Thread }[] = [];
  const looks = lookAt(pid);
  const untold: TrialEvent[] = [];
  const tell = () => {
    for (const event of untold.splice(0)) emit(event);
  };
  const begun = now();
  let [total, from] = [0, begun];
  let folded: number | null = null;
  const result = await apply(patch, {
    pid,
    onEvent(event) {
      if (event.kind === 'thread-migrated') {
        const thread = { tid: event.tid, name: event.name };
        migrated.push(thread);
        if (event.when) moments.push({ ms: event.when / 1000, thread });
        const ms = event.when ? event.when / 1000 - from : null;
        untold.push({ kind: 'migrated', thread, migrated: migrated.length, total, ms });
        return;
      }
      if (event.kind === 'progress') {
        total = event.total;
        looks.look();
        setTimeout(tell, tellMs);
        return;
      }
      if (event.step === 'fold') folded = now();
      tell();
      emit({ kind: 'step', step: event.step, message: event.message });
      looks.look();
      if (event.step === 'migrate') from = now();
    },
  });
  const end = now();
  tell();
  const transition: Window = { from, to: folded ?? end };
  return { result, migrated, moments, looks: looks.seen(), windows: { during: { from: begun, to: end }, transition } };
}

const alike = 0.1;
/** Seconds in which an interpreter is as steady as it is slow. */
const slowStart = 7;

/** The load generator's own code is compiled while it runs: until then it gets faster all the time. Gives the seconds. */
async function untilSteady(load: LoadProcess, longest: number): Promise<number> {
  const rates: number[] = [];
  let count = (await load.count()).requests;
  for (;;) {
    await sleep(1000);
    const before = count;
    count = (await load.count()).requests;
    rates.push(count - before);
    const [rate, ...earlier] = rates.slice(-3).reverse();
    const steady = earlier.every((one) => Math.abs(one - rate!) < alike * rate!);
    if ((steady && rates.length > slowStart) || rates.length >= longest) return rates.length;
  }
}

async function overflow(server: Server): Promise<Overflow> {
  const probe = await Probe.open(server.port);
  const answer = await probe.ask(overflowing);
  probe.close();
  return { answer, ending: await endingWithin(server, answer === 'connection closed' ? 5000 : 200) };
}

async function timed(action: () => Promise<unknown>): Promise<Window> {
  const from = now();
  await action();
  return { from, to: now() };
}
