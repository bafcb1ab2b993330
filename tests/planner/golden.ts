// SPDX-License-Identifier: MIT
/** Golden files: what was found once, reviewed, and kept. UPDATE_GOLDEN=1 writes them anew, in the form that biome wants. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';

const WIDTH = 120;

/** Compares with the file at `path`. */
export function compareGolden(path: string, actual: unknown, name: string): void {
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, `${formatted(actual, '', 0)}\n`);
  assert.equal(actual, readGolden(path), name);
}

/** The file's content; null if there is no such file. */
export const readGolden = (path: string): unknown => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null);

/** JSON as biome formats it: an array stands in one line if it fits. `used`: columns before and behind it in its line. */
export function formatted(value: unknown, indent: string, used: number): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((one) => JSON.stringify(one)).join(', ')}]`;
    const flat = value.every((one) => typeof one !== 'object' || one === null);
    if (value.length === 0 || (flat && used + line.length <= WIDTH)) return line;
    return `[\n${value.map((one) => inner + formatted(one, inner, inner.length + 1)).join(',\n')}\n${indent}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([key, one], i) => {
    const head = `${inner}${JSON.stringify(key)}: `;
    return head + formatted(one, inner, head.length + (i + 1 < entries.length ? 1 : 0));
  });
  return `{\n${lines.join(',\n')}\n${indent}}`;
}
