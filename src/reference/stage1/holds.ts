/**
 * Holds: every value that a word of an STE, a CD or a level-1 descriptor had since it could be fetched, with the times when memory held it.
 */
import type { Memory } from '../../memory/memory.js';
import type { EntryFact, WordHold } from './facts.js';

/** A word that changes just now, and what it was. */
export interface Changing {
  readonly ref: number;
  readonly lo: number;
  readonly hi: number;
}

export class Holds {
  readonly #memory: Memory;
  /** By reference of the word. */
  readonly #words = new Map<number, readonly WordHold[]>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** The words at `ref`, which stood there since `start`, but for one that changes just now. */
  since(ref: number, words: number, start: number, changing?: Changing): WordHold[] {
    return Array.from({ length: words }, (_, i): WordHold => {
      const at = ref + i;
      const known = this.#words.get(at);
      const was = changing?.ref === at ? changing : { lo: this.#memory.lo[at] as number, hi: this.#memory.hi[at] as number };
      const same = known?.find((w) => w.lo === was.lo && w.hi === was.hi);
      if (same !== undefined) return same;
      const hold: WordHold = { lo: was.lo, hi: was.hi, starts: [start], ends: [Infinity] };
      this.#words.set(at, known === undefined ? [hold] : [...known, hold]);
      return hold;
    });
  }

  /** The word that memory holds now: what it held before ends, the same value again goes on. */
  now(ref: number): WordHold {
    const lo = this.#memory.lo[ref] as number;
    const hi = this.#memory.hi[ref] as number;
    const known = this.#words.get(ref);
    let same: WordHold | undefined;
    for (const w of known ?? []) {
      if (w.lo === lo && w.hi === hi) same = w;
      else if (w.ends[w.ends.length - 1] === Infinity) this.#endHold(w);
    }
    if (same !== undefined) {
      if (same.ends[same.ends.length - 1] !== Infinity) this.#goOn(same);
      return same;
    }
    const fresh: WordHold = { lo, hi, starts: [this.#memory.journal.clock.now], ends: [Infinity] };
    this.#words.set(ref, known === undefined ? [fresh] : [...known, fresh]);
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { if (known === undefined) this.#words.delete(ref); else this.#words.set(ref, known); });
    return fresh;
  }

  #endHold(w: WordHold): void {
    const last = w.ends.length - 1;
    w.ends[last] = this.#memory.journal.clock.now;
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { w.ends[last] = Infinity; });
  }

  #goOn(w: WordHold): void {
    w.starts.push(this.#memory.journal.clock.now);
    w.ends.push(Infinity);
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { w.starts.pop(); w.ends.pop(); });
  }

  /** Values of the eight words at `ref` that memory no longer holds and none of the facts has. */
  forget(ref: number, facts: readonly EntryFact[]): void {
    for (let i = 0; i < 8; i += 1) {
      const before = this.#words.get(ref + i);
      if (before === undefined || before.length < 2) continue;
      const after = before.filter((w) => w.ends[w.ends.length - 1] === Infinity || facts.some((e) => e.own[i] === w));
      if (after.length < before.length) this.#replace(ref + i, after, before);
    }
  }

  #replace(at: number, after: readonly WordHold[], before: readonly WordHold[]): void {
    this.#words.set(at, after);
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { this.#words.set(at, before); });
  }
}
