// SPDX-License-Identifier: MIT
// What one connection of the load asks for, one request after the other, and the bytes that must come back. Each connection
// has keys of its own, so that every answer is known in advance to the last byte. Same seed, same requests.

import { type Request, type Requests, randomNumbers } from '../load/request.js';

const keys = 16;
const [getShare, multigetShare] = [0.65, 0.15];

export class MemcachedRequests implements Requests {
  private readonly prefix: string;
  private readonly values: string[] = [];
  private readonly random: () => number;

  constructor(connection: number) {
    this.prefix = `load-${connection}-`;
    this.random = randomNumbers(connection * 7919 + 1);
  }

  /** First each key is set; from then on gets, multigets and sets mix. */
  next(): Request {
    if (this.values.length < keys) return this.set(this.values.length);
    const choice = this.random();
    const key = Math.floor(this.random() * keys);
    if (choice < getShare) return this.get([key]);
    if (choice < getShare + multigetShare) return this.get([key, (key + 5) % keys, (key + 9) % keys]);
    return this.set(key);
  }

  private set(key: number): Request {
    const word = Math.floor(this.random() * 0x100000000).toString(36);
    const value = word.repeat(1 + Math.floor(this.random() * 60));
    this.values[key] = value;
    const bytes = Buffer.from(`set ${this.prefix}${key} 0 0 ${value.length}\r\n${value}\r\n`);
    return { bytes, expected: Buffer.from('STORED\r\n') };
  }

  /** More than one key is a multiget: the path that the fix changes. */
  private get(wanted: readonly number[]): Request {
    const names = wanted.map((key) => this.prefix + key);
    const values = wanted.map((key, at) => valueLines(names[at]!, this.values[key]!));
    return { bytes: Buffer.from(`get ${names.join(' ')}\r\n`), expected: Buffer.from(`${values.join('')}END\r\n`) };
  }
}

export const valueLines = (key: string, value: string): string => `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`;
