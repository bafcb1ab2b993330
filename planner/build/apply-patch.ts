// SPDX-License-Identifier: MIT
/**
 * The fix, applied to a copy of the source with patch(1): all of it or none, and without fuzz, because a hunk that lands in a similar
 * place would be found in the running process first.
 */
import { BuildError } from './error.js';
import { runTool, type ToolOptions } from './tools.js';

/** Folders to cut off the names in the patch: as given, or the first of 1 and 0 with which it applies. */
export async function applyPatch(
  patchFile: string,
  folder: string,
  strip: number | null,
  options: ToolOptions,
): Promise<void> {
  const words = (level: number) => [
    ...['patch', '--batch', '--forward', '--fuzz=0', '--no-backup-if-mismatch', '--reject-file=-'],
    ...[`--strip=${level}`, `--directory=${folder}`, `--input=${patchFile}`],
  ];
  const run = (more: readonly string[], level: number) =>
    runTool([...words(level), ...more], { ...options, env: { ...options.env, LC_ALL: 'C' } });
  let failure: readonly string[] = [];
  for (const level of strip === null ? [1, 0] : [strip]) {
    const { status, lines } = await run(['--dry-run'], level);
    if (status === 0) {
      const applied = await run([], level);
      if (applied.status === 0) return;
      failure = applied.lines;
      break;
    }
    // what went wrong with the usual level is what a person wants to know
    if (failure.length === 0 || namesFiles(lines)) failure = namesFiles(failure) ? failure : lines;
  }
  throw new BuildError('NOT_APPLIED', patchFile, `${reasonOf(failure)}; make the patch anew for this source`, {
    tail: failure,
  });
}

const namesFiles = (lines: readonly string[]): boolean => lines.some((line) => /^(checking|patching) file /.test(line));

/** What patch(1) says, in one line: the files and hunks. */
function reasonOf(lines: readonly string[]): string {
  let file = '';
  const found: string[] = [];
  for (const line of lines) {
    file = /^(?:checking|patching) file (.+?)(?: \(.*)?$/.exec(line)?.[1] ?? file;
    const hunk = /^Hunk #(\d+) FAILED at (\d+)/.exec(line);
    if (hunk) found.push(`${file}: hunk ${hunk[1]} at line ${hunk[2]}`);
    const lost = /^can't find file to patch at input line (\d+)/.exec(line);
    if (lost) found.push(`line ${lost[1]} of the patch names a file that is not there`);
    if (/^Reversed \(or previously applied\) patch detected/.test(line))
      found.push(`${file}: it is in the source already`);
    if (/Only garbage was found/.test(line)) found.push('it holds no hunk');
    if (/malformed patch at line/.test(line)) found.push(line.replace(/^.*malformed/, 'malformed'));
  }
  const unique = [...new Set(found)];
  return unique.length === 0 ? (lines.at(-1) ?? 'patch(1) did not say why') : unique.slice(0, 5).join(', ');
}
