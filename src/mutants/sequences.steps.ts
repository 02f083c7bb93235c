/**
 * Sequences: the right actions of the driver in a wrong order. Mutants only.
 */
import { storeWords, syncEntry } from '../optimised/driver/entry.steps.js';
import { install, leave, prepare, publish } from '../optimised/driver/attach.steps.js';
import { releaseTables } from '../optimised/driver/invalidate.steps.js';
import type { Context, DeviceState, DomainState } from '../optimised/driver/types.js';
import type { Result, Target } from '../stack/operation.js';
import type { Steps } from '../stack/steps.js';

/** Attach with the new array published last. */
export function* publishAfterSte(ctx: Context, device: number, target: Target): Steps<Result> {
  const dev = ctx.state.devices[device] as DeviceState;
  const prepared = typeof target === 'number' ? prepare(ctx, dev, target) : undefined;
  if (typeof prepared === 'string') return prepared;
  yield* install(ctx, dev, target, prepared?.tag);
  if (prepared !== undefined) {
    yield 'publish the new array';
    publish(ctx, ctx.state.domains[target as number] as DomainState, prepared.array);
  }
  const old = dev.target;
  dev.target = target;
  yield* leave(ctx, dev, old);
  return 'ok';
}

/** The gather's tables are freed first and invalidated then. */
export function* freeBeforeSync(ctx: Context, domain: number): Steps<void> {
  const gather = (ctx.state.domains[domain] as DomainState).gather;
  if (!gather.pending) return;
  ctx.parts.describe(gather, ctx.description);
  ctx.cpu.drainAll();
  yield 'free the tables';
  releaseTables(ctx, gather);
  yield* ctx.parts.invalidate(ctx, domain, ctx.description);
}

/** All words of a live entry in one go, V = 1 throughout, and one sync. */
export function* writeLive(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[]): Steps<void> {
  ctx.cpu.barrier('entry-target-visible');
  yield 'write the whole entry';
  if (storeWords(ctx, ref, target, 0, 8)) {
    yield* syncEntry(ctx, kind, smmu, streams);
  }
}
