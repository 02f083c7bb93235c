/**
 * Parts: the library's own algorithm for each replaceable function, and one call of its interface. A mutant is `{ ...parts, one: other }`,
 * with parts of the form (plain or steps) that it runs in.
 */
import { HI_CONTIGUOUS } from '../../spec/descriptor.js';
import type { TableOperation, TableResult } from '../../stack/page-table.js';
import type { Steps } from '../../stack/steps.js';
import { anyDirty, markClean, readDirty } from './dirty.steps.js';
import { isDirty, isTable, leafHigh, leafLow } from './format.js';
import { bestSize, startLevelOf, type TableShape } from './geometry.js';
import { mapPages, unmapPages } from './io-pgtable.steps.js';
import { mapRange, unmapRange } from './iommupt.steps.js';
import type { MapCall, TableParts, TableRoom, UnmapCall } from './room.js';
import { disjoint, install, isEmpty, NO_PLACE, retire, takeTable } from './walk.steps.js';

function entriesLeft(shape: TableShape, index: number): number {
  return shape.entries - (index % shape.entries);
}

function cutsRun(shape: TableShape, level: number, index: number, hi: number): boolean {
  return (hi & HI_CONTIGUOUS) !== 0 && index % (shape.runEntries[level + 1] as number) !== 0;
}

function outside(shape: TableShape, iova: number): boolean {
  return !(iova >= 0 && iova < shape.inputEnd);
}

export const OWN_TABLE_PARTS: TableParts = {
  startLevel: startLevelOf, entriesLeft, isTable, install, takeTable, isEmpty, retire, disjoint, cutsRun, leafLow, leafHigh, isDirty, anyDirty, markClean, outside,
};

/** What one call of `map_pages` or `unmap_pages` does; io-pgtable may do less than asked for. */
export function* mapOnce(room: TableRoom, call: MapCall): Steps<number> {
  const bytes = yield* room.variant === 'io-pgtable' ? mapPages(room, call) : mapRange(room, call);
  return bytes;
}

export function* unmapOnce(room: TableRoom, call: UnmapCall): Steps<number> {
  const bytes = yield* room.variant === 'io-pgtable' ? unmapPages(room, call) : unmapRange(room, call);
  return bytes;
}

/** Calls until all of it is mapped, as the core does; ends where a call does nothing. */
function* mapAll(room: TableRoom, call: MapCall): Steps<number> {
  let done = yield* mapOnce(room, call);
  const total = call.pageSize * call.count;
  while (done > 0 && done < total && room.stop === 'ok') {
    const bytes = yield* mapOnce(room, { ...call, iova: call.iova + done, pa: call.pa + done, count: (total - done) / call.pageSize });
    if (bytes === 0) break;
    done += bytes;
  }
  return done;
}

function* unmapAll(room: TableRoom, call: UnmapCall): Steps<number> {
  let done = yield* unmapOnce(room, call);
  const total = call.pageSize * call.count;
  while (done > 0 && done < total && room.stop === 'ok') {
    const bytes = yield* unmapOnce(room, { ...call, iova: call.iova + done, count: (total - done) / call.pageSize });
    if (bytes === 0) break;
    done += bytes;
  }
  return done;
}

/** The whole of one operation that a table is asked; the others are not for it. */
export function* performTable(room: TableRoom, op: TableOperation): Steps<TableResult> {
  switch (op.op) {
    case 'map': {
      const bytes = yield* mapAll(room, op);
      yield* finishMap(room);
      return { code: room.stop, bytes };
    }
    case 'map-sg': {
      const listed = yield* mapList(room, op);
      return listed;
    }
    case 'unmap': {
      const bytes = yield* unmapAll(room, op);
      return { code: room.stop, bytes };
    }
    case 'sync-map': {
      yield* syncMap(room, op.iova, op.size);
      return { code: room.stop, bytes: 0 };
    }
    case 'sync': {
      yield* room.parts.retire(room, room.gather, 'gather');
      return { code: 'ok', bytes: 0 };
    }
    case 'read-dirty': {
      const dirty = yield* readDirty(room, op);
      return { code: room.stop, bytes: 0, dirty };
    }
    default: throw new Error(`a table is not asked ${op.op}`);
  }
}

