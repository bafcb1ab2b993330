// SPDX-License-Identifier: MIT
// timeout: 400
/** Bad input: one clear line and status 2, in bounded time, and no file is written. Through the library and the command. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diff } from '../../planner/index.js';
import { isPrintable } from '../../planner/printable.js';
import { compilePair, scratchFolder } from './helpers.js';

const test = suite('bad-input');
const cli = fileURLToPath(new URL('../../planner/planner.js', import.meta.url));
const pair = compilePair('program.c', { new: ['-DONE=1', '-DSHIFT'] });
const folder = join(scratchFolder(), 'output');
mkdirSync(folder);

/** What the command took at most, in MiB, is written there when it ends. */
const peakFile = join(scratchFolder(), 'peak');
const hook = `data:text/javascript,${encodeURIComponent(
  `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(${JSON.stringify(peakFile)}, String(process.resourceUsage().maxRSS / 1024)));`,
)}`;
const run = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', hook, cli, ...args], { encoding: 'utf8', timeout: 60_000 });
const peak = () => Number(readFileSync(peakFile, 'utf8'));
const file = (name: string, bytes: Uint8Array | string) => {
  const path = join(scratchFolder(), name);
  writeFileSync(path, bytes);
  return path;
};
const patched = (at: number, ...values: number[]) => {
  const bytes = Uint8Array.from(pair.new);
  bytes.set(values, at);
  return bytes;
};

const inputs: readonly [string, () => string, RegExp][] = [
  ['empty', () => file('empty', ''), /not an ELF file.*empty/],
  ['a script', () => file('script', '#!/bin/sh\nexit 0\n'), /not an ELF file.*23212f62/],
  ['a directory', () => folder, /not a regular file.*directory/],
  ['missing', () => join(folder, 'nothing'), /cannot be read: ENOENT/],
  ['truncated in the header', () => file('header', pair.new.slice(0, 40)), /ends too early/],
  ['truncated in the middle', () => file('middle', pair.new.slice(0, pair.new.length / 2)), /ends too early/],
  ['32-bit', () => file('class', patched(4, 1)), /not a 64-bit file/],
  ['big-endian', () => file('endian', patched(5, 2)), /not a little-endian file/],
  ['ARM', () => file('machine', patched(18, 183, 0)), /not for x86-64/],
  ['a core file', () => file('core', patched(16, 4, 0)), /core file/],
  ['an object file', () => file('object', patched(16, 1, 0)), /relocatable object/],
  ['stripped', () => stripped(), /no symbol table.*before `strip`/],
  [
    'without a build id',
    () => compilePair('refuse-other.c', { flags: ['-Wl,--build-id=none'] }).oldPath,
    /no build id/,
  ],
  [
    'a symbol that would write on the terminal',
    () => escaping(),
    /a symbol is wrong.*without control.*found co\\u\{1b\}nt/,
  ],
  ['a section that would', () => escapingSection(), /a section is wrong/],
  ['a pipe', () => pipe(), /not a regular file/],
  ['2 GiB of zeros', () => sparse('zeros', ''), /not an ELF file/],
  ['2 GiB behind a good header', () => sparse('large', pair.new), /too large: expected at most 1073741824 bytes/],
  ['a core file that was dumped', () => dumped(), /core file/],
  ['another program', () => compilePair('unwind.cpp', { flags: ['-DOTHER'] }).oldPath, /not builds of one program/],
  [
    'a shared library for a program',
    () => compilePair('program.c', { flags: ['-shared', '-fPIC'] }).oldPath,
    /not builds of one program.*shared/,
  ],
];

function stripped(): string {
  const path = join(scratchFolder(), 'stripped');
  spawnSync('strip', ['-o', path, pair.newPath]);
  return path;
}

/** The name of the function `count` with an escape in its middle. */
function escaping(): string {
  const bytes = Uint8Array.from(pair.new);
  bytes[Buffer.from(bytes).lastIndexOf('\0count\0') + 3] = 0x1b;
  return file('escaping', bytes);
}

/** A section name with one, and something else that is wrong with that section. */
function escapingSection(): string {
  const bytes = Uint8Array.from(pair.new);
  const fields = new DataView(bytes.buffer);
  const text = Buffer.from(bytes).lastIndexOf('\0.text\0');
  bytes[text + 3] = 0x1b;
  const headers = Number(fields.getBigUint64(40, true));
  for (let at = headers; at < headers + fields.getUint16(60, true) * 64; at += 64)
    fields.setBigUint64(at + 48, 3n, true);
  return file('escaping-section', bytes);
}

