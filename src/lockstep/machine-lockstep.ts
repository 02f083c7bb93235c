/**
 * MachineLockstep: one raw machine sequence on both whole machines, judged after every operation. The concrete machine
 * may do only what the weakest one may; where software is judged, its commands, queues and claims are held to their
 * rules. The first broken rule throws a ViolationError, what is not modelled Unmodelled.
 */
import type { Command, CommandVerdict } from '../spec/command.js';
import { describeCommand, OP, WORDS_PER_COMMAND, decodeCommand, encodeCommand, newCommand } from '../spec/command.js';
import { queueUsed } from '../spec/register.js';
import { Journal } from '../memory/journal.js';
import { Memory, WORDS_PER_FRAME, type MemoryWatcher } from '../memory/memory.js';
import { Ledger, ruleIndex } from '../rules/ledger.js';
import type { RegisterPort } from '../stack/machine.js';
import type { MachineOperation, MachineWorld, Where } from '../stack/machine-world.js';
import { newAnswer, newTransaction, type Answer, type Transaction, type WholeMachine } from '../stack/transaction.js';
import { checkClaim } from './claims.js';
import { EventReader } from './event-reader.js';
import type { Log } from './log.js';
import { checkAnswer, checkEntries, checkQueue } from './machine-checks.js';
import { RecordCheck } from './record-check.js';
import { Software, type QueueView } from './software.js';
import { Telling, type Judged } from './telling.js';
import { OWN_TWINS, type Likeness, type TransactionKind, type Twins } from './twins.js';
import { fetchedAt, type Fetched } from './watched.js';

const ILLEGAL = ruleIndex('illegal-command');
const QUEUE = ruleIndex('queue-integrity');
const REFINEMENT = ruleIndex('machine-refinement');
const FREED = ruleIndex('use-after-free');
const WALK = ruleIndex('stale-walk');

export interface MachineOptions {
  readonly ledger?: Ledger;
  readonly log?: Log;
  readonly twins?: Twins;
}

/** How the weakest machine says that a pointer stands in memory. */
const STILL = 'which memory still holds';

/** What one operation came to. */
export interface MachineStep {
  readonly operation: MachineOperation;
  /** Why software could not do it, or what it waits for; null when it was done. */
  readonly note: string | null;
  /** Of a transaction; reused by the next one. */
  readonly answer: Answer | null;
  /** What the machine beside the concrete one answered, if there is one; reused as well. */
  readonly beside: Answer | null;
}

/** One SMMU of the world with everything around it. */
interface Side extends Judged {
  readonly likeness: Likeness | undefined;
  /** The command at a pointer of a queue. */
  readonly fetched: (q: QueueView, pointer: number) => Fetched;
  readonly concrete: WholeMachine;
  readonly software: Software;
  readonly events: EventReader;
  readonly records: RecordCheck;
  /** Words that CMD_SYNCs may write: reference of the word, 32-bit half, data. */
  readonly messages: Set<string>;
}

export class MachineLockstep implements MemoryWatcher {
  readonly world: MachineWorld;
  readonly memory: Memory;
  readonly ledger: Ledger;
  readonly sides: readonly Side[];
  /** Commands that became visible, by opcode. */
  readonly commands = new Float64Array(256);
  index = -1;
  readonly #log: Log | undefined;
  readonly #seldom: boolean;
  readonly #telling: Telling | null;
  readonly #transaction: Transaction = newTransaction();
  readonly #answer: Answer = newAnswer();
  /** Held stores: the last value of each word, in the order of their first store. */
  readonly #held = new Map<number, { lo: number; hi: number }>();
  /** What the last transaction came to, before it was judged; null: an operation without one. */
  said: { readonly t: Transaction; readonly answer: Answer; readonly beside: Answer | null } | null = null;
  /** The SMMU that is at work, or -1 while software stores. */
  #working = -1;
  /** First word of the event record that it may write now, or -1. */
  #recordAt = -1;
  /** Data of the last message asked for. */
  #syncData = 0;

