/**
 * Rig: one reference machine on raw words, and short names for the structures and commands that tests write. Every
 * helper stores words to memory or writes registers; nothing reaches into the machine.
 *
 * Addresses here: slots of the RAM window for structures, 4 KiB frames for what a device would access. Input size is
 * 39 bits, so the start level is 1: root page (1 GB entries), level-2 page (2 MB), level-3 page (4 KB).
 */
import { Stage1Reference } from '../../../src/reference/stage1/machine.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { encodeCommand, newCommand, OP, type Command } from '../../../src/spec/command.js';
import { descriptorHigh, leafLow, tableLow } from '../../../src/spec/descriptor.js';
import { CR0_CMDQEN, CR0_SMMUEN, queueBase, queueIndex, queueNext, queueUsed, REG, strtabLinear } from '../../../src/spec/register.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, STE } from '../../../src/spec/ste.js';
import { DEFAULT_SMMU, type SmmuConfig } from '../../../src/stack/world.js';

export const SLOTS = 32;
export const STREAM_SLOT = 1;
export const QUEUE_SLOT = 2;
export const CD_SLOT = 3;
/** First slot that tests use for translation tables. */
export const TABLES = 4;
export const STREAMS_LOG2 = 2;
export const QUEUE_LOG2 = 5;
/** Frames spanned by one entry of the root page and of a level-2 page. */
export const GB = 2 ** 18;
export const MB2 = 2 ** 9;

export interface Word {
  readonly lo: number;
  readonly hi: number;
}

export const ZERO: Word = { lo: 0, hi: 0 };

/** A table descriptor that points to the page in `slot`. */
export function table(slot: number): Word {
  return { lo: tableLow(RAM_BASE + slot), hi: descriptorHigh(RAM_BASE + slot) };
}

/** A page descriptor (level 3). */
export function page(frame: number): Word {
  return leaf(frame, 3);
}

/** A block or page descriptor at `level`. */
export function leaf(frame: number, level: number): Word {
  return { lo: leafLow(frame, level, true), hi: descriptorHigh(frame) };
}

/** Reference of the first word of the `n`th CD; eight fit where one CD slot is meant. */
export function cdRef(n: number): number {
  return CD_SLOT * 512 + n * 8;
}

export function steRef(sid: number): number {
  return STREAM_SLOT * 512 + sid * 8;
}

export type SteKind = 'invalid' | 'abort' | 'bypass' | { readonly cd: number };

/** The eight words of an STE; only word 0 is not zero. */
export function steWords(kind: SteKind): Uint32Array {
  const words = new Uint32Array(16);
  if (kind === 'invalid') return words;
  setField(words, STE.V, 1);
  if (kind === 'abort') setField(words, STE.Config, CONFIG_ABORT);
  else if (kind === 'bypass') setField(words, STE.Config, CONFIG_BYPASS);
  else {
    setField(words, STE.Config, CONFIG_S1);
    setField(words, STE.S1ContextPtr, ((RAM_BASE + CD_SLOT) * 4096 + kind.cd * 64) / 64);
  }
  return words;
}

/** The eight words of a CD: word 0 holds everything but the table base (word 1). IPS 4 is 44 bits, 0 is 32. */
export function cdWords(asid: number, rootSlot: number, change: { readonly v?: 0 | 1; readonly ips?: number } = {}): Uint32Array {
  const words = new Uint32Array(16);
  setField(words, CD.T0SZ, 64 - 39);
  setField(words, CD.EPD1, 1);
  setField(words, CD.V, change.v ?? 1);
  setField(words, CD.IPS, change.ips ?? 4);
  setField(words, CD.AA64, 1);
  setField(words, CD.A, 1);
  setField(words, CD.R, 1);
  setField(words, CD.ASID, asid);
  setField(words, CD.TTB0, (RAM_BASE + rootSlot) * 256);
  return words;
}

export function cmd(change: Partial<Command>): Command {
  return { ...newCommand(), ...change };
}

export const SYNC = cmd({ op: OP.SYNC });
export const NSNH_ALL = cmd({ op: OP.TLBI_NSNH_ALL });
export const NH_ALL = cmd({ op: OP.TLBI_NH_ALL });
export const CFGI_ALL = cmd({ op: OP.CFGI_STE_RANGE, range: 31 });

export function nhAsid(asid: number): Command {
  return cmd({ op: OP.TLBI_NH_ASID, asid });
}

/** TLBI by address: one address unless `change` gives TG, NUM, SCALE. */
export function nhVa(asid: number, frame: number, change: Partial<Command> = {}): Command {
  return cmd({ op: OP.TLBI_NH_VA, asid, frame, ...change });
}

export function cfgiSte(sid: number, leafOnly = 1): Command {
  return cmd({ op: OP.CFGI_STE, sid, leaf: leafOnly });
}

export function cfgiCd(sid: number): Command {
  return cmd({ op: OP.CFGI_CD, sid, leaf: 1 });
}

export class Rig {
  readonly memory = new Memory(new Journal(), SLOTS);
  readonly machine: Stage1Reference;
  /** Entries written; those up to `published` are. */
  prod = 0;
  published = 0;
  cons = 0;
  /** Told of every word that changed. */
  changed: ((ref: number) => void) | null = null;

