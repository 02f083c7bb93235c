/**
 * Table shapes: which geometries a world may have, and what generators and readers of cases need to know of one: start level, page sizes,
 * where tables, sub-tables and runs end. From the architecture alone (VMSAv8-64; IHI 0070 §5.2 S2T0SZ, §5.4 T0SZ): the library under test
 * works out the same by itself. Addresses and sizes are bytes.
 */
import { POW2 } from '../spec/bits.js';
import { contiguousEntries, leafAllowed, levelShift, stage1StartLevel, stride, type Tg } from '../spec/granule.js';
import type { TableGeometry, TableWorld } from '../stack/page-table.js';

/** Output sizes in bits that CD.IPS and STE.S2PS can say and that reach RAM, which begins at 4 GiB. */
export const TABLE_OUTPUT_BITS: readonly number[] = [36, 40, 42, 44, 48, 52];
/** Stage 2: a start table of no more entries becomes so many tables of the next level, side by side. */
const CONCATENATED = 16;
/** Input bits: TxSZ is 48 at most (64K: 47). */
export function leastInputBits(tg: Tg): number {
  return tg === 16 ? 17 : 16;
}

/** 52 bits with the 64K granule and with DS. */
export function mostInputBits(tg: Tg, ds: boolean): number {
  return tg === 16 || ds ? 52 : 48;
}

/** Why there can be no such table, or null. */
export function geometryProblem(g: TableGeometry): string | null {
  if (g.ds && g.tg === 16) return 'ds is the 52-bit form of 4K and 16K granules: 64K has none';
  if (!TABLE_OUTPUT_BITS.includes(g.outputBits)) return `outputBits must be one of ${TABLE_OUTPUT_BITS.join(', ')}`;
  if (g.outputBits > 48 && g.tg !== 16 && !g.ds) return 'outputs of more than 48 bits need the 64K granule or ds';
  const least = leastInputBits(g.tg);
  const most = mostInputBits(g.tg, g.ds);
  if (g.inputBits < least || g.inputBits > most) return `inputBits must be ${least} to ${most} for this granule`;
  if (g.stage === 2 && g.half !== 'lower') return 'stage 2 has no upper half';
  return null;
}

/** Tables of fewer input bits need IDR3.STT (TxSZ above 39). */
export const SMALL_TABLE_BITS = 25;

/**
 * Level of the root. Stage 2: a root of at most 16 entries is that many tables of the level below; but a 4K walk may begin at level 3 only
 * where small tables exist.
 */
export function startLevelOf(g: TableGeometry): number {
  const level = stage1StartLevel(g.tg, g.inputBits);
  if (g.stage === 1 || level === 3 || (g.tg === 12 && level === 2 && g.inputBits >= SMALL_TABLE_BITS)) return level;
  return g.inputBits - levelShift(g.tg, level) <= Math.log2(CONCATENATED) ? level + 1 : level;
}

/** May a leaf stand there in this geometry? */
export function hasLeaves(g: TableGeometry, level: number): boolean {
  return level >= startLevelOf(g) && leafAllowed(g.tg, level, g.ds, g.tg === 16 && g.outputBits > 48);
}

/** Sizes of single leaves, smallest first. */
export function leafSizes(g: TableGeometry): number[] {
  const sizes: number[] = [];
  for (let level = 3; level >= startLevelOf(g); level -= 1) if (hasLeaves(g, level)) sizes.push(POW2[levelShift(g.tg, level)] as number);
  return sizes;
}

/** Leaves of a size that make a contiguous run; 1: there is none. */
export function runOf(g: TableGeometry, size: number): number {
  const level = 3 - (Math.log2(size) - g.tg) / stride(g.tg);
  return contiguousEntries(g.tg, level, g.ds);
}

/** End of the input range. */
export function inputEnd(g: TableGeometry): number {
  return POW2[g.inputBits] as number;
}

export function outputEnd(g: TableGeometry): number {
  return POW2[g.outputBits] as number;
}

/** Steps at whose multiples something ends: a leaf, a run, a table, a sub-table of a concatenated root. Smallest first. */
export function boundarySteps(g: TableGeometry): number[] {
  const end = inputEnd(g);
  const steps = new Set<number>();
  for (let level = 3; level >= startLevelOf(g); level -= 1) {
    const size = POW2[levelShift(g.tg, level)] as number;
    steps.add(size);
    steps.add(size * runOf(g, size));
    steps.add(POW2[levelShift(g.tg, level) + stride(g.tg)] as number); // one table of this level, or sub-table of the root
  }
  return [...steps].filter((s) => s < end).sort((a, b) => a - b);
}

/** Why there can be no such world, or null. */
export function tableWorldProblem(w: TableWorld): string | null {
  const problem = geometryProblem(w.geometry);
  if (problem !== null) return problem;
  // A walker marks a page by an atomic update of the descriptor; one that does not see the CPU's cache would undo, or miss, what stands there.
  if (w.geometry.dirty && !w.coherent) return 'dirty tracking needs a coherent walker: hardware marks descriptors that the CPU may have in its cache';
  return null;
}
