// SPDX-License-Identifier: MIT
/** Sorting by whole numbers, for hundreds of thousands of them: no comparison is a call. */

const BITS = 11;
const BUCKETS = 1 << BITS;

/** Indices of `keys` in order; equal keys stay in order. Keys are whole, not negative and safe. */
export function orderOf(keys: Float64Array): Uint32Array {
  const count = keys.length;
  // what comes from a linker is often one long run in order, and then the rest
  let run = Math.min(1, count);
  while (run < count && keys[run]! >= keys[run - 1]!) run++;
  const rest = new Uint32Array(count - run);
  for (let i = 0; i < rest.length; i++) rest[i] = run + i;
  const sorted = sort(rest, keys);
  const order = new Uint32Array(count);
  let [a, b] = [0, 0];
  for (let to = 0; to < count; to++)
    order[to] = b >= sorted.length || (a < run && keys[a]! <= keys[sorted[b]!]!) ? a++ : sorted[b++]!;
  return order;
}

/** The keys themselves in the order that `orderOf` gave. */
export function inOrder(keys: Float64Array, order: Uint32Array): Float64Array {
  const sorted = new Float64Array(order.length);
  for (let i = 0; i < order.length; i++) sorted[i] = keys[order[i]!]!;
  return sorted;
}

/** How many of the ascending `keys` are below `key`. */
export function countBelow(keys: Float64Array, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! >= key) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** `indices`, ascending, in order of their keys. */
function sort(indices: Uint32Array, keys: Float64Array): Uint32Array {
  const count = indices.length;
  const words = new Uint32Array(count);
  let most = 0;
  for (let i = 0; i < count; i++) {
    const key = keys[indices[i]!]!;
    if (key > most) most = key;
    words[i] = key;
  }
  if (most >= 2 ** 32) return indices.sort((a, b) => keys[a]! - keys[b]! || a - b);
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let other = new Uint32Array(count);
  const starts = new Uint32Array(BUCKETS);
  for (let shift = 0; shift < 32 && most >= 2 ** shift; shift += BITS) {
    starts.fill(0);
    for (let i = 0; i < count; i++) starts[(words[i]! >>> shift) & (BUCKETS - 1)]!++;
    for (let bucket = 0, start = 0; bucket < BUCKETS; bucket++) {
      const size = starts[bucket]!;
      starts[bucket] = start;
      start += size;
    }
    for (let i = 0; i < count; i++) {
      const index = order[i]!;
      other[starts[(words[index]! >>> shift) & (BUCKETS - 1)]!++] = index;
    }
    [order, other] = [other, order];
  }
  for (let i = 0; i < count; i++) order[i] = indices[order[i]!]!;
  return order;
}
