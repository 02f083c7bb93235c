/**
 * What an adversary can derive of translations (IHI 0070 §3.3.2, §3.21.1, §16.2; VMSAv8-64): the descriptors in a table that it may read, leaves of both
 * stages put together, table pointers put together with the stage-2 leaf of their target, and what an endpoint may be answered (§3.9.1).
 */
import { contiguousEntries, levelFrames, stride } from '../../src/spec/granule.js';
import { descriptorKind, HI_CONTIGUOUS, INVALID, LEAF, leafAddress, TABLE, tableAddress } from '../../src/spec/descriptor.js';
import { getField } from '../../src/spec/bits.js';
import { STE, steCdMax } from '../../src/spec/ste.js';
import type { CachedAnswer, CachedTranslation } from './adversary.js';
import { nameOfAnswer } from './adversary.js';
import { stage2Leaves, type Configuration, type Reach } from './adversary-config.js';

const AF = 1 << 10;
const NG = 1 << 11;

type Walk = Pick<CachedTranslation, 'world' | 'vmid' | 'asid' | 'stage' | 'nested' | 'context'>;
type Part = NonNullable<CachedTranslation['part']>;

/** The words of entries [first, first + count) of a table at `level` whose entry 0 is for `va`. */
function* read(r: Reach, w: Walk, part: Part, [level, va]: readonly [number, number]): Generator<CachedTranslation> {
  const frames = Math.ceil((part.offset + part.count) / 512);
  for (let i = 0; i < frames; i += 1) {
    const slot = r.memory.slotOf(part.page + i);
    if (slot < 0) continue;
    for (const word of r.used.get(part.page + i) ?? []) {
      const n = i * 512 + word - part.offset;
      if (n < 0 || n >= part.count) continue;
      const ref = slot * 512 + word;
      yield* descriptor(w, [r.memory.lo[ref] as number, r.memory.hi[ref] as number], level, va + (part.first + n) * levelFrames(w.context.tg, level));
    }
  }
}

/** What one descriptor gives: a table pointer; a leaf, and with the Contiguous bit the run around it. Never anything invalid (§3.21.1). */
function* descriptor(w: Walk, [lo, hi]: readonly [number, number], level: number, va: number): Generator<CachedTranslation> {
  const c = w.context;
  const kind = descriptorKind(lo, level, c.tg, c.ds, c.wide);
  if (kind === INVALID) return;
  const frames = levelFrames(c.tg, level);
  const limit = 2 ** (c.outputBits - 12);
  const common = { world: w.world, vmid: w.vmid, asid: w.asid, stage: w.stage === 2 ? 2 : 1, nested: w.nested, context: c, tg: c.tg, level, lo, hi, second: null };
  if (kind === TABLE) {
    const target = tableAddress(lo, hi, c);
    if (target >= limit) return;
    const part = w.nested ? null : { page: target, offset: 0, first: 0, count: 2 ** stride(c.tg) };
    yield { ...common, kind: 'table', va, frames, wholeVa: va, wholeFrames: frames, target, part };
  }
  if (kind !== LEAF || ((lo & AF) === 0 && !c.affd)) return;
  const target = leafAddress(lo, hi, level, c);
  if (target >= limit) return;
  const asid = w.stage !== 2 && (lo & NG) === 0 ? -1 : w.asid;
  const members = (hi & HI_CONTIGUOUS) === 0 ? 1 : contiguousEntries(c.tg, level, c.ds);
  for (const size of members === 1 ? [frames] : [frames, frames * members]) {
    const start = Math.floor(va / size) * size;
    yield { ...common, kind: 'leaf', asid, va: start, frames: size, wholeVa: start, wholeFrames: size, target: Math.floor(target / size) * size, part: null };
  }
}

function baseOf(k: Pick<Configuration, 'half' | 'context'>): number {
  return k.half === 0 ? 0 : 2 ** 52 - 2 ** (k.context.inputBits - 12);
}

/** Below the base of a cached configuration; nested: the base put together with a stage-2 leaf, which leads there. */
export function* rootDescriptors(r: Reach, k: Configuration): Generator<CachedTranslation> {
  const c = k.context;
  if (c.disabled) return;
  if (!k.nested) {
    yield* read(r, k, { page: c.rootFrame, offset: c.rootIndex, first: 0, count: c.rootEntries }, [c.startLevel, baseOf(k)]);
    return;
  }
  const va = baseOf(k);
  const frames = c.rootEntries * levelFrames(c.tg, c.startLevel);
  for (const s2 of stage2Leaves(r, k.vmid)) {
    const part = partThrough([c.rootFrame, c.rootIndex, c.rootEntries], s2);
    if (part === null) continue;
    yield {
      kind: 'table', world: k.world, vmid: k.vmid, asid: k.asid, stage: 3, nested: true, context: c, tg: c.tg, level: c.startLevel - 1, lo: 0, hi: 0, va, frames, wholeVa: va, wholeFrames: frames,
      target: s2.target + c.rootFrame - s2.va, part, second: null,
    };
  }
}

