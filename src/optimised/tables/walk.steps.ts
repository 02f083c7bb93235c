/**
 * Walk: what both variants share: going down to a table and making it, taking tables and leaves out, and what becomes of them.
 *
 * A table is installed without a lock: its zeros are visible (not coherent: cleaned) before a compare-exchange makes the pointer; whoever loses gives its
 * table back and uses the other one. Not coherent: the pointer is cleaned next, and only then SW_SYNC says so. Who meets a pointer without that bit
 * cleans it itself: the CPU that made it may not have come to it yet.
 */
import { BIT_VALID } from '../../spec/descriptor.js';
import { levelBit } from '../../stack/description.js';
import type { Steps } from '../../stack/steps.js';
import { evenSteps, HI_SW_SYNC, leafAddressHigh, leafAddressLow, slotOfTable, tableHigh, tableLow } from './format.js';
import { indexAt } from './geometry.js';
import { newTableGather, type FlushReason, type TableGather, type TableRoom } from './room.js';

/** The table below the entry at `ref` of a table at `level`; one is made where there is none. -1: `stop` says why there is none. */
export function* nextTable(room: TableRoom, ref: number, level: number): Steps<number> {
  const lo = room.cpu.loadLo(ref);
  if ((lo & BIT_VALID) !== 0) {
    if (!room.parts.isTable(lo, level)) {
      room.stop = 'exists';
      return -1;
    }
    const hi = room.cpu.loadHi(ref);
    if (!room.coherent && (hi & HI_SW_SYNC) === 0) {
      yield 'clean a pointer that another CPU made';
      cleanUpkeep(room, ref, 1, 'table-pointer');
    }
    return slotOfTable(lo, hi);
  }
  const fresh = room.pages.allocateTable(room.shape.frames);
  if (fresh < 0) {
    room.stop = 'no-memory';
    return -1;
  }
  const slot = yield* room.parts.install(room, ref, fresh);
  if (slot < 0) room.stop = 'exists';
  return slot;
}

/** The own algorithm of the part `install`. */
export function* install(room: TableRoom, ref: number, fresh: number): Steps<number> {
  if (!room.coherent) {
    yield 'clean a new table';
    cleanUpkeep(room, fresh * 512, room.shape.entries, 'new-table');
  }
  room.cpu.barrier('table-contents');
  yield 'install a table';
  const won = room.cpu.compareExchange(ref, 0, 0, tableLow(fresh), tableHigh(fresh));
  const lo = room.cpu.loadLo(ref);
  const hi = room.cpu.loadHi(ref);
  if (!room.coherent && (hi & HI_SW_SYNC) === 0) {
    yield 'clean a table pointer';
    cleanUpkeep(room, ref, 1, 'table-pointer');
    if (won) {
      yield 'say that the pointer is clean';
      room.cpu.store(ref, lo, (hi | HI_SW_SYNC) >>> 0);
    }
  }
  if (!won) room.pages.releaseTable(fresh, room.shape.frames);
  return (lo & BIT_TABLE_OR_LEAF) === BIT_TABLE_OR_LEAF ? slotOfTable(lo, hi) : -1;
}

/** Tables are installed above level 3 only, where these bits tell a table from a block. */
const BIT_TABLE_OR_LEAF = 3;

/** The table page at `level` for `iova`, made if need be; -1: `stop` says why. */
export function* tableFor(room: TableRoom, iova: number, level: number): Steps<number> {
  const { shape, place } = room;
  let slot = room.root;
  if (level === shape.startLevel) return slot;
  const page = Math.floor(iova / (shape.span[level] as number));
  if (place.slot >= 0 && place.level === level && place.page === page) return place.slot;
  room.cleaner.cost.walks += 1;
  for (let at = shape.startLevel; at < level; at += 1) {
    slot = yield* nextTable(room, slot * 512 + indexAt(shape, at, iova), at);
    if (slot < 0) return -1;
  }
  if (place.level !== NO_PLACE) {
    place.slot = slot;
    place.level = level;
    place.page = page;
  }
  return slot;
}

/** `place.level` of a room that does not keep its place. */
export const NO_PLACE = -2;