  constructor(world: MachineWorld, options: MachineOptions = {}) {
    this.world = world;
    this.#log = options.log;
    this.ledger = options.ledger ?? new Ledger();
    this.memory = new Memory(new Journal(), world.frames);
    for (let slot = 0; slot < world.frames; slot += 1) this.memory.watch(slot);
    this.memory.watchers.push(this); // first: it judges a store by what the weakest machine knows before it
    this.#telling = options.log === undefined ? null : new Telling(options.log, this.memory.journal.clock);
    const twins = options.twins ?? OWN_TWINS;
    this.#seldom = twins.seldom === true;
    this.sides = world.smmus.map((_, i) => this.#side(i, twins));
  }

  #side(smmu: number, twins: Twins): Side {
    const config = this.world.smmus[smmu] as MachineWorld['smmus'][number];
    const weakest = twins.weakest(this.memory, config);
    const concrete = twins.concrete(this.memory, config);
    weakest.judged = this.world.judged;
    if (this.#telling !== null) weakest.remember?.();
    const events = new EventReader(this.memory, concrete, config.features.eventLog2);
    const port: RegisterPort = {
      writeRegister: (offset, value) => {
        weakest.writeRegister(offset, value);
        this.#working = smmu;
        if (!this.#seldom) this.#recordAt = events.next(); // a record may come late: that is judged when it is read
        concrete.writeRegister(offset, value);
        this.#working = -1;
      },
      readRegister: (offset) => concrete.readRegister(offset),
    };
    const software = new Software(config.features, {
      port, store: (address, lo, hi) => this.#storeNow(address, lo, hi),
      observed: (queue, cons) => { this.#observed(smmu, queue, cons); },
    });
    const records = new RecordCheck(this.ledger, twins.lateEvents === true, twins.likeness);
    weakest.listener = {
      commandSeen: (queue, command, verdict) => { this.#commandSeen(smmu, queue, { command, verdict }); },
      synced: () => {
        this.#log?.add({ kind: 'synced', op: this.index, smmu, covered: 0 });
        records.synced();
      },
      conflict: (what, facts) => { this.#conflict(smmu, what, facts ?? []); },
    };
    const fetched = (q: QueueView, pointer: number): Fetched => fetchedAt(this.memory, software.entryAddress(q, pointer), config.features);
    return { weakest, likeness: twins.likeness, fetched, telling: this.#telling, concrete, software, records, events, messages: new Set() };
  }

  #commandSeen(smmu: number, queue: number, seen: { command: Command; verdict: CommandVerdict }): void {
    const { command, verdict } = seen;
    this.commands[command.op] = (this.commands[command.op] as number) + 1;
    this.#log?.add({ kind: 'command', op: this.index, smmu, command: { ...newCommand(), ...command }, time: this.memory.journal.clock.now });
    if (!this.world.judged) return;
    this.ledger.judgeAt(ILLEGAL);
    if (verdict.verdict === 'legal') return;
    this.ledger.fail('illegal-command', `a command that is ${verdict.verdict}`, 'only commands that the specification defines for this SMMU',
      `queue ${queue} of SMMU ${smmu} holds ${describeCommand(command)}: ${verdict.why}`);
  }

  #conflict(smmu: number, what: string, facts: readonly unknown[]): void {
    if (!this.world.judged) return;
    this.ledger.judge('break-before-make');
    this.ledger.fail('break-before-make', 'an entry is replaced without going through invalid', 'invalid, TLBI, CMD_SYNC, then the new entry', `SMMU ${smmu}: ${what}`,
      undefined, this.#telling?.facts((this.sides[smmu] as Side).weakest, facts));
  }

  /** MemoryWatcher: the concrete machine stores only event records, messages, and access flags and dirty state. */
  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const side = this.sides[this.#working];
    if (side === undefined) return;
    const ref = slot * WORDS_PER_FRAME + index;
    if (this.#recordAt >= 0 && ref >= this.#recordAt && ref < this.#recordAt + 4) return;
    const lo = this.memory.lo[ref] as number;
    const hi = this.memory.hi[ref] as number;
    if (lo === oldLo && side.messages.has(`${ref} 1 ${hi}`)) return;
    if (hi === oldHi && side.messages.has(`${ref} 0 ${lo}`)) return;
    this.ledger.judgeAt(REFINEMENT);
    if (side.weakest.mayUpdate(ref, [oldLo, oldHi], [lo, hi])) return;
    const at = `0x${((this.memory.frameOf(slot) * WORDS_PER_FRAME + index) * 8).toString(16)}`;
    this.ledger.fail('machine-refinement', 'a store that no SMMU may make', 'event records, messages of CMD_SYNC, access flags and dirty state',
      `SMMU ${this.#working} changes ${at} from ${pair(oldLo, oldHi)} to ${pair(lo, hi)}`);
  }

  /** A store by software that is visible at once. */
  #storeNow(address: number, lo: number, hi: number): boolean {
    const slot = this.memory.slotOf(Math.floor(address / 4096));
    if (slot < 0) return false;
    const ref = slot * WORDS_PER_FRAME + Math.floor((address % 4096) / 8);
    this.#held.delete(ref);
    this.#telling?.visible(address);
    this.#commit(ref, lo, hi);
    return true;
  }

  #commit(ref: number, lo: number, hi: number): void {
    for (const s of this.sides) s.weakest.software = true;
    try {
      this.memory.commit(ref, lo >>> 0, hi >>> 0);
    } finally {
      for (const s of this.sides) s.weakest.software = false;
    }
  }

  /** One operation on both sides, judged. */
  step(op: MachineOperation): MachineStep {
    this.index += 1;
    this.said = null;
    if (this.#log !== undefined) {
      this.#log.op = this.index;
      this.#telling?.begin();
      this.#log.add({ kind: 'operation', op: this.index });
    }
    try {
      return this.#run(op);
    } finally {
      this.#working = -1;
    }
  }

  #run(op: MachineOperation): MachineStep {
    if (op.op === 'store') return this.#after(op, this.#store(op));
    if (op.op === 'barrier') return this.#after(op, this.#barrier());
    if (op.op === 'free') return this.#after(op, this.#free(op));
    const side = this.sides[op.smmu];
    if (side === undefined) return this.#after(op, 'there is no such SMMU');
    switch (op.op) {
      case 'access': case 'ats-request': case 'translated': return this.#transact(side, op);
      case 'claim': return this.#after(op, this.#claim(side, op));
      case 'endpoint':
        side.weakest.setEndpoint(op.sid, op.ats, op.responds);
        side.concrete.setEndpoint(op.sid, op.ats, op.responds);
        return this.#after(op, null);
      case 'evict':
        side.concrete.flushCaches();
        return this.#after(op, null);
      case 'register': return this.#after(op, this.#register(side, op));
      case 'boot': return this.#after(op, side.software.boot(op.boot));
      case 'command': return this.#after(op, this.#submit(side, op.queue, encodeCommand, op.command));
      case 'raw': return this.#after(op, this.#raw(side, op.queue, op.words));
      case 'sync': return this.#after(op, this.#sync(op.smmu, op.queue, op.msi));
      case 'acknowledge': return this.#after(op, side.software.acknowledge(op.queue, op.fix));
    }
  }

  #store(op: Extract<MachineOperation, { op: 'store' }>): string | null {
    const slot = this.memory.slotOf(Math.floor(op.at / 4096));
    if (slot < 0 || op.at % 8 !== 0) return slot < 0 ? 'outside of RAM' : 'not aligned';
    if (this.world.judged) this.#queueEntryStays(op.at);
    if (!op.held) {
      this.#storeNow(op.at, op.lo, op.hi);
      return null;
    }
    const ref = slot * WORDS_PER_FRAME + (op.at % 4096) / 8;
    this.#held.set(ref, { lo: op.lo, hi: op.hi });
    this.#telling?.held(op.at);
    return null;
  }

  /** Published commands stay as they are until software has seen them consumed (§3.5.1). */
  #queueEntryStays(address: number): void {
    this.sides.forEach((side, smmu) => {
      side.software.queues.forEach((q, queue) => {
        if (!q.known || address < q.base || address >= q.base + 16 * 2 ** q.log2) return;
        this.ledger.judgeAt(QUEUE);
        const entry = Math.floor((address - q.base) / 16);
        const behind = (entry - (q.cons % 2 ** q.log2) + 2 ** q.log2) % 2 ** q.log2;
        if (behind >= queueUsed(q.prod, q.cons, q.log2)) return;
        this.ledger.fail('queue-integrity', 'a published command is overwritten', 'published commands stay as they are until they are consumed', `entry ${entry} of queue ${queue} of SMMU ${smmu} changes`);
      });
    });
  }

  #barrier(): string | null {
    if (this.#held.size === 0) return 'nothing waits';
    const held = [...this.#held];
    this.#held.clear();
    this.#telling?.visible();
    for (const [ref, { lo, hi }] of held) this.#commit(ref, lo, hi);
    return null;
  }

  #register(side: Side, op: Extract<MachineOperation, { op: 'register' }>): string | null {
    const q = side.software.queues.find((v) => v.registers.prod === op.offset && v.known);
    if (q !== undefined && this.world.judged) {
      this.ledger.judgeAt(QUEUE);
      const used = queueUsed(op.value % 2 ** (q.log2 + 1), q.cons, q.log2);
      if (used > 2 ** q.log2) this.ledger.fail('queue-integrity', 'PROD passes CONS', `at most ${2 ** q.log2} commands published`, `${used} are`);
    }
    side.software.write(op.offset, op.value);
    return null;
  }

  #submit<T>(side: Side, queue: number, encode: (from: T, out: Uint32Array) => void, from: T): string | null {
    const words = new Uint32Array(WORDS_PER_COMMAND);
    encode(from, words);
    return this.#raw(side, queue, words);
  }

