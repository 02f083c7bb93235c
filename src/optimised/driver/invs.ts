/**
 * Invs: the invalidation array of a domain (the kernel's arm_smmu_invs, v7.1): whom to tell when the page table
 * changes. Sorted by (SMMU, type, id, substream of ATS types); an entry with no users is trash until the next purge or merge. Keys may
 * stand twice in a list (a device with one StreamID twice), and then in the array: what counts is the sum of their users.
 *
 * Layout in memory cells, one 64-bit word each: [0] lo = entries, hi = trash; [1] lo = kinds of SMMUs (seed 0: the array remembers whether
 * ranges are used), bit k for PAYLOAD_KINDS[k], hi = 1 when an entry is of an ATS type; then two words an entry: word 0 lo = type * 256 + SMMU,
 * hi = id (ASID, VMID, StreamID); word 1 lo = users, hi = substream.
 */
import { compareInv, INV_TYPES, invRank, isAts, type InvKey, type InvType } from '../../stack/invalidation-array.js';
import type { Context, EntryRead, SmmuState } from './types.js';

const HEADER = 2;
const KINDS = 1;
const ENTRY = 2;
/** Factor of the type in the first half of an entry; SMMUs are fewer. */
const TYPE_UNIT = 256;

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
  return ctx.cpu.loadLo(entryAt(ctx, array, i)) % TYPE_UNIT;
}

export function entryType(ctx: Context, array: number, i: number): InvType {
  return INV_TYPES[Math.floor(ctx.cpu.loadLo(entryAt(ctx, array, i)) / TYPE_UNIT)] as InvType;
}

export function entryId(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadHi(entryAt(ctx, array, i));
}

export function entryUsers(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadLo(entryAt(ctx, array, i) + 1);
}

export function entrySsid(ctx: Context, array: number, i: number): number {
  return ctx.cpu.loadHi(entryAt(ctx, array, i) + 1);
}

export function entryKey(ctx: Context, array: number, i: number): InvKey {
  return { smmu: entrySmmu(ctx, array, i), type: entryType(ctx, array, i), id: entryId(ctx, array, i), ssid: entrySsid(ctx, array, i) };
}

/** The same without a new object: what never changes of an entry once its array is published. */
export function readEntry(ctx: Context, array: number, i: number, into: EntryRead): void {
  const ref = entryAt(ctx, array, i);
  const lo = ctx.cpu.loadLo(ref);
  into.smmu = lo % TYPE_UNIT;
  into.type = INV_TYPES[(lo - into.smmu) / TYPE_UNIT] as InvType;
  into.id = ctx.cpu.loadHi(ref);
  into.ssid = isAts(into.type) ? ctx.cpu.loadHi(ref + 1) : 0;
}

/** Is an entry of an ATS type in it? As it was published: trash may be the reason. */
export function arrayHasAts(ctx: Context, array: number): boolean {
  return array !== 0 && ctx.cpu.loadHi(array + KINDS) !== 0;
}

function setUsers(ctx: Context, array: number, i: number, users: number, ssid: number): void {
  ctx.cpu.store(array + HEADER + i * ENTRY + 1, users, ssid);
}

/** The live entry of a domain on one SMMU, or -1: its tag (find, seed 3). */
export function findTag(ctx: Context, array: number, smmu: number, type: InvType = 's1-tag'): number {
  for (let i = 0; i < arrayLength(ctx, array); i += 1) {
    if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);
  }
  return -1;
}

function allocateArray(ctx: Context, entries: number): number {
  const ref = ctx.state.pages.allocateObject(HEADER + ENTRY * entries);
  if (ref < 0) return -1;
  ctx.cpu.store(ref, entries, 0);
  return ref;
}

/** Fills a new array from its first entry on. */
class Filler {
  readonly #ctx: Context;
  readonly #array: number;
  #at = 0;
  #kinds = 0;
  #ats = 0;

  constructor(ctx: Context, array: number) {
    this.#ctx = ctx;
    this.#array = array;
  }

  put(key: InvKey, users: number): void {
    this.#ctx.cpu.store(this.#array + HEADER + this.#at * ENTRY, invRank(key.type) * TYPE_UNIT + key.smmu, key.id);
    setUsers(this.#ctx, this.#array, this.#at, users, key.ssid);
    this.#kinds |= 1 << (this.#ctx.state.smmus[key.smmu] as SmmuState).kind;
    if (isAts(key.type)) this.#ats = 1;
    this.#at += 1;
  }

  close(): number {
    this.#ctx.cpu.store(this.#array + KINDS, this.#kinds, this.#ats);
    return this.#array;
  }
}

/** Goes through the live entries of `array` and the sorted keys side by side. */
function sideBySide(ctx: Context, array: number, keys: readonly InvKey[], visit: (key: InvKey, users: number) => void): void {
  const n = arrayLength(ctx, array);
  let at = 0;
  for (let i = 0; i < n; i += 1) {
    const users = entryUsers(ctx, array, i);
    if (users === 0) continue;
    const own = entryKey(ctx, array, i);
    while (at < keys.length && compareInv(keys[at] as InvKey, own) < 0) visit(keys[at++] as InvKey, 1);
    const known = at < keys.length && compareInv(keys[at] as InvKey, own) === 0;
    visit(own, known ? users + 1 : users);
    if (known) at += 1;
  }
  while (at < keys.length) visit(keys[at++] as InvKey, 1);
}

/** A new array: the live entries of `array` and the keys (sorted), whose users grow by one. -1 without memory. */
export function merge(ctx: Context, array: number, keys: readonly InvKey[]): number {
  let entries = 0;
  sideBySide(ctx, array, keys, () => { entries += 1; });
  const merged = allocateArray(ctx, entries);
  if (merged < 0) return -1;
  const filler = new Filler(ctx, merged);
  sideBySide(ctx, array, keys, (key, users) => { filler.put(key, users); });
  return filler.close();
}

/**
 * One user less of each key (sorted; the tag first), in place; cannot fail. Returns the users that the tag has left, -1 when it was not there.
 * Trash at the end is cut off.
 */
export function unref(ctx: Context, array: number, keys: readonly InvKey[]): number {
  const n = arrayLength(ctx, array);
  let left = -1;
  let trash = arrayTrash(ctx, array);
  let at = 0;
  for (let i = 0; i < n && at < keys.length; i += 1) {
    const users = entryUsers(ctx, array, i);
    if (users === 0) continue;
    const own = entryKey(ctx, array, i);
    while (at < keys.length && compareInv(keys[at] as InvKey, own) < 0) at += 1; // not in the array: the caller's bug
    if (at >= keys.length || compareInv(keys[at] as InvKey, own) !== 0) continue;
    setUsers(ctx, array, i, users - 1, own.ssid);
    if (users === 1) trash += 1;
    if (at === 0) left = users - 1;
    at += 1;
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
  const filler = new Filler(ctx, purged);
  sideBySide(ctx, array, [], (key, users) => { filler.put(key, users); });
  return filler.close();
}
