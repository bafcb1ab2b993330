// SPDX-License-Identifier: MIT
/**
 * Finds what a reference of new code is bound to: the same thing in the old file if it is there, else a copy in the patch.
 *
 * A direct call of a replaced function goes to its new body; its address, taken to be compared or stored, stays
 * that of the old entry, which leads on to the new body.
 */
import { jumpTableAt } from '../compare/constants.js';
import { type DistanceTable, distancesOf, distanceTableAt } from '../compare/distance-tables.js';
import { borderAt } from '../compare/lists.js';
import { type Reference, sameObject } from '../compare/references.js';
import { describe, type Referent, referentAt } from '../compare/referent.js';
import { isCopied } from '../elf/image.js';
import { R_X86_64 } from '../elf/relocations.js';
import { isConstant } from '../elf/sections.js';
import { threadVariables } from '../elf/thread-local.js';
import { type CodeFunction, indexAt, offsetOfIndex, unitOf } from '../match/functions.js';
import type { DataObject } from '../match/objects.js';
import type { Finding } from '../patch-file/model.js';
import type { Plan } from '../plan.js';
import { newVariable } from '../rules/thread-local.js';
import { meaningOf } from './ambiguous.js';
import type { Binding, PatchBuilder } from './builder.js';
import { NameBinder } from './by-name.js';
import { DataCopier } from './copy.js';
import type { PlacedCode } from './stubs.js';

export interface Place {
  /** For messages: FUNCTION+0xOFFSET, or a data object's name. */
  readonly at: string;
  /** The reference is the target of a call or jump. */
  readonly direct: boolean;
  readonly fn: CodeFunction | null;
  /**
   * Another object's variable, wherever that is, can be bound to here: `pointer`, eight bytes of data hold its address; `lea`, an
   * instruction makes it, and can load it from a slot as well.
   */
  readonly takes?: 'pointer' | 'lea';
}

export class Binder {
  readonly refusals: Finding[] = [];
  readonly plan: Plan;
  readonly builder: PatchBuilder;
  readonly #place: (fn: CodeFunction) => PlacedCode;
  readonly #modified: ReadonlySet<CodeFunction>;
  readonly named: NameBinder;
  readonly #copier: DataCopier;

  constructor(plan: Plan, builder: PatchBuilder, place: (fn: CodeFunction) => PlacedCode) {
    this.plan = plan;
    this.builder = builder;
    this.#place = place;
    this.#modified = new Set(plan.modified.map((unit) => unit.new));
    this.#copier = new DataCopier(this, builder);
    this.named = new NameBinder(this, this.#copier);
  }

  /** A stub in the patch itself that jumps to what `to` is a stub or slot of: something to take the address of. */
  ownStub({ symbol, offset }: Binding): Binding {
    const { name } = this.builder.symbols[symbol]!;
    return this.builder.stub(name, { symbol, offset, via: 'slot' });
  }

  /** The new file has a function that starts there. */
  isFunction(address: number): boolean {
    return this.plan.context.after.functionAt(address)?.address === address;
  }

  refuse(code: string, symbol: string | null, message: string): null {
    if (!this.refusals.some((known) => known.code === code && known.message === message))
      this.refusals.push({ code, symbol, message });
    return null;
  }

  /** What to relocate against, or null after a refusal. */
  bind(reference: Reference, place: Place): Binding | null {
    const { before, after } = this.plan.context;
    const border = borderAt(after, reference.from, reference.address);
    if (border !== null) {
      const label = before.labelNamed(border);
      return label
        ? this.builder.inTarget(border, label.value, 0)
        : this.#unresolved({ kind: 'label', name: border }, place);
    }
    const referent = referentAt(after, reference.address);
    const ended = reference.loaded || place.direct ? null : after.objectBefore(reference.address);
    if (ended !== null && place.fn !== null) {
      const meaning = meaningOf(this.plan, place.fn, reference.address, ended, referent);
      if (meaning === 'unknown') return this.#ambiguous(reference, ended, referent, place);
      if (meaning === 'end') return this.#bindObject(ended, ended.size, place);
      if (meaning === 'both') return this.#copier.boundary(ended, place);
    }
    switch (referent.kind) {
      case 'function':
        return this.#bindFunction(referent.fn, referent.offset, place);
      case 'object':
        return this.#bindObject(referent.object, referent.offset, place);
      case 'constant':
        return this.#bindConstant(reference, place);
      case 'stub':
        return this.named.stub(reference.address, referent.name, place);
      case 'slot':
        return this.named.slot(reference.address, referent.name, place);
      case 'tls':
        return this.#bindThreadLocal(referent, place);
      case 'pointer':
        return this.#bindPointer(referent.to, place);
      case 'label': {
        const label = before.labelNamed(referent.name);
        if (label) return this.builder.inTarget(referent.name, label.value, 0);
        return this.#unresolved(referent, place);
      }
      case 'unknown':
        return this.#unresolved(referent, place);
    }
  }

  #bindFunction(fn: CodeFunction, offset: number, place: Place): Binding | null {
    const { functions } = this.plan.context;
    const old = functions.oldOf.get(fn);
    const comesAlong = this.#comesAlong(fn);
    const entry = offset === 0 && fn === unitOf(fn);
    if (comesAlong && (place.direct || !entry || old === undefined)) {
      return { symbol: this.#inPatch(fn), offset };
    }
    if (old === undefined) return this.#unresolved({ kind: 'function', fn, offset }, place);
    if (offset === 0) return this.builder.inTarget(comesAlong ? `${fn.name}@old` : fn.name, old.address, 0);
    const index = indexAt(fn, offset);
    const oldOffset = index === null ? null : offsetOfIndex(old, index);
    if (oldOffset === null) return this.#unresolved({ kind: 'function', fn, offset }, place);
    return this.builder.inTarget(fn.name, old.address, oldOffset);
  }

  #bindObject(object: DataObject, offset: number, place: Place): Binding | null {
    const { context } = this.plan;
    const old = context.objects.oldOf.get(object);
    const labels = this.#holdsLabels(object);
    if (old !== undefined && labels && !isConstant(object.section))
      return this.refuse(
        'LABEL_VARIABLE',
        object.name,
        `${place.at} jumps by ${object.name}, a variable with addresses inside a function that is replaced; make it const`,
      );
    if (old !== undefined && !labels && (!isConstant(object.section) || sameObject(context, old, object)))
      return this.builder.inTarget(object.name, old.address, offset);
    if (isCopied(context.after.image, object.address)) return this.named.copied(object, offset, place);
    const distances = distancesOf(context.after, object);
    const copy = distances
      ? this.#copyDistances(object.address, distances, object.name, place)
      : this.#copier.object(object, place);
    return copy && { symbol: copy.symbol, offset: copy.offset + offset };
  }

