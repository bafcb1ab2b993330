// SPDX-License-Identifier: MIT
/**
 * Pass 3, link: the bytes of both parts of the arena, relocated for their final addresses.
 *
 * Invariant: a value is written only if reading it back gives the same value: an overflow is an error, never a
 * truncation. A relocation type that is not in the table is refused by its name. Nothing is written to any process here.
 */
import type { Patch, PatchRelocation, RunAddress } from '../../planner/index.js';
import { hex, RuntimeError } from '../errors.js';
import { type Layout, STUB_SIZE } from './layout.js';
import { RELOCATIONS, relocationName } from './relocations.js';

export interface Linked {
  /** The code part; the record's place, at its start, is still zero. */
  readonly code: Buffer;
  readonly data: Buffer;
}

/** `symbolAt[i]` is the run-time address of symbol i, or null for symbols that lie in the patch. */
export function link(
  patch: Patch,
  layout: Layout,
  arena: RunAddress,
  symbolAt: readonly (RunAddress | null)[],
): Linked {
  const image = Buffer.alloc(layout.codeSize + layout.dataSize);
  for (const [index, section] of patch.sections.entries()) {
    if (section.kind !== 'bss') image.set(section.bytes, layout.sections[index]);
  }

  const addressOf = (index: number): number => {
    const { binding } = patch.symbols[index]!;
    if (binding.kind === 'patch') return arena + layout.sections[binding.section]! + binding.offset;
    const address = symbolAt[index];
    if (address == null) throw new Error(`symbol ${index} has not been resolved`);
    return address;
  };

  for (const [symbol, slot] of layout.slots) image.writeBigUInt64LE(BigInt(addressOf(symbol)), slot);
  for (const [symbol, stub] of layout.stubs) writeStub(image, stub, layout.slots.get(symbol)!);
  for (const relocation of patch.relocations) relocate(image, patch, layout, arena, relocation, addressOf);

  return { code: image.subarray(0, layout.codeSize), data: image.subarray(layout.codeSize) };
}

/** jmp *slot(%rip), then int3 up to the next stub. */
function writeStub(image: Buffer, stub: number, slot: number): void {
  image.fill(0xcc, stub, stub + STUB_SIZE);
  image.writeUInt16BE(0xff25, stub);
  image.writeInt32LE(slot - (stub + 6), stub + 2);
}

function relocate(
  image: Buffer,
  patch: Patch,
  layout: Layout,
  arena: number,
  relocation: PatchRelocation,
  addressOf: (symbol: number) => number,
): void {
  const section = patch.sections[relocation.section]!;
  const facts = {
    type: relocationName(relocation.type),
    symbol: patch.symbols[relocation.symbol]!.name || `number ${relocation.symbol}`,
    place: `${section.name}+${hex(relocation.offset)}`,
  };
  const how = RELOCATIONS.get(relocation.type);
  if (!how) throw new RuntimeError('RELOCATION_UNKNOWN', facts);
  const outside = relocation.offset < 0 || relocation.offset + how.bits / 8 > section.size || section.kind === 'bss';
  if (outside) throw new RuntimeError('RELOCATION_OUTSIDE', { ...facts, size: section.size });

  const at = layout.sections[relocation.section]! + relocation.offset;
  const stub = layout.stubs.get(relocation.symbol);
  let base: number;
  if (how.via === 'slot') base = arena + layout.slots.get(relocation.symbol)!;
  else if (how.via === 'stub' && stub !== undefined) base = arena + stub;
  else base = addressOf(relocation.symbol);

  const value = BigInt(base) + BigInt(relocation.addend) - (how.relative ? BigInt(arena + at) : 0n);
  const kept = how.sign === 'signed' ? BigInt.asIntN(how.bits, value) : BigInt.asUintN(how.bits, value);
  if (kept !== value) throw new RuntimeError('RELOCATION_OVERFLOW', { ...facts, value: hex(value), bits: how.bits });
  write(image, at, how.bits, value);
}

function write(image: Buffer, at: number, bits: number, value: bigint): void {
  if (bits === 64) image.writeBigUInt64LE(BigInt.asUintN(64, value), at);
  else if (bits === 32) image.writeUInt32LE(Number(BigInt.asUintN(32, value)), at);
  else if (bits === 16) image.writeUInt16LE(Number(BigInt.asUintN(16, value)), at);
  else image.writeUInt8(Number(BigInt.asUintN(8, value)), at);
}
