// SPDX-License-Identifier: MIT
/**
 * The sections with debugging information, unpacked: compressed by SHF_COMPRESSED (zlib, and zstd where Node can) or the old
 * way, as .zdebug_*. What they hold is not looked at here.
 */
import zlib from 'node:zlib';
import { type Section, SHF_COMPRESSED } from '../sections.js';
import { viewOf } from '../symbols.js';
import type { DebugSections } from './forms.js';

const LARGEST = 1 << 30;
const COMPRESSION = { zlib: 1, zstd: 2 } as const;
const HEADER = 24;

/** null if there is no .debug_info. `base` is where this one starts among all that are read together. */
export function debugSections(
  all: readonly Section[],
  base: number,
  shared: DebugSections | null,
): { readonly main: DebugSections; readonly types: DebugSections | null } | null {
  const section = (name: string): Uint8Array => unpacked(all, name);
  const info = section('info');
  if (info.length === 0) return null;
  const main: DebugSections = {
    info,
    abbrev: section('abbrev'),
    str: section('str'),
    lineStr: section('line_str'),
    strOffsets: section('str_offsets'),
    addr: section('addr'),
    ranges: section('ranges'),
    rnglists: section('rnglists'),
    base,
    shared,
  };
  const types = section('types');
  return { main, types: types.length === 0 ? null : { ...main, info: types, base: base + info.length } };
}

/** The content of .debug_NAME; empty if there is none. Throws RangeError for what cannot be unpacked. */
export function unpacked(all: readonly Section[], name: string): Uint8Array {
  const plain = all.find((section) => section.name === `.debug_${name}` && section.bytes.length > 0);
  if (plain) return (plain.flags & SHF_COMPRESSED) === 0 ? plain.bytes : inflate(plain);
  const packed = all.find((section) => section.name === `.zdebug_${name}` && section.bytes.length > 12);
  if (!packed) return new Uint8Array(0);
  if (Buffer.from(packed.bytes.subarray(0, 4)).toString('latin1') !== 'ZLIB')
    throw new RangeError(`${packed.name} does not begin with ZLIB`);
  return bounded(packed.name, Number(viewOf(packed.bytes).getBigUint64(4, false)), (limit) =>
    zlib.inflateSync(packed.bytes.subarray(12), limit),
  );
}

function inflate({ name, bytes }: Section): Uint8Array {
  if (bytes.length < HEADER) throw new RangeError(`${name} is too short for a compressed section`);
  const view = viewOf(bytes);
  const method = view.getUint32(0, true);
  const size = Number(view.getBigUint64(8, true));
  const content = bytes.subarray(HEADER);
  if (method === COMPRESSION.zlib) return bounded(name, size, (limit) => zlib.inflateSync(content, limit));
  // from Node 22.15 on; its type declarations here are those of Node 20
  const zstd = (zlib as { zstdDecompressSync?: typeof zlib.inflateSync }).zstdDecompressSync;
  if (method === COMPRESSION.zstd && zstd) return bounded(name, size, (limit) => zstd(content, limit));
  throw new RangeError(
    method === COMPRESSION.zstd
      ? `${name} is compressed with zstd, which this Node cannot unpack; use \`objcopy --decompress-debug-sections\``
      : `${name} is compressed by method ${method}`,
  );
}

function bounded(name: string, size: number, unpack: (limit: { maxOutputLength: number }) => Buffer): Uint8Array {
  if (!(size <= LARGEST)) throw new RangeError(`${name} would be ${size} bytes`);
  const bytes = unpack({ maxOutputLength: Math.max(1, size) });
  if (bytes.length !== size) throw new RangeError(`${name} unpacks to ${bytes.length} bytes, not ${size}`);
  return bytes;
}
