// SPDX-License-Identifier: MIT
/**
 * What is printed: one JSON object if `--json` is given, whatever becomes of the command, or lines.
 *
 * Invariant: what is done to a process never depends on who reads about it. A reader that has gone is no error; output
 * that is lost in another way is said, and gives the status of a fault of our own if there was none.
 */
let printed = false;

export function printJson(value: object): void {
  printed = true;
  process.stdout.write(`${JSON.stringify({ schema: 1, ...value })}\n`);
}

export function printLines(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** For `--json`: why there is no other object. The message has been told on stderr. */
export function printFailure(code: string, message: string): void {
  if (process.argv.includes('--json') && !printed) printJson({ refusals: [{ code, message }] });
}

const FAULT = 1;

/** To be called before anything is printed. */
export function watchStreams(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.once('error', (error: NodeJS.ErrnoException) => {
      stream.on('error', () => {});
      if (error.code === 'EPIPE') return;
      if (stream === process.stdout) process.stderr.write(`driftpatch: its output is lost (${error.code})\n`);
      process.once('exit', (status) => {
        if (status === 0) process.exitCode = FAULT;
      });
    });
}
