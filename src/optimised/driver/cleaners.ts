/**
 * Cleaners: how leaf descriptors reach walkers that do not look into the CPU's caches (seed 2). The driver calls a cleaner for domains whose tables are
 * cleaned, and for no others: a coherent domain pays neither a clean nor a call. New tables, pointers to tables and clears are no business of
 * a cleaner: these are cleaned where they are stored (tables.steps.ts, gather.steps.ts).
 *
 * The algorithms are those of the table library (../tables/cleaners), one for each domain and CPU. A map call here is what the core does in one call: all
 * pieces of the range, then the sync of it.
 */
import type { CleanerName } from '../../stack/page-table.js';
import { makeCleaner } from '../tables/cleaners/cleaners.js';
import type { CleanRoom, LeafCleaner as TableCleaner } from '../tables/cleaners/leaf-cleaner.js';
import { isTable } from '../tables/format.js';
import { geometryOf, shapeFor } from './shapes.js';
import type { Context, DomainState } from './types.js';

/** The part that cleans leaves. */
export interface LeafCleaner {
  readonly name: CleanerName;
  /** `count` leaves from `ref` on were stored; they are in one table page. */
  leavesWritten(ctx: Context, own: DomainState, ref: number, count: number): void;
  /** All of [iova, iova + size) is mapped (bytes). */
  syncMap(ctx: Context, own: DomainState, iova: number, size: number): void;
}

/** One for each domain; CPUs have rooms of their own in it. */
interface Place {
  readonly cleaner: TableCleaner;
  readonly rooms: CleanRoom[];
}

export function libraryCleaner(name: CleanerName): LeafCleaner {
  const places = new WeakMap<DomainState, Place>();
  const placeOf = (own: DomainState): Place => {
    const place = places.get(own) ?? { cleaner: makeCleaner(name), rooms: [] };
    places.set(own, place);
    return place;
  };
  const roomOf = (ctx: Context, own: DomainState, place: Place): CleanRoom => {
    for (const room of place.rooms) if (room.cpu === ctx.cpu) return room;
    const room = { geometry: geometryOf(own), shape: shapeFor(own), root: own.rootSlot, cpu: ctx.cpu, parts: { isTable } };
    place.rooms.push(room);
    return room;
  };
  return {
    name,
    leavesWritten: (ctx, own, ref, count) => {
      const place = placeOf(own);
      place.cleaner.leavesWritten(roomOf(ctx, own, place), ref, count);
    },
    syncMap: (ctx, own, iova, size) => {
      const place = placeOf(own);
      const room = roomOf(ctx, own, place);
      place.cleaner.callDone(room);
      place.cleaner.syncMap(room, iova, size);
    },
  };
}

/** The driver's own: sound for every table, and the cheapest of the four (tables/cleaners/map-sg.ts says why; `compare --suite seed-2` has the figures). */
export const OWN_CLEANER = libraryCleaner('map-sg');
