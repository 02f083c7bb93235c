/**
 * ConfigCache: STEs and CDs as 64-byte snapshots by StreamID, in any state, invalid ones included (IHI 0070 §3.21.3,
 * §16.2): an old structure answers until CFGI names it (§4.3). A CD is cached under the stream that fetched it, not
 * under its address; it outlives its STE here, and goes with it when CFGI_STE* comes (§4.3.1, §4.3.2).
 *
 * Why it equals its slow twin (decode the snapshot at each access): the fields an access needs are taken out once, when
 * the snapshot is, and a snapshot never changes afterwards. Small and direct-mapped, so that snapshots are lost, too.
 */
import { field, getField, POW2 } from '../../spec/bits.js';
import { CD, cdGranule, cdInputBits, cdLegal, cdOutputBits, cdStartLevel } from '../../spec/cd.js';
import { STE, steAction, type SteFeatures } from '../../spec/ste.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import { cdFeatures, steFeatures, type InsertListener } from '../../stack/machine.js';
import { Unmodelled } from '../../stack/violation.js';
import { OAS, type SmmuConfig } from '../../stack/world.js';

const ENTRIES = 16;
const MASK = ENTRIES - 1;
/** Uint32 halves of one structure. */
const HALVES = 16;
const CD_TBI0 = field(38, 38);

export const STE_ILLEGAL = 0;
export const STE_ABORT = 1;
export const STE_BYPASS = 2;
export const STE_STAGE1 = 3;

/** Whoever hears of insertions now. */
export interface Heard {
  listener: InsertListener | null;
}

export class ConfigCache {
  readonly #memory: Memory;
  readonly #heard: Heard;
  readonly #steFeatures: SteFeatures = steFeatures();
  readonly #cdFeatures: { asidBits: number; oas: number };
  readonly #steSid = new Int32Array(ENTRIES).fill(-1);
  readonly #cdSid = new Int32Array(ENTRIES).fill(-1);
  /** One more entry at the end: what does not come from modelled memory is used from there, never kept. */
  readonly #steWords = new Uint32Array((ENTRIES + 1) * HALVES);
  readonly #cdWords = new Uint32Array((ENTRIES + 1) * HALVES);
  readonly action = new Uint8Array(ENTRIES + 1);
  readonly legal = new Uint8Array(ENTRIES + 1);
  readonly asid = new Uint16Array(ENTRIES + 1);
  /** CD.R: are this context's translation faults recorded? */
  readonly records = new Uint8Array(ENTRIES + 1);
  readonly walkDisabled = new Uint8Array(ENTRIES + 1);
  readonly upperDisabled = new Uint8Array(ENTRIES + 1);
  /** Input frames below this are in range; Infinity where T0SZ is not looked at (EPD0, §5.4.1.1). */
  readonly inputFrames = new Float64Array(ENTRIES + 1);
  readonly outputFrames = new Float64Array(ENTRIES + 1);
  readonly startLevel = new Uint8Array(ENTRIES + 1);
  readonly rootFrame = new Float64Array(ENTRIES + 1);
  /** Word of the root table's frame where the table begins (small tables need not fill a page). */
  readonly rootIndex = new Uint16Array(ENTRIES + 1);

  constructor(memory: Memory, config: SmmuConfig, heard: Heard) {
    this.#memory = memory;
    this.#heard = heard;
    this.#cdFeatures = cdFeatures(config);
  }

  /** Index of the STE of `sid`: the cached one, else the one at `tableAddress` + sid * 64 (bytes). */
  ste(sid: number, tableAddress: number): number {
    const at = sid & MASK;
    return this.#steSid[at] === sid ? at : this.#fetchSte(sid, tableAddress + sid * 64);
  }

  /** Index of the CD of `sid`: the cached one, else the one that the STE at index `ste` points to. */
  cd(sid: number, ste: number): number {
    const at = (sid ^ (sid >>> 4)) & MASK;
    return this.#cdSid[at] === sid ? at : this.#fetchCd(sid, ste, at);
  }

