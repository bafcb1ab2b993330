// SPDX-License-Identifier: MIT
/**
 * .eh_frame, as far as one question goes: which functions have landing pads. Every frame description whose common part
 * says L in its augmentation carries a pointer to a language-specific data area; a pointer of zero is none.
 */
import type { ElfImage } from './image.js';
import { stringAt, viewOf } from './symbols.js';

interface Common {
  readonly landingPads: boolean;
  readonly padEncoding: number;
  readonly addressEncoding: number;
}

/** Start addresses. Entries that are not understood are passed over: they describe no code of gcc's or clang's. */
export function functionsWithLandingPads(image: ElfImage): Set<number> {
  const found = new Set<number>();
  const section = image.sections.find(({ name }) => name === '.eh_frame');
  if (!section || section.bytes.length < 8) return found;
  const { bytes } = section;
  const view = viewOf(bytes);
  const commons = new Map<number, Common | null>();
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at, true);
    const end = at + 4 + length;
    if (length === 0 || length >= 0xfffffff0 || end > bytes.length) break;
    const id = view.getUint32(at + 4, true);
    if (id !== 0 && length >= 17) {
      const start = at + 4 - id;
      if (!commons.has(start)) commons.set(start, readCommon(bytes, start));
      const common = commons.get(start);
      // pcrel, four bytes signed: what compilers emit for x86-64
      if (common?.landingPads && common.addressEncoding === 0x1b) {
        const address = section.address + at + 8 + view.getInt32(at + 8, true);
        const padSize = (common.padEncoding & 7) === 3 ? 4 : 8;
        const pointer = at + 17;
        const none = bytes.subarray(pointer, Math.min(end, pointer + padSize)).every((byte) => byte === 0);
        if (!none) found.add(address);
      }
    }
    at = end;
  }
  return found;
}

function readCommon(bytes: Uint8Array, at: number): Common | null {
  if (at < 0 || at + 12 > bytes.length || viewOf(bytes).getUint32(at + 4, true) !== 0) return null;
  const augmentation = stringAt(bytes, at + 9);
  if (!augmentation.startsWith('z')) return { landingPads: false, padEncoding: 0, addressEncoding: 0 };
  let p = at + 9 + augmentation.length + 1;
  const skip = () => {
    while (p < bytes.length && bytes[p]! & 0x80) p++;
    p++;
  };
  for (let i = 0; i < 4; i++) skip(); // code and data alignment, return register, length of the augmentation
  let padEncoding = 0;
  let addressEncoding = 0;
  for (const letter of augmentation.slice(1)) {
    if (letter === 'L') padEncoding = bytes[p++] ?? 0;
    else if (letter === 'R') addressEncoding = bytes[p++] ?? 0;
    else if (letter === 'P') p += 1 + ((bytes[p]! & 7) === 3 ? 4 : 8);
  }
  return { landingPads: augmentation.includes('L'), padEncoding, addressEncoding };
}