/** The cleaner hears that a call ends. */
export function* finishMap(room: TableRoom): Steps<void> {
  if (room.coherent) return;
  yield 'end of the call';
  room.cleaner.callDone(room);
}

/** The leaves of the range are clean when this returns, whatever the cleaner put off. */
export function* syncMap(room: TableRoom, iova: number, size: number): Steps<void> {
  const { granule, inputEnd } = room.shape;
  room.stop = 'invalid';
  if (!(size > 0) || size % granule !== 0 || !(iova >= 0) || iova % granule !== 0) return;
  room.stop = iova + size > inputEnd ? 'out-of-range' : 'ok';
  if (room.stop !== 'ok' || room.coherent) return;
  yield 'clean the range';
  room.cleaner.syncMap(room, iova, size);
}

type ListCall = TableOperation & { op: 'map-sg' };

/** Scatter list: piece after piece, those that continue the last one joined with it; then `sync-map` of what was mapped. */
function* mapList(room: TableRoom, op: ListCall): Steps<TableResult> {
  room.stop = 'ok';
  checkList(room, op);
  if (room.stop !== 'ok') return { code: room.stop, bytes: 0 };
  room.place.level = room.cleaner.oneWalk ? -1 : NO_PLACE;
  room.place.slot = -1;
  let done = 0;
  for (let i = 0; i < op.pieces.length && room.stop === 'ok';) {
    const pa = op.pieces[i]?.pa ?? 0;
    let size = op.pieces[i]?.size ?? 0;
    for (i += 1; op.pieces[i]?.pa === pa + size; i += 1) size += op.pieces[i]?.size ?? 0;
    const bytes = yield* mapPiece(room, { iova: op.iova + done, pa, pageSize: size, count: 1, prot: op.prot });
    done += bytes;
    if (bytes < size) break;
  }
  room.place.level = NO_PLACE;
  room.place.slot = -1;
  yield* finishMap(room);
  const code = room.stop;
  if (done > 0) {
    yield* syncMap(room, op.iova, done);
  }
  return { code, bytes: done };
}

/** Every piece is looked at before the first is mapped. */
function checkList(room: TableRoom, op: ListCall): void {
  const { granule, inputEnd, outputEnd } = room.shape;
  let size = 0;
  let farthest = 0;
  let even = op.iova >= 0 && op.iova % granule === 0 && op.pieces.length > 0;
  for (const piece of op.pieces) {
    even &&= piece.size > 0 && piece.size % granule === 0 && piece.pa >= 0 && piece.pa % granule === 0;
    farthest = Math.max(farthest, piece.pa + piece.size);
    size += piece.size;
  }
  if (!even || (op.prot === 'none' && room.variant === 'iommupt')) room.stop = 'invalid';
  else if (op.iova + size > inputEnd || farthest > outputEnd) room.stop = 'out-of-range';
}

/** One stretch of neighbouring pages: iommupt chooses sizes itself, for io-pgtable the core does. */
function* mapPiece(room: TableRoom, call: MapCall): Steps<number> {
  if (room.variant === 'iommupt') {
    const bytes = yield* mapRange(room, call);
    return bytes;
  }
  let done = 0;
  while (done < call.pageSize && room.stop === 'ok') {
    const size = bestSize(room.shape, call.iova + done, call.pa + done, call.pageSize - done);
    if (size === undefined) break;
    const larger = room.shape.sizes[room.shape.sizes.indexOf(size) - 1];
    let bytes = call.pageSize - done;
    if (larger !== undefined && (call.iova - call.pa) % larger.bytes === 0) bytes = Math.min(bytes, larger.bytes - ((call.iova + done) % larger.bytes));
    const mapped = yield* mapPages(room, { ...call, iova: call.iova + done, pa: call.pa + done, pageSize: size.bytes, count: Math.floor(bytes / size.bytes) });
    if (mapped === 0) break;
    done += mapped;
  }
  return done;
}
