/**
 * CommandQueue: consumes 16-byte entries from physical memory, in order and at once, whenever the conditions of
 * IHI 0070 §4.1.2 hold: enabled, PROD and CONS say non-empty, no active command error. Pointers that no queue of this
 * size can have (§3.5.1) are waited out. An SMMU has one main queue and perhaps further ones; each has its own errors,
 * and a CMD_SYNC covers the commands of its own queue (§3.5.6).
 *
 * Errors (§7.1): CONS.RD stays at the entry, a reason is shown and the queue stops until software acknowledges; then that
 * entry is fetched again. While stopped, software may rewrite entries and take PROD back as far as CONS. Disabling and
 * enabling the queue does not acknowledge anything.
 *
 * Why it equals its slow twin (take effect at any time until the SYNC): at once is one of those times.
 */
import { CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, CERROR_NONE, queueAddress, queueIndex, queueLog2, queueNext, queueUsed } from '../../spec/register.js';
import {
  commandVerdict, decodeCommand, effectiveTtl, effectVerdict, ignoreReserved, newCommand, OP, WORDS_PER_COMMAND, type Command,
} from '../../spec/command.js';
import { POW2 } from '../../spec/bits.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import type { MachineConfig } from '../../stack/machine-world.js';
import { RepeatedList } from './repeated.js';

const ENTRY_BYTES = 16;
/** *_PROD.WR and *_CONS.RD: bits [19:0], of which a queue uses its index and its wrap bit. */
const POINTER = 2 ** 20;
const CS_IRQ = 1;

/** What a command comes to. */
const ILLEGAL = 0;
const NO_EFFECT = 1;
const EFFECT = 2;

/** Carries commands out. */
export interface CommandSink {
  /** One command, CMD_SYNC included, takes effect. False: it was an ATC_INV, and the endpoint did not answer in time. */
  execute(c: Command): boolean;
}

/** The SMMU around its queues. */
export interface QueueOwner extends CommandSink {
  /** SMMUEN. Without it ATC_INV and PRI_RESP are IGNORED (§4.5.1, §4.5.2). */
  readonly enabled: boolean;
  /** A CMD_SYNC of any queue completes now. */
  synced(): void;
  /** The completion MSI of a CMD_SYNC met an external abort. */
  msiLost(): void;
}

/** The command error of one queue: active from `raise` until software acknowledges. */
export interface QueueError {
  readonly active: boolean;
  raise(): void;
}

export type QueueRules = Pick<MachineConfig, 'features' | 'strictReserved'>;

/** Reference of the word at a byte address, or -1: an access there is aborted. */
export function wordAt(memory: Memory, address: number): number {
  const slot = memory.slotOf(Math.floor(address / 4096));
  return slot < 0 ? -1 : slot * WORDS_PER_FRAME + Math.floor((address % 4096) / 8);
}

export class CommandQueue {
  readonly #memory: Memory;
  readonly #rules: QueueRules;
  readonly #owner: QueueOwner;
  readonly #failure: QueueError;
  readonly #words = new Uint32Array(WORDS_PER_COMMAND);
  readonly #command = newCommand();
  /** One that waited for its CMD_SYNC. */
  readonly #waited = newCommand();
  readonly #list: RepeatedList | null;
  #enabled = false;
  #base = 0;
  #log2 = 0;
  /** Bits [19:0] as written. */
  #prod = 0;
  #cons = 0;
  #reason = 0;
  /** Did an ATC_INV time out since the last CMD_SYNC that tried to complete? */
  #timedOut = false;
  /** Does a CMD_SYNC run again that failed for it? */
  #again = false;

  constructor(memory: Memory, rules: QueueRules, owner: QueueOwner, failure: QueueError) {
    this.#memory = memory;
    this.#rules = rules;
    this.#owner = owner;
    this.#failure = failure;
    this.#list = rules.features.repeatedList ? new RepeatedList((words, at) => this.#carryOut(words, at)) : null;
  }

