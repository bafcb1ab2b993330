// SPDX-License-Identifier: MIT
/**
 * What follows an opcode byte, as one byte per opcode: MODRM says whether a ModRM byte does, the low four bits which
 * immediate. Group opcodes whose immediate depends on ModRM are left to decode.ts.
 */

export const MODRM: u32 = 0x10;
/** Not an instruction in 64-bit mode. */
export const BAD: u32 = 0xff;

export const IMM_NONE: u32 = 0;
/** One byte. */
export const IMM_B: u32 = 1;
/** Two bytes. */
export const IMM_W: u32 = 2;
/** Two bytes with an operand-size prefix, else four. */
export const IMM_Z: u32 = 3;
/** As IMM_Z, eight with REX.W. */
export const IMM_V: u32 = 4;
/** A branch distance of one byte. */
export const REL_B: u32 = 5;
/** A branch distance of four bytes. */
export const REL_D: u32 = 6;
/** An absolute address: eight bytes, four with an address-size prefix. */
export const MOFFS: u32 = 7;
/** enter: two bytes and one. */
export const IMM_WB: u32 = 8;
/** A prefix or an escape to another map: never looked up. */
export const ESCAPE: u32 = 0x0f;

/** One-byte opcodes. */
export const MAP0: usize = memory.data<u8>([
  16, 16, 16, 16, 1, 3, 255, 255, 16, 16, 16, 16, 1, 3, 255, 15, // 00
  16, 16, 16, 16, 1, 3, 255, 255, 16, 16, 16, 16, 1, 3, 255, 255, // 10
  16, 16, 16, 16, 1, 3, 15, 255, 16, 16, 16, 16, 1, 3, 15, 255, // 20
  16, 16, 16, 16, 1, 3, 15, 255, 16, 16, 16, 16, 1, 3, 15, 255, // 30
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, // 40
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 50
  255, 255, 15, 16, 15, 15, 15, 15, 3, 19, 1, 17, 0, 0, 0, 0, // 60
  5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, // 70
  17, 19, 255, 17, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 80
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, // 90
  7, 7, 7, 7, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, // a0
  1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4, // b0
  17, 17, 2, 0, 15, 15, 17, 19, 8, 0, 2, 0, 0, 1, 255, 0, // c0
  16, 16, 16, 16, 255, 255, 255, 0, 16, 16, 16, 16, 16, 16, 16, 16, // d0
  5, 5, 5, 5, 1, 1, 1, 1, 6, 6, 255, 5, 0, 0, 0, 0, // e0
  15, 0, 15, 15, 0, 0, 16, 16, 0, 0, 0, 0, 0, 0, 16, 16, // f0
]);

/** Opcodes behind 0f. */
export const MAP1: usize = memory.data<u8>([
  16, 16, 16, 16, 255, 0, 0, 0, 0, 0, 255, 0, 255, 16, 0, 17, // 00
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 10
  16, 16, 16, 16, 255, 255, 255, 255, 16, 16, 16, 16, 16, 16, 16, 16, // 20
  0, 0, 0, 0, 0, 0, 255, 0, 15, 255, 15, 255, 255, 255, 255, 255, // 30
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 40
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 50
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 60
  17, 17, 17, 17, 16, 16, 16, 0, 16, 16, 255, 255, 16, 16, 16, 16, // 70
  6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, // 80
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // 90
  0, 0, 0, 16, 17, 16, 16, 16, 0, 0, 0, 16, 17, 16, 16, 16, // a0
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 16, 16, 16, 16, 16, // b0
  16, 16, 17, 16, 17, 17, 17, 16, 0, 0, 0, 0, 0, 0, 0, 0, // c0
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // d0
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // e0
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, // f0
]);
