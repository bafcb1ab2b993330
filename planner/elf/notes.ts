// SPDX-License-Identifier: MIT
/** Note sections: the build id, which says what file a process really has mapped. */
import type { Section } from './sections.js';
import { viewOf } from './symbols.js';

const SHT_NOTE = 7;
const NT_GNU_BUILD_ID = 3;

/** NT_GNU_BUILD_ID in lower-case hex, or null. */
export function buildIdOf(sections: readonly Section[]): string | null {
  for (const section of sections) {
    if (section.type !== SHT_NOTE) continue;
    const { bytes } = section;
    const view = viewOf(bytes);
    for (let at = 0; at + 12 <= bytes.length; ) {
      const nameSize = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      const name = at + 12;
      const description = name + ((nameSize + 3) & ~3);
      const end = description + size;
      if (nameSize > bytes.length || size > bytes.length || end > bytes.length) break;
      const gnu = nameSize === 4 && Buffer.from(bytes.subarray(name, name + 4)).toString('latin1') === 'GNU\0';
      if (gnu && view.getUint32(at + 8, true) === NT_GNU_BUILD_ID && size > 0 && size <= 64)
        return Buffer.from(bytes.subarray(description, end)).toString('hex');
      at = description + ((size + 3) & ~3);
    }
  }
  return null;
}
