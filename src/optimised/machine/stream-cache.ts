/**
 * StreamCache: STEs as 64-byte snapshots by StreamID, and L1STDs, in any state, invalid ones included (IHI 0070 §3.21.3, §16.2): an old
 * structure answers until CFGI names it (§4.3), or until it has lost its place. A cached STE is used without a look at its L1STD.
 *
 * Why it equals its slow twin (decode the snapshot at each access): the fields an access needs are taken out once, when
 * the snapshot is, and a snapshot never changes afterwards. Small and direct-mapped, so that snapshots are lost, too.
 */
import { Arrays } from './arrays.js';
import { getField, POW2 } from '../../spec/bits.js';
import { EVENT } from '../../spec/event.js';
import type { Features } from '../../spec/features.js';
import { l1stdPointer, l1stdStreams } from '../../spec/level1.js';
import { streamIndex1, streamIndex2, strtabAddress, strtabLog2, strtabSplit } from '../../spec/register.js';
import {
  EATS_FULL, EATS_OFF, EATS_SPLIT, INSTCFG_DATA, INSTCFG_INSTRUCTION, PRIVCFG_PRIVILEGED, PRIVCFG_UNPRIVILEGED, S1DSS_BYPASS,
  S1DSS_SSID0, STE, STE_BYTES, steCdFormat, steCdMax, steCdTable, steVerdict, streamWorld,
} from '../../spec/ste.js';
import { stage2Context } from '../../spec/tables.js';
import type { Memory } from '../../memory/memory.js';
import { Context, NO_CONTEXT } from './context.js';
import { FAULTED, type Fault } from './fault.js';
import { Level1Cache } from './level1-cache.js';
import { isWrite, KIND_FETCH, KIND_READ, KIND_WRITE } from './permissions.js';
import { GROUP_S2 } from './span-cache.js';
import { copyWords, HALVES, wordAt } from './structure.js';
import type { Heard } from './walk.js';

const ENTRIES = 16;
export const STREAM_MASK = ENTRIES - 1;

export const STE_ILLEGAL = 0;
export const STE_ABORT = 1;
export const STE_BYPASS = 2;
export const STE_STAGE1 = 3;
export const STE_STAGE2 = 4;
export const STE_NESTED = 5;
const ACTIONS: readonly string[] = ['illegal', 'abort', 'bypass', 'stage1', 'stage2', 'nested'];

/** What traffic without SubstreamID gets instead of a CD index. */
export const PLAIN_DISABLED = -1;
export const PLAIN_BYPASS = -2;
const KINDS = 6;

export class StreamCache {
  readonly #memory: Memory;
  readonly #features: Features;
  readonly #fault: Fault;
  readonly #heard: Heard;
  readonly #arrays = new Arrays(2048);
  /** StreamIDs, -1 for an empty entry: `sids[sid & STREAM_MASK] === sid` says that the STE of `sid` is here. */
  readonly sids = this.#arrays.f64(ENTRIES).fill(-1);
  /** CD that traffic without SubstreamID ends at (an index of the CD cache), legal and without overrides; or -1: not looked up since something changed. */
  readonly settled = new Int8Array(ENTRIES).fill(-1);
  readonly words = this.#arrays.u32(ENTRIES * HALVES);
  readonly #level1 = new Level1Cache();
  /** Another number for every snapshot: what was decoded for it is good while this stays. */
  readonly serial = new Int32Array(ENTRIES);
  #serials = 0;
  /** STE_*. */
  readonly action = new Uint8Array(ENTRIES);
  readonly world = new Uint8Array(ENTRIES);
  /** Of EL1 entries; 0 without stage 2 and in EL2. */
  readonly vmid = new Uint16Array(ENTRIES);
  /** CDs that a SubstreamID may choose, 0 without substreams; the CD index of other traffic, or PLAIN_*; may SubstreamID 0 be used? */
  readonly substreams = new Int32Array(ENTRIES);
  readonly plain = new Int8Array(ENTRIES);
  readonly zeroDisabled = new Uint8Array(ENTRIES);
  /** CD table: address in bytes, S1Fmt. */
  readonly cdTable = this.#arrays.f64(ENTRIES);
  readonly cdFormat = new Uint8Array(ENTRIES);
  /** Stage 2, and S2R: are its faults recorded? */
  readonly second = new Array<Context>(ENTRIES).fill(NO_CONTEXT);
  readonly records = new Uint8Array(ENTRIES);
  readonly eats = new Uint8Array(ENTRIES);
  /** Kinds of access as PRIVCFG and INSTCFG make them, by kind; `overrides`: any other than itself? */
  readonly kinds = this.#arrays.u8(ENTRIES * KINDS);
  readonly overrides = new Uint8Array(ENTRIES);
  #table = 0;
  #split = 0;
  #streams = 1;
  #recordUnknown = true;
  e2h = false;

