/**
 * Suite seed-0: the figures behind the claims of seed 0 ("Organize the SMMUv3 invalidation flow so iommupt can use it"): commands of the old
 * planners and of the new ones for the invalidations that its cover letter names, and how much one range of the SMMU removes too much,
 * against the one aligned power of two that AMD and VT-d have. Measured by asking the planners; nothing here is estimated.
 */
import { DOUBLE_RANGE } from '../optimised/driver/planners/double-range.js';
import { EXACT_RANGES } from '../optimised/driver/planners/exact-ranges.js';
import { PER_GRANULE } from '../optimised/driver/planners/per-granule.js';
import { SINGLE_RANGE } from '../optimised/driver/planners/single-range.js';
import { POW2 } from '../spec/bits.js';
import { newDescription, type Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../stack/planner.js';
import { granulesOf, planSheet, type PlanSheet } from './plan-sheet.js';

/** Old, old, new, new. */
const PLANNERS: readonly Planner[] = [PER_GRANULE, EXACT_RANGES, SINGLE_RANGE, DOUBLE_RANGE];
export const SUITE_PLANNERS: readonly string[] = PLANNERS.map((p) => p.name);

export interface Scene {
  readonly what: string;
  readonly d: Description;
}

function scene(what: string, first: number, granules: number, bitmaps: readonly [leaves: number, tables: number]): Scene {
  return { what, d: { ...newDescription(), first, last: first + granules - 1, leaves: bitmaps[0], tables: bitmaps[1] } };
}

const MB2 = 512;
const GB1 = 512 * 512;
/** Frame of an address as a process has it. */
const MMAP = 0x7f0000001;

/** All with 4K granules. */
export const SCENES: readonly Scene[] = [
  scene('an emptied table of 2 MB is removed', MB2, MB2, [0, 0b10]),
  scene('an emptied table of 1 GB is removed', GB1, GB1, [0, 0b100]),
  scene('a table of 1 GB with the emptied tables below it', GB1, GB1, [0, 0b110]),
  scene('a table of 2 MB with its 512 pages', MB2, MB2, [0b1, 0b10]),
  scene('33 pages are unmapped', 0, 33, [0b1, 0]),
  scene('74,565 pages at an odd address are unmapped', MMAP, 0x12345, [0b1, 0]),
  scene('16 blocks of 2 MB are unmapped', MB2, 16 * MB2, [0b10, 0]),
  scene('SVA, 4K only: a process unmaps 1 page', MMAP, 1, [0b1, 0b1110]),
  scene('SVA, 4K only: a process unmaps 37 pages', MMAP, 37, [0b1, 0b1110]),
  scene('SVA, 4K only: a process unmaps 8 MB', MMAP, 4 * MB2, [0b1, 0b1110]),
];

export interface SceneRow {
  readonly what: string;
  readonly granules: number;
  /** One for each of SUITE_PLANNERS. */
  readonly withRange: readonly PlanSheet[];
  readonly withoutRange: readonly PlanSheet[];
  /** Granules that one aligned power of two would reach beyond the range. */
  readonly powerBeyond: number;
}

/** What was asked and what was reached in addition, over many ranges. */
export interface Excess {
  readonly what: string;
  readonly ranges: number;
  readonly single: ExcessFigures;
  /** One aligned power of two that covers the range. */
  readonly power: ExcessFigures;
}

export interface ExcessFigures {
  /** Granules beyond the ranges, as a share of the granules asked for: of all ranges together. */
  readonly overall: number;
  readonly worst: number;
  /** Start and length in granules of the first range with that worst share. */
  readonly worstAt: readonly [start: number, n: number];
}

export interface SuiteSeed0 {
  readonly scenes: readonly SceneRow[];
  readonly excess: readonly Excess[];
}

/** Granules of the smallest aligned power of two that holds [first, last]: what an IOMMU reaches that knows nothing else. */
export function alignedPower(first: number, last: number): number {
  if (last < 2 ** 31) return POW2[32 - Math.clz32(first ^ last)] as number;
  let size = 1;
  while (Math.floor(first / size) !== Math.floor(last / size)) size *= 2;
  return size;
}

const one = new Uint32Array(SINGLE_RANGE.room * PAYLOAD_WORDS);
const probe = newDescription();

/** Granules that the one command of single-range covers for n pages; DS as far as it goes. */
export function singleCovered(n: number): number {
  probe.first = 0;
  probe.last = n - 1;
  probe.leaves = 1;
  const made = SINGLE_RANGE.plan(probe, { range: true, ds: true }, one);
  if (made === WHOLE_TAG) throw new Error(`${n} granules are too many for one range`);
  if (made !== 1) throw new Error(`${made} commands for ${n} granules, not 1`);
  const word = one[0] as number;
  return (((word >>> 12) & 31) + 1) * (POW2[(word >>> 20) & 63] as number);
}

/** Adds up ranges one after the other. */
class Tally {
  #asked = 0;
  #beyond = 0;
  #worst = -1;
  #at: readonly [number, number] = [0, 0];

  add(start: number, n: number, beyond: number): void {
    this.#asked += n;
    this.#beyond += beyond;
    if (beyond / n <= this.#worst) return;
    this.#worst = beyond / n;
    this.#at = [start, n];
  }

  figures(): ExcessFigures {
    return { overall: this.#beyond / this.#asked, worst: this.#worst, worstAt: this.#at };
  }
}

/** Calls `each` with start, length, and what single-range covers. */
type Ranges = (each: (start: number, n: number, covered: number) => void) => void;

function excess(what: string, ranges: Ranges): Excess {
  const single = new Tally();
  const power = new Tally();
  let count = 0;
  ranges((start, n, covered) => {
    count += 1;
    single.add(start, n, covered - n);
    power.add(start, n, alignedPower(start, start + n - 1) - n);
  });
  return { what, ranges: count, single: single.figures(), power: power.figures() };
}

/** Lengths up to here are all asked. */
export const LENGTHS = 2 ** 20;
/** Granules of the window in which every start and length is asked. */
export const WINDOW = 2048;

/** Every n, from the address that suits a power of two best. */
const everyLength: Ranges = (each) => {
  for (let n = 1; n <= LENGTHS; n += 1) each(0, n, singleCovered(n));
};

/** n = 2^k * 32 + 1: one granule more than NUM can say, so that the unit doubles. */
const worstFamily: Ranges = (each) => {
  for (let k = 0; k <= 38; k += 1) each(0, 32 * (POW2[k] as number) + 1, singleCovered(32 * (POW2[k] as number) + 1));
};

const everyStart: Ranges = (each) => {
  for (let n = 1; n <= WINDOW; n += 1) {
    const covered = singleCovered(n);
    for (let start = 0; start + n <= WINDOW; start += 1) each(start, n, covered);
  }
};

function sceneRow(s: Scene): SceneRow {
  const granules = granulesOf(s.d);
  const sheets = (range: boolean): PlanSheet[] => PLANNERS.map((p) => planSheet(p, s.d, { range, ds: false }));
  return { what: s.what, granules, withRange: sheets(true), withoutRange: sheets(false), powerBeyond: alignedPower(s.d.first, s.d.last) - granules };
}

/** All figures, measured now: about a second. */
export function suiteSeed0(): SuiteSeed0 {
  return {
    scenes: SCENES.map(sceneRow),
    excess: [
      excess('every length from 1 to 2^20, from an aligned start', everyLength),
      excess('the lengths 32 * 2^k + 1, k from 0 to 38', worstFamily),
      excess(`every start and length in a window of ${WINDOW} granules`, everyStart),
    ],
  };
}
