/**
 * The recorded SMMU: what the recording stored, wrote to registers and put into the queue drives the weakest legal machine, raw words by physical
 * address, with the features that the recorded ID registers say. It begins as the stage-1 machine (weakest.ts). What that one does not model (stage 2,
 * substreams, ATS, EL2, granules other than 4K, the contiguous hint, hardware updates of flags) throws NeedsWhole: the recording is judged again on the whole
 * machine. What the stage-1 machine would take silently for something else (an STE with STRW, EATS, S1CDMax or S2VMID, a CD with DS) is looked at here.
 *
 * A command is visible to the SMMU from its PROD write on (tracing alone does not show that: from the moment it is in the queue, the earliest there
 * is). A SYNC is complete when CONS is read behind it, or when the call that issued it returns. Switching the SMMU off keeps every cache: what comes
 * after may find anything in them, as after reset.
 */
import { commandName, encodeCommand, newCommand, OP } from '../spec/command.js';
import { getField } from '../spec/bits.js';
import { CERROR_ATC_INV_SYNC, CERROR_ILL, CERROR_NONE, CR0_SMMUEN, queueUsed, REG, strtabSplit } from '../spec/register.js';
import { extract, POW2 } from '../spec/bits.js';
import { featuresOf, type Features } from '../spec/features.js';
import { Journal } from '../memory/journal.js';
import { MemoryFull, SCATTERED_MAX, ScatteredMemory } from '../memory/scattered.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import type { Stage1Features } from '../stack/machine.js';
import { Unmodelled, violate } from '../stack/violation.js';
import { DEFAULT_SMMU } from '../stack/world.js';
import { CD } from '../spec/cd.js';
import { CONFIG_S2, STE } from '../spec/ste.js';
import { Stage1Weakest } from './stage1.js';
import { NeedsWhole, type MachineKind, type User, type Weakest } from './weakest.js';
import { WholeWeakest } from './whole.js';

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

/**
 * ID registers that were not recorded (tracing alone): all that a command or structure may ask for is taken to be there, so that nothing is called illegal
 * that this SMMU may well have: both stages, Hyp, hardware flags, ATS, PRI, stalls, 16-bit ASIDs and VMIDs, two levels, 32-bit StreamIDs, 20-bit SubstreamIDs, ranges, all granules, DS.
 */
const UNKNOWN = { IDR0: 0xe4d369b, IDR1: 0x2730520, IDR3: 0x1414, IDR5: 0x4f6, IIDR: 0 } as const;
/** The SMMU that is assumed where tracing shows nothing of it. */
export function assumedFeatures(): Features {
  return featuresOf(UNKNOWN.IDR0, UNKNOWN.IDR1, UNKNOWN.IDR3, UNKNOWN.IDR5, UNKNOWN.IIDR);
}

/** log2 of the largest queue there can be (§6.3.26). */
const QUEUE_MOST = 19;

export class RecordedMachine {
  readonly memory = new ScatteredMemory(new Journal());
  readonly kind: MachineKind;
  weakest: Weakest | null = null;
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
  started: ((m: Weakest) => void) | null = null;

  constructor(kind: MachineKind) {
    this.kind = kind;
  }

