/**
 * Rig: one whole reference machine on raw words, and short names for the structures, descriptors and commands that tests write. Helpers
 * store words or write registers; nothing reaches into the machine.
 *
 * Addresses: slots of the RAM window for structures, 4 KiB frames for what a device accesses. Unless a test says otherwise inputs have 39
 * bits and 4K granules: root page (1 GB an entry), level-2 page (2 MB), level-3 page (4 KB), of either stage.
 */
import { ReferenceMachine, type Mode } from '../../../src/reference/machine/machine.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { encodeCommand, newCommand, OP, type Command } from '../../../src/spec/command.js';
import { BIT_AF, BIT_NG, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_TABLE, BIT_UNPRIVILEGED, BIT_VALID, tableLow } from '../../../src/spec/descriptor.js';
import { eventName } from '../../../src/spec/event.js';
import { FULL_FEATURES, type Features } from '../../../src/spec/features.js';
import { l1cdLow, l1High, l1stdLow } from '../../../src/spec/level1.js';
import {
  CR0_ATSCHK, CR0_CMDQEN, CR0_SMMUEN, cr0Vmw, CR2_E2H, CR2_REC_CFG_ATS, CR2_RECINVSID, EXTRA_ENABLE, EXTRA_PROD, extraQueue, queueBase, queueIndex, queueNext, REG, strtabLinear, strtabTwoLevel,
} from '../../../src/spec/register.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, CONFIG_S2, STE } from '../../../src/spec/ste.js';
import type { MachineConfig } from '../../../src/stack/machine-world.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../../src/stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, newTransaction, type Answer, type Transaction } from '../../../src/stack/transaction.js';

export const SLOTS = 64;
export const STREAM_SLOT = 1;
export const QUEUE_SLOT = 2;
export const EXTRA_SLOT = 3;
export const CD_SLOT = 4;
/** First slot that tests use for what they like. */
export const FREE = 16;
export const STREAMS_LOG2 = 3;
export const QUEUE_LOG2 = 5;
/** Frames spanned by one entry of the root page and of a level-2 page. */
export const GB = 2 ** 18;
export const MB2 = 2 ** 9;
/** Entry of a 39-bit root page that spans the RAM window. */
export const RAM_ENTRY = RAM_BASE / GB;

export interface Word {
  readonly lo: number;
  readonly hi: number;
}

export const ZERO: Word = { lo: 0, hi: 0 };

function high(frame: number): number {
  return Math.floor(frame / 2 ** 20);
}

/** A table descriptor for the page in `slot`; `hi`: hierarchical attributes. */
export function table(slot: number, hi = 0): Word {
  return toTable(RAM_BASE + slot, hi);
}

export function toTable(frame: number, hi = 0): Word {
  return { lo: tableLow(frame), hi: high(frame) + hi };
}

/** What a leaf has beside its address: bits to set, bits to leave out of the usual ones, bits of the high half. */
export interface Bits {
  readonly set?: number;
  readonly clear?: number;
  readonly hi?: number;
}

function leafWord(usual: number, [frame, level]: readonly [number, number], bits: Bits): Word {
  const type = level === 3 ? BIT_VALID | BIT_TABLE : BIT_VALID;
  const attributes = ((usual | (bits.set ?? 0)) & ~(bits.clear ?? 0)) | type;
  return { lo: (((frame % 2 ** 20) * 4096) | attributes) >>> 0, hi: high(frame) + (bits.hi ?? 0) };
}

/** A stage-1 leaf: AF, nG, unprivileged access, writable. */
export function leaf(frame: number, level = 3, bits: Bits = {}): Word {
  return leafWord(BIT_AF | BIT_NG | BIT_UNPRIVILEGED, [frame, level], bits);
}

/** A stage-2 leaf: AF, readable, writable. */
export function leaf2(frame: number, level = 3, bits: Bits = {}): Word {
  return leafWord(BIT_AF | BIT_S2AP_READ | BIT_S2AP_WRITE, [frame, level], bits);
}

type SteFields = Partial<Record<keyof typeof STE, number>>;
type CdFields = Partial<Record<keyof typeof CD, number>>;

export function ste(fields: SteFields): Uint32Array {
  const words = new Uint32Array(16);
  for (const [name, value] of Object.entries(fields)) setField(words, STE[name as keyof typeof STE], value);
  return words;
}

export const ABORT = ste({ V: 1, Config: CONFIG_ABORT });
export const BYPASS = ste({ V: 1, Config: CONFIG_BYPASS });

