/**
 * Attach: moving a device from one domain to another in the five phases of the kernel:
 * merge into the new array, publish it, switch CD and STE with their syncs, and only then leave the old array, flush
 * the tag if nobody uses it, and free it. Per-instance tags (seeds 1 and 3) are found or allocated in the first phase, for the new domain only; both
 * sides' are kept for the whole attach. Nothing can fail after the first phase.
 */
import { S1DSS_BYPASS, S1DSS_SSID0, S1DSS_TERMINATE } from '../../spec/ste.js';
import type { Result, Target } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError } from '../../stack/system.js';
import { RAM_BASE } from '../../memory/memory.js';
import { cdRef, installCdPage } from './cd-tables.steps.js';
import { merge, purge, unref } from './invs.js';
import { mayAttach, type Use } from './sharing.js';
import { abortSte, bypassSte, cdTableSte, emptyEntry, stage1Cd, stage2Ste } from './structures.js';
import { findOrAllocate, putBack } from './tags.js';
import type { AttachRequest, AttachSide, AttachState, Binding, Context, DeviceState, DomainState, SmmuState, Substream, Tag } from './types.js';

/** The sharing test of the kernel, asked of this device and domain. That a root complex is coherent by itself no world says. */
export function canShare(ctx: Context, dev: DeviceState, domain: number, use: Use = 'device'): boolean {
  return mayAttach(ctx.state.domains[domain] as DomainState, (ctx.state.smmus[dev.smmu] as SmmuState).features, { use, canWriteBack: false }) === null;
}

/** The attach transaction. `target` is a domain's number, 'identity' or 'blocked'. */
export function* attachSequence(ctx: Context, device: number, target: Target): Steps<Result | SystemError> {
  const dev = ctx.state.devices[device] as DeviceState;
  const a = prepare(ctx, requestFor(dev, device, target));
  if (typeof a === 'string') return a;
  if (a.next !== null) {
    yield 'publish the new array';
    publish(ctx, a);
  }
  yield* ctx.parts.system.atsBefore(ctx, a);
  yield* ctx.parts.system.install(ctx, a, steFor(ctx, a, target));
  dev.target = target;
  dev.vsmmu = -1;
  yield* ctx.parts.system.atsAfter(ctx, a);
  yield* leave(ctx, a);
  return 'ok';
}

export function requestFor(dev: DeviceState, device: number, target: Target): AttachRequest {
  return { device, ssid: 0, next: typeof target === 'number' ? { domain: target, vsmmu: -1 } : null, substreams: dev.substreams.length > 0, withoutAts: false };
}

/** What the device, or its substream, is bound to now. */
export function bindingOf(ctx: Context, dev: DeviceState, ssid: number): Binding | null {
  if (ssid !== 0) {
    const used = dev.substreams.find((s: Substream) => s.ssid === ssid);
    return used === undefined ? null : { domain: used.domain, vsmmu: -1 };
  }
  if (typeof dev.target === 'number') return { domain: dev.target, vsmmu: -1 };
  return dev.target === 'nested' ? { domain: ctx.state.vsmmus[dev.vsmmu]?.parent ?? -1, vsmmu: dev.vsmmu } : null;
}

/** Finds or allocates the tag and merges it into a new array; nothing is visible yet, and what cannot be had leaves nothing behind. */
export function prepare(ctx: Context, r: AttachRequest): AttachState | 'no-tags' | 'no-memory' {
  const { device, ssid } = r;
  const dev = ctx.state.devices[device] as DeviceState;
  const ats = ctx.parts.system.wantAts(ctx, r);
  const binding = bindingOf(ctx, dev, ssid);
  if (r.next === null) return { device, dev, ssid, old: oldSide(ctx, dev, ssid, binding), next: null, array: 0, cdPage: -1, ats };
  const own = ctx.state.domains[r.next.domain] as DomainState;
  const before = ctx.cpu.loadLo(own.invsCell);
  const tag = findOrAllocate(ctx, before, dev.smmu, r.next);
  if (tag === undefined) return 'no-tags';
  const needsPage = tag.type === 's1-tag' && cdRef(ctx, dev, ssid) < 0;
  const cdPage = needsPage ? ctx.state.pages.allocate('cd') : -1;
  const keys = ctx.parts.system.keys(ctx, dev, tag, ssid, ats);
  const array = needsPage && cdPage < 0 ? -1 : merge(ctx, before, keys);
  if (array < 0) {
    if (cdPage >= 0) ctx.state.pages.release(cdPage);
    if (tag.fresh) giveBack(ctx, tag); // never used: no flush
    return 'no-memory';
  }
  return { device, dev, ssid, old: oldSide(ctx, dev, ssid, binding), next: { domain: r.next.domain, tag, keys }, array, cdPage, ats };
}

