// SPDX-License-Identifier: MIT
/**
 * What an unwinder needs to know of new code: the frame description of each function that is carried, the common part it refers
 * to, and its landing pads with the types they catch. One .eh_frame for the patch, ended by a zero length as registering it
 * wants; one .gcc_except_table per function.
 *
 * Records are copied, and only their pointers become relocations: code moves as a whole, so all else in them stays true.
 * Refused: a form of table that gcc and clang do not emit.
 */

import { instructionsOf } from '../compare/instructions.js';
import type { Reference } from '../compare/references.js';
import { isCall } from '../core/instruction.js';
import { type Encoded, PCREL } from '../elf/encoded.js';
import { type CommonPart, type Frame, type Frames, readFrames } from '../elf/frames.js';
import { bytesAt } from '../elf/image.js';
import { type LandingPads, readLandingPads } from '../elf/landing-pads.js';
import { R_X86_64 } from '../elf/relocations.js';
import type { SymbolTable } from '../elf/symbols.js';
import type { CodeFunction } from '../match/functions.js';
import type { Binder, Place } from './bind.js';
import type { Binding } from './builder.js';
import type { PlacedCode } from './stubs.js';

interface Field {
  readonly at: number;
  readonly type: number;
  readonly to: Binding;
}

const RECORD_ALIGN = 8;
const DATA_ALIGN = 4;
/** libgcc's unwinder asks it for the frame description of a place in code. */
const FIND_FRAME = '_Unwind_Find_FDE';
/** LLVM's has this besides, and finds descriptions in a way of its own. */
const FOREIGN = '__unw_getcontext';
const UNDERSCORE = 0x5f;
const Z = 0x5a;

export class UnwindEmitter {
  /** Functions that an exception may pass through or be caught in. */
  readonly passed: string[] = [];
  readonly #binder: Binder;
  readonly #frames: Frames;
  /** The object has C++ in it: what is below a function may throw. */
  readonly #throws: boolean;
  readonly #writer: RecordWriter;

  constructor(binder: Binder) {
    this.#binder = binder;
    const { image, functions } = binder.plan.context.after;
    this.#frames = readFrames(image);
    this.#throws = this.#frames.personality || hasCxx(image.symbolTable, functions.columns.symbols);
    this.#writer = new RecordWriter(binder);
  }

