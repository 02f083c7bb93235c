/**
 * Tags: ASIDs per SMMU instance (seeds 1 and 3): found in the domain's array or allocated at attach, lowest free
 * first, never 0; given back only after the tag was flushed. A bitmap in memory cells, 32 ids a cell.
 */
import { findTag } from './invs.js';
import type { Context, SmmuState, Tag } from './types.js';

/** The domain's tag on this SMMU, allocated if it has none; undefined when no ASID is left. */
export function findOrAllocate(ctx: Context, array: number, smmu: number): Tag | undefined {
  const known = findTag(ctx, array, smmu);
  if (known >= 0) return { smmu, asid: known, fresh: false };
  const s = ctx.state.smmus[smmu] as SmmuState;
  for (let cell = 0; cell * 32 <= s.asidMax; cell += 1) {
    const used = ctx.cpu.loadLo(s.asidCell + cell);
    const free = ~(cell === 0 ? used | 1 : used); // ASID 0 is never handed out
    if (free === 0) continue;
    const bit = 31 - Math.clz32(free & -free);
    const asid = cell * 32 + bit;
    if (asid > s.asidMax) return undefined;
    ctx.cpu.store(s.asidCell + cell, (used | (1 << bit)) >>> 0, 0);
    return { smmu, asid, fresh: true };
  }
  return undefined;
}

/** The id may be handed out again. The caller has flushed it, or never used it. */
export function putBack(ctx: Context, smmu: number, asid: number): void {
  const cell = (ctx.state.smmus[smmu] as SmmuState).asidCell + Math.floor(asid / 32);
  ctx.cpu.store(cell, (ctx.cpu.loadLo(cell) & ~(1 << (asid % 32))) >>> 0, 0);
}

/** Ids handed out on this SMMU. */
export function tagsInUse(ctx: Context, smmu: number): number {
  const s = ctx.state.smmus[smmu] as SmmuState;
  let n = 0;
  for (let cell = 0; cell * 32 <= s.asidMax; cell += 1) {
    for (let used = ctx.cpu.loadLo(s.asidCell + cell); used !== 0; used &= used - 1) n += 1;
  }
  return n;
}
