/**
 * Description of one invalidation (seed 0, `struct arm_smmu_tlbi` in the thread): which addresses, which leaf
 * levels were changed, which table levels lost an entry. Bit n of a bitmap stands for level 3 - n.
 */
import type { Tg } from '../spec/granule.js';

export interface Description {
  /** Granule of the tables, log2 of bytes: what a level means. `first` and `last` are its multiples: whole granules. */
  tg: Tg;
  /** First and last damaged frame (4 KiB), last inclusive. */
  first: number;
  last: number;
  /** Bit n: leaves at level 3 - n were changed, runs of contiguous entries of that level included. */
  leaves: number;
  /** Bit n: a table descriptor at level 3 - n was removed (bit 0 is never set). */
  tables: number;
  /** Everything of the tag: the other fields do not matter. */
  all: boolean;
}

export function newDescription(): Description {
  return { tg: 12, first: 0, last: -1, leaves: 0, tables: 0, all: false };
}

/** The bit of a bitmap that stands for `level`. */
export function levelBit(level: number): number {
  return 1 << (3 - level);
}

export function describeDescription(d: Description): string {
  if (d.all) return 'everything';
  return `0x${(d.first * 4096).toString(16)}..0x${(d.last * 4096 + 4095).toString(16)} leaves 0b${d.leaves.toString(2)} tables 0b${d.tables.toString(2)}`;
}
