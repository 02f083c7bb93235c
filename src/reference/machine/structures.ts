/**
 * Structures: the words of stream tables, level-1 descriptors, STEs and CDs that may be cached (IHI 0070 §3.21.3, §5.1–§5.4). An array
 * of structures is fetched from while SMMUEN is 1 and what it was reached through stands; a structure once cached
 * stays usable after that, until a CFGI and its SYNC retire it. Invalid ones are cached as well.
 *
 * An element of which nothing ever changed and whose first word is zero is implied; it is listed when a word of it is stored.
 */
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import { beginSegment, bury, endSegment, NEVER, sameWord, stands, type Element, type Pending, type Premise, type StructureFact, type Structures } from './facts.js';
import { when } from './justify.js';
import type { MatchContext } from './match.js';

/** Words of an STE and of a CD on which an answer depends: the rest (MPAM, VMS, MAIR) never shows. */
export const STE_TRACKED = 4;
export const CD_TRACKED = 3;

export type StructureKind = StructureFact['kind'];

export interface StructureListener {
  /** A word may be cached that could not be before. */
  wordBorn(fact: StructureFact): void;
}

export interface ArrayShape {
  readonly kind: StructureKind;
  readonly sid: number;
  readonly first: number;
  readonly span: number;
  readonly count: number;
  readonly address: number;
  readonly premises: readonly Premise[];
}

function tracked(kind: StructureKind): number {
  return kind === 'ste' ? STE_TRACKED : kind === 'cd' ? CD_TRACKED : 1;
}

function bytes(kind: StructureKind): number {
  return kind === 'ste' || kind === 'cd' ? 64 : 8;
}

export class StructureStore {
  readonly #memory: Memory;
  readonly #listener: StructureListener;
  readonly #newId: () => number;
  readonly #bySlot: (Structures[] | undefined)[] = [];
  /** Arrays that are open, and closed ones of which something is still cached. */
  arrays: Structures[] = [];

  constructor(memory: Memory, listener: StructureListener, newId: () => number) {
    this.#memory = memory;
    this.#listener = listener;
    this.#newId = newId;
  }

