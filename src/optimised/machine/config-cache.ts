/**
 * ConfigCache: STEs (stream-cache.ts), and CDs and L1CDs as snapshots in any state (IHI 0070 §3.21.3, §16.2): an old structure answers until
 * CFGI names it (§4.3). A CD is cached by the StreamID that fetched it and its index in the table, not by its address; it outlives its STE here,
 * and goes with it when CFGI_STE* comes (§4.3.1, §4.3.2). In nested form every fetch of a CD or L1CD goes through stage 2 (CLASS CD).
 *
 * Why it equals its slow twin (decode the snapshot at each access): the fields an access needs are taken out once for the STE they are used
 * with, because a CD's legality, StreamWorld and VMID come from there (§5.4.1); another STE snapshot has another serial number, and the CD is
 * decoded again. Small and direct-mapped, so that snapshots are lost, too.
 */
import { Arrays } from './arrays.js';
import { getField } from '../../spec/bits.js';
import { CD, CD_BYTES, cdVerdict } from '../../spec/cd.js';
import { CLASS_CD, EVENT } from '../../spec/event.js';
import type { Features } from '../../spec/features.js';
import { cdIndex1, cdIndex2, l1cdPointer, l1cdValid, L1_BYTES } from '../../spec/level1.js';
import { stage1Context } from '../../spec/tables.js';
import type { Memory } from '../../memory/memory.js';
import { WORLD_EL2 } from '../../stack/transaction.js';
import { Unmodelled } from '../../stack/violation.js';
import { Context, HALF_FRAMES, SPACE_FRAMES, UNTAGGED_FRAMES, NO_CONTEXT } from './context.js';
import { FAULTED, type Fault } from './fault.js';
import { Level1Cache } from './level1-cache.js';
import { KIND_READ } from './permissions.js';
import { GROUP_BOTH, GROUP_S1, GROUP_S1_GLOBAL } from './span-cache.js';
import type { Stage2, WalkParts } from './stage2.js';
import { STE_NESTED, StreamCache } from './stream-cache.js';
import { copyWords, HALVES, wordAt } from './structure.js';
import type { Tlb } from './tlb.js';
import type { Heard } from './walk.js';

const ENTRIES = 16;
const MASK = ENTRIES - 1;
/** log2 of the CDs that one L1CD serves, by S1Fmt. */
const LEVEL1_LOG2: readonly number[] = [0, 6, 10];

/** Contexts are made when the first CD is decoded into their place. */
function contexts(): Context[] {
  return new Array<Context>(ENTRIES).fill(NO_CONTEXT);
}

export class ConfigCache {
  readonly streams: StreamCache;
  readonly #memory: Memory;
  readonly #features: Features;
  readonly #fault: Fault;
  readonly #heard: Heard;
  readonly #stage2: Stage2;
  readonly #tlb: Tlb;
  readonly #arrays = new Arrays(2048);
  readonly #sids = this.#arrays.f64(ENTRIES).fill(-1);
  readonly #indices = new Int32Array(ENTRIES);
  /** Serial number of the STE that the entry was decoded for. */
  readonly #serials = new Int32Array(ENTRIES);
  readonly #words = this.#arrays.u32(ENTRIES * HALVES);
  readonly #level1 = new Level1Cache();
  readonly legal = new Uint8Array(ENTRIES);
  /** CD.R: are this context's translation faults recorded? */
  readonly records = new Uint8Array(ENTRIES);
  /** TTB0 and TTB1. */
  readonly lower = contexts();
  readonly upper = contexts();
  /** Set by `select`: the input frame without its tag, sign-extended. */
  canonical = 0;

  constructor(parts: WalkParts, features: Features, stage2: Stage2, heard: Heard) {
    this.streams = new StreamCache(parts.memory, features, parts.fault, heard);
    this.#memory = parts.memory;
    this.#features = features;
    this.#fault = parts.fault;
    this.#tlb = parts.tlb;
    this.#stage2 = stage2;
    this.#heard = heard;
  }

