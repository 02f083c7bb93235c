/** Two whole machines that do what a test tells them, and the runner over both. */
import { decodeCommand, newCommand, OP, type Command, type CommandVerdict } from '../../src/spec/command.js';
import { encodeFault, newFault, type FaultRecord } from '../../src/spec/event.js';
import { FULL_FEATURES } from '../../src/spec/features.js';
import { queueNext, REG } from '../../src/spec/register.js';
import type { Memory } from '../../src/memory/memory.js';
import { MachineLockstep } from '../../src/lockstep/machine-lockstep.js';
import type { TransactionKind, Twins, WeakestListener, WeakestMachine } from '../../src/lockstep/twins.js';
import type { Boot, MachineConfig, MachineOperation, MachineWorld, Where } from '../../src/stack/machine-world.js';
import { newAnswer, sameAnswer, type Answer, type CachedEntry, type Transaction, type WholeMachine } from '../../src/stack/transaction.js';
import { ViolationError, type Violation } from '../../src/stack/violation.js';

/** First byte of RAM. */
export const RAM = 0x100000000;
export const BOOT: Boot = {
  streams: RAM, streamsLog2: 4, split: 0, commands: RAM + 0x1000, commandsLog2: 2, events: RAM + 0x2000, eventsLog2: 2, extra: 0,
  e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0, skip: [],
};
export const WHERE: Where = { smmu: 0, sid: 1, ssid: -1, iova: 0x4000, write: false, privileged: false, instruction: false };

/** What a test tells the machines. */
export interface Script {
  answer: Partial<Answer>;
  permitted: Partial<Answer>[];
  entries: CachedEntry[];
  held: boolean;
  pointsTo: string | null;
  verdict: (c: Command) => CommandVerdict['verdict'];
  /** Done by the concrete machine within a transaction. */
  act: ((memory: Memory) => void) | null;
  mayUpdate: boolean;
  /** Change the record before it is written; null: no record. */
  record: (e: FaultRecord) => FaultRecord | null;
  /** Commands that stop the queue with an error of this code. */
  fails: (c: Command) => number;
  /** The concrete machine does not notice errors. */
  blind: boolean;
  messages: boolean;
  lateEvents: boolean;
}

export function script(change: Partial<Script> = {}): Script {
  return {
    answer: { kind: 0, frame: 8 }, permitted: [{ kind: 0, frame: 8 }], entries: [], held: true, pointsTo: null, verdict: () => 'legal', act: null, mayUpdate: false,
    record: (e) => e, fails: () => 0, blind: false, messages: true, lateEvents: false, ...change,
  };
}

function answer(a: Partial<Answer>): Answer {
  return { ...newAnswer(), ...a };
}

/** Registers, and commands of the main queue in order. */
class Fake {
  readonly memory: Memory;
  readonly s: Script;
  readonly registers = new Map<number, number>();
  error = 0;
  constructor(memory: Memory, s: Script) {
    this.memory = memory;
    this.s = s;
  }
  get(offset: number): number {
    return this.registers.get(offset) ?? 0;
  }
  /** Entries from CONS to PROD; stops in front of one that fails. */
  consume(blind: boolean, seen: (c: Command) => void): void {
    const log2 = this.get(REG.CMDQ_BASE) % 32;
    while (this.get(REG.CMDQ_CONS) !== this.get(REG.CMDQ_PROD) && this.error === 0) {
      const cons = this.get(REG.CMDQ_CONS);
      const ref = (Math.floor((this.get(REG.CMDQ_BASE) - log2 - RAM) / 8)) + (cons % 2 ** log2) * 2;
      const c = decodeCommand(Uint32Array.of(this.memory.lo[ref] as number, this.memory.hi[ref] as number, this.memory.lo[ref + 1] as number, this.memory.hi[ref + 1] as number), 0, newCommand());
      this.error = blind ? 0 : this.s.fails(c);
      if (this.error !== 0) return;
      seen(c);
      this.registers.set(REG.CMDQ_CONS, queueNext(cons, log2));
    }
  }
}

export class FakeConcrete extends Fake implements WholeMachine {
  late: FaultRecord | null = null;

  writeRegister(offset: number, value: number): void {
    this.registers.set(offset, value);
    if (offset === REG.GERRORN && this.get(REG.GERROR) === value) this.error = 0;
    if (offset === REG.CMDQ_PROD || offset === REG.GERRORN) {
      if ((this.get(REG.CR0) & 8) !== 0) this.consume(this.s.blind, (c) => { this.#message(c); });
      if (this.error !== 0) this.registers.set(REG.GERROR, 1 - this.get(REG.GERRORN) % 2);
    }
    if (this.late !== null && offset === REG.CMDQ_PROD) this.#record(this.late);
  }

  #message(c: Command): void {
    if (c.op !== OP.SYNC || c.cs !== 1 || !this.s.messages) return;
    const ref = Math.floor((c.msiAddress * 4 - RAM) / 8);
    const high = c.msiAddress % 2 === 1;
    this.memory.commit(ref, high ? this.memory.lo[ref] as number : c.msiData, high ? c.msiData : this.memory.hi[ref] as number);
  }

  readRegister(offset: number): number {
    if (offset === REG.CR0ACK) return this.get(REG.CR0);
    return this.get(offset) + (offset === REG.CMDQ_CONS ? this.error * 2 ** 24 : 0);
  }

  #record(e: FaultRecord): void {
    this.late = null;
    const words = new Uint32Array(8);
    encodeFault(e, words);
    const log2 = this.get(REG.EVENTQ_BASE) % 32;
    const prod = this.get(REG.EVENTQ_PROD);
    const ref = Math.floor((this.get(REG.EVENTQ_BASE) - log2 - RAM) / 8) + (prod % 2 ** log2) * 4;
    for (let i = 0; i < 4; i += 1) this.memory.commit(ref + i, words[2 * i] as number, words[2 * i + 1] as number);
    this.registers.set(REG.EVENTQ_PROD, queueNext(prod, log2));
  }

