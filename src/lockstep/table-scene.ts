/**
 * TableScene: one stream whose translation table is the one under test, and both whole machines that walk it. Its STE and CD (stage 1: CD.TTBx;
 * stage 2: STE.S2TTB) say what the library made: root, start level, concatenated tables. Machines read the walker's view of memory; stream table,
 * CD and queues are mapped uncached and the same in both views.
 */
import { setField, POW2 } from '../spec/bits.js';
import { CD, cdVerdict } from '../spec/cd.js';
import { describeCommand, newCommand, OP, type Command, type CommandVerdict } from '../spec/command.js';
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { cdTg0, cdTg1, levelShift, stage2Sl0 } from '../spec/granule.js';
import { CONFIG_S1, CONFIG_S2, OUTPUT_BITS, STE, steVerdict } from '../spec/ste.js';
import { WORDS_PER_FRAME, type Memory, type MemoryWatcher } from '../memory/memory.js';
import type { Pages } from '../memory/pages.js';
import { SMALL_TABLE_BITS } from '../operations/table-shape.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import type { Fact } from '../reference/machine/facts.js';
import { ReferenceMachine } from '../reference/machine/machine.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import type { TableGeometry, TableWorld } from '../stack/page-table.js';
import { newAnswer, newTransaction, type Answer, type Transaction } from '../stack/transaction.js';
import { EventReader } from './event-reader.js';
import type { Log } from './log.js';
import { checkAnswer, checkEntries, checkQueue } from './machine-checks.js';
import { RecordCheck } from './record-check.js';
import { Software } from './software.js';
import { Telling } from './telling.js';
import { fetchedAt } from './watched.js';

const ILLEGAL = ruleIndex('illegal-command');
const REFINEMENT = ruleIndex('machine-refinement');

export const SID = 1;
export const ASID = 5;
export const VMID = 7;
const STREAMS_LOG2 = 2;
const COMMANDS_LOG2 = 6;
const EVENTS_LOG2 = 4;
const TLB_ENTRIES = 16;

/** The root as the library made it. */
export interface Root {
  /** Byte address. */
  readonly address: number;
  readonly startLevel: number;
}

/** What one permitted answer rests on. */
export interface Possible {
  readonly answer: Answer;
  readonly reason: string;
  readonly facts: readonly Fact[];
}

/** Hears what only the runner can judge. */
export interface SceneListener {
  /** A command is visible to the SMMU, legal or not. */
  commandSeen(command: Command): void;
  /** Break-before-make was not kept. */
  conflict(what: string, facts: readonly Fact[]): void;
  /** Hardware marked a descriptor: access flag or dirty state. */
  marked(ref: number, oldLo: number, lo: number): void;
}

/** What an SMMU must implement for such a table. */
export function tableFeatures(w: TableWorld): Features {
  const g = w.geometry;
  const reach = Math.max(g.outputBits, g.stage === 2 ? g.inputBits : 0);
  return {
    ...FULL_FEATURES, hyp: false, coherent: w.coherent, httu: g.dirty ? 2 : 0, ats: false, msi: false, vmidWildcard: false, twoLevelStreams: false, twoLevelCds: false, sidBits: 4, ssidBits: 0,
    extraQueues: 0, bbml: w.bbml, oas: OUTPUT_BITS.find((bits) => bits >= reach) as number, ds: g.ds, wideInput: g.inputBits > 48,
    smallTables: g.inputBits < SMALL_TABLE_BITS,
  };
}

function fill(fields: Readonly<Record<string, number>>, table: Readonly<Record<string, typeof CD.V>>): Uint32Array {
  const words = new Uint32Array(16);
  for (const [name, value] of Object.entries(fields)) setField(words, table[name] as typeof CD.V, value);
  return words;
}

/** The CD of stage 1: one half is the table, the other one is never walked. */
export function tableCd(g: TableGeometry, root: Root): Uint32Array {
  const half = g.half === 'lower'
    ? { T0SZ: 64 - g.inputBits, TG0: cdTg0(g.tg), TTB0: root.address / 16, EPD1: 1, TG1: cdTg1(g.tg) }
    : { T1SZ: 64 - g.inputBits, TG1: cdTg1(g.tg), TTB1: root.address / 16, EPD0: 1 };
  const marks = g.dirty ? { HA: 1, HD: 1 } : {};
  return fill({ V: 1, AA64: 1, A: 1, R: 1, ASID, IPS: OUTPUT_BITS.indexOf(g.outputBits), DS: g.ds ? 1 : 0, ...half, ...marks }, CD);
}