  /** Index of the CD at `index` of the CD table of `sid`, whose STE is at `ste`: cached or read now; or FAULTED. */
  cd(sid: number, index: number, ste: number): number {
    const at = placeOf(sid, index);
    if (this.#sids[at] !== sid || this.#indices[at] !== index) return this.#fetch(sid, index, ste);
    if (this.#serials[at] !== this.streams.serial[ste]) this.#decode(at, ste);
    return at;
  }

  #fetch(sid: number, index: number, ste: number): number {
    const address = this.#addressOf(sid, index, ste);
    if (address < 0) return FAULTED;
    const ref = this.#wordAt(address, ste);
    if (ref < 0) return FAULTED;
    const at = placeOf(sid, index);
    this.#sids[at] = -1; // stays so if the contents throw Unmodelled
    copyWords(this.#memory, ref, HALVES / 2, this.#words, at * HALVES);
    this.#decode(at, ste);
    this.#sids[at] = sid;
    this.#indices[at] = index;
    this.#heard.listener?.cdInserted(sid, this.#words, at * HALVES);
    return at;
  }

  /** Address of the CD in bytes (an IPA when nested), or FAULTED. */
  #addressOf(sid: number, index: number, ste: number): number {
    const table = this.streams.cdTable[ste] as number;
    const format = this.streams.cdFormat[ste] as 0 | 1 | 2;
    if (format === 0) return table + index * CD_BYTES;
    const log2 = LEVEL1_LOG2[format] as number;
    let at = this.#level1.find(sid, index, log2);
    if (at < 0) {
      const ref = this.#wordAt(table + cdIndex1(index, format) * L1_BYTES, ste);
      if (ref < 0) return FAULTED;
      at = this.#level1.claim(sid, index, log2);
      copyWords(this.#memory, ref, 1, this.#level1.words, at * 2);
    }
    const lo = this.#level1.words[at * 2] as number;
    if (!l1cdValid(lo)) return this.#fault.plain(EVENT.C_BAD_SUBSTREAMID);
    return l1cdPointer(lo, this.#level1.words[at * 2 + 1] as number, format) + cdIndex2(index, format) * CD_BYTES;
  }

  /** Reference of the word at a byte address of the CD table, through stage 2 when nested; or FAULTED. */
  #wordAt(address: number, ste: number): number {
    let place = address;
    if (this.streams.action[ste] === STE_NESTED) {
      const frame = Math.floor(address / 4096);
      const entry = this.#stage2.translate(this.streams.second[ste] as Context, frame, KIND_READ, CLASS_CD);
      if (entry < 0) return FAULTED;
      place = this.#tlb.translate(entry, frame) * 4096 + (address - frame * 4096);
    }
    const ref = wordAt(this.#memory, place);
    return ref < 0 ? this.#fault.fetchAbort(EVENT.F_CD_FETCH, place) : ref;
  }

  #decode(at: number, ste: number): void {
    const words = this.#words;
    const base = at * HALVES;
    const streams = this.streams;
    this.#serials[at] = streams.serial[ste] as number;
    streams.settled.fill(-1);
    this.legal[at] = cdVerdict(words, base, streams.words, ste * HALVES, this.#features, streams.e2h) ? 1 : 0;
    if (this.legal[at] === 0) return;
    refuse(words, base);
    this.records[at] = getField(words, CD.R, base);
    this.#decodeHalf(at, ste, 0);
    this.#decodeHalf(at, ste, 1);
  }

  #decodeHalf(at: number, ste: number, half: 0 | 1): void {
    const list = half === 0 ? this.lower : this.upper;
    if (list[at] === NO_CONTEXT) list[at] = new Context();
    const c = list[at] as Context;
    const world = this.streams.world[ste] as number;
    const nested = this.streams.action[ste] === STE_NESTED;
    if (world === WORLD_EL2 && half === 1) c.disabled = true; // not there, and so never looked at
    else stage1Context(this.#words, at * HALVES, half, this.#features, c);
    c.el2 = world === WORLD_EL2;
    c.derive(half === 1);
    const vmid = this.streams.vmid[ste] as number;
    const asid = c.el2 ? 0 : getField(this.#words, CD.ASID, at * HALVES);
    const group = nested ? GROUP_BOTH : GROUP_S1;
    c.leaves.set(world, group, vmid, asid);
    c.globals.set(world, group + 1, vmid, 0);
    c.tables.set(world, c.el2 ? GROUP_S1_GLOBAL : group, vmid, asid);
    c.second = nested ? this.streams.second[ste] as Context : null;
  }

  /**
   * The half of CD `at` that `frame` belongs to (§3.4.1): by VA[55], TTB0 always in EL2; null when the address is out of its range. Leaves the
   * canonical frame in `canonical`.
   */
  select(at: number, frame: number): Context | null {
    const lower = this.lower[at] as Context;
    const high = !lower.el2 && Math.floor(frame / HALF_FRAMES) % 2 === 1;
    const c = high ? this.upper[at] as Context : lower;
    this.canonical = c.tbi ? frame % UNTAGGED_FRAMES + (high ? SPACE_FRAMES - UNTAGGED_FRAMES : 0) : frame;
    return this.canonical >= c.first && this.canonical < c.limit ? c : null;
  }

  /** CFGI_STE, CFGI_STE_RANGE (inclusive StreamIDs): the STEs and every CD and L1CD cached through those streams; the L1STDs when asked for. */
  dropStreams(first: number, last: number, level1: boolean): void {
    this.streams.settled.fill(-1);
    this.streams.drop(first, last, level1);
    for (let i = 0; i < ENTRIES; i += 1) {
      const sid = this.#sids[i] as number;
      if (sid >= first && sid <= last) this.#sids[i] = -1;
    }
    this.#level1.dropOwners(first, last);
  }

  /** CFGI_CD: the CD of one index; with `level1` the L1CD that locates it. The STE stays. */
  dropCd(sid: number, index: number, level1: boolean): void {
    this.streams.settled.fill(-1);
    for (let i = 0; i < ENTRIES; i += 1) if (this.#sids[i] === sid && this.#indices[i] === index) this.#sids[i] = -1;
    if (level1) this.#level1.drop(sid, index, index);
  }

  /** CFGI_CD_ALL: every CD and L1CD of a stream; its STE stays. */
  dropCds(sid: number): void {
    this.streams.settled.fill(-1);
    for (let i = 0; i < ENTRIES; i += 1) if (this.#sids[i] === sid) this.#sids[i] = -1;
    this.#level1.dropOwners(sid, sid);
  }

  clear(): void {
    this.streams.settled.fill(-1);
    this.streams.clear();
    this.#sids.fill(-1);
    this.#level1.clear();
  }

  forEachCd(visit: (sid: number, words: Uint32Array, base: number, index: number) => void): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.#sids[i] !== -1) visit(this.#sids[i] as number, this.#words, i * HALVES, this.#indices[i] as number);
  }

  forEachLevel1(visit: (sid: number, words: Uint32Array, base: number, index: number) => void): void {
    this.#level1.forEach((sid, first, base) => visit(sid, this.#level1.words, base, first));
  }
}

function placeOf(sid: number, index: number): number {
  return (sid ^ (sid >>> 4) ^ (index * 5)) & MASK;
}

/** Fields of a legal CD that change permissions in ways that are not modelled. */
function refuse(words: Uint32Array, base: number): void {
  if (getField(words, CD.WXN, base) !== 0) throw new Unmodelled('write permission implies no fetch (CD.WXN)');
  if (getField(words, CD.UWXN, base) !== 0) throw new Unmodelled('unprivileged write permission implies no fetch (CD.UWXN)');
  if (getField(words, CD.PAN, base) !== 0) throw new Unmodelled('privileged access never (CD.PAN)');
  if (getField(words, CD.E0PD0, base) !== 0 || getField(words, CD.E0PD1, base) !== 0) throw new Unmodelled('halves closed to unprivileged accesses (CD.E0PD)');
}