/** Stage 1 with the `n`th CD of CD_SLOT. */
export function stage1(n: number, more: SteFields = {}): Uint32Array {
  return ste({ V: 1, Config: CONFIG_S1, S1ContextPtr: (RAM_BASE + CD_SLOT) * 64 + n, ...more });
}

function stage2Fields(root: number, vmid: number): SteFields {
  return { V: 1, S2VMID: vmid, S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2AA64: 1, S2R: 1, S2TTB: (RAM_BASE + root) * 256 };
}

export function stage2(root: number, vmid: number, more: SteFields = {}): Uint32Array {
  return ste({ ...stage2Fields(root, vmid), Config: CONFIG_S2, ...more });
}

export function nested(n: number, root: number, [vmid, more]: readonly [number, SteFields] = [0, {}]): Uint32Array {
  return ste({ ...stage2Fields(root, vmid), Config: CONFIG_NESTED, S1ContextPtr: (RAM_BASE + CD_SLOT) * 64 + n, ...more });
}

export function cd(asid: number, root: number, more: CdFields = {}): Uint32Array {
  const words = new Uint32Array(16);
  const fields = { V: 1, T0SZ: 25, EPD1: 1, IPS: 5, AA64: 1, A: 1, R: 1, ASID: asid, TTB0: (RAM_BASE + root) * 256, ...more };
  for (const [name, value] of Object.entries(fields)) setField(words, CD[name as keyof typeof CD], value);
  return words;
}

export function cmd(change: Partial<Command>): Command {
  return { ...newCommand(), ...change };
}

export const SYNC = cmd({ op: OP.SYNC });
export const NSNH_ALL = cmd({ op: OP.TLBI_NSNH_ALL });
export const EL2_ALL = cmd({ op: OP.TLBI_EL2_ALL });
export const CFGI_ALL = cmd({ op: OP.CFGI_STE_RANGE, range: 31 });
export const cfgiSte = (sid: number, leafOnly = 1): Command => cmd({ op: OP.CFGI_STE, sid, leaf: leafOnly });
export const cfgiCd = (sid: number, ssid = 0, leafOnly = 1): Command => cmd({ op: OP.CFGI_CD, sid, ssid, leaf: leafOnly });
export const nhAll = (vmid = 0): Command => cmd({ op: OP.TLBI_NH_ALL, vmid });
export const nhAsid = (asid: number, vmid = 0): Command => cmd({ op: OP.TLBI_NH_ASID, asid, vmid });
export const nhVa = (asid: number, frame: number, change: Partial<Command> = {}): Command => cmd({ op: OP.TLBI_NH_VA, asid, frame, ...change });
export const s2Ipa = (vmid: number, frame: number, change: Partial<Command> = {}): Command => cmd({ op: OP.TLBI_S2_IPA, vmid, frame, ...change });
export const s12 = (vmid: number): Command => cmd({ op: OP.TLBI_S12_VMALL, vmid });
export const atcInv = (sid: number, change: Partial<Command> = {}): Command => cmd({ op: OP.ATC_INV, sid, size: 52, ...change });

export interface Setup extends Partial<Features> {
  readonly e2h?: boolean;
  readonly recordUnknown?: boolean;
  readonly recordAts?: boolean;
  readonly atsChk?: boolean;
  readonly vmw?: number;
  readonly strictReserved?: boolean;
  /** 0: linear. */
  readonly split?: number;
  readonly streamsLog2?: number;
  readonly streamSlot?: number;
}

const CLASSES = ['CD', 'TT', 'IN'];

/** An answer in a few words: `ok 10`, `ok 10 rw` (ATS), `F_TRANSLATION`, `F_ACCESS s2 TT 5`, `abort`, `none`, `ur F_BAD_ATS_TREQ`, `ca`. Frames in hex. */
export function words(a: Answer, ats: boolean): string {
  const event = a.event === 0 ? '' : ` ${eventName(a.event) ?? a.event}`;
  switch (a.kind) {
    case OUTCOME_OK: return `ok ${a.frame.toString(16)}${ats ? ` ${a.canRead ? 'r' : ''}${a.canWrite ? 'w' : ''}` : ''}`;
    case OUTCOME_FAULT: return `${event.slice(1)}${a.stage2 !== 0 ? ` s2 ${CLASSES[a.class] ?? ''} ${a.ipa.toString(16)}` : a.class === 2 ? '' : ` ${CLASSES[a.class] ?? ''}`}`;
    case OUTCOME_ABORT: return 'abort';
    case ANSWER_NONE: return 'none';
    default: return `${a.kind === ANSWER_CA ? 'ca' : 'ur'}${event}`;
  }
}

