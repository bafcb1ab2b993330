// SPDX-License-Identifier: MIT
/**
 * Old and new code beside each other, aligned as diff does it. The mark between the two says what became of a line: nothing,
 * `|` another instruction, `<` gone, `>` new. A branch within the code is the same if it leads to lines that are beside each other.
 */
import { diffArrays } from 'diff';
import pc from 'picocolors';
import { disassemble, type Line } from './disassemble.js';
import type { Code, Piece } from './pieces.js';

export type Mark = ' ' | '|' | '<' | '>';

export interface Row {
  readonly old: Line | null;
  readonly new: Line | null;
  readonly mark: Mark;
}

export interface Look {
  /** Columns there are. */
  readonly width: number;
  readonly colour: boolean;
}

/** Of lines that differ: more are not aligned, because nobody would wait for it. */
const MOST_EDITS = 10_000;
const OFFSET = 5;
const NARROWEST = 60;

export function sideBySide(pieces: readonly Piece[], look: Look): string {
  return pieces.map((piece) => pieceText(piece, look)).join('\n\n');
}

/** The same for programs: a row for each line, with both sides as far as there are any. */
export const listingJson = (pieces: readonly Piece[]): unknown =>
  pieces.map(({ name, old, new: now }) => ({
    name,
    rows: align(linesOf(old), linesOf(now)).map((row) => ({
      mark: row.mark,
      old: row.old && { offset: row.old.offset, text: row.old.text },
      new: row.new && { offset: row.new.offset, text: row.new.text },
    })),
  }));

const linesOf = (code: Code | null): Line[] => (code === null ? [] : disassemble(code));

function pieceText({ name, old, new: now }: Piece, look: Look): string {
  const size = (bytes: Uint8Array | undefined) => (bytes === undefined ? 'nothing' : `${bytes.length} bytes`);
  const at = old === null ? '' : ` at 0x${old.address.toString(16)}`;
  const head = `${name}: ${size(old?.bytes)}${at} → ${size(now?.bytes)}`;
  const paint = pc.createColors(look.colour);
  const rows = align(linesOf(old), linesOf(now));
  return [paint.bold(head), ...rows.map((row) => rowText(row, look))].join('\n');
}

/** Lines with their counterparts; the lines of each side stay in their order. */
export function align(old: readonly Line[], now: readonly Line[]): Row[] {
  const rows: Row[] = [];
  const changes = diffArrays([...old], [...now], {
    comparator: (a, b) => a.key === b.key,
    maxEditLength: MOST_EDITS,
  }) ?? [
    { added: false, removed: true, count: old.length },
    { added: true, removed: false, count: now.length },
  ];
  let [i, j] = [0, 0];
  for (let c = 0; c < changes.length; c++) {
    const { added, removed, count } = changes[c]!;
    if (!added && !removed) {
      for (let k = 0; k < count; k++) rows.push({ old: old[i++]!, new: now[j++]!, mark: ' ' });
      continue;
    }
    // what went and what came at one place stand beside each other
    const next = changes[c + 1];
    const pair = next && (next.added || next.removed) && next.added !== added ? changes[++c]! : null;
    const gone = removed ? count : pair?.removed ? pair.count : 0;
    const came = added ? count : pair?.added ? pair.count : 0;
    for (let k = 0; k < Math.max(gone, came); k++) {
      const [left, right] = [k < gone ? old[i++]! : null, k < came ? now[j++]! : null];
      rows.push({ old: left, new: right, mark: left === null ? '>' : right === null ? '<' : '|' });
    }
  }
  return rows.map((row) => (row.mark === ' ' && !leadTogether(row, rows) ? { ...row, mark: '|' } : row));
}

const places = new WeakMap<readonly Row[], { old: Map<number, number>; new: Map<number, number> }>();

/** Whether the branches of a row lead to one row. */
function leadTogether({ old, new: now }: Row, rows: readonly Row[]): boolean {
  if (old!.target === null || now!.target === null) return old!.target === now!.target;
  let known = places.get(rows);
  if (!known) {
    known = { old: new Map(), new: new Map() };
    for (const [i, row] of rows.entries()) {
      if (row.old) known.old.set(row.old.offset, i);
      if (row.new) known.new.set(row.new.offset, i);
    }
    places.set(rows, known);
  }
  return known.old.get(old!.target) === known.new.get(now!.target);
}

function rowText({ old, new: now, mark }: Row, { width, colour }: Look): string {
  const paint = pc.createColors(colour);
  const column = Math.floor((Math.max(width, NARROWEST) - 3) / 2);
  const left = cell(old, column).padEnd(column);
  const right = cell(now, column);
  const isSame = mark === ' ';
  const line = isSame ? `${left}   ${right}` : `${paint.red(left)} ${paint.bold(mark)} ${paint.green(right)}`;
  return colour ? line : line.trimEnd();
}

function cell(line: Line | null, column: number): string {
  if (line === null) return '';
  const text = `${line.offset.toString(16).padStart(OFFSET)}  ${line.text}`;
  return text.length <= column ? text : `${text.slice(0, column - 1)}…`;
}
