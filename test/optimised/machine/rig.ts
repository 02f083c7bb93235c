/**
 * Rig: one machine with its stream table, queues and pages, built by hand from raw words. Slots of the RAM window:
 * 0 stream table, 2..3 command queue, 4..5 event queue, from 6 on whatever `page` hands out.
 */
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { encodeCommand, newCommand, type Command } from '../../../src/spec/command.js';
import { descriptorHigh, leafLow, tableFrame, tableLow } from '../../../src/spec/descriptor.js';
import { decodeEvent, describeEvent } from '../../../src/spec/event.js';
import { levelIndex } from '../../../src/spec/granule.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, OVERFLOW_FLAG, queueBase, queueIndex, queueNext, REG, strtabLinear } from '../../../src/spec/register.js';
import { CONFIG_S1, STE } from '../../../src/spec/ste.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import type { MachineConfig } from '../../../src/stack/machine-world.js';
import { machineConfig } from '../../../src/stack/machine.js';
import { describeOutcome, newOutcome } from '../../../src/stack/outcome.js';
import { DEFAULT_SMMU, type SmmuConfig } from '../../../src/stack/world.js';
import { OptimisedMachine } from '../../../src/optimised/machine/machine.js';

export const ON = CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN;
export const COMMAND_SLOT = 2;
const EVENT_SLOT = 4;

export interface RigOptions {
  readonly config?: Partial<SmmuConfig>;
  /** A whole machine instead. */
  readonly machine?: MachineConfig;
  /** Bits of CR0 and CR2 besides the enables and RECINVSID. */
  readonly cr0?: number;
  readonly cr2?: number;
  /** STRTAB_BASE_CFG instead of a linear table. */
  readonly strtab?: number;
  readonly commandLog2?: number;
  readonly eventLog2?: number;
  readonly streamLog2?: number;
}

export interface LeafOptions {
  readonly level?: 1 | 2 | 3;
  readonly writable?: boolean;
}

export class Rig {
  readonly memory = new Memory(new Journal(), 128);
  readonly machine: OptimisedMachine;
  readonly commandLog2: number;
  readonly eventLog2: number;
  #next = 6;
  #eventCons = 0;
  #prod = 0;

