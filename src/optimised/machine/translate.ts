/**
 * Translator: the translation procedure from the StreamID to the output frame (IHI 0070 §3.3.2, §7.3.22): STE, SubstreamID, CD, half of the
 * address space, TLB or walk, both stages. The caches, the structures and the walks have rooms of their own.
 *
 * Hot path: `resolve` on a TLB hit is two compares for the configuration and one set probe; nothing is allocated. Why it equals its slow twin
 * (the procedure from the start each time): where a stream without SubstreamIDs ends is kept until any STE or CD changes its place, and the TLB is
 * asked as the procedure would ask it.
 */
import { POW2 } from '../../spec/bits.js';
import { CLASS_IN, EVENT, isTranslationFault } from '../../spec/event.js';
import type { Features } from '../../spec/features.js';
import type { ConfigCache } from './config-cache.js';
import type { Context } from './context.js';
import { FAULTED, type Fault } from './fault.js';
import { NestedWalker } from './nested.js';
import { CLEAN, isWrite } from './permissions.js';
import type { Stage2, WalkParts } from './stage2.js';
import { PLAIN_BYPASS, STE_ABORT, STE_BYPASS, STE_ILLEGAL, STE_STAGE1, STE_STAGE2, STREAM_MASK, type StreamCache } from './stream-cache.js';
import type { Tlb } from './tlb.js';
import { Walker, type Heard } from './walk.js';

/** No TLB entry: the output is the input. */
export const IDENTITY = -1;

export class Translator {
  readonly #config: ConfigCache;
  readonly #streams: StreamCache;
  readonly #tlb: Tlb;
  readonly #fault: Fault;
  readonly #stage2: Stage2;
  readonly #walker: Walker;
  readonly #nested: NestedWalker;
  /** Frames below this are physical addresses. */
  readonly physicalFrames: number;
  hits = 0;
  walks = 0;
  /** How the last output frame came about: the TLB entry or IDENTITY, the input frame as it was looked up, and whether stage 1 took part. */
  entry = IDENTITY;
  input = 0;
  stage1 = false;

  constructor(parts: WalkParts, config: ConfigCache, stage2: Stage2, rest: { readonly heard: Heard; readonly features: Features }) {
    this.#config = config;
    this.#streams = config.streams;
    this.#tlb = parts.tlb;
    this.#fault = parts.fault;
    this.#stage2 = stage2;
    this.#walker = new Walker(parts, rest.heard);
    this.#nested = new NestedWalker(parts, stage2);
    this.physicalFrames = POW2[rest.features.oas - 12] as number;
  }

  /** Output frame of an untranslated transaction, or FAULTED. `ssid` -1: none. `kind`: see permissions.ts. */
  resolve(sid: number, ssid: number, frame: number, kind: number): number {
    const streams = this.#streams;
    if (ssid >= 0 || streams.sids[sid & STREAM_MASK] !== sid) return this.#procedure(sid, ssid, frame, kind);
    const cd = streams.settled[sid & STREAM_MASK] as number;
    if (cd < 0) return this.#procedure(sid, ssid, frame, kind);
    const c = this.#config.lower[cd] as Context;
    if (!(frame < c.limit)) return this.#inContext(sid & STREAM_MASK, cd, frame, kind);
    const tlb = this.#tlb;
    const entry = tlb.smallest(c.leaves, frame);
    if (entry < 0 || (((tlb.permissions[entry] as number) >> kind) & 1) === 0) return this.#inContext(sid & STREAM_MASK, cd, frame, kind);
    this.hits += 1;
    this.entry = entry;
    this.input = frame;
    this.stage1 = true;
    return tlb.translate(entry, frame);
  }

  /** The procedure from its first step on. */
  #procedure(sid: number, ssid: number, frame: number, kind: number): number {
    const streams = this.#streams;
    const ste = streams.find(sid);
    if (ste < 0) return FAULTED;
    const action = streams.action[ste] as number;
    if (action < STE_STAGE1 || action === STE_STAGE2) return this.#withoutStage1(ste, ssid, frame, kind);
    const index = ssid < 0 ? streams.plain[ste] as number : this.#substream(ste, ssid);
    if (index < 0) return this.#withoutIndex(index, ste, frame, kind);
    const cd = this.#config.cd(sid, index, ste);
    if (cd < 0) return this.#silence(streams.records[ste] as number);
    if (this.#config.legal[cd] === 0) return this.#fault.plain(EVENT.C_BAD_CD);
    if (ssid < 0 && streams.overrides[ste] === 0) streams.settled[ste] = cd;
    return this.#inContext(ste, cd, frame, streams.kindOf(ste, kind));
  }

