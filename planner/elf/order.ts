// SPDX-License-Identifier: MIT
/** Sorting by whole numbers, for hundreds of thousands of them: no comparison is a call. */

const BITS = 11;
const BUCKETS = 1 << BITS;

/** Indices of `keys` in order; equal keys stay in order. Keys are whole, not negative and safe. */
export function orderOf(keys: Float64Array): Uint32Array {
  const count = keys.length;
  let order = new Uint32Array(count);
  let most = 0;
  let ascending = true;
  for (let i = 0; i < count; i++) {
    order[i] = i;
    if (i > 0 && keys[i]! < keys[i - 1]!) ascending = false;
    if (keys[i]! > most) most = keys[i]!;
  }
  if (ascending) return order;
  if (most >= 2 ** 32) return order.sort((a, b) => keys[a]! - keys[b]! || a - b);
  let other = new Uint32Array(count);
  const words = new Uint32Array(keys);
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
  return order;
}
