/**
 * System guest: what a guest writes into its memory, what STE it asks for and which commands it gives. Its CDs stand in the first two of its pages, its tables in
 * the others (IPA from GUEST_IPA on): the guests of a parent share them all. A well-behaved guest invalidates what it changed; a hostile one does what it likes,
 * but its CDs keep to fields that the models know.
 */
import { setField } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { encodeCommand, newCommand, OP, type Command } from '../spec/command.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, S1DSS_SSID0, STE } from '../spec/ste.js';
import type { Chooser } from '../stack/chooser.js';
import type { SystemOperation } from '../stack/system.js';

/** First IPA frame at which parents usually map the memory of guests. */
export const GUEST_IPA = 0x40;
const CD_PAGES = 2;
const ROOT_PAGES = 2;
/** 30 bits of input: two levels, so that what random words lead to stays small. */
const T0SZ = 34;
const VALID = 3;
const AF_SH_AP = 0x740; // AF, inner shareable, unprivileged
const NOT_GLOBAL = 0x800;
/** Stores to CDs after which the guest must have invalidated them, or the mixtures of old and new words get too many. */
const CD_STORES = 3;

function pick<T>(c: Chooser, list: readonly T[]): T {
  return list[c.index(list.length)] as T;
}

function halves(words: Uint32Array, word: number): { lo: number; hi: number } {
  return { lo: words[2 * word] as number, hi: words[2 * word + 1] as number };
}

export class GuestHand {
  readonly #chooser: Chooser;
  readonly #hostile: boolean;
  readonly #frames: number;
  /** What the guest is about to do: stores of one thing follow on each other. */
  readonly #next: SystemOperation[] = [];
  #cdStores = 0;

  constructor(chooser: Chooser, hostile: boolean, frames: number) {
    this.#chooser = chooser;
    this.#hostile = hostile;
    this.#frames = frames;
  }

  /** vSMMUs whose guest has set up its tables once. */
  readonly #begun = new Set<number>();

  /** What was begun goes on. */
  pending(): SystemOperation | undefined {
    return this.#next.shift();
  }

