// SPDX-License-Identifier: MIT
/**
 * One x86-64 instruction: its length, and where in it the fields lie that a linker may fill in.
 *
 * The decoder knows encodings, not mnemonics: prefixes, then an opcode map that says what follows the opcode (tables.ts),
 * then ModRM, SIB, displacement and immediates. It never reads at or beyond `end`; what does not fit or is no
 * instruction gives length 0. The result is left in the globals below, valid until the next call.
 */
import { u8At } from './memory';
import { BAD, ESCAPE, IMM_B, IMM_NONE, IMM_V, IMM_W, IMM_WB, IMM_Z, MAP0, MAP1, MODRM, MOFFS, REL_B, REL_D } from './tables';

/** What the PC-relative field of an instruction means; 0 if it has none. */
export const PLAIN: u32 = 0;
export const CALL: u32 = 1;
export const JUMP: u32 = 2;
export const JUMP_IF: u32 = 3;
/** loop, jrcxz, xbegin: branches that have one size only. */
export const BRANCH: u32 = 4;
/** A memory operand relative to the instruction pointer. */
export const MEMORY: u32 = 5;
/** lea of such an operand: the address escapes. */
export const ADDRESS: u32 = 6;
/** Does nothing: padding between or inside functions. */
export const NOP: u32 = 7;

export let kind: u32 = 0;
/** Offset and size of the PC-relative field. */
export let fieldAt: u32 = 0;
export let fieldSize: u32 = 0;
/** Offset and size of the immediate; a second immediate is not told apart. */
export let immAt: u32 = 0;
export let immSize: u32 = 0;
/** Map (0 one byte, 1 0f, 2 0f38, 3 0f3a, +16 VEX, +32 EVEX, +48 XOP) << 8 | opcode byte. */
export let opcode: u32 = 0;
/** The ModRM byte, 0 if there is none. */
export let modrm: u32 = 0;
/** bit 0: fs or gs segment; bit 1: f2; bit 2: f3; bit 3: f0; bit 4: 66; bit 5: 67; bit 6: REX.W. */
export let prefixes: u32 = 0;
/** Offset and size of a displacement that is not PC-relative. */
export let dispAt: u32 = 0;
export let dispSize: u32 = 0;

const LONGEST: usize = 15;

