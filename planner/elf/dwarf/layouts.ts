// SPDX-License-Identifier: MIT
/**
 * What types look like in memory: structures with their members and virtual functions, enumerations with their values.
 *
 * Types without a name belong to the typedef or member that uses them. Static members and declarations take no room.
 */
import type { DebugInfo } from './debug-info.js';
import type { Entry, Link } from './entries.js';
import { TAG } from './names.js';
import { bareType, definitionOf, isStructure, type Shape, shapeOf, typeText, WORDS } from './type-text.js';
import type { Unit } from './units.js';

export interface Member {
  readonly name: string;
  /** Bits from the start; of an enumerator its value. */
  readonly offset: number;
  /** Of a bit field, else null. */
  readonly bits: number | null;
  readonly shape: Shape;
  /** Its type, spelled. */
  readonly type: () => string;
}

export interface Virtual {
  readonly name: string;
  readonly slot: number;
}

export interface Layout {
  readonly kind: 'struct' | 'enum';
  /** Bytes. */
  readonly size: number;
  readonly members: readonly Member[];
  readonly virtuals: readonly Virtual[];
  readonly entry: Entry;
}

const DEEPEST = 16;
const NO_SHAPE: Shape = { text: '', pointee: null };

/**
 * The types with a name that `units` define, by name with the word in front, and namespaces: `struct request`, `class A::B`.
 * A type that is local to a function has it behind: `struct state in parse`.
 */
export function layoutsOf(info: DebugInfo, units: Iterable<Unit>): Map<string, Entry[]> {
  const types = new Map<string, Entry[]>();
  const add = (name: string, entry: Entry) => {
    const list = types.get(name);
    if (!list) types.set(name, [entry]);
    else if (!list.includes(entry)) list.push(entry);
  };
  for (const unit of units)
    for (const entry of info.entriesOf(unit).values()) {
      if (WORDS[entry.tag] !== undefined) {
        const defined = definitionOf(info, entry);
        if (!defined.declaration && defined.name !== '') add(`${WORDS[entry.tag]} ${qualified(defined)}`, defined);
      } else if (entry.tag === TAG.typedef) {
        const named = info.entry(entry.type);
        if (named && WORDS[named.tag] !== undefined && named.name === '' && !named.declaration)
          add(qualified(entry), named);
      }
    }
  return types;
}

function qualified(entry: Entry): string {
  let name = entry.name;
  for (let home = entry.parent; home; home = home.parent) {
    if (home.tag === TAG.subprogram) return `${name} in ${home.name || 'a function'}`;
    const scope = home.tag === TAG.namespace || isStructure(home);
    if (scope) name = `${home.name || '(anonymous)'}::${name}`;
  }
  return name;
}

export function layoutOf(info: DebugInfo, entry: Entry): Layout {
  const size = Math.max(0, entry.size);
  if (entry.tag === TAG.enumeration) {
    const members = entry.children
      .filter(({ tag }) => tag === TAG.enumerator)
      .map(({ name, position }) => ({ name, offset: position, bits: null, shape: NO_SHAPE, type: () => '' }));
    return { kind: 'enum', size, members, virtuals: [], entry };
  }
  const virtuals = entry.children
    .filter(({ tag, slot }) => tag === TAG.subprogram && slot >= 0)
    .map(({ name, slot }) => ({ name, slot }));
  return { kind: 'struct', size, members: membersOf(info, entry, '', 0, 0), virtuals, entry };
}

/** Members with those of nameless inner structures, as C sees them: `u.name`, or just `name`. */
function membersOf(info: DebugInfo, entry: Entry, prefix: string, base: number, depth: number): Member[] {
  const members: Member[] = [];
  for (const child of entry.children) {
    const isBase = child.tag === TAG.inheritance;
    if ((child.tag !== TAG.member && !isBase) || child.declaration || child.external) continue;
    const name = prefix + (isBase ? `base ${typeText(info, child.type)}` : child.name);
    const offset = base + child.position;
    const inner = elementType(info, child.type);
    const nameless = inner !== null && isStructure(inner) && inner.name === '';
    if (!nameless || child.name !== '')
      members.push({
        name,
        offset,
        bits: child.bits < 0 ? null : child.bits,
        shape: shapeOf(info, child.type),
        type: () => typeText(info, child.type),
      });
    if (nameless && depth < DEEPEST) {
      const dot = child.name === '' ? prefix : `${name}.`;
      for (const member of membersOf(info, inner, dot, offset, depth + 1)) members.push(member);
    }
  }
  return members;
}

/** What an array, of whatever dimensions, consists of. */
function elementType(info: DebugInfo, link: Link): Entry | null {
  let type = bareType(info, link);
  for (let depth = 0; type?.tag === TAG.array && depth < DEEPEST; depth++) type = bareType(info, type.type);
  return type;
}
