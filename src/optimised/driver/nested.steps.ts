/**
 * Nested: vSMMUs over a shared stage-2 parent, each with a VMID of its own, and what their guests ask for (iommufd; tag series). The host keeps no track
 * of a guest's stage 1: invalidating it is the guest's business, through commands that are rewritten so that they reach nothing but its own.
 */
import type { Result } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError, SystemResult } from '../../stack/system.js';
import { giveBack, leave, prepare, publish, stage2SteFor } from './attach.steps.js';
import { guestWantsAts } from './guest.js';
import { mayAttach } from './sharing.js';
import { abortSte } from './structures.js';
import { allocate } from './tags.js';
import type { Context, DomainState, SmmuState, VsmmuState } from './types.js';

/** Commands of one batch: with the SYNC it must be a list that the queue takes whole. */
export const GUEST_BATCH = 63;
/** Physical commands that one guest command can become. */
const EXPANDED_MAX = 64;

/** May vSMMUs of this SMMU stand on that parent? */
export function mayOpen(ctx: Context, v: VsmmuState): boolean {
  return mayAttach(ctx.state.domains[v.parent] as DomainState, (ctx.state.smmus[v.smmu] as SmmuState).features, { use: 'guest', canWriteBack: false }) === null;
}

/** The VMID is the vSMMU's, from now until it is closed. */
export function openVsmmu(ctx: Context, v: VsmmuState): Result {
  const tag = allocate(ctx, v.smmu, 'vsmmu-tag');
  if (tag === undefined) return 'no-tags';
  v.vmid = tag.id;
  return 'ok';
}

/** Both stages under the VMID are flushed; only then it can be somebody else's. */
export function* closeVsmmu(ctx: Context, v: VsmmuState): Steps<void> {
  const tag = { smmu: v.smmu, type: 'vsmmu-tag', id: v.vmid, fresh: false } as const;
  yield* ctx.parts.releaseTag(ctx, tag);
  v.vmid = 0;
  giveBack(ctx, tag);
}

/** The device gets what the guest's STE (16 uint32) asks for, over the vSMMU's parent. The STE was accepted. */
export function* attachNested(ctx: Context, device: number, vsmmu: number, ste: Uint32Array): Steps<Result | SystemError> {
  const v = ctx.state.vsmmus[vsmmu] as VsmmuState;
  const a = prepare(ctx, { device, ssid: 0, next: { domain: v.parent, vsmmu }, substreams: false, withoutAts: !guestWantsAts(ste) });
  if (typeof a === 'string') return a;
  const physical = ctx.parts.system.physicalSte(ste, stage2SteFor(ctx, v.parent, v.vmid, false), a.ats) ?? abortSte();
  yield 'publish the new array';
  publish(ctx, a);
  yield* ctx.parts.system.atsBefore(ctx, a);
  yield* ctx.parts.system.install(ctx, a, physical);
  a.dev.target = 'nested';
  a.dev.vsmmu = vsmmu;
  yield* ctx.parts.system.atsAfter(ctx, a);
  yield* leave(ctx, a);
  return 'ok';
}

/** Issues the guest's commands up to the first that is refused; those before it are done when the call returns, also then. */
export function* guestCommands(ctx: Context, vsmmu: number, words: readonly number[]): Steps<SystemResult> {
  const { batch } = ctx;
  const own = new Uint32Array(EXPANDED_MAX * 4);
  batch.smmu = (ctx.state.vsmmus[vsmmu] as VsmmuState).smmu;
  batch.purpose = 'guest';
  batch.sync = true;
  batch.count = 0;
  let consumed = 0;
  for (let at = 0; at + 4 <= words.length; at += 4) {
    const n = ctx.parts.system.guestCommand(ctx, vsmmu, words, at, own);
    if (n < 0) break;
    if (batch.count + n > GUEST_BATCH) {
      yield* ctx.parts.submit(ctx, batch);
      batch.sync = true;
      batch.count = 0;
    }
    batch.words.set(own.subarray(0, n * 4), batch.count * 4);
    batch.count += n;
    consumed += 1;
  }
  if (batch.count > 0) {
    yield* ctx.parts.submit(ctx, batch);
  }
  return { code: consumed * 4 === words.length ? 'ok' : 'command-rejected', consumed };
}
