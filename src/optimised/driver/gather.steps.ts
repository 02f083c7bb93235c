/**
 * Gather: what becomes of descriptors that are taken out of a domain's tables, in the three ways in which the driver's callers feed the
 * invalidation (seed 0). In each of them a table page is freed only after the flush that covers it.
 *
 * iommupt: one gather takes leaves and tables of all levels, as full bitmaps with a free list, until it is synced or a range that does
 * not touch it comes along (early flush).
 *
 * io-pgtable: a gather takes leaves of one size, so exactly one leaf bit; another size or a range that does not touch it flushes first. A
 * removed table never gets there: it is flushed at once (walk flush) and freed. The thread describes a walk flush by one table bit,
 * from the size of the removed span. That is enough for an emptied table of pages. Here every level that hangs below the
 * removed descriptor is named as well: of a populated table the leaves, and of one with tables in it those of each level, are cached
 * entries of their own, which commands for that one bit (TTL of the level below it; without ranges one address for the whole span) leave alive.
 * Mutants `io-pgtable-one-bit` and `walk-level-from-size` show it.
 *
 * sva: an mm clears the descriptors, frees every table in which nothing is left, and calls the notifier with [start, end). That says
 * nothing of levels, so every level is named that can have changed in this range: leaves of a size that fits, and tables of all levels
 * (the last page of a region takes its tables along). Where no block fits, that leaves 4K pages and tables: TTL = 3 covers both. One
 * invalidation inside of the call; nothing stays pending.
 */
import { BIT_VALID } from '../../spec/descriptor.js';
import { levelBit } from '../../stack/description.js';
import type { Steps } from '../../stack/steps.js';
import { syncGather } from './invalidate.steps.js';
import { bestSize, type PageSize } from '../tables/geometry.js';
import { unmapPages } from '../tables/io-pgtable.steps.js';
import type { TableRoom } from '../tables/room.js';
import { roomFor } from './rooms.steps.js';
import { isTable, slotOfTable, SPAN } from './table-reads.js';
import { newGather, type Context, type DomainState, type Gather } from './types.js';

/** Levels of the descriptors whose span is a page size: io-pgtable unmaps by page size, so it takes no table away above them. */
const LARGEST_SIZE_LEVEL = 1;

/** Takes all of [first, end) (frames) away, which is mapped by whole entries. */
export function* takeAway(ctx: Context, domain: number, first: number, end: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  switch (own.gather.style) {
    case 'iommupt':
      yield* takeTogether(ctx, domain, first, end);
      break;
    case 'io-pgtable':
      yield* takeBySize(ctx, domain, first * 4096, end * 4096);
      break;
    case 'sva':
      yield* takeAsMm(ctx, domain, first, end);
      break;
  }
}

/** Does [first, end) not even touch what the gather holds? Then taking it in would name the gap as well. */
function disjoint(gather: Gather, first: number, end: number): boolean {
  return gather.pending && (end < gather.first || first > gather.last + 1);
}

function widen(gather: Gather, first: number, end: number): void {
  gather.first = gather.pending ? Math.min(gather.first, first) : first;
  gather.last = gather.pending ? Math.max(gather.last, end - 1) : end - 1;
  gather.pending = true;
}

// ---- iommupt

/** Strict: into the gather; lazy: queued for the next flush of everything. */
function* takeTogether(ctx: Context, domain: number, first: number, end: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  if (disjoint(own.gather, first, end)) {
    yield* syncGather(ctx, domain);
  }
  const target = own.lazy ? newGather('iommupt') : own.gather;
  yield 'clear descriptors';
  clearEntries(ctx, own, own.rootSlot, own.startLevel, 0, first, end, target);
  if (own.lazy) {
    for (const slot of target.freed) own.queuedTables.push(slot);
    return;
  }
  widen(own.gather, first, end);
}

/**
 * Clears every entry of [first, end); tables that are covered whole go with everything in them. An mm also takes a table that is covered in
 * part when nothing is left in it. For walkers that do not look into the caches the entries that were cleared in a page are cleaned at its
 * end: all of them but, at most, the first and the last.
 */
