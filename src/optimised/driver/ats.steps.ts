/**
 * Ats: ATS of a device around the change of its STE or CD (driver's attach transaction). PCI ATS is switched off before the STE says so, and on
 * after it: an endpoint that asks while the STE does not let it is refused with an event. What its ATC may hold of the old domain goes between the two.
 */
import { OP } from '../../spec/command.js';
import type { Steps } from '../../stack/steps.js';
import { ATC_ALL } from './planners/atc.js';
import type { AttachRequest, AttachState, Context, DeviceState } from './types.js';

/** On wherever the device can and something translates; bypass and abort STEs refuse ATS. Substreams need it whatever the device as a whole does. */
export function wantAts(ctx: Context, r: AttachRequest): boolean {
  const dev = ctx.state.devices[r.device] as DeviceState;
  return dev.ats && (r.substreams || (r.next !== null && !r.withoutAts));
}

export function* atsBefore(ctx: Context, a: AttachState): Steps<void> {
  if (!a.dev.atsOn || a.ats) return;
  yield 'switch ATS off at the endpoint';
  ctx.state.setAts(a.device, false);
}

/** on to on: what was of the old domain, or of this substream. Off to on: nothing is known of what the ATC holds. On to off: it may still have answers on their way. */
export function* atsAfter(ctx: Context, a: AttachState): Steps<void> {
  const before = a.dev.atsOn;
  if (!before && !a.ats) return;
  a.dev.atsOn = a.ats;
  yield* flushAtc(ctx, a.dev, before && a.ats ? a.ssid : 0);
  if (before) return;
  yield 'switch ATS on at the endpoint';
  ctx.state.setAts(a.device, true);
}

/** Everything in the device's ATCs; of one substream if it is not 0. */
export function* flushAtc(ctx: Context, dev: DeviceState, ssid: number): Steps<void> {
  const batch = ctx.batch;
  batch.smmu = dev.smmu;
  batch.purpose = 'atc';
  batch.sync = true;
  batch.count = 0;
  for (const sid of dev.streams) putAtcInv(ctx, sid, ssid, ATC_ALL);
  yield* ctx.parts.submit(ctx, batch);
}

/** Appends one ATC_INV to the batch. Without a substream it is for everything in the span, whatever the substream. */
export function putAtcInv(ctx: Context, sid: number, ssid: number, range: { readonly frame: number; readonly size: number }): void {
  const { words } = ctx.batch;
  const at = ctx.batch.count * 4;
  words[at] = (OP.ATC_INV | (ssid === 0 ? 0 : 0x800 | (ssid << 12))) >>> 0;
  words[at + 1] = sid;
  words[at + 2] = (range.size | ((range.frame % 0x100000) * 4096)) >>> 0;
  words[at + 3] = Math.floor(range.frame / 0x100000);
  ctx.batch.count += 1;
}
