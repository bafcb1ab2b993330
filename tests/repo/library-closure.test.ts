// SPDX-License-Identifier: MIT
// The planner as a library needs no file, no process and no terminal: what its index reaches is known import by import.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { contentOf, filesOfCheckout } from './checkout.js';
import { importsOf } from './import-rules.js';

const sources = new Set(filesOfCheckout());
const door = 'planner/index.ts';

/** Every file that the door reaches; a module that the build makes is there as its declaration. */
function closureOf(start: string): string[] {
  const seen = new Set<string>();
  const queue = [start];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { to } of importsOf(file, contentOf(file)))
      queue.push(sources.has(to) ? to : to.replace(/\.ts$/, '.d.ts'));
  }
  return [...seen].sort();
}

const closure = closureOf(door);
/** Packages and modules of Node's, with the files that import them. */
const outside = closure.flatMap((file) =>
  [...contentOf(file).matchAll(/^(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^.'"][^'"]*)['"];$/gm)].map(
    (match) => match[1]!,
  ),
);

test('the closure is the library', () => {
  for (const file of ['planner/diff.ts', 'planner/core/load.ts', 'planner/patch-file/read.ts', 'planner/elf/open.ts'])
    assert.ok(closure.includes(file), file);
  for (const file of ['planner/cli.ts', 'planner/files.ts']) assert.not.ok(closure.includes(file), file);
});

test('it imports nothing that reads files, runs programs, or is the platform’s', () => {
  assert.ok(outside.includes('node:crypto'));
  const harmless = ['elfy', 'node:buffer', 'node:crypto', 'node:zlib'];
  assert.equal(
    [...new Set(outside)].filter((name) => !harmless.includes(name)),
    [],
  );
});

test('it neither prints nor asks for the process it is in', () => {
  const found = closure.filter((file) =>
    /\b(console|process|globalThis)\./.test(contentOf(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
  );
  assert.equal(found, []);
});

test('it keeps nothing between calls but the compiled core', () => {
  const kept = closure.flatMap((file) =>
    [...contentOf(file).matchAll(/^(?:export )?(?:let|var) (\w+)/gm)].map((match) => `${file}: ${match[1]}`),
  );
  assert.equal(kept, ['planner/core/instance.ts: compiled']);
  const caches = closure.filter((file) =>
    /^const \w+(: [^=]+)? = (new (Map|Set)(<.*>)?\(\)|\[\]|\{\});$/m.test(contentOf(file)),
  );
  assert.equal(caches, []);
});

test.run();
