// SPDX-License-Identifier: MIT
// Lines of a fragment that Kconfig dropped are found.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { missingLines } from '../../vm/kernel-config.js';

const config = ['CONFIG_A=y', '# CONFIG_B is not set', 'CONFIG_C=8', 'CONFIG_D="text"', 'CONFIG_E=y'].join('\n');

test('lines that hold are not missing', () => {
  assert.equal(missingLines(config, ['CONFIG_A=y\nCONFIG_C=8', '# comment\nCONFIG_D="text"\n']), []);
});

test('a symbol that is off, has another value, or does not exist is missing', () => {
  const wanted = ['CONFIG_B=y', 'CONFIG_C=9', 'CONFIG_GONE=y'];
  assert.equal(missingLines(config, [wanted.join('\n')]), wanted);
});

test('what must be off may be absent, but not on', () => {
  assert.equal(missingLines(config, ['# CONFIG_B is not set\n# CONFIG_GONE is not set\nCONFIG_GONE2=n']), []);
  assert.equal(missingLines(config, ['# CONFIG_E is not set']), ['# CONFIG_E is not set']);
});

test('a later fragment overrides an earlier one', () => {
  assert.equal(missingLines(config, ['CONFIG_E=n', 'CONFIG_E=y']), []);
  assert.equal(missingLines(config, ['CONFIG_E=y', 'CONFIG_E=n']), ['CONFIG_E=n']);
});

test.run();
