/**
 * QemuMachine: QEMU's SMMUv3 behind the interface of a concrete machine. What an access came to is inferred from outside: the event
 * records that it left, the tag that a reader brought back, the mark that a writer left. QEMU repeats a record for each four bytes
 * of an access. It has no ATS, no substreams and no eviction on demand, and its caches cannot be looked into.
 */
import { decodeFault, EVENT, EVENT_BYTES, isTranslationFault, newFault, type FaultRecord } from '../spec/event.js';
import { CR0_EVENTQEN, GERROR_EVENTQ_ABT, queueAddress, queueLog2, queuePointer, REG, strtabSplit } from '../spec/register.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import { ANSWER_NONE, FRAME_UNSEEN, newAnswer, newTransaction, type Answer, type Answered, type Transaction, type WholeMachine } from '../stack/transaction.js';
import { violate, type Violation } from '../stack/violation.js';
import { QemuDied } from './process.js';
import { Published } from './published.js';
import { GUEST_END, GUEST_FIRST } from './ram.js';
import type { Rig } from './rig.js';

/** Behind this frame (1 TB) the virt board has nothing: an access there is aborted. In front of RAM and up to it there are device registers. */
const HOLE = 2 ** 28;
/** What an access may change. */
const AFTER_ACCESS: readonly number[] = [REG.EVENTQ_PROD, REG.GERROR];
/** What a register write may change besides that register: commands run inside of the write that lets them. */
const AFTER_WRITE: Readonly<Record<number, readonly number[]>> = {
  [REG.CR0]: [REG.CR0ACK, REG.CMDQ_CONS, REG.GERROR], [REG.CMDQ_PROD]: [REG.CMDQ_CONS, REG.GERROR], [REG.GERRORN]: [REG.CMDQ_CONS, REG.GERROR],
};
/** Written often, and only by software: what was written stands in them. */
const KEPT: readonly number[] = [REG.CMDQ_PROD, REG.EVENTQ_CONS];
/** Looked at after almost every operation: whichever of them is not known is read in one go. */
const USUAL: readonly number[] = [
  REG.CR0, REG.CR0ACK, REG.GERROR, REG.GERRORN, REG.CMDQ_PROD, REG.CMDQ_CONS, REG.EVENTQ_PROD, REG.EVENTQ_CONS, REG.CMDQ_BASE, REG.EVENTQ_BASE,
];
const WIDE: readonly number[] = [REG.STRTAB_BASE, REG.CMDQ_BASE, REG.EVENTQ_BASE];

/** Where the modelled memory ends, the guest's goes on. */
const FETCH_ABORTS: readonly number[] = [EVENT.F_STE_FETCH, EVENT.F_CD_FETCH, EVENT.F_WALK_EABT];

const CAUSE_OF_END = { hung: 'QEMU does not answer any more', died: 'QEMU ends' } as const;

/** Did QEMU end or hang, and not answer something else than it should? */
export function isEnd(v: Violation): boolean {
  return Object.values<string>(CAUSE_OF_END).includes(v.cause);
}

interface Recorded {
  readonly address: number;
  readonly words: Uint32Array;
  readonly record: FaultRecord;
}

export class QemuMachine implements WholeMachine {
  readonly rig: Rig;
  readonly #memory: Memory;
  readonly #values: Map<number, number>;
  /** EVENTQ_PROD up to which records were taken from the guest's memory. */
  #taken: number;
  /** Records that the modelled memory does not have yet. */
  #pending: Recorded[] = [];
  #frames: readonly number[] = [];
  /** Records that do not tell the direction although their type could. */
  undirected: (r: FaultRecord) => boolean = () => false;
  readonly #other: { t: Transaction; answer: Answer } = { t: newTransaction(), answer: newAnswer() };
  #hasOther = false;
  /** Were commands published that QEMU has not heard of yet? */
  #rung = false;
  readonly #commands = new Published();

  constructor(rig: Rig, memory: Memory) {
    this.rig = rig;
    this.#memory = memory;
    this.#values = new Map(this.#alive(() => rig.begin(memory)));
    this.#taken = queuePointer(this.#values.get(REG.EVENTQ_PROD) as number);
  }

