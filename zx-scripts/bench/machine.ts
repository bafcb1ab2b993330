// SPDX-License-Identifier: MIT
// The machine that figures come from, and what they are worth.

import { cpus, release, totalmem } from 'node:os';
import type { Machine } from './bench.js';

export function describeMachine(guest: Machine['guest']): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    system: `Linux ${release()}`,
    node: process.version,
    guest,
    advice:
      guest === 'tcg'
        ? 'The guest ran under TCG, an emulator many times slower than the processor: only ratios mean anything, and they tell of instructions executed, not of caches and TLBs.'
        : 'A shared machine: only ratios mean anything, within one run.',
  };
}