  get enabled(): boolean {
    return this.weakest !== null && ((this.#registers.get('CR0') ?? 0) & CR0_SMMUEN) !== 0;
  }

  get features(): Features {
    const id = (name: keyof typeof UNKNOWN): number => this.#ids.get(name) ?? UNKNOWN[name];
    return featuresOf(id('IDR0'), id('IDR1'), id('IDR3'), id('IDR5'), id('IIDR'));
  }

  /** The stage-1 machine, if it is the one that judges. */
  get reference(): Stage1Reference | null {
    return this.weakest instanceof Stage1Weakest ? this.weakest.reference : null;
  }

  /** Were the ID registers recorded? */
  get known(): boolean {
    return this.#ids.has('IDR0');
  }

  #make(): Weakest {
    const f = this.features;
    this.memory.watchers = [];
    this.memory.watched.fill(0);
    const machine = this.kind === 'whole' ? new WholeWeakest(this.memory, { ...f, commandLog2: QUEUE_MOST, extraQueues: 0 }, this.#beyond()) : this.#stage1(f);
    this.weakest = machine;
    this.started?.(machine);
    return machine;
  }

  /** IDR0.PRI, and STALL_MODEL other than 1. */
  #beyond(): { pri: boolean; stall: boolean } {
    const idr0 = this.#ids.get('IDR0') ?? UNKNOWN.IDR0;
    return { pri: extract(idr0, 0, 16, 1) !== 0, stall: extract(idr0, 0, 24, 2) !== 1 };
  }

  #stage1(f: Features): Stage1Weakest {
    const features: Stage1Features = {
      command: { ...f, ...this.#beyond() },
      ste: f, cd: f, twoLevelStreams: f.twoLevelStreams, hardwareFlags: f.httu > 0,
    };
    return new Stage1Weakest(this.memory, { ...DEFAULT_SMMU, range: f.range, asidBits: f.asidBits, ...(f.forceSync ? { forceSync: true } : {}) }, features, f);
  }

  register(name: string, value: number, read: boolean): void {
    if (/^I(DR\d|IDR)$/.test(name)) this.#ids.set(name, value);
    if (read || OFFSETS[name] === undefined) return;
    const before = this.#registers.get('CR0') ?? 0;
    this.#registers.set(name, value);
    if (name === 'CMDQ_BASE') this.#placeQueue(value);
    if (name === 'STRTAB_BASE_CFG' && streamBytes(value) > SCATTERED_MAX * 4096) throw new MemoryFull();
    if (name === 'CMDQ_PROD') { this.prod(value); return; }
    if (name === 'CMDQ_CONS') this.#cons = value;
    if (name === 'CR2' && (value & 1) !== 0 && this.features.hyp) this.#needsWhole('CR2.E2H = 1 (translations tagged EL2)');
    const m = this.weakest ?? this.#make();
    if (name === 'CR0' && (before & CR0_SMMUEN) !== 0 && (value & CR0_SMMUEN) === 0) this.#restart();
    else m.writeRegister(OFFSETS[name] as number, this.#as(name, value));
  }

  #needsWhole(what: string): void {
    if (this.kind === 'stage1') throw new NeedsWhole(what);
  }

  /** Both machines take the ring from the page that it is placed in: where in the page it begins is nobody's business. */
  #as(name: string, value: number): number {
    return name === 'CMDQ_BASE' ? this.#queueFrame * 4096 + this.#queueLog2 : value;
  }