  /** The end of QEMU is an answer that no SMMU may give. */
  #alive<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof QemuDied)) throw error;
      this.rig.end();
      return violate({
        rule: 'machine-refinement', cause: CAUSE_OF_END[error.how], expected: 'an SMMU that goes on',
        actual: `${error.how === 'hung' ? 'QEMU hangs' : 'the QEMU process ends'}${error.stderr === '' ? '' : `: ${error.stderr}`}`, because: [],
      });
    }
  }

  /**
   * The guest's memory becomes the modelled one. Commands run in the memory that stood there when PROD was written: those that are still
   * on the way go first, unless nothing has changed since but what stands behind them in the queue.
   */
  #mirror(): void {
    const { ram, qtest } = this.rig;
    if (this.#rung && (ram.changed(this.#commands.base) || this.#commands.altered(this.#memory))) {
      qtest.flush();
      this.#heard();
    }
    ram.mirror();
  }

  /** QEMU has heard of everything. */
  #heard(): void {
    this.#rung = false;
    this.#commands.clear();
  }

  writeRegister(offset: number, value: number): void {
    this.#alive(() => {
      if (offset in AFTER_WRITE) {
        this.#mirror();
        if (offset === REG.CMDQ_PROD) this.#published(value);
        this.#rung = true;
      }
      if (offset === REG.STRTAB_BASE_CFG && strtabSplit(value) > 0) this.rig.twoLevelSeen = true;
      this.rig.write(offset, this.#sinceBegin(offset, value), WIDE.includes(offset) ? 8 : 4);
    });
    if (KEPT.includes(offset)) this.#values.set(offset, value);
    else this.#values.delete(offset);
    if (offset !== REG.CMDQ_PROD || this.#values.get(REG.CR0) !== 0) for (const other of AFTER_WRITE[offset] ?? []) this.#values.delete(other);
    if (offset === REG.EVENTQ_PROD) this.#taken = queuePointer(value);
  }

  readRegister(offset: number): number {
    const known = this.#values.get(offset);
    if (known === undefined) this.#alive(() => { this.#fetch(offset); });
    if (offset === REG.EVENTQ_PROD) this.#commit();
    return this.#sinceBegin(offset, known ?? (this.#values.get(offset) as number));
  }

  /** Remembers the commands between the PROD that stood there and the new one. */
  #published(prod: number): void {
    if (!this.#values.has(REG.CMDQ_BASE)) this.#fetch(REG.CMDQ_BASE);
    this.#commands.publish(this.#memory, { base: this.#values.get(REG.CMDQ_BASE) as number, log2Max: this.rig.features.commandLog2 }, this.#values.get(REG.CMDQ_PROD) ?? 0, prod);
  }

  /** GERROR and GERRORN as if both had been 0 when the sequence began; the same in both directions. */
  #sinceBegin(offset: number, value: number): number {
    return offset === REG.GERROR || offset === REG.GERRORN ? (value ^ this.rig.errorsBefore) >>> 0 : value;
  }

  /** Reads a register, and in the same go the usual ones that are not known. */
  #fetch(offset: number): void {
    const { qtest } = this.rig;
    const wanted = USUAL.includes(offset) ? USUAL.filter((one) => !this.#values.has(one)) : [offset];
    const low = wanted.map((one) => this.rig.read(one));
    const high = wanted.map((one) => (WIDE.includes(one) ? this.rig.read(one + 4) : -1));
    this.#mirror();
    qtest.flush();
    this.#heard();
    wanted.forEach((one, i) => {
      const top = high[i] as number;
      this.#values.set(one, qtest.value(low[i] as number) + (top < 0 ? 0 : (qtest.value(top) % 2 ** 20) * 2 ** 32));
    });
    this.#collect();
  }

  /** Takes the records that have come from the guest's memory. */
  #collect(): void {
    if (!this.#values.has(REG.EVENTQ_PROD)) return;
    const queue = this.#eventQueue();
    const prod = queuePointer(this.#values.get(REG.EVENTQ_PROD) as number) % 2 ** (queue.log2 + 1);
    const from = this.#taken % 2 ** (queue.log2 + 1);
    if (prod === from) return;
    this.#taken = prod;
    for (const { address, words } of this.rig.records(queue, from, prod)) this.#pending.push({ address, words, record: decodeFault(words, 0, newFault()) });
  }

  #eventQueue(): { base: number; log2: number } {
    const value = this.#values.get(REG.EVENTQ_BASE) ?? 0;
    const log2 = queueLog2(value, this.rig.features.eventLog2);
    return { base: queueAddress(value, log2, EVENT_BYTES), log2 };
  }

  /** The modelled memory gets the records that QEMU has written. */
  #commit(): void {
    for (const { address, words } of this.takeRecords()) {
      const slot = this.#memory.slotOf(Math.floor(address / 4096));
      if (slot < 0) continue;
      const ref = slot * WORDS_PER_FRAME + (address % 4096) / 8;
      for (let i = 0; i < EVENT_BYTES / 8; i += 1) this.#memory.commit(ref + i, words[2 * i] as number, words[2 * i + 1] as number);
    }
  }

  /** Records that came since the last time. */
  takeRecords(): readonly Recorded[] {
    const records = this.#pending;
    this.#pending = [];
    return records;
  }

  /** Can the event queue take no record now? Then a fault leaves nothing. */
  get deaf(): boolean {
    return (this.readRegister(REG.CR0ACK) & CR0_EVENTQEN) === 0 || ((this.readRegister(REG.GERROR) ^ this.readRegister(REG.GERRORN)) & GERROR_EVENTQ_ABT) !== 0
      || !this.rig.ram.isRam(Math.floor(this.#eventQueue().base / 4096));
  }

  expect(t: Transaction, answers: readonly Answer[]): string | null {
    const frames = answers.flatMap((a) => (a.kind === OUTCOME_OK ? [a.frame] : []));
    this.#frames = frames;
    const kind = this.rig.devices.kindOf(t.sid);
    if (kind === null) return 'no device has this StreamID';
    if (kind === 'reader' && t.write) return 'the device of this StreamID only reads';
    if (t.ssid >= 0 || t.privileged || t.instruction) return 'the device sends no substream, no privileged access and no fetch';
    if (kind === 'tester' && !t.write) return 'the device of this StreamID only writes';
    if (t.frame >= this.rig.devices.inputFrames(t.sid)) return 'the device has 32-bit addresses';
    if (answers.some((a) => FETCH_ABORTS.includes(a.event))) return 'it may fetch from where only the models have no memory';
    if (frames.some((f) => f >= 0 && (f < GUEST_FIRST || (f >= GUEST_END && f < HOLE)))) return 'it may reach the registers of another device';
    return null;
  }

  transact(t: Transaction, out: Answer): void {
    this.#alive(() => { this.#transact(t, out); });
  }

  #transact(t: Transaction, out: Answer): void {
    const { rig } = this;
    const kind = rig.devices.kindOf(t.sid);
    const writer = kind !== 'reader';
    this.#mirror();
    if (!writer) rig.ram.tagAll(this.#frames, this.#frames.length);
    rig.devices.start(t.sid, t.frame);
    const after = AFTER_ACCESS.map((offset) => rig.read(offset));
    rig.qtest.flush();
    this.#heard();
    AFTER_ACCESS.forEach((offset, i) => { this.#values.set(offset, rig.qtest.value(after[i] as number)); });
    const tag = writer ? 0 : rig.devices.read(); // before anything else is read
    this.#collect();
    const records = this.#pending.map((p) => p.record);
    this.#hasOther = kind === 'writer';
    if (!writer) {
      this.#answer(records, t, records.length > 0 ? -1 : this.#frameRead(t, tag), out);
      return;
    }
    const written = records.some((r) => !directed(r) || this.undirected(r) || r.read === 0) ? -1 : this.#frameWritten(t.frame);
    if (kind === 'tester') {
      this.#answer(records, t, written, out);
      return;
    }
    const other = this.#other;
    Object.assign(other.t, t);
    other.t.write = !t.write;
    // What it reads it keeps to itself: without a record the read may have been aborted as well.
    this.#answer(records, t, t.write ? written : FRAME_UNSEEN, out);
    this.#answer(records, other.t, other.t.write ? written : FRAME_UNSEEN, other.answer);
  }

  /** `frame`: what was seen besides the records; -1: nothing. */
  #answer(records: readonly FaultRecord[], t: Transaction, frame: number, out: Answer): void {
    const r = records.find((one) => !directed(one) || this.undirected(one) || (one.read !== 0) !== t.write);
    Object.assign(out, newAnswer());
    if (r !== undefined) {
      out.kind = OUTCOME_FAULT;
      out.event = r.type;
      out.stage2 = r.stage2;
      out.class = r.class;
      out.ipa = r.ipa;
    } else if (frame === -1) out.kind = OUTCOME_ABORT;
    else {
      out.kind = OUTCOME_OK;
      out.frame = frame;
    }
  }

  /** The frame that the data is of; -1: of none. Data that no expected frame holds is read once more, when every conceivable frame can be told. */
  #frameRead(t: Transaction, tag: number): number {
    const { ram, devices, qtest } = this.rig;
    const found = this.#frames.find((frame) => ram.isRam(frame) && ram.tagOf(frame) === tag);
    if (found !== undefined) return found;
    const conceivable = ram.conceivable(t.frame);
    if (conceivable.has(ram.frameOf(tag))) return ram.frameOf(tag);
    ram.tagAll(conceivable, conceivable.size);
    devices.start(t.sid, t.frame);
    qtest.flush();
    const again = devices.read();
    return again === 0 ? -1 : [...conceivable].find((frame) => ram.isRam(frame) && ram.tagOf(frame) === again) ?? -1;
  }

  #frameWritten(frame: number): number {
    const { ram } = this.rig;
    const found = this.#frames.find((f) => ram.takeMark(f));
    if (found !== undefined) return found;
    for (const f of ram.conceivable(frame)) if (ram.takeMark(f)) return f;
    return -1;
  }

  besides(): Answered | null {
    return this.#hasOther ? this.#other : null;
  }

  atsRequest(_t: Transaction, out: Answer): void {
    Object.assign(out, newAnswer(), { kind: ANSWER_NONE });
  }

  translated(_t: Transaction, out: Answer): void {
    Object.assign(out, newAnswer(), { kind: ANSWER_NONE });
  }

  setEndpoint(): void {
    // no device here has ATS
  }

  flushCaches(): void {
    // QEMU evicts nothing on demand
  }

  forEachCached(): void {
    // they cannot be looked into
  }
}

/** Does a record of this type say whether it was a read? */
export function directed(r: FaultRecord): boolean {
  return isTranslationFault(r.type) || r.type === EVENT.F_WALK_EABT;
}
