/**
 * CommandQueue: consumes 16-byte entries from physical memory, in order and at once, whenever the conditions of
 * IHI 0070 §4.1.2 hold: CMDQEN, PROD and CONS say non-empty, no active command error. An illegal command stops it with
 * CONS.RD at the entry, CONS.ERR = CERROR_ILL and GERROR.CMDQ_ERR toggled; acknowledging in GERRORN fetches that entry
 * again (§7.1). Pointers that no queue of this size can have (§3.5.1) are waited out.
 *
 * Why it equals its slow twin (take effect at any time until the SYNC): at once is one of those times.
 */
import { CERROR_ILL, GERROR_CMDQ, queueIndex, queueNext, queueUsed } from '../../spec/register.js';
import { commandError, decodeCommand, newCommand, reservedBits, WORDS_PER_COMMAND, type Command, type CommandFeatures } from '../../spec/command.js';
import { POW2 } from '../../spec/bits.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import { Unmodelled } from '../../stack/violation.js';

const ENTRY_BYTES = 16;
const ERROR_FIELD = 2 ** 24;
/** IDR1.CMDQS and IDR1.EVENTQS. */
export const QUEUE_LOG2_MAX = 19;

/** Carries commands out. */
export interface CommandSink {
  execute(c: Command): void;
}

/** log2 of the entries of a *Q_BASE value; larger ones are capped (§6.3.26). */
export function baseLog2(value: number): number {
  return Math.min(value % 32, QUEUE_LOG2_MAX);
}

/** Address in bytes of a *Q_BASE value: aligned to the queue's size, at least 32 bytes. */
export function baseAddress(value: number, entryBytes: number): number {
  return value - (value % Math.max(32, (POW2[baseLog2(value)] as number) * entryBytes));
}

/** Reference of the word at a byte address. */
export function wordAt(memory: Memory, address: number, what: string): number {
  const slot = memory.slotOf(Math.floor(address / 4096));
  if (slot < 0) throw new Unmodelled(`${what} outside of modelled memory`);
  return slot * WORDS_PER_FRAME + (address % 4096) / 8;
}

export class CommandQueue {
  readonly #memory: Memory;
  readonly #features: CommandFeatures;
  readonly #sink: CommandSink;
  readonly #words = new Uint32Array(WORDS_PER_COMMAND);
  readonly #command = newCommand();
  #enabled = false;
  #base = 0;
  #prod = 0;
  #cons = 0;
  #error = 0;
  #gerror = 0;
  #gerrorn = 0;

  constructor(memory: Memory, features: CommandFeatures, sink: CommandSink) {
    this.#memory = memory;
    this.#features = features;
    this.#sink = sink;
  }

  get base(): number { return this.#base; }
  get prod(): number { return this.#prod; }
  /** CMDQ_CONS: RD [19:0], ERR [30:24]. */
  get cons(): number { return this.#cons + this.#error * ERROR_FIELD; }
  get gerror(): number { return this.#gerror; }
  get gerrorn(): number { return this.#gerrorn; }

  /** CMDQ_BASE and CMDQ_CONS are guarded: writable while the queue is disabled (§6.3.26, §6.3.28). */
  setBase(value: number): void {
    if (!this.#enabled) this.#base = value;
  }

  setCons(value: number): void {
    if (!this.#enabled) this.#cons = this.#pointer(value);
  }

  setProd(value: number): void {
    this.#prod = this.#pointer(value);
    this.#drain();
  }

  enable(on: boolean): void {
    this.#enabled = on;
    this.#drain();
  }

  acknowledge(value: number): void {
    this.#gerrorn = value;
    if (!this.#stopped) this.#error = 0; // ERR is UNKNOWN while no error is active
    this.#drain();
  }

  get #stopped(): boolean {
    return ((this.#gerror ^ this.#gerrorn) & GERROR_CMDQ) !== 0;
  }

  /** Index and wrap bit; the rest of a pointer is RES0. */
  #pointer(value: number): number {
    return value % (POW2[baseLog2(this.#base) + 1] as number);
  }

  #drain(): void {
    if (!this.#enabled) return;
    const log2 = baseLog2(this.#base);
    const entries = POW2[log2] as number;
    const address = baseAddress(this.#base, ENTRY_BYTES);
    while (this.#prod !== this.#cons && !this.#stopped && queueUsed(this.#prod, this.#cons, log2) <= entries) {
      this.#fetch(address + queueIndex(this.#cons, log2) * ENTRY_BYTES);
      const command = decodeCommand(this.#words, 0, this.#command);
      if (commandError(command, this.#features) !== undefined || reservedBits(this.#words, 0)) {
        this.#error = CERROR_ILL;
        this.#gerror ^= GERROR_CMDQ;
        return;
      }
      this.#sink.execute(command);
      this.#cons = queueNext(this.#cons, log2);
    }
  }

  #fetch(address: number): void {
    const ref = wordAt(this.#memory, address, 'a command queue');
    this.#words[0] = this.#memory.lo[ref] as number;
    this.#words[1] = this.#memory.hi[ref] as number;
    this.#words[2] = this.#memory.lo[ref + 1] as number;
    this.#words[3] = this.#memory.hi[ref + 1] as number;
  }
}