/** The STE: stage 1 with its CD, or stage 2 with its table. */
export function tableSte(g: TableGeometry, root: Root, cd: number): Uint32Array {
  if (g.stage === 1) return fill({ V: 1, Config: CONFIG_S1, S1ContextPtr: cd / 64, S2VMID: VMID }, STE);
  const sl0 = stage2Sl0(g.tg, root.startLevel);
  const marks = g.dirty ? { S2HA: 1, S2HD: 1 } : {};
  return fill({
    V: 1, Config: CONFIG_S2, S2VMID: VMID, S2T0SZ: 64 - g.inputBits, S2SL0: sl0 % 4, S2SL0_2: Math.floor(sl0 / 4), S2TG: cdTg0(g.tg), S2PS: OUTPUT_BITS.indexOf(g.outputBits), S2AA64: 1, S2R: 1,
    S2DS: g.ds ? 1 : 0, S2TTB: root.address / 16, ...marks,
  }, STE);
}

export interface SceneParts {
  readonly world: TableWorld;
  /** What the walker reads. */
  readonly walker: Memory;
  readonly pages: Pages;
  readonly ledger: Ledger;
  readonly log?: Log | undefined;
  readonly listener: SceneListener;
}

export class TableScene implements MemoryWatcher {
  readonly weakest: ReferenceMachine;
  readonly concrete: OptimisedMachine;
  readonly features: Features;
  readonly telling: Telling | null;
  /** Commands that became visible, by opcode. */
  readonly commands = new Float64Array(256);
  readonly stage: 1 | 2;
  /** First frame of the device addresses that the table serves. */
  readonly base: number;
  op = -1;
  readonly #parts: SceneParts;
  readonly #software: Software;
  readonly #events: EventReader;
  readonly #records: RecordCheck;
  readonly #transaction: Transaction = newTransaction();
  readonly #answer: Answer = newAnswer();
  #working = false;
  #streams = -1;
  #recordAt = -1;

  constructor(parts: SceneParts, root: Root) {
    const { world, walker, ledger, log } = parts;
    this.#parts = parts;
    this.features = tableFeatures(world);
    const g = world.geometry;
    this.stage = g.stage;
    this.base = g.half === 'upper' ? (POW2[52] as number) - (POW2[g.inputBits - 12] as number) : 0;
    const config = { features: this.features, tlbEntries: TLB_ENTRIES, mergeRuns: world.mergeRuns, strictReserved: true };
    walker.watchers.push(this); // first: it judges a store by what the weakest machine knows before it
    this.weakest = new ReferenceMachine(walker, config);
    this.concrete = new OptimisedMachine(walker, config);
    this.weakest.judged = true;
    this.weakest.software = true;
    this.telling = log === undefined ? null : new Telling(log, walker.journal.clock);
    if (log !== undefined) this.weakest.remember();
    this.#events = new EventReader(walker, this.concrete, this.features.eventLog2);
    this.#records = new RecordCheck(ledger, false);
    this.#software = this.#makeSoftware();
    this.weakest.listener = {
      commandSeen: (_queue, command, verdict) => { this.#seen(command, verdict); },
      synced: () => {
        log?.add({ kind: 'synced', op: this.op, smmu: 0, covered: 0 });
        this.#records.synced();
      },
      conflict: (what, facts) => { parts.listener.conflict(what, facts ?? []); },
    };
    this.#boot(root);
  }

  #makeSoftware(): Software {
    return new Software(this.features, {
      port: {
        writeRegister: (offset, value) => {
          this.weakest.writeRegister(offset, value);
          this.#atWork(() => { this.concrete.writeRegister(offset, value); });
        },
        readRegister: (offset) => this.concrete.readRegister(offset),
      },
      store: (address, lo, hi) => {
        this.#store(address, lo, hi);
        return true;
      },
      observed: (queue, cons) => {
        this.#collect();
        this.weakest.observe(queue, cons);
      },
    });
  }

