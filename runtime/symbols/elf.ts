// SPDX-License-Identifier: MIT
/**
 * New code as a debugger wants to hear of it: an ELF file with symbols and frame descriptions at their run-time addresses, and
 * no code, which the debugger reads from the process or its core dump.
 *
 *     null  .text (no bits)  .eh_frame  .symtab  .strtab  .shstrtab
 *
 * Layout: System V ABI, chapter 4, for ET_EXEC. Read by gdb's add-symbol-file.
 */
import type { CodeSymbol } from './code-symbols.js';

export interface DescribedCode {
  readonly symbols: readonly CodeSymbol[];
  /** The .eh_frame section as it stands in the process, relocated. */
  readonly frames: { readonly start: number; readonly bytes: Uint8Array } | null;
}

const EHDR = 64;
const SHDR = 64;
const SYM = 24;
const SHT = { null: 0, progbits: 1, symtab: 2, strtab: 3, nobits: 8 } as const;
const ALLOC = 2;
const EXEC = 4;
const FUNC = 2;
const TEXT = 1;

interface OutSection {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly address?: number;
  readonly bytes?: Uint8Array;
  /** Of one without bytes. */
  readonly size?: number;
  readonly link?: number;
  readonly info?: number;
  readonly entrySize?: number;
  readonly align: number;
}

export function symbolFile({ symbols, frames }: DescribedCode): Buffer {
  const start = Math.min(...symbols.map((symbol) => symbol.start));
  const end = Math.max(...symbols.map((symbol) => symbol.start + symbol.size));
  const { table, strings } = symbolTable(symbols);
  const described: OutSection[] = frames
    ? [{ name: '.eh_frame', type: SHT.progbits, flags: ALLOC, address: frames.start, bytes: frames.bytes, align: 8 }]
    : [];
  const sections: OutSection[] = [
    { name: '', type: SHT.null, align: 0 },
    { name: '.text', type: SHT.nobits, flags: ALLOC | EXEC, address: start, size: end - start, align: 16 },
    ...described,
    { name: '.symtab', type: SHT.symtab, bytes: table, link: 3 + described.length, info: 1, entrySize: SYM, align: 8 },
    { name: '.strtab', type: SHT.strtab, bytes: strings, align: 1 },
  ];
  const names = joined([...sections.map(({ name }) => name), '.shstrtab']);
  sections.push({ name: '.shstrtab', type: SHT.strtab, bytes: names.bytes, align: 1 });
  return file(sections, names.at);
}

function symbolTable(symbols: readonly CodeSymbol[]) {
  const strings = joined(['', ...symbols.map(({ name }) => name)]);
  const table = Buffer.alloc((symbols.length + 1) * SYM);
  symbols.forEach(({ start, size }, i) => {
    const at = (i + 1) * SYM;
    table.writeUInt32LE(strings.at[i + 1]!, at);
    table.writeUInt8((1 << 4) | FUNC, at + 4);
    table.writeUInt16LE(TEXT, at + 6);
    table.writeBigUInt64LE(BigInt(start), at + 8);
    table.writeBigUInt64LE(BigInt(size), at + 16);
  });
  return { table, strings: strings.bytes };
}

/** Texts ended by zeros, and where each begins. */
function joined(texts: readonly string[]): { readonly bytes: Buffer; readonly at: readonly number[] } {
  let end = 0;
  const at = texts.map((text) => {
    const here = end;
    end += Buffer.byteLength(text) + 1;
    return here;
  });
  return { bytes: Buffer.from(texts.map((text) => `${text}\0`).join('')), at };
}

function file(sections: readonly OutSection[], names: readonly number[]): Buffer {
  let end = EHDR;
  const offsets = sections.map(({ bytes, align }) => {
    end = Math.ceil(end / Math.max(align, 1)) * Math.max(align, 1);
    const here = end;
    end += bytes?.length ?? 0;
    return here;
  });
  const headers = Math.ceil(end / 8) * 8;
  const out = Buffer.alloc(headers + sections.length * SHDR);
  writeHeader(out, headers, sections.length);
  sections.forEach((section, i) => {
    const { type, flags = 0, address = 0, bytes, size, link = 0, info = 0, entrySize = 0, align } = section;
    const at = headers + i * SHDR;
    if (bytes) out.set(bytes, offsets[i]!);
    out.writeUInt32LE(names[i]!, at);
    out.writeUInt32LE(type, at + 4);
    out.writeBigUInt64LE(BigInt(flags), at + 8);
    out.writeBigUInt64LE(BigInt(address), at + 16);
    out.writeBigUInt64LE(BigInt(type === SHT.null ? 0 : offsets[i]!), at + 24);
    out.writeBigUInt64LE(BigInt(size ?? bytes?.length ?? 0), at + 32);
    out.writeUInt32LE(link, at + 40);
    out.writeUInt32LE(info, at + 44);
    out.writeBigUInt64LE(BigInt(align), at + 48);
    out.writeBigUInt64LE(BigInt(entrySize), at + 56);
  });
  return out;
}

function writeHeader(out: Buffer, headers: number, count: number): void {
  const ET_EXEC = 2;
  const EM_X86_64 = 62;
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  out.writeUInt16LE(ET_EXEC, 16);
  out.writeUInt16LE(EM_X86_64, 18);
  out.writeUInt32LE(1, 20);
  out.writeBigUInt64LE(BigInt(headers), 40);
  out.writeUInt16LE(EHDR, 52);
  out.writeUInt16LE(SHDR, 58);
  out.writeUInt16LE(count, 60);
  out.writeUInt16LE(count - 1, 62);
}