export function clearEntries(ctx: Context, own: DomainState, slot: number, level: number, base: number, first: number, end: number, gather: Gather): void {
  const span = SPAN[level] as number;
  const from = Math.max(0, Math.floor((first - base) / span));
  const to = Math.min(511, Math.floor((end - 1 - base) / span));
  let cleared = -1;
  let last = -1;
  for (let i = from; i <= to; i += 1) {
    const ref = slot * 512 + i;
    const lo = ctx.cpu.loadLo(ref);
    const start = base + i * span;
    if (!isTable(lo, level)) {
      ctx.cpu.store(ref, 0, 0);
      gather.leaves |= levelBit(level);
    } else {
      const child = slotOfTable(lo, ctx.cpu.loadHi(ref));
      if (start < first || start + span > end) {
        clearEntries(ctx, own, child, level + 1, start, first, end, gather);
        if (gather.style !== 'sva' || !isEmpty(ctx, child)) continue;
      }
      ctx.cpu.store(ref, 0, 0);
      removeTable(ctx, child, level, start, gather);
    }
    if (cleared < 0) cleared = i;
    last = i;
  }
  if (!own.coherent && cleared >= 0) ctx.cpu.clean(slot * 512 + cleared, last - cleared + 1, 'cleared');
}

function isEmpty(ctx: Context, slot: number): boolean {
  for (let i = 0; i < 512; i += 1) if ((ctx.cpu.loadLo(slot * 512 + i) & BIT_VALID) !== 0) return false;
  return true;
}

/**
 * A table whose descriptor at `level` was removed: it and everything below it goes to the gather, with the leaf and
 * table levels found there, and the gather's range grows over its span.
 */
export function removeTable(ctx: Context, slot: number, level: number, base: number, gather: Gather): void {
  gather.tables |= levelBit(level);
  gather.freed.push(slot);
  widen(gather, base, base + (SPAN[level] as number));
  const below = SPAN[level + 1] as number;
  for (let i = 0; i < 512; i += 1) {
    const lo = ctx.cpu.loadLo(slot * 512 + i);
    if ((lo & BIT_VALID) === 0) continue;
    if (isTable(lo, level + 1)) removeTable(ctx, slotOfTable(lo, ctx.cpu.loadHi(slot * 512 + i)), level + 1, base + i * below, gather);
    else gather.leaves |= levelBit(level + 1);
  }
}

// ---- io-pgtable

/** Size by size, as the core chooses them: runs of leaves into the gather (lazy: nowhere, the next flush of everything takes them), tables flushed and freed one by one. */
function* takeBySize(ctx: Context, domain: number, iova: number, end: number): Steps<void> {
  const room = roomFor(ctx, domain);
  for (let at = iova; at < end;) {
    const size = bestSize(room.shape, at, at, end - at) as PageSize; // a page always fits
    const larger = room.shape.sizes[room.shape.sizes.indexOf(size) - 1];
    const most = larger === undefined ? end - at : Math.min(end - at, larger.bytes - (at % larger.bytes));
    const bytes = yield* unmapPages(room, { iova: at, pageSize: size.bytes, count: Math.floor(most / size.bytes) });
    if (bytes === 0) throw new Error(`an unmap that was checked before stopped: ${room.stop}`);
    at += bytes;
  }
}

/** Emptied tables where `n` blocks are to be mapped: each is gone for good before a block is written in its place (break before make). */
export function* takeTables(room: TableRoom, n: number): Steps<void> {
  const { run } = room;
  const span = room.shape.span[run.level + 1] as number;
  for (let i = 0; i < n; i += 1) {
    const ref = run.slot * 512 + run.index + i;
    if (isTable(room.cpu.loadLo(ref), run.level)) {
      yield* room.parts.takeTable(room, ref, run.level, run.iova + i * span);
    }
  }
}

// ---- sva

/** The mm's unmap: descriptors and emptied tables go, the notifier is called, and only then the tables are freed. */
function* takeAsMm(ctx: Context, domain: number, first: number, end: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  const gone = newGather('sva');
  yield 'clear descriptors';
  clearEntries(ctx, own, own.rootSlot, own.startLevel, 0, first, end, gone);
  ctx.parts.notified(ctx, first, end, gone);
  yield* ctx.parts.flushGather(ctx, domain, gone);
}

/** What the notifier makes of [first, end), the end exclusive: the last frame is the one before it. Levels: see above. */
export function notified(ctx: Context, first: number, end: number, gather: Gather): void {
  gather.pending = true;
  gather.first = first;
  gather.last = end - 1;
  gather.leaves = levelBit(3);
  for (let level = 2; level >= LARGEST_SIZE_LEVEL; level -= 1) {
    const span = SPAN[level] as number;
    if (Math.ceil(first / span) * span + span <= end) gather.leaves |= levelBit(level);
  }
  gather.tables = (levelBit(ctx.state.startLevel) << 1) - 2;
}
