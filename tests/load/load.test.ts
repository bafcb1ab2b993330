// SPDX-License-Identifier: MIT
/** The load counts what goes wrong: against servers that answer right, wrong, not at all, or hang up. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from '../../zx-scripts/load/load.js';
import { startLoad } from '../../zx-scripts/load/process.js';
import { judge } from '../../zx-scripts/load/request.js';
import { MemcachedRequests } from '../../zx-scripts/servers/memcached-requests.js';

/** A memcached for one connection at a time: what is set is given back. `spoil` may change the n-th answer; null hangs up. */
function store(socket: Socket, spoil: (answer: string, count: number) => string | null): void {
  const values = new Map<string, string>();
  let rest = '';
  let count = 0;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    rest += bytes.toString('latin1');
    for (;;) {
      const set = /^set (\S+) 0 0 (\d+)\r\n/.exec(rest);
      const get = /^get ([^\r]+)\r\n/.exec(rest);
      let answer: string;
      if (set) {
        const length = Number(set[2]);
        if (rest.length < set[0].length + length + 2) return;
        values.set(set[1]!, rest.slice(set[0].length, set[0].length + length));
        rest = rest.slice(set[0].length + length + 2);
        answer = 'STORED\r\n';
      } else if (get) {
        rest = rest.slice(get[0].length);
        const found = get[1]!.split(' ').map((key) => [key, values.get(key)!] as const);
        answer = `${found.map(([key, value]) => `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`).join('')}END\r\n`;
      } else return;
      const spoiled = spoil(answer, ++count);
      if (spoiled === null) return void socket.end();
      socket.write(spoiled);
    }
  });
}

async function loaded(
  spoil: (answer: string, count: number) => string | null,
  connections = 2,
  ms = 150,
  perSecond?: number,
) {
  const server: Server = createServer((socket) => store(socket, spoil));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const load = await Load.start({
    port: (server.address() as AddressInfo).port,
    connections,
    requests: (number) => new MemcachedRequests(number),
    ...(perSecond !== undefined && { perSecond }),
  });
  await sleep(ms);
  const totals = await load.stop();
  server.close();
  return { totals, samples: load.taken() };
}

test('answers that are right to the last byte: no failure, and one sample for each request', async () => {
  const { totals, samples } = await loaded((answer) => answer);
  assert.equal([totals.connections, totals.failed, totals.dropped, totals.failures], [2, 0, 0, []]);
  assert.ok(totals.requests > 50, `${totals.requests} requests`);
  assert.is(samples.length, totals.requests);
  assert.ok(samples.every(({ ok, latency }) => ok && latency > 0));
});

test('one wrong byte in a value is a failure, and says what was expected', async () => {
  const { totals } = await loaded((answer, count) => (count === 30 ? answer.replace(/.\r\n$/, '!\r\n') : answer), 1);
  assert.equal([totals.failed, totals.dropped, totals.requests], [1, 0, 30]);
  assert.match(totals.failures[0]!, /^connection 0: expected ".*, found ".*/);
});

test('an error line is a failure at once, although it is shorter than what was expected', async () => {
  const { totals } = await loaded((answer, count) => (count === 30 ? 'SERVER_ERROR out\r\n' : answer), 1);
  assert.equal([totals.failed, totals.dropped], [1, 0]);
  assert.match(totals.failures[0]!, 'SERVER_ERROR out');
});

test('bytes that nobody asked for are a failure', async () => {
  const { totals } = await loaded((answer, count) => (count === 30 ? `${answer}END\r\n` : answer), 1);
  assert.is(totals.failed, 1);
});

test('a server that hangs up has failed the request under way, and dropped the connection', async () => {
  const { totals } = await loaded((answer, count) => (count === 30 ? null : answer), 2);
  assert.equal([totals.failed, totals.dropped, totals.requests], [2, 2, 60]);
});

test('with requests that are due at fixed times, a server that stands still is charged for each that it kept waiting', async () => {
  const stall = (answer: string, count: number) => {
    if (count === 20) for (const until = Date.now() + 300; Date.now() < until; );
    return answer;
  };
  const open = await loaded(stall, 1, 800, 100);
  assert.equal([open.totals.failed, open.totals.dropped], [0, 0]);
  const held = open.samples.filter(({ latency }) => latency > 50).length;
  assert.ok(held >= 15, `${held} of ${open.samples.length} requests waited`);
  assert.ok(open.totals.requests <= 90, `${open.totals.requests} requests, and no more than were due`);
});

test('a connection that ends while no request is under way counts as dropped', async () => {
  const server = createServer((socket) => {
    store(socket, (answer) => answer);
    setTimeout(() => socket.destroy(), 150);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const requests = (number: number) => new MemcachedRequests(number);
  const load = await Load.start({ port, connections: 1, requests, perSecond: 0.1 });
  await sleep(400);
  const totals = await load.stop();
  server.close();
  assert.equal([totals.requests, totals.failed, totals.dropped], [1, 0, 1]);
  assert.match(totals.failures[0]!, 'closed the connection');
});

test('a load in a process of its own gives each of several questions its own answer', async () => {
  const server = createServer((socket) => store(socket, (answer) => answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const load = await startLoad({ server: 'memcached', port: (server.address() as AddressInfo).port, connections: 2 });
  await sleep(100);
  const everything = { from: 0, to: Number.MAX_SAFE_INTEGER, which: 'inside' } as const;
  const [count, samples, [all, nothing]] = await Promise.all([
    load.count(),
    load.samples({ ...everything, to: 1 }),
    load.windows([everything, { ...everything, to: 1 }]),
  ]);
  const totals = await load.stop();
  server.close();
  assert.ok(count.requests > 0 && all!.requests >= count.requests, JSON.stringify([count, all]));
  assert.equal([samples, nothing!.requests, totals.failed], [[], 0, 0]);
});

test('an answer is judged by each byte but those that may be anything', () => {
  const request = { bytes: Buffer.from('?'), expected: Buffer.from('date: ####, value: 7'), free: [6, 10] as const };
  const verdict = (found: string) => judge(request, Buffer.from(found));
  assert.equal(['date: 1234, value: 7', 'date: ', 'date: 12', 'date: 1234, val'].map(verdict), [
    'whole',
    'part',
    'part',
    'part',
  ]);
  assert.equal(
    ['dote: ', 'date: 1234, value: 8', 'date: 1234; v', 'date: 1234, value: 7!'].map(verdict),
    Array(4).fill('wrong'),
  );
});

test('a connection asks for the same each time; first it sets every key', () => {
  const [one, same, other] = [new MemcachedRequests(1), new MemcachedRequests(1), new MemcachedRequests(2)];
  const lines = Array.from({ length: 400 }, () => one.next().bytes.toString());
  assert.equal(
    Array.from({ length: 400 }, () => same.next().bytes.toString()),
    lines,
  );
  assert.is.not(other.next().bytes.toString(), lines[0]);
  assert.ok(lines.slice(0, 16).every((line) => line.startsWith('set ')));
  const later = lines.slice(16);
  const share = (pattern: RegExp) => later.filter((line) => pattern.test(line)).length / later.length;
  assert.ok(share(/^get \S+\r/) > 0.5 && share(/^get \S+ \S+ \S+\r/) > 0.08 && share(/^set /) > 0.1);
});

test.run();
