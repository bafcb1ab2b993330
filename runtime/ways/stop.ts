// SPDX-License-Identifier: MIT
/**
 * The classic way: all threads stop while the text changes. It needs no views, so it works on a stock kernel, and it is what the
 * wait-free way is compared with.
 *
 * Nothing that can be done before is done while threads are stopped: the arena is mapped (one thread is stopped for that) and
 * written, the text's new bytes are ready. Then everybody is stopped, everybody's pc and stack are searched for guards, and either
 * the text changes, or all go on and it is tried again later.
 *
 * Invariants: the record and then the detours are written while all are stopped, and at no other time. The bytes of one page
 * come in one system call, which being killed does not cut in two.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type RunAddress, runAddress } from '../../planner/index.js';
import { RuntimeError } from '../errors.js';
import type { GuardRange } from '../guards.js';
import { PAGE } from '../link/layout.js';
import { type Mapping, parseMaps } from '../proc/maps.js';
import { asked, type Process } from '../proc/process.js';
import { type MappedArena, mapArena, unmapArena } from '../ptrace/arena.js';
import { checkedRanges, checkThread, type Surroundings } from '../ptrace/stack-check.js';
import { letGo, type Stopped, stopAll } from '../ptrace/stop-all.js';
import { type Consistency, RECORD_MAGIC_SIZE } from '../record.js';
import type { Why } from '../sys/abi.js';
import { pwrite, SysError } from '../sys/calls.js';
import type { ViewThread } from '../view.js';
import type { Near, Outcome, Terms, Way } from './way.js';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;

interface Change {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** What has to be there before; null for the arena, which is ours. */
  readonly before: Buffer | null;
}

interface Attempt {
  readonly done: boolean;
  readonly total: number;
  readonly holders: readonly ViewThread[];
  readonly milliseconds: number;
}

export class StopAll implements Way {
  private readonly process: Process;
  /** /proc/PID/mem: of the memory that the process had when it was opened, so that a later exec is not mistaken for it. */
  private readonly memory: number;
  private readonly changes: Change[] = [];
  private guards: readonly GuardRange[] = [];
  private arena: MappedArena | null = null;
  private done = false;

  private constructor(process: Process, memory: number) {
    this.process = process;
    this.memory = memory;
  }

  static open(process: Process): StopAll {
    return new StopAll(
      process,
      asked(process.pid, () => openSync(`${process.folder}/mem`, 'r+')),
    );
  }

  map(near: Near, codeSize: number, dataSize: number): RunAddress {
    this.arena = mapArena(this.process, this.memory, near, codeSize, dataSize);
    return this.arena.address;
  }

  write(address: RunAddress, bytes: Uint8Array): void {
    const { arena } = this;
    const inArena = arena && address >= arena.address && address < arena.address + arena.codeSize + arena.dataSize;
    if (!inArena) {
      const before = this.process.read(address, bytes.length);
      if (!before) throw this.changed('the text is gone');
      this.changes.push({ address, bytes, before });
      return;
    }
    // Without its first bytes the record is none: an arena that we leave behind half made says nothing of itself.
    const held = address === arena.address ? RECORD_MAGIC_SIZE : 0;
    if (held > 0) this.changes.unshift({ address, bytes: bytes.subarray(0, held), before: null });
    if (!this.written({ address: address + held, bytes: bytes.subarray(held) }))
      throw this.changed('its memory cannot be written');
  }

  guard(ranges: readonly GuardRange[]): void {
    this.guards = ranges;
  }

  async transition({ consistency, deadline, clock, emit }: Terms): Promise<Outcome> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const { done, total, holders, milliseconds } = this.attempt(consistency);
      clock.add('transitionUs', milliseconds);
      this.done = done;
      emit({ kind: 'progress', migrated: done ? total : 0, total });
      if (done || pause >= deadline.left)
        return { done, underWay: false, total, migrated: done ? total : 0, threads: holders };
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  close(): void {
    if (this.arena && !this.done) unmapArena(this.process, this.memory, this.arena);
    closeSync(this.memory);
  }