  #refOf(address: number): number {
    return this.#parts.pages.memory.slotOf(Math.floor(address / 4096)) * WORDS_PER_FRAME + (address % 4096) / 8;
  }

  /** Stores to uncached pages: the CPU's view, and so the walker's. */
  #store(address: number, lo: number, hi: number): void {
    this.#parts.pages.memory.commit(this.#refOf(address), lo >>> 0, hi >>> 0);
  }

  /** The concrete machine does something: what is stored meanwhile is its own store. */
  #atWork(act: () => void): void {
    this.#recordAt = this.#events.next();
    this.#working = true;
    this.weakest.software = false;
    try {
      act();
    } finally {
      this.#working = false;
      this.weakest.software = true;
      this.#recordAt = -1;
    }
  }

  #boot(root: Root): void {
    const { pages, world, ledger } = this.#parts;
    const page = (owner: 'stream' | 'queue' | 'cd'): number => pages.memory.frameOf(pages.allocateRun(owner, 1)) * 4096;
    const streams = page('stream');
    this.#streams = pages.memory.slotOf(streams / 4096);
    const commands = page('queue');
    const events = page('queue');
    const cd = page('cd');
    const cdWords = tableCd(world.geometry, root);
    const steWords = tableSte(world.geometry, root, cd);
    const write = (address: number, words: Uint32Array): void => {
      for (let i = 0; i < 8; i += 1) this.#store(address + i * 8, words[i * 2] as number, words[i * 2 + 1] as number);
    };
    if (world.geometry.stage === 1) write(cd, cdWords);
    write(streams + SID * 64, steWords);
    this.#legal(root, steWords, cdWords);
    const refused = this.#software.boot({
      streams, streamsLog2: STREAMS_LOG2, split: 0, commands, commandsLog2: COMMANDS_LOG2, events, eventsLog2: EVENTS_LOG2, extra: 0, e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0, skip: [],
    });
    if (refused !== null) ledger.fail('queue-integrity', 'boot', 'an SMMU that is enabled', refused);
  }

  /** The structures that describe the library's root are legal: its start level is one that the architecture has for this size. */
  /** The stream is taken off the table, and everything of its tag goes: then the tables can be freed. */
  detach(): void {
    const { pages } = this.#parts;
    const streams = pages.memory.frameOf(this.#streams) * 4096;
    this.#store(streams + SID * 64, 0, 0);
    const step = (fields: Partial<Command>): void => {
      this.#insist(this.#software.command(0, fields));
      this.#insist(this.#software.sync(0));
    };
    step({ op: OP.CFGI_STE, sid: SID, leaf: 1 });
    if (this.stage === 1) step({ op: OP.CFGI_CD, sid: SID, leaf: 1 });
    step(this.stage === 1 ? { op: OP.TLBI_NH_ASID, asid: ASID, vmid: VMID } : { op: OP.TLBI_S12_VMALL, vmid: VMID });
  }

  #legal(root: Root, ste: Uint32Array, cd: Uint32Array): void {
    const { ledger, world } = this.#parts;
    const g = world.geometry;
    ledger.judge('translation-equivalence');
    const action = steVerdict(ste, 0, this.features);
    const size = (POW2[Math.max(6, g.inputBits - levelShift(g.tg, root.startLevel) + 3)] as number);
    if (root.address % size !== 0) ledger.fail('translation-equivalence', 'a root that is not aligned to its size', `a multiple of 0x${size.toString(16)}`, `0x${root.address.toString(16)}`);
    if (action === 'illegal') {
      ledger.fail('translation-equivalence', 'the start level of the root is illegal', `a start level that stage 2 has for ${g.inputBits} input bits and ${2 ** (g.tg - 10)}K granules (§5.2 S2SL0)`, `level ${root.startLevel}: the STE is ILLEGAL, every access ends in C_BAD_STE`);
    }
    if (action === 'stage1' && !cdVerdict(cd, 0, ste, 0, this.features, false)) {
      ledger.fail('translation-equivalence', 'the CD of the root is illegal', 'a CD that the SMMU accepts', 'every access ends in C_BAD_CD');
    }
  }

  #seen(command: Command, verdict: CommandVerdict): void {
    this.commands[command.op] = (this.commands[command.op] as number) + 1;
    const { ledger, log, walker, listener } = this.#parts;
    log?.add({ kind: 'command', op: this.op, smmu: 0, command: { ...newCommand(), ...command }, time: walker.journal.clock.now });
    ledger.judgeAt(ILLEGAL);
    if (verdict.verdict !== 'legal') {
      ledger.fail('illegal-command', `a command that is ${verdict.verdict}`, 'only commands that the specification defines for this SMMU', `${describeCommand(command)}: ${verdict.why}`);
    }
    listener.commandSeen(command);
  }

  /** MemoryWatcher: the concrete machine stores only event records, access flags and dirty state. */
  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    if (!this.#working) return;
    const ref = slot * WORDS_PER_FRAME + index;
    if (this.#recordAt >= 0 && ref >= this.#recordAt && ref < this.#recordAt + 4) return;
    const { walker, ledger, listener } = this.#parts;
    const lo = walker.lo[ref] as number;
    const hi = walker.hi[ref] as number;
    ledger.judgeAt(REFINEMENT);
    if (!this.weakest.mayUpdate(ref, [oldLo, oldHi], [lo, hi])) {
      ledger.fail('machine-refinement', 'a store that no SMMU may make', 'event records, access flags and dirty state', `the machine changes word ${index} of page 0x${walker.frameOf(slot).toString(16)}000`);
    }
    listener.marked(ref, oldLo, lo);
  }

  #collect(): void {
    const records = this.#events.drain((offset, value) => { this.#software.write(offset, value); });
    if (records !== null) this.#records.found(records);
  }

  /** Four uint32 a command, published one by one; then a CMD_SYNC that is waited for, unless `sync` is false. */
  submit(words: Uint32Array, count: number, sync: boolean): void {
    for (let i = 0; i < count; i += 1) this.#insist(this.#software.submit(0, words.subarray(i * 4, i * 4 + 4)));
    if (sync) this.#insist(this.#software.sync(0));
  }

  #insist(refused: string | null): void {
    if (refused !== null) this.#parts.ledger.fail('queue-integrity', 'a command cannot be submitted', 'room in the queue, and commands that are consumed', refused);
  }

  #fill(frame: number, write: boolean): Transaction {
    const t = this.#transaction;
    t.sid = SID;
    t.ssid = -1;
    t.frame = this.base + frame;
    t.write = write;
    t.privileged = false;
    t.instruction = false;
    return t;
  }

  /** One access of the device, judged against what the weakest machine permits. `frame`: of the table's input range. */
  access(frame: number, write: boolean): Answer {
    const t = this.#fill(frame, write);
    const writable = this.#events.next() >= 0;
    this.#atWork(() => { this.concrete.transact(t, this.#answer); });
    checkAnswer(this.#parts.ledger, this, 'access', { t, answer: this.#answer });
    this.#records.answered(t, this.#answer, { writable, translated: false });
    this.#collect();
    this.#records.settle();
    return this.#answer;
  }

  /** Visits what the weakest machine may answer until `visit` says true. */
  possible(frame: number, write: boolean, visit: (p: Possible) => boolean): void {
    this.weakest.permitted('access', this.#fill(frame, write), (answer, reason, facts) => visit({ answer, reason, facts }));
  }

  /** What the concrete machine has cached is a fact; its queue is where it may be. */
  settle(): void {
    const { ledger, walker } = this.#parts;
    checkEntries(ledger, 0, this, this.concrete);
    const q = this.#software.queues[0];
    if (q !== undefined) checkQueue(ledger, { smmu: 0, queue: 0, fetched: (view, pointer) => fetchedAt(walker, this.#software.entryAddress(view, pointer), this.features) }, this, q);
  }
}

/** The opcode and second word of an address invalidation, and of one of everything, for the table's tag. */
export function invalidationOf(stage: 1 | 2): { readonly range: number; readonly all: number; readonly tag: number } {
  if (stage === 1) return { range: OP.TLBI_NH_VA, all: OP.TLBI_NH_ASID, tag: (ASID * 65536 + VMID) >>> 0 };
  return { range: OP.TLBI_S2_IPA, all: OP.TLBI_S12_VMALL, tag: VMID };
}
