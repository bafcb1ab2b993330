// SPDX-License-Identifier: MIT
// What a program in the guest tells while it runs, line by line: the reading end of that pipe, chunks in, lines out.

/** Takes chunks, which may end in the middle of a line or of a character. What comes after the last line's end is not told. */
export function lines(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      onLine(line);
    }
  };
}

/** One JSON object per line. */
export const jsonLines = <Event>(onEvent: (event: Event) => void): ((chunk: Buffer) => void) =>
  lines((line) => onEvent(JSON.parse(line) as Event));
