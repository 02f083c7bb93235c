/**
 * EventQueue: writes 32-byte fault records straight to physical memory (no store buffer lies between an SMMU and its
 * queue), then moves PROD (IHI 0070 §3.5.2, §7.2). A record that finds the queue full is lost and toggles OVFLG, unless an
 * overflow is unacknowledged already; records that find space are written either way. A disabled
 * queue takes nothing (§7.2). Pointers that no queue of this size can have count as full (§3.5.1).
 *
 * It has no slow twin: the weakest machine's records come at once, too.
 */
import { EVENT_BYTES, EVENT_WORDS, encodeEvent, type EventRecord } from '../../spec/event.js';
import { OVERFLOW_FLAG, queueIndex, queueNext, queueUsed } from '../../spec/register.js';
import { POW2 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import { baseAddress, baseLog2, wordAt } from './queue.js';

export class EventQueue {
  readonly #memory: Memory;
  readonly #words = new Uint32Array(EVENT_WORDS * 2);
  #enabled = false;
  #base = 0;
  #prod = 0;
  #overflow = false;
  #cons = 0;
  #acknowledged = false;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get base(): number { return this.#base; }
  /** EVENTQ_PROD: WR [19:0], OVFLG [31]. */
  get prod(): number { return this.#prod + (this.#overflow ? OVERFLOW_FLAG : 0); }
  /** EVENTQ_CONS: RD [19:0], OVACKFLG [31]. */
  get cons(): number { return this.#cons + (this.#acknowledged ? OVERFLOW_FLAG : 0); }

  enable(on: boolean): void {
    this.#enabled = on;
  }

  /** EVENTQ_BASE and EVENTQ_PROD are guarded: writable while the queue is disabled. */
  setBase(value: number): void {
    if (!this.#enabled) this.#base = value;
  }

  setProd(value: number): void {
    if (this.#enabled) return;
    this.#prod = this.#pointer(value);
    this.#overflow = value >= OVERFLOW_FLAG;
  }

  setCons(value: number): void {
    this.#cons = this.#pointer(value);
    this.#acknowledged = value >= OVERFLOW_FLAG;
  }

  #pointer(value: number): number {
    return value % (POW2[baseLog2(this.#base) + 1] as number);
  }

  /** Records one fault, if it can. */
  record(event: EventRecord): void {
    if (!this.#enabled) return;
    const log2 = baseLog2(this.#base);
    if (queueUsed(this.#prod, this.#cons, log2) >= (POW2[log2] as number)) {
      if (this.#overflow === this.#acknowledged) this.#overflow = !this.#overflow;
      return;
    }
    encodeEvent(event, this.#words);
    const ref = wordAt(this.#memory, baseAddress(this.#base, EVENT_BYTES) + queueIndex(this.#prod, log2) * EVENT_BYTES, 'an event queue');
    for (let i = 0; i < EVENT_WORDS; i += 1) this.#memory.commit(ref + i, this.#words[2 * i] as number, this.#words[2 * i + 1] as number);
    this.#prod = queueNext(this.#prod, log2);
  }
}
