// SPDX-License-Identifier: MIT
/** The new code of a process, by the records in its arenas: what `driftpatch symbols` shows and writes. Only looks. */
import { readFileSync } from 'node:fs';
import { Process, printable } from '../proc/process.js';
import { findRecords } from '../records.js';
import type { CodeSymbol } from './code-symbols.js';
import { symbolFile } from './elf.js';

export interface PatchSymbols {
  readonly patch: string;
  /** The arena's code part, run-time addresses. */
  readonly start: number;
  readonly end: number;
  readonly symbols: readonly CodeSymbol[];
  /** An ELF file for gdb's add-symbol-file; null where there is no function. */
  readonly elf: Buffer | null;
}

export interface ProcessSymbols {
  readonly pid: number;
  /** Its id in its own pid namespace: what it would call itself. */
  readonly innerPid: number;
  readonly patches: readonly PatchSymbols[];
}

/** Throws RuntimeError if the process cannot be looked at. */
export function symbols({ pid }: { readonly pid: number }): ProcessSymbols {
  const process = Process.open(pid);
  try {
    const patches = findRecords(process.read.bind(process), process.maps()).map((record): PatchSymbols => {
      const { name, arena, codeSize, frames } = record;
      const bytes = frames.size > 0 ? process.read(frames.start, frames.size) : null;
      const described = record.symbols.map((symbol) => ({ ...symbol, name: printable(symbol.name) }));
      return {
        patch: name,
        start: arena,
        end: arena + codeSize,
        symbols: described,
        elf:
          described.length > 0
            ? symbolFile({ symbols: described, frames: bytes && { start: frames.start, bytes } })
            : null,
      };
    });
    return { pid, innerPid: innerPid(pid), patches };
  } finally {
    process.close();
  }
}

/** NSpid lists the ids from our namespace inwards (Linux, fs/proc/array.c). */
function innerPid(pid: number): number {
  const line = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]?.split(/\s+/).at(-1) ?? pid);
}
