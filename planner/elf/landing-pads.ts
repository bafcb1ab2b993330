// SPDX-License-Identifier: MIT
/**
 * Language-specific data as gcc and clang emit it for C, C++ and their like (.gcc_except_table): which calls of a function have a
 * landing pad, and which types it catches. Facts: the Itanium C++ ABI for exception handling, and the headers' encodings.
 *
 * Landing pads count from the function's start and so survive its move as a whole; the types are pointers, and do not.
 */
import { cursorOf, type Encoded, readEncoded, widthOf } from './encoded.js';

export interface LandingPads {
  /** Bytes from the header to the end of the type table and what follows it. */
  readonly size: number;
  /** Where landing pads count from, if not from the function's start; with its offset in the data. */
  readonly base: (Encoded & { readonly at: number }) | null;
  /** Catch-alls, whose pointer is zero, are left out. */
  readonly types: readonly (Encoded & { readonly at: number })[];
  /** There is at least one landing pad. */
  readonly any: boolean;
}

const OMIT = 0xff;
/** Steps through actions and type lists; the longest chains that compilers make have a few dozen. */
const MOST_STEPS = 1 << 16;

/** The data that starts `bytes`, which lie at link-time `address`; null if it is not of the known form. */
export function readLandingPads(bytes: Uint8Array, address: number): LandingPads | null {
  const cursor = cursorOf(bytes, address, 0);
  const baseEncoding = cursor.byte();
  let base: LandingPads['base'] = null;
  if (baseEncoding !== OMIT) {
    const at = cursor.at;
    const found = readEncoded(cursor, baseEncoding);
    if (found === null) return null;
    base = { ...found, at };
  }
  const typeEncoding = cursor.byte();
  const typeBase = typeEncoding === OMIT ? null : cursor.leb() + cursor.at;
  const callEncoding = cursor.byte();
  const callsEnd = cursor.leb() + cursor.at;
  if (callsEnd > bytes.length || (typeBase !== null && (typeBase < callsEnd || typeBase > bytes.length))) return null;

  const number = (): number | null =>
    callEncoding === 0x01 ? cursor.leb() : (readEncoded(cursor, callEncoding)?.raw ?? null);
  const actions = new Set<number>();
  let any = false;
  while (cursor.at < callsEnd) {
    const [start, length, pad] = [number(), number(), number()];
    const action = cursor.leb();
    if (start === null || length === null || pad === null) return null;
    if (pad !== 0) any = true;
    if (action !== 0) actions.add(callsEnd + action - 1);
  }

  // each action leads to the next: a positive filter is a type, a negative one a list of types behind the table
  let steps = 0;
  let last = 0;
  let end = Math.max(callsEnd, typeBase ?? 0);
  for (const first of actions) {
    for (let at = first; at >= callsEnd && at < bytes.length; ) {
      if (++steps > MOST_STEPS) return null;
      cursor.at = at;
      const filter = cursor.signedLeb();
      const link = cursor.at;
      const next = cursor.signedLeb();
      end = Math.max(end, cursor.at);
      if (filter > 0) last = Math.max(last, filter);
      if (filter < 0 && typeBase !== null) {
        cursor.at = typeBase - filter - 1;
        for (let type = cursor.leb(); type !== 0 && cursor.at < bytes.length; type = cursor.leb()) {
          if (++steps > MOST_STEPS) return null;
          last = Math.max(last, type);
        }
        end = Math.max(end, cursor.at);
      }
      if (next === 0) break;
      at = link + next;
    }
  }
  if (end > bytes.length) return null;
  const types: (Encoded & { at: number })[] = [];
  if (last > 0) {
    const width = widthOf(typeEncoding);
    if (typeBase === null || width === null || typeBase - last * width < callsEnd) return null;
    for (let i = 1; i <= last; i++) {
      cursor.at = typeBase - i * width;
      const at = cursor.at;
      const found = readEncoded(cursor, typeEncoding);
      if (found === null) return null;
      if (found.raw !== 0) types.push({ ...found, at });
    }
  }
  return { size: end, base, types: types.reverse(), any };
}
