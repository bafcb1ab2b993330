// SPDX-License-Identifier: MIT
/**
 * The texts of a process: what its threads execute, and what they are on their way to.
 *
 *     base       the text of threads that are in no view
 *     newest     the text that every thread has been asked to come to: that of the newest view, or the base's
 *     others     of views whose transition a newer one has overtaken, as long as a thread is still in one
 *
 * Threads in a view see its text, and so does who looks at them through /proc: the newest view is read through its
 * descriptor, the base through a view of its own that nobody enters, the others through a thread that is there.
 */
import { closeSync, openSync } from 'node:fs';
import { RuntimeError } from './errors.js';
import { readAt } from './proc/memory.js';
import type { Process } from './proc/process.js';
import { View, type ViewState, type ViewThread } from './view.js';

/** `length` bytes of a text at `address`, or null where nothing can be read. */
export type Text = (address: number, length: number) => Buffer | null;

/** The number of the base, among those of views. */
const BASE = 0;

export class Texts {
  /** The view of a transition that is under way or not yet folded. */
  readonly running: View | null;
  readonly newest: Text;
  readonly base: Text;
  private readonly process: Process;
  private readonly window: View | null = null;
  private closed = false;
  private readonly others = new Map<number, { readonly memory: number; readonly text: Text }>();

  constructor(process: Process) {
    this.process = process;
    this.running = attachIfThereAreViews(process);
    try {
      this.window = this.running && View.clone(process.pidfd, process.pid);
      this.newest = textOf(this.running) ?? process.read.bind(process);
      this.base = textOf(this.window) ?? this.newest;
      if (this.running) for (const tid of process.tids()) this.openOther(tid);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Every text that a thread may execute or come to execute, each once. */
  all(): Text[] {
    return [...new Set([this.base, this.newest, ...[...this.others.values()].map(({ text }) => text)])];
  }

  /** The newest transition's state; null if there is none. */
  state(): ViewState | null {
    return this.running?.state() ?? null;
  }

  /** What the thread executes now. */
  textOf({ tid, migrated }: ViewThread): Text {
    if (migrated) return this.newest;
    const number = this.process.viewOf(tid);
    return number === BASE ? this.base : (this.others.get(number)?.text ?? this.newest);
  }

  /** Closing it again does nothing. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.running?.close();
    this.window?.close();
    for (const { memory } of this.others.values()) closeSync(memory);
    this.others.clear();
  }

  private openOther(tid: number): void {
    const { process, running, others } = this;
    const number = process.viewOf(tid);
    if (number === BASE || number === running?.number || others.has(number)) return;
    try {
      const memory = openSync(`/proc/${process.pid}/task/${tid}/mem`, 'r');
      others.set(number, { memory, text: (address, length) => readAt(memory, address, length) });
    } catch (error) {
      // A thread that has just ended executes nothing.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ESRCH') throw error;
    }
  }
}

/** A kernel without views runs everything in the base. */
function attachIfThereAreViews(process: Process): View | null {
  try {
    return View.attach(process.pidfd, process.pid);
  } catch (error) {
    if (error instanceof RuntimeError && (error.code === 'NO_VIEWS' || error.code === 'VIEWS_UNSUPPORTED')) return null;
    throw error;
  }
}

/** What is read may be any address; one that the view does not have holds nothing. */
function textOf(view: View | null): Text | null {
  if (!view) return null;
  return (address, length) => {
    try {
      return view.read(address, length);
    } catch (error) {
      if (error instanceof RuntimeError && error.code === 'KERNEL_REFUSED') return null;
      throw error;
    }
  };
}
