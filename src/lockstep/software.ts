/**
 * Software: the little that raw machine sequences need of a driver, for one SMMU: where its queues are, the next
 * PROD of each, the boot sequence of IHI 0070 §3.11 and §6.3.9, and the acknowledgement of command errors (§7.1). What
 * it knows of a queue is what it read back from the registers, so that raw register writes do not lead it astray.
 */
import { encodeCommand, newCommand, OP, type Command } from '../spec/command.js';
import {
  CR0_ATSCHK, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, CR2_E2H, CR2_REC_CFG_ATS, CR2_RECINVSID, cr0Vmw, queueAddress, queueBase, queueIndex, queueLog2, queueNext,
  queuePointer, queueUsed, REG, strtabLinear, strtabTwoLevel,
} from '../spec/register.js';
import type { Features } from '../spec/features.js';
import type { Boot } from '../stack/machine-world.js';
import type { RegisterPort } from '../stack/machine.js';
import { extraRegisters, mainRegisters, type QueueRegisters } from './queue-registers.js';

export const COMMAND_BYTES = 16;

/** One command queue as software sees it. */
export interface QueueView {
  readonly registers: QueueRegisters;
  known: boolean;
  /** Bytes. */
  base: number;
  log2: number;
  prod: number;
  /** CONS as last seen. */
  cons: number;
}

/** What software needs of the world around it. */
export interface Surroundings {
  readonly port: RegisterPort;
  /** A store by software, visible at once; false: the address is outside of RAM. */
  store(address: number, lo: number, hi: number): boolean;
  /** Software looked at CONS of a queue. */
  observed(queue: number, cons: number): void;
}

export class Software {
  readonly features: Features;
  readonly queues: readonly QueueView[];
  readonly #around: Surroundings;
  readonly #words = new Uint32Array(4);

  constructor(features: Features, around: Surroundings) {
    this.features = features;
    this.#around = around;
    const registers = [mainRegisters(), ...Array.from({ length: features.extraQueues }, (_, i) => extraRegisters(i, features.extraQueues))];
    this.queues = registers.map((r) => ({ registers: r, known: false, base: 0, log2: 0, prod: 0, cons: 0 }));
  }

  write(offset: number, value: number): void {
    this.#around.port.writeRegister(offset, value);
    for (const q of this.queues) if (offset === q.registers.base || offset === q.registers.prod || offset === q.registers.cons) this.#readBack(q);
  }

