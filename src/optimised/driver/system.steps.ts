/**
 * System: one operation of a world that has more than stage 1 for whole devices. Operations that every world has go to perform.steps.ts.
 *
 * Refusals come before anything changed, and the first in this order is the answer:
 * attach: unknown-device, unknown-domain, already-attached, mm-gone, incompatible, busy, no-tags, no-memory.
 * attach-pasid: unknown-device, unknown-domain, no-substreams, substream-out-of-range, already-attached, mm-gone, incompatible (a stage-2 domain; a
 * device that as a whole is on stage 2; tables that its SMMU cannot walk), no-tags, no-memory.
 * detach-pasid: unknown-device, no-substreams, substream-out-of-range, not-attached.
 * mm-exit: unknown-domain, no-mm, mm-gone. map and unmap of an address space that is gone: mm-gone, after unknown-domain.
 * vsmmu-open: unknown-vsmmu, vsmmu-open, not-a-parent, incompatible, no-tags. vsmmu-close: unknown-vsmmu, vsmmu-closed, vsmmu-in-use.
 * attach-nested: unknown-device, unknown-vsmmu, vsmmu-closed, incompatible (a device behind another SMMU), ste-rejected, busy, no-memory. It may be
 * repeated: the guest has changed its STE.
 * guest-commands: unknown-vsmmu, vsmmu-closed, command-rejected.
 */
import type { Result } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError, SystemOperation, SystemResult } from '../../stack/system.js';
import { closeVsmmu, guestCommands, mayOpen, openVsmmu } from './nested.steps.js';
import { perform } from './perform.steps.js';
import { stage2SteFor } from './attach.steps.js';
import type { Context, DeviceState, Substream } from './types.js';

type Code = SystemResult['code'];

/** Runs one operation other than `access`, `transact` and `guest-store`: those are the machine's, and the guest's CPU's. */
export function* performSystem(ctx: Context, op: SystemOperation): Steps<SystemResult> {
  switch (op.op) {
    case 'guest-commands': {
      const bad = checkOpen(ctx, op.vsmmu);
      if (bad !== 'ok') return { code: bad, consumed: 0 };
      const result = yield* guestCommands(ctx, op.vsmmu, op.words);
      return result;
    }
    case 'vsmmu-open': case 'vsmmu-close': {
      const code = yield* openOrClose(ctx, op.vsmmu, op.op === 'vsmmu-open');
      return { code };
    }
    case 'guest-store': case 'transact': return { code: 'ok' };
    case 'attach-pasid': case 'detach-pasid': case 'mm-exit': case 'attach-nested': {
      const code = yield* attachments(ctx, op);
      return { code };
    }
    default: {
      const code = yield* perform(ctx, op);
      return { code };
    }
  }
}

type AttachmentOperation = Extract<SystemOperation, { readonly op: 'attach-pasid' | 'detach-pasid' | 'mm-exit' | 'attach-nested' }>;

function* attachments(ctx: Context, op: AttachmentOperation): Steps<Code> {
  const { system } = ctx.parts;
  switch (op.op) {
    case 'attach-pasid': {
      const bad = checkAttachSubstream(ctx, op.device, op.ssid, op.to);
      if (bad !== 'ok') return bad;
      const attached = yield* system.attachSubstream(ctx, op.device, op.ssid, op.to);
      return attached;
    }
    case 'detach-pasid': {
      const bad = checkDetachSubstream(ctx, op.device, op.ssid);
      if (bad !== 'ok') return bad;
      yield* system.detachSubstream(ctx, op.device, op.ssid);
      return 'ok';
    }
    case 'mm-exit': {
      const own = ctx.state.domains[op.domain];
      if (own === undefined) return 'unknown-domain';
      if (own.gather.style !== 'sva') return 'no-mm';
      if (own.gone) return 'mm-gone';
      yield* system.endProcess(ctx, op.domain);
      return 'ok';
    }
    case 'attach-nested': {
      const ste = new Uint32Array(16);
      ste.set(op.ste);
      const bad = checkAttachNested(ctx, op.device, op.vsmmu, ste);
      if (bad !== 'ok') return bad;
      const attached = yield* system.attachNested(ctx, op.device, op.vsmmu, ste);
      return attached;
    }
  }
}

function* openOrClose(ctx: Context, vsmmu: number, open: boolean): Steps<Code> {
  const v = ctx.state.vsmmus[vsmmu];
  if (v === undefined) return 'unknown-vsmmu';
  if (open) {
    if (v.vmid !== 0) return 'vsmmu-open';
    if (ctx.state.domains[v.parent]?.parent !== true) return 'not-a-parent';
    return mayOpen(ctx, v) ? openVsmmu(ctx, v) : 'incompatible';
  }
  if (v.vmid === 0) return 'vsmmu-closed';
  if (ctx.state.devices.some((dev) => dev.target === 'nested' && dev.vsmmu === vsmmu)) return 'vsmmu-in-use';
  yield* closeVsmmu(ctx, v);
  return 'ok';
}

function checkOpen(ctx: Context, vsmmu: number): Result | SystemError {
  const v = ctx.state.vsmmus[vsmmu];
  if (v === undefined) return 'unknown-vsmmu';
  return v.vmid === 0 ? 'vsmmu-closed' : 'ok';
}

function checkSubstream(dev: DeviceState | undefined, ssid: number): Result | SystemError {
  if (dev === undefined) return 'unknown-device';
  if (dev.ssidBits === 0) return 'no-substreams';
  return ssid >= 1 && ssid < 2 ** dev.ssidBits ? 'ok' : 'substream-out-of-range';
}

function checkAttachSubstream(ctx: Context, device: number, ssid: number, to: number): Result | SystemError {
  const dev = ctx.state.devices[device];
  const own = ctx.state.domains[to];
  if (dev === undefined) return 'unknown-device';
  if (own === undefined) return 'unknown-domain';
  const bad = checkSubstream(dev, ssid);
  if (bad !== 'ok') return bad;
  if (dev.substreams.some((s: Substream) => s.ssid === ssid && s.domain === to)) return 'already-attached';
  if (own.gone) return 'mm-gone';
  return usesStage2(ctx, dev) || !ctx.parts.canShare(ctx, dev, to, 'substream') ? 'incompatible' : 'ok';
}

/** Is the device as a whole on stage 2, alone or below a guest's stage 1? Its STE points to no CDs of ours then. */
function usesStage2(ctx: Context, dev: DeviceState): boolean {
  return dev.target === 'nested' || (typeof dev.target === 'number' && ctx.state.domains[dev.target]?.stage === 2);
}

function checkDetachSubstream(ctx: Context, device: number, ssid: number): Result | SystemError {
  const dev = ctx.state.devices[device];
  const bad = checkSubstream(dev, ssid);
  if (bad !== 'ok' || dev === undefined) return bad;
  return dev.substreams.some((s: Substream) => s.ssid === ssid) ? 'ok' : 'not-attached';
}

function checkAttachNested(ctx: Context, device: number, vsmmu: number, ste: Uint32Array): Result | SystemError {
  const dev = ctx.state.devices[device];
  if (dev === undefined) return 'unknown-device';
  const bad = checkOpen(ctx, vsmmu);
  const v = ctx.state.vsmmus[vsmmu];
  if (bad !== 'ok' || v === undefined) return bad;
  if (v.smmu !== dev.smmu) return 'incompatible';
  if (ctx.parts.system.physicalSte(ste, stage2SteFor(ctx, v.parent, v.vmid, false), false) === null) return 'ste-rejected';
  return dev.substreams.length > 0 ? 'busy' : 'ok';
}
