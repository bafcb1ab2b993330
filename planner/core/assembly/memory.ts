// SPDX-License-Identifier: MIT
/**
 * Reading and writing the linear memory, under names that plain TypeScript can have as well: the benchmark compiles the rest of this
 * folder with `tsc` against plain/memory.ts, which does the same on typed arrays. So nobody else here says load, store or v128, and
 * arithmetic is such that 32-bit wrapping never decides.
 */

// @ts-ignore: decorator
@inline
export function u8At(at: usize): u32 {
  return load<u8>(at);
}

// @ts-ignore: decorator
@inline
export function i8At(at: usize): i32 {
  return load<i8>(at);
}

// @ts-ignore: decorator
@inline
export function i16At(at: usize): i32 {
  return load<i16>(at);
}

// @ts-ignore: decorator
@inline
export function i32At(at: usize): i32 {
  return load<i32>(at);
}

// @ts-ignore: decorator
@inline
export function u32At(at: usize): u32 {
  return load<u32>(at);
}

// @ts-ignore: decorator
@inline
export function put32(at: usize, value: u32): void {
  store<u32>(at, value);
}

// @ts-ignore: decorator
@inline
export function put8(at: usize, value: u32): void {
  store<u8>(at, value);
}

/** Bit i is set if the i-th of sixteen bytes differs. Reads sixteen bytes, whatever the caller needs of them. */
// @ts-ignore: decorator
@inline
export function differing(a: usize, b: usize): u32 {
  return i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)));
}

/** Whether one of the sixteen fields of four bytes from `at` on holds `wanted`, less its distance from `at`, or up to `span` more. */
// @ts-ignore: decorator
@inline
export function holdsAny(at: usize, wanted: i32, span: u32): bool {
  const most = i32x4.splat(<i32>span);
  const first = i32x4.sub(i32x4.splat(wanted), i32x4(0, 4, 8, 12));
  const one = i32x4.splat(1);
  let least = first;
  let found = i32x4.le_u(i32x4.sub(v128.load(at), least), most);
  least = i32x4.sub(least, one);
  found = v128.or(found, i32x4.le_u(i32x4.sub(v128.load(at, 1), least), most));
  least = i32x4.sub(least, one);
  found = v128.or(found, i32x4.le_u(i32x4.sub(v128.load(at, 2), least), most));
  least = i32x4.sub(least, one);
  found = v128.or(found, i32x4.le_u(i32x4.sub(v128.load(at, 3), least), most));
  return v128.any_true(found);
}

/** The low 32 bits of a product. */
// @ts-ignore: decorator
@inline
export function multiply(a: u32, b: u32): u32 {
  return a * b;
}

/** Where free memory starts: everything from here on is the caller's to lay out. */
export function freeMemory(): usize {
  return __heap_base;
}
