// SPDX-License-Identifier: MIT
// The machine's apt sources in both notations, and which of them count.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneLineSources, parseDeb822, parseOneLine, readAptSources } from '../../vm/apt-sources.js';

test('one-line sources: options, comments, only deb', () => {
  const text = [
    '# deb http://mirror.example/debian old main',
    'deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main contrib # why',
    'deb-src http://mirror.example/debian bookworm main',
    'deb http://mirror.example/security bookworm-security main',
  ].join('\n');
  assert.equal(parseOneLine(text), [
    {
      uri: 'http://mirror.example/debian',
      suite: 'bookworm',
      components: ['main', 'contrib'],
      signedBy: '/usr/share/keyrings/k.gpg',
    },
    { uri: 'http://mirror.example/security', suite: 'bookworm-security', components: ['main'] },
  ]);
});

test('deb822: several suites and URIs, comments inside, disabled paragraphs', () => {
  const text = [
    'Types: deb deb-src',
    '# http://archive.example/snapshot',
    'URIs: http://mirror.example/debian',
    'Suites: bookworm bookworm-updates',
    'Components: main',
    'Signed-By: /k.gpg',
    '',
    'Types: deb',
    'URIs: http://off.example',
    'Suites: bookworm',
    'Components: main',
    'Enabled: no',
  ].join('\n');
  const common = { uri: 'http://mirror.example/debian', components: ['main'], signedBy: '/k.gpg' };
  assert.equal(parseDeb822(text), [
    { ...common, suite: 'bookworm' },
    { ...common, suite: 'bookworm-updates' },
  ]);
});

test('only the distribution’s own suites count', async () => {
  const etc = mkdtempSync(join(tmpdir(), 'driftpatch-apt-'));
  try {
    mkdirSync(join(etc, 'sources.list.d'));
    writeFileSync(join(etc, 'os-release'), 'ID=debian\nVERSION_CODENAME=bookworm\n');
    const own = 'deb http://mirror.example/debian bookworm main\n';
    writeFileSync(join(etc, 'sources.list'), `${own}deb http://mirror.example/debian bookworm-backports main\n`);
    writeFileSync(join(etc, 'sources.list.d', 'other.list'), 'deb http://other.example bookworm-pgdg main\n');
    const { codename, sources } = await readAptSources(etc, join(etc, 'os-release'));
    assert.is(codename, 'bookworm');
    assert.is(oneLineSources(sources, 'deb'), own);
    assert.is(oneLineSources(sources, 'deb-src'), own.replace('deb', 'deb-src'));
  } finally {
    rmSync(etc, { recursive: true });
  }
});

test('a machine without apt is named as such', async () => {
  const error = await readAptSources('/nonexistent', '/nonexistent').catch((caught) => caught);
  assert.is(error.code, 'NO_APT');
});

test.run();
