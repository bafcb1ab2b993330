// SPDX-License-Identifier: MIT
/**
 * How many bytes an instruction reads or writes at its memory operand: so many of a constant matter, no matter who else points into
 * the middle of it, and none behind them.
 *
 * The decoder knows encodings and not mnemonics, so the widths stand here, by opcode map. What is not listed is unknown, not
 * guessed. Source: Intel SDM volume 2, opcode maps.
 */
import type { Instruction } from '../core/instruction.js';
import type { CodeFunction } from '../match/functions.js';

const PREFIX = { f2: 2, f3: 4, operand: 16, wide: 64 } as const;

/** Bytes, or null if the table does not know the instruction. */
export function operandSize(fn: CodeFunction, instruction: Instruction): number | null {
  const { opcode, modrm, prefixes } = instruction;
  const map = opcode >> 8;
  const byte = opcode & 0xff;
  const group = (modrm >> 3) & 7;
  const general = prefixes & PREFIX.wide ? 8 : prefixes & PREFIX.operand ? 2 : 4;
  if (map === 0) return oneByte(byte, group, general);
  const wide = (prefixes & PREFIX.wide) !== 0;
  if (map < 16) {
    const prefix = prefixes & PREFIX.f3 ? 'f3' : prefixes & PREFIX.f2 ? 'f2' : prefixes & PREFIX.operand ? '66' : '';
    if (map === 1)
      return generalOf0f(byte, group, general, wide) ?? vector(byte, prefix, prefix === '' ? 8 : 16, 16, wide);
    if (map === 2) {
      if (byte === 0xf0 && prefix === 'f2') return 1;
      if (byte >= 0xd8 && (byte > 0xf1 || prefix === 'f3')) return null;
      return byte >= 0xf0 ? general : vector38(byte, prefix === '' ? 8 : 16, wide);
    }
    return vector3a(byte, prefix === '' ? 8 : 16, wide);
  }
  if (map < 32) {
    const { length, prefix } = vexOf(fn, instruction);
    if (map === 17) return vector(byte, prefix, length, length, wide);
    if (map === 18) return byte >= 0xf0 ? (wide ? 8 : 4) : vector38(byte, length, wide);
    return map === 19 ? vector3a(byte, length, wide) : null;
  }
  return null;
}

function oneByte(byte: number, group: number, general: number): number | null {
  if (byte < 0x40) return byte & 1 ? general : 1;
  if (byte === 0x63) return 4;
  if (byte === 0xff) return group === 2 || group === 4 || group === 6 ? 8 : general;
  if (byte === 0x8f) return 8;
  if (byte >= 0xd8 && byte <= 0xdf) return floating(byte, group);
  const bytewise = [0x80, 0x84, 0x86, 0x88, 0x8a, 0xc0, 0xc6, 0xd0, 0xd2, 0xf6, 0xfe];
  if (bytewise.includes(byte)) return 1;
  const others = [0x69, 0x6b, 0x81, 0x83, 0x85, 0x87, 0x89, 0x8b, 0xc1, 0xc7, 0xd1, 0xd3, 0xf7];
  return others.includes(byte) ? general : null;
}

/** x87: null for what loads or stores more than one number. */
function floating(byte: number, group: number): number | null {
  const widths: readonly (number | null)[][] = [
    [4, 4, 4, 4, 4, 4, 4, 4],
    [4, null, 4, 4, null, 2, null, 2],
    [4, 4, 4, 4, 4, 4, 4, 4],
    [4, 4, 4, 4, null, 10, null, 10],
    [8, 8, 8, 8, 8, 8, 8, 8],
    [8, 8, 8, 8, null, null, null, 2],
    [2, 2, 2, 2, 2, 2, 2, 2],
    [2, 2, 2, 2, 10, 8, 10, 8],
  ];
  return widths[byte - 0xd8]![group] ?? null;
}

/** Two-byte opcodes on general registers; null for vectors. */
function generalOf0f(byte: number, group: number, general: number, wide: boolean): number | null {
  if (
    (byte >= 0x40 && byte <= 0x4f) ||
    [0xa3, 0xab, 0xaf, 0xb1, 0xb3, 0xb8, 0xba, 0xbb, 0xbc, 0xbd, 0xc1, 0xc3].includes(byte)
  )
    return general;
  if (byte === 0xb6 || byte === 0xbe || byte === 0xb0 || byte === 0xc0 || (byte >= 0x90 && byte <= 0x9f)) return 1;
  if (byte === 0xb7 || byte === 0xbf) return 2;
  if (byte === 0xc7 && group === 1) return wide ? 16 : 8;
  if (byte === 0xae && (group === 2 || group === 3)) return 4;
  return null;
}

