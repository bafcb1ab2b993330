// SPDX-License-Identifier: MIT
// Which file may import which. The houses and their doors stand in ARCHITECTURE.md; here they are rules over relative paths,
// and `brokenRule` says which one an import breaks.

import { dirname, join } from 'node:path';

export interface Import {
  /** Relative to the checkout: planner/elf/image.ts. */
  readonly from: string;
  readonly to: string;
}

const houseOf = (path: string) => path.split('/')[0]!;
/** Besides its index, the planner's contract with whoever reads patch files: types and addresses, no pass of its own. */
const contract = new Set(['planner/addresses.ts', 'planner/patch-file/model.ts']);
const isDoor = (path: string) => path === `${houseOf(path)}/index.ts` || contract.has(path);

/** The part of a house that a file is in: planner/elf/image.ts is in `elf`, planner/diff.ts in none. */
const roomOf = (path: string) => (path.split('/').length > 2 ? path.split('/')[1]! : null);

const houses = new Set(['planner', 'runtime', 'vm', 'zx-scripts', 'tests']);

/** What each house may open, and whether only by its door. */
const mayOpen: Record<string, readonly string[]> = {
  planner: [],
  runtime: ['planner'],
  vm: [],
  'zx-scripts': ['planner', 'runtime', 'vm'],
  tests: ['planner', 'runtime', 'vm', 'zx-scripts'],
};

/** The rule that an import breaks, in words; null if it is in order. */
export function brokenRule({ from, to }: Import): string | null {
  const [here, there] = [houseOf(from), houseOf(to)];
  if (!houses.has(there)) return `expected an import of a house (${[...houses].join(', ')}), found ${to}`;
  if (here !== there) {
    if (there === 'tests') return 'nothing imports tests';
    if (!mayOpen[here]?.includes(there)) return `${here}/ never imports ${there}/`;
    return here === 'tests' || isDoor(to) ? null : `${here}/ imports ${there}/ by its index only`;
  }
  if (here === 'tests') {
    const [mine, its] = [roomOf(from), roomOf(to)];
    return mine === its || its === null ? null : `suites share nothing with those of another folder`;
  }
  if (to === `${there}/cli.ts`) return 'a cli is imported by nobody';
  return rankOf(to) >= rankOf(from) ? null : 'imports run cli → index → passes → leaves, and never back';
}

/** cli 0 (cli.ts and the files that are its own, cli-*.ts), index 1, everything else 2. */
function rankOf(path: string): number {
  const name = path.split('/').slice(1).join('/');
  if (/^cli(-[\w-]+)?\.ts$|^cli\//.test(name)) return 0;
  return name === 'index.ts' ? 1 : 2;
}

/** The relative imports of a source file, static and dynamic, types included. */
export function importsOf(from: string, source: string): Import[] {
  const forms = [
    /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"](\.{1,2}\/[^'"]+)['"]/gm,
    /^import\s*['"](\.{1,2}\/[^'"]+)['"]/gm,
    /^[^'"`/*]*\bimport\(\s*['"](\.{1,2}\/[^'"]+)['"]/gm,
  ];
  return forms
    .flatMap((form) => [...source.matchAll(form)])
    .map((match) => ({ from, to: join(dirname(from), match[1]!).replace(/\.js$/, '.ts') }));
}

/** A circle of imports inside the given ones, as the files on it; null if there is none. */
export function findCircle(imports: readonly Import[]): string[] | null {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const to of next.get(file) ?? []) {
      const circle = visit(to, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of next.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return null;
}
