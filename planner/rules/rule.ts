// SPDX-License-Identifier: MIT
/**
 * A rule looks at a plan and finds what makes it unsafe to apply to a live process. It changes nothing.
 *
 * `allowable`: the author may know better and say so with --allow; the finding becomes a note then. What cannot be carried out at
 * all is not allowable.
 */
import type { Import } from '../elf/image.js';
import type { CodeFunction } from '../match/functions.js';
import type { Finding } from '../patch-file/model.js';
import type { Plan } from '../plan.js';

export interface RuleFinding extends Finding {
  readonly allowable: boolean;
  /** Only tells the author something: refuses nothing. */
  readonly noteOnly?: true;
}

export interface Judged {
  readonly plan: Plan;
  /** Functions and parts of the new file that are in the patch. */
  readonly placed: readonly CodeFunction[];
  /** What new code needs of other objects by name. */
  readonly imports: readonly Import[];
}

export type Rule = (judged: Judged) => RuleFinding[];
