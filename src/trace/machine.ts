/**
 * The recorded SMMU: what the recording stored, wrote to registers and put into the queue drives the weakest legal machine, raw words by physical
 * address. It is the stage-1 machine of the fuzzer with the features that the recorded ID registers say. What that machine does not model (stage 2,
 * substreams, ATS, EL2 commands, granules other than 4K, the contiguous hint) throws Unmodelled: inconclusive from that line on.
 *
 * A command is visible to the SMMU from its PROD write on (tracing alone does not show that: from the moment it is in the queue, the earliest there
 * is). A SYNC is complete when CONS is read behind it, or when the call that issued it returns. Switching the SMMU off keeps every cache: what comes
 * after may find anything in them, as after reset.
 */
import { commandName, encodeCommand, newCommand, OP } from '../spec/command.js';
import { CR0_SMMUEN, queueUsed, REG } from '../spec/register.js';
import { extract, POW2 } from '../spec/bits.js';
import { featuresOf, type Features } from '../spec/features.js';
import { Journal } from '../memory/journal.js';
import { ScatteredMemory } from '../memory/scattered.js';
import { Stage1Reference } from '../reference/stage1/machine.js';
import type { Stage1Features } from '../stack/machine.js';
import { Unmodelled } from '../stack/violation.js';
import { DEFAULT_SMMU } from '../stack/world.js';

/** The recording says two things that cannot both be. */
export class Contradiction extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Contradiction';
  }
}

const OFFSETS: Readonly<Record<string, number>> = {
  CR0: REG.CR0, CR2: REG.CR2, STRTAB_BASE: REG.STRTAB_BASE, STRTAB_BASE_CFG: REG.STRTAB_BASE_CFG, CMDQ_BASE: REG.CMDQ_BASE, CMDQ_CONS: REG.CMDQ_CONS, CMDQ_PROD: REG.CMDQ_PROD,
};
/** A queue for recordings that do not say where it was: above every address that a table can have. */
const NOWHERE = 2 ** 40;
const NOWHERE_LOG2 = 12;
const WORD = 8;

export class RecordedMachine {
  readonly memory = new ScatteredMemory(new Journal());
  reference: Stage1Reference | null = null;
  /** The ID registers as recorded. */
  readonly #ids = new Map<string, number>();
  readonly #registers = new Map<string, number>();
  #queueFrame = -1;
  #queueLog2 = 0;
  #prod = 0;
  #cons = 0;
  /** Opcode of the command at each place of the ring, -1: none yet. */
  #ops = new Int16Array(0);
  /** A new machine stands there: those who listen must turn to it. */
  started: ((m: Stage1Reference) => void) | null = null;

