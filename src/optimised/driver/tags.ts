/**
 * Tags: ASIDs and VMIDs per SMMU instance (seeds 1 and 3): found in the domain's array or allocated at attach, lowest free
 * first, never 0; given back only after the tag was flushed. A vSMMU owns its VMID for as long as it is open. Bitmaps in memory cells, 32 ids a cell.
 */
import { arrayLength, entryType, entryUsers, findTag } from './invs.js';
import type { Binding, Context, DomainState, SmmuState, Tag, TagType, VsmmuState } from './types.js';

/** First cell of the bitmap that ids of this type come from, and the highest id. VMIDs of domains and of vSMMUs are of one space. */
function spaceOf(s: SmmuState, type: TagType): { readonly cell: number; readonly max: number } {
  return type === 's1-tag' ? { cell: s.asidCell, max: s.asidMax } : { cell: s.vmidCell, max: s.vmidMax };
}

/** Stage 1 (and sva) has ASIDs, stage 2 VMIDs. */
export function tagTypeOf(own: DomainState, binding: Binding): TagType {
  return binding.vsmmu >= 0 ? 'vsmmu-tag' : own.stage === 1 ? 's1-tag' : 's2-tag';
}

/**
 * The domain's tag on this SMMU, undefined if it has none there. The tag of a vSMMU is taken from the vSMMU: in the array of the parent a search
 * could find that of another one.
 */
export function find(ctx: Context, array: number, smmu: number, binding: Binding): Tag | undefined {
  const type = tagTypeOf(ctx.state.domains[binding.domain] as DomainState, binding);
  const id = type === 'vsmmu-tag' ? (ctx.state.vsmmus[binding.vsmmu] as VsmmuState).vmid : findTag(ctx, array, smmu, type);
  return id < 0 ? undefined : { smmu, type, id, fresh: false };
}

/** The same, allocated if there is none; undefined when no id is left. */
export function findOrAllocate(ctx: Context, array: number, smmu: number, binding: Binding): Tag | undefined {
  const known = ctx.parts.system.findTag(ctx, array, smmu, binding);
  if (known !== undefined) return known;
  return allocate(ctx, smmu, tagTypeOf(ctx.state.domains[binding.domain] as DomainState, binding));
}

export function allocate(ctx: Context, smmu: number, type: TagType): Tag | undefined {
  const space = spaceOf(ctx.state.smmus[smmu] as SmmuState, type);
  for (let cell = 0; cell * 32 <= space.max; cell += 1) {
    const used = ctx.cpu.loadLo(space.cell + cell);
    const free = ~(cell === 0 ? used | 1 : used); // neither ASID 0 nor VMID 0 is ever handed out
    if (free === 0) continue;
    const bit = 31 - Math.clz32(free & -free);
    const id = cell * 32 + bit;
    if (id > space.max) return undefined;
    ctx.cpu.store(space.cell + cell, (used | (1 << bit)) >>> 0, 0);
    ctx.observer?.tagTaken?.(smmu, id, type);
    return { smmu, type, id, fresh: true };
  }
  return undefined;
}

/** The id may be handed out again. The caller has flushed it, or never used it. */
export function putBack(ctx: Context, tag: Tag): void {
  const cell = spaceOf(ctx.state.smmus[tag.smmu] as SmmuState, tag.type).cell + Math.floor(tag.id / 32);
  ctx.cpu.store(cell, (ctx.cpu.loadLo(cell) & ~(1 << (tag.id % 32))) >>> 0, 0);
}

/** Ids handed out on this SMMU: ASIDs, or VMIDs. */
export function tagsInUse(ctx: Context, smmu: number, type: TagType = 's1-tag'): number {
  const space = spaceOf(ctx.state.smmus[smmu] as SmmuState, type);
  let n = 0;
  for (let cell = 0; cell * 32 <= space.max; cell += 1) {
    for (let used = ctx.cpu.loadLo(space.cell + cell); used !== 0; used &= used - 1) n += 1;
  }
  return n;
}

/** What VMIDs cost, in ids taken over all SMMUs. */
export interface VmidCost {
  /** As they are handed out: per SMMU, where a domain or vSMMU needs one. */
  readonly perSmmu: number;
  /** If each stage-2 domain in use had one VMID of the whole system, which no SMMU could use for anything else. */
  readonly global: number;
}

export function vmidCost(ctx: Context): VmidCost {
  const { smmus, domains, vsmmus } = ctx.state;
  const withStage2 = smmus.filter((s) => s.vmidMax > 0).length;
  const perSmmu = smmus.reduce((sum, s, smmu) => sum + (s.vmidMax > 0 ? tagsInUse(ctx, smmu, 's2-tag') : 0), 0);
  const inUse = domains.filter((own, domain) => own.stage === 2 && (hasTag(ctx, own) || vsmmus.some((v) => v.vmid > 0 && v.parent === domain))).length;
  return { perSmmu, global: inUse * withStage2 };
}

function hasTag(ctx: Context, own: DomainState): boolean {
  const array = ctx.cpu.loadLo(own.invsCell);
  for (let i = 0; i < arrayLength(ctx, array); i += 1) if (entryUsers(ctx, array, i) > 0 && entryType(ctx, array, i) === 's2-tag') return true;
  return false;
}
