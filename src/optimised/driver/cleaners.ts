/**
 * Cleaners: how leaf descriptors reach walkers that do not look into the CPU's caches (seed 2). The driver calls a cleaner for domains whose tables are
 * cleaned, and for no others: a coherent domain pays neither a clean nor a call. New tables, pointers to tables and clears are no business of
 * a cleaner: these are cleaned where they are stored (tables.steps.ts, gather.steps.ts).
 *
 * `eager`: after each run of leaves, its lines. `range-visitor`: nothing until the whole range is mapped; then one descent over it, which cleans each run of
 * leaves within a table page once. Where a map call writes one piece both clean the same lines; the second is the driver's own because it still does
 * when a caller maps many pieces before it says that the range is complete.
 */
import { levelFrames } from '../../spec/granule.js';
import type { CleanerName } from '../../stack/page-table.js';
import { isTable, slotOfTable } from './table-reads.js';
import type { Context, DomainState } from './types.js';

/** The part that cleans leaves. */
export interface LeafCleaner {
  readonly name: CleanerName;
  /** `count` leaves from `ref` on were stored; they are in one table page. */
  leavesWritten(ctx: Context, own: DomainState, ref: number, count: number): void;
  /** [iova, iova + size) is mapped as a whole (bytes). */
  syncMap(ctx: Context, own: DomainState, iova: number, size: number): void;
}

const nothing = (): void => undefined;

export const EAGER: LeafCleaner = {
  name: 'eager',
  leavesWritten: (ctx, _own, ref, count) => { ctx.cpu.clean(ref, count, 'leaves'); },
  syncMap: nothing,
};

export const RANGE_VISITOR: LeafCleaner = {
  name: 'range-visitor',
  leavesWritten: nothing,
  syncMap: (ctx, own, iova, size) => { cleanRange(ctx, own.rootSlot, own.startLevel, 0, iova / 4096, (iova + size) / 4096); },
};

/** Every run of entries of [first, end) (frames) that are no tables, once; below the others the same. */
function cleanRange(ctx: Context, slot: number, level: number, base: number, first: number, end: number): void {
  const span = levelFrames(12, level);
  const from = Math.max(0, Math.floor((first - base) / span));
  const to = Math.min(511, Math.floor((end - 1 - base) / span));
  let run = from;
  for (let i = from; level < 3 && i <= to; i += 1) {
    const ref = slot * 512 + i;
    const lo = ctx.cpu.loadLo(ref);
    if (!isTable(lo, level)) continue;
    if (i > run) ctx.cpu.clean(slot * 512 + run, i - run, 'sync-map');
    cleanRange(ctx, slotOfTable(lo, ctx.cpu.loadHi(ref)), level + 1, base + i * span, first, end);
    run = i + 1;
  }
  if (run <= to) ctx.cpu.clean(slot * 512 + run, to - run + 1, 'sync-map');
}
