// SPDX-License-Identifier: MIT
/**
 * `npm run fuzz`: the fuzzing test for as long as one likes. Says for every find how to have it again:
 * `npm run fuzz -- --seed S --case N` tries that one alone, and writes its input beside where it is run with `--write DIR`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { corpusPairs } from '../../../zx-scripts/bench/pairs.js';
import { showProgress } from '../../../zx-scripts/show-progress.js';
import { countsText, runCampaign } from './campaign.js';
import { makeCase, tryCase } from './cases.js';
import { fixtureSubjects, type Subject, subjectOf } from './subjects.js';

interface Flags {
  readonly seconds: string;
  readonly seed: string;
  readonly case?: string;
  readonly write?: string;
  readonly corpus: boolean;
}

const program = new Command('npm run fuzz --')
  .description('Feed the planner damaged binaries and patch files: test fixtures, and the corpus where it is.')
  .option('--seconds <n>', 'how long', '60')
  .option('--seed <n>', 'cases follow from it', `${Date.now() % 1_000_000}`)
  .option('--case <n>', 'this one alone, in this process')
  .option('--write <dir>', 'with --case: write the damaged files there')
  .option('--no-corpus', 'the fixtures alone')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();
const flags = program.opts<Flags>();
const seed = Number(flags.seed);
const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Files over this are left out: their cases would take all the time. */
const LARGEST = 8 << 20;

async function corpusSubjects(): Promise<Subject[]> {
  const shown = showProgress();
  const pairs = flags.corpus ? await corpusPairs(true, shown) : null;
  shown.end();
  if (pairs === null) say('skipped: no corpus');
  return (pairs ?? []).flatMap(({ name, old, new: now }) => {
    const [a, b] = [readFileSync(old), readFileSync(now)];
    return a.length > LARGEST ? [] : [subjectOf(name, a, b)];
  });
}

const subjects = [...fixtureSubjects(), ...(await corpusSubjects())];
if (flags.case !== undefined) {
  const one = makeCase(subjects, seed, Number(flags.case));
  if (flags.write !== undefined) {
    mkdirSync(flags.write, { recursive: true });
    one.bytes.forEach((bytes, i) => {
      writeFileSync(join(flags.write!, `${one.what}-${i}`), bytes);
    });
  }
  say(`${one.subject.name}, damaged: ${one.what}`);
  say(JSON.stringify(tryCase(one), null, 1).replaceAll('\\n', '\n'));
} else {
  say(`seed ${seed}, ${subjects.length} subjects`);
  const result = await runCampaign({
    subjects,
    seed,
    cases: 2 ** 31 - 1,
    seconds: Number(flags.seconds),
    caseSeconds: 60,
    memory: 2048,
    onFind: ({ index, what }) => say(`find: --seed ${seed} --case ${index}: ${what}`),
  });
  say(countsText(result));
  say(`${result.finds.length} finds`);
  process.exitCode = result.finds.length > 0 ? 1 : 0;
}
