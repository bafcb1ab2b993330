// SPDX-License-Identifier: MIT
/** Variables of other objects that the linker copied into the new file, and not into the old one: their addresses are fine. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePair, diffPair } from './helpers.js';
import { runPatched } from './patched.js';

const test = suite('copied');

const copies = (file: string) =>
  [...execFileSync('readelf', ['-rW', file], { encoding: 'utf8' }).matchAll(/R_X86_64_COPY\s+\w+ (\S+)@/g)]
    .map(([, name]) => name!)
    .sort();

for (const level of ['-O0', '-O1', '-O2'])
  test(`a stream, and a type that is thrown and derived from (${level})`, async () => {
    const pair = compilePair('copied.cpp', { flags: [level] });
    const fresh = copies(pair.newPath).filter((name) => !copies(pair.oldPath).includes(name));
    assert.equal(fresh, ['_ZSt4cout', '_ZTISt13runtime_error']);
    const { patch, refusals } = diffPair(pair);
    assert.equal(refusals, []);
    const wanted = execFileSync(pair.newPath, { encoding: 'utf8' });
    assert.is(wanted, '1\n2\nrefused\n-1\ntoo large\n-1\n');
    assert.is.not(execFileSync(pair.oldPath, { encoding: 'utf8' }), wanted);
    assert.is(await runPatched(pair.oldPath, patch!), wanted);
  });

test('a program at fixed addresses has no room for an address that is far away', () => {
  const pair = compilePair('copied.cpp', { flags: ['-O1', '-fno-pie', '-no-pie'] });
  assert.ok(diffPair(pair).refusals.some(({ code }) => code === 'IMPORT_NEW'));
  assert.is(diffPair(pair).patch, null);
});

test.run();