  add(fn: CodeFunction, { section, offset }: PlacedCode): void {
    const frame = this.#frames.at(fn.address);
    if (frame === null) return;
    if (!frame.readable) {
      cannot(this.#binder, fn, 'its frame description is encoded in a way that is not known');
      return;
    }
    const pads = frame.data && landingPads(this.#binder, fn, frame);
    if (this.#throws && (pads?.any || mayThrow(fn))) this.passed.push(fn.name);
    const code = this.#binder.builder.inPatch(fn.name, section, offset);
    this.#writer.add(frame, code, pads && emitPads(this.#binder, fn, frame, pads), fn);
  }

  /** To be called once, when everything that is carried has been added. */
  end(): void {
    this.#writer.end();
    if (this.passed.length > 0) this.#nameUnwinder();
  }

  /** No dynamic symbol names the unwinder of a program that was linked with -static-libgcc: the patch does. */
  #nameUnwinder(): void {
    const { builder, plan } = this.#binder;
    for (const { names, address } of plan.context.before.functions) {
      if (names.includes(FIND_FRAME)) builder.inTarget(FIND_FRAME, address, 0);
      if (names.includes(FOREIGN))
        this.#binder.refuse(
          'UNWIND_NEEDED',
          this.passed[0]!,
          `function ${this.passed[0]} cannot be unwound from a patch: the program has LLVM's unwinder in it (${FOREIGN}), which cannot be told of new code; keep the fix out of functions that exceptions pass through`,
        );
    }
  }
}

/** Some function has a name as C++ makes them. */
function hasCxx({ strings, nameOffsets }: SymbolTable, symbols: Uint32Array): boolean {
  for (let i = 0; i < symbols.length; i++) {
    const name = nameOffsets[symbols[i]!]!;
    if (strings[name] === UNDERSCORE && strings[name + 1] === Z) return true;
  }
  return false;
}

const cannot = (binder: Binder, { name }: CodeFunction, why: string): null =>
  binder.refuse('UNWIND_NEEDED', name, `function ${name} cannot be unwound from a patch: ${why}; leave it as it was`);

/** It calls something, so something below it may throw. */
const mayThrow = (fn: CodeFunction): boolean => instructionsOf(fn).some(isCall);

function landingPads(binder: Binder, fn: CodeFunction, { data }: Frame): LandingPads | null {
  const { image } = binder.plan.context.after;
  const bytes =
    data?.value == null || data.encoding & 0x80 ? null : bytesAt(image, data.value, Number.MAX_SAFE_INTEGER);
  const pads = bytes && readLandingPads(bytes, data!.value!);
  return pads ?? cannot(binder, fn, 'its landing pads are described in a form that gcc and clang do not emit');
}

function emitPads(binder: Binder, fn: CodeFunction, { data }: Frame, pads: LandingPads): Binding {
  const { builder, plan } = binder;
  const address = data!.value!;
  const bytes = Uint8Array.from(bytesAt(plan.context.after.image, address, pads.size)!);
  const place: Place = { at: `the landing pads of ${fn.name}`, direct: false, fn: null };
  const fields: Field[] = [];
  for (const one of [...(pads.base ? [pads.base] : []), ...pads.types]) {
    const to =
      one.value === null
        ? null
        : one === pads.base
          ? padsStart(binder, fn, one.value)
          : target(binder, one.value, place);
    const type = relocationFor(one, to);
    if (to !== null && type === null)
      cannot(binder, fn, `a type in its landing pads has the encoding 0x${one.encoding.toString(16)}`);
    else if (to !== null) fields.push({ at: one.at, type: type!, to });
    bytes.fill(0, one.at, one.at + one.width);
  }
  const name = `.gcc_except_table.${fn.name}`;
  const section = builder.addSection(name, 'rodata', DATA_ALIGN, bytes);
  for (const { at, type, to } of fields) builder.relocate(section, at, type, to, 0);
  return builder.inPatch(name, section, 0);
}

const padsStart = (binder: Binder, fn: CodeFunction, start: number): Binding | null =>
  binder.codePlace(start, fn) ?? cannot(binder, fn, 'its landing pads begin outside of it');

/** Types and personalities are named things, or slots with their addresses. */
function target(binder: Binder, address: number, place: Place): Binding | null {
  const reference: Reference = { from: null, address, loaded: false };
  const to = binder.bind(reference, place);
  return to?.via === 'stub' && binder.plan.context.after.image.kind === 'exec' ? binder.ownStub(to) : to;
}

function relocationFor({ encoding, width }: Encoded, to: Binding | null): number | null {
  const relative = (encoding & 0x70) === PCREL;
  if (to?.via === 'slot') return relative && width === 4 ? R_X86_64.gotpcrel : null;
  if (width === 4 && relative) return to?.via === 'stub' ? R_X86_64.plt32 : R_X86_64.pc32;
  if (to?.via !== undefined) return null;
  if (width === 4) return encoding & 0x08 ? R_X86_64.abs32s : R_X86_64.abs32;
  return width === 8 && !relative ? R_X86_64.abs64 : null;
}

/** Collects records; common parts that are equal are one. */
class RecordWriter {
  readonly #binder: Binder;
  readonly #chunks: Uint8Array[] = [];
  readonly #fields: Field[] = [];
  readonly #commons = new Map<CommonPart, number | null>();
  #size = 0;

  constructor(binder: Binder) {
    this.#binder = binder;
  }

  add(frame: Frame, code: Binding, data: Binding | null, fn: CodeFunction): void {
    const common = this.#common(frame.common, fn);
    if (common === null) return;
    const bytes = Uint8Array.from(frame.bytes);
    const start = this.#size;
    new DataView(bytes.buffer).setUint32(4, start + 4 - common, true);
    const fields = [
      { field: frame.function, to: code },
      { field: frame.data, to: data },
    ];
    for (const { field, to } of fields) {
      if (field === null) continue;
      const type = relocationFor(field, to);
      bytes.fill(0, field.at, field.at + field.width);
      if (to === null) continue;
      if (type === null)
        cannot(this.#binder, fn, `its frame description has the encoding 0x${field.encoding.toString(16)}`);
      else this.#fields.push({ at: start + field.at, type, to });
    }
    this.#push(bytes);
  }

  end(): void {
    if (this.#size === 0) return;
    this.#push(new Uint8Array(4));
    const { builder } = this.#binder;
    const section = builder.addSection(
      '.eh_frame',
      'rodata',
      RECORD_ALIGN,
      Uint8Array.from(Buffer.concat(this.#chunks)),
    );
    builder.inPatch('.eh_frame', section, 0);
    for (const { at, type, to } of this.#fields) builder.relocate(section, at, type, to, 0);
  }

  #common(common: CommonPart, fn: CodeFunction): number | null {
    const known = this.#commons.get(common);
    if (known !== undefined) return known;
    const bytes = Uint8Array.from(common.bytes);
    const { personality } = common;
    let start: number | null = this.#size;
    if (personality?.value != null) {
      const place = { at: `the frame description of ${fn.name}`, direct: false, fn: null };
      const to = target(this.#binder, personality.value, place);
      const type = relocationFor(personality, to);
      bytes.fill(0, personality.at, personality.at + personality.width);
      if (to === null) start = null;
      else if (type === null) {
        cannot(this.#binder, fn, `its personality has the encoding 0x${personality.encoding.toString(16)}`);
        start = null;
      } else this.#fields.push({ at: this.#size + personality.at, type, to });
    }
    if (start !== null) this.#push(bytes);
    this.#commons.set(common, start);
    return start;
  }

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }
}
