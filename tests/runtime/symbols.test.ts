// SPDX-License-Identifier: MIT
/** What debuggers and profilers are told of new code: an ELF file that readelf takes without a word, and perf's map. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RuntimeError } from '../../runtime/errors.js';
import { symbolFile } from '../../runtime/symbols/elf.js';
import { mergedPerfMap, writePerfMap } from '../../runtime/symbols/perf-map.js';
import type { ProcessSymbols } from '../../runtime/symbols/symbols.js';
import { Workshop } from './live.js';

const folder = mkdtempSync(join(tmpdir(), 'driftpatch-symbols-'));
const workshop = new Workshop();
test.after(() => {
  rmSync(folder, { recursive: true });
  workshop.clear();
});

const ARENA = 0x5555_0000_0000;
const SYMBOLS = [
  { name: 'outer', start: ARENA + 0x1000, size: 0x40 },
  { name: 'helper', start: ARENA + 0x1040, size: 0x10 },
];
const found = (pid: number): ProcessSymbols => ({
  pid,
  innerPid: pid,
  patches: [{ patch: 'fix', start: ARENA, end: ARENA + 0x3000, symbols: SYMBOLS, elf: null }],
});

test('readelf finds functions and frames at their run-time addresses, and nothing to complain about', () => {
  // a CIE without augmentation, and the end
  const bytes = Buffer.from('10000000000000000100017810' + '0c070890010000' + '00000000', 'hex');
  const file = join(folder, 'code.elf');
  writeFileSync(file, symbolFile({ symbols: SYMBOLS, frames: { start: ARENA + 0x2000, bytes } }));
  const { stdout, stderr, status } = spawnSync('readelf', ['-W', '-h', '-S', '-s', '--debug-dump=frames', file], {
    encoding: 'utf8',
  });
  assert.is(status, 0);
  assert.is(stderr, '');
  assert.match(stdout, /0000555500001000 +64 FUNC +GLOBAL DEFAULT +1 outer\n/);
  assert.match(stdout, /0000555500001040 +16 FUNC +GLOBAL DEFAULT +1 helper\n/);
  assert.match(stdout, /\.text +NOBITS +0000555500001000 \w+ 000050/);
  assert.match(stdout, /\.eh_frame +PROGBITS +0000555500002000/);
  assert.match(stdout, /CIE/);
});

test('without frame descriptions there is no section for them', () => {
  const file = join(folder, 'bare.elf');
  writeFileSync(file, symbolFile({ symbols: SYMBOLS, frames: null }));
  const sections = execFileSync('readelf', ['-W', '-S', '-s', file], { encoding: 'utf8' });
  assert.not.match(sections, /eh_frame/);
  assert.match(sections, /FUNC +GLOBAL DEFAULT +1 outer\n/);
});

test("what others have written into perf's map stays, what it said of the arena goes", () => {
  const before = `1000 20 compiled just in time\n${(ARENA + 0x1000).toString(16)} 8 old\n`;
  assert.is(
    mergedPerfMap(before, found(1)),
    '1000 20 compiled just in time\n555500001000 40 outer\n555500001040 10 helper\n',
  );
});

test("perf's map is written where the process has its /tmp, and a link there is not followed", async () => {
  const program = workshop.compile(
    'sleeper',
    '#include <stdio.h>\nint main(void) { puts("up"); fflush(stdout); getchar(); }',
  );
  const { pid } = await workshop.run(program);
  const map = `/tmp/perf-${pid}.map`;
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'mine\n');
  try {
    assert.is(writePerfMap(found(pid)), map);
    assert.is(readFileSync(map, 'utf8'), '555500001000 40 outer\n555500001040 10 helper\n');
    rmSync(map);
    symlinkSync(victim, map);
    assert.throws(
      () => writePerfMap(found(pid)),
      (error: unknown) => error instanceof RuntimeError && error.code === 'FILE_UNWRITABLE',
    );
    assert.is(readFileSync(victim, 'utf8'), 'mine\n');
  } finally {
    if (existsSync(map)) rmSync(map);
  }
});

test.run();
