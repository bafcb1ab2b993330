// SPDX-License-Identifier: MIT
/**
 * The ELF objects that are loaded in a process, read from its memory alone: the file on disk may have been replaced by
 * the upgrade already.
 *
 * Invariant: an object is listed only if its executable segment really is mapped executable where its headers say; a
 * file that a program has merely mapped to look at is none. Headers come from the target and are not trusted: every
 * read is bounded, and what does not add up is no object.
 */
import { basename } from 'node:path';
import { type RunAddress, runAddress } from '../../planner/index.js';
import { type Mapping, mappingAt } from './maps.js';
import { USER_SPACE_END } from './memory.js';
import { type Note, parseNotes } from './notes.js';
import { type Process, printable } from './process.js';

export interface LoadedObject {
  readonly path: string;
  /** File name without folders. */
  readonly name: string;
  /** The file has been replaced or removed since. */
  readonly deleted: boolean;
  /** Run-time minus link-time address. */
  readonly bias: number;
  /** The object's span: first to last byte of its PT_LOAD segments. */
  readonly start: RunAddress;
  readonly end: RunAddress;
  /** NT_GNU_BUILD_ID, lower-case hex, or null. */
  readonly buildId: string | null;
  /** Its notes, and where each has its description in the process. */
  readonly notes: readonly (Note & { readonly address: number })[];
  /** PT_DYNAMIC. */
  readonly dynamic: { readonly address: RunAddress; readonly size: number } | null;
}

const PAGE = 4096;
const ELF_MAGIC = 0x7f454c46;
const ELF_CLASS_64 = 2;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const MAX_HEADERS = 512;
const MAX_NOTES = 64 * 1024;

/** Every object loaded in `process`, in address order. */
export function loadedObjects(process: Process, maps: readonly Mapping[]): LoadedObject[] {
  const objects: LoadedObject[] = [];
  let last: { readonly mapping: Mapping; readonly end: number } | null = null;
  for (const mapping of maps) {
    if (mapping.offset !== 0 || !mapping.read || mapping.inode === '0') continue;
    // where the first segments share a page of the file (lld), that page is mapped again within the object
    const { inode, device } = last?.mapping ?? {};
    if (last !== null && mapping.start < last.end && mapping.inode === inode && mapping.device === device) continue;
    const object = readObject(process, maps, mapping);
    if (object === null) continue;
    objects.push(object);
    last = { mapping, end: object.end };
  }
  return objects;
}

/** The first file that is mapped as code of another machine, or of 32 bits; null if there is none. */
export function foreignCode(process: Process, maps: readonly Mapping[]): string | null {
  const isForeign = ({ start }: Mapping) => {
    const header = process.read(start, 20);
    if (header?.readUInt32BE(0) !== ELF_MAGIC) return false;
    return header[4] !== ELF_CLASS_64 || header.readUInt16LE(18) !== EM_X86_64;
  };
  const found = maps.find((mapping) => mapping.inode !== '0' && mapping.offset === 0 && isForeign(mapping));
  return found ? printable(found.path) : null;
}

/** Whether `object` is loaded where it was when it was found. */
export function isStillLoaded(process: Process, maps: readonly Mapping[], object: LoadedObject): boolean {
  const isFirst = ({ start, offset, inode }: Mapping) =>
    offset === 0 && inode !== '0' && start >= object.start && start < object.end;
  const first = maps.find(isFirst);
  const now = first ? readObject(process, maps, first) : null;
  return now !== null && now.buildId === object.buildId && now.bias === object.bias;
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function readObject(process: Process, maps: readonly Mapping[], first: Mapping): LoadedObject | null {
  const read = readerOf(process, first);
  const segments = readSegments(read, first.start);
  const loads = segments.filter(({ type }) => type === PT_LOAD);
  const head = loads.find(({ offset }) => offset < PAGE);
  if (!head) return null;
  const bias = first.start - (head.address - (head.offset % PAGE));
  const code = loads.filter(({ flags }) => flags & 1);
  if (bias < 0 || code.length === 0 || !code.every((segment) => isMappedCode(maps, first, bias, segment))) return null;
  const start = Math.min(...loads.map(({ address }) => address)) + bias;
  const end = Math.max(...loads.map(({ address, size }) => address + size)) + bias;
  const notes = readNotes(read, segments, bias);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  return {
    path: printable(first.path),
    name: basename(printable(first.path)),
    deleted: first.deleted,
    bias,
    start: runAddress(start - (start % PAGE)),
    end: runAddress(Math.ceil(end / PAGE) * PAGE),
    buildId: findBuildId(notes),
    notes,
    dynamic: dynamic ? { address: runAddress(dynamic.address + bias), size: dynamic.size } : null,
  };
}

type Read = Process['read'];

/** Headers and notes are mostly in the first page: it is read once. */
function readerOf(process: Process, { start }: Mapping): Read {
  const page = process.read(start, PAGE);
  return (address, length) => {
    const at = address - start;
    const here = page !== null && at >= 0 && at + length <= PAGE;
    return here ? page.subarray(at, at + length) : process.read(address, length);
  };
}

function isMappedCode(maps: readonly Mapping[], first: Mapping, bias: number, segment: Segment): boolean {
  const mapping = mappingAt(maps, segment.address + bias);
  return mapping?.execute === true && mapping.inode === first.inode && mapping.device === first.device;
}

/** Program headers of the ELF header at `address`; none if there is no 64-bit x86 ELF. */
function readSegments(read: Read, address: number): Segment[] {
  const header = read(address, 64);
  if (header === null) return [];
  if (header.readUInt32BE(0) !== ELF_MAGIC || header[4] !== ELF_CLASS_64 || header[5] !== 1) return [];
  const count = header.readUInt16LE(56);
  if (header.readUInt16LE(18) !== EM_X86_64 || header.readUInt16LE(54) !== 56 || count > MAX_HEADERS) return [];
  const table = read(address + wordAt(header, 32), count * 56);
  if (!table) return [];
  const segments: Segment[] = [];
  for (let at = 0; at < table.length; at += 56) {
    const [offset, link, size] = [8, 16, 40].map((field) => wordAt(table, at + field));
    if (![offset!, link!, size!, link! + size!].every((value) => value < USER_SPACE_END)) return [];
    segments.push({
      type: table.readUInt32LE(at),
      flags: table.readUInt32LE(at + 4),
      offset: offset!,
      address: link!,
      size: size!,
    });
  }
  return segments;
}

/** Eight bytes as a number: rounded if it is none that an address can have. */
const wordAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;

/** All notes of all segments, with the run-time addresses of their descriptions. */
function readNotes(read: Read, segments: readonly Segment[], bias: number): (Note & { readonly address: number })[] {
  return segments
    .filter(({ type, size }) => type === PT_NOTE && size <= MAX_NOTES)
    .flatMap(({ address, size }) =>
      parseNotes(read(address + bias, size) ?? Buffer.alloc(0)).map((note) => ({
        ...note,
        address: address + bias + note.at,
      })),
    );
}

/** The build id among `notes`. */
export function findBuildId(notes: readonly Note[]): string | null {
  const id = notes.find(({ owner, type }) => owner === 'GNU' && type === NT_GNU_BUILD_ID);
  return id && id.description.length > 0 ? id.description.toString('hex') : null;
}
