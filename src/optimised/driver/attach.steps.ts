/**
 * Attach: moving a device from one domain to another in the five phases of the kernel:
 * merge into the new array, publish it, switch CD and STE with their syncs, and only then leave the old array, flush
 * the tag if nobody uses it, and free it. Per-instance tags (seeds 1 and 3) are found or allocated in the first phase.
 */
import type { InvKey } from '../../stack/invalidation-array.js';
import type { Result, Target } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import { RAM_BASE } from '../../memory/memory.js';
import { findTag, merge, purge, unref } from './invs.js';
import { abortSte, bypassSte, emptyEntry, stage1Cd, stage1Ste } from './structures.js';
import { findOrAllocate, putBack } from './tags.js';
import type { Context, DeviceState, DomainState, SmmuState, Tag } from './types.js';

/**
 * The sharing test of the kernel, as far as it can fail here: tables that are never cleaned need a walker that looks into the caches. The other way
 * round nothing is lost: a coherent walker sees what was cleaned as well.
 */
export function canShare(ctx: Context, dev: DeviceState, domain: number): boolean {
  return ctx.state.smmus[dev.smmu]?.coherent === true || ctx.state.domains[domain]?.coherent === false;
}

/** The attach transaction. `target` is a domain's number, 'identity' or 'blocked'. */
export function* attachSequence(ctx: Context, device: number, target: Target): Steps<Result> {
  const dev = ctx.state.devices[device] as DeviceState;
  let tag: Tag | undefined;
  if (typeof target === 'number') {
    const prepared = prepare(ctx, dev, target);
    if (typeof prepared === 'string') return prepared;
    tag = prepared.tag;
    yield 'publish the new array';
    publish(ctx, ctx.state.domains[target] as DomainState, prepared.array);
  }
  yield* install(ctx, dev, target, tag);
  const old = dev.target;
  dev.target = target;
  yield* leave(ctx, dev, old);
  return 'ok';
}

/** What a stage-1 tag is in an array. */
function keyOf(tag: Tag): InvKey {
  return { smmu: tag.smmu, type: 's1-tag', id: tag.asid, ssid: 0 };
}

/** Finds or allocates the tag and merges it into a new array; nothing is visible yet. */
export function prepare(ctx: Context, dev: DeviceState, domain: number): { tag: Tag; array: number } | 'no-tags' | 'no-memory' {
  const own = ctx.state.domains[domain] as DomainState;
  const before = ctx.cpu.loadLo(own.invsCell);
  const tag = findOrAllocate(ctx, before, dev.smmu);
  if (tag === undefined) return 'no-tags';
  const array = merge(ctx, before, [keyOf(tag)]);
  if (array >= 0) return { tag, array };
  if (tag.fresh) putBack(ctx, tag.smmu, tag.asid); // never used: no flush
  return 'no-memory';
}

/** From here on the domain's invalidations reach this device's SMMU, although nothing uses it yet. */
export function publish(ctx: Context, own: DomainState, array: number): void {
  const before = ctx.cpu.loadLo(own.invsCell);
  ctx.cpu.barrier('array-published');
  ctx.cpu.store(own.invsCell, array, 0);
  if (before !== 0) ctx.state.rcu.free(before);
}

/** CD before STE when the STE will point to it; STE before CD when it no longer does. */
export function* install(ctx: Context, dev: DeviceState, target: Target, tag: Tag | undefined): Steps<void> {
  const smmu = ctx.state.smmus[dev.smmu] as SmmuState;
  const cdRef = dev.cdSlot * 512;
  if (tag !== undefined) {
    const own = ctx.state.domains[target as number] as DomainState;
    const cd = stage1Cd(RAM_BASE + own.rootSlot, ctx.state.world.inputBits, tag.asid);
    yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef, cd, dev.streams);
  }
  const ste = tag !== undefined ? stage1Ste(RAM_BASE + dev.cdSlot) : target === 'identity' ? bypassSte() : abortSte();
  for (const sid of dev.streams) {
    yield* ctx.parts.writeEntry(ctx, 'ste', dev.smmu, smmu.streamSlot * 512 + sid * 8, ste, [sid]);
  }
  if (tag === undefined) {
    yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef, emptyEntry(), dev.streams);
  }
}

/** The old domain: one user less on this SMMU; the last one takes the tag along, flushed before it is free again. */
export function* leave(ctx: Context, dev: DeviceState, old: Target | 'none'): Steps<void> {
  if (typeof old !== 'number') return;
  const own = ctx.state.domains[old] as DomainState;
  yield 'leave the old array';
  const array = ctx.cpu.loadLo(own.invsCell);
  const asid = findTag(ctx, array, dev.smmu);
  const tag: Tag = { smmu: dev.smmu, asid, fresh: false };
  if (unref(ctx, array, [keyOf(tag)]) === 0) {
    yield* ctx.parts.releaseTag(ctx, dev.smmu, asid);
    putBack(ctx, dev.smmu, asid);
    ctx.observer?.tagReleased(dev.smmu, asid);
  }
  yield 'purge the old array';
  shrink(ctx, own, array);
}

/** Publishes the array without its trash; without memory the trash stays, and readers skip it. */
function shrink(ctx: Context, own: DomainState, array: number): void {
  if (ctx.cpu.loadLo(array) === 0) { // nothing left
    ctx.cpu.store(own.invsCell, 0, 0);
    ctx.state.rcu.free(array);
    return;
  }
  const purged = purge(ctx, array);
  if (purged < 0) return;
  ctx.cpu.barrier('array-published');
  ctx.cpu.store(own.invsCell, purged, 0);
  ctx.state.rcu.free(array);
}
