/**
 * Entry: writing an STE or CD that the SMMU may be reading (the kernel's arm_smmu_write_entry). The SMMU sees 64-bit
 * words at any time, in any order. When at most one word that it looks at differs, the update is hitless: first the
 * words it ignores, then the one, then the rest; otherwise V goes to 0 first. A sync (CFGI and CMD_SYNC) stands after
 * each group, so that no older form is cached when the next one is written (IHI 0070 §3.21.3.1).
 */
import { CONFIG_BYPASS } from '../../spec/ste.js';
import { OP } from '../../spec/command.js';
import type { Steps } from '../../stack/steps.js';
import type { Context } from './types.js';

const WORDS = 16;

/** EATS = 1 (full ATS) is bit 28 of word 1. */
const EATS_FULL_BIT = 0x10000000;
const EATS_SPLIT_BIT = 0x20000000;
const MEV_BIT = 0x00080000;
/** S2S, in the high half of word 2. */
const S2S_BIT = 0x02000000;
/** Word 1, low half: S1DSS, S1CIR, S1COR, S1CSH; MEV; S1STALLD, EATS, STRW. */
const STAGE1_WORD1 = 0xf80800ff;
/** Word 1, low half: MEV; S2FWB; EATS. */
const STAGE2_WORD1 = 0x32080000;
/** Word 1, high half. */
const SHCFG = 0x3000;
const S1DSS_MASK = 3;
const S1DSS_BYPASSES = 1;

/** Bits of an STE that the SMMU looks at, as 16 uint32 masks: abort uses V and Config only (IHI 0070 §5.2). */
export function usedSte(words: Uint32Array, out: Uint32Array): void {
  out.fill(0);
  out[0] = 1;
  if (((words[0] as number) & 1) === 0) return;
  out[0] = 0xf;
  const config = ((words[0] as number) >>> 1) & 7;
  if ((config & 4) === 0) return;
  if (config === CONFIG_BYPASS) {
    out[3] = SHCFG;
    return;
  }
  out[4] = 0x0000ffff; // S2VMID
  if ((config & 1) !== 0) {
    out[0] = 0xffffffff; // V, Config, S1Fmt, S1ContextPtr
    out[1] = 0xf8ffffff; // S1ContextPtr, S1CDMax
    out[2] = STAGE1_WORD1;
    if (((words[2] as number) & S1DSS_MASK) === S1DSS_BYPASSES) out[3] = SHCFG;
  }
  if ((config & 2) !== 0) {
    out[2] = ((out[2] as number) | STAGE2_WORD1) >>> 0;
    out[3] = SHCFG;
    out[5] = 0x07ffffff; // S2T0SZ to S2PS, S2AA64, S2ENDI, S2AFFD, S2PTW, S2HD, S2HA, S2S, S2R
    out[6] = 0xfffffffc; // S2SL0_2, S2DS, S2TTB
    out[7] = 0x00ffffff; // S2TTB
  }
}

/**
 * Word 1 of an STE has bits that may change at any time: MEV only merges events; and full ATS may be switched beside the rest, because an
 * endpoint asks for translations only while PCI ATS is on, which the attach sequence turns on last and off first. Not where the interim form would be illegal: with split
 * stage on either side, or with stage-2 stalls.
 */
function safeSte(from: Uint32Array, target: Uint32Array): number {
  const either = (i: number): number => (from[i] as number) | (target[i] as number);
  return (either(2) & EATS_SPLIT_BIT) !== 0 || (either(5) & S2S_BIT) !== 0 ? MEV_BIT : MEV_BIT | EATS_FULL_BIT;
}

/** CD word 0: T0SZ, TG0, IR0, OR0, SH0; and EPD0, with which those and TTB0 are ignored. */
const CD_HALF0 = 0x00003fff;
const CD_EPD0 = 0x00004000;

/** An invalid CD is judged by V alone; a valid one by every bit, apart from those of a half that is switched off. */
export function usedCd(words: Uint32Array, out: Uint32Array): void {
  if (((words[0] as number) & 0x80000000) === 0) {
    out.fill(0);
    out[0] = 0x80000000;
    return;
  }
  out.fill(0xffffffff);
  if (((words[0] as number) & CD_EPD0) === 0) return;
  out[0] = ~CD_HALF0 >>> 0;
  out[2] = 0x0000000f; // TTB0 is [51:4] of word 1
  out[3] = 0xfff00000;
}

const current = new Uint32Array(WORDS);
const usedNow = new Uint32Array(WORDS);
const usedThen = new Uint32Array(WORDS);

/** What changes: 64-bit words whose looked-at bits differ, and the interim form that only moves ignored bits. */
export interface EntryPlan {
  readonly interim: Uint32Array;
  readonly critical: number;
  readonly differing: number;
}

