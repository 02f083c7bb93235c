/**
 * Substreams: attaching one PASID of a device to a domain of its own, taking it off, and the end of a process on whose addresses substreams work (the
 * kernel's set_dev_pasid, its blocking counterpart, and the mm's release callback). The STE points to the table of CDs as long as substreams are in
 * use, whatever the device as a whole does; when the last one has gone and the device as a whole translates nothing, it goes back to a plain one,
 * and ATS goes with it.
 */
import { S1DSS_BYPASS, S1DSS_SSID0, S1DSS_TERMINATE } from '../../spec/ste.js';
import type { Result } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError } from '../../stack/system.js';
import { cdTableFor, leave, prepare, publish, writeCd } from './attach.steps.js';
import { cdRef } from './cd-tables.steps.js';
import { clearEntries } from './gather.steps.js';
import { releaseTables } from './invalidate.steps.js';
import { emptyEntry, endedCd } from './structures.js';
import { newGather, type AttachState, type Context, type DeviceState, type DomainState, type SmmuState, type Substream } from './types.js';

/** Substream `ssid` uses `domain` from now on, in place of what it used before. */
export function* attachSubstream(ctx: Context, device: number, ssid: number, domain: number): Steps<Result | SystemError> {
  const a = prepare(ctx, { device, ssid, next: { domain, vsmmu: -1 }, substreams: true, withoutAts: false });
  if (typeof a === 'string') return a;
  const { dev } = a;
  yield 'publish the new array';
  publish(ctx, a);
  yield* writeCd(ctx, a);
  yield* pointToCds(ctx, a);
  dev.substreams = [...dev.substreams.filter((s: Substream) => s.ssid !== ssid), { ssid, domain }].sort((x, y) => x.ssid - y.ssid);
  yield* ctx.parts.system.atsAfter(ctx, a);
  yield* leave(ctx, a);
  return 'ok';
}

/** The STE points to the CDs, with ATS as it will be; traffic without a substream goes on as before. Where it says so already nothing is written. */
function* pointToCds(ctx: Context, a: AttachState): Steps<void> {
  const { dev } = a;
  const dss = typeof dev.target === 'number' ? S1DSS_SSID0 : dev.target === 'identity' ? S1DSS_BYPASS : S1DSS_TERMINATE;
  const ste = cdTableFor(dev, dss, a.ats);
  const { streamSlot } = ctx.state.smmus[dev.smmu] as SmmuState;
  for (const sid of dev.streams) {
    yield* ctx.parts.writeEntry(ctx, 'ste', dev.smmu, streamSlot * 512 + sid * 8, ste, [sid]);
  }
}

/** Substream `ssid` uses nothing from now on. */
export function* detachSubstream(ctx: Context, device: number, ssid: number): Steps<void> {
  const a = prepare(ctx, { device, ssid, next: null, substreams: true, withoutAts: false });
  if (typeof a === 'string') return;
  const { dev } = a;
  yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef(ctx, dev, ssid), emptyEntry(), dev.streams, ssid);
  dev.substreams = dev.substreams.filter((s: Substream) => s.ssid !== ssid);
  yield* ctx.parts.system.atsAfter(ctx, a);
  yield* leave(ctx, a);
  const { target } = dev;
  if (dev.substreams.length > 0 || typeof target === 'number' || target === 'nested') return;
  yield* ctx.parts.attachSequence(ctx, device, target === 'identity' ? 'identity' : 'blocked');
  dev.target = target;
}

/**
 * The process of `domain` has ended. Its contexts are rewritten under the devices' feet so that they walk no more, then everything cached of them goes,
 * and only then the tables: what devices send from now on faults without an event. Attachments stay until they are taken off.
 */
export function* endProcess(ctx: Context, domain: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  own.gone = true;
  for (const dev of ctx.state.devices) {
    if (dev.target === domain) {
      yield* endContext(ctx, dev, domain, 0);
    }
    for (const { ssid, domain: used } of dev.substreams) {
      if (used === domain) {
        yield* endContext(ctx, dev, domain, ssid);
      }
    }
  }
  const d = ctx.description;
  d.first = 0;
  d.last = -1;
  d.leaves = 0;
  d.tables = 0;
  d.all = true;
  yield* ctx.parts.invalidate(ctx, domain, d);
  yield 'take the tables down';
  const gone = newGather('sva');
  clearEntries(ctx, own, own.rootSlot, own.startLevel, 0, 0, 2 ** (own.inputBits - 12), gone);
  ctx.cpu.barrier('before-invs');
  releaseTables(ctx, gone);
}

function* endContext(ctx: Context, dev: DeviceState, domain: number, ssid: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  const tag = ctx.parts.system.findTag(ctx, ctx.cpu.loadLo(own.invsCell), dev.smmu, { domain, vsmmu: -1 });
  if (tag === undefined) throw new Error(`domain ${domain} is in use on SMMU ${dev.smmu} and has no tag there`);
  yield* ctx.parts.writeEntry(ctx, 'cd', dev.smmu, cdRef(ctx, dev, ssid), endedCd(tag.id, own.outputBits), dev.streams, ssid);
}
