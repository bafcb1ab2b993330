// SPDX-License-Identifier: MIT
/**
 * The three kinds of addresses, as branded numbers: mixing them up does not compile.
 *
 * 64-bit values are checked once, where they enter (`toSafe`), and are safe integers inside: user space on x86-64
 * ends at 2^47, far below 2^53.
 */

declare const kind: unique symbol;

/** An address as the linker assigned it: st_value, sh_addr, p_vaddr. */
export type LinkAddress = number & { readonly [kind]: 'link' };
/** An address in a live process: link-time address plus load bias. */
export type RunAddress = number & { readonly [kind]: 'run' };
/** An offset from the start of a file. */
export type FileOffset = number & { readonly [kind]: 'file' };

export const linkAddress = (value: number): LinkAddress => toSafe(value) as LinkAddress;
export const runAddress = (value: number | bigint): RunAddress => toSafe(value) as RunAddress;
export const fileOffset = (value: number): FileOffset => toSafe(value) as FileOffset;

/** The run-time address of link-time address `address` in an object loaded with `bias`. */
export const loadedAt = (address: LinkAddress, bias: number): RunAddress => runAddress(address + bias);

/** `value` as a safe integer; throws RangeError for what a double cannot hold exactly, and for negative values. */
export function toSafe(value: number | bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`not an address: ${value}`);
  return number;
}
