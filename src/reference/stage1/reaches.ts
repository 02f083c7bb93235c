/**
 * Reaches: an array of structures in memory that the SMMU may fetch: the linear stream table, the level-1 descriptors of a two-level one, or the
 * level-2 table behind one of them (IHI 0070 §3.3.1, §5.1). Their pages need not be neighbours in the hot form of memory.
 */
import { Unmodelled } from '../../stack/violation.js';
import type { Memory } from '../../memory/memory.js';
import type { EntryFact } from './facts.js';

export interface Reach {
  /** The level-1 descriptor that leads here; null: the base register does. */
  readonly level1: EntryFact | null;
  /** First element (StreamID, or index of a level-1 descriptor), how many there are, and bytes of each: 8 or 64. */
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly slots: readonly number[];
  /** Words in front of the first element in the first page. */
  readonly offset: number;
  readonly openedAt: number;
  /** Elements whose facts are listed; those of the others are implied by memory. */
  readonly listed: Set<number>;
}

/** One page of a reach. */
export interface Part {
  readonly reach: Reach;
  readonly index: number;
}

export function newReach(memory: Memory, level1: EntryFact | null, at: { readonly address: number; readonly first: number; readonly count: number; readonly bytes: 8 | 64 }): Reach {
  const frame = Math.floor(at.address / 4096);
  const last = Math.floor((at.address + at.count * at.bytes - 1) / 4096);
  const slots = Array.from({ length: last - frame + 1 }, (_, i) => memory.slotOf(frame + i));
  if (slots.some((slot) => slot < 0)) throw new Unmodelled('a stream table outside of modelled memory');
  return { level1, first: at.first, count: at.count, bytes: at.bytes, slots, offset: (at.address % 4096) / 8, openedAt: memory.journal.clock.now, listed: new Set() };
}

/** Reference of the first word of an element. */
export function entryRef(r: Reach, element: number): number {
  const word = r.offset + (element - r.first) * (r.bytes / 8);
  return (r.slots[Math.floor(word / 512)] as number) * 512 + (word % 512);
}
