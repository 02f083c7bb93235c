/**
 * iommupt: the generic page table that is to replace io-pgtable. A call takes the whole range, and sizes are chosen here: at each place the
 * largest one (contiguous runs are sizes as well) that both addresses are aligned to and that fits what is left.
 *
 * map: what is written before something stops it, stays, and is reported. A leaf that exists stops it; so does a table where a leaf is wanted, unless nothing is
 * mapped below it: then the leaf is written over its descriptor, and what was replaced is flushed as a gather of tables only at
 * the end of the call, and freed then. Not coherent: such a run of leaves is cleaned at once whatever the cleaner does, because the walker must not find the
 * pointer again after that flush.
 *
 * unmap: removes whole entries. If the range ends inside of a larger one all of it goes, and the length that is returned is larger; if it begins inside of
 * one, or where nothing is mapped, it stops there. A table whose complete span lies in the range goes to the gather with its leaves.
 */
import { BIT_VALID, HI_CONTIGUOUS } from '../../spec/descriptor.js';
import { levelBit } from '../../stack/description.js';
import type { Steps } from '../../stack/steps.js';
import { slotOfTable } from './format.js';
import { bestSize, indexAt, type PageSize } from './geometry.js';
import { newTableGather, type MapCall, type TableGather, type TableRoom, type UnmapCall } from './room.js';
import { cleanUpkeep, clearEntries, clearPointer, collectTable, storeLeaves, tableFor, widen } from './walk.steps.js';

/** Is the range one that can be looked at? `stop` says why not. */
function checkRange(room: TableRoom, call: UnmapCall): boolean {
  const { granule, inputEnd } = room.shape;
  const size = call.pageSize * call.count;
  room.stop = 'invalid';
  if (!(size > 0) || !Number.isInteger(call.count) || size % granule !== 0 || !(call.iova >= 0) || call.iova % granule !== 0) return false;
  room.stop = 'out-of-range';
  if (room.parts.outside(room.shape, call.iova) || call.iova + size > inputEnd) return false;
  room.stop = 'ok';
  return true;
}

/** Maps the whole range. Returns bytes. */
export function* mapRange(room: TableRoom, call: MapCall): Steps<number> {
  if (!checkRange(room, call)) return 0;
  const total = call.pageSize * call.count;
  if (!(call.pa >= 0) || call.pa % room.shape.granule !== 0 || call.prot === 'none') room.stop = 'invalid';
  else if (call.pa + total > room.shape.outputEnd) room.stop = 'out-of-range';
  if (room.stop !== 'ok') return 0;
  const { run } = room;
  run.prot = call.prot;
  let done = 0;
  while (done < total && room.stop === 'ok') {
    const size = bestSize(room.shape, call.iova + done, call.pa + done, total - done) as PageSize; // a granule always fits
    const slot = yield* tableFor(room, call.iova + done, size.level);
    if (slot < 0) break;
    run.slot = slot;
    run.level = size.level;
    run.entries = size.entries;
    run.iova = call.iova + done;
    run.pa = call.pa + done;
    run.index = indexAt(room.shape, size.level, run.iova);
    run.count = size.entries * Math.min(Math.floor((total - done) / size.bytes), unitsBefore(room, size));
    const written = yield* writeRun(room);
    done += written * (room.shape.span[size.level + 1] as number);
  }
  room.cpu.barrier('map-done');
  if (room.replaced.pending) {
    yield* room.parts.retire(room, room.replaced, 'replaced');
  }
  return done;
}

/** Units of `size` from the run's start on until its table ends, or a larger size begins to fit. */
function unitsBefore(room: TableRoom, size: PageSize): number {
  const { shape, run } = room;
  const left = Math.floor(room.parts.entriesLeft(shape, run.index) / size.entries);
  const larger = shape.sizes[shape.sizes.indexOf(size) - 1];
  if (larger === undefined || Math.abs(run.iova - run.pa) % larger.bytes !== 0) return left;
  return Math.min(left, (larger.bytes - (run.iova % larger.bytes)) / size.bytes);
}

/** Writes `room.run` up to the first unit that is taken; returns entries written. */
function* writeRun(room: TableRoom): Steps<number> {
  const { run, cpu, parts } = room;
  const first = run.slot * 512 + run.index;
  let tables = false;
  let n = 0;
  for (; n < run.count; n += 1) {
    const lo = cpu.loadLo(first + n);
    if ((lo & BIT_VALID) === 0) continue;
    if (!parts.isTable(lo, run.level) || !parts.isEmpty(room, slotOfTable(lo, cpu.loadHi(first + n)), run.level + 1)) {
      room.stop = 'exists';
      break;
    }
    tables = true;
  }
  n -= n % run.entries;
  if (n === 0) return 0;
  if (tables) collectReplaced(room, first, n);
  yield* storeLeaves(room, n);
  if (tables && !room.coherent) {
    yield 'clean what was replaced';
    cleanUpkeep(room, first, n, 'cleared');
  }
  return n;
}

