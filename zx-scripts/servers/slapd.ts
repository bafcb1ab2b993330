// SPDX-License-Identifier: MIT
// slapd with sixteen threads. Its package keeps no fixes apart: the one here is ours (slapd-fix.patch), in the function that
// every search runs in.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Request, type Requests, randomNumbers } from '../load/request.js';
import { type Server, ServerError, startServer } from './process.js';
import type { SourceProgram } from './source-program.js';
import type { Subject } from './subject.js';
import { talk } from './talk.js';

const program: SourceProgram = {
  name: 'slapd',
  source: 'openldap',
  version: '2.5.13+dfsg-5',
  packages: ['libltdl-dev', 'libtool', 'libsasl2-dev'],
  build: `./configure --quiet --disable-shared --enable-static --without-tls --enable-mdb --disable-wt
    make -s depend
    make -s -j$JOBS -C libraries
    make -s -j$JOBS -C servers`,
  keep: { slapd: 'servers/slapd/slapd', 'core.schema': 'debian/schema/core.schema' },
  barrier: fileURLToPath(new URL('../../../zx-scripts/servers/quiescence-slapd.patch', import.meta.url)),
  ownFix: fileURLToPath(new URL('../../../zx-scripts/servers/slapd-fix.patch', import.meta.url)),
};

const port = 11350;
const suffix = 'dc=example';
const people = 200;
const surname = (person: number): string => `surname-${(person * 2654435761) % 1_000_003}`;

async function start(folder: string, scratch: string): Promise<Server> {
  const slapd = join(folder, 'slapd');
  mkdirSync(join(scratch, 'db'));
  const configuration = join(scratch, 'slapd.conf');
  writeFileSync(
    configuration,
    `include ${folder}/core.schema
threads 16
database mdb
suffix "${suffix}"
rootdn "cn=admin,${suffix}"
directory ${scratch}/db
maxsize 16777216
index objectClass,cn eq
`,
  );
  const entries = [`dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n`];
  for (let person = 0; person < people; person++)
    entries.push(`dn: ${nameOf(person)}\nobjectClass: person\ncn: person-${person}\nsn: ${surname(person)}\n`);
  const words = ['-T', 'add', '-f', configuration];
  const { status, stderr } = spawnSync(slapd, words, { input: entries.join('\n'), encoding: 'utf8' });
  if (status !== 0) throw new ServerError(`expected slapd -T add to end with status 0, found ${status}: ${stderr}`);
  const listen = ['-h', `ldap://127.0.0.1:${port}`, '-d', '0'];
  return startServer({ program: slapd, port, words: ['-f', configuration, ...listen] });
}

const nameOf = (person: number): string => `cn=person-${person},${suffix}`;

/** BER: a tag, how long the rest is, the rest. */
function ber(tag: number, ...parts: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(parts);
  const { length } = rest;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), rest]);
}

const octets = (value: string): Buffer => ber(0x04, Buffer.from(value));

function integer(value: number, tag = 0x02): Buffer {
  const bytes: number[] = [];
  for (let left = value; bytes.length === 0 || left > 0 || bytes[0]! >= 0x80; left = Math.floor(left / 256))
    bytes.unshift(left % 256);
  return ber(tag, Buffer.from(bytes));
}

const message = (id: number, operation: Buffer): Buffer => ber(0x30, integer(id), operation);

/** Of the whole tree, those who have this value; with these attributes of theirs. */
const search = (key: 'cn' | 'sn', value: string, attributes: readonly string[]): Buffer =>
  ber(
    0x63,
    octets(suffix),
    integer(2, 0x0a),
    integer(0, 0x0a),
    integer(0),
    integer(0),
    ber(0x01, Buffer.from([0])),
    ber(0xa3, octets(key), octets(value)),
    ber(0x30, ...attributes.map(octets)),
  );

const done = (id: number): Buffer => message(id, ber(0x65, integer(0, 0x0a), octets(''), octets('')));

class LdapRequests implements Requests {
  private readonly random: () => number;
  private id = 0;

  constructor(connection: number) {
    this.random = randomNumbers(connection * 7919 + 1);
  }

  /** A person who is there, or one who is not. By surname, which has no index, slapd looks at everybody: so more threads have to do. */
  next(): Request {
    const id = ++this.id;
    const person = Math.floor(this.random() * people * 1.1);
    const known = this.random() < 0.5 && person < people;
    const bytes = message(id, known ? search('sn', surname(person), ['sn']) : search('cn', `person-${person}`, ['sn']));
    if (person >= people) return { bytes, expected: done(id) };
    const values = ber(0x30, ber(0x30, octets('sn'), ber(0x31, octets(surname(person)))));
    return { bytes, expected: Buffer.concat([message(id, ber(0x64, octets(nameOf(person)), values)), done(id)]) };
  }
}

async function manyAttributes(server: Server): Promise<string> {
  const attributes = Array.from({ length: 120 }, (_, number) => (number ? `x-${number}` : 'sn'));
  const ended = (text: string) => resultCode(text) !== undefined;
  const heard = await talk(server.port, message(1, search('cn', 'person-1', attributes)), ended);
  const code = resultCode(heard);
  return code === 0 ? 'success' : code === 11 ? 'limit exceeded' : JSON.stringify(heard);
}

/** Of the message that ends a search, if it has come. */
function resultCode(heard: string): number | undefined {
  const bytes = Buffer.from(heard, 'latin1');
  const at = bytes.findIndex((byte, i) => byte === 0x65 && bytes[i + 2] === 0x0a && bytes[i + 3] === 1);
  return at < 0 ? undefined : bytes[at + 4];
}

export const slapd: Subject = {
  program,
  object: 'slapd',
  fixes: [
    {
      index: '015',
      expect: 'patch',
      about: 'a search for 120 attributes ends with',
      behaviour: { ask: manyAttributes, old: 'success', new: 'limit exceeded' },
    },
  ],
  start: ({ folder, scratch }) => start(folder, scratch),
  connections: 24,
  requests: (connection) => new LdapRequests(connection),
};
