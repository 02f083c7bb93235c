/**
 * ControlRig: the register file and its queues with a unit that only takes notes. Slots of the RAM window: 1 event queue,
 * 2 command queue, 3 and on one page for each further command queue; 10 and 11 are free.
 */
import { commandName, describeCommand, encodeCommand, newCommand, OP, type Command } from '../../../src/spec/command.js';
import { CLASS_IN, EVENT, newFault, type FaultRecord } from '../../../src/spec/event.js';
import { FULL_FEATURES, type Features } from '../../../src/spec/features.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, EXTRA_CONS, EXTRA_ENABLE, EXTRA_ERROR, EXTRA_PROD, extraQueue, queueBase, queueIndex, queueNext, REG } from '../../../src/spec/register.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { Control, type Unit } from '../../../src/optimised/machine/control.js';
import type { EventTiming } from '../../../src/optimised/machine/events.js';

export const ON = CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN;
export const EVENT_SLOT = 1;
export const COMMAND_SLOT = 2;
export const FREE_SLOT = 10;
/** Byte address of a slot of RAM, and of a frame where there is none. */
export const ram = (slot: number): number => (RAM_BASE + slot) * 4096;
export const NOWHERE = 0x40000000;

/** Offsets of the registers of further queue 1 or 2 (of two). */
export function extra(n: number): { base: number; prod: number; cons: number } {
  const base = extraQueue(n - 1, 2);
  return { base, prod: base + EXTRA_PROD, cons: base + EXTRA_CONS };
}

export interface ControlOptions {
  readonly features?: Partial<Features>;
  readonly strictReserved?: boolean;
  readonly commandLog2?: number;
  readonly eventLog2?: number;
  readonly timing?: EventTiming;
  /** Address of the main command queue and of the event queue; CR0 after reset. */
  readonly commands?: number;
  readonly events?: number;
  readonly cr0?: number;
}

export class ControlRig implements Unit {
  readonly memory = new Memory(new Journal(), 16);
  readonly control: Control;
  readonly commandLog2: number;
  /** What the unit was given: commands in words, and `configured` with the values. */
  readonly log: string[] = [];
  /** StreamIDs whose ATC_INV times out. */
  readonly silent = new Set<number>();
  readonly #prods = [0, 0, 0];

  constructor(options: ControlOptions = {}) {
    this.commandLog2 = options.commandLog2 ?? 4;
    const features = { ...FULL_FEATURES, extraQueues: 2, ...options.features };
    this.control = new Control(this.memory, { features, tlbEntries: 16, mergeRuns: false, strictReserved: options.strictReserved ?? false }, this, options.timing);
    this.write(REG.CMDQ_BASE, queueBase(options.commands ?? ram(COMMAND_SLOT), this.commandLog2));
    this.write(REG.EVENTQ_BASE, queueBase(options.events ?? ram(EVENT_SLOT), options.eventLog2 ?? 2));
    for (let n = 1; n <= features.extraQueues; n += 1) {
      this.write(extra(n).base, queueBase(ram(COMMAND_SLOT + n), this.commandLog2));
      this.write(extra(n).prod, EXTRA_ENABLE);
    }
    this.write(REG.CR0, options.cr0 ?? ON);
    this.log.length = 0;
  }

  /** Unit. */
  execute(c: Command): boolean {
    this.log.push(describeCommand(c));
    return !(c.op === OP.ATC_INV && this.silent.has(c.sid));
  }

  configured(strtabBase: number, strtabCfg: number, cr0: number, cr2: number, gbpaAbort: boolean): void {
    this.log.push(`configured ${[strtabBase, strtabCfg, cr0, cr2].map((v) => v.toString(16)).join(' ')} ${gbpaAbort ? 'abort' : 'bypass'}`);
  }

  write(offset: number, value: number): void {
    this.control.writeRegister(offset, value);
  }

  read(offset: number): number {
    return this.control.readRegister(offset);
  }

  /** Puts a command into queue `n` (0: the main one) without telling the SMMU; returns the reference of its entry. */
  place(fields: Partial<Command>, n = 0): number {
    return this.placeWords(words(fields), n);
  }

  placeWords(raw: Uint32Array, n = 0): number {
    const prod = this.#prods[n] as number;
    const ref = (COMMAND_SLOT + n) * 512 + queueIndex(prod, this.commandLog2) * 2;
    this.rewrite(ref, raw);
    this.#prods[n] = queueNext(prod, this.commandLog2);
    return ref;
  }

  rewrite(ref: number, raw: Uint32Array): void {
    this.memory.commit(ref, raw[0] as number, raw[1] as number);
    this.memory.commit(ref + 1, raw[2] as number, raw[3] as number);
  }

  /** Writes PROD of queue `n`; a further queue stays enabled, its acknowledgement as it was. */
  ring(n = 0): void {
    const prod = this.#prods[n] as number;
    if (n === 0) {
      this.write(REG.CMDQ_PROD, prod);
      return;
    }
    const at = extra(n).prod;
    this.write(at, EXTRA_ENABLE + (Math.floor(this.read(at) / EXTRA_ERROR) % 2) * EXTRA_ERROR + prod);
  }

  command(fields: Partial<Command>, n = 0): void {
    this.place(fields, n);
    this.ring(n);
  }

  /** Opcodes that the unit was given since the last call. */
  took(): string[] {
    return this.log.splice(0).map((line) => line.split(' ')[0] as string);
  }

  /** Index in the main queue and reason. */
  cons(): { rd: number; reason: number } {
    const value = this.read(REG.CMDQ_CONS);
    return { rd: value % 2 ** 20, reason: Math.floor(value / 2 ** 24) };
  }

  /** Is this GERROR bit active? */
  active(bit: number): boolean {
    return ((this.read(REG.GERROR) ^ this.read(REG.GERRORN)) & bit) !== 0;
  }

  /** GERRORN := GERROR. */
  acknowledge(): void {
    this.write(REG.GERRORN, this.read(REG.GERROR));
  }

  /** C_BAD_STE of `sid`. */
  record(sid: number): void {
    this.control.record(badSte(sid));
  }

  /** StreamIDs of the first `n` slots of the event queue. */
  sids(n: number): number[] {
    return Array.from({ length: n }, (_, i) => this.memory.hi[EVENT_SLOT * 512 + i * 4] as number);
  }
}

export function badSte(sid: number): FaultRecord {
  return { ...newFault(), type: EVENT.C_BAD_STE, sid, class: CLASS_IN };
}

/** The four words of a command. */
export function words(fields: Partial<Command>): Uint32Array {
  const raw = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...fields }, raw);
  return raw;
}

export function nameOf(op: number): string {
  return commandName(op) ?? 'unknown';
}
