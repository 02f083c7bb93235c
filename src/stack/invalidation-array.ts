/**
 * Invalidation array: the kinds of entries that a domain's array may hold, in the order in which they are issued for one SMMU (v7.1, with the
 * vSMMU tag of the tag series). Pure data: both sides of the driver speak of entries by these keys.
 */

/** Order of issue: tags first, then stage 1 behind a changed stage 2, then ATCs, which may refill from what the former left. */
export const INV_TYPES = ['s1-tag', 's2-tag', 'vsmmu-tag', 's1-clear', 'ats', 'ats-full'] as const;
export type InvType = (typeof INV_TYPES)[number];

export interface InvKey {
  readonly smmu: number;
  readonly type: InvType;
  /** ASID, VMID, or StreamID. */
  readonly id: number;
  /** Of the ATS types: the substream, 0 for none. 0 for the others. */
  readonly ssid: number;
}

export function invRank(type: InvType): number {
  return INV_TYPES.indexOf(type);
}

export function isAts(type: InvType): boolean {
  return type === 'ats' || type === 'ats-full';
}

/** Order of entries in an array: by SMMU, type, id, and (ATS) substream. Negative: `a` comes first; 0: one entry. */
export function compareInv(a: InvKey, b: InvKey): number {
  return a.smmu - b.smmu || invRank(a.type) - invRank(b.type) || a.id - b.id || (isAts(a.type) ? a.ssid - b.ssid : 0);
}
