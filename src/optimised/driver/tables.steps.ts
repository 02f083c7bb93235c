/**
 * Tables: a domain's stage-1 page table as real descriptors in memory (4 KB granule). Sizes are chosen as the core
 * does; mapping a block over an *emptied* table replaces it; what is unmapped, or replaced, goes the way of the domain's gather
 * (gather.steps.ts). All checks and allocations come before the first leaf changes, so a refused call changes nothing.
 */
import { BIT_VALID, descriptorHigh, leafLow, stage2LeafLow, tableLow } from '../../spec/descriptor.js';
import { POW2 } from '../../spec/bits.js';
import { RAM_BASE } from '../../memory/memory.js';
import { pageSizeFor, type Result } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import { LIMITS } from '../../stack/world.js';
import { removeTable, takeAway, takeTables } from './gather.steps.js';
import { syncGather } from './invalidate.steps.js';
import { anyMapped, isTable, rangeState, slotOfTable, SPAN } from './table-reads.js';
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

/** The slot of the table page that holds entries of `level` for `frame`; -1 when memory runs out. */
function* ensureTable(ctx: Context, own: DomainState, frame: number, level: number): Steps<number> {
  let slot = own.rootSlot;
  for (let at = own.startLevel; at < level; at += 1) {
    const ref = slot * 512 + (Math.floor(frame / (SPAN[at] as number)) % 512);
    const lo = ctx.cpu.loadLo(ref);
    if ((lo & BIT_VALID) !== 0) {
      slot = slotOfTable(lo, ctx.cpu.loadHi(ref));
      continue;
    }
    const fresh = ctx.state.pages.allocate('table');
    if (fresh < 0) return -1;
    if (!own.coherent) {
      yield 'clean a new table';
      ctx.cpu.clean(fresh * 512, 512, 'new-table');
    }
    ctx.cpu.barrier('table-contents');
    yield 'install a table';
    ctx.cpu.store(ref, tableLow(RAM_BASE + fresh), descriptorHigh(RAM_BASE + fresh));
    if (!own.coherent) {
      yield 'clean the pointer to a table';
      ctx.cpu.clean(ref, 1, 'table-pointer');
    }
    slot = fresh;
  }
  return slot;
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
  for (let done = 0; done < size;) { // tables first: nothing can fail once a leaf is written
    const step = pageSizeFor(iova + done, pa + done, size - done);
    const table = yield* ensureTable(ctx, own, (iova + done) / 4096, levelOfSize(step));
    if (table < 0) return 'no-memory';
    done += step * runLength(iova + done, size - done, step);
  }
  const replaced = newGather(own.gather.style);
  for (let done = 0; done < size;) {
    const step = pageSizeFor(iova + done, pa + done, size - done);
    const n = runLength(iova + done, size - done, step);
    const table = yield* ensureTable(ctx, own, (iova + done) / 4096, levelOfSize(step));
    if (replaced.style !== 'iommupt' && step > 4096) {
      yield* takeTables(ctx, domain, table, levelOfSize(step), (iova + done) / 4096, n);
    }
    yield 'write leaves';
    const written = writeLeaves(ctx, table, (iova + done) / 4096, (pa + done) / 4096, levelOfSize(step), n, leafWord(own, (pa + done) / 4096, levelOfSize(step), writable), replaced);
    if (!own.coherent) ctx.parts.cleaner.leavesWritten(ctx, own, written, n);
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

/** Low half of a leaf of this domain. */
function leafWord(own: DomainState, pa: number, level: number, writable: boolean): number {
  return own.stage === 1 ? leafLow(pa, level, writable) : stage2LeafLow(pa, level, writable, own.forceWriteBack);
}

/** A run of leaves, `low` the low half of the first; where an emptied table stood, it goes to `replaced`. Returns the reference of the first. */
function writeLeaves(ctx: Context, slot: number, frame: number, pa: number, level: number, n: number, low: number, replaced: Gather): number {
  const span = SPAN[level] as number;
  const first = slot * 512 + (Math.floor(frame / span) % 512);
  if (level < 3) {
    for (let i = 0; i < n; i += 1) {
      const lo = ctx.cpu.loadLo(first + i);
      if (isTable(lo, level)) removeTable(ctx, slotOfTable(lo, ctx.cpu.loadHi(first + i)), level, frame + i * span, replaced);
    }
  }
  ctx.cpu.storeRun(first, n, low, descriptorHigh(pa), span);
  return first;
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