type Prefix = '' | '66' | 'f3' | 'f2';

/** Map 0f. `integer`: of what was MMX once; `full`: of whole vectors. */
function vector(byte: number, prefix: Prefix, integer: number, full: number, wide: boolean): number | null {
  const scalar = prefix === 'f3' ? 4 : prefix === 'f2' ? 8 : full;
  if (byte === 0x10 || byte === 0x11 || byte === 0x2b || byte === 0xc2 || (byte >= 0x51 && byte <= 0x5f)) {
    if (byte === 0x5b) return full;
    return byte === 0x5a && prefix === '' ? full / 2 : scalar;
  }
  if (byte === 0x12 || byte === 0x16) return prefix === 'f3' ? full : prefix === 'f2' && full > 16 ? full : 8;
  if (byte === 0x13 || byte === 0x17) return 8;
  if (byte === 0x2a) return prefix === 'f3' || prefix === 'f2' ? (wide ? 8 : 4) : 8;
  if (byte === 0x2c || byte === 0x2d) return prefix === 'f3' ? 4 : prefix === '66' ? 16 : 8;
  if (byte === 0x2e || byte === 0x2f) return prefix === '66' ? 8 : 4;
  if ([0x14, 0x15, 0x28, 0x29, 0x7c, 0x7d, 0xc6, 0xd0, 0xf0].includes(byte)) return full;
  if (byte === 0x6e) return wide ? 8 : 4;
  if (byte === 0x7e) return prefix === 'f3' || wide ? 8 : 4;
  if (byte === 0xc4) return 2;
  if (byte === 0xd6) return 8;
  if (byte === 0xe6) return prefix === 'f3' ? full / 2 : full;
  // shifts by a count in memory read 16 bytes whatever the vector's length
  const shifts = [0xd1, 0xd2, 0xd3, 0xe1, 0xe2, 0xf1, 0xf2, 0xf3];
  if (shifts.includes(byte)) return Math.min(integer, 16);
  if (byte >= 0x60 && byte <= 0x62 && prefix === '') return 4;
  const integers = (byte >= 0x60 && byte <= 0x76) || byte === 0x7f || (byte >= 0xd4 && byte <= 0xfe);
  return integers ? integer : null;
}

/** Map 0f38. */
function vector38(byte: number, full: number, wide: boolean): number | null {
  const row = byte >> 4;
  const low = byte & 15;
  if ((row === 2 || row === 3) && low < 6) return full / [2, 4, 8, 2, 4, 2][low]!;
  if (byte === 0x13) return full / 2;
  const broadcasts: Record<number, number> = { 24: 4, 25: 8, 26: 16, 88: 4, 89: 8, 90: 16, 120: 1, 121: 2 };
  if (broadcasts[byte] !== undefined) return broadcasts[byte];
  if (row >= 9 && row <= 11) return low >= 9 && (low & 1) === 1 ? (wide ? 8 : 4) : low < 6 ? null : full;
  return byte <= 0x41 || (byte >= 0xdb && byte <= 0xdf) || (byte >= 0x45 && byte <= 0x47) ? full : null;
}

/** Map 0f3a. */
function vector3a(byte: number, full: number, wide: boolean): number | null {
  const widths: Record<number, number> = {
    10: 4,
    11: 8,
    20: 1,
    21: 2,
    22: wide ? 8 : 4,
    23: 4,
    32: 1,
    33: 4,
    34: wide ? 8 : 4,
    24: 16,
    25: 16,
    56: 16,
    57: 16,
    240: wide ? 8 : 4,
  };
  if (byte === 0x1d) return full / 2;
  if (byte === 0xcc) return 16;
  return widths[byte] ?? (byte <= 0x63 || byte === 0xdf ? full : null);
}

/** A VEX prefix: C5 with one byte behind it, C4 with two; the last one has the length and the implied prefix. */
function vexOf(fn: CodeFunction, { offset }: Instruction): { length: number; prefix: Prefix } {
  let at = fn.address - fn.section.address + offset;
  const { bytes } = fn.section;
  while (bytes[at] !== 0xc4 && bytes[at] !== 0xc5) at++;
  const last = bytes[at + (bytes[at] === 0xc5 ? 1 : 2)]!;
  return { length: last & 4 ? 32 : 16, prefix: (['', '66', 'f3', 'f2'] as const)[last & 3]! };
}
