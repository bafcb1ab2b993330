// SPDX-License-Identifier: MIT
// libxml2, a shared library: patched in a server of ours whose threads parse and validate what they are sent (xml-host.c).

import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';

const host = fileURLToPath(new URL('../../../zx-scripts/servers/xml-host.c', import.meta.url));

const program: SourceProgram = {
  name: 'libxml2',
  source: 'libxml2',
  version: '2.9.14+dfsg-1.3~deb12u6',
  packages: ['autoconf', 'automake', 'libtool', 'pkg-config'],
  build: `autoreconf -fi
    ./configure --quiet --disable-static --without-python --without-lzma --without-zlib
    make -s -j$JOBS libxml2.la
    gcc $CFLAGS -Wall -Iinclude -o xml-host $OWN/xml-host.c -L.libs -lxml2 -lpthread`,
  keep: { 'libxml2.so.2': '.libs/libxml2.so.2.9.14', 'xml-host': 'xml-host' },
  own: [host],
};

const port = 11360;

const request = (what: 'parse' | 'valid', document: string, answer: string): Request => ({
  bytes: Buffer.from(`${document.length} ${what}\n${document}`),
  expected: Buffer.from(`${answer}\n`),
});

const dtd = '<!DOCTYPE list [<!ELEMENT list (item+)><!ELEMENT item (#PCDATA)><!ATTLIST item id NMTOKEN #REQUIRED>]>';

/** Documents that are well-formed, valid, invalid, and cut off; each with what must be said of it. */
class XmlRequests implements Requests {
  private readonly random: () => number;

  constructor(connection: number) {
    this.random = randomNumbers(connection * 7919 + 1);
  }

  next(): Request {
    const count = 1 + Math.floor(this.random() * 20);
    const word = Math.floor(this.random() * 0x100000000).toString(36);
    const items = Array.from({ length: count }, (_, at) => `<item id="${word}-${at}">${word} &amp; more</item>`).join(
      '',
    );
    const choice = this.random();
    if (choice < 0.4) return request('parse', `<?xml version="1.0"?><l${word}>${items}</l${word}>`, `ok l${word}`);
    if (choice < 0.8) return request('valid', `${dtd}<list>${items}</list>`, 'ok list');
    if (choice < 0.9) return request('valid', `${dtd}<list></list>`, `invalid ${incomplete}`);
    return request('parse', `<list>${items}`, 'error 77');
  }
}

const incomplete = 'Element list content does not follow the DTD, expecting (item)+, got  ';

export const libxml2: Subject = {
  program,
  object: 'libxml2.so.2',
  fixes: [
    { index: '003', expect: 'patch' },
    { index: '007', expect: 'patch' },
    { index: '012', expect: 'patch' },
    { index: '014', expect: 'patch' },
  ],
  start: ({ folder }) =>
    startServer({
      program: `${folder}/xml-host`,
      port,
      words: [String(port)],
      env: { LD_LIBRARY_PATH: folder },
    }),
  connections: 8,
  requests: (connection) => new XmlRequests(connection),
};
