/**
 * Perform: one operation of the interface. Every refusal is a typed error and comes before anything changed.
 */
import { POW2 } from '../../spec/bits.js';
import { LIST_OF_PARTS } from './parts.steps.js';
import type { Operation, Result, Target } from '../../stack/operation.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError } from '../../stack/system.js';
import { flushAll, syncGather } from './invalidate.steps.js';
import { anyMapped } from './table-reads.js';
import { mapRange, unmapRange } from './tables.steps.js';
import type { Context, DomainState } from './types.js';

/** The parts that this form of the driver (steps or plain) brings along. */
export const OWN_PARTS = LIST_OF_PARTS;

/** Runs one operation other than `access` (that is the machine's). Worlds of stage 1 for whole devices know no SystemError. */
export function* perform(ctx: Context, op: Operation): Steps<Result | SystemError> {
  switch (op.op) {
    case 'map': {
      const bad = checkAlive(ctx, op.domain);
      if (bad !== 'ok') return bad;
      const mapped = yield* mapRange(ctx, op.domain, op.iova, op.pa, op.size, op.prot === 'rw');
      return mapped;
    }
    case 'unmap': {
      const bad = checkAlive(ctx, op.domain);
      if (bad !== 'ok') return bad;
      const unmapped = yield* unmapRange(ctx, op.domain, op.iova, op.size);
      return unmapped;
    }
    case 'sync': {
      if (ctx.state.domains[op.domain] === undefined) return 'unknown-domain';
      yield* syncGather(ctx, op.domain);
      return 'ok';
    }
    case 'attach': {
      const bad = checkAttach(ctx, op.device, op.to);
      if (bad !== 'ok') return bad;
      const attached = yield* ctx.parts.attachSequence(ctx, op.device, op.to);
      return attached;
    }
    case 'detach': {
      const dev = ctx.state.devices[op.device];
      if (dev === undefined) return 'unknown-device';
      if (dev.target === 'none') return 'not-attached';
      yield* ctx.parts.attachSequence(ctx, op.device, 'blocked');
      dev.target = 'none';
      return 'ok';
    }
    case 'iova-alloc': return allocateIova(ctx, op.domain, op.iova, op.size);
    case 'iova-free': {
      const freed = yield* freeIova(ctx, op.domain, op.iova, op.size);
      return freed;
    }
    case 'flush-all': {
      const own = ctx.state.domains[op.domain];
      if (own === undefined) return 'unknown-domain';
      if (!own.lazy) return 'not-lazy';
      yield* flushAll(ctx, op.domain);
      return 'ok';
    }
    default: return happen(ctx, op);
  }
}

/** An act of the environment. */
function happen(ctx: Context, op: Operation): Result {
  if (op.op === 'fail-next-allocation') ctx.state.pages.failNext();
  if (op.op === 'evict') ctx.state.pages.evict(op.line);
  return 'ok';
}

/** Is there such a domain, and its process, if it is one's, still alive? */
export function checkAlive(ctx: Context, domain: number): Result | SystemError {
  const own = ctx.state.domains[domain];
  if (own === undefined) return 'unknown-domain';
  return own.gone ? 'mm-gone' : 'ok';
}

function checkAttach(ctx: Context, device: number, to: Target): Result | SystemError {
  const dev = ctx.state.devices[device];
  if (dev === undefined) return 'unknown-device';
  const own = typeof to === 'number' ? ctx.state.domains[to] : null;
  if (own === undefined) return 'unknown-domain';
  if (dev.target === to) return 'already-attached';
  if (own === null || typeof to !== 'number') return 'ok';
  if (own.gone) return 'mm-gone';
  if (!ctx.parts.canShare(ctx, dev, to)) return 'incompatible';
  return own.stage === 2 && dev.substreams.length > 0 ? 'busy' : 'ok';
}

function checkIova(own: DomainState | undefined, iova: number, size: number): Result {
  if (own === undefined) return 'unknown-domain';
  if (!own.managed) return 'not-managed';
  if (iova % 4096 !== 0 || size % 4096 !== 0 || size === 0) return 'unaligned';
  return iova + size > (POW2[own.inputBits] as number) ? 'out-of-range' : 'ok';
}

function allocateIova(ctx: Context, domain: number, iova: number, size: number): Result {
  const own = ctx.state.domains[domain];
  const bad = checkIova(own, iova, size);
  if (bad !== 'ok' || own === undefined) return bad;
  if (own.ranges.busy(iova / 4096, (iova + size) / 4096)) return 'iova-busy';
  own.ranges.take(iova / 4096, (iova + size) / 4096);
  return 'ok';
}

/** Strict: free at once; lazy: it waits for the next flush of everything, which runs by itself when enough waits. */
function* freeIova(ctx: Context, domain: number, iova: number, size: number): Steps<Result> {
  const own = ctx.state.domains[domain];
  const bad = checkFree(ctx, own, iova, size);
  if (bad !== 'ok' || own === undefined) return bad;
  if (!own.lazy) {
    own.ranges.release(iova / 4096);
    return 'ok';
  }
  if (ctx.parts.queueIova(own, iova / 4096, (iova + size) / 4096) >= ctx.state.world.flushQueue) {
    yield* flushAll(ctx, domain);
  }
  return 'ok';
}

function checkFree(ctx: Context, own: DomainState | undefined, iova: number, size: number): Result {
  const bad = checkIova(own, iova, size);
  if (bad !== 'ok' || own === undefined) return bad;
  if (!own.ranges.is(iova / 4096, (iova + size) / 4096)) return 'iova-not-allocated';
  return anyMapped(ctx, own, iova / 4096, (iova + size) / 4096) ? 'iova-in-use' : 'ok';
}