export class Rig {
  readonly memory = new Memory(new Journal(), SLOTS);
  readonly machine: ReferenceMachine;
  readonly prods: number[] = [0, 0];
  readonly setup: Setup;
  readonly features: Features;

  constructor(setup: Setup = {}) {
    this.setup = setup;
    const { e2h, recordUnknown, recordAts, strictReserved, split, streamsLog2, streamSlot } = setup;
    this.features = { ...FULL_FEATURES, ...setup };
    const config: MachineConfig = { features: this.features, tlbEntries: 64, mergeRuns: true, strictReserved: strictReserved ?? true };
    this.machine = new ReferenceMachine(this.memory, config);
    const write = (offset: number, value: number): void => { this.machine.writeRegister(offset, value); };
    const log2 = streamsLog2 ?? STREAMS_LOG2;
    write(REG.STRTAB_BASE, (RAM_BASE + (streamSlot ?? STREAM_SLOT)) * 4096);
    write(REG.STRTAB_BASE_CFG, split === undefined ? strtabLinear(log2) : strtabTwoLevel(log2, split));
    write(REG.CR2, (e2h === true ? CR2_E2H : 0) | (recordUnknown === false ? 0 : CR2_RECINVSID) | (recordAts === true ? CR2_REC_CFG_ATS : 0));
    write(REG.CMDQ_BASE, queueBase((RAM_BASE + QUEUE_SLOT) * 4096, QUEUE_LOG2));
    if (this.features.extraQueues > 0) write(extraQueue(0, this.features.extraQueues), queueBase((RAM_BASE + EXTRA_SLOT) * 4096, QUEUE_LOG2));
    write(REG.CR0, this.cr0(false));
    if (this.features.extraQueues > 0) write(extraQueue(0, this.features.extraQueues) + EXTRA_PROD, EXTRA_ENABLE);
  }

  cr0(enabled: boolean): number {
    return CR0_CMDQEN | (enabled ? CR0_SMMUEN : 0) | (this.setup.atsChk === true ? CR0_ATSCHK : 0) | cr0Vmw(this.setup.vmw ?? 0);
  }

  enable(on = true): void {
    this.machine.writeRegister(REG.CR0, this.cr0(on));
  }

  /** Clean caches, SMMUEN. */
  start(): this {
    this.batch(CFGI_ALL);
    this.batch(NSNH_ALL, ...(this.features.hyp ? [EL2_ALL] : []));
    this.enable();
    return this;
  }

  store(ref: number, word: Word): void {
    this.memory.commit(ref, word.lo, word.hi);
  }

  put(slot: number, index: number, word: Word): void {
    this.store(slot * 512 + index, word);
  }

  clear(slot: number, index: number): void {
    this.put(slot, index, ZERO);
  }

  /** Eight words from `ref` on, the last first, so that V goes last. */
  structure(ref: number, w: Uint32Array): void {
    for (let i = 7; i >= 0; i -= 1) this.store(ref + i, { lo: w[2 * i] as number, hi: w[2 * i + 1] as number });
  }

  /** One word of a structure. */
  word(ref: number, w: Uint32Array, i: number): void {
    this.store(ref + i, { lo: w[2 * i] as number, hi: w[2 * i + 1] as number });
  }

  ste(sid: number, w: Uint32Array): void { this.structure(STREAM_SLOT * 512 + sid * 8, w); }
  cd(n: number, w: Uint32Array): void { this.structure(CD_SLOT * 512 + n * 8, w); }

  /** A level-1 stream table descriptor: 2^(span-1) STEs at the start of `to`. */
  l1std(slot: number, index: number, [to, span]: readonly [number, number]): void {
    const address = (RAM_BASE + to) * 4096;
    this.put(slot, index, { lo: l1stdLow(address, span), hi: l1High(address) });
  }

  l1cd(slot: number, index: number, to: number): void {
    const address = (RAM_BASE + to) * 4096;
    this.put(slot, index, { lo: l1cdLow(address), hi: l1High(address) });
  }

  /** Writes commands to a queue and publishes them. */
  publish(queue: number, ...commands: readonly Command[]): void {
    for (const c of commands) this.write(queue, c);
    this.doorbell(queue);
  }

  write(queue: number, c: Command): void {
    const raw = new Uint32Array(4);
    encodeCommand(c, raw);
    this.raw(queue, raw);
  }