export function planEntry(kind: 'ste' | 'cd', from: Uint32Array, target: Uint32Array): EntryPlan {
  const used = kind === 'ste' ? usedSte : usedCd;
  used(from, usedNow);
  used(target, usedThen);
  if (kind === 'ste') {
    const safe = safeSte(from, target) & (usedNow[2] as number) & (usedThen[2] as number);
    usedNow[2] = ((usedNow[2] as number) & ~safe) >>> 0;
  }
  const interim = new Uint32Array(WORDS);
  let critical = -1;
  let differing = 0;
  for (let q = 0; q < WORDS / 2; q += 1) {
    let differs = false;
    for (const i of [q * 2, q * 2 + 1]) {
      const mask = usedNow[i] as number;
      interim[i] = ((from[i] as number) & mask) | ((target[i] as number) & ~mask);
      if (((((interim[i] as number) & (usedThen[i] as number)) ^ (target[i] as number)) >>> 0) !== 0) differs = true;
    }
    if (!differs) continue;
    critical = q;
    differing += 1;
  }
  return { interim, critical, differing };
}

/** Stores the 64-bit words [from, to) that differ from what stands there. Returns whether any did. */
export function storeWords(ctx: Context, ref: number, words: Uint32Array, from: number, to: number): boolean {
  let changed = false;
  for (let q = from; q < to; q += 1) {
    const lo = words[q * 2] as number;
    const hi = words[q * 2 + 1] as number;
    if (ctx.cpu.loadLo(ref + q) === lo && ctx.cpu.loadHi(ref + q) === hi) continue;
    ctx.cpu.store(ref + q, lo, hi);
    changed = true;
  }
  return changed;
}

/** Makes the entry at `ref` read as `target` (16 uint32); `streams` are those that may have it cached; a CD is that of substream `ssid`. */
export function* writeEntry(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid = 0): Steps<void> {
  ctx.cpu.barrier('entry-target-visible');
  for (let q = 0; q < WORDS / 2; q += 1) {
    current[q * 2] = ctx.cpu.loadLo(ref + q);
    current[q * 2 + 1] = ctx.cpu.loadHi(ref + q);
  }
  const plan = planEntry(kind, current, target);
  if (plan.differing >= 2) {
    yield 'clear V of the entry';
    ctx.cpu.store(ref, 0, 0);
    yield* syncEntry(ctx, kind, smmu, streams, ssid);
    yield 'write the body of the entry';
    if (storeWords(ctx, ref, target, 1, WORDS / 2)) {
      yield* syncEntry(ctx, kind, smmu, streams, ssid);
    }
    yield 'write word 0 of the entry';
    storeWords(ctx, ref, target, 0, 1);
    yield* syncEntry(ctx, kind, smmu, streams, ssid);
    return;
  }
  if (plan.differing === 1) {
    plan.interim[plan.critical * 2] = current[plan.critical * 2] as number;
    plan.interim[plan.critical * 2 + 1] = current[plan.critical * 2 + 1] as number;
    const critical = plan.critical;
    const interim = plan.interim;
    yield 'write ignored words of the entry';
    if (storeWords(ctx, ref, interim, 0, WORDS / 2)) {
      yield* syncEntry(ctx, kind, smmu, streams, ssid);
    }
    yield 'write the one word of the entry that matters';
    if (storeWords(ctx, ref, target, critical, critical + 1)) {
      yield* syncEntry(ctx, kind, smmu, streams, ssid);
    }
  }
  yield 'write the rest of the entry';
  if (storeWords(ctx, ref, target, 0, WORDS / 2)) {
    yield* syncEntry(ctx, kind, smmu, streams, ssid);
  }
}

/** CFGI for every stream that may have the entry cached, and CMD_SYNC. */
export function* syncEntry(ctx: Context, kind: 'ste' | 'cd', smmu: number, streams: readonly number[], ssid = 0): Steps<void> {
  const batch = ctx.batch;
  batch.smmu = smmu;
  batch.purpose = kind;
  batch.sync = true;
  batch.count = streams.length;
  for (let i = 0; i < streams.length; i += 1) {
    batch.words[i * 4] = kind === 'ste' ? OP.CFGI_STE : (OP.CFGI_CD | (ssid << 12)) >>> 0;
    batch.words[i * 4 + 1] = streams[i] as number;
    batch.words[i * 4 + 2] = 1; // Leaf: no level-1 descriptor changed
    batch.words[i * 4 + 3] = 0;
  }
  yield* ctx.parts.submit(ctx, batch);
  ctx.observer?.entrySynced(smmu, kind, streams, ssid);
}