/** Empty tables among the `n` entries, which leaves are about to replace. */
function collectReplaced(room: TableRoom, first: number, n: number): void {
  const { run, cpu, replaced } = room;
  const frames = room.shape.spanFrames[run.level + 1] as number;
  for (let i = 0; i < n; i += 1) {
    const lo = cpu.loadLo(first + i);
    if ((lo & BIT_VALID) === 0) continue;
    collectTable(room, slotOfTable(lo, cpu.loadHi(first + i)), run.level, replaced);
    widen(replaced, run.iova / 4096 + i * frames, run.iova / 4096 + (i + 1) * frames);
  }
}

/** Takes the range away. Returns bytes, from the start of the range to where it stopped. */
export function* unmapRange(room: TableRoom, call: UnmapCall): Steps<number> {
  if (!checkRange(room, call)) return 0;
  const end = call.iova + call.pageSize * call.count;
  if (!room.lazy && room.parts.disjoint(room.gather, call.iova / 4096, end / 4096)) {
    yield* room.parts.retire(room, room.gather, 'gather');
  }
  const gather = room.lazy ? newTableGather() : room.gather;
  const reached = yield* takeEntries(room, room.root, room.shape.startLevel, { iova: call.iova, end, at: call.iova, gather });
  if (room.lazy) for (const slot of gather.freed) room.queued.push(slot);
  else if (reached > call.iova) widen(gather, call.iova / 4096, reached / 4096);
  return reached - call.iova;
}

/** A range that is taken away; everything before `at` is gone. */
interface Taking {
  readonly iova: number;
  readonly end: number;
  at: number;
  readonly gather: TableGather;
}

/** What the table at `slot` has of the range, from `at` on. Returns where it came to; `stop` says why it went no further. */
function* takeEntries(room: TableRoom, slot: number, level: number, taking: Taking): Steps<number> {
  const { shape, cpu, parts } = room;
  const span = shape.span[level + 1] as number;
  const entries = level === shape.startLevel ? shape.rootEntries : shape.entries;
  let index = indexAt(shape, level, taking.at);
  while (index < entries && taking.at < taking.end && room.stop === 'ok') {
    const ref = slot * 512 + index;
    const lo = cpu.loadLo(ref);
    if ((lo & BIT_VALID) === 0) {
      room.stop = 'not-mapped';
    } else if (!parts.isTable(lo, level)) {
      const n = wholeEntries(room, ref, level, taking);
      if (n > 0) {
        yield* clearEntries(room, ref, n);
        taking.gather.leaves |= levelBit(level);
      }
      index += n;
      taking.at += n * span;
    } else {
      const start = taking.at - (taking.at % span);
      yield* takeEntries(room, slotOfTable(lo, cpu.loadHi(ref)), level + 1, taking);
      if (room.stop === 'ok' && start >= taking.iova && start + span <= taking.end) {
        yield* takeEmptied(room, ref, level, taking.gather);
      }
      index += 1;
    }
  }
  return taking.at;
}

/** The table below the entry at `ref` is empty now, and has nothing outside of the range. */
function* takeEmptied(room: TableRoom, ref: number, level: number, gather: TableGather): Steps<void> {
  gather.tables |= levelBit(level);
  gather.freed.push(slotOfTable(room.cpu.loadLo(ref), room.cpu.loadHi(ref)));
  yield* clearPointer(room, ref);
}

/**
 * Entries from `ref` on that go together: leaves and whole runs up to the end of the range or, where that is inside of one, to the end of it. 0 when the range
 * begins inside of a leaf or a run.
 */
function wholeEntries(room: TableRoom, ref: number, level: number, taking: Taking): number {
  const { shape, cpu, parts } = room;
  const span = shape.span[level + 1] as number;
  if (taking.at % span !== 0 || parts.cutsRun(shape, level, ref, cpu.loadHi(ref))) {
    room.stop = 'partial-block';
    return 0;
  }
  const most = Math.min(parts.entriesLeft(shape, ref % shape.entries), Math.ceil((taking.end - taking.at) / span));
  let n = 0;
  for (; n < most; n += 1) {
    const lo = cpu.loadLo(ref + n);
    if ((lo & BIT_VALID) === 0 || parts.isTable(lo, level)) break;
  }
  if ((cpu.loadHi(ref + n - 1) & HI_CONTIGUOUS) === 0) return n;
  const members = shape.runEntries[level + 1] as number;
  return n + ((members - ((ref + n) % members)) % members);
}
