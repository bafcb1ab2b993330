// SPDX-License-Identifier: MIT
// What a load asks of a server: requests whose answers are known in advance to the last byte. A source of requests belongs to
// one connection, and the same connection asks the same each time.

export interface Request {
  readonly bytes: Buffer;
  readonly expected: Buffer;
  /** Bytes of the answer that may be anything, from and up to: a date. */
  readonly free?: readonly [number, number];
}

export interface Requests {
  next(): Request;
}

/** Is this the answer, or its beginning, or something else? */
export function judge({ expected, free }: Request, found: Buffer): 'whole' | 'part' | 'wrong' {
  const same = (from: number, to: number) =>
    from >= found.length ||
    found.compare(expected, from, Math.min(to, found.length), from, Math.min(to, found.length)) === 0;
  if (found.length > expected.length) return 'wrong';
  const [from, to] = free ?? [expected.length, expected.length];
  if (!same(0, from) || !same(to, expected.length)) return 'wrong';
  return found.length === expected.length ? 'whole' : 'part';
}

/** Numbers from 0 up to 1, the same for the same seed: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  };
}
