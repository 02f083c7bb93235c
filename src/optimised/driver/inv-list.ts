/**
 * Inv list: what one attachment contributes to the invalidation array of its domain (the kernel's build list, with the tags of the tag series): the tag; behind
 * a vSMMU also that stage 1 over the parent must go when the parent changes, and the ATCs in full, because an address of the parent says nothing of
 * the addresses that a guest's device asks for; else, with ATS, each stream's ATC. Sorted, because merge and unref go through it side by side with the
 * array; and the tag first, because its users decide what becomes of the id.
 */
import type { InvKey } from '../../stack/invalidation-array.js';
import type { Context, DeviceState, Tag } from './types.js';

export function invKeys(_ctx: Context, dev: DeviceState, tag: Tag, ssid: number, ats: boolean): readonly InvKey[] {
  const { smmu, type, id } = tag;
  const keys: InvKey[] = [{ smmu, type, id, ssid: 0 }];
  const guest = type === 'vsmmu-tag';
  if (guest) keys.push({ smmu, type: 's1-clear', id, ssid: 0 });
  if (!ats) return keys;
  for (const sid of [...dev.streams].sort((a, b) => a - b)) keys.push({ smmu, type: guest ? 'ats-full' : 'ats', id: sid, ssid });
  return keys;
}
