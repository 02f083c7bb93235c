/**
 * Table sequences: the right actions of the page-table library in a wrong order. Mutants only.
 */
import { HI_SW_SYNC, slotOfTable, tableHigh, tableLow } from '../optimised/tables/format.js';
import type { FlushReason, TableGather, TableRoom } from '../optimised/tables/room.js';
import { cleanUpkeep, emptyGather } from '../optimised/tables/walk.steps.js';
import type { Steps } from '../stack/steps.js';

/** The pointer says that it is clean before it is. */
export function* markedBeforeClean(room: TableRoom, ref: number, fresh: number): Steps<number> {
  if (!room.coherent) cleanUpkeep(room, fresh * 512, room.shape.entries, 'new-table');
  room.cpu.barrier('table-contents');
  yield 'install a table that says it is clean';
  const won = room.cpu.compareExchange(ref, 0, 0, tableLow(fresh), (tableHigh(fresh) | (room.coherent ? 0 : HI_SW_SYNC)) >>> 0);
  const slot = slotOfTable(room.cpu.loadLo(ref), room.cpu.loadHi(ref));
  if (!won) {
    room.pages.releaseTable(fresh, room.shape.frames);
    return slot;
  }
  if (!room.coherent) {
    yield 'clean a table pointer';
    cleanUpkeep(room, ref, 1, 'table-pointer');
  }
  return slot;
}

/** Who loses the compare-exchange goes on with the table that nobody points to. */
export function* loserKeepsTable(room: TableRoom, ref: number, fresh: number): Steps<number> {
  if (!room.coherent) cleanUpkeep(room, fresh * 512, room.shape.entries, 'new-table');
  room.cpu.barrier('table-contents');
  yield 'install a table';
  const won = room.cpu.compareExchange(ref, 0, 0, tableLow(fresh), tableHigh(fresh));
  if (!room.coherent && won) {
    yield 'clean a table pointer';
    cleanUpkeep(room, ref, 1, 'table-pointer');
  }
  return fresh;
}

/** A plain load and a plain store, with room for another CPU between them. */
export function* installByStore(room: TableRoom, ref: number, fresh: number): Steps<number> {
  if (!room.coherent) cleanUpkeep(room, fresh * 512, room.shape.entries, 'new-table');
  room.cpu.barrier('table-contents');
  yield 'store a table pointer';
  room.cpu.store(ref, tableLow(fresh), tableHigh(fresh));
  room.cpu.barrier('table-contents');
  if (!room.coherent) {
    yield 'clean a table pointer';
    cleanUpkeep(room, ref, 1, 'table-pointer');
  }
  return fresh;
}

/** Tables go back to the allocator before their flush. */
export function* freedBeforeFlush(room: TableRoom, gather: TableGather, why: FlushReason): Steps<void> {
  if (!gather.pending) return;
  yield 'release tables';
  for (const slot of gather.freed) room.pages.releaseTable(slot, room.shape.frames);
  yield* room.hooks.flush(room, gather, why);
  emptyGather(gather);
}

/** The tables are released, and nothing is ever flushed. */
export function* neverFlushed(room: TableRoom, gather: TableGather): Steps<void> {
  if (!gather.pending) return;
  yield 'release tables';
  room.cpu.barrier('before-invs');
  for (const slot of gather.freed) room.pages.releaseTable(slot, room.shape.frames);
  emptyGather(gather);
}

/** A table is left where it is, and a block written over it. */
export function* leftInPlace(): Steps<void> {
  yield 'nothing is taken out';
}
