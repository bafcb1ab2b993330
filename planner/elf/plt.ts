// SPDX-License-Identifier: MIT
/**
 * What a PLT stub calls. A stub is a jump through a GOT slot (`ff 25 disp32`), with or without endbr64 and bnd in front; the
 * slot's relocation names the import. So .plt, .plt.got, .plt.sec and lld's .iplt are read alike, whatever the size of their entries.
 */
import { isCode, type Section } from './sections.js';
import { viewOf } from './symbols.js';

/** Address of the stub → address of its GOT slot. */
export function readStubs(sections: readonly Section[]): Map<number, number> {
  const stubs = new Map<number, number>();
  for (const section of sections) {
    if (!/^\.(iplt|plt(\.got|\.sec|\.bnd)?)$/.test(section.name) || !isCode(section)) continue;
    const step = section.entrySize >= 8 ? section.entrySize : 16;
    const view = viewOf(section.bytes);
    for (let at = 0; at + Math.min(step, 8) <= section.bytes.length; at += step) {
      const jump = jumpAt(section.bytes, at, Math.min(at + step, section.bytes.length));
      if (jump !== null) stubs.set(section.address + at, section.address + jump + 6 + view.getInt32(jump + 2, true));
    }
  }
  return stubs;
}

/** Offset of the stub's `jmp *slot(%rip)`; null for the PLT's header, which pushes first. */
function jumpAt(bytes: Uint8Array, at: number, end: number): number | null {
  let p = at;
  if (bytes[p] === 0xf3 && bytes[p + 1] === 0x0f && bytes[p + 2] === 0x1e && bytes[p + 3] === 0xfa) p += 4;
  if (bytes[p] === 0xf2) p += 1;
  return p + 6 <= end && bytes[p] === 0xff && bytes[p + 1] === 0x25 ? p : null;
}
