/**
 * QEMU in the optimised machine's place, and the optimised machine beside it: what of QEMU's answers and records is compared. Of an answer:
 * translated or not, the page, the event and its stage. Of a record: type, stream, page, direction and stage; CLASS and the S2 bit of
 * walks are not, nor how often it comes, nor IPA. An access that leaves neither data nor record may have ended behind memory.
 */
import { CLASS_CD, CLASS_IN, isTranslationFault, type FaultRecord } from '../spec/event.js';
import { REG } from '../spec/register.js';
import { Journal } from '../memory/journal.js';
import { Memory, WORDS_PER_FRAME } from '../memory/memory.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import { directed, QemuMachine } from '../qemu/machine.js';
import type { Rig } from '../qemu/rig.js';
import type { Likeness, Twins } from '../lockstep/twins.js';
import type { MachineConfig } from '../stack/machine-world.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import { FRAME_UNSEEN, newAnswer, type Answer, type Transaction } from '../stack/transaction.js';
import type { Looseness } from './waivers.js';

/** What the weakest machine says where anything may be cached. */
const ANY_FRAME = -1;

function sameStage(permitted: Answer, seen: Answer): boolean {
  return !isTranslationFault(permitted.event) || permitted.class !== CLASS_IN || permitted.stage2 === seen.stage2;
}

export interface Watched {
  isRam(frame: number): boolean;
  /** A fault leaves no record now. */
  deaf(): boolean;
}

/** May an answer look like this from outside? */
export function looksLike(permitted: Answer, seen: Answer, watched: Watched): boolean {
  switch (seen.kind) {
    case OUTCOME_FAULT: return permitted.kind === OUTCOME_FAULT && permitted.event === seen.event && sameStage(permitted, seen);
    case OUTCOME_OK:
      if (seen.frame === FRAME_UNSEEN) return permitted.kind === OUTCOME_OK || permitted.kind === OUTCOME_ABORT || watched.deaf();
      return permitted.kind === OUTCOME_OK && (permitted.frame === seen.frame || permitted.frame === ANY_FRAME);
    default:
      if (permitted.kind === OUTCOME_OK) return permitted.frame === ANY_FRAME || !watched.isRam(permitted.frame);
      return permitted.kind === OUTCOME_ABORT || watched.deaf();
  }
}

/** The optimised machine, told everything that QEMU is told, in a memory of its own. */
export class Beside extends QemuMachine {
  readonly #answer: Answer = newAnswer();
  readonly #machine: OptimisedMachine;

  constructor(rig: Rig, memory: Memory, config: MachineConfig) {
    super(rig, memory);
    const own = new Memory(new Journal(), memory.slots);
    memory.watchers.push({ stored: (slot, index) => { own.commit(slot * WORDS_PER_FRAME + index, memory.lo[slot * WORDS_PER_FRAME + index] as number, memory.hi[slot * WORDS_PER_FRAME + index] as number); } });
    this.#machine = new OptimisedMachine(own, config);
  }

  override writeRegister(offset: number, value: number): void {
    super.writeRegister(offset, value);
    if (offset !== REG.EVENTQ_CONS) this.#machine.writeRegister(offset, value);
  }

  override transact(t: Transaction, out: Answer): void {
    super.transact(t, out);
    this.#machine.transact(t, this.#answer);
    this.#machine.writeRegister(REG.EVENTQ_CONS, this.#machine.readRegister(REG.EVENTQ_PROD)); // nobody reads its records
  }

  beside(): Answer {
    return this.#answer;
  }
}

/** Twins of which the concrete one is QEMU; `last` is the machine of the sequence that runs. */
export interface QemuTwins extends Twins {
  last: Beside | null;
}

export interface QemuTwinsOptions {
  readonly weakest: Twins['weakest'];
  readonly looseness: ReadonlySet<Looseness>;
}

export function qemuTwins(rig: () => Rig, { weakest, looseness }: QemuTwinsOptions): QemuTwins {
  const loose = (r: FaultRecord): boolean => looseness.has('direction-of-cd-fetch') && r.class === CLASS_CD && isTranslationFault(r.type);
  const watched: Watched = { isRam: (frame) => twins.last?.rig.ram.isRam(frame) === true, deaf: () => twins.last?.deaf === true };
  const likeness: Likeness = {
    name: 'QEMU',
    answer: (permitted, seen) => looksLike(permitted, seen, watched),
    record: (r, t, seen) => seen.kind !== OUTCOME_ABORT && r.type === seen.event && r.sid === t.sid
      && (!directed(r) || (r.inputFrame === t.frame && (loose(r) || (r.read !== 0) !== t.write) && r.stage2 === seen.stage2)),
  };
  const twins: QemuTwins = {
    likeness, weakest, seldom: true, last: null,
    concrete: (memory, config) => {
      twins.last = new Beside(rig(), memory, config);
      twins.last.undirected = loose;
      return twins.last;
    },
  };
  return twins;
}
