// SPDX-License-Identifier: MIT
/**
 * TLS_UNSUPPORTED: new code uses thread-local storage, and its layout is not the one the threads have.
 *
 * Example: a new `static __thread` variable moves the others. Code reaches them by offsets from %fs that are fixed
 * when linking; the running threads' blocks are laid out as the old file says.
 */
import { instructionsOf } from '../compare/functions.js';
import type { Instruction } from '../core/instruction.js';
import type { ElfImage } from '../elf/image.js';
import { isThreadLocal } from '../elf/sections.js';
import { STT_TLS, viewOf } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import type { Judged, RuleFinding } from './rule.js';

export function threadLocal({ plan, placed }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  if (layout(before.image) === layout(after.image)) return [];
  const findings: RuleFinding[] = [];
  for (const fn of placed) {
    if (!instructionsOf(fn).some((instruction) => isThreadLocalAccess(fn, instruction))) continue;
    findings.push({
      code: 'TLS_UNSUPPORTED',
      symbol: fn.name,
      message: `function ${fn.name} uses thread-local storage, whose layout differs between the files; leave the thread-local variables as they were`,
      allowable: false,
    });
  }
  return findings;
}

/** Variables lie below the thread pointer; what is above it, the stack protector's canary for one, is libc's. */
function isThreadLocalAccess(
  fn: CodeFunction,
  { prefixes, displacementSize, displacementAt, offset }: Instruction,
): boolean {
  if ((prefixes & 1) === 0) return false;
  if (displacementSize !== 4) return true;
  return viewOf(fn.section.bytes).getInt32(fn.address - fn.section.address + offset + displacementAt, true) < 0;
}

function layout(image: ElfImage): string {
  const blocks = image.sections.filter(isThreadLocal).map(({ name, size, align }) => `${name} ${size} ${align}`);
  const variables = image.symbols.filter(({ type, section }) => type === STT_TLS && section !== 0);
  return [...blocks, ...variables.map(({ name, value, size }) => `${name} ${value} ${size}`).sort()].join('\n');
}
