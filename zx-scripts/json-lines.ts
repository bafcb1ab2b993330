// SPDX-License-Identifier: MIT
// What a program in the guest tells while it runs, one JSON object per line: the reading end of that pipe, chunks in, events out.

/** Takes chunks, which may end in the middle of a line or of a character. */
export function jsonLines<Event>(onEvent: (event: Event) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      onEvent(JSON.parse(line) as Event);
    }
  };
}
