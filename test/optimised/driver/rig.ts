/**
 * Rig: the optimised driver alone, before SMMUs that only keep what they are told: registers, and every command that
 * PROD publishes, decoded. CONS follows PROD at once, or as slowly as a test asks.
 */
import { registersOf } from '../../../src/spec/features.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE, WORDS_PER_FRAME } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { OptimisedDriver, ownParts, type Form } from '../../../src/optimised/driver/driver.js';
import type { Context, DriverObserver, Parts } from '../../../src/optimised/driver/types.js';
import { decodeWords, describeCommand, newCommand, type Command } from '../../../src/spec/command.js';
import { queueIndex, queueNext, queueUsed, REG } from '../../../src/spec/register.js';
import { machineConfig, systemMachineConfig, type RegisterPort } from '../../../src/stack/machine.js';
import type { Operation, Prot, Result, Target } from '../../../src/stack/operation.js';
import { runSteps } from '../../../src/stack/steps.js';
import type { SystemOperation, SystemResult, SystemSmmu, SystemWorld } from '../../../src/stack/system.js';
import { DEFAULT_SMMU, smallWorld, type SmmuConfig, type World } from '../../../src/stack/world.js';

/** Registers and commands of one SMMU. */
export class FakeSmmu implements RegisterPort {
  readonly registers = new Map<number, number>();
  readonly writes: [offset: number, value: number][] = [];
  readonly commands: Command[] = [];
  /** Lists as they were published: commands between two writes of PROD. */
  readonly lists: string[][] = [];
  /** Entries that CONS moves at each reading; Infinity: all at once. */
  speed = Infinity;
  /** Most entries ever in the queue. */
  fullest = 0;
  /** Called for each command, before the next one is looked at. */
  seen: ((command: Command) => void) | null = null;
  /** Called with each list. */
  published: ((list: readonly string[]) => void) | null = null;
  readonly #memory: Memory;

  constructor(memory: Memory, config: SmmuConfig, beyond?: SystemSmmu) {
    this.#memory = memory;
    const ids = registersOf((beyond === undefined ? machineConfig(config) : systemMachineConfig(config, beyond)).features);
    for (const [offset, value] of [[REG.IDR0, ids.idr0], [REG.IDR1, ids.idr1], [REG.IDR3, ids.idr3], [REG.IDR5, ids.idr5], [REG.IIDR, ids.iidr]] as const) this.registers.set(offset, value);
  }

  writeRegister(offset: number, value: number): void {
    const before = this.readRaw(offset);
    this.registers.set(offset, value);
    this.writes.push([offset, value]);
    if (offset === REG.CMDQ_PROD) this.#publish(before, value);
  }

  readRaw(offset: number): number {
    return this.registers.get(offset) ?? 0;
  }

  readRegister(offset: number): number {
    if (offset !== REG.CMDQ_CONS) return this.readRaw(offset);
    const log2 = this.readRaw(REG.CMDQ_BASE) % 32;
    const cons = this.readRaw(REG.CMDQ_CONS);
    const used = queueUsed(this.readRaw(REG.CMDQ_PROD), cons, log2);
    const next = queueNext(cons, log2, Math.min(used, this.speed));
    this.registers.set(REG.CMDQ_CONS, next);
    return next;
  }

  #publish(from: number, to: number): void {
    const base = this.readRaw(REG.CMDQ_BASE);
    const log2 = base % 32;
    const first = (Math.floor(base / 4096) - RAM_BASE) * WORDS_PER_FRAME;
    const list: string[] = [];
    this.fullest = Math.max(this.fullest, queueUsed(to, this.readRaw(REG.CMDQ_CONS), log2));
    for (let p = from; p !== to; p = queueNext(p, log2)) {
      const ref = first + queueIndex(p, log2) * 2;
      const { lo, hi } = this.#memory;
      const command = decodeWords(lo[ref] as number, hi[ref] as number, lo[ref + 1] as number, hi[ref + 1] as number, newCommand());
      this.commands.push(command);
      list.push(describeCommand(command));
      this.seen?.(command);
    }
    if (list.length === 0) return;
    this.lists.push(list);
    this.published?.(list);
  }
}

export interface RigOptions {
  readonly form?: Form;
  readonly observer?: DriverObserver;
  readonly parts?: (own: Parts) => Parts;
  readonly boot?: boolean;
  /** What the world has beyond stage 1; the rig's world is its base. */
  readonly system?: SystemWorld;
}

