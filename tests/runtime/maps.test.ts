// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mappingAt, parseMaps } from '../../runtime/proc/maps.js';

const TEXT = `55a0c0000000-55a0c0001000 r--p 00000000 fe:01 1234       /usr/bin/some server (deleted)
55a0c0001000-55a0c0003000 r-xp 00001000 fe:01 1234                       /usr/bin/some server (deleted)
7f0000000000-7f0000001000 r-xp 00000000 00:00 0                          [anon:driftpatch]
7f0000001000-7f0000002000 rw-s 00000000 00:01 77                         /memfd:a\\012b (deleted)
7f0000003000-7f0000004000 ---p 00000000 00:00 0 
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;

test('addresses, rights, offset and file are read', () => {
  const [, code] = parseMaps(TEXT);
  assert.equal(code, {
    start: 0x55a0c0001000,
    end: 0x55a0c0003000,
    read: true,
    write: false,
    execute: true,
    private: true,
    offset: 0x1000,
    device: 'fe:01',
    inode: '1234',
    path: '/usr/bin/some server',
    deleted: true,
  } as unknown as typeof code);
});

test('names may be missing, bracketed, escaped', () => {
  assert.equal(
    parseMaps(TEXT).map(({ path }) => path),
    ['/usr/bin/some server', '/usr/bin/some server', '[anon:driftpatch]', '/memfd:a\nb', '', '[stack]'],
  );
});

test('a shared mapping is not private', () => {
  assert.equal(
    parseMaps(TEXT).map((mapping) => mapping.private),
    [true, true, true, false, true, true],
  );
});

test('the vsyscall page, beyond user space, is left out', () => {
  assert.is(
    parseMaps(TEXT).some(({ path }) => path === '[vsyscall]'),
    false,
  );
});

test('a mapping is found by its first and its last byte, and not by the one behind', () => {
  const maps = parseMaps(TEXT);
  assert.is(mappingAt(maps, 0x7f0000000000)?.path, '[anon:driftpatch]');
  assert.is(mappingAt(maps, 0x7f0000000fff)?.path, '[anon:driftpatch]');
  assert.is(mappingAt(maps, 0x7f0000002000), undefined);
});

test('a line of another form is an error that shows it', () => {
  assert.throws(() => parseMaps('55a0c0000000 r--p'), /cannot parse "55a0c0000000 r--p"/);
});

test('the maps of this very process parse', () => {
  const maps = parseMaps(readFileSync('/proc/self/maps', 'utf8'));
  assert.ok(maps.some(({ path, execute }) => path === process.execPath && execute));
});

test.run();
