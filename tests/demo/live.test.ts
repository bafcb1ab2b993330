// SPDX-License-Identifier: MIT
/** What is seen while a server is patched: on a terminal, as the terminal would have it; and elsewhere. */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GuestEvent } from '../../zx-scripts/demo/guest-events.js';
import { liveView, sparks } from '../../zx-scripts/demo/live.js';

const thread = { tid: 7, name: 'mc-worker' };
const lately = (max: number | null): GuestEvent => ({
  kind: 'lately',
  stats: { seconds: 0.5, requests: 60, failed: 0, perSecond: 120, p50: 2, p99: 5, p999: max, max },
});
const events: GuestEvent[] = [
  { kind: 'servers', store: 1, proxy: 2, threads: [thread, thread, thread] },
  lately(8),
  lately(null),
  { kind: 'migrated', thread, migrated: 2, total: 3, ms: 1 },
  lately(64),
];

async function shown(isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
  const view = liveView(stream as unknown as NodeJS.WriteStream);
  view.say('first');
  for (const event of events) view.onEvent(event);
  view.say('last\nof all');
  // as often as it is drawn
  await new Promise((resolve) => setTimeout(resolve, 250));
  view.end();
  stream.end();
  return Buffer.concat(await stream.toArray()).toString();
}

test('on a terminal, latency and threads stay below, and other lines go above', async () => {
  const text = await shown(true);
  assert.match(text, /longest {2}\S+ .*p50 2\.0 ms, longest 64\.0 ms, 120 requests\/s/);
  assert.match(text, /threads {2}.* 2 of 3 in the new code/);
  for (const line of ['first', 'last', 'of all']) assert.is(text.split(line).length, 2, line);
  assert.ok(text.includes('of all\u001b[K\n'));
  assert.ok(text.endsWith('\u001b[0J'), 'the two lines are taken away at the end');
});

test('elsewhere a line comes now and then, and there is nothing for a terminal', async () => {
  const text = stripVTControlCharacters(await shown(false));
  assert.equal(text.split('\n'), [
    'first',
    '    just now: p50 2.0 ms, longest 8.0 ms, 120 requests/s',
    'last',
    'of all',
    '',
  ]);
});

test('the columns are the latest latencies, higher where longer, and empty where there was no request', () => {
  assert.is(sparks([1, 2, Number.NaN, 128]).trimEnd(), '▁▂ █');
  assert.is(sparks(Array.from({ length: 500 }, (_, at) => at + 1)).length, 48);
});

test.run();
