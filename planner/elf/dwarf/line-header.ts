// SPDX-License-Identifier: MIT
/**
 * The head of a line program (DWARF 2 to 5, both formats): how its opcodes count, and the names of its files. Names are decoded only
 * when somebody asks.
 */
import { stringAt } from '../symbols.js';
import type { Cursor } from './forms.js';

export interface Strings {
  readonly str: Uint8Array;
  readonly lineStr: Uint8Array;
}

export interface LineProgram {
  readonly version: number;
  readonly minimum: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of standard opcodes, by opcode. */
  readonly operands: readonly number[];
  readonly end: number;
  readonly fileName: (index: number) => string;
}

const CONTENT = { path: 1, directory: 2 } as const;
const MOST_NAMES = 1 << 20;

/** Leaves the cursor at the program's first opcode. Throws RangeError for a head that cannot be right. */
export function readLineHeader(cursor: Cursor, strings: Strings): LineProgram {
  const short = cursor.u32();
  const offsetSize = short === 0xffffffff ? 8 : 4;
  const length = offsetSize === 8 ? cursor.u64() : short;
  const end = cursor.at + length;
  const version = cursor.u16();
  if (end > cursor.bytes.length || version < 2 || version > 5)
    throw new RangeError(`a line program of version ${version} and ${length} bytes`);
  // size of an address and of a segment selector
  if (version === 5) cursor.u16();
  const headerLength = cursor.offset(offsetSize);
  const body = cursor.at + headerLength;
  const minimum = cursor.u8();
  if (version >= 4) cursor.u8();
  cursor.u8();
  const lineBase = (cursor.u8() << 24) >> 24;
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0 || body > end) throw new RangeError('a line program with a bad header');
  const operands = [0];
  for (let i = 1; i < opcodeBase; i++) operands.push(cursor.u8());
  const fileName = version === 5 ? readTables(cursor, offsetSize, strings) : readOldTables(cursor);
  cursor.at = body;
  return { version, minimum, lineBase, lineRange, opcodeBase, operands, end, fileName };
}

/** DWARF 5: directories and files as tables whose columns are described first. */
function readTables(cursor: Cursor, offsetSize: number, strings: Strings) {
  const table = () => {
    const columns: [content: number, form: number][] = [];
    for (let left = cursor.u8(); left > 0; left--) columns.push([cursor.uleb(), cursor.uleb()]);
    const count = cursor.uleb();
    if (count > MOST_NAMES || (count > 0 && columns.length === 0)) throw new RangeError(`${count} names`);
    const rows: { path: Name; directory: number }[] = [];
    for (let i = 0; i < count; i++) {
      const row: { path: Name; directory: number } = { path: null, directory: 0 };
      for (const [content, form] of columns) {
        const value = readField(cursor, form, offsetSize, strings);
        if (content === CONTENT.path && typeof value !== 'number') row.path = value;
        else if (content === CONTENT.directory && typeof value === 'number') row.directory = value;
      }
      rows.push(row);
    }
    return rows;
  };
  const directories = table();
  const files = table();
  const text = (name: Name | undefined): string => (name ? stringAt(name.bytes, name.at) : '');
  return (index: number): string => {
    const file = files[index];
    return file ? joined(text(directories[file.directory]?.path), text(file.path)) : '';
  };
}

/** A name that is decoded only if somebody wants it. */
type Name = { readonly bytes: Uint8Array; readonly at: number } | null;

/** A field of a table; the standard allows these forms only. */
function readField(cursor: Cursor, form: number, offsetSize: number, strings: Strings): number | Name {
  switch (form) {
    case 0x08: {
      const { bytes, at } = cursor;
      cursor.skipText();
      return { bytes, at };
    }
    case 0x0e: // strp
      return { bytes: strings.str, at: cursor.offset(offsetSize) };
    case 0x1f: // line_strp
      return { bytes: strings.lineStr, at: cursor.offset(offsetSize) };
    case 0x0b: // data1
      return cursor.u8();
    case 0x05:
      return cursor.u16();
    case 0x06:
      return cursor.u32();
    case 0x07:
      return cursor.u64();
    case 0x0f: // udata
      return cursor.uleb();
    case 0x1e: // data16, a checksum
      cursor.at += 16;
      return null;
    case 0x09: {
      const size = cursor.uleb();
      cursor.at += size;
      return null;
    }
    default:
      throw new RangeError(`a file table with form 0x${form.toString(16)}`);
  }
}

/** Up to DWARF 4: lists that end with an empty name, counted from 1. */
function readOldTables(cursor: Cursor) {
  const text = (): string => {
    const at = cursor.at;
    cursor.skipText();
    return stringAt(cursor.bytes, at);
  };
  const directories = [''];
  for (let name = text(); name !== ''; name = text()) directories.push(name);
  const files = [''];
  for (let name = text(); name !== ''; name = text()) {
    files.push(joined(directories[cursor.uleb()] ?? '', name));
    cursor.uleb();
    cursor.uleb();
  }
  return (index: number): string => files[index] ?? '';
}

const joined = (folder: string, name: string): string =>
  folder === '' || name.startsWith('/') ? name : `${folder}/${name}`;