  constructor(options: RigOptions = {}) {
    this.commandLog2 = options.commandLog2 ?? 8;
    this.eventLog2 = options.eventLog2 ?? 4;
    this.machine = new OptimisedMachine(this.memory, options.machine ?? machineConfig({ ...DEFAULT_SMMU, ...options.config }));
    if (options.cr2 !== undefined) this.machine.writeRegister(REG.CR2, options.cr2);
    this.machine.writeRegister(REG.STRTAB_BASE, RAM_BASE * 4096);
    this.machine.writeRegister(REG.STRTAB_BASE_CFG, options.strtab ?? strtabLinear(options.streamLog2 ?? 6));
    this.machine.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + COMMAND_SLOT) * 4096, this.commandLog2));
    this.machine.writeRegister(REG.EVENTQ_BASE, queueBase((RAM_BASE + EVENT_SLOT) * 4096, this.eventLog2));
    this.machine.writeRegister(REG.CR0, ON + (options.cr0 ?? 0));
  }

  /** Slot of a fresh page. */
  page(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  /** Writes a whole structure of 8 words. */
  structure(ref: number, words: Uint32Array): void {
    for (let i = 0; i < 8; i += 1) this.memory.commit(ref + i, words[2 * i] as number, words[2 * i + 1] as number);
  }

  /** Stage-1 STE of `sid` with its CD at the start of page `cdSlot`; `change` edits the words. */
  ste(sid: number, cdSlot: number, change: (words: Uint32Array) => void = () => undefined): void {
    const words = new Uint32Array(16);
    setField(words, STE.V, 1);
    setField(words, STE.Config, CONFIG_S1);
    setField(words, STE.S1ContextPtr, (RAM_BASE + cdSlot) * 64);
    change(words);
    this.structure(sid * 8, words);
  }

  /** Edits the STE of a stream in place. */
  restream(sid: number, change: (words: Uint32Array) => void): void {
    const words = new Uint32Array(16);
    for (let i = 0; i < 8; i += 1) {
      words[2 * i] = this.memory.lo[sid * 8 + i] as number;
      words[2 * i + 1] = this.memory.hi[sid * 8 + i] as number;
    }
    change(words);
    this.structure(sid * 8, words);
  }

  /** CD at the start of page `cdSlot` with its root table in page `rootSlot`, 48 input bits. */
  cd(cdSlot: number, asid: number, rootSlot: number, change: (words: Uint32Array) => void = () => undefined): void {
    const words = new Uint32Array(16);
    setField(words, CD.V, 1);
    setField(words, CD.T0SZ, 16);
    setField(words, CD.EPD1, 1);
    setField(words, CD.IPS, 4);
    setField(words, CD.AA64, 1);
    setField(words, CD.R, 1);
    setField(words, CD.A, 1);
    setField(words, CD.ASID, asid);
    setField(words, CD.TTB0, (RAM_BASE + rootSlot) * 256);
    change(words);
    this.structure(cdSlot * 512, words);
  }

  /** A stream with a CD and a root table of its own; returns the root's slot. */
  stream(sid: number, asid: number): number {
    const cdSlot = this.page();
    const root = this.page();
    this.ste(sid, cdSlot);
    this.cd(cdSlot, asid, root);
    return root;
  }

  /** Reference of the descriptor for `frame` at `level` under a level-0 root; missing tables are made. */
  descriptor(root: number, frame: number, level: number): number {
    let table = root;
    for (let at = 0; at < level; at += 1) {
      const ref = table * 512 + levelIndex(12, at, frame);
      if (this.memory.lo[ref] === 0) this.setTable(ref, this.page());
      table = tableFrame(this.memory.lo[ref] as number, this.memory.hi[ref] as number) - RAM_BASE;
    }
    return table * 512 + levelIndex(12, level, frame);
  }

  setTable(ref: number, slot: number): void {
    this.memory.commit(ref, tableLow(RAM_BASE + slot), descriptorHigh(RAM_BASE + slot));
  }

  /** Maps `frame` to `out`; returns the leaf's reference. */
  map(root: number, frame: number, out: number, options: LeafOptions = {}): number {
    const level = options.level ?? 3;
    const ref = this.descriptor(root, frame, level);
    this.memory.commit(ref, leafLow(out, level, options.writable ?? true), descriptorHigh(out));
    return ref;
  }

  clear(ref: number): void {
    this.memory.commit(ref, 0, 0);
  }

  read(sid: number, frame: number): string {
    const out = newOutcome();
    this.machine.access(sid, frame, false, out);
    return describeOutcome(out);
  }

  write(sid: number, frame: number): string {
    const out = newOutcome();
    this.machine.access(sid, frame, true, out);
    return describeOutcome(out);
  }

  /** Puts raw words into the command queue, without telling the machine. */
  place(words: Uint32Array): void {
    const ref = COMMAND_SLOT * 512 + queueIndex(this.#prod, this.commandLog2) * 2;
    this.memory.commit(ref, words[0] as number, words[1] as number);
    this.memory.commit(ref + 1, words[2] as number, words[3] as number);
    this.#prod = queueNext(this.#prod, this.commandLog2);
  }

  ring(): void {
    this.machine.writeRegister(REG.CMDQ_PROD, this.#prod);
  }

  command(fields: Partial<Command>): void {
    this.place(raw(fields));
    this.ring();
  }

  /** Every record written since the last call, in words; acknowledges them and any overflow. */
  events(): string[] {
    const prod = this.machine.readRegister(REG.EVENTQ_PROD);
    const pointer = prod % OVERFLOW_FLAG;
    const found: string[] = [];
    while (this.#eventCons !== pointer) {
      const ref = EVENT_SLOT * 512 + queueIndex(this.#eventCons, this.eventLog2) * 4;
      const words = new Uint32Array(8);
      for (let i = 0; i < 4; i += 1) {
        words[2 * i] = this.memory.lo[ref + i] as number;
        words[2 * i + 1] = this.memory.hi[ref + i] as number;
      }
      found.push(describeEvent(decodeEvent(words)));
      this.#eventCons = queueNext(this.#eventCons, this.eventLog2);
    }
    this.machine.writeRegister(REG.EVENTQ_CONS, prod);
    return found;
  }
}

/** The four words of a command. */
export function raw(fields: Partial<Command>): Uint32Array {
  const words = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...fields }, words);
  return words;
}
