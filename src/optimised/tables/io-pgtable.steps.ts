/**
 * io-pgtable: the page table of the Linux driver as it is. The caller says of which size the entries are; one call works within one table page (of a
 * concatenated root: within one of its tables) and may do less than it was asked for, the caller goes on.
 *
 * map: a leaf that exists is refused, and nothing is written. A table where a block is wanted goes with everything below it: its descriptor is
 * cleared, flushed at once (walk flush) and its pages released, before the block is written (break before make).
 *
 * unmap: stops in front of a hole. A table where the size is that of a block is taken out as above. A leaf larger than the size is not split: nothing
 * is taken away. Emptied tables stay.
 *
 * Contiguous runs are of this project's design, after the proposal for the kernel: their sizes are page sizes like others, and
 * an unmap that would leave a part of a run stops in front of it.
 */
import { BIT_VALID } from '../../spec/descriptor.js';
import { levelBit } from '../../stack/description.js';
import type { Steps } from '../../stack/steps.js';
import { slotOfTable } from './format.js';
import { findSize, indexAt, type PageSize } from './geometry.js';
import type { MapCall, TableRoom, UnmapCall } from './room.js';
import { clearEntries, storeLeaves, tableFor, widen } from './walk.steps.js';

/** The size that a call names, if the call is one that can be looked at: everything that can be said beforehand is said here. */
export function checkSizes(room: TableRoom, call: UnmapCall): PageSize | undefined {
  const size = findSize(room.shape, call.pageSize);
  room.stop = 'invalid';
  if (size === undefined || !(call.count > 0) || !Number.isInteger(call.count) || !(call.iova >= 0) || call.iova % size.bytes !== 0) return undefined;
  room.stop = 'out-of-range';
  if (room.parts.outside(room.shape, call.iova) || call.iova + size.bytes * call.count > room.shape.inputEnd) return undefined;
  room.stop = 'ok';
  return size;
}

/** One call: maps entries up to the end of the table page. Returns bytes. */
export function* mapPages(room: TableRoom, call: MapCall): Steps<number> {
  const size = checkSizes(room, call);
  if (size === undefined) return 0;
  if (!(call.pa >= 0) || call.pa % size.bytes !== 0) room.stop = 'invalid';
  else if (call.pa + size.bytes * call.count > room.shape.outputEnd) room.stop = 'out-of-range';
  if (room.stop !== 'ok' || call.prot === 'none') return 0;
  const slot = yield* tableFor(room, call.iova, size.level);
  if (slot < 0) return 0;
  const { run } = room;
  run.slot = slot;
  run.index = indexAt(room.shape, size.level, call.iova);
  run.level = size.level;
  run.count = Math.min(call.count * size.entries, room.parts.entriesLeft(room.shape, run.index));
  run.entries = size.entries;
  run.iova = call.iova;
  run.pa = call.pa;
  run.prot = call.prot;
  const free = yield* makeWay(room);
  if (!free) return 0;
  yield* storeLeaves(room, run.count);
  room.cpu.barrier('map-done');
  return run.count * (room.shape.span[size.level + 1] as number);
}

/** Are the entries of `room.run` free of leaves? Then tables that stand there are taken out. */
function* makeWay(room: TableRoom): Steps<boolean> {
  const { run, cpu, parts } = room;
  const first = run.slot * 512 + run.index;
  let tables = false;
  for (let i = 0; i < run.count; i += 1) {
    const lo = cpu.loadLo(first + i);
    if ((lo & BIT_VALID) === 0) continue;
    if (!parts.isTable(lo, run.level)) {
      room.stop = 'exists';
      return false;
    }
    tables = true;
  }
  if (!tables) return true;
  const span = room.shape.span[run.level + 1] as number;
  for (let i = 0; i < run.count; i += 1) {
    if ((cpu.loadLo(first + i) & BIT_VALID) === 0) continue;
    yield* parts.takeTable(room, first + i, run.level, run.iova + i * span);
  }
  return true;
}

/** One call: takes entries away up to the end of the table page, or to where something stops it. Returns bytes. */
export function* unmapPages(room: TableRoom, call: UnmapCall): Steps<number> {
  const size = checkSizes(room, call);
  if (size === undefined) return 0;
  const { shape, cpu, parts } = room;
  let slot = room.root;
  for (let level = shape.startLevel; level < size.level; level += 1) {
    const ref = slot * 512 + indexAt(shape, level, call.iova);
    const lo = cpu.loadLo(ref);
    if ((lo & BIT_VALID) === 0 || !parts.isTable(lo, level)) {
      room.stop = (lo & BIT_VALID) === 0 ? 'not-mapped' : 'partial-block';
      return 0;
    }
    slot = slotOfTable(lo, cpu.loadHi(ref));
  }
  const index = indexAt(shape, size.level, call.iova);
  const n = Math.min(call.count * size.entries, parts.entriesLeft(shape, index));
  const first = slot * 512 + index;
  const span = shape.span[size.level + 1] as number;
  let i = 0;
  if (parts.cutsRun(shape, size.level, index, cpu.loadHi(first))) room.stop = 'partial-block';
  while (i < n && room.stop === 'ok') {
    const lo = cpu.loadLo(first + i);
    if ((lo & BIT_VALID) === 0) {
      room.stop = 'not-mapped';
    } else if (parts.isTable(lo, size.level)) {
      yield* parts.takeTable(room, first + i, size.level, call.iova + i * span);
      i += 1;
    } else {
      const k = leavesUntil(room, first, i, n, size.level);
      if (k > i) {
        yield* clearEntries(room, first + i, k - i);
        yield* addLeaves(room, size.level, (call.iova + i * span) / 4096, (call.iova + k * span) / 4096);
      }
      i = k;
    }
  }
  return i * span;
}

/** Leaves from entry `first + i` on: where they end, at the latest at `n`. A run that would be cut there is left out, and `stop` set. */
function leavesUntil(room: TableRoom, first: number, i: number, n: number, level: number): number {
  const { cpu, parts, shape } = room;
  let k = i + 1;
  for (; k < n; k += 1) {
    const lo = cpu.loadLo(first + k);
    if ((lo & BIT_VALID) === 0 || parts.isTable(lo, level)) break;
  }
  if (!parts.cutsRun(shape, level, first + k, cpu.loadHi(first + k - 1))) return k; // tables begin at a multiple of every run
  room.stop = 'partial-block';
  return k - ((first + k) % (shape.runEntries[level + 1] as number));
}

/** Leaves of one level that were cleared: the gather must hold the same level and touch them, or is flushed first. */
function* addLeaves(room: TableRoom, level: number, first: number, end: number): Steps<void> {
  if (room.lazy) return;
  const { gather } = room;
  const bit = levelBit(level);
  if (gather.pending && (gather.leaves !== bit || room.parts.disjoint(gather, first, end))) {
    yield* room.parts.retire(room, gather, 'gather');
  }
  gather.leaves = bit;
  widen(gather, first, end);
}
