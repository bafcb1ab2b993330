// SPDX-License-Identifier: MIT
// `npm run check`: what a developer runs before every commit. Format and lint, the hook series, unit suites (the import rules
// are among them); the types were checked by the build that comes first. No guest, under a minute.

import { availableParallelism } from 'node:os';
import pc from 'picocolors';
import { $ } from 'zx';
import { ensureSeries, projectFolder } from './setup.js';
import { showProgress } from './show-progress.js';
import { unitSuites } from './suite-lists.js';
import { describeResult, runSuites } from './suites.js';
import { reportAndExit } from './vm-status.js';

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Each gives what it found to be in order, or throws with what is not. */
const checks: [name: string, check: () => Promise<string>][] = [
  ['format and lint', formatAndLint],
  ['hook series', hookSeries],
  ['unit suites', units],
];

async function formatAndLint(): Promise<string> {
  const { exitCode, stdout, stderr } = await $({
    quiet: true,
    nothrow: true,
    cwd: projectFolder,
  })`npx --no-install biome check --error-on-warnings .`;
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}npm run format puts most of this right`);
  return stdout.trim();
}

async function hookSeries(): Promise<string> {
  const shown = showProgress();
  const { patches, files } = await ensureSeries(shown);
  shown.end();
  return `${patches} patches apply to ${files} files`;
}

async function units(): Promise<string> {
  const onResult = (result: Parameters<typeof describeResult>[0]) => {
    if (result.failed) say(describeResult(result));
  };
  const results = await runSuites(await unitSuites(projectFolder, '', true), onResult, {
    width: availableParallelism(),
  });
  const failed = results.filter((result) => result.failed > 0).length;
  if (failed) throw new Error(`${failed} of ${results.length} suites failed`);
  return `${results.reduce((total, { passed }) => total + passed, 0)} tests in ${results.length} suites passed`;
}

async function main(): Promise<number> {
  let failed = 0;
  for (const [name, check] of checks) {
    const outcome = await check().then(
      (found) => `${pc.green('ok')}   ${name}: ${found}`,
      (error: Error) => {
        failed++;
        return `${pc.red('FAIL')} ${name}: ${error.message}`;
      },
    );
    say(outcome);
  }
  return failed ? 1 : 0;
}

await reportAndExit('check', main);
