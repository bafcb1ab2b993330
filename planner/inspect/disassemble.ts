// SPDX-License-Identifier: MIT
/**
 * Code as lines of assembly, as the GNU tools write it, with names for what is referred to and offsets for branches within. The
 * only importer of iced-x86; it is loaded when it is asked for, because that takes longer than anything else here.
 */
import { createRequire } from 'node:module';
import type { Decoder, Formatter, Instruction } from 'iced-x86';
import type { Code } from './pieces.js';

export interface Line {
  readonly offset: number;
  readonly text: string;
  /** Equal for instructions that do the same, wherever they are and wherever their branches within lead. */
  readonly key: string;
  /** Offset that a branch within the code leads to, or null. */
  readonly target: number | null;
}

const MNEMONIC = 7;

export function disassemble(code: Code): Line[] {
  const iced = createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86');
  const decoder = new iced.Decoder(64, code.bytes, iced.DecoderOptions.None);
  const formatter = new iced.Formatter(iced.FormatterSyntax.Gas);
  const instruction = new iced.Instruction();
  try {
    formatter.ripRelativeAddresses = true;
    formatter.branchLeadingZeros = false;
    formatter.uppercaseHex = false;
    formatter.smallHexNumbersInDecimal = false;
    return lines(code, decoder, formatter, instruction, (one) => iced.OpKind.NearBranch64 === one.op0Kind);
  } finally {
    for (const owned of [instruction, formatter, decoder]) owned.free();
  }
}

function lines(
  { bytes, names }: Code,
  decoder: Decoder,
  formatter: Formatter,
  instruction: Instruction,
  isBranch: (instruction: Instruction) => boolean,
): Line[] {
  const found: Line[] = [];
  while (decoder.canDecode) {
    const offset = decoder.position;
    decoder.decodeOut(instruction);
    if (instruction.isInvalid) {
      const text = `${'.byte'.padEnd(MNEMONIC)} 0x${bytes[offset]!.toString(16)}`;
      found.push({ offset, text, key: text, target: null });
      decoder.position = offset + 1;
      continue;
    }
    const name = nameWithin(names, offset, instruction.length);
    const mnemonic = formatter.formatMnemonic(instruction);
    const branch = isBranch(instruction);
    const to = branch ? Number(BigInt.asIntN(64, instruction.nearBranchTarget)) : 0;
    const target = branch && name === null && to >= 0 && to <= bytes.length ? to : null;
    const operands = operandsOf(formatter.formatAllOperands(instruction), branch, name, target);
    const text = operands === '' ? mnemonic : `${mnemonic.padEnd(MNEMONIC)} ${operands}`;
    // what pads is the same however long it is
    const key =
      target !== null || mnemonic.startsWith('nop') ? mnemonic.slice(0, target === null ? 3 : undefined) : text;
    found.push({ offset, text, key, target });
  }
  return found;
}

/** The name at a field of the instruction, or at its start. */
function nameWithin(names: ReadonlyMap<number, string>, offset: number, length: number): string | null {
  for (let at = offset; at < offset + length; at++) {
    const name = names.get(at);
    if (name !== undefined) return name;
  }
  return null;
}

function operandsOf(operands: string, branch: boolean, name: string | null, target: number | null): string {
  if (target !== null) return `+0x${target.toString(16)}`;
  if (name === null) return operands;
  if (branch) return name;
  const inPlace = operands.replace(/-?(?:0x[0-9a-f]+|\d+)?\(%rip\)/, () => `${name}(%rip)`);
  return inPlace === operands ? `${operands}  # ${name}` : inPlace;
}
