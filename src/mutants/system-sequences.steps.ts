/**
 * System sequences: the right actions around ATS, substreams, tags and processes in a wrong order, or with one of them left out. Mutants only.
 */
import { cdRef } from '../optimised/driver/cd-tables.steps.js';
import { attachSequence, install, leave, prepare, publish, requestFor, steFor, writeCd } from '../optimised/driver/attach.steps.js';
import { flushAtc } from '../optimised/driver/ats.steps.js';
import { invalidate, releaseTag } from '../optimised/driver/invalidate.steps.js';
import { arrayTrash } from '../optimised/driver/invs.js';
import { putBack } from '../optimised/driver/tags.js';
import { writeEntry } from '../optimised/driver/entry.steps.js';
import type { AttachState, Context, DeviceState, DomainState, SmmuState, Tag } from '../optimised/driver/types.js';
import type { Description } from '../stack/description.js';
import type { Result, Target } from '../stack/operation.js';
import type { Steps } from '../stack/steps.js';
import type { SystemError } from '../stack/system.js';

/** A batch with nothing in it and no SYNC. */
export function* nothing(): Steps<void> {
  yield 'nothing';
}

/** ATS is on before the STE has it. */
export function* atsBeforeSte(ctx: Context, a: AttachState): Steps<void> {
  if (a.dev.atsOn === a.ats) return;
  yield 'switch ATS at the endpoint';
  ctx.state.setAts(a.device, a.ats);
}

/** What is left of it behind the STE: only the flush. */
export function* flushOnly(ctx: Context, a: AttachState): Steps<void> {
  const before = a.dev.atsOn;
  if (!before && !a.ats) return;
  a.dev.atsOn = a.ats;
  yield* flushAtc(ctx, a.dev, before && a.ats ? a.ssid : 0);
}

/** ATS is switched on, and off, behind the STE. */
export function* atsAfterSte(ctx: Context, a: AttachState): Steps<void> {
  const before = a.dev.atsOn;
  if (!before && !a.ats) return;
  a.dev.atsOn = a.ats;
  yield* flushAtc(ctx, a.dev, before && a.ats ? a.ssid : 0);
  if (before === a.ats) return;
  yield 'switch ATS at the endpoint';
  ctx.state.setAts(a.device, a.ats);
}

/** From on to on nothing is flushed: of the whole device (`substreams` false), or of a substream that is taken off. */
function* atsWithout(ctx: Context, a: AttachState, substreams: boolean): Steps<void> {
  const before = a.dev.atsOn;
  if (!before && !a.ats) return;
  a.dev.atsOn = a.ats;
  const skipped = before && a.ats && (substreams ? a.ssid !== 0 && a.next === null : a.ssid === 0);
  if (!skipped) {
    yield* flushAtc(ctx, a.dev, before && a.ats ? a.ssid : 0);
  }
  if (before) return;
  yield 'switch ATS on at the endpoint';
  ctx.state.setAts(a.device, true);
}

export function* atsWithoutFlush(ctx: Context, a: AttachState): Steps<void> {
  yield* atsWithout(ctx, a, false);
}

export function* detachWithoutFlush(ctx: Context, a: AttachState): Steps<void> {
  yield* atsWithout(ctx, a, true);
}

/** STE first, and the CD that it points to afterwards. */
export function* installSteFirst(ctx: Context, a: AttachState, ste: Uint32Array): Steps<void> {
  const { dev, next } = a;
  const smmu = ctx.state.smmus[dev.smmu] as SmmuState;
  if (next === null || next.tag.type !== 's1-tag') {
    yield* install(ctx, a, ste);
    return;
  }
  for (const sid of dev.streams) {
    yield* ctx.parts.writeEntry(ctx, 'ste', dev.smmu, smmu.streamSlot * 512 + sid * 8, ste, [sid]);
  }
  yield* writeCd(ctx, a);
}

/** The id is free before the tag is flushed. */
export function* releaseEarly(ctx: Context, tag: Tag): Steps<void> {
  if (tag.type !== 'vsmmu-tag') {
    yield 'the id is free';
    putBack(ctx, tag);
    ctx.observer?.tagReleased(tag.smmu, tag.id, tag.type);
  }
  yield* releaseTag(ctx, tag);
}

