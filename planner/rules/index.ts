// SPDX-License-Identifier: MIT
/** All rules, in the order their findings are told. */
import { alwaysRunning } from './always-running.js';
import { codeShape } from './code-shape.js';
import { dataChanged } from './data-changed.js';
import { effects } from './effects.js';
import { entry } from './entry.js';
import { importLibrary } from './import.js';
import { layoutChanged } from './layout/layout-changed.js';
import { lineOnly } from './line-only.js';
import { listChanged } from './list-changed.js';
import { overlap } from './overlap.js';
import type { Judged, Rule, RuleFinding } from './rule.js';
import { signature } from './signature.js';
import { startUp } from './start-up.js';
import { threadLocal } from './thread-local.js';
import { toolchain } from './toolchain.js';

const rules: readonly Rule[] = [
  toolchain,
  layoutChanged,
  signature,
  dataChanged,
  listChanged,
  startUp,
  codeShape,
  entry,
  overlap,
  importLibrary,
  threadLocal,
  alwaysRunning,
  lineOnly,
  effects,
];

/** Codes that --allow may name. */
export const ALLOWABLE: readonly string[] = [
  'DATA_AMBIGUOUS',
  'DATA_CHANGED',
  'INIT_CHANGED',
  'LAYOUT_CHANGED',
  'LIBRARY_NEW',
  'LIST_CHANGED',
  'PRODUCER_DIFFERS',
  'SIGNATURE_CHANGED',
];

export const judge = (judged: Judged): RuleFinding[] => rules.flatMap((rule) => rule(judged));
