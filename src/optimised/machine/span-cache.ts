/**
 * SpanCache: the hashed store that the TLB and the walk cache are made of. An entry is one descriptor (its two halves)
 * under a tag and the number of the span it covers. The tag is two packed integers: {VMID, ASID}, and {StreamWorld,
 * group, size class} (IHI 0070 §3.17). A group says which stages an entry went through and whether it is global; a size
 * class is one of the few lengths that spans can have. Level, granule and "merged run" are kept beside, for TLBI.
 * Set-associative, round robin per set, all in typed arrays, nothing allocated after construction.
 *
 * Why it equals its slow twin (a list of entries that is searched from end to end): an entry lives only in the set that
 * its own tag and span number hash to, `claim` looks there for the same key first, so no key is held twice; and
 * `dropSpans` either tries every key that the scope could hold or compares every entry. Losing an entry to replacement
 * is always legal (no caching at all is: IHI 0070 §16.2).
 */
import { mix } from '../../memory/memory.js';
import { POW2 } from '../../spec/bits.js';
import { levelShift, type Tg } from '../../spec/granule.js';
import { Arrays } from './arrays.js';

const WAYS = 4;
/** Bytes of one entry in all arrays, those of the TLB included, about. */
const ENTRY_BYTES = 48;
const HIGH = 2 ** -32;

/** Groups: stage 1 alone, both stages (each apart for global entries), stage 2 alone. */
export const GROUP_S1 = 0;
export const GROUP_S1_GLOBAL = 1;
export const GROUP_BOTH = 2;
export const GROUP_BOTH_GLOBAL = 3;
export const GROUP_S2 = 4;
const GROUPS = 5;
export const GROUPS_ALL = 31;
/** Stage 1 alone, global entries among them. */
export const GROUPS_S1 = 3;
/** Groups whose entries come from a VA, with and without the global ones. */
export const GROUPS_VA = 15;
export const GROUPS_VA_TAGGED = 5;
const GROUPS_GLOBAL = 10;
const CLASS_SHIFT = 5;

/** What entries are tagged with, packed, and what that adds to their hash. Filled when a CD or STE is decoded. */
export class Tag {
  /** VMID [31:16] and ASID [15:0]; 0 where an entry has none. */
  ids = 0;
  /** StreamWorld [1:0] and group [4:2]; the class of an entry goes above. */
  base = 0;
  seed = 0;

  set(world: number, group: number, vmid: number, asid: number): void {
    this.ids = (vmid << 16) | asid;
    this.base = world | (group << 2);
    this.seed = seedOf(this.ids, this.base);
  }
}

function seedOf(ids: number, base: number): number {
  return Math.imul(ids, 0x9e3779b1) ^ Math.imul(base, 0x85ebca6b);
}

/** Level (-1..3), granule and "several descriptors merged" of an entry in one byte. */
export function infoOf(level: number, tg: Tg, merged: boolean): number {
  return (level + 1) | ((tg - 12) << 2) | (merged ? 32 : 0);
}

const INFO_MERGED = 32;

/** Which entries a command names. Reused from command to command. */
export interface SpanScope {
  /** Bit n: StreamWorld n; bit n: group n. */
  worlds: number;
  groups: number;
  /** An entry is named when its VMID equals in the bits of the mask (CR0.VMW). */
  vmid: number;
  vmidMask: number;
  /** -1: every ASID. Global entries of the groups asked for match any. */
  asid: number;
  /** Inclusive frames; an entry is named when the span of its (stage-1) descriptor meets them anywhere. */
  first: number;
  last: number;
  /** Granule, 0 for any; inclusive levels. */
  tg: number;
  fromLevel: number;
  toLevel: number;
  /** Erratum: a merged run is named only when the scope covers it whole. */
  wholeRuns: boolean;
}

export function newScope(): SpanScope {
  return { worlds: 0, groups: 0, vmid: 0, vmidMask: 0, asid: -1, first: 0, last: Infinity, tg: 0, fromLevel: -1, toLevel: 3, wholeRuns: false };
}