/** The side that is left only finds: a domain in use without a tag is a fault of the driver. What is in its array was put there with ATS as it is now. */
function oldSide(ctx: Context, dev: DeviceState, ssid: number, binding: Binding | null): AttachSide | null {
  if (binding === null) return null;
  const own = ctx.state.domains[binding.domain] as DomainState;
  const tag = ctx.parts.system.findTag(ctx, ctx.cpu.loadLo(own.invsCell), dev.smmu, binding);
  if (tag === undefined) throw new Error(`domain ${binding.domain} is in use on SMMU ${dev.smmu} and has no tag there`);
  return { domain: binding.domain, tag, keys: ctx.parts.system.keys(ctx, dev, tag, ssid, dev.atsOn) };
}

export function giveBack(ctx: Context, tag: Tag): void {
  putBack(ctx, tag);
  ctx.observer?.tagReleased(tag.smmu, tag.id, tag.type);
}

/** From here on the domain's invalidations reach this device's SMMU, although nothing uses it yet. */
export function publish(ctx: Context, a: AttachState): void {
  if (a.next === null) return;
  const own = ctx.state.domains[a.next.domain] as DomainState;
  const before = ctx.cpu.loadLo(own.invsCell);
  ctx.cpu.barrier('array-published');
  ctx.cpu.store(own.invsCell, a.array, 0);
  if (before !== 0) ctx.state.rcu.free(before);
}

/** The STE of a device as a whole. While substreams are in use it goes on pointing to their CDs. */
export function steFor(ctx: Context, a: AttachState, target: Target): Uint32Array {
  const { dev, next, ats } = a;
  if (next?.tag.type === 's2-tag') return stage2SteFor(ctx, next.domain, next.tag.id, ats);
  if (next !== null) return cdTableFor(dev, S1DSS_SSID0, ats);
  if (dev.substreams.length > 0) return cdTableFor(dev, target === 'identity' ? S1DSS_BYPASS : S1DSS_TERMINATE, ats);
  return target === 'identity' ? bypassSte() : abortSte();
}

export function cdTableFor(dev: DeviceState, dss: number, ats: boolean): Uint32Array {
  return cdTableSte({ cdFrame: RAM_BASE + dev.cdSlot, ssidBits: dev.ssidBits, twoLevel: dev.twoLevelCds, dss, ats });
}

export function stage2SteFor(ctx: Context, domain: number, vmid: number, ats: boolean): Uint32Array {
  const own = ctx.state.domains[domain] as DomainState;
  return stage2Ste({ rootFrame: RAM_BASE + own.rootSlot, inputBits: own.inputBits, startLevel: own.startLevel, outputBits: own.outputBits, vmid, forceWriteBack: own.forceWriteBack, ats });
}

/** CD before STE when the STE will point to it; STE before CD when it no longer does. */
export function* install(ctx: Context, a: AttachState, ste: Uint32Array): Steps<void> {
  const { dev, next } = a;
  const smmu = ctx.state.smmus[dev.smmu] as SmmuState;
  const stage1 = next !== null && next.tag.type === 's1-tag';
  if (stage1) {
    yield* writeCd(ctx, a);
  }
  for (const sid of dev.streams) {
    yield* ctx.parts.writeEntry(ctx, 'ste', dev.smmu, smmu.streamSlot * 512 + sid * 8, ste, [sid]);
  }
  if (stage1) return;
  const ref = cdRef(ctx, dev, 0);
  if (ref < 0) return;
  yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, ref, emptyEntry(), dev.streams);
}

/** The CD of the new stage-1 domain, in a page that is installed first if it has to be. */
export function* writeCd(ctx: Context, a: AttachState): Steps<void> {
  const { dev, next, ssid } = a;
  if (next === null) return;
  if (a.cdPage >= 0) {
    yield* installCdPage(ctx, dev, ssid, a.cdPage);
  }
  const own = ctx.state.domains[next.domain] as DomainState;
  const cd = stage1Cd(RAM_BASE + own.rootSlot, own.inputBits, next.tag.id, own.outputBits);
  yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef(ctx, dev, ssid), cd, dev.streams, ssid);
}

/** The old domain: one user less on this SMMU; the last one takes the tag along, flushed before it is free again. That of a vSMMU stays the vSMMU's. */
export function* leave(ctx: Context, a: AttachState): Steps<void> {
  if (a.old === null) return;
  const { tag, keys } = a.old;
  const own = ctx.state.domains[a.old.domain] as DomainState;
  yield 'leave the old array';
  const array = ctx.cpu.loadLo(own.invsCell);
  if (unref(ctx, array, keys) === 0) {
    yield* ctx.parts.releaseTag(ctx, tag);
    if (tag.type !== 'vsmmu-tag') giveBack(ctx, tag);
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

