// SPDX-License-Identifier: MIT
/**
 * PRODUCER_DIFFERS: the two files were not made by the same compiler with the same flags, so that differences say
 * nothing about the fix.
 *
 * Example: the old file comes from the distribution, the new one from a developer's machine; or -O2 became -O3. What the
 * compiler says of each source file (DW_AT_producer) is compared, without flags that change no code. Files without it are compared by
 * .comment, which names compilers only.
 */
import { debugInfoOf } from '../elf/dwarf/debug-info.js';
import type { ElfImage } from '../elf/image.js';
import type { Judged, RuleFinding } from './rule.js';

const MOST_FILES = 3;
/** Debugging information, warnings, names of folders and files, what is printed. */
const NO_CODE =
  /^-(g.*|W.*|w|v|pipe|f(debug|file|macro|profile)-prefix-map=.*|ffile-compilation-dir=.*|fdebug-.*|frandom-seed=.*|fdiagnostics-.*|fno-diagnostics-.*|fmessage-length=.*|fcanon-prefix-map|frecord-gcc-switches|dumpbase.*|dumpdir.*|auxbase.*|iplugindir=.*)$/;

export function toolchain({ plan }: Judged): RuleFinding[] {
  const { before, after } = plan.context;
  const message = difference(before.image, after.image);
  return message === null ? [] : [{ code: 'PRODUCER_DIFFERS', symbol: null, message, allowable: true }];
}

function difference(before: ElfImage, after: ElfImage): string | null {
  const [olds, news] = [producers(before), producers(after)];
  const common = [...olds.keys()].filter((name) => news.has(name));
  if (common.length === 0) {
    const [old, now] = [comment(before), comment(after)];
    if (old === now) return null;
    return `the old file was made by ${old || 'nobody it names'}, the new one by ${now || 'nobody it names'}; build both with the same compiler`;
  }
  const different = common.filter((name) => olds.get(name) !== news.get(name)).sort();
  if (different.length === 0) return null;
  const [old, now] = [olds.get(different[0]!)!, news.get(different[0]!)!].map((text) => text.split('\n')) as [
    string[],
    string[],
  ];
  const only = (one: string[], other: string[]) => one.filter((word) => !other.includes(word)).join(' ') || 'without';
  const more = different.length > MOST_FILES ? ` and ${different.length - MOST_FILES} more` : '';
  return `${different.slice(0, MOST_FILES).join(', ')}${more} was compiled differently: ${only(old, now)} in the old file, ${only(now, old)} in the new; build both with the same compiler and flags`;
}

/** By source file: the compiler and its flags that matter, a line each. Of files of one name all there are. */
function producers(image: ElfImage): Map<string, string> {
  const made = new Map<string, Set<string>>();
  for (const { name, producer } of debugInfoOf(image)?.units ?? []) {
    if (name === '' || producer === '') continue;
    const known = made.get(name) ?? new Set();
    made.set(name, known.add(essence(producer)));
  }
  return new Map([...made].map(([name, set]) => [name, [...set].sort().join('\n')]));
}

function essence(producer: string): string {
  const words = producer.split(/\s+/);
  const first = words.findIndex((word) => word.startsWith('-'));
  const flags = first < 0 ? [] : words.slice(first).filter((word) => word.startsWith('-') && !NO_CODE.test(word));
  const level = flags.filter((flag) => /^-O/.test(flag)).at(-1);
  const others = new Set(flags.filter((flag) => !/^-O/.test(flag)));
  const compiler = (first < 0 ? words : words.slice(0, first)).join(' ');
  return [compiler, ...(level ? [level] : []), ...[...others].sort()].join('\n');
}

/** What .comment says, sorted. */
function comment(image: ElfImage): string {
  const section = image.sections.find(({ name }) => name === '.comment');
  const words = Buffer.from(section?.bytes ?? [])
    .toString('utf8')
    .split('\0');
  return [...new Set(words.filter((word) => word !== ''))].sort().join(', ');
}