  constructor(memory: Memory, features: Features, fault: Fault, heard: Heard) {
    this.#memory = memory;
    this.#features = features;
    this.#fault = fault;
    this.#heard = heard;
  }

  /** STRTAB_BASE and _CFG; CR2.RECINVSID and E2H. What is cached stays (§6.3.9.6), unless it lies outside of the table now; E2H is
   * part of what it means. */
  configured(base: number, cfg: number, recordUnknown: boolean, e2h: boolean): void {
    const bits = this.#features.twoLevelStreams ? cfg : cfg % 64;
    this.#split = strtabSplit(bits);
    this.#streams = POW2[strtabLog2(bits, this.#features.sidBits)] as number;
    this.#table = strtabAddress(base, bits, this.#features.sidBits);
    this.#recordUnknown = recordUnknown;
    for (let at = 0; at < ENTRIES; at += 1) if ((this.sids[at] as number) >= this.#streams) this.sids[at] = -1;
    if (e2h === this.e2h) return;
    this.e2h = e2h;
    for (let at = 0; at < ENTRIES; at += 1) if (this.sids[at] !== -1) this.#decode(at);
  }

  /** Index of the STE of `sid`, cached or read now; or FAULTED. */
  find(sid: number): number {
    const at = sid & STREAM_MASK;
    return this.sids[at] === sid ? at : this.#fetch(sid);
  }

  #fetch(sid: number): number {
    if (sid >= this.#streams) return this.#unknown();
    let address = this.#table + sid * STE_BYTES;
    if (this.#split !== 0) {
      const known = this.#level1Of(sid);
      if (known < 0) return FAULTED;
      const lo = this.#level1.words[known * 2] as number;
      const index = streamIndex2(sid, this.#split);
      if (index >= l1stdStreams(lo, this.#split)) return this.#unknown();
      address = l1stdPointer(lo, this.#level1.words[known * 2 + 1] as number) + index * STE_BYTES;
    }
    const ref = wordAt(this.#memory, address);
    if (ref < 0) return this.#fault.fetchAbort(EVENT.F_STE_FETCH, address);
    const at = sid & STREAM_MASK;
    this.sids[at] = -1; // stays so if the contents throw Unmodelled
    copyWords(this.#memory, ref, HALVES / 2, this.words, at * HALVES);
    this.#decode(at);
    this.sids[at] = sid;
    this.#heard.listener?.steInserted(sid, this.words, at * HALVES);
    return at;
  }

  #unknown(): number {
    return this.#recordUnknown ? this.#fault.plain(EVENT.C_BAD_STREAMID) : this.#fault.unrecorded(EVENT.C_BAD_STREAMID);
  }

  /** Place of the L1STD of `sid`, cached or read now; or FAULTED. */
  #level1Of(sid: number): number {
    const known = this.#level1.find(0, sid, this.#split);
    if (known >= 0) return known;
    const address = this.#table + streamIndex1(sid, this.#split) * 8;
    const ref = wordAt(this.#memory, address);
    if (ref < 0) return this.#fault.fetchAbort(EVENT.F_STE_FETCH, address);
    const at = this.#level1.claim(0, sid, this.#split);
    copyWords(this.#memory, ref, 1, this.#level1.words, at * 2);
    return at;
  }

  #decode(at: number): void {
    const base = at * HALVES;
    const words = this.words;
    const f = this.#features;
    const action = ACTIONS.indexOf(steVerdict(words, base, f));
    this.#serials += 1;
    this.serial[at] = this.#serials;
    this.settled[at] = -1;
    this.action[at] = action;
    if (action <= STE_ABORT) return;
    this.world[at] = streamWorld(words, base, f, this.e2h);
    this.vmid[at] = f.stage2 && this.world[at] === 0 ? getField(words, STE.S2VMID, base) : 0;
    this.#decodeAts(at);
    this.#decodeKinds(at);
    if ((action & 1) !== 0) this.#decodeStage1(at);
    if (action >= STE_STAGE2) this.#decodeStage2(at);
  }

  #decodeStage1(at: number): void {
    const base = at * HALVES;
    const max = steCdMax(this.words, base, this.#features);
    const dss = getField(this.words, STE.S1DSS, base);
    this.substreams[at] = max === 0 ? 0 : POW2[max] as number;
    this.plain[at] = max === 0 || dss === S1DSS_SSID0 ? 0 : dss === S1DSS_BYPASS ? PLAIN_BYPASS : PLAIN_DISABLED;
    this.zeroDisabled[at] = dss === S1DSS_SSID0 ? 1 : 0;
    this.cdTable[at] = steCdTable(this.words, base, this.#features);
    this.cdFormat[at] = steCdFormat(this.words, base, this.#features);
  }

  #decodeStage2(at: number): void {
    if (this.second[at] === NO_CONTEXT) this.second[at] = new Context();
    const second = this.second[at] as Context;
    stage2Context(this.words, at * HALVES, this.#features, second);
    second.derive(false);
    second.leaves.set(0, GROUP_S2, this.vmid[at] as number, 0);
    second.tables.set(0, GROUP_S2, this.vmid[at] as number, 0);
    this.records[at] = getField(this.words, STE.S2R, at * HALVES);
  }

  /** EATS = 3 needs device permission tables, which are absent: off (§5.2 EATS). */
  #decodeAts(at: number): void {
    const eats = this.#features.ats ? getField(this.words, STE.EATS, at * HALVES) : EATS_OFF;
    this.eats[at] = eats === EATS_FULL || eats === EATS_SPLIT ? eats : EATS_OFF;
  }

  /** INSTCFG concerns reads only (§5.2). */
  #decodeKinds(at: number): void {
    const base = at * HALVES;
    const privilege = getField(this.words, STE.PRIVCFG, base);
    const instruction = getField(this.words, STE.INSTCFG, base);
    this.overrides[at] = 0;
    for (let kind = 0; kind < KINDS; kind += 1) {
      let what = kind & 6;
      if (!isWrite(kind) && instruction === INSTCFG_DATA) what = KIND_READ;
      if (!isWrite(kind) && instruction === INSTCFG_INSTRUCTION) what = KIND_FETCH;
      if (isWrite(kind)) what = KIND_WRITE;
      const level = privilege === PRIVCFG_UNPRIVILEGED ? 0 : privilege === PRIVCFG_PRIVILEGED ? 1 : kind & 1;
      this.kinds[at * KINDS + kind] = what + level;
      if (what + level !== kind) this.overrides[at] = 1;
    }
  }

  /** Kind of access after the overrides of the STE. */
  kindOf(at: number, kind: number): number {
    return this.overrides[at] === 0 ? kind : this.kinds[at * KINDS + kind] as number;
  }

  /** CFGI_STE, CFGI_STE_RANGE (inclusive StreamIDs): the STEs; their L1STDs as well when asked for. */
  drop(first: number, last: number, level1: boolean): void {
    for (let i = 0; i < ENTRIES; i += 1) {
      const sid = this.sids[i] as number;
      if (sid >= first && sid <= last) this.sids[i] = -1;
    }
    if (level1) this.#level1.drop(0, first, last);
  }

  clear(): void {
    this.sids.fill(-1);
    this.#level1.clear();
  }

  forEach(visit: (sid: number, words: Uint32Array, base: number) => void): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.sids[i] !== -1) visit(this.sids[i] as number, this.words, i * HALVES);
  }

  forEachLevel1(visit: (sid: number, words: Uint32Array, base: number) => void): void {
    this.#level1.forEach((_, first, base) => visit(first, this.#level1.words, base));
  }
}
