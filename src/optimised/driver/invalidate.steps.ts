/**
 * Invalidate: telling every SMMU in a domain's array what was damaged (kernel: arm_smmu_domain_inv_range and
 * __arm_smmu_domain_inv_range, v7.1 with seed 0 on top). The full barrier before the array is read pairs with the
 * attach side, which publishes the array before the STE: either this reader sees the new SMMU, or that SMMU's walks
 * see the new descriptors. Payloads are computed once per invalidation; tag and opcode differ.
 *
 * Entries of one SMMU share a batch where order does not matter. A SYNC stands before the stage 1 that hangs on a changed stage 2 (else its combined
 * entries could be made again from what stage 2 still has cached) and before ATCs (else an endpoint could be answered from what the TLB still has).
 */
import { OP } from '../../spec/command.js';
import type { Description } from '../../stack/description.js';
import { WHOLE_TAG } from '../../stack/planner.js';
import type { Steps } from '../../stack/steps.js';
import { isAts, type InvKey, type InvType } from '../../stack/invalidation-array.js';
import { putAtcInv } from './ats.steps.js';
import { arrayKinds, arrayLength, entryUsers, readEntry } from './invs.js';
import { ATC_ALL, atcRange } from './planners/atc.js';
import type { Context, DomainState, EntryRead, Gather, Payloads, SmmuState, Tag } from './types.js';

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
    yield* tellEntries(ctx, array, d);
  }
  state.rcu.exit();
}

/** Every live entry of the array, in its order; a batch ends with a SYNC where what comes next needs one before it. */
function* tellEntries(ctx: Context, array: number, d: Description): Steps<void> {
  const { batch, entry, nextEntry } = ctx;
  const n = arrayLength(ctx, array);
  let open = false;
  for (let i = 0; i < n; i += 1) {
    yield 'read an array entry';
    if (entryUsers(ctx, array, i) === 0) continue; // trash
    readEntry(ctx, array, i, nextEntry);
    if (open && ends(ctx, entry, nextEntry)) {
      yield* endBatch(ctx);
      open = false;
    }
    copyEntry(nextEntry, entry);
    if (open && (batch.count + roomFor(ctx, entry)) * 4 > batch.words.length) {
      batch.sync = false; // as the kernel does with a full batch: its SYNC comes with the rest
      yield* ctx.parts.submit(ctx, batch);
      beginBatch(ctx, entry.smmu);
    }
    if (!open) beginBatch(ctx, entry.smmu);
    ctx.parts.system.fillEntry(ctx, entry, d);
    open = open || batch.count > 0 || entry.type === 's1-tag';
    if (!open) continue;
    if (i + 1 < n) {
      readEntry(ctx, array, i + 1, nextEntry);
      if (!ends(ctx, entry, nextEntry)) continue;
    }
    yield* endBatch(ctx);
    open = false;
  }
  if (open) {
    yield* endBatch(ctx);
  }
}

function copyEntry(from: EntryRead, to: EntryRead): void {
  to.smmu = from.smmu;
  to.type = from.type;
  to.id = from.id;
  to.ssid = from.ssid;
}

function ends(ctx: Context, entry: InvKey, next: InvKey): boolean {
  return entry.smmu !== next.smmu || ctx.parts.system.splits(entry, next);
}

/** Stage 1 behind a changed stage 2, and ATCs: only after what they could be filled from again has gone. */
export function splits(entry: InvKey, next: InvKey): boolean {
  return (next.type === 's1-clear' && entry.type !== 's1-clear') || (isAts(next.type) && !isAts(entry.type));
}

function beginBatch(ctx: Context, smmu: number): void {
  const { batch } = ctx;
  batch.smmu = smmu;
  batch.purpose = 'invalidate';
  batch.sync = true;
  batch.count = 0;
}

function* endBatch(ctx: Context): Steps<void> {
  ctx.batch.sync = true;
  yield* ctx.parts.submit(ctx, ctx.batch);
}

