// SPDX-License-Identifier: MIT
/** The numbers of DWARF that the planner knows, by the names that the standard has for them. */

export const TAG = {
  array: 0x01,
  class: 0x02,
  enumeration: 0x04,
  formalParameter: 0x05,
  label: 0x0a,
  lexicalBlock: 0x0b,
  member: 0x0d,
  pointer: 0x0f,
  reference: 0x10,
  compileUnit: 0x11,
  struct: 0x13,
  subroutine: 0x15,
  typedef: 0x16,
  union: 0x17,
  unspecifiedParameters: 0x18,
  inheritance: 0x1c,
  inlinedSubroutine: 0x1d,
  pointerToMember: 0x1f,
  subrange: 0x21,
  base: 0x24,
  const: 0x26,
  enumerator: 0x28,
  subprogram: 0x2e,
  variable: 0x34,
  volatile: 0x35,
  restrict: 0x37,
  namespace: 0x39,
  unspecifiedType: 0x3b,
  partialUnit: 0x3c,
  importedUnit: 0x3d,
  typeUnit: 0x41,
  rvalueReference: 0x42,
  atomic: 0x47,
} as const;

export const AT = {
  location: 0x02,
  name: 0x03,
  byteSize: 0x0b,
  bitOffset: 0x0c,
  bitSize: 0x0d,
  lowPc: 0x11,
  highPc: 0x12,
  import: 0x18,
  constValue: 0x1c,
  producer: 0x25,
  upperBound: 0x2f,
  abstractOrigin: 0x31,
  artificial: 0x34,
  count: 0x37,
  memberLocation: 0x38,
  declaration: 0x3c,
  encoding: 0x3e,
  external: 0x3f,
  specification: 0x47,
  type: 0x49,
  vtableElement: 0x4d,
  ranges: 0x55,
  signature: 0x69,
  dataBitOffset: 0x6b,
  linkageName: 0x6e,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  rnglistsBase: 0x74,
  dwoName: 0x76,
  gnuDwoName: 0x2130,
  gnuAddrBase: 0x2133,
} as const;

export const OP = { addr: 0x03, constu: 0x10, plusUconst: 0x23, addrx: 0xa1 } as const;

export const UNIT = { compile: 1, type: 2, partial: 3, skeleton: 4, splitCompile: 5, splitType: 6 } as const;

/** DW_ATE_*: what a base type is. */
export const ENCODING = { address: 1, boolean: 2, complex: 3, float: 4 } as const;