  /** SMMUEN became 0: the caches keep what they have, which a machine after reset stands for. */
  #restart(): void {
    const m = this.#make();
    for (const name of ['CMDQ_BASE', 'STRTAB_BASE', 'STRTAB_BASE_CFG']) {
      const value = this.#registers.get(name);
      if (value !== undefined) m.writeRegister(OFFSETS[name] as number, this.#as(name, value));
    }
    m.writeRegister(REG.CMDQ_PROD, this.#prod);
    m.writeRegister(REG.CMDQ_CONS, this.#cons);
    m.writeRegister(REG.CR0, this.#registers.get('CR0') as number);
  }

  #placeQueue(base: number): void {
    this.#queueFrame = Math.floor(base / 4096);
    this.#queueLog2 = base % 32;
    if (this.#queueLog2 > QUEUE_MOST) throw new Contradiction(`CMDQ_BASE asks for 2^${this.#queueLog2} entries, and 2^19 are the most there can be (§6.3.26)`);
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
    if (this.kind === 'whole') this.#unpublished(at, raw);
    this.#ops[at] = code;
    this.store(this.#queueFrame * 4096 + at * 16, raw);
  }

  /** Entries between CONS and PROD stay as they are (§3.21.2). The stage-1 machine sees to that by itself. */
  #unpublished(at: number, raw: readonly number[]): void {
    const size = this.#ops.length;
    const first = this.ref(this.#queueFrame * 4096 + at * 16);
    const same = raw.every((half, i) => (i % 2 === 0 ? this.memory.lo : this.memory.hi)[first + (i >> 1)] === half);
    if (same || (at - (this.#cons % size) + size) % size >= queueUsed(this.#prod, this.#cons, this.#queueLog2)) return;
    violate({
      rule: 'queue-integrity', cause: 'published-entry-changed', expected: 'published commands stay unchanged until consumed (§3.21.2)', actual: `entry ${at} was overwritten while CONS is ${this.#cons} and PROD is ${this.#prod}`, because: [],
    });
  }

  /** Tracing alone: the command is published as it comes, at the next place. `raw` null: a CMD_SYNC. */
  append(op: string, raw: readonly number[] | null): void {
    if (this.#queueFrame < 0) this.#placeNowhere();
    this.command(this.#prod % this.#ops.length, op, raw ?? SYNC);
    this.prod((this.#prod + 1) % (2 * this.#ops.length));
  }

  /** The base can be written while CMDQEN is 0 only. */
  #placeNowhere(): void {
    const cr0 = this.#registers.get('CR0') ?? 0;
    if (cr0 !== 0) this.weakest?.writeRegister(REG.CR0, 0);
    this.register('CMDQ_BASE', NOWHERE + NOWHERE_LOG2, false);
    if (cr0 !== 0) this.weakest?.writeRegister(REG.CR0, cr0);
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
    (this.weakest ?? this.#make()).writeRegister(REG.CMDQ_PROD, value);
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
    this.#stoppedWith(Math.floor(value / (POW2[24] as number)) % 128, value % (POW2[20] as number));
    const index = value % (2 * Math.max(1, this.#ops.length));
    const left = queueUsed(this.#prod, index, this.#queueLog2);
    if (left > queueUsed(this.#prod, this.#cons, this.#queueLog2)) throw new Contradiction(`CONS ${index} is read while it was ${this.#cons} and PROD is ${this.#prod}: it went back, or beyond PROD`);
    this.#cons = index;
    this.weakest?.observe(index);
  }

  /** CMDQ_CONS.ERR: the recorded SMMU stopped (§7.1). */
  #stoppedWith(error: number, index: number): void {
    if (error === CERROR_NONE) return;
    const at = index % Math.max(1, this.#ops.length);
    const code = this.#ops[at] ?? -1;
    const name = code < 0 ? 'an entry that was never written' : commandName(code) ?? `opcode 0x${code.toString(16)}`;
    if (error !== CERROR_ILL) throw new Unmodelled(`the SMMU stopped at ${name} (entry ${at}) with ${error === CERROR_ATC_INV_SYNC ? 'an ATC invalidation that was not answered' : `error ${error}`}`);
    violate({ rule: 'illegal-command', cause: `the SMMU refused ${name}`, expected: 'a legal command', actual: `CMDQ_CONS.ERR = CERROR_ILL at entry ${at}: ${name}`, because: [] });
  }

  /** A call that waited for the SYNC at `idx` returned (-1: at the last place). */
  completed(idx: number): void {
    if (this.#ops.length === 0 || this.weakest === null) return;
    const behind = idx < 0 ? this.#prod : this.#behind(idx);
    if (queueUsed(this.#prod, behind, this.#queueLog2) < queueUsed(this.#prod, this.#cons, this.#queueLog2)) this.cons(behind);
  }

  /** The index behind entry `idx`, with the wrap bit that it has while it is not far behind PROD. */
  #behind(idx: number): number {
    const size = this.#ops.length;
    const back = (this.#prod - 1 - (idx % size) + 2 * size) % size;
    return (this.#prod - back + 2 * size) % (2 * size);
  }

  /** The stream whose STE is at this address, or -1. */
  streamAt(pa: number): number {
    return this.weakest?.streamAt(pa) ?? -1;
  }

  /** The streams, with the index, that may fetch the CD at this address. */
  usersOfCd(pa: number): readonly User[] {
    return this.weakest?.usersOfCd(pa) ?? [];
  }

  /** An STE or CD at this address was stored: does it ask for what the stage-1 machine does not know to refuse? */
  entryStored(to: 'ste' | 'cd', pa: number, sid: number): void {
    const words = this.#entry(pa);
    const f = this.features;
    if (to === 'cd') {
      if (f.ds && getField(words, CD.V) !== 0 && getField(words, CD.DS) !== 0) this.#needsWhole('52-bit addresses (CD.DS = 1)');
      return;
    }
    this.weakest?.steStored(sid, words);
    const config = getField(words, STE.Config);
    if (getField(words, STE.V) === 0 || config < CONFIG_S2 - 1) return;
    if (config >= CONFIG_S2) this.#needsWhole('stage 2 (STE.Config)');
    if (f.hyp && getField(words, STE.STRW) !== 0) this.#needsWhole('a stream of EL2 (STE.STRW)');
    if (f.ats && getField(words, STE.EATS) !== 0) this.#needsWhole('ATS (STE.EATS)');
    if (f.ssidBits > 0 && getField(words, STE.S1CDMax) !== 0) this.#needsWhole('substreams (STE.S1CDMax)');
    if (f.stage2 && getField(words, STE.S2VMID) !== 0) this.#needsWhole('a stage-1 stream with a VMID other than 0');
  }

  #entry(pa: number): Uint32Array {
    const words = new Uint32Array(16);
    const ref = this.ref(pa);
    for (let i = 0; i < 8; i += 1) {
      words[i * 2] = this.memory.lo[ref + i] as number;
      words[i * 2 + 1] = this.memory.hi[ref + i] as number;
    }
    return words;
  }
}

const SYNC: readonly number[] = ((): number[] => {
  const raw = new Uint32Array(4);
  encodeCommand({ ...newCommand(), op: OP.SYNC }, raw);
  return [...raw];
})();

/** Bytes of a stream table, or of its level-1 table. */
function streamBytes(cfg: number): number {
  const split = strtabSplit(cfg);
  return split === 0 ? 2 ** (cfg % 64) * 64 : 2 ** Math.max(0, (cfg % 64) - split) * 8;
}
