/**
 * Memory with pages wherever a recording has them: frames get slots as they are named, and give them back when nobody watches them any more. The
 * words of a page that was never stored to are zero.
 */
import type { Journal } from './journal.js';
import { Memory } from './memory.js';

/** Pages at the most: 256 MB of the hot form. */
export const SCATTERED_MAX = 32_768;

/** More pages than can be held were named. */
export class MemoryFull extends Error {
  constructor() {
    super(`more than ${SCATTERED_MAX} pages of tables and structures are in use at the same time`);
    this.name = 'MemoryFull';
  }
}

export class ScatteredMemory extends Memory {
  readonly #slots = new Map<number, number>();
  readonly #frames: number[] = [];
  readonly #free: number[] = [];

  constructor(journal: Journal) {
    super(journal, 64);
  }

  /** The frame's slot; a new one for a frame that was not named before. */
  override slotOf(frame: number): number {
    const known = this.#slots.get(frame);
    if (known !== undefined) return known;
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#frames.length;
      if (slot >= SCATTERED_MAX) throw new MemoryFull();
      this.grow(slot + 1);
    }
    this.#frames[slot] = frame;
    this.#slots.set(frame, slot);
    return slot;
  }

  override frameOf(slot: number): number {
    return this.#frames[slot] as number;
  }

  /** The frame's slot if it has one, else -1. */
  knownSlot(frame: number): number {
    return this.#slots.get(frame) ?? -1;
  }

  /** Neighbouring frames get neighbouring slots; they must be new. */
  reserve(frame: number, count: number): void {
    for (let i = 0; i < count; i += 1) {
      if (this.#frames.length >= SCATTERED_MAX) throw new MemoryFull();
      this.grow(this.#frames.length + 1);
      this.#slots.set(frame + i, this.#frames.length);
      this.#frames.push(frame + i);
    }
  }

  /** The page is used for something else from now on. Kept while somebody watches it: what it holds can still be seen. */
  forget(frame: number): void {
    const slot = this.#slots.get(frame);
    if (slot === undefined || (this.watched[slot] as number) > 0) return;
    this.zeroPage(slot);
    this.#slots.delete(frame);
    this.#frames[slot] = -1;
    this.#free.push(slot);
  }

  get pages(): number {
    return this.#slots.size;
  }
}
