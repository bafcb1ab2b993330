// SPDX-License-Identifier: MIT
// How long steps tell where they are. The library reports; whoever called decides how a person sees it.

export interface Step {
  /** What is being done, in a few words. A new name is a new step. */
  readonly name: string;
  /** How far it is, and how far it has to go if that is known. */
  readonly done?: number;
  readonly total?: number;
  /** What the numbers count: "objects". */
  readonly unit?: string;
}

export type Progress = (step: Step) => void;

export const silent: Progress = () => {};
