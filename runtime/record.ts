// SPDX-License-Identifier: MIT
/**
 * The record: what a patched process carries at the start of each arena, so that `status`, a later `apply` and `revert`
 * need nothing but the process.
 *
 * Little-endian, versioned, closed by a checksum:
 *
 *     magic[8] version:u32 size:u32 arena:u64 codeSize:u64 dataSize:u64 bias:u64 code.start:u64 code.size:u64
 *     consistency:u32 functions:u32 jumps:u32 symbols:u32 framesAt:u64 framesSize:u64 patchHash[32] name:str targetName:str buildId:str
 *     then per function: entry:u64 size:u64 detour:u64 body:u64 bodySize:u64 detourBytes[5] originalBytes[5]
 *                        name:str parts:u16 { start:u64 size:u64 }...
 *     per jump of an unwinder: at:u64 bytes[14] originalBytes[14]
 *     per function in the arena: start:u64 size:u64 name:str
 *     checksum[8], the head of the SHA-256 over all before it          (str: length:u16, UTF-8)
 *
 * Invariant: it depends on addresses only by their values, never in its size. Reading treats it as hostile: the target can
 * write whatever it likes under the arena's name. Every length is bounded, and what does not add up is no record.
 */
import { createHash } from 'node:crypto';
import { type RunAddress, runAddress } from '../planner/index.js';
import { PAGE } from './link/layout.js';
import { RecordReader, RecordWriter } from './record-bytes.js';
import type { CodeSymbol } from './symbols/code-symbols.js';
import { FAR_JUMP_SIZE } from './unwind/finder.js';
import type { UnwinderJump } from './unwind/place.js';

export type Consistency = 'strict' | 'entry';

export interface RecordedFunction {
  readonly name: string;
  /** The old function's entry and size. */
  readonly entry: RunAddress;
  readonly size: number;
  /** Where the detour stands (behind an endbr64), its 5 bytes, and what was there before: another detour, perhaps. */
  readonly detour: RunAddress;
  readonly detourBytes: Uint8Array;
  readonly originalBytes: Uint8Array;
  readonly body: RunAddress;
  readonly bodySize: number;
  /** The old function's other ranges. */
  readonly parts: readonly { readonly start: RunAddress; readonly size: number }[];
}

export interface PatchRecord {
  readonly name: string;
  /** SHA-256 of the patch file, hex. */
  readonly patchHash: string;
  readonly targetName: string;
  readonly buildId: string;
  readonly arena: RunAddress;
  readonly codeSize: number;
  readonly dataSize: number;
  readonly bias: number;
  /** The part of the arena that its functions are in. */
  readonly code: { readonly start: RunAddress; readonly size: number };
  readonly consistency: Consistency;
  readonly functions: readonly RecordedFunction[];
  /** They stay when the patch is reverted: the new code may still be on a stack. */
  readonly jumps: readonly UnwinderJump[];
  /** Every function in the arena. */
  readonly symbols: readonly CodeSymbol[];
  /** The frame descriptions in the arena; of size 0 if there are none. */
  readonly frames: { readonly start: RunAddress; readonly size: number };
}

export const DETOUR_SIZE = 5;
export const RECORD_HEAD = 16;
export const RECORD_MAGIC_SIZE = 8;
export const MAX_RECORD = 1 << 20;
const MAGIC = 'DRIFTREC';
const VERSION = 2;
const CHECKSUM = 8;
const NAME = /^[A-Za-z0-9._+-]{1,64}$/;
const HEX = /^[0-9a-f]{2,128}$/;

export function encodeRecord(record: PatchRecord): Buffer {
  const out = new RecordWriter();
  out.bytes(Buffer.from(MAGIC, 'latin1')).u32(VERSION).u32(0);
  out.u64(record.arena).u64(record.codeSize).u64(record.dataSize).u64(record.bias);
  out.u64(record.code.start).u64(record.code.size);
  out.u32(record.consistency === 'strict' ? 0 : 1).u32(record.functions.length);
  out.u32(record.jumps.length).u32(record.symbols.length).u64(record.frames.start).u64(record.frames.size);
  out.bytes(Buffer.from(record.patchHash, 'hex'));
  out.text(record.name).text(record.targetName).text(record.buildId);
  for (const f of record.functions) {
    out.u64(f.entry).u64(f.size).u64(f.detour).u64(f.body).u64(f.bodySize);
    out.bytes(f.detourBytes).bytes(f.originalBytes).text(f.name).u16(f.parts.length);
    for (const part of f.parts) out.u64(part.start).u64(part.size);
  }
  for (const jump of record.jumps) out.u64(jump.at).bytes(jump.bytes).bytes(jump.original);
  for (const { start, size, name } of record.symbols) out.u64(start).u64(size).text(name);
  const body = out.finish();
  body.writeUInt32LE(body.length + CHECKSUM, 12);
  return Buffer.concat([body, checksum(body)]);
}

