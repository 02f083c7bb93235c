/**
 * System driver: what the rules may know of the optimised driver: whom each domain's array names, with how many users, and which ids are handed out.
 */
import type { OptimisedDriver } from '../optimised/driver/driver.js';
import { arrayLength, entryKey, entryUsers } from '../optimised/driver/invs.js';
import type { InvKey } from '../stack/invalidation-array.js';

export interface ArrayEntry {
  readonly key: InvKey;
  readonly users: number;
}

/** The live entries of a domain's array, in its order. */
export function arrayOf(driver: OptimisedDriver, domain: number): readonly ArrayEntry[] {
  const own = driver.state.domains[domain];
  if (own === undefined) return [];
  const ctx = driver.context;
  const array = ctx.cpu.loadLo(own.invsCell);
  const out: ArrayEntry[] = [];
  const n = arrayLength(ctx, array);
  for (let i = 0; i < n; i += 1) {
    const users = entryUsers(ctx, array, i);
    if (users > 0) out.push({ key: entryKey(ctx, array, i), users });
  }
  return out;
}

/** VMID of a vSMMU, 0 while it is closed. */
export function vmidOf(driver: OptimisedDriver, vsmmu: number): number {
  return driver.state.vsmmus[vsmmu]?.vmid ?? 0;
}

/** Ids that are set in a bitmap of memory cells. */
export function idsInUse(driver: OptimisedDriver, cell: number, max: number): readonly number[] {
  const out: number[] = [];
  for (let at = 0; at * 32 <= max; at += 1) {
    for (let used = driver.context.cpu.loadLo(cell + at); used !== 0; used &= used - 1) out.push(at * 32 + 31 - Math.clz32(used & -used));
  }
  return out;
}
