// SPDX-License-Identifier: MIT
// Load on a memcached: connections that each send a request, wait for its answer, compare it byte by byte, and send the next.
//
// Invariant: every request that was sent is counted once, as one that succeeded or as one that failed. An answer that is
// wrong, late, or does not come because the connection has ended is a failure; such a connection is not used again.

import { connect, type Socket } from 'node:net';
import { type Request, Requests } from './requests.js';
import { now, type Sample } from './windows.js';

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
  static async start(port: number, connections: number): Promise<Load> {
    const load = new Load();
    for (let number = 0; number < connections; number++) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      load.lines.push(new Line(socket, new Requests(number), (outcome) => load.record(number, outcome)));
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
  private readonly report: (outcome: Outcome) => void;
  private current: Request | null = null;
  private sentAt = 0;
  private answer: Buffer[] = [];
  private answered = 0;
  private readonly clock: NodeJS.Timeout;
  private stopping = false;
  private onEnd = () => {};
  private readonly ended = new Promise<void>((resolve) => {
    this.onEnd = resolve;
  });

  constructor(socket: Socket, requests: Requests, report: (outcome: Outcome) => void) {
    this.socket = socket;
    this.requests = requests;
    this.report = report;
    this.clock = setInterval(() => this.checkTime(), 1000);
    socket.on('data', (bytes) => this.receive(bytes));
    socket.on('error', (error) => this.end(`the connection broke (${error.message})`));
    socket.on('close', () => this.end('the server closed the connection'));
  }

  /** Resolves when the first request has been answered, or has failed. */
  async begin(): Promise<void> {
    this.send();
    const first = this.current;
    while (this.current === first) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async finish(): Promise<void> {
    this.stopping = true;
    await this.ended;
  }

  private send(): void {
    this.current = this.requests.next();
    this.answer = [];
    this.answered = 0;
    this.sentAt = now();
    this.socket.write(this.current.bytes);
  }

  private receive(bytes: Buffer): void {
    if (!this.current) return;
    this.answer.push(bytes);
    this.answered += bytes.length;
    const { expected } = this.current;
    if (this.answered < expected.length && !/^(ERROR|CLIENT_ERROR|SERVER_ERROR)/.test(bytes.toString('latin1'))) return;
    const found = Buffer.concat(this.answer);
    if (!found.equals(expected)) {
      this.end(`expected ${head(expected)}, found ${head(found)}`, false);
      return;
    }
    this.account(true, null);
    if (this.stopping) this.close();
    else this.send();
  }

  private checkTime(): void {
    if (this.current && now() - this.sentAt > lateMs) this.end(`no answer within ${lateMs / 1000} s`, false);
  }

  private account(ok: boolean, problem: string | null, dropped = false): void {
    const end = now();
    this.report({ sample: this.current && { end, latency: end - this.sentAt, ok }, problem, dropped });
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
    this.socket.removeAllListeners('data').removeAllListeners('close');
    this.socket.destroy();
    this.onEnd();
  }
}

const head = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 60).toString('latin1'));