  /** An array became reachable. The same array closed before is opened again. Elements with something in them are listed. */
  open(shape: ArrayShape): Structures {
    const again = this.arrays.find((a) => !a.open && sameShape(a, shape));
    if (again !== undefined) {
      again.open = true;
      this.#watch(again, true);
      for (const e of again.elements.values()) this.#refresh(e);
      this.#list(again);
      return again;
    }
    const array: Structures = { ...shape, stride: bytes(shape.kind), since: this.#memory.journal.clock.now, elements: new Map(), open: true };
    this.arrays.push(array);
    this.#watch(array, true);
    this.#list(array);
    return array;
  }

  /** Nothing can be fetched from it any more: what may be cached of it stays. */
  close(array: Structures): void {
    if (!array.open) return;
    for (let i = 0; i < array.count; i += 1) this.element(array, array.first + i * array.span);
    array.open = false;
    this.#watch(array, false);
    for (const e of array.elements.values()) for (const word of e.words) for (const f of word) endSegment(f, this.#memory.journal.clock.now);
  }

  #slots(array: Structures): number[] {
    const first = Math.floor(array.address / 4096);
    const last = Math.floor((array.address + array.count * array.stride - 1) / 4096);
    const out: number[] = [];
    for (let f = first; f <= last; f += 1) {
      const slot = this.#memory.slotOf(f);
      if (slot >= 0) out.push(slot);
    }
    return out;
  }

  #watch(array: Structures, on: boolean): void {
    for (const slot of this.#slots(array)) {
      const list = (this.#bySlot[slot] ??= []);
      if (on) {
        list.push(array);
        this.#memory.watch(slot);
      } else {
        list.splice(list.indexOf(array), 1);
        this.#memory.unwatch(slot);
      }
    }
  }

  #list(array: Structures): void {
    for (let i = 0; i < array.count; i += 1) {
      const ref = this.#refOf(array, i);
      if (ref < 0 || ((this.#memory.lo[ref] as number) === 0 && (this.#memory.hi[ref] as number) === 0)) continue;
      this.element(array, array.first + i * array.span);
    }
  }

  #refOf(array: Structures, i: number): number {
    const address = array.address + i * array.stride;
    const slot = this.#memory.slotOf(Math.floor(address / 4096));
    return slot < 0 ? -1 : slot * WORDS_PER_FRAME + (address % 4096) / 8;
  }

  /** The element that serves `index` (StreamID or CD index) in the array; listed from now on. */
  element(array: Structures, index: number): Element {
    const i = Math.floor((index - array.first) / array.span);
    const known = array.elements.get(i);
    if (known !== undefined) return known;
    const e: Element = { table: array, index: array.first + i * array.span, ref: this.#refOf(array, i), words: Array.from({ length: tracked(array.kind) }, () => []), vectors: null };
    array.elements.set(i, e);
    if (array.open) this.#refresh(e);
    return e;
  }

  /** Every word that memory holds may be cached. */
  #refresh(e: Element): void {
    if (e.ref < 0) return;
    e.words.forEach((_, word) => { this.#born(e, word, this.#memory.lo[e.ref + word] as number, this.#memory.hi[e.ref + word] as number); });
  }

  #born(e: Element, word: number, lo: number, hi: number): void {
    const now = this.#memory.journal.clock.now;
    const list = e.words[word] as StructureFact[];
    const again = list.find((f) => f.alive && sameWord(f, lo, hi));
    if (again !== undefined) {
      beginSegment(again, now);
      return;
    }
    const fact: StructureFact = {
      kind: e.table.kind, id: this.#newId(), premises: e.table.premises, ref: e.ref + word, lo, hi, starts: [now], ends: [Infinity], alive: true, memoFor: null, memo: 0, element: e, word,
    };
    list.push(fact);
    e.vectors = null;
    this.#listener.wordBorn(fact);
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const arrays = this.#bySlot[slot];
    if (arrays === undefined) return;
    const ref = slot * WORDS_PER_FRAME + index;
    for (const array of arrays.slice()) {
      const i = Math.floor((this.#memory.frameOf(slot) * 4096 + index * 8 - array.address) / array.stride);
      if (i < 0 || i >= array.count) continue;
      const fresh = !array.elements.has(i);
      const e = this.element(array, array.first + i * array.span);
      const word = ref - e.ref;
      if (word >= e.words.length) continue;
      // An element that was implied so far may also be cached with the word as it was, zero or not: words are fetched one by one (§3.21.3).
      if (fresh) this.#born(e, word, oldLo, oldHi);
      const now = this.#memory.journal.clock.now;
      const lo = this.#memory.lo[ref] as number;
      const hi = this.#memory.hi[ref] as number;
      for (const f of e.words[word] as StructureFact[]) if (!sameWord(f, lo, hi)) endSegment(f, now);
      this.#born(e, word, lo, hi);
    }
  }

  /** Facts of CFGI-able kinds that the SYNC's commands get rid of. Nothing changes yet. */
  judge(K: readonly Pending[], m: MatchContext): StructureFact[] {
    const dead: StructureFact[] = [];
    for (const a of this.arrays) {
      for (const e of a.elements.values()) for (const word of e.words) for (const f of word) if (when(f, K, m) === NEVER) dead.push(f);
    }
    return dead;
  }

  /** Removes the dead; arrays reached through one of them close. */
  apply(dead: readonly StructureFact[], queue: number): void {
    for (const f of dead) {
      bury(f, this.#memory.journal.clock.now, queue);
      const list = f.element.words[f.word] as StructureFact[];
      list.splice(list.indexOf(f), 1);
      f.element.vectors = null;
    }
    this.review();
  }

  /** Closes arrays whose premises went; forgets closed ones of which nothing is cached. */
  review(): void {
    for (let again = true; again;) {
      again = false;
      for (const a of this.arrays) {
        if (!a.open || a.premises.every((p) => p.kind === 'regime' || p.alive)) continue;
        this.close(a);
        again = true;
      }
    }
    this.arrays = this.arrays.filter((a) => a.open || [...a.elements.values()].some((e) => e.words.some((w) => w.length > 0)));
  }

  /** Is a fact what memory says and may be fetched? */
  current(f: StructureFact): boolean {
    return f.alive && stands(f);
  }
}

function sameShape(a: ArrayShape, b: ArrayShape): boolean {
  return a.kind === b.kind && a.sid === b.sid && a.first === b.first && a.span === b.span && a.count === b.count && a.address === b.address
    && a.premises.length === b.premises.length && a.premises.every((p, i) => p === b.premises[i]);
}
