// SPDX-License-Identifier: MIT
/** `driftpatch symbols`: the names and frames of new code for those who look at a process from outside: gdb, perf. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { printJson, printLines } from './cli-output.js';
import { RuntimeError } from './errors.js';
import type { ProcessSymbols } from './index.js';

interface SymbolsFlags {
  readonly pid: number;
  readonly perf?: true;
  readonly gdb?: string;
  readonly json?: true;
}

export function addSymbols(top: Command, toPid: (text: string) => number): void {
  top
    .command('symbols')
    .description('the functions in new code, for debuggers and profilers')
    .requiredOption('--pid <n>', 'the process', toPid)
    .option('--perf', "write their names to the process's /tmp/perf-PID.map, where perf looks for them")
    .option('--gdb <folder>', 'write symbol files and new-code.gdb there: gdb -p PID -x FOLDER/new-code.gdb', toFolder)
    .option('--json', 'one JSON object on stdout')
    .exitOverride()
    .action(runSymbols);
}

async function runSymbols({ pid, perf, gdb, json }: SymbolsFlags): Promise<void> {
  const { symbols, writePerfMap } = await import('./index.js');
  const found = symbols({ pid });
  const perfMap = perf ? writePerfMap(found) : null;
  const script = gdb === undefined ? null : writeForGdb(found, gdb);
  if (json) {
    const patches = found.patches.map(({ elf: _, ...rest }) => rest);
    printJson({ pid, perfMap, gdb: script, patches });
    return;
  }
  const lines = found.patches.flatMap(({ patch, symbols: list }) => [
    `${patch}:`,
    ...list.map(({ start, size, name }) => `  0x${start.toString(16)}  ${String(size).padStart(6)}  ${name}`),
  ]);
  if (lines.length === 0) lines.push(`process ${pid} carries no patch`);
  if (perfMap) lines.push(`written: ${perfMap}; see it with: perf report`);
  if (script) lines.push(`written: ${script}; use it with: gdb -p ${pid} -x ${script}`);
  printLines(lines);
}

function writeForGdb({ patches }: ProcessSymbols, folder: string): string {
  const script = join(folder, 'new-code.gdb');
  try {
    mkdirSync(folder, { recursive: true });
    const commands = patches.flatMap(({ patch, start, elf }) => {
      if (!elf) return [];
      const file = join(folder, `${patch}-${start.toString(16)}.elf`);
      writeFileSync(file, elf);
      return [`add-symbol-file ${file}`];
    });
    writeFileSync(script, ['set confirm off', ...commands, ''].join('\n'));
    return script;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new RuntimeError('FILE_UNWRITABLE', { file: path ?? folder, why: code }, { cause: error });
  }
}

/** gdb splits a file name at blanks and knows quotes and backslashes. */
function toFolder(text: string): string {
  if (/^[\w./+-]+$/.test(text)) return text;
  throw new InvalidArgumentError('gdb takes letters, digits and ./+-_ in it only.');
}
