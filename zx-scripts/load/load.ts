// SPDX-License-Identifier: MIT
// Load on a server: connections that each send a request, wait for its answer, compare it byte by byte, and send the next.
//
//   closed   the next request follows the answer: as many as the server can do
//   open     requests are due at fixed times, whatever became of those before; a latency counts from when its request was due.
//            So a server that stands still for a while is charged with every request that it kept from being sent
//            (what leaves them out is called coordinated omission).
//
// Invariant: every request that was sent is counted once, as one that succeeded or as one that failed. An answer that is
// wrong, late, or does not come because the connection has ended is a failure; such a connection is not used again.

import { connect, type Socket } from 'node:net';
import { judge, type Request, type Requests } from './request.js';
import { now, type Sample } from './windows.js';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** By the connection's number. */
  readonly requests: (connection: number) => Requests;
  /** Open: so many requests are due per second, over all connections. */
  readonly perSecond?: number;
}

export interface LoadTotals {
  readonly connections: number;
  readonly requests: number;
  readonly failed: number;
  /** Connections that ended before the load did. */
  readonly dropped: number;
  /** What was wrong, for the first few failures. */
  readonly failures: readonly string[];
}

const lateMs = 10_000;
const described = 5;

export class Load {
  private readonly samples: Sample[] = [];
  private readonly lines: Line[] = [];
  private readonly failures: string[] = [];
  private dropped = 0;

  /** Connects, and resolves when every connection has had its first answer; they go on by themselves. */
  static async start({ port, connections, requests, perSecond }: LoadOptions): Promise<Load> {
    const load = new Load();
    // Connection after connection: what is due on all of them at the same time is a burst, not a load.
    const open = (number: number) => perSecond && { ms: (connections * 1000) / perSecond, shift: number / connections };
    for (let number = 0; number < connections; number++) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      const record = (outcome: Outcome) => load.record(number, outcome);
      load.lines.push(new Line(socket, requests(number), open(number) || null, record));
    }
    await Promise.all(load.lines.map((line) => line.begin()));
    return load;
  }

  taken(): readonly Sample[] {
    return this.samples;
  }

  /** Lets every request that is under way come to its end, and sends no more. */
  async stop(): Promise<LoadTotals> {
    await Promise.all(this.lines.map((line) => line.finish()));
    const { samples, lines, dropped, failures } = this;
    const failed = samples.filter(({ ok }) => !ok).length;
    return { connections: lines.length, requests: samples.length, failed, dropped, failures };
  }

  private record(number: number, { sample, problem, dropped }: Outcome): void {
    if (sample) this.samples.push(sample);
    if (dropped) this.dropped++;
    if (problem !== null && this.failures.length < described) this.failures.push(`connection ${number}: ${problem}`);
  }
}

/** When requests are due: every so many milliseconds; the first one later by this part of them. */
interface Rhythm {
  readonly ms: number;
  readonly shift: number;
}

interface Outcome {
  /** Null if no request was under way. */
  readonly sample: Sample | null;
  readonly problem: string | null;
  readonly dropped: boolean;
}

/** One connection. */
class Line {
  private readonly socket: Socket;
  private readonly requests: Requests;
  /** Null: a request is due as soon as the one before has been answered. */
  private readonly rhythm: Rhythm | null;
  private readonly report: (outcome: Outcome) => void;
  private current: Request | null = null;
  private due = 0;
  private step: number;
  private sentAt = 0;
  private answer: Buffer[] = [];
  private readonly clock: NodeJS.Timeout;
  private pause: NodeJS.Timeout | undefined;
  private stopping = false;
  private onEnd = () => {};
  private readonly ended = new Promise<void>((resolve) => {
    this.onEnd = resolve;
  });

  constructor(socket: Socket, requests: Requests, rhythm: Rhythm | null, report: (outcome: Outcome) => void) {
    this.socket = socket;
    this.requests = requests;
    this.rhythm = rhythm;
    this.step = rhythm ? rhythm.ms * (1 + rhythm.shift) : 0;
    this.report = report;
    this.clock = setInterval(() => this.checkTime(), 1000);
    socket.on('data', (bytes) => this.receive(bytes));
    socket.on('error', (error) => this.end(`the connection broke (${error.message})`));
    socket.on('close', () => this.end('the server closed the connection'));
  }

  /** Resolves when the first request has been answered, or has failed. */
  async begin(): Promise<void> {
    this.due = now();
    this.send();
    const first = this.current;
    while (this.current === first) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async finish(): Promise<void> {
    this.stopping = true;
    if (!this.current) this.close();
    await this.ended;
  }

  /** The next request, now or when it is due. */
  private goOn(): void {
    this.due = this.rhythm ? this.due + this.step : now();
    this.step = this.rhythm?.ms ?? 0;
    const wait = this.due - now();
    if (wait <= 0) this.send();
    else this.pause = setTimeout(() => this.send(), wait);
  }

  private send(): void {
    this.current = this.requests.next();
    this.answer = [];
    this.sentAt = now();
    if (!this.rhythm) this.due = this.sentAt;
    this.socket.write(this.current.bytes);
  }

  private receive(bytes: Buffer): void {
    if (!this.current) return void this.end(`bytes that nobody asked for: ${head(bytes)}`);
    this.answer.push(bytes);
    const found = this.answer.length === 1 ? bytes : Buffer.concat(this.answer);
    const verdict = judge(this.current, found);
    if (verdict === 'part') return;
    if (verdict === 'wrong') {
      this.end(`expected ${head(this.current.expected)}, found ${head(found)}`, false);
      return;
    }
    this.account(true, null);
    if (this.stopping) this.close();
    else this.goOn();
  }

  private checkTime(): void {
    if (this.current && now() - this.sentAt > lateMs) this.end(`no answer within ${lateMs / 1000} s`, false);
  }

  private account(ok: boolean, problem: string | null, dropped = false): void {
    const end = now();
    this.report({ sample: this.current && { end, latency: end - this.due, ok }, problem, dropped });
    this.current = null;
  }

  /** The end of a connection that was not asked for; ends that we cause ourselves come here with `dropped` false. */
  private end(problem: string, dropped = true): void {
    if (this.socket.listenerCount('data') === 0) return;
    this.account(false, problem, dropped);
    this.close();
  }

  private close(): void {
    clearInterval(this.clock);
    clearTimeout(this.pause);
    this.socket.removeAllListeners('data').removeAllListeners('close');
    this.socket.destroy();
    this.onEnd();
  }
}

const head = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 60).toString('latin1'));