  raw(queue: number, raw: ArrayLike<number>): void {
    const slot = queue === 0 ? QUEUE_SLOT : EXTRA_SLOT;
    const prod = this.prods[queue] as number;
    const ref = slot * 512 + queueIndex(prod, QUEUE_LOG2) * 2;
    this.store(ref, { lo: raw[0] as number, hi: raw[1] as number });
    this.store(ref + 1, { lo: raw[2] as number, hi: raw[3] as number });
    this.prods[queue] = queueNext(prod, QUEUE_LOG2);
  }

  doorbell(queue: number): void {
    const prod = this.prods[queue] as number;
    if (queue === 0) this.machine.writeRegister(REG.CMDQ_PROD, prod);
    else this.machine.writeRegister(extraQueue(queue - 1, this.features.extraQueues) + EXTRA_PROD, prod + EXTRA_ENABLE);
  }

  /** Software reads CONS and sees everything consumed. */
  finish(queue = 0): void {
    this.machine.observe(queue, this.machine.consOf(queue).cons);
  }

  /** Commands and a SYNC on the main queue, seen to complete. */
  batch(...commands: readonly Command[]): void {
    this.publish(0, ...commands, SYNC);
    this.finish();
  }

  /** Every answer that may be given, each once, in order. */
  ask(t: Partial<Transaction>, mode: Mode = 'access'): string[] {
    const seen = new Set<string>();
    this.machine.permitted(mode, { ...newTransaction(), ...t }, (a) => {
      seen.add(words(a, mode === 'ats-request'));
      return false;
    });
    return [...seen].sort();
  }

  /** The same for a read of a frame through stream 0. */
  at(frame: number, sid = 0): string[] {
    return this.ask({ sid, frame });
  }
}

export const ROOT = FREE;
export const L2 = FREE + 1;
export const L3 = FREE + 2;
export const ROOT2 = FREE + 3;
export const L22 = FREE + 4;
export const L32 = FREE + 5;
/** Slots that stay free for tests. */
export const SPARE = FREE + 8;
export const ASID = 1;
export const VMID = 3;

/** Stage-1 tables: root[0] → L2, L2[0] → L3, L3[0] → `to`, L3[1] → `to` + 1. */
export function tables1(rig: Rig, to = 0x10): void {
  rig.put(ROOT, 0, table(L2));
  rig.put(L2, 0, table(L3));
  rig.put(L3, 0, leaf(to));
  rig.put(L3, 1, leaf(to + 1));
}

/** Stage-2 tables: RAM as it is; IPA 0x10 and 0x11 → `to`, `to` + 1. */
export function tables2(rig: Rig, to = 0x20): void {
  rig.put(ROOT2, RAM_ENTRY, leaf2(RAM_BASE, 1));
  rig.put(ROOT2, 0, table(L22));
  rig.put(L22, 0, table(L32));
  rig.put(L32, 0x10, leaf2(to));
  rig.put(L32, 0x11, leaf2(to + 1));
}

function others(rig: Rig): Rig {
  for (let sid = 1; sid < 2 ** STREAMS_LOG2; sid += 1) rig.ste(sid, ABORT);
  return rig.start();
}

/** Tables of both stages and one CD; then what `build` adds (entries of streams), and last enabled: nothing is stale. */
export function started(setup: Setup, build: (rig: Rig) => void): Rig {
  const rig = new Rig(setup);
  tables1(rig);
  tables2(rig);
  rig.cd(0, cd(ASID, ROOT));
  build(rig);
  return rig.start();
}

/** Stream 0: stage 1, VA 0 → 0x10, VA 1 → 0x11. The other streams abort. Enabled, caches clean. */
export function connected(setup: Setup = {}): Rig {
  const rig = new Rig(setup);
  tables1(rig);
  rig.cd(0, cd(ASID, ROOT));
  rig.ste(0, stage1(0));
  return others(rig);
}

/** Stream 0: stage 2, IPA 0x10 → 0x20, 0x11 → 0x21. */
export function guarded(setup: Setup = {}): Rig {
  const rig = new Rig(setup);
  tables2(rig);
  rig.ste(0, stage2(ROOT2, VMID));
  return others(rig);
}

/** Stream 0: nested, VA 0 → IPA 0x10 → 0x20, VA 1 → IPA 0x11 → 0x21. */
export function nestedRig(setup: Setup = {}, more: SteFields = {}): Rig {
  const rig = new Rig(setup);
  tables1(rig);
  tables2(rig);
  rig.cd(0, cd(ASID, ROOT));
  rig.ste(0, nested(0, ROOT2, [VMID, more]));
  return others(rig);
}
