// SPDX-License-Identifier: MIT
/** What comes from the guest, how it is shown, and the picture of it. */
import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GuestEvent } from '../../zx-scripts/demo/guest-events.js';
import { linesOf, tableLines } from '../../zx-scripts/demo/show.js';
import { svgOf } from '../../zx-scripts/demo/svg.js';
import { hasTracer, isStopped } from '../../zx-scripts/demo/threads.js';
import { jsonLines } from '../../zx-scripts/json-lines.js';

test('events come out whole, wherever the chunks end', () => {
  const events: GuestEvent[] = [
    { kind: 'guest', kernel: '6.12 – é', processors: 2 },
    { kind: 'load', connections: 16 },
  ];
  const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const found: GuestEvent[] = [];
  const read = jsonLines<GuestEvent>((event) => void found.push(event));
  for (let at = 0; at < bytes.length; at++) read(bytes.subarray(at, at + 1));
  assert.equal(found, events);
});

test('a migration is a line with the thread, its name and the count', () => {
  const thread = { tid: 105, name: 'mc-worker' };
  const [line, ...more] = linesOf({ kind: 'migrated', thread, migrated: 6, total: 13, ms: 41.4 });
  assert.is(stripVTControlCharacters(line!), '    migrated  6 of 13  thread 105   mc-worker       after 41.40 ms');
  assert.equal(more, []);
});

test('answers that are alike are shown once, with their number; an unknown one as it came', () => {
  const answers = ['refused', 'refused', 'odd\r\n', 'refused'];
  const lines = linesOf({ kind: 'probe', when: 'after', answers }).map(stripVTControlCharacters);
  assert.equal(lines.slice(1), ['    3 × SERVER_ERROR malformed request', '    "odd\\r\\n"']);
});

test('the table has a row for each window, and its columns line up', () => {
  const stats = { seconds: 0.041, requests: 16, failed: 0, perSecond: 250, p50: 1, p99: 22, p999: 333, max: null };
  const windows = { before: stats, during: stats, transition: stats, after: stats };
  const lines = tableLines({ windows }).map(stripVTControlCharacters);
  assert.is(lines.length, 6);
  assert.equal(new Set(lines.slice(1).map(({ length }) => length)).size, 1);
  assert.match(lines[4]!, /^ {2}- transition +41 ms +16 +250 +1\.0 ms +22\.0 ms +333 ms +- +0$/);
});

test('a picture keeps colours and text, and is whole XML whatever the text is', () => {
  const colours = pc.createColors(true);
  const svg = svgOf([colours.green('a <b> & "c"'), 'x\u0007y', `${'word '.repeat(40)}end`], 'a & b');
  assert.match(svg, '<tspan fill="#7ee787">a &lt;b&gt; &amp; &quot;c&quot;</tspan>');
  assert.match(svg, '<title>a &amp; b</title>');
  assert.match(svg, '>xy</text>');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
  assert.not.match(svg, /[\u0000-\u0008\u000b-\u001f]/);
  assert.is(svg.split('<text ').length - 1, 4, 'the long line goes on in a second one');
  assert.is(svg.split('word').length - 1, 40);
});

test('a thread is stopped in the states T and t alone, traced if it has a tracer', () => {
  const status = (state: string, tracer: number) => `Name:\tT\nState:\t${state}\nTracerPid:\t${tracer}\n`;
  assert.equal(
    ['R (running)', 'S (sleeping)', 'T (stopped)', 't (tracing stop)'].map((state) => isStopped(status(state, 0))),
    [false, false, true, true],
  );
  assert.equal([hasTracer(status('S', 0)), hasTracer(status('S', 41))], [false, true]);
});

test.run();
