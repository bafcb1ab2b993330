// SPDX-License-Identifier: MIT
/**
 * .driftpatch.plan: what an ELF object has no place for, as JSON with keys in a fixed order.
 *
 * Decoding believes nothing: each field is of the type and within the range the model says, or it is an error that names it.
 */
import { linkAddress } from '../addresses.js';
import { isPrintable, printable } from '../printable.js';
import { PatchFileError } from './error.js';
import { LIMITS, PATCH_NAME } from './format.js';
import type { Finding, OriginalCode, Patch, PatchSection, PatchTarget, ReplacedFunction } from './model.js';

export type PlanPart = Pick<Patch, 'name' | 'tool' | 'target' | 'functions' | 'unwind' | 'original' | 'notes'>;

export function encodePlan({ name, tool, target, functions, unwind, original, notes }: PlanPart): Uint8Array {
  const plan = {
    name,
    tool,
    target: { name: target.name, buildId: target.buildId, kind: target.kind },
    functions: functions.map((fn) => ({
      name: fn.name,
      old: { ...pick(fn.old), bytes: Buffer.from(fn.old.bytes).toString('hex') },
      new: { section: fn.new.section, offset: fn.new.offset, size: fn.new.size },
      oldParts: fn.oldParts.map(({ address, size }) => ({ address, size })),
    })),
    unwind: [...unwind],
    original: original.map(({ name: part, address, code, names }) => ({
      name: part,
      address,
      code: Buffer.from(code).toString('base64'),
      names: names.map(({ at, name: to }) => [at, to]),
    })),
    notes: notes.map(({ code, symbol, message }) => ({ code, symbol, message })),
  };
  return Uint8Array.from(Buffer.from(`${JSON.stringify(plan, null, 1)}\n`));
}

const pick = ({ address, size, room, detourOffset }: ReplacedFunction['old']) => ({
  address,
  size,
  room,
  detourOffset,
});

