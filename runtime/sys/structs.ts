// SPDX-License-Identifier: MIT
/**
 * C structures of u32 and u64 fields, described once as a list of names and widths.
 *
 * Invariant: fields lie at their natural alignment without holes; `defineStruct` throws at load time otherwise, so an
 * offset can never silently differ from what the C compiler does.
 */
import { toSafe } from '../../planner/index.js';

type Width = 4 | 8;

export interface Struct<F extends string> {
  readonly name: string;
  readonly size: number;
  readonly fields: readonly { readonly name: F; readonly offset: number; readonly width: Width }[];
  /** Bytes of a structure; fields that are not given are 0. */
  encode(values: Partial<Record<F, number | bigint>>): Buffer;
  /** The structure at `offset` of `bytes`. */
  decode(bytes: Buffer, offset?: number): Record<F, number>;
}

export function defineStruct<F extends string>(name: string, list: readonly (readonly [F, Width])[]): Struct<F> {
  let size = 0;
  const fields = list.map(([field, width]) => {
    if (size % width !== 0) throw new RangeError(`struct ${name}: ${field} is not aligned`);
    const offset = size;
    size += width;
    return { name: field, offset, width };
  });
  return {
    name,
    size,
    fields,
    encode(values) {
      const bytes = Buffer.alloc(size);
      for (const { name: field, offset, width } of fields) {
        const value = values[field] ?? 0;
        if (width === 8) bytes.writeBigUInt64LE(BigInt(value), offset);
        else bytes.writeUInt32LE(Number(value), offset);
      }
      return bytes;
    },
    decode(bytes, at = 0) {
      const values = {} as Record<F, number>;
      for (const { name: field, offset, width } of fields) {
        values[field] = width === 8 ? toSafe(bytes.readBigUInt64LE(at + offset)) : bytes.readUInt32LE(at + offset);
      }
      return values;
    },
  };
}