export class SpanCache {
  readonly entries: number;
  readonly #ways: number;
  readonly #wayBits: number;
  readonly #setMask: number;
  readonly #ids: Int32Array;
  /** World, group and class; -1 for an empty entry. */
  readonly #bases: Int32Array;
  readonly #spans: Float64Array;
  readonly #info: Uint8Array;
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly #turn: Uint8Array;
  /** log2 of the frames of a span, by class; the frames; the exact reciprocals. */
  readonly #shifts: readonly number[];
  readonly #frames: readonly number[];
  readonly #per: readonly number[];
  /** Live entries by class and group, and by group a bit for each class that has any: empty ones need no probe. */
  readonly #live: Int32Array;
  readonly #classes: Int32Array;
  /** Where the arrays of this cache come from. */
  protected readonly arrays: Arrays;
  /** Of the command at hand. */
  readonly #tag = new Tag();

  /** `entries`: a power of two. `shifts`: log2 of the 4 KiB frames that a span of each class has, at most 16 classes. */
  constructor(entries: number, shifts: readonly number[]) {
    if (!Number.isInteger(Math.log2(entries))) throw new RangeError(`a cache has a power of two of entries, not ${entries}`);
    this.entries = entries;
    this.#ways = Math.min(WAYS, entries);
    this.#wayBits = Math.log2(this.#ways);
    const sets = entries / this.#ways;
    this.#setMask = sets - 1;
    const arrays = new Arrays(entries * ENTRY_BYTES + 1024);
    this.arrays = arrays;
    this.#live = arrays.i32(128);
    this.#classes = arrays.i32(8);
    this.#ids = arrays.i32(entries);
    this.#bases = arrays.i32(entries).fill(-1);
    this.#spans = arrays.f64(entries);
    this.#info = arrays.u8(entries);
    this.lo = arrays.u32(entries);
    this.hi = arrays.u32(entries);
    this.#turn = arrays.u8(sets);
    this.#shifts = shifts;
    this.#frames = shifts.map((shift) => POW2[shift] as number);
    this.#per = this.#frames.map((frames) => 1 / frames);
  }

  /** Classes of which the group of `tag` has entries, as bits. */
  classesOf(tag: Tag): number {
    return this.#classes[tag.base >> 2] as number;
  }

  /** Entry of that class that covers `frame`, or -1. */
  find(tag: Tag, cls: number, frame: number): number {
    return this.#probe(tag, cls, Math.floor(frame * (this.#per[cls] as number)));
  }

  #probe(tag: Tag, cls: number, span: number): number {
    const first = this.#setOf(tag.seed, cls, span);
    const end = first + this.#ways;
    const key = tag.base | (cls << CLASS_SHIFT);
    for (let i = first; i < end; i += 1) if (this.#spans[i] === span && this.#bases[i] === key && this.#ids[i] === tag.ids) return i;
    return -1;
  }

  /** Entry of the smallest class that covers `frame`, or -1. Class 0 is a single frame in every cache of leaves. */
  smallest(tag: Tag, frame: number): number {
    const classes = this.#classes[tag.base >> 2] as number;
    if ((classes & 1) !== 0) {
      const entry = this.#probe(tag, 0, frame);
      if (entry >= 0) return entry;
    }
    return classes > 1 ? this.#larger(tag, classes & ~1, frame) : -1;
  }

