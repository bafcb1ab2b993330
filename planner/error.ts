// SPDX-License-Identifier: MIT
/** What all errors about input have in common. Anything else that the library throws is a fault of ours or of its caller. */
export abstract class PlannerError extends Error {
  /** Stable: a word of the family's own. */
  abstract readonly code: string;
  /** Where in the input: a header, section, offset, symbol or field. */
  abstract readonly place: string;
}
