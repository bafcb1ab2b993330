// SPDX-License-Identifier: MIT
/** What a reviewer sees of a patch file: its facts, and old and new code side by side. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Patch, PatchFileError, readPatch, writePatch } from '../../planner/index.js';
import { disassemble } from '../../planner/inspect/disassemble.js';
import { piecesOf } from '../../planner/inspect/pieces.js';
import { patchText } from '../../planner/inspect/report.js';
import { align, type Row, sideBySide } from '../../planner/inspect/side-by-side.js';
import { type Build, compilePair, diffPair, scratchFolder } from './helpers.js';

const test = suite('inspect');

const patchOf = (source: string, build: Build): Patch =>
  readPatch(writePatch(diffPair(compilePair(source, build)).patch!));

function rowsOf(patch: Patch, name: string): Row[] {
  const { old, new: now } = piecesOf(patch).find((piece) => piece.name === name)!;
  return align(disassemble(old!), disassemble(now!));
}

const changed = (rows: readonly Row[]) =>
  rows.filter(({ mark }) => mark !== ' ').map((row) => `${row.old?.text ?? ''} ${row.mark} ${row.new?.text ?? ''}`);
const tidy = (text: string) => text.replace(/ +/g, ' ');

test('one instruction that differs is the one line with a mark, however far everything has moved', () => {
  const patch = patchOf('program.c', { new: ['-DONE=1', '-DSHIFT'] });
  const [{ name }] = patch.functions as [Patch['functions'][number]];
  assert.equal(changed(rowsOf(patch, name)).map(tidy), ['mov $0x408,%esi | mov $0x808,%esi']);
});

test('a text that differs is shown with its words on both sides', () => {
  const patch = patchOf('program.c', { new: ['-DONE=2'] });
  const lines = patch.functions.flatMap(({ name }) => changed(rowsOf(patch, name)));
  assert.ok(
    lines.some((line) => /".*" ?\(%rip\).* \| .*".*"\(%rip\)/.test(line)),
    lines.join('\n'),
  );
});

test('branches within a function are the same if they lead to lines that are beside each other', () => {
  const patch = patchOf('library.c', { flags: ['-fPIC', '-shared'] });
  for (const { name } of patch.functions)
    for (const { old, new: now, mark } of rowsOf(patch, name)) {
      if (mark !== ' ') continue;
      assert.is(old!.key, now!.key);
      assert.is(old!.target === null, now!.target === null);
    }
});

test('calls and variables have names in old and in new code', () => {
  const patch = patchOf('library.c', { flags: ['-fPIC', '-shared'] });
  const text = sideBySide(piecesOf(patch), { width: 140, colour: false });
  assert.match(tidy(text), /mov buffer\(%rip\)|lea buffer\(%rip\)/);
  assert.match(tidy(text), /(call|jmp) helper\b.*(call|jmp)? /);
});

test('every instruction of both sides is there once, in its order', () => {
  const patch = patchOf('library.c', { flags: ['-fPIC', '-shared'] });
  for (const piece of piecesOf(patch)) {
    const [old, now] = [piece.old, piece.new].map((code) => (code === null ? [] : disassemble(code))) as [[], []];
    const rows = align(old, now);
    assert.equal(
      rows.flatMap((row) => row.old ?? []),
      old,
    );
    assert.equal(
      rows.flatMap((row) => row.new ?? []),
      now,
    );
  }
});

test('a new function has a right side only', () => {
  const patch = patchOf('library.c', { flags: ['-fPIC', '-shared'] });
  const piece = piecesOf(patch).find(({ name }) => name === 'extra')!;
  assert.is(piece.old, null);
  assert.match(sideBySide([piece], { width: 80, colour: false }), /^extra: nothing → \d+ bytes\n +> +0 {2}/);
});

test('no line is wider than the terminal, and there is colour only where it is wanted', () => {
  const pieces = piecesOf(patchOf('library.c', { flags: ['-fPIC', '-shared'] }));
  for (const width of [60, 81, 140]) {
    const lines = sideBySide(pieces, { width, colour: false }).split('\n');
    assert.equal(
      lines.filter((line) => line.length > width && !/ → /.test(line)),
      [],
    );
  }
  const start = String.fromCharCode(27);
  assert.not.ok(sideBySide(pieces, { width: 80, colour: false }).includes(start));
  assert.ok(sideBySide(pieces, { width: 80, colour: true }).includes(start));
});

test('the text names target, functions, data, imports, bindings, notes and the hash', () => {
  const result = diffPair(compilePair('library.c', { flags: ['-fPIC', '-shared', '-g0'] }));
  const text = patchText(readPatch(writePatch(result.patch!)), 'abc123');
  for (const line of [
    /^fix, made by driftpatch \S+$/m,
    /^ {2}sha256 {3}abc123$/m,
    /^ {2}for {6}program \(shared, build id [0-9a-f]+\)$/m,
    /^ {2}replaces compute {2}\d+ → \d+ bytes, at 0x[0-9a-f]+ with \d+ bytes of room$/m,
    /^ {2}adds {5}extra {2}\d+ bytes$/m,
    /^ {2}carries {2}\.bss\.\S+ {2}\d+ bytes, variable, zero$/m,
    /^ {2}imports {2}snprintf@GLIBC_\S+$/m,
    /^ {2}binds {4}total {2}0x[0-9a-f]+$/m,
    /^ {2}note {5}LAYOUT_UNCHECKED: /m,
  ])
    assert.match(text, line);
});

test('the command prints it, and the same for programs, without any other tool', () => {
  const result = diffPair(compilePair('program.c', { new: ['-DONE=1'] }));
  const file = join(scratchFolder(), 'inspect.drift');
  const bytes = writePatch(result.patch!);
  writeFileSync(file, bytes);
  const cli = fileURLToPath(new URL('../../planner/planner.js', import.meta.url));
  const run = (...words: string[]) =>
    execFileSync(process.execPath, [cli, 'inspect', file, ...words], { encoding: 'utf8', env: { PATH: '/nowhere' } });
  const hash = createHash('sha256').update(bytes).digest('hex');
  assert.match(run(), new RegExp(`^ {2}sha256 {3}${hash}$`, 'm'));
  assert.match(tidy(run('--disasm')), /mov \$0x408,%esi \| \w+ mov \$0x808,%esi/);
  const json = JSON.parse(run('--json', '--disasm'));
  assert.is(json.sha256, hash);
  const marks = json.disassembly.flatMap(({ rows }: { rows: { mark: string }[] }) => rows.map(({ mark }) => mark));
  assert.equal(
    marks.filter((mark: string) => mark !== ' '),
    ['|'],
  );
  assert.is(JSON.parse(run('--json')).disassembly, undefined);
});

test('old code that is of no replaced function is not believed', () => {
  const patch = diffPair(compilePair('program.c', { new: ['-DONE=1'] })).patch!;
  const [one] = patch.original as [Patch['original'][number]];
  assert.throws(
    () => readPatch(writePatch({ ...patch, original: [{ ...one, code: one.code.slice(1) }] })),
    (error: unknown) =>
      error instanceof PatchFileError &&
      error.code === 'DAMAGED' &&
      /old code of a replaced function/.test(error.message),
  );
});

test.run();
