// SPDX-License-Identifier: MIT
// timeout: 400
/** `planner build` over a small project: what is written, what is refused, and that nothing is left behind. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outputNames } from '../../planner/build/outputs.js';
import { readPatch } from '../../planner/index.js';
import { scratchFolder } from './helpers.js';

const test = suite('build');
const cli = fileURLToPath(new URL('../../planner/planner.js', import.meta.url));
const project = fileURLToPath(new URL('../../../tests/planner/fixtures/project', import.meta.url));
const home = scratchFolder();
const temporary = join(home, 'tmp');
mkdirSync(temporary);
const env = { ...process.env, TMPDIR: temporary, NO_COLOR: '1' };

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `planner build` in a new folder, where its output goes. */
function run(args: readonly string[], cwd = folder()): Run & { readonly cwd: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'build', ...args], {
    cwd,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr, cwd };
}

let folders = 0;
function folder(): string {
  const path = join(home, `run-${folders++}`);
  mkdirSync(path);
  return path;
}

const fix = (name: string) => ['--patch', join(project, `${name}.patch`), '--source', project];
const patchIn = (cwd: string, name: string) => readPatch(readFileSync(join(cwd, name)));
const tree = () => execFileSync('sh', ['-c', 'find . -type f | sort | xargs sha256sum'], { cwd: project }).toString();
const untouched = tree();

test.after.each(() => {
  assert.equal(readdirSync(temporary), [], 'nothing is left in the folder for temporary files');
  assert.is(tree(), untouched, 'the source is as it was');
});

test('every file that changed gets its patch, and the others get none', () => {
  const { status, stdout, stderr, cwd } = run([...fix('both'), '--', 'make']);
  assert.is(status, 0, stderr);
  assert.equal(readdirSync(cwd).sort(), ['both-hello.drift', 'both-libgreet.so.drift']);
  const [hello, library] = [patchIn(cwd, 'both-hello.drift'), patchIn(cwd, 'both-libgreet.so.drift')];
  assert.equal(
    [hello.name, hello.target.name, hello.functions.map(({ name }) => name)],
    ['both-hello', 'hello', ['repeat']],
  );
  assert.equal([library.target.kind, library.functions.map(({ name }) => name)], ['shared', ['greet']]);
  assert.match(stdout, /^bin\/hello +[0-9a-f]{12} +1 replaced, 0 new +both-hello\.drift$/m);
  assert.match(stderr, /build, before the fix[\s\S]*build, after the fix/);
});

test('-o names the file if there is one, --json says what it is, and a patch of level 0 is understood', () => {
  const { status, stdout, cwd } = run([...fix('library'), '-o', 'one.drift', '--json', '--', 'make']);
  assert.is(status, 0);
  const json = JSON.parse(stdout);
  assert.equal(readdirSync(cwd), ['one.drift']);
  assert.is(patchIn(cwd, 'one.drift').name, 'one');
  assert.is(json.schema, 1);
  assert.equal(
    json.targets.map(({ target, output }: { target: { path: string }; output: string }) => [target.path, output]),
    [['lib/libgreet.so', 'one.drift']],
  );
  assert.equal(json.unchanged.sort(), ['bin/hello', 'bin/other']);
});

test('one output for two files is an error, unless one is picked', () => {
  const both = run([...fix('both'), '-o', 'one.drift', '--', 'make']);
  assert.is(both.status, 2);
  assert.match(both.stderr, /one file, but 2 are to be written/);
  assert.equal(readdirSync(both.cwd), []);
  const one = run([...fix('both'), '-o', 'out/', '--target', 'hello', '--', 'make']);
  assert.is(one.status, 0, one.stderr);
  assert.equal(readdirSync(join(one.cwd, 'out')), ['both-hello.drift']);
});

test('a fix that changes nothing that runs is status 3', () => {
  const { status, stderr, cwd } = run([...fix('comment'), '--', 'make']);
  assert.is(status, 3);
  assert.match(stderr, /nothing that runs differs/);
  assert.equal(readdirSync(cwd), []);
});

