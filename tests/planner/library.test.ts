// SPDX-License-Identifier: MIT
// timeout: 400
/** The planner as others use it: from its package, with its types, several at once, and in a build tool. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diff, readPatch, writePatch } from '../../planner/index.js';
import { compilePair, scratchFolder } from './helpers.js';

const test = suite('library');
const root = fileURLToPath(new URL('../../../', import.meta.url));
const pairs = [
  compilePair('program.c', { new: ['-DONE=7', '-DSHIFT'] }),
  compilePair('library.c', { flags: ['-fPIC', '-shared'] }),
  compilePair('program.c', { new: ['-DONE=2'] }),
];
const patchOf = ({ old, new: now }: { old: Uint8Array; new: Uint8Array }) =>
  writePatch(diff(old, now, { oldName: 'program', name: 'fix' }).patch!);

/** The package as npm would install it: what it packs, with its dependencies beside it. */
function install(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  execFileSync('tar', ['-xf', join(folder, JSON.parse(packed)[0].filename), '-C', folder]);
  cpSync(join(folder, 'package'), join(modules, 'driftpatch'), { recursive: true });
  for (const name of ['elfy', 'endian-reader']) symlinkSync(join(root, 'node_modules', name), join(modules, name));
}

const consumer = join(scratchFolder(), 'consumer');
install(consumer);

test('a consumer compiles against the package, with the library’s types checked as well', () => {
  writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(consumer, 'use.ts'),
    `import { diff, PlannerError, readPatch, writePatch, type DiffResult, type Patch } from 'driftpatch/planner';
export function patch(old: Uint8Array, now: Uint8Array): Uint8Array | null {
  const result: DiffResult = diff(old, now, { name: 'fix', allow: [{ code: 'DATA_CHANGED', symbol: 'limit' }] });
  for (const { code, symbol, message } of result.refusals) void \`\${code} \${symbol} \${message}\`;
  if (result.patch === null) return null;
  const back: Patch = readPatch(writePatch(result.patch));
  return back.functions.length > 0 ? writePatch(back) : null;
}
export const placeOf = (error: unknown): string | null => (error instanceof PlannerError ? error.place : null);
// @ts-expect-error: a file offset is no link-time address
import { fileOffset, linkAddress } from 'driftpatch/planner'; const wrong: ReturnType<typeof linkAddress> = fileOffset(1);
void wrong;
`,
  );
  const options = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2023',
    '--skipLibCheck',
    'false',
  ];
  const words = [join(root, 'node_modules/typescript/bin/tsc'), ...options, '--types', '', '--outDir', 'out', 'use.ts'];
  const { status, stdout } = spawnSync(process.execPath, words, { cwd: consumer, encoding: 'utf8' });
  assert.is(status, 0, stdout);
});

test('the package alone runs, in another folder, and gives the same bytes', () => {
  const pair = pairs[0]!;
  const script = `import { diff, writePatch } from 'driftpatch/planner';
import { readFileSync, writeFileSync } from 'node:fs';
const [old, now] = process.argv.slice(1, 3).map((path) => readFileSync(path));
writeFileSync('fix.drift', writePatch(diff(old, now, { oldName: 'program', name: 'fix' }).patch));`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script, pair.oldPath, pair.newPath], {
    cwd: consumer,
    env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', SOURCE_DATE_EPOCH: '1' },
  });
  assert.ok(readFileSync(join(consumer, 'fix.drift')).equals(patchOf(pair)));
});

test('no call knows of another: the same bytes in any order', () => {
  const alone = pairs.map(patchOf);
  for (const order of [
    [2, 1, 0],
    [0, 0, 1],
    [1, 2, 1],
  ])
    for (const i of order) assert.equal(patchOf(pairs[i]!), alone[i]);
});

test('bytes may lie anywhere in a larger buffer, and are not written to', () => {
  const inside = (bytes: Uint8Array) => {
    const larger = new Uint8Array(bytes.length + 24).fill(0xee);
    larger.set(bytes, 13);
    return larger.subarray(13, 13 + bytes.length);
  };
  const pair = pairs[0]!;
  const [old, now] = [inside(pair.old), inside(pair.new)];
  assert.equal(patchOf({ old, new: now }), patchOf(pair));
  assert.ok(Buffer.from(old).equals(pair.old) && Buffer.from(now).equals(pair.new));
  const file = inside(patchOf(pair));
  const patch = readPatch(file);
  file.fill(0);
  assert.equal(writePatch(patch), patchOf(pair), 'a patch that was read keeps nothing of the file');
});

test('several at once, each in a thread of its own', async () => {
  const library = new URL('../../planner/index.js', import.meta.url).href;
  const script = `import { parentPort, workerData } from 'node:worker_threads';
const { diff, writePatch } = await import(workerData.library);
for (let i = 0; i < 5; i++) parentPort.postMessage(writePatch(diff(workerData.old, workerData.new, { oldName: 'program', name: 'fix' }).patch));`;
  const results = await Promise.all(
    pairs.map(
      ({ old, new: now }) =>
        new Promise<Uint8Array[]>((resolve, reject) => {
          const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
            workerData: { library, old, new: now },
          });
          const all: Uint8Array[] = [];
          worker.on('message', (bytes) => all.push(bytes));
          worker.on('error', reject);
          worker.on('exit', () => resolve(all));
        }),
    ),
  );
  results.forEach((all, i) => {
    assert.is(all.length, 5);
    for (const bytes of all) assert.ok(Buffer.from(bytes).equals(patchOf(pairs[i]!)));
  });
});

test('the example makes the patch behind the linker', () => {
  const folder = join(consumer, 'after-link');
  cpSync(join(root, 'examples/after-link'), folder, { recursive: true });
  const make = (...words: string[]) => execFileSync('make', words, { cwd: folder, encoding: 'utf8' });
  make('release');
  const source = readFileSync(join(folder, 'answer.c'), 'utf8');
  const change = (from: string, to: string) => {
    writeFileSync(join(folder, 'answer.c'), source.replace(from, to));
    return make('--always-make');
  };
  assert.match(change('question * 6', 'question * 7'), /modified answer[\s\S]*answer\.drift, \d+ bytes/);
  const drift = join(folder, 'bin/answer.drift');
  assert.is(readPatch(readFileSync(drift)).target.name, 'answer');
  assert.match(change('question * 6', 'question * 6 /* six */'), /nothing that runs differs[\s\S]*no patch/);
  assert.not.ok(existsSync(drift), 'no patch of an earlier build is left');
});

test.run();
