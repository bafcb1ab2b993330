// SPDX-License-Identifier: MIT
// A server that is patched: how it is started, what is asked of it, which fixes there are, what the planner must make of each, and
// how one sees from outside which code runs. One file beside this for each, with its line in `subjects.ts`.

import type { Requests } from '../load/request.js';
import type { Server } from './process.js';
import type { SourceProgram } from './source-program.js';

export interface Fix {
  /** In the package's series, counted from 0. */
  readonly index: string;
  /** What `planner diff` must find: a patch, no difference in anything that runs, or a refusal with these codes. */
  readonly expect: 'patch' | 'same' | { readonly refused: readonly string[] };
  /** What the server does, asked in a way that is safe whichever code runs. */
  readonly behaviour?: Behaviour;
  /** Words for a person that the index does not say. */
  readonly about?: string;
}

export interface Behaviour {
  /** Asks, and says what came of it in few words. */
  readonly ask: (server: Server) => Promise<string>;
  readonly old: string;
  readonly new: string;
}

export interface Start {
  /** With what the program keeps, before the fix. */
  readonly folder: string;
  /** With what `host` keeps. */
  readonly host: string;
  /** For files of its own. */
  readonly scratch: string;
}

export interface Subject {
  readonly program: SourceProgram;
  /** What it runs in, if it is a library: built with its whole series. */
  readonly host?: SourceProgram;
  /** The kept file that the fixes change. */
  readonly object: string;
  readonly fixes: readonly Fix[];
  readonly start: (start: Start) => Promise<Server>;
  readonly connections: number;
  /** By the connection's number; the same number asks the same. */
  readonly requests: (connection: number) => Requests;
}
