// SPDX-License-Identifier: MIT
// Run uvu suites so that nothing passes by accident. uvu alone is silent about a suite without `.run()`, a `before` that
// throws, a stray `.only`, a file that tests nothing, and waits for ever for a test that hangs. Here every file runs in a
// process of its own, and counts as passed only if
//
//   it ended by itself, in time, with status 0;
//   it said how many tests there were, at least one, and that all of them passed;
//   every suite that its source makes is also run, and none of its tests is singled out.
//
// Runs on the host and, for guest suites, inside the guest: `node suites.js --results FILE --patience N SUITE...`.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

export interface SuiteResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** What is wrong with the suite as a whole; null if nothing is. It counts as one failure at least. */
  readonly problem: string | null;
  readonly output: string;
}

export type Environment = Readonly<Record<string, string>>;

export const usualSeconds = 300;

export interface RunOptions {
  readonly env?: Environment;
  /** How many times as long as a suite says it may take. */
  readonly patience?: number;
}

export async function runSuite(file: string, { env = {}, patience = 1 }: RunOptions = {}): Promise<SuiteResult> {
  const source = readFileSync(file, 'utf8');
  const seconds = patience * Number(/^\/\/ timeout: (\d+)$/m.exec(source)?.[1] ?? usualSeconds);
  const wrong = sourceProblem(source);
  if (wrong) return { file, passed: 0, failed: 1, skipped: 0, seconds: 0, problem: wrong, output: '' };
  const began = Date.now();
  const { status, output, late } = await runProcess(file, seconds * 1000, env);
  const counts = readSummary(output);
  const failed = counts ? counts.total - counts.passed : 0;
  const problem = late
    ? `expected an end within ${seconds} s; it was still running and was killed`
    : !counts
      ? `expected uvu's summary, found none: no suite was run to its end (status ${status})`
      : counts.total === 0
        ? 'expected at least one test, found none'
        : status !== 0 && failed === 0
          ? `expected status 0, found ${status}, although no test failed`
          : null;
  return {
    file,
    passed: counts?.passed ?? 0,
    failed: Math.max(failed, problem ? 1 : 0),
    skipped: counts?.skipped ?? 0,
    seconds: (Date.now() - began) / 1000,
    problem,
    output,
  };
}

/** Several files, at most `width` at once; results in the order of the files. */
export async function runSuites(
  files: readonly string[],
  onResult: (result: SuiteResult) => void,
  { width = 1, ...options }: RunOptions & { readonly width?: number } = {},
): Promise<SuiteResult[]> {
  if (files.length === 0) throw new RangeError('expected at least one suite, found none');
  const results: SuiteResult[] = new Array(files.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < files.length; at = next++) {
      results[at] = await runSuite(files[at]!, options);
      onResult(results[at]!);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/** What the source alone shows to be wrong. */
export function sourceProblem(source: string): string | null {
  const code = source.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const only = /\b(\w+)\.only\s*\(/.exec(code);
  if (only) return `expected no test to be singled out, found ${only[0]}...)`;
  const suites = [...code.matchAll(/\b(?:const|let|var)\s+(\w+)\s*=\s*suite\s*\(/g)].map((match) => match[1]!);
  if (/import\s*\{[^}]*\btest\b[^}]*\}\s*from\s*['"]uvu['"]/.test(code)) suites.push('test');
  if (suites.length === 0) return "expected a suite of uvu's, found none";
  const idle = suites.find((name) => !new RegExp(`\\b${name}\\.run\\s*\\(`).test(code));
  return idle ? `expected ${idle}.run(), found no such call: its tests would not run` : null;
}

/** uvu's last words, if it came that far. */
function readSummary(output: string): { total: number; passed: number; skipped: number } | null {
  const summary = /\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration: /g;
  const found = [...output.matchAll(summary)].at(-1);
  if (!found) return null;
  const [total, passed, skipped] = found.slice(1).map(Number);
  return { total: total!, passed: passed!, skipped: skipped! };
}

/** Its own process group, so that what a suite has started goes down with it. */
async function runProcess(file: string, limitMs: number, more: Environment) {
  const env = { ...process.env, ...more, NO_COLOR: '1', FORCE_COLOR: '0' };
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const killGroup = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  };
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup();
  }, limitMs);
  process.once('exit', killGroup);
  const status = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    // 'exit' and not 'close': a process that the suite has left behind may hold the pipes.
    child.once('exit', (code, signal) => {
      setTimeout(killGroup, 200);
      child.once('close', () => resolve(code ?? signal ?? 'unknown'));
    });
  });
  clearTimeout(timer);
  process.removeListener('exit', killGroup);
  const output = stripVTControlCharacters(Buffer.concat(chunks).toString());
  return { status, output, late };
}

/** One suite's result for a person: a line and the figures it measured if all is well, everything it said if not. */
export function describeResult({ file, passed, failed, skipped, seconds, problem, output }: SuiteResult): string {
  const name = relative(process.cwd(), file).replace(/^dist\//, '');
  const counts = `${passed} passed${failed ? `, ${failed} failed` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  const line = `${failed ? 'FAIL' : 'ok  '} ${name}: ${counts} (${seconds.toFixed(1)} s)`;
  const figures = output.split('\n').filter((text) => text.startsWith('figure: '));
  if (!failed) return [line, ...figures.map((figure) => `     ${figure.slice('figure: '.length)}`)].join('\n');
  return [line, problem && `  ${problem}`, output.trimEnd().replaceAll(/^/gm, '  ')].filter(Boolean).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals: files } = parseArgs({
    options: { results: { type: 'string' }, patience: { type: 'string', default: '1' } },
    allowPositionals: true,
  });
  if (!values.results || files.length === 0) {
    process.stderr.write('usage: suites.js --results FILE [--patience N] SUITE...\n');
    process.exit(2);
  }
  const onResult = (result: SuiteResult) => void process.stdout.write(`${describeResult(result)}\n`);
  const results = await runSuites(files, onResult, { patience: Number(values.patience) });
  writeFileSync(values.results, JSON.stringify(results));
}