  /** From the choice of the half on. */
  #inContext(ste: number, cd: number, frame: number, kind: number): number {
    const config = this.#config;
    let c: Context | null = config.lower[cd] as Context;
    let input = frame;
    if (!(frame < c.limit)) {
      c = config.select(cd, frame);
      input = config.canonical;
    }
    const entry = c === null ? this.#fault.stage1(EVENT.F_TRANSLATION) : this.#translate(c, input, kind);
    if (entry < 0) return this.#silence(this.#fault.stage2 !== 0 ? this.#streams.records[ste] as number : config.records[cd] as number);
    this.entry = entry;
    this.input = input;
    this.stage1 = true;
    return this.#tlb.translate(entry, input);
  }

  /** CD.R or STE.S2R = 0: the four translation faults leave no record (§5.5). */
  #silence(records: number): number {
    if (records === 0 && isTranslationFault(this.#fault.event)) this.#fault.silent = true;
    return FAULTED;
  }

  /** TLB entry that grants the access, or FAULTED. EPDx forbids the walk, not the hit (§5.4.1.1). */
  #translate(c: Context, frame: number, kind: number): number {
    const tlb = this.#tlb;
    let entry = tlb.smallest(c.leaves, frame);
    if (entry < 0) entry = tlb.smallest(c.globals, frame);
    if (entry >= 0) {
      this.hits += 1;
      const permissions = tlb.permissions[entry] as number;
      if (((permissions >> kind) & 1) !== 0) return entry;
      if (!isWrite(kind) || (permissions & CLEAN) === 0) return this.#denied(c, entry, frame, kind);
      tlb.evict(entry); // memory says whether it may be dirtied
    }
    if (c.disabled) return this.#fault.stage1(EVENT.F_TRANSLATION);
    this.walks += 1;
    return c.second === null ? this.#walker.walk(c, frame, kind) : this.#nested.walk(c, frame, kind);
  }

  /** Stage 1 is judged before stage 2. */
  #denied(c: Context, entry: number, frame: number, kind: number): number {
    const tlb = this.#tlb;
    if (c.second === null || (((tlb.stage1Permissions[entry] as number) >> kind) & 1) === 0) return this.#fault.stage1(EVENT.F_PERMISSION);
    return this.#fault.second(EVENT.F_PERMISSION, CLASS_IN, tlb.ipaOf(entry, frame));
  }

  /** Index of the CD that a SubstreamID chooses; FAULTED as an index means F_STREAM_DISABLED, below that C_BAD_SUBSTREAMID. */
  #substream(ste: number, ssid: number): number {
    if (ssid >= (this.#streams.substreams[ste] as number)) return BAD_SUBSTREAM;
    return ssid === 0 && this.#streams.zeroDisabled[ste] !== 0 ? DISABLED : ssid;
  }

  /** §3.9, §5.2 S1DSS: no CD is chosen. */
  #withoutIndex(index: number, ste: number, frame: number, kind: number): number {
    if (index === PLAIN_BYPASS) return this.#bypassStage1(ste, frame, kind);
    return this.#fault.plain(index === BAD_SUBSTREAM ? EVENT.C_BAD_SUBSTREAMID : EVENT.F_STREAM_DISABLED);
  }

  #withoutStage1(ste: number, ssid: number, frame: number, kind: number): number {
    const action = this.#streams.action[ste];
    if (action === STE_ILLEGAL) return this.#fault.plain(EVENT.C_BAD_STE);
    if (action === STE_ABORT) return this.#fault.abort();
    if (ssid >= 0) return this.#fault.plain(EVENT.C_BAD_SUBSTREAMID);
    return this.#bypassStage1(ste, frame, kind);
  }

  /** The input must be an address of the size that stage 1 may put out (§3.4); then stage 2, if it is there. */
  #bypassStage1(ste: number, frame: number, kind: number): number {
    const action = this.#streams.action[ste];
    if (frame >= this.physicalFrames) return this.#fault.stage1(EVENT.F_ADDR_SIZE);
    if (action !== STE_BYPASS && action !== STE_STAGE1) return this.throughStage2(ste, frame, kind);
    this.entry = IDENTITY;
    this.input = frame;
    this.stage1 = false;
    return frame;
  }

  /** PA frame of an IPA frame, or FAULTED. */
  throughStage2(ste: number, ipa: number, kind: number): number {
    const entry = this.#stage2.translate(this.#streams.second[ste] as Context, ipa, this.#streams.kindOf(ste, kind), CLASS_IN);
    if (entry < 0) return this.#silence(this.#streams.records[ste] as number);
    this.entry = entry;
    this.input = ipa;
    this.stage1 = false;
    return this.#tlb.translate(entry, ipa);
  }
}

const DISABLED = -1;
const BAD_SUBSTREAM = -3;
