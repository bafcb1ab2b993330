// SPDX-License-Identifier: MIT
/**
 * Writes a patch as an ELF object (format.ts). The same patch gives the same bytes, and what is written is what the
 * reader takes: nothing that would be refused later is handed out.
 */
import { createHash } from 'node:crypto';
import { PatchFileError } from './error.js';
import {
  BIND,
  EHDR,
  EM_X86_64,
  ET_REL,
  KINDS,
  NOTE,
  NOTE_OWNER,
  NOTE_SECTION,
  PLAN_SECTION,
  RELA,
  SHDR,
  SHF,
  SHN_ABS,
  SHN_LORESERVE,
  SHT,
  SYM,
} from './format.js';
import type { Patch, PatchSymbol } from './model.js';
import { encodePlan } from './plan-section.js';
import { readPatch } from './read.js';

interface OutSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly bytes: Uint8Array;
  /** In memory; differs from the bytes for NOBITS. */
  readonly size: number;
  link: number;
  info: number;
  readonly entrySize: number;
}

/** The bytes of `NAME.drift`; throws PatchFileError for a patch that `readPatch` would not take back. */
export function writePatch(patch: Patch): Uint8Array {
  const file = encodePatch(patch);
  readPatch(file);
  return file;
}

/** The bytes alone, believing that the patch is in order. */
export function encodePatch(patch: Patch): Uint8Array {
  const sections: OutSection[] = [
    { name: '', type: 0, flags: 0, align: 0, bytes: new Uint8Array(0), size: 0, link: 0, info: 0, entrySize: 0 },
  ];
  const add = (name: string, type: number, bytes: Uint8Array, more: Partial<OutSection> = {}): number =>
    sections.push({
      name,
      type,
      flags: 0,
      align: 1,
      bytes,
      size: bytes.length,
      link: 0,
      info: 0,
      entrySize: 0,
      ...more,
    }) - 1;

  for (const { name, kind, align, size, bytes } of patch.sections)
    add(name, KINDS[kind].type, bytes, { flags: KINDS[kind].flags, align, size });
  const order = symbolOrder(patch.symbols);
  const relocated = relocationTables(patch, order);
  const strings = new StringTable();
  const symbols = symbolTable(patch, order, strings);
  const symtab = sections.length + relocated.length;
  for (const { section, bytes } of relocated)
    add(`.rela${patch.sections[section]!.name}`, SHT.rela, bytes, {
      flags: SHF.infoLink,
      align: 8,
      link: symtab,
      info: section + 1,
      entrySize: RELA,
    });
  add('.symtab', SHT.symtab, symbols.bytes, { align: 8, link: symtab + 1, info: symbols.firstGlobal, entrySize: SYM });
  add('.strtab', SHT.strtab, strings.bytes());
  add(PLAN_SECTION, SHT.progbits, encodePlan(patch));
  const note = noteSection(patch);
  const noteIndex = add(NOTE_SECTION, SHT.note, note.bytes, { align: 4 });
  const names = new StringTable();
  for (const { name } of sections) names.add(name);
  names.add('.shstrtab');
  const namesIndex = add('.shstrtab', SHT.strtab, names.bytes());
  if (sections.length >= SHN_LORESERVE)
    throw new PatchFileError('TOO_LARGE', 'sections', `fewer than ${SHN_LORESERVE}`, `${sections.length}`);

  const { file, offsets } = layOut(sections, names, namesIndex);
  const hash = createHash('sha256').update(file).digest();
  file.set(hash, offsets[noteIndex]! + note.hashAt);
  return file;
}

function layOut(sections: readonly OutSection[], names: StringTable, namesIndex: number) {
  let at = EHDR;
  const offsets = sections.map(({ type, align, bytes }) => {
    at = Math.ceil(at / Math.max(1, align)) * Math.max(1, align);
    const offset = type === 0 ? 0 : at;
    at += bytes.length;
    return offset;
  });
  const headers = Math.ceil(at / 8) * 8;
  const file = new Uint8Array(headers + sections.length * SHDR);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, ET_REL, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(headers), true);
  view.setUint16(52, EHDR, true);
  view.setUint16(58, SHDR, true);
  view.setUint16(60, sections.length, true);
  view.setUint16(62, namesIndex, true);
  sections.forEach((section, i) => {
    file.set(section.bytes, offsets[i]!);
    const header = headers + i * SHDR;
    view.setUint32(header, names.add(section.name), true);
    view.setUint32(header + 4, section.type, true);
    view.setBigUint64(header + 8, BigInt(section.flags), true);
    view.setBigUint64(header + 24, BigInt(offsets[i]!), true);
    view.setBigUint64(header + 32, BigInt(section.size), true);
    view.setUint32(header + 40, section.link, true);
    view.setUint32(header + 44, section.info, true);
    view.setBigUint64(header + 48, BigInt(section.align), true);
    view.setBigUint64(header + 56, BigInt(section.entrySize), true);
  });
  return { file, offsets };
}