/** The part of a table at IPA [frame, word, entries) that a readable stage-2 leaf maps; null: none of it. */
function partThrough([frame, word, entries]: readonly [number, number, number], s2: CachedTranslation): Part | null {
  if ((s2.lo & 64) === 0) return null;
  const from = Math.max(frame * 512 + word, s2.va * 512);
  const to = Math.min(frame * 512 + word + entries, (s2.va + s2.frames) * 512);
  if (from >= to) return null;
  const page = Math.floor(from / 512);
  return { page: s2.target + page - s2.va, offset: from % 512, first: from - frame * 512 - word, count: to - from };
}

export function* descriptorsBelow(r: Reach, e: CachedTranslation): Generator<CachedTranslation> {
  if (e.part !== null) yield* read(r, e, e.part, [e.level + 1, e.va]);
}

/** A nested table pointer (an IPA) put together with a cached stage-2 leaf: then it holds a PA. */
export function* throughStage2(r: Reach, e: CachedTranslation): Generator<CachedTranslation> {
  if (!e.nested || e.stage !== 1) return;
  for (const s2 of stage2Leaves(r, e.vmid)) {
    const part = partThrough([e.target, 0, 2 ** stride(e.context.tg)], s2);
    if (part !== null) yield { ...e, stage: 3, target: s2.target + e.target - s2.va, part };
  }
}

/** VA to PA: what a stage-1 and a stage-2 leaf have in common. By VA it goes with any address of the stage-1 block. */
export function* combinedLeaves(r: Reach, e: CachedTranslation): Generator<CachedTranslation> {
  if (!e.nested || e.stage !== 1) return;
  for (const s2 of stage2Leaves(r, e.vmid)) {
    const from = Math.max(e.target, s2.va);
    const to = Math.min(e.target + e.frames, s2.va + s2.frames);
    if (from >= to) continue;
    yield { ...e, stage: 3, va: e.va + from - e.target, frames: to - from, target: s2.target + from - s2.va, second: { lo: s2.lo, hi: s2.hi, ipa: from } };
  }
}

/** Unprivileged or privileged, the more of both: reads always go at stage 1, writes with AP[2] = 0; stage 2 by S2AP. No hardware updates here. */
function granted(e: CachedTranslation): { canRead: boolean; canWrite: boolean } {
  const s2 = e.stage === 2 ? e : e.second;
  const one = e.stage === 2 || (e.lo & 128) === 0;
  return { canRead: s2 === null || (s2.lo & 64) !== 0, canWrite: one && (s2 === null || (s2.lo & 128) !== 0) };
}

/** Completions that an endpoint may be given: from a cached translation with the tags of a cached STE (and CD) that allows ATS. */
export function* answersForAtc(r: Reach, known: readonly Configuration[], sid: number): Generator<[string, CachedAnswer]> {
  const f = r.setup.features;
  for (const k of known) {
    const eats = getField(k.ste, STE.EATS);
    if (k.sid !== sid || !f.ats || (eats !== 1 && eats !== 2)) continue;
    const config = getField(k.ste, STE.Config);
    const substreams = (config & 1) !== 0 && steCdMax(k.ste, 0, f) > 0;
    const dss = getField(k.ste, STE.S1DSS);
    if (k.stage === 2 && config === 7 && !(substreams && dss === 1)) continue;
    // Which traffic uses this CD: without a substream CD 0, when substreams are off or S1DSS says so; else its own index.
    const ssids = k.stage === 2 ? [-1] : !substreams ? (k.index === 0 ? [-1] : []) : k.index > 0 ? [k.index] : [dss === 2 ? -1 : 0];
    for (const e of r.translations.values()) {
      if (e.kind !== 'leaf' || e.world !== k.world || e.vmid !== k.vmid || e.stage !== (k.stage === 2 ? 2 : k.nested ? 3 : 1)) continue;
      if ((e.asid !== -1 && e.asid !== k.asid) || (k.stage === 1 && e.nested !== k.nested)) continue;
      const split = eats === 2;
      const target = split && e.second !== null ? e.second.ipa : e.target;
      for (const ssid of ssids) {
        const a: CachedAnswer = { kind: 'atc', sid, ssid, va: e.va, frames: e.frames, target, split, ...granted(e) };
        yield [nameOfAnswer(a), a];
      }
    }
  }
}