test('if one file is refused, none gets a patch: status 4', () => {
  const refused = run([...fix('refused'), '--', 'make']);
  assert.is(refused.status, 4, refused.stderr);
  assert.match(refused.stderr, /refused: lib\/libgreet\.so: DATA_CHANGED/);
  assert.match(refused.stdout, /bin\/hello .*not written/);
  assert.equal(readdirSync(refused.cwd), []);
});

test('a patch that does not apply is named with its file and hunk', () => {
  const { status, stderr } = run([...fix('elsewhere'), '--', 'make']);
  assert.is(status, 2);
  assert.match(stderr, /elsewhere\.patch: the patch does not apply: src\/greet\.c: hunk 1 at line 10; make/);
  assert.not.match(stderr, /build, before/, 'nothing was built for it');
  const missing = run(['--patch', 'nothing.patch', '--source', project, '--', 'make']);
  assert.is(missing.status, 2);
  assert.match(missing.stderr, /nothing\.patch: the patch cannot be read/);
});

test('a build that fails shows its last lines', () => {
  const { status, stderr } = run([...fix('broken'), '--', 'make']);
  assert.is(status, 2);
  assert.match(
    stderr,
    /greet\.c:13:\d+: error[\s\S]*planner: make: the build failed: the build after the fix ended with status 2/,
  );
  const none = run([...fix('both'), '--', 'no-such-program']);
  assert.is(none.status, 2);
  assert.match(none.stderr, /no-such-program: a program is missing/);
  const nothing = run([...fix('both'), '--', 'true']);
  assert.is(nothing.status, 2);
  assert.match(nothing.stderr, /no executable and no shared library/);
});

test('without -g the message says where to put it', () => {
  const { status, stderr } = run([...fix('library'), '--', 'make', 'CFLAGS=-O2']);
  assert.is(status, 0);
  assert.match(stderr, /libgreet\.so has no debugging information.*CFLAGS="-g -O2"/);
});

test('--check-reproducible names the file, the section and what differs', () => {
  const { status, stderr } = run([...fix('library'), '--check-reproducible', '--', 'make', 'STAMP=1']);
  assert.is(status, 2);
  assert.match(stderr, /bin\/hello: \.rodata\+0x[0-9a-f]+: "built at [^"]+" and "built at [^"]+"/);
  const good = run([...fix('library'), '--check-reproducible', '--', 'make']);
  assert.is(good.status, 0, good.stderr);
  assert.match(good.stderr, /two builds before the fix are the same/);
});

test('SOURCE_DATE_EPOCH is set, and both builds are in the same folder', () => {
  const shown = run([...fix('library'), '--verbose', '--', 'sh', '-c', 'echo "at $SOURCE_DATE_EPOCH $PWD"; make']);
  const places = shown.stderr.split('\n').filter((line) => line.startsWith('  at '));
  assert.is(places.length, 2);
  assert.is(places[0], places[1]);
  assert.match(places[0]!, /^ {2}at 1\d{9} \S*driftpatch-build-\w+\/source$/);
});

test('objects of an earlier build are refused, unless there is a command that removes them', () => {
  const copy = join(folder(), 'project');
  cpSync(project, copy, { recursive: true });
  execFileSync('make', ['-s', '-C', copy]);
  const made = readFileSync(join(copy, 'bin/hello'));
  const words = ['--patch', join(project, 'both.patch'), '--source', copy];
  const stale = run([...words, '--', 'make']);
  assert.is(stale.status, 2);
  assert.match(stale.stderr, /objects of an earlier build: 1 such as src\/greet\.o/);
  const clean = run([...words, '--clean', 'make clean', '--', 'make']);
  assert.is(clean.status, 0, clean.stderr);
  assert.ok(readFileSync(join(copy, 'bin/hello')).equals(made), 'the build was not in the source folder');

  const [hello, library] = [join(copy, 'bin/hello'), join(copy, 'lib/libgreet.so')];
  const running = run([...words, '--clean', 'make clean', '--running', hello, '--running', library, '--', 'make']);
  assert.is(running.status, 0, running.stderr);
  const buildId = /Build ID: (\w+)/.exec(execFileSync('readelf', ['-n', hello], { encoding: 'utf8' }))![1];
  assert.is(patchIn(running.cwd, 'both-hello.drift').target.buildId, buildId);
  const other = run([...words, '--clean', 'make clean', '--running', hello, '--', 'make', 'CFLAGS=-O1 -g']);
  assert.is(other.status, 2);
  assert.match(other.stderr, /bin\/hello is not what this source and this command give.*repeat/);
});

