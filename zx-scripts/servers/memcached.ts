// SPDX-License-Identifier: MIT
// memcached as a proxy before a second one that is its store; with SASL, which one of its fixes is in. The load's multigets pass
// through what CVE-2023-46852 changes.

import { fileURLToPath } from 'node:url';
import { harmless, Probe } from './memcached-probe.js';
import { MemcachedRequests } from './memcached-requests.js';
import { type Server, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';

export const memcachedProgram: SourceProgram = {
  name: 'memcached',
  source: 'memcached',
  version: '1.6.18-1+deb12u1',
  packages: ['libevent-dev', 'libsasl2-dev'],
  // Its own Lua and client first: the program's rule does not build them. (`make all` would, but also builds it twice.)
  build: `./configure --quiet --enable-proxy --enable-sasl --enable-sasl-pwdb
    make -j$JOBS -C vendor
    make -j$JOBS memcached`,
  keep: { memcached: 'memcached' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-memcached.patch', import.meta.url)),
};

/** memcached-proxy.lua names the store's port as well. */
export const ports = { proxy: 11310, store: 11311, victim: 11312 } as const;

/** The proxy's worker threads. */
export const workers = 4;

const config = fileURLToPath(new URL('../../../zx-scripts/servers/memcached-proxy.lua', import.meta.url));

export const startMemcached = (
  program: string,
  port: number,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Server> =>
  startServer({
    program,
    port,
    env,
    words: ['-u', 'root', '-l', '127.0.0.1', '-p', String(port), '-U', '0', ...words],
  });

export const startStore = (program: string) => startMemcached(program, ports.store, ['-t', '1']);

export const startProxy = (program: string, port: number, env: Readonly<Record<string, string>> = {}) =>
  startMemcached(program, port, ['-t', String(workers), '-o', `proxy_config=${config}`], env);

/** The proxy, whose end is the store's as well. */
export async function startPair(program: string, env: Readonly<Record<string, string>> = {}): Promise<Server> {
  const store = await startStore(program);
  try {
    const proxy = await startProxy(program, ports.proxy, env);
    const stop = async () => void (await Promise.all([proxy.stop(), store.stop()]));
    return { ...proxy, ending: () => proxy.ending() ?? store.ending(), stop };
  } catch (error) {
    await store.stop();
    throw error;
  }
}

async function oddMultiget({ port }: Server): Promise<string> {
  const probe = await Probe.open(port);
  try {
    await probe.store();
    return await probe.ask(harmless);
  } finally {
    probe.close();
  }
}

export const memcached: Subject = {
  program: memcachedProgram,
  object: 'memcached',
  fixes: [
    { index: '005', expect: 'patch' },
    { index: '006', expect: 'patch' },
    {
      index: '007',
      expect: 'patch',
      about: 'a multiget with 40 spaces is forwarded, or refused',
      behaviour: { ask: oddMultiget, old: 'values', new: 'refused' },
    },
    { index: '008', expect: { refused: ['LAYOUT_CHANGED'] } },
  ],
  start: ({ folder }) => startPair(`${folder}/memcached`),
  connections: 16,
  requests: (connection) => new MemcachedRequests(connection),
};
