/**
 * WholeRig: a rig with every feature, and streams of both stages on it. Stage 2 here has the 4 KB granule, 39 input bits and one tree for all: RAM
 * is mapped to itself by a block of 1 GB, and other IPAs by pages as tests ask.
 */
import { setField } from '../../../src/spec/bits.js';
import { BIT_AF, BIT_S2AP_READ, BIT_S2AP_WRITE, descriptorHigh, tableFrame, tableLow } from '../../../src/spec/descriptor.js';
import { decodeFault, describeFault, newFault } from '../../../src/spec/event.js';
import { FULL_FEATURES, type Features } from '../../../src/spec/features.js';
import { levelIndex } from '../../../src/spec/granule.js';
import { CR2_RECINVSID, OVERFLOW_FLAG, REG } from '../../../src/spec/register.js';
import { CONFIG_NESTED, CONFIG_S2, STE } from '../../../src/spec/ste.js';
import { RAM_BASE } from '../../../src/memory/memory.js';
import type { MachineConfig } from '../../../src/stack/machine-world.js';
import { OUTCOME_ABORT, OUTCOME_OK } from '../../../src/stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, newAnswer, newTransaction, type Answer, type CachedEntry, type Transaction } from '../../../src/stack/transaction.js';
import { eventName } from '../../../src/spec/event.js';
import { Rig, type RigOptions } from './rig.js';

export const S2_RW = BIT_AF | BIT_S2AP_READ | BIT_S2AP_WRITE;
const S2_BLOCK = 1;
const S2_PAGE = 3;

export interface WholeOptions extends Omit<RigOptions, 'machine' | 'config'> {
  readonly features?: Partial<Features>;
  readonly machine?: Partial<MachineConfig>;
}

export class WholeRig extends Rig {
  /** Slot of the stage-2 root (level 1). */
  readonly root2: number;

  constructor(options: WholeOptions = {}) {
    const features = { ...FULL_FEATURES, sidBits: 10, ...options.features };
    super({
      cr2: CR2_RECINVSID, ...options,
      machine: { tlbEntries: 256, mergeRuns: false, strictReserved: true, ...options.machine, features },
    });
    this.root2 = this.page();
    this.memory.commit(this.root2 * 512 + RAM_BASE / 2 ** 18, (S2_RW | S2_BLOCK) >>> 0, RAM_BASE / 2 ** 20);
  }

  /** Reference of the stage-2 descriptor of `ipa` (frame) at `level`; missing tables are made. */
  descriptor2(ipa: number, level: number): number {
    let table = this.root2;
    for (let at = 1; at < level; at += 1) {
      const ref = table * 512 + levelIndex(12, at, ipa);
      if (this.memory.lo[ref] === 0) this.setTable(ref, this.page());
      table = tableFrame(this.memory.lo[ref] as number, this.memory.hi[ref] as number) - RAM_BASE;
    }
    return table * 512 + levelIndex(12, level, ipa);
  }

  /** Maps IPA frame to PA frame with a page; returns the reference. */
  map2(ipa: number, pa: number, attributes = S2_RW, hi = 0): number {
    const ref = this.descriptor2(ipa, 3);
    this.memory.commit(ref, (tableLow(pa) & ~3 | attributes | S2_PAGE) >>> 0, descriptorHigh(pa) + hi);
    return ref;
  }

  /** Edits an STE so that it has stage 2. */
  second(words: Uint32Array, vmid: number, config = CONFIG_NESTED): void {
    for (const [f, v] of [[STE.Config, config], [STE.S2VMID, vmid], [STE.S2T0SZ, 25], [STE.S2SL0, 1], [STE.S2PS, 4], [STE.S2AA64, 1], [STE.S2R, 1], [STE.S2TTB, (RAM_BASE + this.root2) * 256]] as const) setField(words, f, v);
  }

  /** A stream of both stages; returns the root of stage 1. */
  nested(sid: number, asid: number, vmid: number, change: (ste: Uint32Array) => void = () => undefined): number {
    const cdSlot = this.page();
    const root = this.page();
    this.ste(sid, cdSlot, (words) => {
      this.second(words, vmid);
      change(words);
    });
    this.cd(cdSlot, asid, root);
    return root;
  }

  stage2Only(sid: number, vmid: number, change: (ste: Uint32Array) => void = () => undefined): void {
    this.ste(sid, 0, (words) => {
      this.second(words, vmid, CONFIG_S2);
      change(words);
    });
  }

  send(sid: number, frame: number, change: Partial<Transaction> = {}): Answer {
    const out = newAnswer();
    this.machine.transact({ ...newTransaction(), sid, frame, ...change }, out);
    return out;
  }

  /** The answer in words: a frame, or the event with stage, class and IPA. */
  ask(sid: number, frame: number, change: Partial<Transaction> = {}): string {
    return say(this.send(sid, frame, change));
  }

  request(sid: number, frame: number, change: Partial<Transaction> = {}): string {
    const out = newAnswer();
    this.machine.atsRequest({ ...newTransaction(), sid, frame, ...change }, out);
    return out.kind === OUTCOME_OK ? `${out.frame.toString(16)} ${out.canRead ? 'r' : ''}${out.canWrite ? 'w' : ''}`.trim() : say(out);
  }

  use(sid: number, frame: number, change: Partial<Transaction> = {}): string {
    const out = newAnswer();
    this.machine.translated({ ...newTransaction(), sid, frame, ...change }, out);
    return say(out);
  }

  /** Every record with its whole payload, from the first of the queue on. */
  records(): string[] {
    const found: string[] = [];
    const end = this.machine.readRegister(REG.EVENTQ_PROD) % OVERFLOW_FLAG;
    for (let i = 0; i < end; i += 1) {
      const words = new Uint32Array(8);
      for (let w = 0; w < 4; w += 1) {
        words[2 * w] = this.memory.lo[4 * 512 + i * 4 + w] as number;
        words[2 * w + 1] = this.memory.hi[4 * 512 + i * 4 + w] as number;
      }
      found.push(describeFault(decodeFault(words, 0, newFault())));
    }
    return found;
  }

  cached(): CachedEntry[] {
    const all: CachedEntry[] = [];
    this.machine.forEachCached((e) => all.push({ ...e }));
    return all;
  }
}

export function say(out: Answer): string {
  switch (out.kind) {
    case OUTCOME_OK: return out.frame.toString(16);
    case OUTCOME_ABORT: return 'abort';
    case ANSWER_NONE: return 'none';
    case ANSWER_UR: return 'ur';
    case ANSWER_CA: return 'ca';
    default: return `${eventName(out.event) ?? ''}${out.stage2 !== 0 ? ` s2 class ${out.class} ipa ${out.ipa.toString(16)}` : out.class !== 2 ? ` class ${out.class}` : ''}`;
  }
}
