// SPDX-License-Identifier: MIT
/**
 * An arena in a process on a kernel without views: mapped, named and given back by system calls that one of the process's own
 * threads is made to do. Only that thread is stopped, and only for that long.
 *
 * Invariant: never writable and executable at once. What a process may not map, by its limits, its filters or its memory policy,
 * it is not made to map: that is a refusal.
 */
import { readFileSync } from 'node:fs';
import { type RunAddress, runAddress } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import type { Process } from '../proc/process.js';
import { pwrite, SysError } from '../sys/calls.js';
import * as sys from '../sys/ptrace.js';
import type { Near } from '../ways/way.js';
import { findGadgets, type Gadgets } from './gadgets.js';
import { RemoteThread } from './remote.js';
import { findRoom } from './room.js';
import { letGo, statusLine, stopOne } from './stop-all.js';
import type { Tracee } from './tracee.js';

export interface MappedArena {
  readonly address: RunAddress;
  readonly codeSize: number;
  readonly dataSize: number;
}

const ANONYMOUS = sys.MAP_PRIVATE | sys.MAP_ANONYMOUS | sys.MAP_FIXED_NOREPLACE;
const READ_EXECUTE = sys.PROT_READ | sys.PROT_EXEC;
const READ_WRITE = sys.PROT_READ | sys.PROT_WRITE;
const NAME = Buffer.from('driftpatch\0', 'latin1');
const ATTEMPTS = 8;
const THREADS_TO_TRY = 16;

/** `memory` is /proc/PID/mem, to be written. */
export function mapArena(
  process: Process,
  memory: number,
  near: Near,
  codeSize: number,
  dataSize: number,
): MappedArena {
  const gadgets = findGadgets(process, process.maps());
  const size = codeSize + dataSize;
  if (!process.read(near.start, 1)) throw changed(process);
  return inOneThread(process, memory, gadgets, (thread) => {
    for (let attempt = 1; ; attempt++) {
      const address = findRoom(process.maps(), near, size, lowestAddress());
      if (address === null) throw new RuntimeError('NO_ROOM', { size, object: near.name });
      const arena = { address, codeSize, dataSize };
      try {
        map(process, thread, address, codeSize, READ_EXECUTE);
      } catch (error) {
        // another thread has mapped something there meanwhile
        if (error instanceof SysError && error.errno === 'EEXIST' && attempt < ATTEMPTS) continue;
        throw refusal(process, error);
      }
      try {
        if (dataSize > 0) map(process, thread, address + codeSize, dataSize, READ_WRITE);
      } catch (error) {
        unmap(thread, { ...arena, dataSize: 0 });
        throw refusal(process, error);
      }
      name(thread, memory, arena);
      return arena;
    }
  });
}

/** Gives back an arena that no thread has run in. False: there is no way to. */
export function unmapArena(process: Process, memory: number, arena: MappedArena): boolean {
  try {
    const gadgets = findGadgets(process, process.maps());
    return inOneThread(process, memory, gadgets, (thread) => unmap(thread, arena));
  } catch (error) {
    if (error instanceof RuntimeError || error instanceof SysError) return false;
    throw error;
  }
}

function inOneThread<T>(process: Process, memory: number, gadgets: Gadgets, action: (thread: RemoteThread) => T): T {
  const stopped = new Set<Tracee>();
  try {
    const thread = chooseThread(process, memory, gadgets, stopped);
    try {
      return action(thread);
    } finally {
      thread.restore();
    }
  } finally {
    letGo([...stopped]);
  }
}

/**
 * One that is not in the middle of a timed sleep, if there is one. The first sleeper stays stopped until that is known: let go, it
 * would be on its way back to its sleep, and stopped again would not tell any more which one that was. `stopped` are those to
 * be let go.
 */
function chooseThread(process: Process, memory: number, gadgets: Gadgets, stopped: Set<Tracee>): RemoteThread {
  const { pid } = process;
  const tids = process
    .threads()
    .map(({ tid }) => tid)
    .slice(0, THREADS_TO_TRY);
  let sleeper: RemoteThread | null = null;
  for (const tid of tids) {
    const tracee = stopOne(pid, tid);
    if (!tracee) continue;
    stopped.add(tracee);
    const confinement = statusLine(pid, tid, 'Seccomp');
    if (confinement === '1') throw new RuntimeError('SECCOMP_REFUSES', { pid, call: 'mmap' });
    const read = (at: number, size: number) => process.read(at, size);
    const thread = RemoteThread.of(tracee, { memory, read, maps: process.maps(), gadgets }, confinement === '2');
    if (thread && !thread.sleeps) return thread;
    if (thread && !sleeper) sleeper = thread;
    else {
      tracee.letGo();
      stopped.delete(tracee);
    }
  }
  if (sleeper) return sleeper;
  if (process.maps().every(({ start }) => !process.read(start, 1))) throw changed(process);
  throw new RuntimeError('NO_THREAD', { pid, count: tids.length });
}

const changed = ({ pid }: Process) =>
  new RuntimeError('PROCESS_CHANGED', { pid, what: 'it has executed another program' });

function map(process: Process, thread: RemoteThread, address: number, size: number, access: number): void {
  const list = [address, size, access, ANONYMOUS, -1, 0] as const;
  if (!thread.mayDo(sys.REMOTE.mmap, list))
    throw new RuntimeError('SECCOMP_REFUSES', { pid: process.pid, call: 'mmap' });
  const found = Number(thread.call('mmap', ...list));
  if (found === address) return;
  // a kernel that takes the address for a wish
  unmap(thread, { address: runAddress(found), codeSize: size, dataSize: 0 });
  throw new SysError('mmap', EEXIST);
}

const EEXIST = 17;

function unmap(thread: RemoteThread, { address, codeSize, dataSize }: MappedArena): boolean {
  const list = [address, codeSize + dataSize] as const;
  if (!thread.mayDo(sys.REMOTE.munmap, list)) return false;
  thread.call('munmap', ...list);
  return true;
}

/**
 * The data part's name is for people, in /proc/PID/maps; not every kernel gives one. Code has none: perf reads perf-PID.map only
 * for memory without a name (Linux, tools/perf/util/map.h, is_anon_memory()).
 */
function name(thread: RemoteThread, memory: number, { address, codeSize, dataSize }: MappedArena): void {
  const list = [sys.PR_SET_VMA, sys.PR_SET_VMA_ANON_NAME, address + codeSize, dataSize, address] as const;
  if (dataSize === 0 || !thread.mayDo(sys.REMOTE.prctl, list)) return;
  try {
    // where the record comes later
    pwrite(memory, NAME, address);
    thread.call('prctl', ...list);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
  }
}

function refusal(process: Process, error: unknown): unknown {
  if (!(error instanceof SysError)) return error;
  const { call, errno } = error;
  const { pid } = process;
  if (errno === 'ENOMEM') return new RuntimeError('NO_MEMORY', { call }, { cause: error });
  if (errno === 'ESRCH') return new RuntimeError('PROCESS_GONE', { pid }, { cause: error });
  if (errno === 'EACCES' || errno === 'EPERM')
    return new RuntimeError('CODE_FORBIDDEN', { pid, errno }, { cause: error });
  return new RuntimeError('KERNEL_REFUSED', { call: `${call} in the target`, errno }, { cause: error });
}

function lowestAddress(): number {
  const lowest = 65536;
  try {
    return Math.max(Number.parseInt(readFileSync('/proc/sys/vm/mmap_min_addr', 'utf8'), 10) || 0, lowest);
  } catch {
    return lowest;
  }
}
