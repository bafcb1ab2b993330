// SPDX-License-Identifier: MIT
// libevent, a shared library: patched in a memcached that runs in it.

import { memcached, memcachedProgram, startPair } from './memcached.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';

const program: SourceProgram = {
  name: 'libevent',
  source: 'libevent',
  version: '2.1.12-stable-8+deb12u1',
  packages: ['autoconf', 'automake', 'libtool', 'pkg-config', 'libssl-dev'],
  build: `autoreconf -fi
    ./configure --quiet --disable-static --disable-samples --disable-libevent-regress
    make -s -j$JOBS libevent.la`,
  keep: { 'libevent-2.1.so.7': '.libs/libevent-2.1.so.7' },
};

export const libevent: Subject = {
  program,
  host: memcachedProgram,
  object: 'libevent-2.1.so.7',
  fixes: [
    { index: '004', expect: 'patch' },
    { index: '005', expect: 'patch' },
    { index: '009', expect: { refused: ['LAYOUT_CHANGED'] } },
  ],
  start: ({ folder, host }) => startPair(`${host}/memcached`, { LD_LIBRARY_PATH: folder }),
  connections: memcached.connections,
  requests: memcached.requests,
};