/** `count` leaves of `room.run` from its first on: stored, and cleaned as the cleaner does. */
export function* storeLeaves(room: TableRoom, count: number): Steps<void> {
  const { shape, run, cpu } = room;
  const span = shape.span[run.level + 1] as number;
  const low = room.parts.leafLow(room.geometry, run.prot, run.level);
  const high = room.parts.leafHigh(room.geometry, run.prot, run.entries > 1);
  const first = run.slot * 512 + run.index;
  yield 'write leaves';
  for (let done = 0; done < count;) {
    const pa = run.pa + done * span;
    const n = Math.min(count - done, evenSteps(shape, pa, span));
    cpu.storeRun(first + done, n, leafAddressLow(shape, pa) + low, leafAddressHigh(shape, pa) + high, span / 4096);
    done += n;
  }
  if (!room.coherent) {
    yield 'clean leaves';
    room.cleaner.leavesWritten(room, first, count);
  }
}

/** Clears `count` entries; the walker sees zeros as well. */
export function* clearEntries(room: TableRoom, ref: number, count: number): Steps<void> {
  yield 'clear leaves';
  room.cpu.storeRun(ref, count, 0, 0, 0);
  if (!room.coherent) {
    yield 'clean what was cleared';
    cleanUpkeep(room, ref, count, 'cleared');
  }
}

/** Clears the descriptor of a table. */
export function* clearPointer(room: TableRoom, ref: number): Steps<void> {
  yield 'clear a table descriptor';
  room.cpu.store(ref, 0, 0);
  if (!room.coherent) {
    yield 'clean what was cleared';
    cleanUpkeep(room, ref, 1, 'cleared');
  }
}

export function cleanUpkeep(room: TableRoom, ref: number, words: number, site: 'new-table' | 'table-pointer' | 'cleared'): void {
  room.upkeep.calls += 1;
  room.upkeep.lines += room.cpu.clean(ref, words, site);
}

// ---- what was taken out

/** Takes [first, end) (frames) into the gather. */
export function widen(gather: TableGather, first: number, end: number): void {
  gather.first = gather.pending ? Math.min(gather.first, first) : first;
  gather.last = gather.pending ? Math.max(gather.last, end - 1) : end - 1;
  gather.pending = true;
}

/** The own algorithm of the part `disjoint`: a gap of no frame is none. */
export function disjoint(gather: TableGather, first: number, end: number): boolean {
  return gather.pending && (end < gather.first || first > gather.last + 1);
}

/**
 * The table at `slot`, whose descriptor at `level` was taken out at `iova`, goes to the gather with every table below it, and with the levels
 * of everything that hangs there: all of these can be cached on their own.
 */
export function collectTable(room: TableRoom, slot: number, level: number, gather: TableGather): void {
  gather.tables |= levelBit(level);
  gather.freed.push(slot);
  for (let i = 0; i < room.shape.entries; i += 1) {
    const lo = room.cpu.loadLo(slot * 512 + i);
    if ((lo & BIT_VALID) === 0) continue;
    if (room.parts.isTable(lo, level + 1)) collectTable(room, slotOfTable(lo, room.cpu.loadHi(slot * 512 + i)), level + 1, gather);
    else gather.leaves |= levelBit(level + 1);
  }
}

/** The own algorithm of the part `takeTable`: cleared, flushed at once, and only then free (io-pgtable). */
export function* takeTable(room: TableRoom, ref: number, level: number, iova: number): Steps<void> {
  const gather = newTableGather();
  const slot = slotOfTable(room.cpu.loadLo(ref), room.cpu.loadHi(ref));
  yield* clearPointer(room, ref);
  collectTable(room, slot, level, gather);
  widen(gather, iova / 4096, (iova + (room.shape.span[level + 1] as number)) / 4096);
  yield* room.parts.retire(room, gather, 'walk');
}

/** The own algorithm of the part `isEmpty`. */
export function isEmpty(room: TableRoom, slot: number, level: number): boolean {
  for (let i = 0; i < room.shape.entries; i += 1) {
    const lo = room.cpu.loadLo(slot * 512 + i);
    if ((lo & BIT_VALID) === 0) continue;
    if (!room.parts.isTable(lo, level) || !isEmpty(room, slotOfTable(lo, room.cpu.loadHi(slot * 512 + i)), level + 1)) return false;
  }
  return true;
}

/** The own algorithm of the part `retire`: first the flush, then the tables. */
export function* retire(room: TableRoom, gather: TableGather, why: FlushReason): Steps<void> {
  if (!gather.pending) return;
  yield* room.hooks.flush(room, gather, why);
  yield 'release tables';
  for (let i = 0; i < gather.freed.length; i += 1) room.pages.releaseTable(gather.freed[i] as number, room.shape.frames);
  emptyGather(gather);
}

export function emptyGather(gather: TableGather): void {
  gather.pending = false;
  gather.first = 0;
  gather.last = -1;
  gather.leaves = 0;
  gather.tables = 0;
  gather.freed.length = 0;
}
