/**
 * Tables: a domain's page table as real descriptors in memory (4 KB granule). Sizes are chosen as the core
 * does; mapping a block over an *emptied* table replaces it; what is unmapped, or replaced, goes the way of the domain's gather
 * (gather.steps.ts). All checks and allocations come before the first leaf changes, so a refused call changes nothing.
 */
import { POW2 } from '../../spec/bits.js';
import { pageSizeFor, type Result } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import { LIMITS } from '../../stack/world.js';
import { removeTable, takeAway, takeTables } from './gather.steps.js';
import { syncGather } from './invalidate.steps.js';
import { anyMapped, isTable, rangeState, slotOfTable, SPAN } from './table-reads.js';
import { indexAt } from '../tables/geometry.js';
import type { LeafRun, TableRoom } from '../tables/room.js';
import { storeLeaves, tableFor } from '../tables/walk.steps.js';
import { roomFor } from './rooms.steps.js';
import { newGather, type Context, type DomainState, type Gather } from './types.js';

function levelOfSize(size: number): number {
  return size === 4096 ? 3 : size === 2097152 ? 2 : 1;
}

/**
 * Entries of one size from `iova` on, within the table page that holds the first (bytes in, count out). Where a larger
 * size begins to fit, the table page ends, so the size cannot change before.
 */
function runLength(iova: number, left: number, size: number): number {
  return Math.min(512 - (Math.floor(iova / size) % 512), Math.floor(left / size));
}

/** Maps [iova, iova + size) to pa (bytes, multiples of 4096). */
export function* mapRange(ctx: Context, domain: number, iova: number, pa: number, size: number, writable: boolean): Steps<Result> {
  const own = ctx.state.domains[domain] as DomainState;
  const bad = checkRange(own, iova, size);
  if (bad !== 'ok') return bad;
  if (pa % 4096 !== 0) return 'unaligned';
  if ((pa + size) / 4096 > own.outputFrames) return 'out-of-range';
  if (own.managed && !own.ranges.covers(iova / 4096, (iova + size) / 4096)) return 'iova-not-allocated';
  if (tooLarge(iova, pa, size)) return 'too-large';
  if (anyMapped(ctx, own, iova / 4096, (iova + size) / 4096)) return 'already-mapped';
  if (own.gather.pending && iova / 4096 <= own.gather.last && own.gather.first < (iova + size) / 4096) {
    yield* syncGather(ctx, domain); // the old leaves must not shadow the new ones
  }
  const room = roomFor(ctx, domain);
  for (let done = 0; done < size;) { // tables first: nothing can fail once a leaf is written
    const step = pageSizeFor(iova + done, pa + done, size - done);
    const table = yield* tableFor(room, iova + done, levelOfSize(step));
    if (table < 0) return 'no-memory';
    done += step * runLength(iova + done, size - done, step);
  }
  const replaced = newGather(own.gather.style);
  for (let done = 0; done < size;) {
    const step = pageSizeFor(iova + done, pa + done, size - done);
    const n = runLength(iova + done, size - done, step);
    const table = yield* tableFor(room, iova + done, levelOfSize(step));
    aim(room, table, iova + done, levelOfSize(step));
    if (replaced.style !== 'iommupt' && step > 4096) {
      yield* takeTables(room, n);
    }
    room.run.pa = pa + done;
    room.run.prot = writable ? 'rw' : 'r';
    if (step > 4096) collectReplaced(ctx, room.run, n, replaced);
    yield* storeLeaves(room, n);
    done += step * n;
  }
  ctx.cpu.barrier('map-done');
  if (!own.coherent) { // the core's iotlb_sync_map; pointers that blocks replace must be out of sight before they are flushed
    yield 'clean the range';
    ctx.parts.cleaner.syncMap(ctx, own, iova, size);
  }
  if (replaced.pending) {
    yield* ctx.parts.flushGather(ctx, domain, replaced);
  }
  return 'ok';
}

/** Would the mapping need more leaves than one call may write? */
function tooLarge(iova: number, pa: number, size: number): boolean {
  let left = LIMITS.mapEntries;
  if (size <= left * 4096) return false;
  for (let done = 0; done < size && left >= 0;) {
    const step = pageSizeFor(iova + done, pa + done, size - done);
    const n = runLength(iova + done, size - done, step);
    left -= n;
    done += step * n;
  }
  return left < 0;
}

function checkRange(own: DomainState, iova: number, size: number): Result {
  if (iova % 4096 !== 0 || size % 4096 !== 0 || size === 0) return 'unaligned';
  return iova + size > (POW2[own.inputBits] as number) ? 'out-of-range' : 'ok';
}

/** Says where the next leaves go. */
function aim(room: TableRoom, slot: number, iova: number, level: number): void {
  const { run } = room;
  run.slot = slot;
  run.index = indexAt(room.shape, level, iova);
  run.level = level;
  run.iova = iova;
}

/** Emptied tables in the way of `n` blocks: they go to `replaced`. */
function collectReplaced(ctx: Context, run: LeafRun, n: number, replaced: Gather): void {
  const span = SPAN[run.level] as number;
  const first = run.slot * 512 + run.index;
  for (let i = 0; i < n; i += 1) {
    const lo = ctx.cpu.loadLo(first + i);
    if (isTable(lo, run.level)) removeTable(ctx, slotOfTable(lo, ctx.cpu.loadHi(first + i)), run.level, run.iova / 4096 + i * span, replaced);
  }
}

/** Takes [iova, iova + size) away (bytes), in the way of its domain's gather. */
export function* unmapRange(ctx: Context, domain: number, iova: number, size: number): Steps<Result> {
  const own = ctx.state.domains[domain] as DomainState;
  const bad = checkRange(own, iova, size);
  if (bad !== 'ok') return bad;
  const first = iova / 4096;
  const end = (iova + size) / 4096;
  const found = rangeState(ctx, own, first, end);
  if (found === 'hole') return 'not-mapped';
  if (found === 'cut') return 'partial-block';
  yield* takeAway(ctx, domain, first, end);
  return 'ok';
}