  transact(t: Transaction, out: Answer): void {
    Object.assign(out, answer(this.s.answer));
    this.s.act?.(this.memory);
    if (out.event === 0 || (this.get(REG.CR0) & 4) === 0) return;
    const e = this.s.record({
      ...newFault(), ipa: out.ipa, type: out.event, sid: t.sid, ssv: t.ssid < 0 ? 0 : 1, ssid: Math.max(0, t.ssid), read: t.write ? 0 : 1, privileged: 0,
      stage2: out.stage2, class: out.class, inputFrame: t.frame, inputOffset: 0,
    });
    if (e !== null) this.#record(e);
  }
  atsRequest(t: Transaction, out: Answer): void { this.transact(t, out); }
  translated(t: Transaction, out: Answer): void { this.transact(t, out); }
  setEndpoint(): void { return; }
  flushCaches(): void { this.s.entries = []; }
  forEachCached(visit: (entry: CachedEntry) => void): void { this.s.entries.forEach(visit); }
}

export class FakeWeakest extends Fake implements WeakestMachine {
  software = false;
  judged = false;
  listener: WeakestListener | null = null;
  /** Stores heard, and who made them. */
  readonly heard: boolean[] = [];
  #syncs: number[] = [];

  writeRegister(offset: number, value: number): void {
    this.registers.set(offset, value);
    if (offset === REG.GERRORN) this.error = 0;
    if (offset === REG.CR0 || offset === REG.EVENTQ_CONS) return;
    if ((this.get(REG.CR0) & 8) === 0) return;
    this.consume(false, (c) => {
      this.listener?.commandSeen(0, c, { verdict: this.s.verdict(c), why: 'for a test' });
      if (c.op === OP.SYNC) this.#syncs.push(queueNext(this.get(REG.CMDQ_CONS), this.get(REG.CMDQ_BASE) % 32));
    });
  }
  readRegister(offset: number): number { return this.get(offset); }
  setEndpoint(): void { return; }
  observe(): void {
    for (const _ of this.#syncs) this.listener?.synced(0, []);
    this.#syncs = [];
  }
  consOf(): { cons: number; error: number } { return { cons: this.get(REG.CMDQ_CONS), error: this.error }; }
  permitted(_: TransactionKind, __: Transaction, visit: (a: Answer, reason: string) => boolean): boolean {
    return this.s.permitted.some((a) => visit(answer(a), 'because'));
  }
  holds(): boolean { return this.s.held; }
  pointsTo(): string | null { return this.s.pointsTo; }
  mayUpdate(): boolean { return this.s.mayUpdate; }
  stored(): void { this.heard.push(this.software); }
}

export const CONFIG: MachineConfig = { features: FULL_FEATURES, tlbEntries: 64, mergeRuns: false, strictReserved: true };

export interface Rig {
  readonly run: MachineLockstep;
  readonly concrete: FakeConcrete;
  readonly weakest: FakeWeakest;
  /** Does these operations; the violation that one of them ends in. */
  breaks(...operations: readonly MachineOperation[]): Violation | null;
}

/** Other machines than the usual fakes, and how the concrete one is watched. */
export interface Other extends Pick<Twins, 'likeness' | 'seldom'> {
  readonly concrete?: (memory: Memory, s: Script) => FakeConcrete;
  readonly weakest?: (memory: Memory, s: Script) => FakeWeakest;
}

export function rig(s: Script, change: Partial<MachineWorld> = {}, other: Other = {}): Rig {
  let concrete: FakeConcrete | undefined;
  let weakest: FakeWeakest | undefined;
  const run = new MachineLockstep({ smmus: [CONFIG], frames: 16, judged: true, ...change }, {
    twins: {
      ...(other.likeness === undefined ? {} : { likeness: other.likeness }), seldom: other.seldom === true, lateEvents: s.lateEvents,
      concrete: (memory) => (concrete = other.concrete?.(memory, s) ?? new FakeConcrete(memory, s)),
      weakest: (memory) => {
        weakest = other.weakest?.(memory, s) ?? new FakeWeakest(memory, s);
        memory.watchers.push(weakest);
        return weakest;
      },
    },
  });
  return {
    run, concrete: concrete as FakeConcrete, weakest: weakest as FakeWeakest,
    breaks: (...operations) => {
      try {
        for (const op of operations) run.step(op);
      } catch (error) {
        if (error instanceof ViolationError) return error.violation;
        throw error;
      }
      return null;
    },
  };
}

export function sameKind(a: Partial<Answer>, b: Partial<Answer>): boolean {
  return sameAnswer(answer(a), answer(b));
}
