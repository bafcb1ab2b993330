// SPDX-License-Identifier: MIT
// How a program that measures, mostly C in the guest, tells what it measured. One line of its output per series, among others
// that are not ours to read:
//
//   result: NAME UNIT V1 V2 V3... [against OTHER]
//   result: fault/base ns 310.5 305 322
//   result: fault/view ns 340.0 344 338 against fault/base
//
// Words are separated by blanks and have none inside. The n-th values of all series belong to one run: a program takes turns between
// its cases and prints at the end. A line that begins with `result:` and is not of this form is an error, not noise.

import type { Series } from './result.js';

const WORD = /^[\w./+=%-]+$/;

/** The series in a program's output. Throws RangeError that quotes the line that is wrong. */
export function parseResultLines(output: string): Series[] {
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('result:'))
    .map(parseLine);
}

function parseLine(line: string): Series {
  const [name = '', unit = '', ...rest] = line.slice('result:'.length).trim().split(/\s+/);
  const at = rest.indexOf('against');
  const values = (at < 0 ? rest : rest.slice(0, at)).map(Number);
  const against = at < 0 ? [] : rest.slice(at + 1);
  const wrong =
    !WORD.test(name) ||
    !WORD.test(unit) ||
    values.length === 0 ||
    !values.every(Number.isFinite) ||
    against.length !== (at < 0 ? 0 : 1);
  if (wrong) throw new RangeError(`expected "result: NAME UNIT VALUE... [against NAME]", found "${line}"`);
  return { name, unit, values, ...(against.length > 0 && { against: against[0]! }) };
}