/** The size that the record's head claims, or null if it is no head of a record. */
export function recordSize(head: Buffer): number | null {
  if (head.length < RECORD_HEAD || head.toString('latin1', 0, 8) !== MAGIC) return null;
  const size = head.readUInt32LE(12);
  return size > RECORD_HEAD + CHECKSUM && size <= MAX_RECORD ? size : null;
}

/** The record in `bytes`, found at `address`, or null if it is none that we have written there. */
export function decodeRecord(bytes: Buffer, address: RunAddress): PatchRecord | null {
  if (recordSize(bytes) !== bytes.length || bytes.readUInt32LE(8) !== VERSION) return null;
  const body = bytes.subarray(0, bytes.length - CHECKSUM);
  if (!checksum(body).equals(bytes.subarray(body.length))) return null;
  try {
    const record = readBody(new RecordReader(body, RECORD_HEAD));
    return isSound(record, address) ? record : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readBody(from: RecordReader): PatchRecord {
  const [arena, codeSize, dataSize, bias] = [from.u64(), from.u64(), from.u64(), from.u64()];
  const code = { start: runAddress(from.u64()), size: from.u64() };
  const consistency = from.u32() === 0 ? 'strict' : 'entry';
  const [count, jumpCount, symbolCount] = [from.u32(), from.u32(), from.u32()];
  const frames = { start: runAddress(from.u64()), size: from.u64() };
  const patchHash = from.bytes(32).toString('hex');
  const [name, targetName, buildId] = [from.text(), from.text(), from.text()];
  const functions: RecordedFunction[] = [];
  const jumps: UnwinderJump[] = [];
  const symbols: CodeSymbol[] = [];
  for (let i = 0; i < count; i++) functions.push(readFunction(from));
  for (let i = 0; i < jumpCount; i++)
    jumps.push({ at: runAddress(from.u64()), bytes: from.bytes(FAR_JUMP_SIZE), original: from.bytes(FAR_JUMP_SIZE) });
  for (let i = 0; i < symbolCount; i++) symbols.push({ start: from.u64(), size: from.u64(), name: from.text() });
  from.end();
  return {
    name,
    patchHash,
    targetName,
    buildId,
    arena: runAddress(arena),
    codeSize,
    dataSize,
    bias,
    code,
    consistency,
    functions,
    jumps,
    symbols,
    frames,
  };
}

function readFunction(from: RecordReader): RecordedFunction {
  const [entry, size, detour, body, bodySize] = [from.u64(), from.u64(), from.u64(), from.u64(), from.u64()];
  const detourBytes = from.bytes(DETOUR_SIZE);
  const originalBytes = from.bytes(DETOUR_SIZE);
  const name = from.text();
  const parts: { start: RunAddress; size: number }[] = [];
  for (let left = from.u16(); left > 0; left--) parts.push({ start: runAddress(from.u64()), size: from.u64() });
  return {
    name,
    entry: runAddress(entry),
    size,
    detour: runAddress(detour),
    detourBytes,
    originalBytes,
    body: runAddress(body),
    bodySize,
    parts,
  };
}

/** Does it say of itself that it stands here, and does all that is new lie in its arena? */
function isSound(record: PatchRecord, address: RunAddress): boolean {
  const end = record.arena + record.codeSize;
  const isInside = (start: number, size: number) => start > record.arena && start + size <= end;
  return (
    record.arena === address &&
    record.codeSize > 0 &&
    record.codeSize % PAGE === 0 &&
    NAME.test(record.name) &&
    HEX.test(record.buildId) &&
    isInside(record.code.start, record.code.size) &&
    record.functions.every((f) => isInside(f.body, f.bodySize)) &&
    record.symbols.every(({ start, size }) => isInside(start, size)) &&
    (record.frames.size === 0 || isInside(record.frames.start, record.frames.size))
  );
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM);
}