  /** Addresses of labels in code that comes along: in the old object they lead into the old code. */
  #holdsLabels({ address, size }: DataObject): boolean {
    const { after } = this.plan.context;
    for (let at = address; at < address + size; at++) {
      const relocation = after.image.relocations.get(at);
      if (relocation?.type !== R_X86_64.relative) continue;
      const fn = after.functionAt(relocation.addend);
      if (fn !== null && (fn.address !== relocation.addend || fn.parent !== null) && this.#comesAlong(fn)) return true;
    }
    return false;
  }

  #comesAlong(fn: CodeFunction): boolean {
    const unit = unitOf(fn);
    return this.#modified.has(unit) || !this.plan.context.functions.oldOf.has(unit);
  }

  #bindConstant(reference: Reference, place: Place): Binding | null {
    const { after } = this.plan.context;
    const { from, address, loaded } = reference;
    if (from !== null && !loaded) {
      const table = jumpTableAt(after, address, from);
      if (table) return this.#copier.table(address, table, from.name, (target) => this.codePlace(target, from));
      const distances = distanceTableAt(after, address, from);
      if (distances) return this.#copyDistances(address, distances, from.name, place);
    }
    return this.#copier.constant(reference, place);
  }

  #copyDistances(address: number, table: DistanceTable, user: string, place: Place): Binding {
    return this.#copier.table(address, table, user, (target) =>
      this.bind({ from: null, address: target, loaded: false }, { ...place, direct: false }),
    );
  }

  /** A place in the code of `user`, which comes along: an entry of a jump table. Null if it is not in there. */
  codePlace(address: number, user: CodeFunction): Binding | null {
    const unit = unitOf(user);
    const homes = [unit, ...unit.parts];
    const fn =
      homes.find((home) => address >= home.address && address < home.address + home.size) ??
      // an entry that can never be taken may lead right behind the function
      homes.find((home) => address === home.address + home.size);
    return fn === undefined ? null : { symbol: this.#inPatch(fn), offset: address - fn.address };
  }

  #inPatch(fn: CodeFunction): number {
    const { section, offset } = this.#place(fn);
    return this.builder.inPatch(fn.name, section, offset).symbol;
  }

  #bindThreadLocal(referent: Extract<Referent, { kind: 'tls' }>, place: Place): Binding | null {
    const { before } = this.plan.context;
    for (const { address } of before.image.relocations.values()) {
      const old = referentAt(before, address);
      if (old.kind === 'tls' && old.model === referent.model && old.variable === referent.variable)
        return this.builder.inTarget('tls@slot', address, 0);
    }
    const name = referent.variable?.replace(/^.*: |\+\d+$/g, '') ?? 'storage';
    if (referent.variable !== null && !threadVariables(before.image).some((one) => one.name === name))
      return this.refuse('TLS_NEW', name, newVariable(place.fn, name));
    return this.refuse(
      'TLS_UNSUPPORTED',
      place.fn?.name ?? null,
      `${place.at} uses the thread-local ${name}, which the old file has no GOT slot for; keep to thread-local variables that it reaches in the same way`,
    );
  }

  /** A GOT slot with an address of the object itself: the old file's slot for the same, or a pointer in the patch. */
  #bindPointer(to: number, place: Place): Binding | null {
    const { before } = this.plan.context;
    const bound = this.bind({ from: null, address: to, loaded: false }, { ...place, direct: false });
    if (bound === null) return null;
    const { binding, name } = this.builder.symbols[bound.symbol]!;
    if (binding.kind === 'target') {
      const wanted = binding.address + bound.offset;
      for (const { address, type, addend } of before.image.relocations.values())
        if (type === R_X86_64.relative && addend === wanted && referentAt(before, address).kind === 'pointer')
          return this.builder.inTarget(`${name}@pointer`, address, 0);
    }
    return this.#copier.pointer(bound);
  }

  #ambiguous({ address }: Reference, ended: DataObject, starts: Referent, place: Place): null {
    return this.refuse(
      'REFERENCE_AMBIGUOUS',
      place.fn?.name ?? null,
      `${place.at} refers to 0x${address.toString(16)}, the end of ${ended.name} or the start of ${describe(starts)}, and both moved apart; leave the order of the data as it was`,
    );
  }

  #unresolved(referent: Referent, place: Place): null {
    // of code that can be moved every reference is known from its instructions
    const advice = this.plan.context.after.image.kind === 'exec' ? 'build both with -Wl,--emit-relocs or ' : '';
    return this.refuse(
      'REFERENCE_UNRESOLVED',
      place.fn?.name ?? null,
      `${place.at} refers to ${describe(referent)}, which the old file does not have; ${advice}leave the function as it was`,
    );
  }
}