  constructor(change: Partial<SmmuConfig> = {}) {
    this.machine = new Stage1Reference(this.memory, { ...DEFAULT_SMMU, queueLog2: QUEUE_LOG2, ...change });
    this.machine.writeRegister(REG.STRTAB_BASE, (RAM_BASE + STREAM_SLOT) * 4096);
    this.machine.writeRegister(REG.STRTAB_BASE_CFG, strtabLinear(STREAMS_LOG2));
    this.machine.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + QUEUE_SLOT) * 4096, QUEUE_LOG2));
    this.machine.writeRegister(REG.CMDQ_PROD, 0);
    this.machine.writeRegister(REG.CMDQ_CONS, 0);
    this.machine.writeRegister(REG.CR0, CR0_CMDQEN);
  }

  enable(): void {
    this.machine.writeRegister(REG.CR0, CR0_CMDQEN | CR0_SMMUEN);
  }

  /** One store that everybody sees at once. */
  store(ref: number, lo: number, hi: number): void {
    const same = this.memory.lo[ref] === lo && this.memory.hi[ref] === hi;
    this.memory.commit(ref, lo, hi);
    if (!same) this.changed?.(ref);
  }

  put(slot: number, index: number, word: Word): void {
    this.store(slot * 512 + index, word.lo, word.hi);
  }

  clear(slot: number, index: number): void {
    this.put(slot, index, ZERO);
  }

  /** Writes a structure of eight words, the last word first, so that V goes last. */
  structure(ref: number, words: Uint32Array): void {
    for (let i = 7; i >= 0; i -= 1) this.store(ref + i, words[i * 2] as number, words[i * 2 + 1] as number);
  }

  ste(sid: number, kind: SteKind): void {
    this.structure(steRef(sid), steWords(kind));
  }

  cd(n: number, words: Uint32Array): void {
    this.structure(cdRef(n), words);
  }

  /** Free entries of the queue as software knows it. */
  get room(): number {
    return 2 ** QUEUE_LOG2 - queueUsed(this.prod, this.cons, QUEUE_LOG2);
  }

  /** Writes commands to the queue; the SMMU does not know of them yet. */
  append(...commands: readonly Command[]): void {
    const raw = new Uint32Array(4);
    for (const c of commands) {
      encodeCommand(c, raw);
      const ref = QUEUE_SLOT * 512 + queueIndex(this.prod, QUEUE_LOG2) * 2;
      this.store(ref, raw[0] as number, raw[1] as number);
      this.store(ref + 1, raw[2] as number, raw[3] as number);
      this.prod = queueNext(this.prod, QUEUE_LOG2);
    }
  }

  publish(...commands: readonly Command[]): void {
    this.append(...commands);
    this.published = this.prod;
    this.machine.writeRegister(REG.CMDQ_PROD, this.prod);
  }

  /** Software sees that CONS has reached `cons`. */
  observe(cons: number): void {
    this.cons = cons;
    this.machine.queue.observe(cons);
  }

  /** Software reads CONS and sees everything consumed. */
  finish(): void {
    this.observe(this.machine.readRegister(REG.CMDQ_CONS));
  }

  /** Commands and a SYNC, published at once, and seen to complete. */
  batch(...commands: readonly Command[]): void {
    this.publish(...commands, SYNC);
    this.finish();
  }

  holdsPage(asid: number, frame: number, output: number): boolean {
    const w = page(output);
    return this.machine.holdsLeaf(asid, frame, 3, w.lo, w.hi);
  }

  holdsBlock(asid: number, frame: number, output: number, level: number): boolean {
    const w = leaf(output, level);
    return this.machine.holdsLeaf(asid, frame, level, w.lo, w.hi);
  }

  /** Is the descriptor at `level` (1 or 2) that points to `slot` held? */
  holdsTable(asid: number, frame: number, level: number, slot: number): boolean {
    const w = table(slot);
    return this.machine.holdsTable(asid, frame, level, w.lo, w.hi);
  }

  holdsSte(sid: number, kind: SteKind): boolean {
    return this.machine.holdsSte(sid, steWords(kind));
  }
}

export const ROOT = TABLES;
export const L2 = TABLES + 1;
export const L3 = TABLES + 2;
export const OTHER_ROOT = TABLES + 3;
export const SPARE = TABLES + 4;
export const ASID = 1;

/** Stream 0 on CD 0 (ASID 1): root[0] → L2, L2[0] → L3, L3[0] → frame 0x10, L3[1] → frame 0x11. Enabled, nothing pending. */
export function connected(change: Partial<SmmuConfig> = {}): Rig {
  const rig = new Rig(change);
  rig.put(ROOT, 0, table(L2));
  rig.put(L2, 0, table(L3));
  rig.put(L3, 0, page(0x10));
  rig.put(L3, 1, page(0x11));
  rig.cd(0, cdWords(ASID, ROOT));
  rig.ste(0, { cd: 0 });
  for (let sid = 1; sid < 2 ** STREAMS_LOG2; sid += 1) rig.ste(sid, 'abort');
  rig.batch(CFGI_ALL, NSNH_ALL);
  rig.enable();
  return rig;
}
