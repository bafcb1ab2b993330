// SPDX-License-Identifier: MIT
/** ELF files as no linker would make them: shared objects of given sections, for tests of what is done with bad input. */

export interface SectionParts {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly address?: number;
  readonly link?: number;
  readonly info?: number;
  readonly entrySize?: number;
  readonly bytes?: Uint8Array;
  /** Instead of bytes of its own: those of this section, by index. */
  readonly like?: number;
}

export interface ElfParts {
  /** The first one gets index 1; a build id and the name table are put behind them. */
  readonly sections: readonly SectionParts[];
  /** The name table, if names are not to be looked up in one that is made. */
  readonly names?: Uint8Array;
}

export interface SymbolParts {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly type: number;
  readonly bind: number;
  readonly section: number;
}

const BUILD_ID = Buffer.from('040000000400000003000000474e5500deadbeef', 'hex');

export function elfOf({ sections, names }: ElfParts): Uint8Array {
  const all: SectionParts[] = [
    { name: '', type: 0 },
    ...sections,
    { name: '.note.gnu.build-id', type: 7, flags: 2, address: 0x200, bytes: BUILD_ID },
  ];
  const text = new Map<string, number>([['', 0]]);
  let size = 1;
  for (const { name } of [...all, { name: '.shstrtab' }])
    if (!text.has(name)) {
      text.set(name, size);
      size += name.length + 1;
    }
  const table = names ?? Buffer.from([...text.keys()].map((name) => `${name}\0`).join(''), 'latin1');
  all.push({ name: '.shstrtab', type: 3, bytes: table });
  const offsets: number[] = [];
  let at = 64;
  for (const { bytes, like } of all) {
    offsets.push(like === undefined ? at : offsets[like]!);
    if (like === undefined) at += Math.ceil((bytes?.length ?? 0) / 16) * 16;
  }
  const file = new Uint8Array(at + all.length * 64);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(at), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, all.length, true);
  view.setUint16(62, all.length - 1, true);
  all.forEach((section, i) => {
    const { name, type, flags = 0, address = 0, link = 0, info = 0, entrySize = 0, like } = section;
    const bytes = like === undefined ? section.bytes : all[like]!.bytes;
    if (section.bytes) file.set(section.bytes, offsets[i]!);
    const header = at + i * 64;
    view.setUint32(header, names === undefined ? text.get(name)! : 0, true);
    view.setUint32(header + 4, type, true);
    view.setBigUint64(header + 8, BigInt(flags), true);
    view.setBigUint64(header + 16, BigInt(address), true);
    view.setBigUint64(header + 24, BigInt(offsets[i]!), true);
    view.setBigUint64(header + 32, BigInt(bytes?.length ?? 0), true);
    view.setUint32(header + 40, link, true);
    view.setUint32(header + 44, info, true);
    view.setBigUint64(header + 48, 1n, true);
    view.setBigUint64(header + 56, BigInt(entrySize), true);
  });
  return file;
}

/** .symtab, to be put at `index`, and .strtab behind it. `nameAt`: every name is there, whatever it is. */
export function symbolTable(index: number, symbols: readonly SymbolParts[], nameAt?: number): SectionParts[] {
  const bytes = new Uint8Array((symbols.length + 1) * 24);
  const view = new DataView(bytes.buffer);
  const strings = new Map<string, number>([['', 0]]);
  let size = 1;
  symbols.forEach(({ name, value, size: extent, type, bind, section }, i) => {
    const at = (i + 1) * 24;
    if (!strings.has(name)) {
      strings.set(name, size);
      size += name.length + 1;
    }
    view.setUint32(at, nameAt ?? strings.get(name)!, true);
    bytes[at + 4] = (bind << 4) | type;
    view.setUint16(at + 6, section, true);
    view.setBigUint64(at + 8, BigInt(value), true);
    view.setBigUint64(at + 16, BigInt(extent), true);
  });
  const text = Buffer.from([...strings.keys()].map((name) => `${name}\0`).join(''), 'latin1');
  return [
    { name: '.symtab', type: 2, link: index + 1, entrySize: 24, bytes },
    { name: '.strtab', type: 3, bytes: text },
  ];
}