  /** Start tables, and tables of pages below them; now and then the other way round. */
  #page(start: boolean): number {
    const c = this.#chooser;
    const first = GUEST_IPA + CD_PAGES;
    const wanted = c.index(12) === 0 ? !start : start;
    return wanted ? first + c.index(ROOT_PAGES) : first + ROOT_PAGES + c.index(Math.max(1, this.#frames - CD_PAGES - ROOT_PAGES));
  }

  /** An STE as the guest has it: words 0 and 1. */
  ste(substreams: boolean): readonly [number, number, number, number] {
    const c = this.#chooser;
    const w = new Uint32Array(16);
    if (this.#hostile && c.index(6) === 0) return [c.index(2 ** 32), c.index(2 ** 32), c.index(2 ** 32), c.index(2 ** 32)];
    setField(w, STE.V, c.index(16) > 0 ? 1 : 0);
    setField(w, STE.Config, pick(c, [CONFIG_S1, CONFIG_S1, CONFIG_S1, CONFIG_S1, CONFIG_BYPASS, CONFIG_ABORT]));
    setField(w, STE.S1ContextPtr, ((GUEST_IPA + (c.index(4) === 0 ? 1 : 0)) * 4096) / 64);
    if (substreams && c.index(4) === 0) setField(w, STE.S1CDMax, 1);
    setField(w, STE.S1DSS, S1DSS_SSID0);
    setField(w, STE.S1CIR, 1);
    setField(w, STE.S1COR, 1);
    setField(w, STE.S1CSH, 3);
    if (c.index(2) === 0) setField(w, STE.EATS, 1);
    if (this.#hostile && c.index(6) === 0) this.#flip(w);
    return [w[0] as number, w[1] as number, w[2] as number, w[3] as number];
  }

  /** One bit of an STE, the pointer to its CDs apart: those stand where CDs stand. */
  #flip(w: Uint32Array): void {
    const c = this.#chooser;
    const word = c.index(4);
    const bit = word === 0 ? c.index(6) : word === 1 ? 24 + c.index(8) : c.index(32);
    w[word] = ((w[word] as number) ^ (1 << bit)) >>> 0;
  }

  /** One store, or the first of several. `streams`: as the guest knows its devices. */
  store(vsmmu: number, streams: readonly number[]): SystemOperation {
    const c = this.#chooser;
    if (!this.#begun.has(vsmmu) || c.index(8) === 0) return this.#setUp(vsmmu, streams);
    if (c.index(6) === 0) return this.#cd(vsmmu, streams);
    const start = c.index(2) === 0;
    const ipa = this.#page(start) * 4096 + c.index(4) * 8;
    const store = (lo: number, hi: number): SystemOperation => ({ op: 'guest-store', vsmmu, ipa, lo: lo >>> 0, hi: hi >>> 0 });
    if (this.#hostile && c.index(5) === 0) return store(c.index(2 ** 32), c.index(3) === 0 ? c.index(2 ** 16) : 0);
    if (!this.#hostile) this.#next.push(this.command(vsmmu, streams));
    const roll = c.index(8);
    if (roll === 0) return store(0, 0);
    if (start ? roll < 7 : roll === 1) return this.#word(store, this.#page(false) * 4096 + VALID);
    return this.#word(store, this.#target() * 4096 + AF_SH_AP + VALID - (c.index(6) === 0 ? 2 : 0) + (c.index(8) === 0 ? 0 : NOT_GLOBAL) + (c.index(4) === 0 ? 0x80 : 0));
  }

  /** A CD, and behind it a block, or a table and two pages; then everything is invalidated, if the guest is one that does. */
  #setUp(vsmmu: number, streams: readonly number[]): SystemOperation {
    const c = this.#chooser;
    this.#begun.add(vsmmu);
    const first = this.#cd(vsmmu, streams);
    const root = GUEST_IPA + CD_PAGES;
    const put = (page: number, index: number, value: number): void => {
      this.#next.push({ op: 'guest-store', vsmmu, ipa: page * 4096 + index * 8, lo: value % 2 ** 32, hi: Math.floor(value / 2 ** 32) });
    };
    if (c.index(2) === 0) {
      for (let i = 0; i < ROOT_PAGES; i += 1) put(root + i, 0, AF_SH_AP + NOT_GLOBAL + 1); // the first 2 MB as they are
    } else {
      for (let i = 0; i < ROOT_PAGES; i += 1) put(root + i, 0, (root + ROOT_PAGES) * 4096 + VALID);
      for (let i = 0; i < 2; i += 1) put(root + ROOT_PAGES, i, this.#target() * 4096 + AF_SH_AP + NOT_GLOBAL + VALID);
    }
    if (!this.#hostile) this.#next.push({ op: 'guest-commands', vsmmu, words: [...streams.flatMap((sid) => words({ op: OP.CFGI_CD_ALL, sid })), ...words({ op: OP.TLBI_NSNH_ALL })] });
    return first;
  }

  #word(store: (lo: number, hi: number) => SystemOperation, value: number): SystemOperation {
    return store(value % 2 ** 32, Math.floor(value / 2 ** 32));
  }

  /** Where a leaf leads: an IPA that the parent may map, or one that is nobody's business. */
  #target(): number {
    const c = this.#chooser;
    return pick(c, [c.index(16), c.index(16), c.index(16), c.index(4), GUEST_IPA + c.index(this.#frames), 0x600 + c.index(4), 0x100000 + c.index(256), 0x400000 + c.index(16)]);
  }

  #cd(vsmmu: number, streams: readonly number[]): SystemOperation {
    const c = this.#chooser;
    if (this.#cdStores >= CD_STORES) {
      this.#cdStores = 0;
      return { op: 'guest-commands', vsmmu, words: streams.flatMap((sid) => words({ op: OP.CFGI_CD_ALL, sid })) };
    }
    this.#cdStores += 1;
    const w = new Uint32Array(16);
    setField(w, CD.T0SZ, T0SZ);
    setField(w, CD.IR0, 1);
    setField(w, CD.OR0, 1);
    setField(w, CD.SH0, 3);
    setField(w, CD.EPD1, 1);
    setField(w, CD.V, c.index(12) === 0 ? 0 : 1);
    setField(w, CD.IPS, 2);
    setField(w, CD.AA64, 1);
    setField(w, CD.R, 1);
    setField(w, CD.A, 1);
    setField(w, CD.ASET, 1);
    setField(w, CD.ASID, c.index(3));
    setField(w, CD.TTB0, this.#page(true) * 256);
    const at = (GUEST_IPA + (c.index(4) === 0 ? 1 : 0)) * 4096 + (c.index(6) === 0 ? 64 : 0);
    this.#next.push({ op: 'guest-store', vsmmu, ipa: at, ...halves(w, 0) });
    if (!this.#hostile || c.index(2) === 0) this.#next.push({ op: 'guest-commands', vsmmu, words: [...streams.flatMap((sid) => words({ op: OP.CFGI_CD_ALL, sid })), ...words({ op: OP.TLBI_NSNH_ALL })] });
    return { op: 'guest-store', vsmmu, ipa: at + 8, ...halves(w, 1) };
  }

  /** A list of commands; a hostile guest's may be anything. */
  command(vsmmu: number, streams: readonly number[]): SystemOperation {
    const c = this.#chooser;
    if (this.#hostile && c.index(5) === 0) {
      const list = Array.from({ length: 1 + c.index(3) }, () => [c.index(256) + (c.index(2) === 0 ? 0 : 256 * c.index(2 ** 24)), c.index(2 ** 32), c.index(4) * 4096 + c.index(4), c.index(2)]);
      return { op: 'guest-commands', vsmmu, words: list.flat() };
    }
    const count = pick(c, [1, 1, 2, 3, 3, c.index(20) === 0 ? 64 + c.index(3) : 2]);
    const all: number[] = [];
    for (let i = 0; i < count; i += 1) all.push(...words(this.#one(streams)));
    if (c.index(12) === 0) all.splice(4 * c.index(count), 4, ...words(pick(c, FORBIDDEN)));
    return { op: 'guest-commands', vsmmu, words: all };
  }

  #one(streams: readonly number[]): Partial<Command> {
    const c = this.#chooser;
    const sid = streams.length > 0 && c.index(12) > 0 ? pick(c, streams) : c.index(8);
    const vmid = c.index(4);
    switch (c.index(8)) {
      case 0: return { op: OP.TLBI_NSNH_ALL };
      case 1: return { op: OP.TLBI_NH_ALL, vmid };
      case 2: return { op: OP.TLBI_NH_ASID, vmid, asid: c.index(3) };
      case 3: return { op: OP.TLBI_NH_VA, vmid, asid: c.index(3), frame: c.index(16), leaf: c.index(2) };
      case 4: return { op: OP.TLBI_NH_VAA, vmid, frame: c.index(16), leaf: c.index(2) };
      case 5: return { op: OP.CFGI_CD, sid, ssid: c.index(2), leaf: c.index(2) };
      case 6: return { op: OP.CFGI_CD_ALL, sid };
      default: return { op: OP.ATC_INV, sid, size: c.index(3) === 0 ? 52 : 0, frame: c.index(16) };
    }
  }
}

const FORBIDDEN: readonly Partial<Command>[] = [
  { op: OP.TLBI_S12_VMALL, vmid: 1 }, { op: OP.TLBI_S2_IPA, vmid: 1, frame: 1 }, { op: OP.CFGI_STE, sid: 1, leaf: 1 }, { op: OP.CFGI_STE_RANGE, range: 31 }, { op: OP.SYNC },
  { op: OP.PREFETCH_CONFIG, sid: 1 }, { op: OP.TLBI_EL2_ALL },
];

function words(fields: Partial<Command>): number[] {
  const out = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...fields }, out);
  return [...out];
}