test('a configured CMake folder is refused, and a build that writes into the source is found out', () => {
  const copy = join(folder(), 'project');
  cpSync(project, copy, { recursive: true });
  const words = ['--patch', join(project, 'both.patch'), '--source', copy];
  const wrote = run([...words, '--', 'sh', '-c', `make && touch ${copy}/touched`]);
  assert.is(wrote.status, 2);
  assert.match(wrote.stderr, /project\/touched: the build wrote into the source folder/);
  writeFileSync(join(copy, 'CMakeCache.txt'), '');
  const configured = run([...words, '--', 'make']);
  assert.is(configured.status, 2);
  assert.match(configured.stderr, /CMakeCache\.txt: the source folder cannot be used/);
});

test('--build-folder gives equal bytes in every run, and must be new', () => {
  const place = join(home, 'place');
  const words = [...fix('library'), '-o', 'x.drift', '--build-folder', place, '--', 'make'];
  const [one, two] = [run(words), run(words)];
  assert.is(one.status, 0, one.stderr);
  assert.ok(readFileSync(join(one.cwd, 'x.drift')).equals(readFileSync(join(two.cwd, 'x.drift'))));
  assert.not.ok(existsSync(place));
  mkdirSync(place);
  const taken = run(words);
  assert.is(taken.status, 2);
  assert.match(taken.stderr, /expected a path where nothing is yet/);
  assert.ok(existsSync(place), 'what is there stays');
  rmSync(place, { recursive: true });
});

/** Starts a build that takes long, waits until it is at it, and sends the signal. */
async function interrupted(signal: NodeJS.Signals) {
  const words = [cli, 'build', ...fix('both'), '--', 'sh', '-c', 'echo started; exec sleep 987'];
  const child = spawn(process.execPath, [...words.slice(0, 2), '--verbose', ...words.slice(2)], { cwd: folder(), env });
  let stderr = '';
  await new Promise<void>((begun) => {
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (/^ {2}started$/m.test(stderr)) begun();
    });
  });
  const ended = new Promise<number | string | null>((done) => child.once('exit', (code, name) => done(code ?? name)));
  child.kill(signal);
  return { status: await ended, stderr };
}

const sleepers = () =>
  spawnSync('pgrep', ['-f', '^sleep 987$'], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);

test('ctrl-C ends the build and leaves nothing', async () => {
  const { status } = await interrupted('SIGINT');
  assert.is(status, 130);
  assert.equal(sleepers(), []);
});

test('even SIGKILL leaves no more than the one folder that was named', async () => {
  const { stderr } = await interrupted('SIGKILL');
  const named = /work in (\S+),/.exec(stderr)![1]!;
  assert.equal(
    readdirSync(temporary).map((name) => join(temporary, name)),
    [named],
  );
  for (const pid of sleepers()) process.kill(Number(pid));
  rmSync(named, { recursive: true });
});

test('wrong usage is status 2', () => {
  for (const args of [[], ['--patch', 'x'], ['--', 'make'], [...fix('both'), '--strip', 'x', '--', 'make']])
    assert.is(run(args).status, 2, args.join(' '));
  assert.is(run([...fix('both'), '--target', 'nobody', '--', 'make']).status, 2);
  assert.is(run(['--patch', join(project, 'both.patch'), '--source', 'nowhere', '--', 'make']).status, 2);
});

test('names: of the fix and the target, short enough, and never twice', () => {
  assert.equal(outputNames('fixes/a.patch', ['src/x', 'lib/y.so.1']), ['a-x.drift', 'a-y.so.1.drift']);
  assert.equal(outputNames('a.diff', ['one/x', 'two/x']), ['a-one-x.drift', 'a-two-x.drift']);
  const long = outputNames(`${'f'.repeat(100)}.patch`, ['a b', 'a/b']);
  assert.ok(long.every((name) => name.length <= 64 + '.drift'.length && /^f+-(a-b|b)\.drift$/.test(name)));
  const same = outputNames('f', ['x/a-b', 'x-a/b', 'x a/b']);
  assert.is(new Set(same).size, 3);
});

test.run();
