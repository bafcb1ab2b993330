// SPDX-License-Identifier: MIT
/**
 * Pass 4, detours: the jump at each old function's entry, and the proof that the entry is what the patch expects.
 *
 * Invariant: entries are checked in the process before anything is cloned or written. Five bytes that are neither those
 * of the old file nor a carried patch's detour over them mean that somebody else has been there: a breakpoint, a probe.
 * Then nothing is done.
 */
import { loadedAt, type Patch, type ReplacedFunction, type RunAddress, runAddress } from '../planner/index.js';
import { hex, RuntimeError } from './errors.js';
import { type Mapping, mappingAt } from './proc/maps.js';
import type { LoadedObject } from './proc/object.js';
import { DETOUR_SIZE, type RecordedFunction } from './record.js';
import type { Entry, Layered } from './records.js';

const JMP_REL32 = 0xe9;
const INT3 = 0xcc;

/** jmp `to`, as it stands at `from`. */
export function detourBytes(from: RunAddress, to: RunAddress, symbol: string): Buffer {
  const distance = to - (from + DETOUR_SIZE);
  if (distance !== (distance | 0)) {
    const facts = { type: 'detour', symbol, place: hex(from), value: hex(distance), bits: 32 };
    throw new RuntimeError('RELOCATION_OVERFLOW', facts);
  }
  const bytes = Buffer.alloc(DETOUR_SIZE);
  bytes.writeUInt8(JMP_REL32);
  bytes.writeInt32LE(distance, 1);
  return bytes;
}

/** Throws unless every entry lies in the target's code, has room, and holds in each text, below what carried patches have put there, the bytes of the old file. */
export function checkEntries(
  maps: readonly Mapping[],
  target: LoadedObject,
  functions: readonly ReplacedFunction[],
  texts: readonly Layered[],
): void {
  for (const { name: symbol, old } of functions) {
    const entry = loadedAt(old.address, target.bias);
    const end = entry + Math.max(old.size, old.detourOffset + DETOUR_SIZE);
    if (entry < target.start || end > target.end)
      throw new RuntimeError('SYMBOL_OUTSIDE', { symbol, address: hex(old.address), object: target.name });
    if (old.detourOffset + DETOUR_SIZE > old.room)
      throw new RuntimeError('ENTRY_TOO_SMALL', { symbol, room: old.room, needed: old.detourOffset + DETOUR_SIZE });
    checkMapping(maps, symbol, entry);
    const detour = runAddress(entry + old.detourOffset);
    for (const text of texts) checkBytes(symbol, detour, old.bytes, text.entryAt(detour));
  }
}

function checkBytes(symbol: string, detour: RunAddress, wanted: Uint8Array, entry: Entry | null): void {
  if (entry && Buffer.compare(entry.bottom, wanted) === 0) return;
  throw new RuntimeError('ENTRY_CHANGED', {
    symbol,
    address: hex(detour),
    expected: spaced(wanted),
    found: entry ? spaced(entry.bottom) : 'nothing readable',
    reason: entry?.bottom.some((byte, i) => byte === INT3 && wanted[i] !== INT3)
      ? 'a breakpoint or a probe stands there; remove it'
      : 'the code has been changed by something else; restart the process to patch it',
  });
}

function checkMapping(maps: readonly Mapping[], symbol: string, entry: RunAddress): void {
  const mapping = mappingAt(maps, entry);
  if (mapping?.execute && mapping.private && !mapping.write) return;
  const flag = (set: boolean, letter: string) => (set ? letter : '-');
  const found = mapping
    ? flag(mapping.read, 'r') + flag(mapping.write, 'w') + flag(mapping.execute, 'x') + (mapping.private ? 'p' : 's')
    : 'nothing mapped';
  throw new RuntimeError('ENTRY_NOT_CODE', { symbol, address: hex(entry), found });
}

const spaced = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');

/** The patch's functions with their run-time addresses, detours made; `below` tells what other patch's detour each lies over. */
export function placeFunctions(
  patch: Patch,
  target: LoadedObject,
  sections: readonly number[],
  arena: RunAddress,
  below: (detour: RunAddress) => Uint8Array | undefined = () => undefined,
): RecordedFunction[] {
  return patch.functions.map(({ name, old, new: body, oldParts }) => {
    const entry = loadedAt(old.address, target.bias);
    const detour = runAddress(entry + old.detourOffset);
    const to = runAddress(arena + sections[body.section]! + body.offset);
    return {
      name,
      entry,
      size: old.size,
      detour,
      detourBytes: detourBytes(detour, to, name),
      originalBytes: below(detour) ?? old.bytes,
      body: to,
      bodySize: body.size,
      parts: oldParts.map((part) => ({ start: loadedAt(part.address, target.bias), size: part.size })),
    };
  });
}