/** The length of the instruction at `at`, or 0. */
export function decode(at: usize, end: usize): u32 {
  kind = PLAIN;
  fieldAt = 0;
  fieldSize = 0;
  immAt = 0;
  immSize = 0;
  opcode = 0;
  modrm = 0;
  prefixes = 0;
  dispAt = 0;
  dispSize = 0;
  const limit = at + LONGEST < end ? at + LONGEST : end;
  let p = at;
  let rex: u32 = 0;
  let byte: u32 = 0;
  for (;;) {
    if (p >= limit) return 0;
    byte = u8At(p++);
    if (byte == 0x66) prefixes |= 16;
    else if (byte == 0x67) prefixes |= 32;
    else if (byte == 0xf0) prefixes |= 8;
    else if (byte == 0xf2) prefixes = (prefixes & ~4) | 2;
    else if (byte == 0xf3) prefixes = (prefixes & ~2) | 4;
    else if (byte == 0x64 || byte == 0x65) prefixes |= 1;
    else if (byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26) {
    } else if ((byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    } else break;
    rex = 0;
  }
  if (rex & 8) prefixes |= 64;

  let follows: u32 = 0;
  if (byte == 0x0f) {
    if (p >= limit) return 0;
    byte = u8At(p++);
    if (byte == 0x38 || byte == 0x3a) {
      const map: u32 = byte == 0x38 ? 2 : 3;
      if (p >= limit) return 0;
      byte = u8At(p++);
      opcode = (map << 8) | byte;
      follows = map == 2 ? MODRM : MODRM | IMM_B;
    } else {
      opcode = 0x100 | byte;
      follows = u8At(MAP1 + byte);
      // extrq and insertq of SSE4a take two immediate bytes
      if (byte == 0x78 && prefixes & (2 | 16)) follows = MODRM | IMM_W;
    }
  } else if (byte == 0xc5 || byte == 0xc4) {
    if (rex != 0 || prefixes & (2 | 4 | 8 | 16)) return 0;
    let map: u32 = 1;
    if (byte == 0xc4) {
      if (p + 1 >= limit) return 0;
      map = u8At(p++) & 0x1f;
      if (u8At(p) & 0x80) prefixes |= 64;
    }
    p++;
    if (p >= limit) return 0;
    byte = u8At(p++);
    opcode = ((16 + map) << 8) | byte;
    follows = vectorFollows(map, byte);
    if (map > 3) return 0;
    if (map == 1 && byte == 0x77) follows = IMM_NONE;
  } else if (byte == 0x62) {
    if (rex != 0 || prefixes & (2 | 4 | 8 | 16)) return 0;
    if (p + 3 >= limit) return 0;
    const map: u32 = u8At(p) & 15;
    if (!(u8At(p + 1) & 4)) return 0;
    if (map == 4 || map > 6) return 0;
    byte = u8At(p + 3);
    p += 4;
    opcode = ((32 + map) << 8) | byte;
    follows = vectorFollows(map, byte);
  } else if (byte == 0x8f && p < limit && (u8At(p) & 0x1f) >= 8) {
    if (p + 2 >= limit) return 0;
    const map: u32 = u8At(p) & 0x1f;
    byte = u8At(p + 2);
    p += 3;
    opcode = ((48 + map) << 8) | byte;
    if (map == 8) follows = MODRM | IMM_B;
    else if (map == 9) follows = MODRM;
    else if (map == 10) {
      follows = MODRM | IMM_Z;
      prefixes &= ~16;
    } else return 0;
  } else {
    opcode = byte;
    follows = u8At(MAP0 + byte);
  }
  if (follows == BAD || follows == ESCAPE) return 0;
  if (opcode == 0x90 && !(rex & 1) && !(prefixes & (4 | 8))) kind = NOP;

  if (follows & MODRM) {
    if (p >= limit) return 0;
    modrm = u8At(p++);
    const mod = modrm >> 6;
    const rm = modrm & 7;
    // moves to and from control and debug registers have no memory form
    const registers = opcode >= 0x120 && opcode <= 0x123;
    if (mod != 3 && !registers) {
      let size: u32 = mod == 1 ? 1 : mod == 2 ? 4 : 0;
      if (rm == 4) {
        if (p >= limit) return 0;
        const sib: u32 = u8At(p++);
        if (mod == 0 && (sib & 7) == 5) size = 4;
      } else if (mod == 0 && rm == 5) {
        size = 4;
        kind = opcode == 0x8d ? ADDRESS : MEMORY;
        fieldAt = <u32>(p - at);
        fieldSize = 4;
      }
      if (size != 0 && kind != MEMORY && kind != ADDRESS) {
        dispAt = <u32>(p - at);
        dispSize = size;
      }
      p += size;
      if (p > limit) return 0;
    }
    if (opcode == 0x11f) kind = NOP;
    const group = (modrm >> 3) & 7;
    if (opcode == 0xf6 && group < 2) follows |= IMM_B;
    else if (opcode == 0xf7 && group < 2) follows |= IMM_Z;
    else if (opcode == 0xc7 && modrm == 0xf8) {
      kind = BRANCH;
      fieldAt = <u32>(p - at);
      fieldSize = prefixes & 16 && !(prefixes & 64) ? 2 : 4;
      p += fieldSize;
      return p > limit ? 0 : <u32>(p - at);
    }
  }

  const wide = prefixes & 64;
  const half = prefixes & 16 && !wide;
  let size: u32 = 0;
  switch (follows & 15) {
    case IMM_B:
      size = 1;
      break;
    case IMM_W:
      size = 2;
      break;
    case IMM_Z:
      size = half ? 2 : 4;
      break;
    case IMM_V:
      size = wide ? 8 : half ? 2 : 4;
      break;
    case IMM_WB:
      size = 3;
      break;
    case MOFFS:
      size = prefixes & 32 ? 4 : 8;
      break;
    case REL_B:
      fieldAt = <u32>(p - at);
      fieldSize = 1;
      kind = opcode == 0xeb ? JUMP : opcode >= 0xe0 ? BRANCH : JUMP_IF;
      p += 1;
      break;
    case REL_D:
      fieldAt = <u32>(p - at);
      fieldSize = 4;
      kind = opcode == 0xe8 ? CALL : opcode == 0xe9 ? JUMP : JUMP_IF;
      p += 4;
      break;
    default:
      break;
  }
  if (size != 0) {
    immAt = <u32>(p - at);
    immSize = size;
    p += size;
  }
  return p > limit ? 0 : <u32>(p - at);
}

/** What follows an opcode of a VEX or EVEX map. */
function vectorFollows(map: u32, byte: u32): u32 {
  if (map == 0) return BAD;
  if (map == 3) return MODRM | IMM_B;
  if (map != 1) return MODRM;
  if (byte >= 0x70 && byte <= 0x73) return MODRM | IMM_B;
  if (byte == 0xc2 || (byte >= 0xc4 && byte <= 0xc6)) return MODRM | IMM_B;
  return MODRM;
}