  #readBack(q: QueueView): void {
    const { port } = this.#around;
    const base = port.readRegister(q.registers.base);
    q.log2 = queueLog2(base, this.features.commandLog2);
    q.base = queueAddress(base, q.log2, COMMAND_BYTES);
    q.prod = queuePointer(port.readRegister(q.registers.prod)) % 2 ** (q.log2 + 1);
    q.cons = queuePointer(port.readRegister(q.registers.cons)) % 2 ** (q.log2 + 1);
    q.known = true;
  }

  /** Looks at CONS: SYNCs before it are complete for software from now on. */
  look(queue: number): number {
    const q = this.queues[queue] as QueueView;
    const cons = queuePointer(this.#around.port.readRegister(q.registers.cons));
    this.#around.observed(queue, cons); // who judges it compares it with what was seen before
    q.cons = cons;
    return cons;
  }

  /** Byte address of the entry at a pointer. */
  entryAddress(q: QueueView, pointer: number): number {
    return q.base + queueIndex(pointer, q.log2) * COMMAND_BYTES;
  }

  /** Writes one entry and publishes it; or why not. */
  submit(queue: number, words: ArrayLike<number>): string | null {
    const q = this.queues[queue];
    if (q === undefined) return 'there is no such queue';
    if (!q.known) return 'the queue is not set up';
    if (queueUsed(q.prod, q.cons, q.log2) >= 2 ** q.log2) {
      this.look(queue);
      if (queueUsed(q.prod, q.cons, q.log2) >= 2 ** q.log2) return 'no room';
    }
    const at = this.entryAddress(q, q.prod);
    if (!this.#around.store(at, words[0] as number, words[1] as number)) return 'the queue is outside of RAM';
    this.#around.store(at + 8, words[2] as number, words[3] as number);
    const next = queueNext(q.prod, q.log2);
    this.#around.port.writeRegister(q.registers.prod, q.registers.prodValue(next, this.#around.port));
    q.prod = next;
    return null;
  }

  command(queue: number, fields: Partial<Command>): string | null {
    encodeCommand({ ...newCommand(), ...fields }, this.#words);
    return this.submit(queue, this.#words);
  }

  /** Is everything that was published consumed? Looks at CONS. */
  drained(queue: number): boolean {
    const q = this.queues[queue] as QueueView;
    return this.look(queue) === q.prod;
  }

  /** CMD_SYNC, and looks at CONS once. */
  sync(queue: number): string | null {
    const refused = this.command(queue, { op: OP.SYNC });
    if (refused !== null) return refused;
    return this.drained(queue) ? null : 'it is not consumed';
  }

  /** Registers and commands in the recommended order (§3.11). Returns what did not work, or null. */
  boot(b: Boot): string | null {
    const { features } = this;
    if (this.#around.port.readRegister(REG.CR0) !== 0) this.write(REG.CR0, 0);
    this.write(REG.CR1, 0xd75); // write-back cacheable, inner shareable, for tables and queues
    this.write(REG.CR2, (b.e2h ? CR2_E2H : 0) | (b.recordUnknown ? CR2_RECINVSID : 0) | (b.recordAts ? CR2_REC_CFG_ATS : 0));
    this.write(REG.STRTAB_BASE, b.streams);
    this.write(REG.STRTAB_BASE_CFG, b.split === 0 ? strtabLinear(b.streamsLog2) : strtabTwoLevel(b.streamsLog2, b.split));
    this.#bootQueues(b);
    const problems: string[] = [];
    const step = (refused: string | null): void => { if (refused !== null) problems.push(refused); };
    const skip = new Set(b.skip);
    if (!skip.has('cfgi-all')) step(this.command(0, { op: OP.CFGI_STE_RANGE, range: 31 }));
    if (!skip.has('cfgi-all')) step(this.sync(0)); // §4.3.6: configuration first
    if (!skip.has('tlbi-el2') && features.hyp) step(this.command(0, { op: OP.TLBI_EL2_ALL }));
    if (!skip.has('tlbi-all')) step(this.command(0, { op: OP.TLBI_NSNH_ALL }));
    step(this.sync(0));
    const on = CR0_CMDQEN | CR0_EVENTQEN | (b.atsChk ? CR0_ATSCHK : 0) | cr0Vmw(features.vmidWildcard ? b.vmw : 0);
    this.write(REG.CR0, on);
    if (!skip.has('enable')) this.write(REG.CR0, on | CR0_SMMUEN);
    return problems[0] ?? null;
  }

  #bootQueues(b: Boot): void {
    this.write(REG.CMDQ_BASE, queueBase(b.commands, b.commandsLog2));
    this.write(REG.CMDQ_PROD, 0);
    this.write(REG.CMDQ_CONS, 0);
    this.write(REG.EVENTQ_BASE, queueBase(b.events, b.eventsLog2));
    this.write(REG.EVENTQ_PROD, 0);
    this.write(REG.EVENTQ_CONS, 0);
    this.write(REG.CR0, CR0_CMDQEN);
    if (b.extra === 0) return;
    this.queues.slice(1).forEach((q, i) => { q.registers.setUp((offset, value) => { this.write(offset, value); }, queueBase(b.extra + i * 4096, b.commandsLog2)); });
  }

  /** Acknowledges an active command error; `fix`: a CMD_SYNC replaces the failed entry first (§7.1). */
  acknowledge(queue: number, fix: boolean): string | null {
    const q = this.queues[queue];
    if (q === undefined) return 'there is no such queue';
    if (!q.known) return 'the queue is not set up';
    const { port } = this.#around;
    if (!q.registers.failed(port)) return 'no command error is active';
    if (fix) {
      const at = this.entryAddress(q, queuePointer(port.readRegister(q.registers.cons)));
      encodeCommand({ ...newCommand(), op: OP.SYNC }, this.#words);
      if (!this.#around.store(at, this.#words[0] as number, this.#words[1] as number)) return 'the queue is outside of RAM';
      this.#around.store(at + 8, this.#words[2] as number, this.#words[3] as number);
    }
    q.registers.acknowledge(port, q.prod);
    return null;
  }
}
