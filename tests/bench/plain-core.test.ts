// SPDX-License-Identifier: MIT
/** The benchmark compares like with like: the core compiled as plain TypeScript finds and writes the same. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runNode } from '../../zx-scripts/bench/command.js';
import { buildPlainPlanner } from '../../zx-scripts/bench/plain-core.js';

const program = `
#include <stdio.h>
#include <string.h>
static double scale(double x) { return x * 1.5 + (x > 3 ? 0.25 : 0); }
__attribute__((noinline)) int choose(int c, const char *text)
{
	switch (c) {
	case 0: return puts("none");
	case 1: return printf("%zu", strlen(text));
	case 2: return printf("%f", scale(c));
	case 3: return puts(text);
	case 4: return LIMIT;
	case 5: return printf("%d", LIMIT + c);
	default: return -1;
	}
}
int main(int argc, char **argv) { return choose(argc, argv[0]); }
`;

test('the core in plain TypeScript gives the same patch, byte for byte', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'driftpatch-plain-'));
  try {
    writeFileSync(join(folder, 'program.c'), program);
    const flags = ['-O2', '-g', '-fPIE', '-pie', '-Wl,--build-id'];
    const [old, now] = [100, 200].map((limit) => {
      const file = join(folder, `limit-${limit}`);
      execFileSync('gcc', [...flags, `-DLIMIT=${limit}`, '-o', file, join(folder, 'program.c')]);
      return file;
    }) as [string, string];
    const patch = join(folder, 'fix.drift');
    const patches: Buffer[] = [];
    for (const command of ['planner/planner.js', await buildPlainPlanner()]) {
      await runNode(command, ['diff', old, now, '-o', patch, '--json']);
      patches.push(readFileSync(patch));
      rmSync(patch);
    }
    assert.ok(patches[0]!.equals(patches[1]!));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