/** A substream is taken off; the STE and ATS stay as they are, even if it was the last one. */
export function* detachWithoutDowngrade(ctx: Context, device: number, ssid: number): Steps<void> {
  const a = prepare(ctx, { device, ssid, next: null, substreams: true, withoutAts: false });
  if (typeof a === 'string') return;
  const { dev } = a;
  yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef(ctx, dev, ssid), new Uint32Array(16), dev.streams, ssid);
  dev.substreams = dev.substreams.filter((s) => s.ssid !== ssid);
  yield* ctx.parts.system.atsAfter(ctx, a);
  yield* leave(ctx, a);
}

/** A CD that is cleared is stored and not invalidated. */
export function* clearWithoutSync(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid = 0): Steps<void> {
  if (kind === 'ste' || target.some((w) => w !== 0)) {
    yield* writeEntry(ctx, kind, smmu, ref, target, streams, ssid);
    return;
  }
  for (let q = 0; q < 8; q += 1) ctx.cpu.store(ref + q, 0, 0);
  ctx.cpu.barrier('entry-target-visible');
}

/** Every entry goes through V = 0. */
export function* throughInvalid(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid = 0): Steps<void> {
  yield* writeEntry(ctx, kind, smmu, ref, new Uint32Array(16), streams, ssid);
  yield* writeEntry(ctx, kind, smmu, ref, target, streams, ssid);
}

/** A context whose process has ended is made invalid. */
export function* endByInvalid(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid = 0): Steps<void> {
  const ended = kind === 'cd' && ((target[0] as number) & (1 << 14)) !== 0;
  yield* writeEntry(ctx, kind, smmu, ref, ended ? new Uint32Array(16) : target, streams, ssid);
}

/** The process has ended: nothing is invalidated. */
export function* invalidateUnlessGone(ctx: Context, domain: number, d: Description): Steps<void> {
  if ((ctx.state.domains[domain] as DomainState).gone) return;
  yield* invalidate(ctx, domain, d);
}

/** Without memory for a smaller array the domain is left with none. */
export function* forgetArray(ctx: Context, device: number, target: Target): Steps<Result | SystemError> {
  const old = ctx.state.devices[device]?.target;
  const result = yield* attachSequence(ctx, device, target);
  const own = typeof old === 'number' ? ctx.state.domains[old] : undefined;
  if (own === undefined) return result;
  const array = ctx.cpu.loadLo(own.invsCell);
  if (array !== 0 && arrayTrash(ctx, array) > 0) {
    yield 'forget the array';
    ctx.cpu.store(own.invsCell, 0, 0);
    ctx.state.rcu.free(array);
  }
  return result;
}

/** The old array is left, and its tag flushed, while STE and CD still show the old domain. */
export function* leaveBeforeSte(ctx: Context, device: number, target: Target): Steps<Result | SystemError> {
  const dev = ctx.state.devices[device] as DeviceState;
  const a = prepare(ctx, requestFor(dev, device, target));
  if (typeof a === 'string') return a;
  if (a.next !== null) {
    yield 'publish the new array';
    publish(ctx, a);
  }
  yield* leave(ctx, a);
  yield* ctx.parts.system.atsBefore(ctx, a);
  yield* ctx.parts.system.install(ctx, a, steFor(ctx, a, target));
  dev.target = target;
  dev.vsmmu = -1;
  yield* ctx.parts.system.atsAfter(ctx, a);
  return 'ok';
}

/** Arrays are freed at once: who is reading one reads what is somebody else's by now. */
export function* freeAtOnce(ctx: Context, device: number, target: Target): Steps<Result | SystemError> {
  const { rcu, pages } = ctx.state;
  const hasty = { enter: () => { rcu.enter(); }, exit: () => { rcu.exit(); }, free: (ref: number) => { pages.releaseObject(ref); } };
  const result = yield* attachSequence({ ...ctx, state: { ...ctx.state, rcu: hasty } }, device, target);
  return result;
}
