// SPDX-License-Identifier: MIT
// squid, a proxy in C++, before a server of ours (origin.ts). It keeps half of what it is asked for in its memory, and asks the origin
// for the rest each time; every request passes through what CVE-2023-46724 changes, the comparison of domain names.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { headersOf, startOrigin, textOf, texts } from './origin.js';
import { type Server, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';

const program: SourceProgram = {
  name: 'squid',
  source: 'squid',
  version: '5.7-2+deb12u6',
  packages: ['g++', 'pkg-config'],
  // What the fixes are in, and as little else as it lets itself be built with.
  build: `./configure --quiet --disable-strict-error-checking --disable-arch-native --disable-dependency-tracking \\
      --disable-loadable-modules --disable-shared --disable-esi --disable-icap-client --disable-wccp --disable-wccpv2 \\
      --disable-snmp --disable-htcp --disable-eui --disable-ident-lookups --disable-auto-locale --disable-unlinkd \\
      --disable-auth-basic --disable-auth-ntlm --disable-auth-negotiate --enable-auth-digest=none \\
      --enable-follow-x-forwarded-for --enable-storeio=ufs --enable-disk-io=Blocking --enable-removal-policies=lru \\
      --disable-log-daemon-helpers --disable-external-acl-helpers --disable-url-rewrite-helpers \\
      --disable-storeid-rewrite-helpers --disable-security-cert-validators --disable-security-cert-generators \\
      --without-nettle --without-gnutls --without-libcap --without-mit-krb5 --without-heimdal-krb5 --without-gnugss \\
      --without-systemd --without-netfilter-conntrack --without-tdb --without-cppunit --without-expat --without-libxml2
    for part in compat lib src; do make -s -j$JOBS -C $part; done`,
  keep: { squid: 'src/squid', 'mime.conf': 'src/mime.conf.default' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-squid.patch', import.meta.url)),
};

const [port, originPort] = [11370, 11371];

const configuration = (folder: string, scratch: string): string => `
http_port 127.0.0.1:${port}
acl elsewhere dstdomain -n .elsewhere.example
http_access deny elsewhere
http_access allow all
cache_mem 16 MB
memory_cache_shared off
via off
reply_header_access Age deny all
reply_header_access X-Cache deny all
reply_header_access X-Cache-Lookup deny all
mime_table ${folder}/mime.conf
icon_directory ${scratch}
visible_hostname localhost
dns_nameservers 127.0.0.1
pid_filename none
access_log none
cache_store_log none
cache_log /dev/null
coredump_dir ${scratch}
cache_effective_user nobody
client_lifetime 1 day
client_idle_pconn_timeout 1 hour
server_idle_pconn_timeout 1 hour
`;

async function start(folder: string, scratch: string): Promise<Server> {
  const file = join(scratch, 'squid.conf');
  writeFileSync(file, configuration(folder, scratch));
  const origin = await startOrigin(originPort);
  try {
    const proxy = await startServer({ program: `${folder}/squid`, port, words: ['-N', '-f', file] });
    const stop = async () => void (await Promise.all([proxy.stop(), origin.stop()]));
    return { ...proxy, ending: () => proxy.ending() ?? origin.ending(), stop };
  } catch (error) {
    await origin.stop();
    throw error;
  }
}

class ProxyRequests implements Requests {
  private readonly random: () => number;

  constructor(connection: number) {
    this.random = randomNumbers(connection * 7919 + 1);
  }

  next(): Request {
    const number = Math.floor(this.random() * texts);
    const headers = Object.entries(headersOf(number)).map(([name, value]) => `${name}: ${value}`);
    const host = `127.0.0.1:${originPort}`;
    return {
      bytes: Buffer.from(`GET http://${host}/${number} HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
      expected: Buffer.from(['HTTP/1.1 200 OK', ...headers, 'Connection: keep-alive', '', textOf(number)].join('\r\n')),
    };
  }
}

export const squid: Subject = {
  program,
  object: 'squid',
  fixes: [
    { index: '006', expect: 'patch' },
    { index: '008', expect: 'patch' },
    { index: '011', expect: 'patch' },
    // The virtual table changes as well, and goes along: only constructors that change refer to it.
    { index: '012', expect: { refused: ['LAYOUT_CHANGED'] } },
  ],
  start: ({ folder, scratch }) => start(folder, scratch),
  connections: 16,
  requests: (connection) => new ProxyRequests(connection),
};
