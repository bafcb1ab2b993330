// SPDX-License-Identifier: MIT
/**
 * Which source line an instruction comes from, by .debug_line (DWARF 2 to 5).
 *
 * Every line program is run once, and only rows in the wanted ranges are kept: few functions are ever asked about. An address
 * may have several rows; all of them count, because compilers put markers of statements in front of the one that stays.
 */
import { ElfError } from '../error.js';
import type { ElfImage } from '../image.js';
import { Cursor } from './forms.js';
import { type LineProgram, readLineHeader, type Strings } from './line-header.js';
import { unpacked } from './sections.js';

export interface SourceLine {
  /** As the compiler names it, with its folder. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Link-time addresses, end exclusive. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** Lines by address of an instruction; nothing for addresses outside the wanted ranges or without a line. */
export type LineFinder = (address: number) => readonly SourceLine[];

interface Row {
  readonly address: number;
  readonly at: SourceLine | null;
}

/** Null if the file has no line programs. Throws ElfError if they are damaged. */
export function readLines(image: ElfImage, wanted: readonly AddressRange[]): LineFinder | null {
  const place = { at: 0 };
  try {
    const bytes = unpacked(image.sections, 'line');
    if (bytes.length === 0) return null;
    const strings: Strings = { str: unpacked(image.sections, 'str'), lineStr: unpacked(image.sections, 'line_str') };
    const ranges = [...wanted].sort((a, b) => a.start - b.start);
    const rows: Row[] = [];
    const cursor = new Cursor(bytes);
    while (cursor.at + 4 < bytes.length) {
      place.at = cursor.at;
      const program = readLineHeader(cursor, strings);
      run(cursor, program, ranges, rows);
      cursor.at = program.end;
    }
    return finder(rows, ranges);
  } catch (cause) {
    if (cause instanceof ElfError) throw cause;
    throw new ElfError('DEBUG', {
      file: image.file,
      place: `.debug_line+0x${place.at.toString(16)}`,
      expected: 'line programs of DWARF 2 to 5',
      found: cause instanceof Error ? cause.message : String(cause),
      advice: 'build it again with -g, or strip it with `strip -g`',
      cause,
    });
  }
}

/** The machine of the DWARF standard, as far as addresses, files and lines go. */
function run(cursor: Cursor, program: LineProgram, ranges: readonly AddressRange[], rows: Row[]): void {
  const { minimum, lineBase, lineRange, opcodeBase, operands, end, fileName } = program;
  const constantAdvance = Math.floor((255 - opcodeBase) / lineRange) * minimum;
  const names = new Map<number, string>();
  let address = 0;
  let file = 1;
  let line = 1;
  const emit = () => {
    if (!within(ranges, address)) return;
    let name = names.get(file);
    if (name === undefined) {
      name = fileName(file);
      names.set(file, name);
    }
    rows.push({ address, at: { file: name, line } });
  };
  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const step = opcode - opcodeBase;
      address += Math.floor(step / lineRange) * minimum;
      line += lineBase + (step % lineRange);
      emit();
      continue;
    }
    switch (opcode) {
      case 0: {
        const size = cursor.uleb();
        const next = cursor.at + size;
        const extended = size > 0 ? cursor.u8() : 0;
        if (extended === 1) {
          if (within(ranges, address - 1)) rows.push({ address, at: null });
          address = 0;
          file = 1;
          line = 1;
        } else if (extended === 2) address = size === 9 ? cursor.u64() : cursor.u32();
        cursor.at = next;
        break;
      }
      case 1:
        emit();
        break;
      case 2:
        address += cursor.uleb() * minimum;
        break;
      case 3:
        line += cursor.sleb();
        break;
      case 4:
        file = cursor.uleb();
        break;
      case 8:
        address += constantAdvance;
        break;
      case 9:
        address += cursor.u16();
        break;
      default:
        for (let left = operands[opcode]!; left > 0; left--) cursor.uleb();
    }
  }
}

function within(ranges: readonly AddressRange[], address: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && address < ranges[low - 1]!.end;
}

function finder(rows: readonly Row[], ranges: readonly AddressRange[]): LineFinder {
  // stable: rows of one address stay in the order of their program
  const sorted = [...rows].sort((a, b) => a.address - b.address);
  return (address) => {
    if (!within(ranges, address)) return [];
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const found: SourceLine[] = [];
    const start = sorted[low - 1]?.address;
    for (let i = low - 1; i >= 0 && sorted[i]!.address === start; i--) {
      const { at } = sorted[i]!;
      if (at !== null) found.push(at);
    }
    return found;
  };
}