  #larger(tag: Tag, from: number, frame: number): number {
    for (let classes = from; classes !== 0; classes &= classes - 1) {
      const entry = this.find(tag, 31 - Math.clz32(classes & -classes), frame);
      if (entry >= 0) return entry;
    }
    return -1;
  }

  /** First entry of the set where this key may be. */
  #setOf(seed: number, cls: number, span: number): number {
    return (mix(span ^ Math.imul(span * HIGH, 0x2c1b3c6d) ^ seed ^ (cls << 20)) & this.#setMask) * this.#ways;
  }

  /** The entry to be filled for this key: the one that has it, an empty one, or the set's next victim. */
  claim(tag: Tag, cls: number, frame: number): number {
    const span = Math.floor(frame * (this.#per[cls] as number));
    const key = tag.base | (cls << CLASS_SHIFT);
    const first = this.#setOf(tag.seed, cls, span);
    let at = -1;
    for (let i = first; i < first + this.#ways; i += 1) {
      if (this.#bases[i] === -1) {
        if (at < 0) at = i;
      } else if (this.#spans[i] === span && this.#bases[i] === key && this.#ids[i] === tag.ids) return i;
    }
    if (at < 0) at = this.#victim(first, key); else this.#count(key, 1);
    this.#ids[at] = tag.ids;
    this.#bases[at] = key;
    this.#spans[at] = span;
    return at;
  }

  /** The next of the set to be lost to an entry of `key`. */
  #victim(first: number, key: number): number {
    const set = first >> this.#wayBits;
    const way = this.#turn[set] as number;
    this.#turn[set] = (way + 1) & (this.#ways - 1);
    const old = this.#bases[first + way] as number;
    if (old !== key) {
      this.#count(old, -1);
      this.#count(key, 1);
    }
    return first + way;
  }

  /** Counts an entry of this key in or out. */
  #count(key: number, by: number): void {
    const live = (this.#live[key >> 2] as number) + by;
    this.#live[key >> 2] = live;
    const group = (key >> 2) & 7;
    const bit = 1 << (key >> CLASS_SHIFT);
    if (live === 0) this.#classes[group] = (this.#classes[group] as number) & ~bit;
    else if (live === by) this.#classes[group] = (this.#classes[group] as number) | bit;
  }

  /** The descriptor of a claimed entry, and its `infoOf`. */
  describe(entry: number, info: number, lo: number, hi: number): void {
    this.#info[entry] = info;
    this.lo[entry] = lo;
    this.hi[entry] = hi;
  }

  /** Of an entry that `find` or `claim` returned: level of its descriptor, size class, and the first frame of its span. */
  levelOf(entry: number): number {
    return ((this.#info[entry] as number) & 7) - 1;
  }

  tgOf(entry: number): Tg {
    return (12 + (((this.#info[entry] as number) >> 2) & 6)) as Tg;
  }

  classOf(entry: number): number {
    return (this.#bases[entry] as number) >> CLASS_SHIFT;
  }

  startOf(entry: number): number {
    return (this.#spans[entry] as number) * (this.#frames[this.classOf(entry)] as number);
  }

  framesOf(entry: number): number {
    return this.#frames[this.classOf(entry)] as number;
  }

  worldOf(entry: number): number {
    return (this.#bases[entry] as number) & 3;
  }

  groupOf(entry: number): number {
    return ((this.#bases[entry] as number) >> 2) & 7;
  }

  vmidOf(entry: number): number {
    return (this.#ids[entry] as number) >>> 16;
  }

  /** -1: global, or a stage-2 entry. */
  asidOf(entry: number): number {
    return ((GROUPS_GLOBAL >> this.groupOf(entry)) & 1) !== 0 || this.groupOf(entry) === GROUP_S2 ? -1 : (this.#ids[entry] as number) & 0xffff;
  }

  /** Loses one entry, as may happen at any time. */
  evict(entry: number): void {
    this.#drop(entry);
  }

  #drop(entry: number): void {
    this.#count(this.#bases[entry] as number, -1);
    this.#bases[entry] = -1;
  }

  get #empty(): boolean {
    const c = this.#classes;
    return ((c[0] as number) | (c[1] as number) | (c[2] as number) | (c[3] as number) | (c[4] as number)) === 0;
  }

  clear(): void {
    if (this.#empty) return;
    this.#bases.fill(-1);
    this.#live.fill(0);
    this.#classes.fill(0);
  }

  /** Drops exactly the entries of the scope: by trying the keys when they are few, else by looking at every entry. */
  dropSpans(scope: SpanScope): void {
    if (this.#empty) return;
    if (this.#fewKeys(scope)) this.#tryEach(scope);
    else for (let i = 0; i < this.entries; i += 1) if (this.#bases[i] !== -1 && this.#named(i, scope)) this.#drop(i);
  }

  /** One world, VMID and ASID, no entries smaller than their descriptors, and no more keys than a fraction of the entries. */
  #fewKeys(scope: SpanScope): boolean {
    if (scope.asid < 0 || scope.vmidMask !== 0xffff || (scope.worlds & (scope.worlds - 1)) !== 0) return false;
    if (((this.#classes[GROUP_BOTH] as number) | (this.#classes[GROUP_BOTH_GLOBAL] as number)) !== 0) return false;
    let keys = 0;
    for (let group = 0; group < GROUPS; group += 1) {
      if (((scope.groups >> group) & 1) === 0) continue;
      for (let classes = this.#classes[group] as number; classes !== 0; classes &= classes - 1) {
        const per = this.#per[31 - Math.clz32(classes & -classes)] as number;
        keys += Math.floor(scope.last * per) - Math.floor(scope.first * per) + 1;
      }
    }
    return keys * this.#ways <= this.entries;
  }

  #tryEach(scope: SpanScope): void {
    const world = 31 - Math.clz32(scope.worlds);
    for (let group = 0; group < GROUPS; group += 1) {
      if (((scope.groups >> group) & 1) === 0) continue;
      this.#tag.set(world, group, scope.vmid, ((GROUPS_VA_TAGGED >> group) & 1) !== 0 ? scope.asid : 0);
      for (let classes = this.#classes[group] as number; classes !== 0; classes &= classes - 1) this.#tryClass(scope, 31 - Math.clz32(classes & -classes));
    }
  }

  #tryClass(scope: SpanScope, cls: number): void {
    const per = this.#per[cls] as number;
    const last = Math.floor(scope.last * per);
    for (let span = Math.floor(scope.first * per); span <= last; span += 1) {
      const at = this.#probe(this.#tag, cls, span);
      if (at >= 0 && this.#named(at, scope)) this.#drop(at);
    }
  }

  #named(entry: number, scope: SpanScope): boolean {
    const base = this.#bases[entry] as number;
    const group = (base >> 2) & 7;
    if (((scope.worlds >> (base & 3)) & 1) === 0 || ((scope.groups >> group) & 1) === 0) return false;
    const tag = this.#ids[entry] as number;
    if ((((tag >>> 16) ^ scope.vmid) & scope.vmidMask) !== 0) return false;
    if (scope.asid >= 0 && ((GROUPS_VA_TAGGED >> group) & 1) !== 0 && (tag & 0xffff) !== scope.asid) return false;
    const level = this.levelOf(entry);
    if (level < scope.fromLevel || level > scope.toLevel) return false;
    const tg = this.tgOf(entry);
    if (scope.tg !== 0 && scope.tg !== tg) return false;
    return this.#meets(entry, scope, levelShift(tg, level) - 12);
  }

  /** `shift`: log2 of the frames of the entry's own descriptor; a piece of it stands for all of it. */
  #meets(entry: number, scope: SpanScope, shift: number): boolean {
    let start = this.startOf(entry);
    let frames = this.framesOf(entry);
    if (shift > (this.#shifts[this.classOf(entry)] as number)) {
      frames = POW2[shift] as number;
      start -= start % frames;
    }
    const last = start + frames - 1;
    if (start > scope.last || last < scope.first) return false;
    return !scope.wholeRuns || ((this.#info[entry] as number) & INFO_MERGED) === 0 || (scope.first <= start && last <= scope.last);
  }

  /** Calls `visit` with every live entry. */
  forEachEntry(visit: (entry: number) => void): void {
    for (let i = 0; i < this.entries; i += 1) if (this.#bases[i] !== -1) visit(i);
  }

  /** Visits every entry of some groups (bits); `frame` is the first of its span. */
  forEach(groups: number, visit: (asid: number, frame: number, level: number, lo: number, hi: number) => void): void {
    if (this.#empty) return;
    for (let i = 0; i < this.entries; i += 1) {
      const base = this.#bases[i] as number;
      if (base !== -1 && ((groups >> ((base >> 2) & 7)) & 1) !== 0) visit(this.asidOf(i), this.startOf(i), this.levelOf(i), this.lo[i] as number, this.hi[i] as number);
    }
  }
}
