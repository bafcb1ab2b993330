// SPDX-License-Identifier: MIT
/** Lambdas have numbers for names, and a pointer to one may be anywhere: it must go on leading to the same lambda. */
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePair, diffPair } from './helpers.js';

const test = suite('lambdas');

const hasClang = spawnSync('clang', ['--version']).status === 0;
if (!hasClang) console.log('  skipped: clang is not installed');

const isLambda = (name: string) => /Ul|\$_/.test(name);
const changes = (compiler: string, level: string, defines: string[]) => {
  const { functions, refusals } = diffPair(compilePair('lambdas.cpp', { compiler, flags: [level], new: defines }));
  assert.equal(refusals, []);
  return functions.map(({ name, change }) => `${change} ${isLambda(name) ? 'a lambda' : name}`).sort();
};

for (const compiler of hasClang ? ['g++', 'clang++'] : ['g++'])
  for (const level of ['-O1', '-O2']) {
    test(`a new lambda in front of the others is new, and the others are what they were (${compiler} ${level})`, () => {
      assert.equal(changes(compiler, level, ['-DADDED']), ['added a lambda', 'modified _Z5firsti']);
    });
    test(`a lambda that changes is the one that changes (${compiler} ${level})`, () => {
      assert.equal(changes(compiler, level, ['-DCHANGED']), ['modified a lambda']);
    });
    test(`which of two is the one that changed is not guessed (${compiler} ${level})`, () => {
      const both = compilePair('lambdas.cpp', { compiler, flags: [level], new: ['-DADDED', '-DCHANGED'] });
      const codes = diffPair(both).refusals.map(({ code }) => code);
      assert.equal([...new Set(codes)], ['FUNCTION_AMBIGUOUS']);
    });
  }

test.run();
