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
import type { Steps } from '../../stack/steps.js';
import type { SystemOperation, SystemResult } from '../../stack/system.js';
import { perform } from './perform.steps.js';
import type { Context } from './types.js';

/** Runs one operation other than `access`, `transact` and `guest-store`: those are the machine's, and the guest's CPU's. */
export function* performSystem(ctx: Context, op: SystemOperation): Steps<SystemResult> {
  switch (op.op) {
    case 'attach-pasid': case 'detach-pasid': case 'mm-exit': case 'vsmmu-open': case 'vsmmu-close': case 'attach-nested': case 'guest-commands':
    case 'guest-store': case 'transact':
      return { code: 'ok' };
    default: {
      const code = yield* perform(ctx, op);
      return { code };
    }
  }
}