function pipe(): string {
  const path = join(scratchFolder(), 'pipe');
  spawnSync('mkfifo', [path]);
  return path;
}

function sparse(name: string, start: Uint8Array | string): string {
  const path = file(name, start);
  truncateSync(path, 2 ** 31);
  return path;
}

/** A core file as the kernel's: type 4, program headers, no sections. */
function dumped(): string {
  const bytes = Uint8Array.from(pair.new);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(16, 4, true);
  fields.setBigUint64(40, 0n, true);
  fields.setUint16(60, 0, true);
  return file('dumped', bytes);
}

for (const [title, make, message] of inputs) {
  test(`${title}: one line, status 2, no file`, () => {
    const path = make();
    const output = join(folder, 'x.drift');
    for (const args of [
      [path, pair.newPath],
      [pair.oldPath, path],
    ]) {
      if (title === 'without a build id' && args[1] === path) continue;
      const { status, stderr, stdout } = run('diff', args[0]!, args[1]!, '-o', output);
      assert.is(status, 2, stderr);
      assert.match(stderr, message);
      assert.is(stderr.trimEnd().split('\n').length, 1, stderr);
      assert.is(stdout, '');
      assert.ok(isPrintable(stderr.trimEnd()), JSON.stringify(stderr));
      assert.ok(peak() < 400, `it took ${peak()} MiB`);
    }
    assert.equal(readdirSync(folder), []);
  });
}

test('the version of an import is printable whatever the file says', () => {
  const damage = (bytes: Uint8Array) => {
    const copy = Uint8Array.from(bytes);
    copy[Buffer.from(copy).indexOf('GLIBC_2.2.5\0') + 8] = 0x1b;
    return copy;
  };
  const { imports } = diff(damage(pair.old), damage(pair.new), { oldName: 'old', newName: 'new' });
  assert.ok(
    imports.some((name) => name.includes('@GLIBC_2.\\u{1b}.5')),
    imports.join(),
  );
  assert.ok(imports.every(isPrintable));
});

test('statuses: 0 written, 3 the same, 4 refused, 2 usage', () => {
  const output = join(folder, 'y.drift');
  assert.is(run('diff', pair.oldPath, pair.newPath, '-o', output).status, 0);
  assert.ok(existsSync(output));
  assert.is(run('inspect', output).status, 0);
  const same = run('diff', pair.oldPath, pair.oldPath, '-o', join(folder, 'same.drift'));
  assert.is(same.status, 3);
  assert.match(same.stderr, /do not differ/);
  const layout = compilePair('layout.c', { flags: ['-DMEMBER'] });
  const refused = run('diff', layout.oldPath, layout.newPath, '-o', join(folder, 'refused.drift'));
  assert.is(refused.status, 4);
  assert.match(refused.stderr, /LAYOUT_CHANGED: struct request: member deadline/);
  for (const args of [[], ['diff', 'a'], ['diff', pair.oldPath, pair.newPath], ['build', '--', 'make'], ['nonsense']])
    assert.is(run(...args).status, 2, args.join(' '));
  const allow = run('diff', pair.oldPath, pair.newPath, '-o', output, '--allow', 'IMPORT_NEW');
  assert.is(allow.status, 2);
  assert.match(allow.stderr, /expected one of/);
  assert.is(run('diff', pair.oldPath, pair.newPath, '-o', pair.oldPath).status, 2);
  assert.is(run('diff', pair.oldPath, pair.newPath, '-o', output, '--old-debug', 'x').status, 2);
  assert.equal(readdirSync(folder), ['y.drift']);
});

test('--json prints one object with the fields of the interface', () => {
  const output = join(folder, 'z.drift');
  const { status, stdout } = run('diff', pair.oldPath, pair.newPath, '-o', output, '--json');
  assert.is(status, 0);
  const json = JSON.parse(stdout);
  assert.equal(Object.keys(json), [
    'schema',
    'target',
    'functions',
    'data',
    'imports',
    'refusals',
    'notes',
    'output',
    'timing',
  ]);
  assert.equal(Object.keys(json.functions[0]), ['name', 'change', 'old', 'new', 'reasons']);
  assert.equal(Object.keys(json.timing), ['totalMs', 'compareMs', 'textBytes']);
  assert.is(json.output, output);
  assert.is(json.target.kind, 'pie');
  const refused = run(
    'diff',
    compilePair('layout.c', { flags: ['-DMEMBER'] }).oldPath,
    compilePair('layout.c', { flags: ['-DMEMBER'] }).newPath,
    '-o',
    output,
    '--json',
  );
  assert.is(JSON.parse(refused.stdout).output, null);
  assert.is(refused.stderr, '');
});

test.run();
