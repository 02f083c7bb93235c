/**
 * Invs: the invalidation array of a domain (the kernel's arm_smmu_invs, v7.1): whom to tell when the page table
 * changes. Sorted by (SMMU, type, id); an entry with no users is trash until the next purge or merge.
 *
 * Layout in memory cells, one 64-bit word each: [0] lo = entries, hi = trash; [1] lo = kinds of SMMUs (seed 0: the array remembers whether
 * ranges are used), bit k for PAYLOAD_KINDS[k]; then two words an entry: word 0 lo = SMMU, hi = id (ASID); word 1 lo = users.
 */
import type { Context, SmmuState, Tag } from './types.js';

const HEADER = 2;
const KINDS = 1;
const ENTRY = 2;

export function arrayLength(ctx: Context, array: number): number {
  return array === 0 ? 0 : ctx.cpu.loadLo(array);
}

export function arrayTrash(ctx: Context, array: number): number {
  return array === 0 ? 0 : ctx.cpu.loadHi(array);
}

/**
 * Kinds of the SMMUs in the array, as it was published: merge and purge find them anew, unref leaves them, because a reader may
 * still see the users that it has just taken away.
 */
export function arrayKinds(ctx: Context, array: number): number {
  return array === 0 ? 0 : ctx.cpu.loadLo(array + KINDS);
}

/** Reference of entry `i`; reading beyond the array is a fault of the driver. */
function entryAt(ctx: Context, array: number, i: number): number {
  const ref = array + HEADER + i * ENTRY;
  ctx.state.pages.touch(ref, 'an invalidation array, or what lies behind it');
  return ref;
}

export function entrySmmu(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadLo(entryAt(ctx, array, i));
}

export function entryId(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadHi(entryAt(ctx, array, i));
}

export function entryUsers(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadLo(entryAt(ctx, array, i) + 1);
}

function setEntry(ctx: Context, array: number, i: number, smmu: number, id: number, users: number): void {
  ctx.cpu.store(array + HEADER + i * ENTRY, smmu, id);
  ctx.cpu.store(array + HEADER + i * ENTRY + 1, users, 0);
}

/** The live entry of a domain on one SMMU, or -1: its tag (find, seed 3). */
export function findTag(ctx: Context, array: number, smmu: number): number {
  for (let i = 0; i < arrayLength(ctx, array); i += 1) {
    if (entrySmmu(ctx, array, i) === smmu && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);
  }
  return -1;
}

function kindBit(ctx: Context, smmu: number): number {
  return 1 << (ctx.state.smmus[smmu] as SmmuState).kind;
}

function allocateArray(ctx: Context, entries: number): number {
  const ref = ctx.state.pages.allocateObject(HEADER + ENTRY * entries);
  if (ref < 0) return -1;
  ctx.cpu.store(ref, entries, 0);
  return ref;
}

/** A new array: the live entries of `array` and the tag, whose users grow by one. -1 without memory. */
export function merge(ctx: Context, array: number, tag: Tag): number {
  const n = arrayLength(ctx, array);
  let live = 0;
  let known = false;
  for (let i = 0; i < n; i += 1) {
    if (entryUsers(ctx, array, i) === 0) continue;
    live += 1;
    if (entrySmmu(ctx, array, i) === tag.smmu && entryId(ctx, array, i) === tag.asid) known = true;
  }
  const merged = allocateArray(ctx, live + (known ? 0 : 1));
  if (merged < 0) return -1;
  let kinds = kindBit(ctx, tag.smmu);
  let at = 0;
  let placed = known;
  for (let i = 0; i < n; i += 1) {
    const users = entryUsers(ctx, array, i);
    if (users === 0) continue;
    const smmu = entrySmmu(ctx, array, i);
    const id = entryId(ctx, array, i);
    kinds |= kindBit(ctx, smmu);
    if (!placed && (smmu > tag.smmu || (smmu === tag.smmu && id > tag.asid))) {
      setEntry(ctx, merged, at, tag.smmu, tag.asid, 1);
      at += 1;
      placed = true;
    }
    setEntry(ctx, merged, at, smmu, id, smmu === tag.smmu && id === tag.asid ? users + 1 : users);
    at += 1;
  }
  if (!placed) setEntry(ctx, merged, at, tag.smmu, tag.asid, 1);
  ctx.cpu.store(merged + KINDS, kinds, 0);
  return merged;
}

/** One user less, in place; cannot fail. Returns the users left. Trash at the end is cut off. */
export function unref(ctx: Context, array: number, tag: Tag): number {
  const n = arrayLength(ctx, array);
  let left = -1;
  let trash = arrayTrash(ctx, array);
  for (let i = 0; i < n; i += 1) {
    if (entrySmmu(ctx, array, i) !== tag.smmu || entryId(ctx, array, i) !== tag.asid || entryUsers(ctx, array, i) === 0) continue;
    left = entryUsers(ctx, array, i) - 1;
    ctx.cpu.store(array + HEADER + i * ENTRY + 1, left, 0);
    if (left === 0) trash += 1;
  }
  let length = n;
  while (length > 0 && entryUsers(ctx, array, length - 1) === 0) {
    length -= 1;
    trash -= 1;
  }
  ctx.cpu.store(array, length, trash);
  return left;
}

/** A new array without trash; -1 when there is nothing to purge, nothing left, or no memory. */
export function purge(ctx: Context, array: number): number {
  const n = arrayLength(ctx, array);
  const trash = arrayTrash(ctx, array);
  if (n === 0 || trash === 0) return -1;
  const purged = allocateArray(ctx, n - trash);
  if (purged < 0) return -1;
  let at = 0;
  let kinds = 0;
  for (let i = 0; i < n; i += 1) {
    const users = entryUsers(ctx, array, i);
    if (users === 0) continue;
    setEntry(ctx, purged, at, entrySmmu(ctx, array, i), entryId(ctx, array, i), users);
    kinds |= kindBit(ctx, entrySmmu(ctx, array, i));
    at += 1;
  }
  ctx.cpu.store(purged + KINDS, kinds, 0);
  return purged;
}