  #raw(side: Side, queue: number, words: ArrayLike<number>): string | null {
    const raw = Uint32Array.from({ length: 4 }, (_, i) => (words[i] as number) >>> 0);
    const c = decodeCommand(raw, 0, newCommand());
    if (c.op === OP.SYNC && c.cs === 1) this.#message(side, c);
    if (this.world.judged) this.ledger.judgeAt(QUEUE);
    return side.software.submit(queue, raw);
  }

  /** The word that a CMD_SYNC will write. */
  #message(side: Side, c: Command): number {
    const slot = this.memory.slotOf(Math.floor(c.msiAddress / 1024));
    if (slot < 0) return -1;
    const half = c.msiAddress % 2;
    const ref = slot * WORDS_PER_FRAME + Math.floor((c.msiAddress % 1024) / 2);
    side.messages.add(`${ref} ${half} ${c.msiData}`);
    return ref * 2 + half;
  }

  #sync(smmu: number, queue: number, msi: number): string | null {
    const side = this.sides[smmu] as Side;
    if (msi <= 0) return side.software.sync(queue);
    const q = side.software.queues[queue] as QueueView | undefined;
    if (q === undefined) return 'there is no such queue';
    this.#syncData += 1;
    const c: Command = { ...newCommand(), op: OP.SYNC, cs: 1, msiAddress: Math.floor(msi / 4), msiData: this.#syncData };
    const refused = this.#submit(side, queue, encodeCommand, c);
    if (refused !== null) return refused;
    const word = this.#message(side, c);
    const ref = Math.floor(word / 2);
    if (word < 0 || ((word % 2 === 0 ? this.memory.lo[ref] : this.memory.hi[ref]) as number) !== this.#syncData) return 'the message does not come';
    q.cons = q.prod;
    this.#observed(smmu, queue, q.prod); // software saw that it is complete without looking at CONS
    return null;
  }

  /** Software sees that a queue has got so far. It looks at the event queue first: a CMD_SYNC makes promises about it. */
  #observed(smmu: number, queue: number, cons: number): void {
    const side = this.sides[smmu] as Side;
    this.#collect(side);
    const q = side.software.queues[queue];
    if (this.#seldom && q?.known === true) checkQueue(this.ledger, { smmu, queue, fetched: side.fetched }, side, q); // the commands before this look were not judged one by one
    side.weakest.observe(queue, cons);
  }

  #collect(side: Side): void {
    const lossy = side.events.lossy;
    const records = side.events.drain((offset, value) => { side.software.write(offset, value); });
    if (records !== null) side.records.found(records);
    if (lossy) side.records.lost();
  }

  #fill(w: Where): Transaction {
    const t = this.#transaction;
    t.sid = w.sid;
    t.ssid = w.ssid;
    t.frame = Math.floor(w.iova / 4096);
    t.write = w.write;
    t.privileged = w.privileged;
    t.instruction = w.instruction;
    return t;
  }

  #transact(side: Side, op: Extract<MachineOperation, { op: TransactionKind }>): MachineStep {
    const t = this.#fill(op);
    const a = this.#answer;
    const foreseen = this.#foreseen(side, op.op, t);
    const refused = foreseen === null ? null : side.concrete.expect?.(t, foreseen) ?? null;
    if (refused !== null) return this.#after(op, refused);
    this.#recordAt = side.events.next();
    const writable = this.#recordAt >= 0;
    this.#working = op.smmu;
    if (op.op === 'access') side.concrete.transact(t, a);
    else if (op.op === 'ats-request') side.concrete.atsRequest(t, a);
    else side.concrete.translated(t, a);
    this.#working = -1;
    this.#recordAt = -1;
    const how = { writable, translated: op.op === 'translated' };
    const beside = side.concrete.beside?.() ?? null;
    for (const one of [side.concrete.besides?.() ?? null, { t, answer: a }]) {
      if (one === null) continue;
      this.said = { ...one, beside };
      checkAnswer(this.ledger, side, op.op, { ...one, likeness: side.likeness, permitted: one.t === t ? foreseen : null });
      side.records.answered(one.t, one.answer, how);
    }
    if (beside !== null) checkAnswer(this.ledger, side, op.op, { t, answer: beside, permitted: foreseen });
    return { ...this.#after(op, null), answer: a, beside };
  }

  /** What may be answered, for a machine that is watched from outside; null: nobody asks. */
  #foreseen(side: Side, kind: TransactionKind, t: Transaction): readonly Answer[] | null {
    if (side.concrete.expect === undefined) return null;
    const answers: Answer[] = [];
    side.weakest.permitted(kind, t, (a) => {
      answers.push({ ...a });
      return false;
    });
    return answers;
  }

  #claim(side: Side, op: Extract<MachineOperation, { op: 'claim' }>): string | null {
    checkClaim(this.ledger, side, op, this.#fill(op));
    return null;
  }

  #free(op: Extract<MachineOperation, { op: 'free' }>): string | null {
    for (let i = 0; i < op.frames; i += 1) {
      const slot = this.memory.slotOf(Math.floor(op.at / 4096) + i);
      if (slot < 0) return 'outside of RAM';
      this.sides.forEach((side, smmu) => {
        this.ledger.judgeAt(FREED);
        this.ledger.judgeAt(WALK);
        const what = side.weakest.pointsTo(slot);
        if (what === null) return;
        const table = what.startsWith('table');
        this.ledger.fail(table ? 'stale-walk' : 'use-after-free', `${what.endsWith(STILL) ? 'memory still holds' : 'only caches hold'} a ${what.split(' ', 1)[0] ?? ''} that points to a freed page`, 'nothing that memory or a cache holds points to a freed page',
          `SMMU ${smmu}: ${what} points to 0x${(this.memory.frameOf(slot) * 4096).toString(16)}`, undefined, this.#telling?.facts(side.weakest, side.weakest.pointerFacts?.(slot) ?? []));
      });
    }
    return null;
  }

  /** What must hold after every operation. */
  #after(op: MachineOperation, note: string | null): MachineStep {
    if (this.#seldom && (op.op === 'command' || op.op === 'store')) return { operation: op, note, answer: null, beside: null };
    const deep = op.op === 'access' || op.op === 'ats-request' || op.op === 'translated' || op.op === 'sync' || op.op === 'evict' || op.op === 'boot';
    this.sides.forEach((side, smmu) => {
      this.#collect(side);
      side.records.settle();
      side.software.queues.forEach((q, queue) => { if (q.known) checkQueue(this.ledger, { smmu, queue, fetched: side.fetched }, side, q); });
      if (deep && 'smmu' in op && op.smmu === smmu) checkEntries(this.ledger, smmu, side, side.concrete);
    });
    return { operation: op, note, answer: null, beside: null };
  }

  /** The end of a sequence: what is cached is judged once more. */
  close(): void {
    this.sides.forEach((side, smmu) => { checkEntries(this.ledger, smmu, side, side.concrete); });
  }
}

function pair(lo: number, hi: number): string {
  return `0x${hi.toString(16)}${lo.toString(16).padStart(8, '0')}`;
}
