// SPDX-License-Identifier: MIT
/** Stripped files with their debug files: found where debuggers look, given by name, or refused because they belong to another. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { debugFileFor } from '../../planner/debug-files.js';
import { debugWishOf } from '../../planner/elf/debug-file.js';
import { openParts } from '../../planner/elf/open.js';
import { diff, ElfError } from '../../planner/index.js';
import { type Build, compilePair, diffPair, scratchFolder } from './helpers.js';

const test = suite('debug-files');
const cli = fileURLToPath(new URL('../../planner/planner.js', import.meta.url));

interface Stripped {
  readonly file: string;
  readonly debug: string;
}

/** Both files of a pair stripped, each in a folder with its debug file beside it. */
function stripPair(source: string, build: Build): { old: Stripped; new: Stripped } {
  const pair = compilePair(source, build);
  const folder = mkdtempSync(join(scratchFolder(), 'stripped-'));
  const strip = (path: string, side: string): Stripped => {
    mkdirSync(join(folder, side));
    const file = join(folder, side, 'program');
    const debug = `${file}.debug`;
    execFileSync('objcopy', ['--only-keep-debug', path, debug]);
    execFileSync('objcopy', ['--strip-all', `--add-gnu-debuglink=${debug}`, path, file]);
    return { file, debug };
  };
  return { old: strip(pair.oldPath, 'old'), new: strip(pair.newPath, 'new') };
}

function diffStripped(old: Stripped, now: Stripped, roots: readonly string[] = []) {
  const [before, after] = [readFileSync(old.file), readFileSync(now.file)];
  return diff(before, after, {
    oldName: 'program',
    newName: 'program.new',
    name: 'fix',
    oldDebug: debugFileFor(old.file, before, undefined, roots),
    newDebug: debugFileFor(now.file, after, undefined, roots),
  });
}

const told = ({ refusals }: ReturnType<typeof diff>) => refusals.map(({ code, symbol }) => `${code} ${symbol}`);
const move = (from: string, to: string) => {
  mkdirSync(dirname(to), { recursive: true });
  renameSync(from, to);
};

test('a stripped pair gives the same patch as the pair from before', () => {
  const build = { new: ['-DONE=7', '-DSHIFT'] };
  const { old, new: now } = stripPair('program.c', build);
  const whole = diffPair(compilePair('program.c', build));
  assert.ok(whole.patch);
  assert.equal(diffStripped(old, now).patch, whole.patch);
});

test('debug files are found beside the file, in .debug, below the root by folder and by build id', () => {
  const { old, new: now } = stripPair('layout.c', { flags: ['-DMEMBER'] });
  const root = join(scratchFolder(), 'root');
  const expected = ['LAYOUT_CHANGED struct request'];
  assert.equal(told(diffStripped(old, now)), expected);
  for (const { file, debug } of [old, now]) move(debug, join(dirname(file), '.debug', 'program.debug'));
  assert.equal(told(diffStripped(old, now)), expected);
  for (const { file } of [old, now])
    move(join(dirname(file), '.debug', 'program.debug'), join(root, dirname(realpathSync(file)), 'program.debug'));
  assert.equal(told(diffStripped(old, now, [root])), expected);
  for (const { file } of [old, now]) {
    const { buildId } = debugWishOf(openParts(readFileSync(file), file).sections);
    const place = join(root, '.build-id', buildId!.slice(0, 2), `${buildId!.slice(2)}.debug`);
    move(join(root, dirname(realpathSync(file)), 'program.debug'), place);
  }
  assert.equal(told(diffStripped(old, now, [root])), expected);
});

test('a debug file of another build is passed over, and without one there are no symbols', () => {
  const { old, new: now } = stripPair('layout.c', { flags: ['-DPADDING'] });
  copyFileSync(now.debug, old.debug);
  assert.throws(
    () => diffStripped(old, now),
    (error: unknown) =>
      error instanceof ElfError && error.code === 'SYMTAB_MISSING' && /debug file/.test(error.message),
  );
});

test('without a build id the CRC decides', () => {
  const { old, new: now } = stripPair('layout.c', { flags: ['-DPADDING'], new: ['-Wl,--build-id=none'] });
  assert.equal(told(diffStripped(old, now)), ['LAYOUT_CHANGED struct request']);
  copyFileSync(old.debug, now.debug);
  assert.throws(
    () => diffStripped(old, now),
    (error: unknown) => error instanceof ElfError && error.code === 'SYMTAB_MISSING',
  );
});

test('the command takes them by name, and refuses the wrong one with both build ids', () => {
  const { old, new: now } = stripPair('layout.c', { flags: ['-DRENUMBER'] });
  const elsewhere = join(scratchFolder(), 'elsewhere.debug');
  move(old.debug, elsewhere);
  const run = (...words: string[]) => {
    const output = join(scratchFolder(), 'never.drift');
    return spawnSync(process.execPath, [cli, 'diff', old.file, now.file, '-o', output, ...words], { encoding: 'utf8' });
  };
  assert.is(run().status, 2);
  const right = run('--old-debug', elsewhere);
  assert.is(right.status, 4);
  assert.match(right.stderr, /LAYOUT_CHANGED: enum state/);
  const wrong = run('--old-debug', now.debug);
  assert.is(wrong.status, 2);
  assert.match(
    wrong.stderr,
    /^planner: .*program\.debug: the debug file belongs to another file: build id: expected [0-9a-f]+, which .*\n$/,
  );
});

test('what dwz takes out of several files is read as well', () => {
  if (spawnSync('dwz', ['--version']).error) {
    console.log('  skipped: no dwz on this machine');
    return;
  }
  const { old, new: now } = stripPair('layout.c', { flags: ['-DMEMBER'] });
  const shared = join(scratchFolder(), 'shared.debug');
  const done = spawnSync('dwz', ['-m', shared, old.debug, now.debug], { encoding: 'utf8' });
  assert.is(done.status, 0, done.stderr);
  const link = openParts(readFileSync(now.debug), now.debug).sections.some(({ name }) => name === '.gnu_debugaltlink');
  assert.ok(link, 'dwz found nothing to share');
  assert.equal(told(diffStripped(old, now)), ['LAYOUT_CHANGED struct request']);
  renameSync(shared, `${shared}.gone`);
  assert.throws(
    () => diffStripped(old, now),
    (error: unknown) =>
      error instanceof ElfError &&
      /\.gnu_debugaltlink: expected the file with build id \w+, found none at/.test(error.message),
  );
});

test.run();
