/**
 * Rooms: the driver's domains as rooms of the page-table library (../tables): one for each domain and CPU. Two parts are the driver's own. Callers of one
 * domain take turns here, so a table is installed by a plain store, and its pointer needs no word about its clean. And a flush goes to the driver's part
 * `flushGather`, which frees the tables as well.
 */
import { descriptorHigh, tableLow } from '../../spec/descriptor.js';
import { RAM_BASE } from '../../memory/memory.js';
import type { Steps } from '../../stack/steps.js';
import { forcedLeafLow } from '../tables/format.js';
import { OWN_TABLE_PARTS } from '../tables/parts.steps.js';
import { newCleanCost, newTableGather, type FlushReason, type TableGather, type TableParts, type TableRoom } from '../tables/room.js';
import { NO_PLACE } from '../tables/walk.steps.js';
import { geometryOf, shapeFor } from './shapes.js';
import type { Context, DomainState, Gather } from './types.js';

const rooms = new WeakMap<Context, TableRoom[]>();

/** The new table is zeros for the walker before it can find it. */
function* install(room: TableRoom, ref: number, fresh: number): Steps<number> {
  if (!room.coherent) {
    yield 'clean a new table';
    room.cpu.clean(fresh * 512, 512, 'new-table');
  }
  room.cpu.barrier('table-contents');
  yield 'install a table';
  room.cpu.store(ref, tableLow(RAM_BASE + fresh), descriptorHigh(RAM_BASE + fresh));
  if (!room.coherent) {
    yield 'clean the pointer to a table';
    room.cpu.clean(ref, 1, 'table-pointer');
  }
  return fresh;
}

/** Pointers were cleaned by whoever made them: callers of a domain take turns. */
function* settle(): Steps<void> { /* nothing to do */ }

function* retire(room: TableRoom, gather: TableGather, why: FlushReason): Steps<void> {
  if (!gather.pending) return;
  yield* room.hooks.flush(room, gather, why);
}

const PARTS: TableParts = { ...OWN_TABLE_PARTS, install, settle, retire };
/** Of parents of guests whose STEs have S2FWB: its leaves have another form of MemAttr. */
const FORCED_PARTS: TableParts = { ...PARTS, leafLow: forcedLeafLow };

/** The room of a domain for this CPU. */
export function roomFor(ctx: Context, domain: number): TableRoom {
  let list = rooms.get(ctx);
  if (list === undefined) rooms.set(ctx, list = []);
  return list[domain] ?? (list[domain] = openRoom(ctx, domain));
}

function openRoom(ctx: Context, domain: number): TableRoom {
  const { state, cpu } = ctx;
  const own = state.domains[domain] as DomainState;
  function* flush(_room: TableRoom, gather: TableGather, why: FlushReason): Steps<void> {
    const walk: Gather = Object.assign(gather, { style: own.gather.style });
    if (why === 'walk' && walk.style === 'sva') ctx.parts.notified(ctx, gather.first, gather.last + 1, walk);
    yield* ctx.parts.flushGather(ctx, domain, walk);
  }
  return {
    geometry: geometryOf(own), variant: 'io-pgtable', shape: shapeFor(own), root: own.rootSlot, coherent: own.coherent, lazy: own.lazy, queued: own.queuedTables, cpu,
    pages: { allocateTable: () => state.pages.allocate('table'), releaseTable: (slot) => { state.pages.release(slot); } },
    cleaner: {
      name: ctx.parts.cleaner.name, about: 'the part of the driver', deferred: true, cost: newCleanCost(),
      leavesWritten: (_room, ref, count) => { ctx.parts.cleaner.leavesWritten(ctx, own, ref, count); },
      callDone: () => undefined,
      syncMap: (_room, iova, size) => { ctx.parts.cleaner.syncMap(ctx, own, iova, size); },
    },
    gather: own.gather, replaced: newTableGather(), hooks: { flush }, parts: own.forceWriteBack ? FORCED_PARTS : PARTS, upkeep: newCleanCost(),
    run: { slot: 0, index: 0, level: 3, count: 0, entries: 1, iova: 0, pa: 0, prot: 'rw' }, place: { slot: -1, level: NO_PLACE, page: 0 }, stop: 'ok',
  };
}
