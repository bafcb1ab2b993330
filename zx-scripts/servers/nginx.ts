// SPDX-License-Identifier: MIT
// nginx with two workers, each with a pool of four threads that read files; a mail proxy is configured too, since fixes are in it.

import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { type Server, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';

const program: SourceProgram = {
  name: 'nginx',
  source: 'nginx',
  version: '1.22.1-9+deb12u9',
  packages: ['libssl-dev', 'libpcre2-dev', 'zlib1g-dev'],
  build: `./configure --with-cc-opt="$CFLAGS" --with-threads --with-http_ssl_module --with-http_v2_module \\
      --with-http_mp4_module --with-mail --with-mail_ssl_module >configure.log
    make -s -j$JOBS`,
  keep: { nginx: 'objs/nginx' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-nginx.patch', import.meta.url)),
};

const [port, mailPort] = [11330, 11331];

const configuration = `
daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log stderr error;
thread_pool default threads=4;
events { worker_connections 256; }
http {
  access_log off;
  default_type text/plain;
  sendfile off;
  aio threads;
  etag off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_header_buffer_size 64k;
  server { listen 127.0.0.1:${port}; root www; }
}
mail {
  auth_http 127.0.0.1:${port}/auth;
  server { listen 127.0.0.1:${mailPort}; protocol smtp; smtp_auth login plain cram-md5; }
}
`;

/** What is served: the n-th file. */
const files = 32;
const content = (file: number): string => {
  const random = randomNumbers(file + 1);
  const word = Math.floor(random() * 0x100000000).toString(36);
  return `${file} ${word.repeat(1 + Math.floor(random() * 2000))}\n`;
};
const changed = 1_700_000_000;
const lastModified = new Date(changed * 1000).toUTCString();

async function start(folder: string, scratch: string): Promise<Server> {
  mkdirSync(join(scratch, 'www'));
  for (let file = 0; file < files; file++) {
    const path = join(scratch, 'www', String(file));
    writeFileSync(path, content(file));
    utimesSync(path, changed, changed);
  }
  writeFileSync(join(scratch, 'nginx.conf'), configuration);
  const words = ['-p', scratch, '-c', 'nginx.conf', '-e', 'stderr'];
  return startServer({ program: `${folder}/nginx`, port, words });
}

class HttpRequests implements Requests {
  private readonly random: () => number;

  constructor(connection: number) {
    this.random = randomNumbers(connection * 7919 + 1);
  }

  next(): Request {
    const file = Math.floor(this.random() * files);
    const body = content(file);
    const untilDate = 'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: ';
    const rest = [
      lastModified, // as long as any other date
      'Content-Type: text/plain',
      `Content-Length: ${body.length}`,
      `Last-Modified: ${lastModified}`,
      'Connection: keep-alive',
      'Accept-Ranges: bytes',
      '',
      body,
    ];
    return {
      bytes: Buffer.from(`GET /${file} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      expected: Buffer.from(untilDate + rest.join('\r\n')),
      free: [untilDate.length, untilDate.length + lastModified.length],
    };
  }
}

export const nginx: Subject = {
  program,
  object: 'nginx',
  fixes: [
    { index: '003', expect: { refused: ['LAYOUT_CHANGED'] } },
    { index: '005', expect: 'patch' },
    { index: '007', expect: 'patch' },
    { index: '008', expect: 'patch' },
    { index: '010', expect: 'patch' },
    { index: '012', expect: 'same' },
    { index: '019', expect: { refused: ['LAYOUT_CHANGED'] } },
    // A new module. The list of all modules grows, which the running master and its workers have walked at their start: a module that
    // comes later has no index, and new code would read its configuration from before the beginning of a table.
    { index: '022', expect: { refused: ['DATA_CHANGED'] } },
  ],
  start: ({ folder, scratch }) => start(folder, scratch),
  connections: 16,
  requests: (connection) => new HttpRequests(connection),
};
