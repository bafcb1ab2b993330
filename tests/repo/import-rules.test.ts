// SPDX-License-Identifier: MIT
// Houses and doors: no import breaks a rule, and the rules can be broken.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { contentOf, filesOfCheckout } from './checkout.js';
import { brokenRule, findCircle, importsOf } from './import-rules.js';

const sources = filesOfCheckout().filter(
  (file) => /^(planner|runtime|vm|zx-scripts|tests)\/.*\.ts$/.test(file) && !file.startsWith('planner/core/assembly/'),
);
const imports = sources.flatMap((file) => importsOf(file, contentOf(file)));

test('every import of the checkout keeps the rules', () => {
  assert.ok(imports.length > 100, `expected many imports, found ${imports.length}`);
  const broken = imports.flatMap((one) => {
    const rule = brokenRule(one);
    return rule ? [`${one.from} imports ${one.to}: ${rule}`] : [];
  });
  assert.equal(broken, []);
});

test('every relative import names a source file', () => {
  // what the build makes is there as its declaration
  const known = new Set(sources.map((file) => file.replace(/\.d\.ts$/, '.ts')));
  const lost = imports.filter(({ to }) => !known.has(to)).map(({ from, to }) => `${from} imports ${to}`);
  assert.equal(lost, []);
});

test('values are not imported in a circle', () => {
  const values = sources.flatMap((file) =>
    importsOf(file, contentOf(file).replace(/^(import|export) type [\s\S]*?from '[^']+';/gm, '')),
  );
  assert.is(findCircle(values), null);
});

test('a circle is found', () => {
  const circle = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'c', to: 'b' },
  ];
  assert.equal(findCircle(circle), ['b', 'c', 'b']);
});

const refused: [from: string, to: string, rule: RegExp][] = [
  ['planner/diff.ts', 'runtime/index.ts', /planner\/ never imports runtime\//],
  ['planner/diff.ts', 'vm/index.ts', /never imports vm/],
  ['vm/run.ts', 'planner/index.ts', /never imports planner/],
  ['runtime/link.ts', 'planner/elf/image.ts', /by its index only/],
  ['zx-scripts/demo.ts', 'vm/qemu.ts', /by its index only/],
  ['zx-scripts/test.ts', 'tests/repo/checkout.ts', /nothing imports tests/],
  ['planner/elf/image.ts', 'planner/cli.ts', /a cli is imported by nobody/],
  ['planner/elf/image.ts', 'planner/cli-progress.ts', /never back/],
  ['planner/diff.ts', 'planner/index.ts', /never back/],
];
for (const [from, to, rule] of refused)
  test(`${from} must not import ${to}`, () => {
    assert.match(brokenRule({ from, to }) ?? 'no rule', rule);
  });

test('imports are found in every form', () => {
  const source = [
    `import a from './a.js';`,
    `import type { B } from "../b.js";`,
    `export * from './c/d.js';`,
    `const e = await import('./e.js');`,
    `import './f.js';`,
    `// import './comment.js';`,
  ].join('\n');
  const found = importsOf('planner/x/y.ts', source).map(({ to }) => to);
  assert.equal(found.sort(), [
    'planner/b.ts',
    'planner/x/a.ts',
    'planner/x/c/d.ts',
    'planner/x/e.ts',
    'planner/x/f.ts',
  ]);
});

test.run();
