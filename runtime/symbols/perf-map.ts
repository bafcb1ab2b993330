// SPDX-License-Identifier: MIT
/**
 * The names of new code for perf: /tmp/perf-PID.map, one line "START SIZE NAME" in hex for each function (Linux,
 * tools/perf/Documentation/jit-interface.txt). PID is the process's id in its own pid namespace, and /tmp its own as well.
 */
import type { CodeSymbol } from './code-symbols.js';

export const perfMapLines = (symbols: readonly CodeSymbol[]): string =>
  symbols.map(({ name, start, size }) => `${start.toString(16)} ${size.toString(16)} ${name}\n`).join('');