  get enabled(): boolean {
    return this.reference !== null && ((this.#registers.get('CR0') ?? 0) & CR0_SMMUEN) !== 0;
  }

  get features(): Features {
    const id = (name: string, otherwise: number): number => this.#ids.get(name) ?? otherwise;
    return featuresOf(id('IDR0', 0xd44101b), id('IDR1', 0x2730010), id('IDR3', 0x1414), id('IDR5', 0x75), id('IIDR', 0));
  }

  /** Were the ID registers recorded? */
  get known(): boolean {
    return this.#ids.has('IDR0');
  }

  #make(): Stage1Reference {
    const f = this.features;
    const idr0 = this.#ids.get('IDR0') ?? 0xd44101b;
    const features: Stage1Features = {
      command: { ...f, pri: extract(idr0, 0, 16, 1) !== 0, stall: extract(idr0, 0, 24, 2) !== 1 },
      ste: f, cd: f, twoLevelStreams: f.twoLevelStreams, hardwareFlags: f.httu > 0,
    };
    this.memory.watchers = [];
    this.memory.watched.fill(0);
    const machine = new Stage1Reference(this.memory, { ...DEFAULT_SMMU, range: f.range, asidBits: f.asidBits, ...(f.forceSync ? { forceSync: true } : {}) }, features);
    this.reference = machine;
    this.started?.(machine);
    return machine;
  }

  register(name: string, value: number, read: boolean): void {
    if (/^I(DR\d|IDR)$/.test(name)) this.#ids.set(name, value);
    if (read || OFFSETS[name] === undefined) return;
    const before = this.#registers.get('CR0') ?? 0;
    this.#registers.set(name, value);
    if (name === 'CMDQ_BASE') this.#placeQueue(value);
    if (name === 'CMDQ_PROD') { this.prod(value); return; }
    if (name === 'CMDQ_CONS') this.#cons = value;
    if (name === 'CR2' && (value & 1) !== 0 && this.features.hyp) throw new Unmodelled('CR2.E2H = 1 (translations tagged EL2)');
    const m = this.reference ?? this.#make();
    if (name === 'CR0' && (before & CR0_SMMUEN) !== 0 && (value & CR0_SMMUEN) === 0) this.#restart();
    else m.writeRegister(OFFSETS[name] as number, value);
  }

  /** SMMUEN became 0: the caches keep what they have, which a machine after reset stands for. */
  #restart(): void {
    const m = this.#make();
    for (const name of ['CMDQ_BASE', 'STRTAB_BASE', 'STRTAB_BASE_CFG']) {
      const value = this.#registers.get(name);
      if (value !== undefined) m.writeRegister(OFFSETS[name] as number, value);
    }
    m.writeRegister(REG.CMDQ_PROD, this.#prod);
    m.writeRegister(REG.CMDQ_CONS, this.#cons);
    m.writeRegister(REG.CR0, this.#registers.get('CR0') as number);
  }

  #placeQueue(base: number): void {
    this.#queueFrame = Math.floor(base / 4096);
    this.#queueLog2 = base % 32;
    if (this.#queueLog2 > 19) throw new Contradiction(`CMDQ_BASE asks for 2^${this.#queueLog2} entries, and 2^19 are the most there can be (§6.3.26)`);
    this.#ops = new Int16Array(POW2[this.#queueLog2] as number).fill(-1);
    const frames = Math.max(1, (this.#ops.length * 16) / 4096);
    if (this.memory.knownSlot(this.#queueFrame) < 0) this.memory.reserve(this.#queueFrame, frames);
  }

  /** Consecutive 64-bit words, as pairs of halves. */
  store(pa: number, words: readonly number[]): void {
    for (let i = 0; i < words.length; i += 2) this.#commit(pa + i * 4, words[i] as number, words[i + 1] as number);
  }

  fill(pa: number, size: number, byte: number): void {
    const half = Math.imul(byte, 0x01010101) >>> 0;
    for (let at = 0; at < size; at += WORD) this.#commit(pa + at, half, half);
  }

  #commit(pa: number, lo: number, hi: number): void {
    this.memory.commit(this.ref(pa), lo, hi);
  }

  ref(pa: number): number {
    return this.memory.slotOf(Math.floor(pa / 4096)) * 512 + (pa % 4096) / WORD;
  }

  /** A command is in the ring. */
  command(idx: number, op: string, raw: readonly number[]): void {
    const code = (raw[0] as number) & 0xff;
    const named = (OP as Readonly<Record<string, number>>)[op];
    if (named !== undefined && named !== code) throw new Contradiction(`the command is called ${op}, but its opcode is 0x${code.toString(16)} (${commandName(code) ?? 'reserved'})`);
    if (this.#queueFrame < 0) throw new Contradiction('a command is put into a queue whose base was never written');
    const at = idx % this.#ops.length;
    this.#ops[at] = code;
    this.store(this.#queueFrame * 4096 + at * 16, raw);
  }

  /** Tracing alone: the command is published as it comes, at the next place. `raw` null: a CMD_SYNC. */
  append(op: string, raw: readonly number[] | null): void {
    if (this.#queueFrame < 0) this.register('CMDQ_BASE', NOWHERE + NOWHERE_LOG2, false);
    this.command(this.#prod % this.#ops.length, op, raw ?? SYNC);
    this.prod((this.#prod + 1) % (2 * this.#ops.length));
  }

  prod(value: number): void {
    if (value >= 2 * this.#ops.length) throw new Contradiction(`PROD ${value} is beyond a queue of ${this.#ops.length} entries`);
    const fresh = queueUsed(value, this.#prod, this.#queueLog2);
    for (let i = 0; i < fresh; i += 1) {
      const at = (this.#prod + i) % this.#ops.length;
      if (this.#ops[at] === -1) throw new Contradiction(`PROD ${value} publishes entry ${at}, for which no command is recorded`);
    }
    this.#prod = value;
    this.#registers.set('CMDQ_PROD', value);
    (this.reference ?? this.#make()).writeRegister(REG.CMDQ_PROD, value);
  }

  /** The SMMU took the command at this place. */
  take(idx: number, op: string): void {
    const named = (OP as Readonly<Record<string, number>>)[op];
    const code = this.#ops[idx % Math.max(1, this.#ops.length)];
    if (named !== undefined && named !== code) {
      throw new Contradiction(`the SMMU takes ${op} from entry ${idx}, where ${code === undefined || code < 0 ? 'nothing' : commandName(code) ?? `opcode 0x${code.toString(16)}`} was put`);
    }
  }

  cons(value: number): void {
    const index = value % (2 * Math.max(1, this.#ops.length));
    const left = queueUsed(this.#prod, index, this.#queueLog2);
    if (left > queueUsed(this.#prod, this.#cons, this.#queueLog2)) throw new Contradiction(`CONS ${index} is read while it was ${this.#cons} and PROD is ${this.#prod}: it went back, or beyond PROD`);
    this.#cons = index;
    this.reference?.queue.observe(index);
  }

  /** A call that waited for the SYNC at `idx` returned (-1: at the last place). */
  completed(idx: number): void {
    if (this.#ops.length === 0 || this.reference === null) return;
    const behind = idx < 0 ? this.#prod : this.#behind(idx);
    if (queueUsed(this.#prod, behind, this.#queueLog2) < queueUsed(this.#prod, this.#cons, this.#queueLog2)) this.cons(behind);
  }

  /** The index behind entry `idx`, with the wrap bit that it has while it is not far behind PROD. */
  #behind(idx: number): number {
    const size = this.#ops.length;
    const back = (this.#prod - 1 - idx + 2 * size) % size;
    return (this.#prod - back + 2 * size) % (2 * size);
  }

  /** The stream whose STE is at this address, or -1. */
  streamAt(pa: number): number {
    const slot = this.memory.knownSlot(Math.floor(pa / 4096));
    return slot < 0 || this.reference === null ? -1 : this.reference.configuration.streamAt(slot, (pa % 4096) / WORD);
  }

  /** The streams that may fetch the CD at this address. */
  streamsOfCd(pa: number): Set<number> {
    const slot = this.memory.knownSlot(Math.floor(pa / 4096));
    const ref = slot * 512 + (pa % 4096) / WORD;
    const cds = slot < 0 || this.reference === null ? [] : this.reference.configuration.cdsIn(slot);
    return new Set(cds.filter((cd) => cd.ref === ref).map((cd) => cd.sid));
  }
}

const SYNC: readonly number[] = ((): number[] => {
  const raw = new Uint32Array(4);
  encodeCommand({ ...newCommand(), op: OP.SYNC }, raw);
  return [...raw];
})();