  get base(): number { return this.#base; }
  /** WR: index and wrap bit. */
  get prod(): number { return this.#prod % (POW2[this.#log2 + 1] as number); }
  /** RD: index and wrap bit. */
  get cons(): number { return this.#cons % (POW2[this.#log2 + 1] as number); }
  /** Why the queue stopped; UNKNOWN while no error is active, here 0. */
  get reason(): number { return this.#failure.active ? this.#reason : 0; }
  get enabled(): boolean { return this.#enabled; }

  /** The base and CONS are guarded: writable while the queue is disabled (§6.3.26, §6.3.28). */
  setBase(value: number): void {
    if (this.#enabled) return;
    this.#base = value;
    this.#log2 = queueLog2(value, this.#rules.features.commandLog2);
  }

  setCons(value: number): void {
    if (!this.#enabled) this.#cons = value % POINTER;
  }

  setProd(value: number): void {
    this.#prod = value % POINTER;
    this.#drain();
  }

  enable(on: boolean): void {
    this.#enabled = on;
    this.#drain();
  }

  /** Software acknowledged: goes on, if nothing else is in the way. */
  resume(): void {
    this.#drain();
  }

  #drain(): void {
    if (!this.#enabled) return;
    const log2 = this.#log2;
    const entries = POW2[log2] as number;
    const prod = this.prod;
    const address = queueAddress(this.#base, log2, ENTRY_BYTES);
    this.#cons = this.cons;
    while (prod !== this.#cons && !this.#failure.active && queueUsed(prod, this.#cons, log2) <= entries) {
      const reason = this.#fetch(address + queueIndex(this.#cons, log2) * ENTRY_BYTES) ? this.#consume(log2) : CERROR_ABT;
      if (reason === CERROR_NONE) continue;
      this.#reason = reason; // observable before the error is (§7.1)
      this.#failure.raise();
    }
  }

  #fetch(address: number): boolean {
    const ref = wordAt(this.#memory, address);
    if (ref < 0) return false;
    this.#words[0] = this.#memory.lo[ref] as number;
    this.#words[1] = this.#memory.hi[ref] as number;
    this.#words[2] = this.#memory.lo[ref + 1] as number;
    this.#words[3] = this.#memory.hi[ref + 1] as number;
    return true;
  }

  /** The fetched command: CERROR_NONE and CONS moves past it, or the reason why not. */
  #consume(log2: number): number {
    const command = this.#command;
    const effect = this.#judge(this.#words, 0, command);
    if (effect === ILLEGAL) return CERROR_ILL;
    if (command.op === OP.SYNC) return this.#synchronise(command, log2);
    const waits = this.#list !== null && command.op !== OP.ATC_INV; // the endpoint is asked when the command is consumed
    this.#list?.add(this.#words, effect === EFFECT && waits);
    if (effect === EFFECT && !waits) this.#execute(command);
    this.#cons = queueNext(this.#cons, log2);
    return CERROR_NONE;
  }

  /** Decodes the words into `c` and says what they come to (§4.1.3–4.1.7). CERROR_ILL goes before IGNORED (§4.1.3). */
  #judge(words: Uint32Array, at: number, c: Command): number {
    const features = this.#rules.features;
    decodeCommand(words, at, c);
    let verdict = commandVerdict(c, words, at, features).verdict;
    if (verdict === 'reserved' && !this.#rules.strictReserved) verdict = effectVerdict(ignoreReserved(c, features), features).verdict;
    if (verdict === 'illegal' || verdict === 'reserved') return ILLEGAL;
    if (verdict !== 'legal') return NO_EFFECT;
    c.ttl = effectiveTtl(c, features);
    return !this.#owner.enabled && (c.op === OP.ATC_INV || c.op === OP.PRI_RESP) ? NO_EFFECT : EFFECT;
  }

  #execute(c: Command): void {
    if (!this.#owner.execute(c)) this.#timedOut = true;
  }

  /** A command that waited until its CMD_SYNC. */
  #carryOut(words: Uint32Array, at: number): void {
    this.#judge(words, at, this.#waited);
    this.#execute(this.#waited);
  }

  /**
   * CMD_SYNC (§4.7.3). After a timeout it is not consumed and gives no signal; acknowledged, it runs again, and completes
   * since nothing is outstanding any more. CONS moves before the MSI is seen (§3.18).
   */
  #synchronise(c: Command, log2: number): number {
    if (this.#list !== null && !(this.#again && this.#list.empty)) this.#list.end();
    this.#again = this.#timedOut;
    this.#timedOut = false;
    if (this.#again) return CERROR_ATC_INV_SYNC;
    this.#owner.execute(c);
    this.#owner.synced();
    this.#cons = queueNext(this.#cons, log2);
    if (c.cs === CS_IRQ && this.#rules.features.msi && c.msiAddress !== 0) this.#signal(c);
    return CERROR_NONE; // CS = SEV: an event for CPUs, none of which waits here
  }

  /** The MSI: one word of 32 bits at MSIAddress. */
  #signal(c: Command): void {
    const memory = this.#memory;
    const ref = wordAt(memory, c.msiAddress * 4);
    if (ref < 0) this.#owner.msiLost();
    else if (c.msiAddress % 2 === 0) memory.commit(ref, c.msiData, memory.hi[ref] as number);
    else memory.commit(ref, memory.lo[ref] as number, c.msiData);
  }
}
