/**
 * Invalidate: telling every SMMU in a domain's array what was damaged (kernel: arm_smmu_domain_inv_range and
 * __arm_smmu_domain_inv_range, v7.1 with seed 0 on top). The full barrier before the array is read pairs with the
 * attach side, which publishes the array before the STE: either this reader sees the new SMMU, or that SMMU's walks
 * see the new descriptors. Payloads are computed once per invalidation; tag and opcode differ.
 */
import { OP } from '../../spec/command.js';
import type { Description } from '../../stack/description.js';
import { WHOLE_TAG } from '../../stack/planner.js';
import type { Steps } from '../../stack/steps.js';
import { arrayKinds, arrayLength, entryId, entrySmmu, entryUsers } from './invs.js';
import type { Context, DomainState, Gather, Payloads, SmmuState } from './types.js';

/** Invalidates what `d` describes on every SMMU of the domain's array; returns when every SYNC is complete. */
export function* invalidate(ctx: Context, domain: number, d: Description): Steps<void> {
  const state = ctx.state;
  const own = state.domains[domain] as DomainState;
  yield 'full barrier before the array';
  ctx.cpu.barrier('before-invs');
  yield 'read the array pointer';
  state.rcu.enter();
  const array = ctx.cpu.loadLo(own.invsCell);
  if (array !== 0) {
    state.pages.touch(array, 'the invalidation array of a domain');
    planFor(ctx, arrayKinds(ctx, array), d);
    const n = arrayLength(ctx, array);
    for (let i = 0; i < n; i += 1) {
      yield 'read an array entry';
      if (entryUsers(ctx, array, i) === 0) continue; // trash
      fillBatch(ctx, entrySmmu(ctx, array, i), entryId(ctx, array, i), d);
      yield* ctx.parts.submit(ctx, ctx.batch);
    }
  }
  state.rcu.exit();
}

/** Payloads for each kind of SMMU that the array may have: one plan does for all SMMUs of a kind. */
function planFor(ctx: Context, kinds: number, d: Description): void {
  for (let kind = 0; kind < ctx.payloads.length; kind += 1) {
    const p = ctx.payloads[kind] as Payloads;
    if ((kinds & (1 << kind)) !== 0) p.count = ctx.parts.planner.plan(d, p.features, p.words);
  }
}

/** The commands of one array entry: planned payloads with opcode and tag, or the whole tag. */
function fillBatch(ctx: Context, smmu: number, asid: number, d: Description): void {
  const { words, count } = ctx.payloads[(ctx.state.smmus[smmu] as SmmuState).kind] as Payloads;
  ctx.observer?.planned(smmu, d, words, count);
  const batch = ctx.batch;
  batch.smmu = smmu;
  batch.purpose = 'invalidate';
  batch.sync = true;
  if (count === WHOLE_TAG) {
    batch.words[0] = OP.TLBI_NH_ASID;
    batch.words[1] = asid << 16;
    batch.words[2] = 0;
    batch.words[3] = 0;
    batch.count = 1;
    return;
  }
  for (let i = 0; i < count; i += 1) {
    const at = i * 4;
    batch.words[at] = (words[at] as number) | OP.TLBI_NH_VA;
    batch.words[at + 1] = asid << 16;
    batch.words[at + 2] = words[at + 2] as number;
    batch.words[at + 3] = words[at + 3] as number;
  }
  batch.count = count;
}

/** The domain's pending gather is flushed; an empty one costs nothing. */
export function* syncGather(ctx: Context, domain: number): Steps<void> {
  const gather = (ctx.state.domains[domain] as DomainState).gather;
  if (!gather.pending) return;
  yield* ctx.parts.flushGather(ctx, domain, gather);
}

/** What the gather holds is invalidated; then, and only then, its tables are freed. */
export function* flushGather(ctx: Context, domain: number, gather: Gather): Steps<void> {
  ctx.parts.describe(gather, ctx.description);
  yield* ctx.parts.invalidate(ctx, domain, ctx.description);
  yield 'free the tables';
  releaseTables(ctx, gather);
}

/** Frees what the gather holds and makes it empty. */
export function releaseTables(ctx: Context, gather: Gather): void {
  for (const slot of gather.freed) ctx.state.pages.release(slot);
  gather.freed.length = 0;
  gather.pending = false;
  gather.first = 0;
  gather.last = -1;
  gather.leaves = 0;
  gather.tables = 0;
}

/** Everything of the domain, then the tables that waited (lazy domains: the flush queue runs). */
export function* flushAll(ctx: Context, domain: number): Steps<void> {
  const own = ctx.state.domains[domain] as DomainState;
  const d = ctx.description;
  d.first = 0;
  d.last = -1;
  d.leaves = 0;
  d.tables = 0;
  d.all = true;
  yield* ctx.parts.invalidate(ctx, domain, d);
  yield 'free the tables';
  for (const slot of own.queuedTables) ctx.state.pages.release(slot);
  own.queuedTables.length = 0;
  own.ranges.flushed();
}

/** A tag that nobody uses any more: all of it goes before the id can be handed out again (invariant I-TAG). */
export function* releaseTag(ctx: Context, smmu: number, asid: number): Steps<void> {
  const batch = ctx.batch;
  batch.smmu = smmu;
  batch.purpose = 'tag-flush';
  batch.sync = true;
  batch.words[0] = OP.TLBI_NH_ASID;
  batch.words[1] = asid << 16;
  batch.words[2] = 0;
  batch.words[3] = 0;
  batch.count = 1;
  yield* ctx.parts.submit(ctx, batch);
}

/** What the gather says, bit for bit: the union of everything in it. */
export function describeGather(gather: Gather, d: Description): void {
  d.first = gather.first;
  d.last = gather.last;
  d.leaves = gather.leaves;
  d.tables = gather.tables;
  d.all = false;
}