  /** Stops everybody once. */
  private attempt(consistency: Consistency): Attempt {
    const known = readMaps(this.process);
    const read = (at: number, size: number) => this.process.read(at, size);
    const around = {
      guards: checkedRanges(this.guards, consistency, read),
      read,
    };
    const begun = performance.now();
    const stopped = stopAll(this.process.pid);
    let holders: readonly ViewThread[];
    try {
      this.checkSame();
      holders =
        stopped.late.length > 0
          ? late(stopped)
          : holdersAmong(stopped, { ...around, maps: mapsNow(known, this.process) });
      if (holders.length === 0) this.commit();
    } finally {
      letGo(stopped.tracees);
    }
    const milliseconds = performance.now() - begun;
    return { done: holders.length === 0, total: stopped.tracees.length, holders, milliseconds };
  }

  /** What an exec has put in the place of our process is none of our business. */
  private checkSame(): void {
    const [change] = this.changes;
    if (change && !this.process.read(change.address, 1)) throw this.changed('it has executed another program');
  }

  /** Everybody is stopped, and nobody is in the way. */
  private commit(): void {
    const asExpected = ({ address, before }: Change) =>
      before === null || this.process.read(address, before.length)?.equals(before) === true;
    if (!this.changes.every(asExpected)) throw this.changed('its text is not what it was');
    for (const piece of this.byPage()) if (!this.written(piece)) throw this.changed('its text cannot be written');
  }

  /** The changes of one page as one piece, in the order of the changes. */
  private byPage(): { address: number; bytes: Uint8Array }[] {
    const pieces = this.changes.flatMap(cutAtPages);
    const pages = new Map<number, { address: number; bytes: Uint8Array }[]>();
    for (const piece of pieces) {
      const page = Math.floor(piece.address / PAGE);
      pages.set(page, [...(pages.get(page) ?? []), piece]);
    }
    return [...pages.values()].map((list) => {
      const address = Math.min(...list.map((piece) => piece.address));
      const end = Math.max(...list.map((piece) => piece.address + piece.bytes.length));
      const bytes = this.process.read(address, end - address);
      if (!bytes) throw this.changed('its text is gone');
      for (const piece of list) bytes.set(piece.bytes, piece.address - address);
      return { address, bytes };
    });
  }

  private written({ address, bytes }: { readonly address: number; readonly bytes: Uint8Array }): boolean {
    try {
      for (let done = 0; done < bytes.length; ) {
        const count = pwrite(this.memory, bytes.subarray(done), address + done);
        if (count === 0) return false;
        done += count;
      }
      return true;
    } catch (error) {
      if (error instanceof SysError) return false;
      throw error;
    }
  }

  private changed(what: string): RuntimeError {
    return new RuntimeError('PROCESS_CHANGED', { pid: this.process.pid, what });
  }
}

function cutAtPages({ address, bytes }: Change): { address: number; bytes: Uint8Array }[] {
  const pieces: { address: number; bytes: Uint8Array }[] = [];
  for (let done = 0; done < bytes.length; ) {
    const size = Math.min(bytes.length - done, PAGE - ((address + done) % PAGE));
    pieces.push({ address: address + done, bytes: bytes.subarray(done, done + size) });
    done += size;
  }
  return pieces;
}

interface KnownMaps {
  readonly text: Buffer;
  readonly maps: readonly Mapping[];
}

function readMaps({ pid, folder }: Process): KnownMaps {
  const text = asked(pid, () => readFileSync(`${folder}/maps`));
  return { text, maps: parseMaps(text.toString('utf8')) };
}

/** The mappings as they are now that everybody is stopped; parsed before, if nothing has changed since. */
function mapsNow(known: KnownMaps, process: Process): readonly Mapping[] {
  const text = readFileSync(`${process.folder}/maps`);
  return text.equals(known.text) ? known.maps : parseMaps(text.toString('utf8'));
}

function late({ late }: Stopped): ViewThread[] {
  return late.map(({ tid }) => thread(tid, 'running', 0));
}

function holdersAmong({ tracees }: Stopped, around: Surroundings): ViewThread[] {
  return tracees.flatMap((tracee) => {
    const verdict = checkThread(tracee.registers(), around);
    return verdict && !tracee.gone ? [thread(tracee.tid, verdict.why, verdict.where, verdict.slot)] : [];
  });
}

const thread = (tid: number, why: Why, where: number, slot = 0): ViewThread => ({
  tid,
  migrated: false,
  why,
  where: runAddress(where),
  slot: runAddress(slot),
  when: 0,
});
