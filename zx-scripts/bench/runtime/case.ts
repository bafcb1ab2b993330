// SPDX-License-Identifier: MIT
// What the runtime's benchmark is to do in the guest: `guest.ts` gets it as a file.

export interface Subject {
  /** In the names of what is measured: `16-threads`. */
  readonly name: string;
  readonly threads: number;
  readonly modules: number;
  readonly functions: number;
}

export interface RuntimePlan {
  /** Where the guest sees programs, patches and modules. */
  readonly folder: string;
  readonly subjects: readonly Subject[];
  readonly runs: number;
}
