/**
 * Cleaners: how leaf descriptors reach walkers that do not look into the CPU's caches (seed 2). The driver calls a cleaner for domains whose tables are
 * cleaned, and for no others: a coherent domain pays neither a clean nor a call. New tables, pointers to tables and clears are no business of
 * a cleaner: these are cleaned where they are stored (tables.steps.ts, gather.steps.ts).
 *
 * The algorithms are those of the table library (../tables/cleaners), one for each domain and CPU. A map call here is what the core does in one call: all
 * pieces of the range, then the sync of it.
 */
import type { CleanerName, TableGeometry } from '../../stack/page-table.js';
import { OAS } from '../../stack/world.js';
import { makeCleaner } from '../tables/cleaners/cleaners.js';
import { shapeOf } from '../tables/geometry.js';
import type { TableRoom } from '../tables/room.js';
import type { Context, DomainState } from './types.js';

/** The part that cleans leaves. */
export interface LeafCleaner {
  readonly name: CleanerName;
  /** `count` leaves from `ref` on were stored; they are in one table page. */
  leavesWritten(ctx: Context, own: DomainState, ref: number, count: number): void;
  /** All of [iova, iova + size) is mapped (bytes). */
  syncMap(ctx: Context, own: DomainState, iova: number, size: number): void;
}

/** What a cleaner of the library looks at. */
type CleanRoom = Pick<TableRoom, 'geometry' | 'shape' | 'root' | 'cpu'>;

interface Cleaning {
  leavesWritten(room: CleanRoom, ref: number, count: number): void;
  callDone(room: CleanRoom): void;
  syncMap(room: CleanRoom, iova: number, size: number): void;
}

interface Place {
  readonly cleaner: Cleaning;
  readonly room: CleanRoom;
}

export function libraryCleaner(name: CleanerName): LeafCleaner {
  const places = new WeakMap<DomainState, Place>();
  const placeOf = (ctx: Context, own: DomainState): Place => {
    const known = places.get(own);
    if (known !== undefined && known.room.cpu === ctx.cpu) return known;
    const geometry: TableGeometry = {
      tg: 12, stage: 1, inputBits: ctx.state.world.inputBits, outputBits: OAS, half: 'lower', ds: false, contiguous: false, dirty: false,
    };
    const place = { cleaner: makeCleaner(name), room: { geometry, shape: shapeOf(geometry), root: own.rootSlot, cpu: ctx.cpu } };
    places.set(own, place);
    return place;
  };
  return {
    name,
    leavesWritten: (ctx, own, ref, count) => {
      const { cleaner, room } = placeOf(ctx, own);
      cleaner.leavesWritten(room, ref, count);
    },
    syncMap: (ctx, own, iova, size) => {
      const { cleaner, room } = placeOf(ctx, own);
      cleaner.callDone(room);
      cleaner.syncMap(room, iova, size);
    },
  };
}

/** The driver's own. */
export const OWN_CLEANER = libraryCleaner('range-visitor');
