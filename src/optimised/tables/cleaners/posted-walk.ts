/**
 * Posted walk: seed 2's `.iotlb_sync_map` as it was posted (patch 1/2): map writes leaves and cleans none; afterwards one recursion over the range cleans
 * them. In each table it takes the entries that posted-index.ts computes; runs of entries that are no tables are cleaned together, present or
 * not; below a table entry it goes down with all that is left of the range, which the next table has to clip. Kept as it is, errors as well: it is here to be
 * compared (`smmucheck compare --suite seed-2`), and is not sound for every geometry.
 *
 * Two things differ from the patch. An entry beyond the memory of the table, which the patch would read, is counted and read as empty, and no line beyond
 * is cleaned. And the warnings that a kernel would print are counted: an empty range, an address with bits beyond the input size (which
 * every address of the upper half has), and each entry above level 3 that is empty.
 */
import { POW2 } from '../../../spec/bits.js';
import { newCleanCost, type CleanCost, type Cleaner, type TableRoom } from '../room.js';
import { descend } from './descend.js';
import { entryBits, postedCount, postedEnd, postedFirst, wordSpan, type IndexShape } from './posted-index.js';

/** Counts also the entries that it takes beyond the end of a table. */
export interface PostedCleaner extends Cleaner {
  readonly cost: CleanCost & { beyond: number };
}

/** One call. */
interface Walk {
  readonly room: TableRoom;
  readonly index: IndexShape;
  readonly cost: CleanCost & { beyond: number };
}

/** The range in the words of the patch: granules, with the sign extension of the upper half. */
export function postedAddress(room: Pick<TableRoom, 'geometry' | 'shape'>, iova: number): number {
  const { geometry, shape } = room;
  const below = geometry.half === 'upper' ? wordSpan(shape.tg) - (POW2[geometry.inputBits - shape.tg] as number) : 0;
  return below + iova / shape.granule;
}

export function indexShape(room: Pick<TableRoom, 'shape'>): IndexShape {
  const { tg, startLevel, rootEntries } = room.shape;
  return { tg, startLevel, rootBits: Math.round(Math.log2(rootEntries)) };
}

export function postedWalk(): PostedCleaner {
  const cost = { ...newCleanCost(), beyond: 0 };
  return {
    name: 'posted-walk', about: 'one walk over the range after the last map, as posted in seed 2', deferred: true, cost,
    leavesWritten() { /* deferred */ },
    callDone() { /* deferred */ },
    syncMap(room, iova, size) {
      cost.walks += 1;
      if (size === 0) cost.warnings += 1;
      if (iova >= room.shape.inputEnd || room.geometry.half === 'upper') cost.warnings += 1;
      table({ room, index: indexShape(room), cost }, room.shape.startLevel, room.root * 512, { iova: postedAddress(room, iova), size: size / room.shape.granule });
    },
  };
}

function table(w: Walk, level: number, ref: number, range: { readonly iova: number; readonly size: number }): void {
  const { index, room } = w;
  const first = postedFirst(index, level, range.iova);
  const asked = postedCount(index, first, postedEnd(index, level, range.iova, range.size));
  const entries = level === index.startLevel ? room.shape.rootEntries : room.shape.entries;
  const count = Math.min(asked, entries - first);
  w.cost.beyond += asked - count;
  const done = level < 3 ? inner(w, level, { ref: ref + first, count }, range) : 0;
  clean(w, ref + first + done, count - done);
  // Above level 3 each entry beyond is empty as well, and warned of.
  if (level < 3) w.cost.warnings += asked - count;
}

/** The entries of a table above level 3: runs between tables are cleaned, tables entered. Returns how many entries are done with. */
function inner(w: Walk, level: number, at: { readonly ref: number; readonly count: number }, range: { readonly iova: number; readonly size: number }): number {
  const { room } = w;
  const word = wordSpan(room.shape.tg);
  const span = POW2[entryBits(room.shape.tg, level)] as number;
  let { iova, size } = range;
  let done = 0;
  for (let i = 0; i < at.count; i += 1) {
    const lo = room.cpu.loadLo(at.ref + i);
    const hi = room.cpu.loadHi(at.ref + i);
    w.cost.descriptors += 1;
    if (lo === 0 && hi === 0) w.cost.warnings += 1;
    if ((lo & 3) === 3) {
      clean(w, at.ref + done, i - done);
      const below = descend(room, lo, hi);
      if (below < 0) w.cost.warnings += 1;
      else table(w, level + 1, below, { iova, size });
      done = i + 1;
    }
    const passed = span - (iova % span);
    size = (size - passed + word) % word;
    iova = (iova + passed) % word;
  }
  return done;
}

function clean(w: Walk, ref: number, words: number): void {
  if (words === 0) return;
  w.cost.calls += 1;
  w.cost.lines += w.room.cpu.clean(ref, words, 'sync-map');
}