export class DriverRig {
  readonly journal = new Journal();
  readonly memory = new Memory(this.journal);
  readonly pages = new Pages(this.memory);
  readonly smmus: readonly FakeSmmu[];
  readonly driver: OptimisedDriver;
  readonly form: Form;
  /** Everything outside of memory in its order: lists of commands as `0: A, B, SYNC`, and ATS of endpoints as `ATS 0 on`. */
  readonly trace: string[] = [];

  constructor(world: World = smallWorld(), options: RigOptions = {}) {
    this.form = options.form ?? 'plain';
    this.smmus = world.smmus.map((config, i) => new FakeSmmu(this.memory, config, options.system?.smmus[i]));
    this.smmus.forEach((s, i) => { s.published = (list) => { this.trace.push(`${i}: ${list.join(', ')}`); }; });
    const own = ownParts(this.form);
    this.driver = new OptimisedDriver({
      world, pages: this.pages, journal: this.journal, ports: this.smmus,
      parts: options.parts?.(own) ?? own, observer: options.observer ?? null,
      ...(options.system === undefined ? {} : { system: options.system }), endpoints: { setAts: (device, on) => { this.trace.push(`ATS ${device} ${on ? 'on' : 'off'}`); } },
    });
    if (options.boot !== false) this.driver.boot();
    this.forget();
  }

  get ctx(): Context {
    return this.driver.context;
  }

  /** What was issued so far is of no interest. */
  forget(): void {
    this.trace.length = 0;
    for (const s of this.smmus) {
      s.commands.length = 0;
      s.lists.length = 0;
      s.writes.length = 0;
    }
  }

  run(op: Operation): Result {
    return this.form === 'plain' ? this.driver.run(op) : runSteps(this.driver.steps(this.ctx, op));
  }

  /** Any operation of a system world. */
  does(op: SystemOperation): SystemResult {
    return this.form === 'plain' ? this.driver.runSystem(op) : runSteps(this.driver.systemSteps(this.ctx, op));
  }

  /** What the operation made the driver say, as `trace`; throws when it was refused. */
  says(op: SystemOperation): string[] {
    this.forget();
    const { code } = this.does(op);
    if (code !== 'ok') throw new Error(`${op.op}: ${code}`);
    return [...this.trace];
  }

  map(iova: number, pa: number, size: number, prot: Prot = 'rw', domain = 0): Result {
    return this.run({ op: 'map', domain, iova, pa, size, prot });
  }

  unmap(iova: number, size: number, domain = 0): Result {
    return this.run({ op: 'unmap', domain, iova, size });
  }

  sync(domain = 0): Result {
    return this.run({ op: 'sync', domain });
  }

  attach(to: Target = 0, device = 0): Result {
    return this.run({ op: 'attach', device, to });
  }

  detach(device = 0): Result {
    return this.run({ op: 'detach', device });
  }

  /** Output address in bytes of a domain's mapping, or -1. */
  lookup(iova: number, domain = 0): number {
    const frame = this.driver.lookup(domain, iova / 4096);
    return frame < 0 ? -1 : frame * 4096;
  }

  /** Commands of one SMMU since the last `forget`, in words. */
  said(smmu = 0): string[] {
    return (this.smmus[smmu] as FakeSmmu).commands.map(describeCommand);
  }

  /** Tables of all domains that are in use, the roots among them. */
  tables(): number {
    let n = 0;
    for (let slot = 0; slot < this.memory.slots; slot += 1) if (this.pages.ownerOf(slot) === 'table') n += 1;
    return n;
  }

  /** Every word of memory, and every pending store. */
  snapshot(): { readonly lo: Uint32Array; readonly hi: Uint32Array; readonly pending: string } {
    return { lo: this.memory.lo.slice(), hi: this.memory.hi.slice(), pending: this.ctx.cpu.pendingKey() };
  }

  /** References of the words that are not as they were. */
  changedSince(before: { readonly lo: Uint32Array; readonly hi: Uint32Array }): number[] {
    const { lo, hi } = this.memory;
    const changed: number[] = [];
    for (let i = 0; i < lo.length; i += 1) if (lo[i] !== (before.lo[i] ?? 0) || hi[i] !== (before.hi[i] ?? 0)) changed.push(i);
    return changed;
  }
}

export function smmu(change: Partial<SmmuConfig> = {}): SmmuConfig {
  return { ...DEFAULT_SMMU, ...change };
}

export const KB4 = 4096;
export const MB2 = 2 ** 21;
export const GB1 = 2 ** 30;