/** Commands that an entry may need. */
function roomFor(ctx: Context, entry: InvKey): number {
  return isTag(entry) ? Math.max(1, payloadsFor(ctx, entry.smmu).count) : 1;
}

function isTag(entry: InvKey): boolean {
  return entry.type === 's1-tag' || entry.type === 's2-tag' || entry.type === 'vsmmu-tag';
}

function payloadsFor(ctx: Context, smmu: number): Payloads {
  return ctx.payloads[(ctx.state.smmus[smmu] as SmmuState).kind] as Payloads;
}

/** Payloads for each kind of SMMU that the array may have: one plan does for all SMMUs of a kind. */
function planFor(ctx: Context, kinds: number, d: Description): void {
  for (let kind = 0; kind < ctx.payloads.length; kind += 1) {
    const p = ctx.payloads[kind] as Payloads;
    if ((kinds & (1 << kind)) !== 0) p.count = ctx.parts.planner.plan(d, p.features, p.words);
  }
}

/** Appends the commands of one array entry: planned payloads with opcode and tag, or the whole tag; stage 1 behind it unless it went with the whole tag; ATCs. */
export function fillEntry(ctx: Context, entry: InvKey, d: Description): void {
  switch (entry.type) {
    case 's1-tag': fillTag(ctx, entry, d, OP.TLBI_NH_VA); return;
    case 's2-tag': case 'vsmmu-tag': fillTag(ctx, entry, d, OP.TLBI_S2_IPA); return;
    case 's1-clear':
      if (payloadsFor(ctx, entry.smmu).count !== WHOLE_TAG) put(ctx, OP.TLBI_NH_ALL, entry.id);
      return;
    case 'ats': putAtcInv(ctx, entry.id, entry.ssid, d.all ? ATC_ALL : atcRange(d.first, d.last)); return;
    case 'ats-full': putAtcInv(ctx, entry.id, entry.ssid, ATC_ALL); return;
  }
}

/** Stage 1 alone is VMID 0. */
function fillTag(ctx: Context, entry: InvKey, d: Description, op: number): void {
  const { words, count } = payloadsFor(ctx, entry.smmu);
  ctx.observer?.planned(entry.smmu, d, words, count);
  if (count === WHOLE_TAG) {
    putWholeTag(ctx, entry.type, entry.id);
    return;
  }
  const tag = op === OP.TLBI_NH_VA ? entry.id << 16 : entry.id;
  const { batch } = ctx;
  const first = batch.count * 4;
  for (let i = 0; i < count; i += 1) {
    const from = i * 4;
    const at = first + from;
    batch.words[at] = (words[from] as number) | op;
    batch.words[at + 1] = tag;
    batch.words[at + 2] = words[from + 2] as number;
    batch.words[at + 3] = words[from + 3] as number;
  }
  batch.count += count;
}

/** A stage-2 tag goes with every stage 1 that was combined with it. */
function putWholeTag(ctx: Context, type: InvType, id: number): void {
  if (type === 's1-tag') put(ctx, OP.TLBI_NH_ASID, id << 16);
  else put(ctx, OP.TLBI_S12_VMALL, id);
}

/** Appends a command of two words, the others 0. */
function put(ctx: Context, word0: number, word1: number): void {
  const { batch } = ctx;
  const at = batch.count * 4;
  batch.words[at] = word0;
  batch.words[at + 1] = word1;
  batch.words[at + 2] = 0;
  batch.words[at + 3] = 0;
  batch.count += 1;
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
export function* releaseTag(ctx: Context, tag: Tag): Steps<void> {
  beginBatch(ctx, tag.smmu);
  ctx.batch.purpose = 'tag-flush';
  putWholeTag(ctx, tag.type, tag.id);
  yield* ctx.parts.submit(ctx, ctx.batch);
}

/** What the gather says, bit for bit: the union of everything in it. */
export function describeGather(gather: Gather, d: Description): void {
  d.first = gather.first;
  d.last = gather.last;
  d.leaves = gather.leaves;
  d.tables = gather.tables;
  d.all = false;
}