/** ELF wants local symbols first: imports, the only global ones, go last. */
function symbolOrder(symbols: readonly PatchSymbol[]): {
  readonly order: number[];
  readonly position: Map<number, number>;
} {
  const local = (i: number) => symbols[i]!.binding.kind !== 'import';
  const all = symbols.map((_, i) => i);
  const order = [...all.filter(local), ...all.filter((i) => !local(i))];
  return { order, position: new Map(order.map((symbol, i) => [symbol, i + 1])) };
}

function symbolTable(patch: Patch, { order }: { order: number[] }, strings: StringTable) {
  const bytes = new Uint8Array((order.length + 1) * SYM);
  const view = new DataView(bytes.buffer);
  let firstGlobal = 1;
  order.forEach((index, i) => {
    const { name, binding } = patch.symbols[index]!;
    const at = (i + 1) * SYM;
    const isImport = binding.kind === 'import';
    if (!isImport) firstGlobal = i + 2;
    view.setUint32(at, strings.add(isImport && binding.version !== null ? `${name}@${binding.version}` : name), true);
    if (binding.kind === 'patch') {
      const { kind, size } = patch.sections[binding.section]!;
      view.setUint8(at + 4, kind === 'code' ? 2 : 1);
      view.setUint16(at + 6, binding.section + 1, true);
      view.setBigUint64(at + 8, BigInt(binding.offset), true);
      view.setBigUint64(at + 16, BigInt(size - binding.offset), true);
    } else if (binding.kind === 'target') {
      view.setUint16(at + 6, SHN_ABS, true);
      view.setBigUint64(at + 8, BigInt(binding.address), true);
    } else view.setUint8(at + 4, binding.weak ? BIND.weak : BIND.global);
  });
  return { bytes, firstGlobal };
}

function relocationTables(patch: Patch, { position }: { position: Map<number, number> }) {
  const bySection = new Map<number, Patch['relocations'][number][]>();
  for (const relocation of patch.relocations) {
    const list = bySection.get(relocation.section);
    if (list) list.push(relocation);
    else bySection.set(relocation.section, [relocation]);
  }
  return [...bySection.keys()]
    .sort((a, b) => a - b)
    .map((section) => {
      const list = bySection.get(section)!.sort((a, b) => a.offset - b.offset);
      const bytes = new Uint8Array(list.length * RELA);
      const view = new DataView(bytes.buffer);
      list.forEach(({ offset, type, symbol, addend }, i) => {
        view.setBigUint64(i * RELA, BigInt(offset), true);
        view.setUint32(i * RELA + 8, type, true);
        view.setUint32(i * RELA + 12, position.get(symbol)!, true);
        view.setBigInt64(i * RELA + 16, BigInt(addend), true);
      });
      return { section, bytes };
    });
}

/** Three notes; the hash comes last and is zero until the file is complete. */
function noteSection(patch: Patch): { readonly bytes: Uint8Array; readonly hashAt: number } {
  const schema = new Uint8Array(4);
  new DataView(schema.buffer).setUint32(0, patch.schema, true);
  const notes = [
    [NOTE.schema, schema],
    [NOTE.buildId, Uint8Array.from(Buffer.from(patch.target.buildId, 'hex'))],
    [NOTE.sha256, new Uint8Array(32)],
  ] as const;
  const owner = Buffer.from(`${NOTE_OWNER}\0`);
  const pad = (size: number) => (size + 3) & ~3;
  const chunks = notes.map(([type, description]) => {
    const chunk = new Uint8Array(12 + pad(owner.length) + pad(description.length));
    const view = new DataView(chunk.buffer);
    view.setUint32(0, owner.length, true);
    view.setUint32(4, description.length, true);
    view.setUint32(8, type, true);
    chunk.set(owner, 12);
    chunk.set(description, 12 + pad(owner.length));
    return chunk;
  });
  const bytes = Uint8Array.from(Buffer.concat(chunks));
  return { bytes, hashAt: bytes.length - 32 };
}

class StringTable {
  readonly #chunks: Buffer[] = [Buffer.from([0])];
  readonly #known = new Map<string, number>([['', 0]]);
  #size = 1;

  add(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const chunk = Buffer.from(`${text}\0`);
    const at = this.#size;
    this.#chunks.push(chunk);
    this.#known.set(text, at);
    this.#size += chunk.length;
    return at;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#chunks));
  }
}
