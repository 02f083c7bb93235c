/**
 * Questions: what a planner can be asked, drawn directly: a gather is the union of a few entries that were changed or removed, at all granules and
 * levels, small and large, low and high. The first ones are fixed and grow, so that what fails at once fails on a small question.
 */
import { POW2 } from '../spec/bits.js';
import { leafAllowed, levelFrames, TGS, type Tg } from '../spec/granule.js';
import type { Chooser } from '../stack/chooser.js';
import { levelBit, newDescription, type Description } from '../stack/description.js';
import type { PlannerFeatures } from '../stack/planner.js';
import type { Question } from './pulse.js';

/** Granules of the fixed questions: one each, and what is one less and one more than sizes that a range can have exactly. */
const LENGTHS: readonly number[] = [1, 2, 3, 8, 31, 32, 33, 63, 64, 65, 127, 512, 513, 1023, 1025, 4096, 8193];

const FORMS: readonly PlannerFeatures[] = [{ range: true, ds: false }, { range: false, ds: false }, { range: true, ds: true }];

function description(tg: Tg, first: number, granules: number, bits: { readonly leaves: number; readonly tables: number }): Description {
  return { ...newDescription(), tg, first, last: first + granules * (POW2[tg - 12] as number) - 1, ...bits };
}

/** The fixed questions: pages, then blocks, then tables, then everything. */
function fixedQuestions(): Question[] {
  const found: Description[] = [];
  for (const tg of TGS) {
    const granule = POW2[tg - 12] as number;
    for (const n of LENGTHS) found.push(description(tg, granule, n, { leaves: 1, tables: 0 }));
    const block = levelFrames(tg, 2) / granule;
    for (const n of [1, 2, 33]) found.push(description(tg, 0, n * block, { leaves: 2, tables: 0 }));
    for (const leaves of [0, 1]) found.push(description(tg, 0, block, { leaves, tables: 2 }));
    found.push({ ...newDescription(), tg, all: true });
  }
  return found.flatMap((d) => FORMS.map((features) => ({ description: d, features })));
}

const FIXED = fixedQuestions();

/** Entries of which a drawn gather is the union, at most. */
const PARTS_MAX = 4;

/** Question `k`. */
export function questionAt(k: number, chooser: Chooser): Question {
  const fixed = FIXED[k];
  if (fixed !== undefined) return fixed;
  const features: PlannerFeatures = chooser.index(3) === 0 ? { range: false, ds: false } : { range: true, ds: chooser.index(3) === 0 };
  const tg = TGS[chooser.index(3)] as Tg;
  const base = place(tg, chooser, features.ds);
  const d = { ...newDescription(), tg, first: Infinity, last: -1 };
  const parts = chooser.index(2) === 0 ? 1 : 1 + chooser.index(PARTS_MAX);
  for (let i = 0; i < parts; i += 1) addPart(d, base, chooser, features.ds);
  return { description: d, features };
}

/** The address space ends here: 48 bits, 52 with DS. */
function topFrame(ds: boolean): number {
  return POW2[(ds ? 52 : 48) - 12] as number;
}

/** The highest level that has tables in 52 bits, level -1 of 4K aside. */
function startLevel(tg: Tg): number {
  return tg === 16 ? 1 : 0;
}

/** A frame at a multiple of 512 GB or so, low or high; a few at the very top of the lower half. */
function place(tg: Tg, c: Chooser, ds: boolean): number {
  const unit = levelFrames(tg, 1);
  const top = topFrame(ds);
  const kind = c.index(8);
  if (kind < 4) return 0;
  return kind === 7 ? top - unit : Math.floor((top / unit) * (c.index(1024) / 1024)) * unit;
}

/** A run of entries of one level, changed (leaves) or removed (table descriptors), near `base`. */
function addPart(d: Description, base: number, c: Chooser, ds: boolean): void {
  const table = c.index(4) === 0;
  const levels = [3, 2, 1, 0].filter((l) => (table ? l < 3 && l >= startLevel(d.tg) : leafAllowed(d.tg, l, ds)));
  const level = levels[Math.min(c.index(levels.length), c.index(levels.length))] as number;
  const span = levelFrames(d.tg, level);
  const room = Math.max(1, Math.floor(levelFrames(d.tg, 1) / span));
  const end = topFrame(ds);
  const at = Math.min(base - (base % span) + c.index(Math.min(room, POW2[c.index(20)] as number)) * span, end - span);
  const run = Math.min(runLength(c) * span, end - at);
  d.first = Math.min(d.first, at);
  d.last = Math.max(d.last, at + run - 1);
  if (table) d.tables |= levelBit(level);
  else d.leaves |= levelBit(level);
}

/** One entry, a few, or near a power of two. */
function runLength(c: Chooser): number {
  const kind = c.index(4);
  if (kind === 0) return 1;
  if (kind === 1) return 1 + c.index(64);
  const power = POW2[c.index(16)] as number;
  return Math.max(1, power + c.index(3) - 1);
}
