// SPDX-License-Identifier: MIT
// What views cost, measured in the guest by C programs (kernel-tree/tools/testing/selftests/mmview/bench), and what the hooks cost everybody who
// uses none: there, our kernel and the same one built without views boot in turns.

import { join } from 'node:path';
import { exec, type Flavour, type GuestOptions, runInGuest } from '../../vm/index.js';
import { ensureKernel, ensureQemu, ensureRoot, kernelTree, projectFolder } from '../setup.js';
import type { Bench, BenchContext, Measured } from './bench.js';
import { type Case, inTurns, type Series } from './result.js';
import { parseResultLines } from './result-lines.js';

interface Boot {
  readonly kind: '' | typeof COUNTED;
  readonly cpus: number;
  /** The programs, and how many runs each is worth. */
  readonly programs: Readonly<Record<string, number>>;
}

const COUNTED = 'counted/';
/** By the clock, and counted: there one run is like the other. A delay of microseconds shows on no clock that a busy host interrupts. */
const boots: readonly Boot[] = [
  { kind: '', cpus: 2, programs: { clone: 7, override: 7, switch: 7, fault: 7, migrate: 5, memory: 2 } },
  { kind: COUNTED, cpus: 1, programs: { clone: 2, override: 2, switch: 2, fault: 2, migrate: 2 } },
  { kind: COUNTED, cpus: 2, programs: { delay: 5 } },
];
/** What `load` measures. */
const loads = [
  ...['getpid', 'pipe', 'open-close', 'fault-anonymous', 'fault-copy', 'mprotect-64-pages-twice'],
  ...['fork-exit', 'vfork-exec', 'thread', 'process-switch'],
];

const notes = [
  'a value is the best of many calls in one run: the machine is shared, and whatever else runs only adds',
  'clone: first view of its process, clone-second: while another is alive; fork: fork, exit and wait in the same process',
  'pwrite/proc-mem: the same page through /proc/PID/mem, as a debugger writes it',
  'switch: half a ping-pong over a futex on one processor; migrate-self/switch runs the text that differs as well',
  'migrate: all blocked threads, from the request until the last is there; ptrace: seize, interrupt and wait for as many',
  'memory: pages of 4 KiB for each view without its overridden pages; charged: by the memory cgroup, gone: by MemFree',
  'delay: the longest time a looping thread does not get on while a step is done, the least of many windows; worst: the greatest;',
  '       on two processors that take turns of 5 k-instr: what is less than a turn does not show',
  'stock: the same kernel built without CONFIG_MMVIEW, no view in use; again: a second boot of it, so what differs is noise',
  'counted: the clock counts instructions, so the host makes no noise; but neither caches nor TLBs count; unit k-instr: a thousand',
];

export const kernel: Bench = {
  about: 'the price of views: clones, overrides, faults, switches, migrations, delays; and of the hooks without views',
  async run(context: BenchContext): Promise<Measured> {
    const { quick, shown, signal } = context;
    await ensureQemu(shown);
    const kernels = { plain: context.bzImage ?? (await image('plain', context)), stock: await image('stock', context) };
    await exec('make', ['-s', '-C', join(kernelTree, 'tools/testing/selftests/mmview/bench'), `OUT=${outside}`]);
    const root = await ensureRoot('image', shown);
    const guest = { root, project: projectFolder, memory: '3G', timeoutSeconds: 1800, append: 'tsc=reliable', signal };
    const series: Series[] = [];
    let accelerator: 'kvm' | 'tcg' = 'tcg';
    for (const { kind, cpus, programs } of boots) {
      const step = { name: `measure views in the guest${kind && ', counting instructions'}` };
      shown.onStep(step);
      const runs = quick ? Object.fromEntries(Object.keys(programs).map((name) => [name, 1])) : programs;
      const ran = await runPrograms({ ...guest, kernel: kernels.plain, cpus, counted: kind !== '' }, runs);
      if (!kind) accelerator = ran.accelerator;
      series.push(...ran.found.map((one) => renamed(one, kind)));
    }
    for (const kind of ['', COUNTED]) {
      const name = `boot with and without views${kind && ', counting instructions'}`;
      const cases = loadCases(kernels, guest, kind, quick);
      const total = quick ? 1 : kind ? 2 : 5;
      series.push(...(await inTurns(cases, total, (done) => shown.onStep({ name, done, total, unit: 'runs' }))));
    }
    return { series, notes, guest: accelerator };
  },
};

const outside = join(projectFolder, 'dist/tests/kbench');
const inside = '/project/dist/tests/kbench';

const image = async (flavour: Flavour, { shown }: BenchContext) => (await ensureKernel(flavour, shown)).bzImage;

/** Runs programs one after the other in one boot. Throws for one that fails, and for a kernel that complains. */
async function runPrograms(guest: GuestOptions, runs: Readonly<Record<string, number>>) {
  const script = Object.entries(runs)
    .map(([name, count]) => `${inside}/${name} ${count}`)
    .join(' && ');
  const result = await runInGuest(['sh', '-c', script], guest);
  const output = result.stdout.toString();
  if (result.status !== 0 || !result.healthy)
    throw new Error(
      `expected the benchmark's programs to end with status 0 on a healthy kernel, found status ${result.status}; ` +
        `${[...result.complaints, result.stderr.toString().trim(), output.slice(-1000)].join('\n')}`,
    );
  return { accelerator: result.accelerator, found: parseResultLines(output) };
}

/** A nanosecond of a guest that is counted is an instruction. */
const renamed = ({ name, unit, values, against }: Series, kind: string): Series => ({
  name: kind + name,
  unit: kind && unit === 'ns' ? 'instr' : kind && unit === 'us' ? 'k-instr' : unit,
  values,
  ...(against !== undefined && { against: kind + against }),
});

/** A boot of each kernel, and another of the one without views: how far apart the same thing is found. */
function loadCases(
  kernels: { plain: string; stock: string },
  guest: Omit<GuestOptions, 'kernel'>,
  kind: string,
  quick: boolean,
): Case[] {
  const boot = (boot: string, bzImage: string): Case => ({
    measures: loads.map((load) => {
      const against = boot === 'stock' ? {} : { against: `stock/${load}` };
      return renamed({ name: `${boot}/${load}`, unit: 'ns', values: [], ...against }, kind);
    }),
    run: async () => {
      const options = { ...guest, kernel: bzImage, counted: kind !== '' };
      const { found } = await runPrograms(options, { load: quick || kind ? 1 : 3 });
      return loads.map((load) => Math.min(...(found.find(({ name }) => name === load)?.values ?? [Number.NaN])));
    },
  });
  const again = kind ? [] : [boot('stock-again', kernels.stock)];
  return [boot('plain', kernels.plain), boot('stock', kernels.stock), ...again];
}