export function decodePlan(bytes: Uint8Array, sections: readonly PatchSection[]): PlanPart {
  if (bytes.length > LIMITS.planBytes)
    throw new PatchFileError('TOO_LARGE', 'plan', `at most ${LIMITS.planBytes} bytes`, `${bytes.length}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new PatchFileError('DAMAGED', 'plan', 'JSON in UTF-8', 'something else', cause);
  }
  const plan = fields(value, 'plan');
  const name = text(plan.name, 'name', 64);
  if (!PATCH_NAME.test(name)) throw wrong('name', `${PATCH_NAME}`, name);
  const functions = list(plan.functions, 'functions', LIMITS.functions);
  if (functions.length === 0) throw wrong('functions', 'one at least', functions);
  return {
    name,
    tool: text(plan.tool, 'tool', 256),
    target: decodeTarget(plan.target),
    functions: functions.map((entry, i) => decodeFunction(entry, `functions[${i}]`, sections)),
    unwind: list(plan.unwind, 'unwind', LIMITS.functions).map((entry, i) => text(entry, `unwind[${i}]`, LIMITS.name)),
    original: list(plan.original, 'original', LIMITS.functions).map((entry, i) =>
      decodeOriginal(entry, `original[${i}]`),
    ),
    notes: list(plan.notes, 'notes', LIMITS.notes).map((entry, i) => decodeFinding(entry, `notes[${i}]`)),
  };
}

function decodeTarget(value: unknown): PatchTarget {
  const target = fields(value, 'target');
  const kind = target.kind;
  if (kind !== 'exec' && kind !== 'pie' && kind !== 'shared') throw wrong('target.kind', 'exec, pie or shared', kind);
  const buildId = text(target.buildId, 'target.buildId', 128);
  if (!/^([0-9a-f]{2}){1,64}$/.test(buildId)) throw wrong('target.buildId', 'hex', buildId);
  const name = text(target.name, 'target.name', LIMITS.name);
  if (name.includes('/')) throw wrong('target.name', 'a name without folders', name);
  return { name, buildId, kind };
}

function decodeFunction(value: unknown, at: string, sections: readonly PatchSection[]): ReplacedFunction {
  const fn = fields(value, at);
  const old = fields(fn.old, `${at}.old`);
  const now = fields(fn.new, `${at}.new`);
  const address = number(old.address, `${at}.old.address`, 2 ** 47);
  const size = number(old.size, `${at}.old.size`, 2 ** 32);
  const room = number(old.room, `${at}.old.room`, 2 ** 32);
  const detourOffset = number(old.detourOffset, `${at}.old.detourOffset`, 4);
  const hex = text(old.bytes, `${at}.old.bytes`, 10);
  if (!/^[0-9a-f]{10}$/.test(hex)) throw wrong(`${at}.old.bytes`, '5 bytes in hex', hex);
  if (detourOffset !== 0 && detourOffset !== 4) throw wrong(`${at}.old.detourOffset`, '0 or 4', detourOffset);
  if (size === 0) throw wrong(`${at}.old.size`, 'a size', size);
  if (room < detourOffset + 5 || room < size)
    throw wrong(`${at}.old.room`, 'room for a jump, and for the function', room);
  const section = number(now.section, `${at}.new.section`, sections.length - 1);
  const offset = number(now.offset, `${at}.new.offset`, 2 ** 32);
  const newSize = number(now.size, `${at}.new.size`, 2 ** 32);
  const home = sections[section]!;
  if (home.kind !== 'code' || offset + newSize > home.size || newSize === 0)
    throw wrong(`${at}.new`, 'a range of a code section', `${offset}+${newSize} of ${home.name}`);
  const name = text(fn.name, `${at}.name`, LIMITS.name);
  if (name === '') throw wrong(`${at}.name`, 'a name', name);
  return {
    name,
    old: { address: linkAddress(address), size, room, detourOffset, bytes: new Uint8Array(Buffer.from(hex, 'hex')) },
    new: { section, offset, size: newSize },
    oldParts: list(fn.oldParts, `${at}.oldParts`, LIMITS.functions).map((entry, i) => {
      const part = fields(entry, `${at}.oldParts[${i}]`);
      return {
        address: linkAddress(number(part.address, `${at}.oldParts[${i}].address`, 2 ** 47)),
        size: number(part.size, `${at}.oldParts[${i}].size`, 2 ** 32),
      };
    }),
  };
}

function decodeOriginal(value: unknown, at: string): OriginalCode {
  const original = fields(value, at);
  const base64 = original.code;
  const decoded = Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64');
  if (decoded.toString('base64') !== base64) throw wrong(`${at}.code`, 'bytes in base 64', base64);
  return {
    name: text(original.name, `${at}.name`, LIMITS.name),
    address: linkAddress(number(original.address, `${at}.address`, 2 ** 47)),
    code: new Uint8Array(decoded),
    names: list(original.names, `${at}.names`, decoded.length).map((entry, i) => {
      const [offset, name] = list(entry, `${at}.names[${i}]`, 2);
      return {
        at: number(offset, `${at}.names[${i}]`, decoded.length - 1),
        name: text(name, `${at}.names[${i}]`, LIMITS.name),
      };
    }),
  };
}

function decodeFinding(value: unknown, at: string): Finding {
  const finding = fields(value, at);
  const code = text(finding.code, `${at}.code`, 64);
  const symbol = finding.symbol === null ? null : text(finding.symbol, `${at}.symbol`, LIMITS.name);
  if (!/^[A-Z][A-Z0-9_]*$/.test(code)) throw wrong(`${at}.code`, 'a word in capitals', code);
  return { code, symbol, message: text(finding.message, `${at}.message`, 65536) };
}

const wrong = (place: string, expected: string, found: unknown) =>
  new PatchFileError('DAMAGED', place, expected, shown(found));

/** A value for a message: lists and objects by their kind alone, since they may be long. */
function shown(value: unknown): string {
  if (typeof value === 'string') return printable(JSON.stringify(value.slice(0, 80)));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return value === undefined ? 'nothing' : String(value);
}

function fields(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'an object', value);
  return value as Record<string, unknown>;
}

function list(value: unknown, at: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) throw wrong(at, `a list of at most ${most}`, value);
  return value;
}

function text(value: unknown, at: string, longest: number): string {
  if (typeof value !== 'string' || value.length > longest || !isPrintable(value))
    throw wrong(at, `a printable text of at most ${longest} characters`, value);
  return value;
}

function number(value: unknown, at: string, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > most)
    throw wrong(at, `a whole number from 0 to ${most}`, value);
  return value;
}