  #fetchSte(sid: number, address: number): number {
    const present = inMemory(this.#memory, address);
    const at = present ? sid & MASK : ENTRIES;
    const base = at * HALVES;
    if (present) this.#steSid[at] = -1; // stays so if the contents throw Unmodelled
    copyStructure(this.#memory, address, this.#steWords, base);
    this.action[at] = actionCode(this.#steWords, base, this.#steFeatures);
    if (!present) return at;
    this.#steSid[at] = sid;
    this.#heard.listener?.steInserted(sid, this.#steWords, base);
    return at;
  }

  #fetchCd(sid: number, ste: number, place: number): number {
    if (getField(this.#steWords, STE.S1CDMax, ste * HALVES) !== 0) throw new Unmodelled('substreams (STE.S1CDMax is not 0)');
    const address = getField(this.#steWords, STE.S1ContextPtr, ste * HALVES) * 64;
    const present = inMemory(this.#memory, address);
    const at = present ? place : ENTRIES;
    if (present) this.#cdSid[at] = -1; // stays so if the contents throw Unmodelled
    copyStructure(this.#memory, address, this.#cdWords, at * HALVES);
    this.#decodeCd(at);
    if (!present) return at;
    this.#cdSid[at] = sid;
    this.#heard.listener?.cdInserted(sid, this.#cdWords, at * HALVES);
    return at;
  }

  #decodeCd(at: number): void {
    const words = this.#cdWords;
    const base = at * HALVES;
    this.legal[at] = cdLegal(words, base, this.#cdFeatures) ? 1 : 0;
    if (this.legal[at] === 0) return;
    this.asid[at] = getField(words, CD.ASID, base);
    this.records[at] = getField(words, CD.R, base);
    this.walkDisabled[at] = getField(words, CD.EPD0, base);
    this.upperDisabled[at] = getField(words, CD.EPD1, base);
    this.inputFrames[at] = Infinity;
    if (this.walkDisabled[at] !== 0) return; // T0SZ, TG0 and TTB0 mean nothing then
    if (cdGranule(words, base) !== 12) throw new Unmodelled('a granule other than 4 KB (CD.TG0)');
    if (getField(words, CD.AFFD, base) !== 0) throw new Unmodelled('access flag faults disabled (CD.AFFD)');
    if (getField(words, CD_TBI0, base) !== 0) throw new Unmodelled('top byte ignored (CD.TBI0)');
    this.#decodeRoot(at);
  }

  /** The root table is aligned to its size; TTB0 bits below that read as zero (§5.4 TTB0). */
  #decodeRoot(at: number): void {
    const base = at * HALVES;
    const level = cdStartLevel(this.#cdWords, base);
    if (level > 1) throw new Unmodelled(`a stage-1 walk that starts at level ${level}`);
    const bits = cdInputBits(this.#cdWords, base);
    const tableBytes = Math.max(64, (POW2[bits - 39 + 9 * level] as number) * 8);
    const ttb = getField(this.#cdWords, CD.TTB0, base) * 16;
    const root = ttb - (ttb % Math.min(tableBytes, 4096));
    this.startLevel[at] = level;
    this.inputFrames[at] = POW2[bits - 12] as number;
    this.outputFrames[at] = POW2[cdOutputBits(this.#cdWords, base, OAS) - 12] as number;
    this.rootFrame[at] = Math.floor(root / 4096);
    this.rootIndex[at] = (root % 4096) / 8;
  }

  /** CFGI_STE, CFGI_STE_RANGE (inclusive StreamIDs): the STEs and every CD cached through those streams. */
  dropStreams(first: number, last: number): void {
    for (let i = 0; i < ENTRIES; i += 1) {
      const ste = this.#steSid[i] as number;
      if (ste >= first && ste <= last) this.#steSid[i] = -1;
      const cd = this.#cdSid[i] as number;
      if (cd >= first && cd <= last) this.#cdSid[i] = -1;
    }
  }

  /** CFGI_CD, CFGI_CD_ALL: the CD of a stream; its STE stays. */
  dropCd(sid: number): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.#cdSid[i] === sid) this.#cdSid[i] = -1;
  }

  clear(): void {
    this.#steSid.fill(-1);
    this.#cdSid.fill(-1);
  }

  forEachSte(visit: (sid: number, words: Uint32Array, base: number) => void): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.#steSid[i] !== -1) visit(this.#steSid[i] as number, this.#steWords, i * HALVES);
  }

  forEachCd(visit: (sid: number, words: Uint32Array, base: number) => void): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.#cdSid[i] !== -1) visit(this.#cdSid[i] as number, this.#cdWords, i * HALVES);
  }
}

function inMemory(memory: Memory, address: number): boolean {
  return memory.slotOf(Math.floor(address / 4096)) >= 0;
}

/** Copies 64 bytes from a 64-byte aligned address; outside of modelled memory they read as zero. */
function copyStructure(memory: Memory, address: number, words: Uint32Array, base: number): void {
  const slot = memory.slotOf(Math.floor(address / 4096));
  if (slot < 0) {
    words.fill(0, base, base + HALVES);
    return;
  }
  const ref = slot * WORDS_PER_FRAME + (address % 4096) / 8;
  for (let i = 0; i < HALVES / 2; i += 1) {
    words[base + 2 * i] = memory.lo[ref + i] as number;
    words[base + 2 * i + 1] = memory.hi[ref + i] as number;
  }
}

function actionCode(words: Uint32Array, base: number, features: SteFeatures): number {
  const action = steAction(words, base, features);
  switch (action) {
    case 'illegal': return STE_ILLEGAL;
    case 'abort': return STE_ABORT;
    case 'bypass': return STE_BYPASS;
    case 'stage1': return STE_STAGE1;
    case 'stage2': case 'nested': throw new Unmodelled(`stream configuration ${action}`);
  }
}
