/**
 * EventQueue: writes 32-byte fault records straight to physical memory (no store buffer lies between an SMMU and its
 * queue), then moves PROD (IHI 0070 §3.5.2, §7.2). A record that finds the queue full is lost and toggles OVFLG, unless an
 * overflow is unacknowledged already (§7.4); records that find space are written either way. A disabled queue takes
 * nothing, nor does one whose last write met an external abort, until software acknowledges EVENTQ_ABT_ERR (§7.2).
 * Pointers that no queue of this size can have count as full (§3.5.1).
 *
 * Records of terminated transactions may come as late as the next CMD_SYNC (§4.7.3). When they come is a choice at
 * construction: at once, at that CMD_SYNC, or at the one after it. The last is a defect, for tests of whoever looks for it.
 */
import { EVENT_BYTES, EVENT_WORDS, encodeFault, type FaultRecord } from '../../spec/event.js';
import { GERROR_EVENTQ_ABT, OVERFLOW_FLAG, queueAddress, queueIndex, queueLog2, queueNext, queueUsed } from '../../spec/register.js';
import { POW2 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import type { GlobalErrors } from './gerror.js';
import { wordAt } from './queue.js';

/** When records become visible: at once, at the next CMD_SYNC, or (a defect) one CMD_SYNC later than that. */
export type EventTiming = 'prompt' | 'late' | 'too-late';

const RECORD = EVENT_WORDS * 2;
/** *_PROD.WR and *_CONS.RD: bits [19:0]. */
const POINTER = 2 ** 20;
/** Records that may wait; one more makes all of them visible. */
const WAITING_MAX = 256;

export class EventQueue {
  readonly #memory: Memory;
  readonly #log2Max: number;
  readonly #errors: GlobalErrors;
  readonly #timing: EventTiming;
  readonly #words = new Uint32Array(RECORD);
  /** Records that wait, oldest first, and how many of them have seen a CMD_SYNC already. */
  readonly #waiting: Uint32Array;
  #count = 0;
  #seen = 0;
  #enabled = false;
  #base = 0;
  #log2 = 0;
  /** Bits [19:0] as written. */
  #prod = 0;
  #overflow = false;
  #cons = 0;
  #acknowledged = false;

  /** `log2Max`: IDR1.EVENTQS. */
  constructor(memory: Memory, log2Max: number, errors: GlobalErrors, timing: EventTiming = 'prompt') {
    this.#memory = memory;
    this.#log2Max = log2Max;
    this.#errors = errors;
    this.#timing = timing;
    this.#waiting = new Uint32Array(timing === 'prompt' ? 0 : WAITING_MAX * RECORD);
  }

  get base(): number { return this.#base; }
  /** EVENTQ_PROD: WR [19:0], OVFLG [31]. */
  get prod(): number { return this.#pointer(this.#prod) + (this.#overflow ? OVERFLOW_FLAG : 0); }
  /** EVENTQ_CONS: RD [19:0], OVACKFLG [31]. */
  get cons(): number { return this.#pointer(this.#cons) + (this.#acknowledged ? OVERFLOW_FLAG : 0); }

  /** Records that wait when the queue is disabled are discarded (§6.3.9.4). */
  enable(on: boolean): void {
    this.#enabled = on;
    if (on) return;
    this.#count = 0;
    this.#seen = 0;
  }

  /** EVENTQ_BASE and EVENTQ_PROD are guarded: writable while the queue is disabled. */
  setBase(value: number): void {
    if (this.#enabled) return;
    this.#base = value;
    this.#log2 = queueLog2(value, this.#log2Max);
  }

  setProd(value: number): void {
    if (this.#enabled) return;
    this.#prod = value % POINTER;
    this.#overflow = value >= OVERFLOW_FLAG;
  }

  setCons(value: number): void {
    this.#cons = value % POINTER;
    this.#acknowledged = value >= OVERFLOW_FLAG;
  }

  /** Index and wrap bit; the rest of a pointer is RES0. */
  #pointer(value: number): number {
    return value % (POW2[this.#log2 + 1] as number);
  }

  /** Records one fault, if it can. */
  record(event: FaultRecord): void {
    if (!this.#enabled) return;
    if (this.#timing === 'prompt') {
      encodeFault(event, this.#words);
      this.#write(this.#words, 0);
      return;
    }
    if (this.#count === WAITING_MAX) this.commitAll();
    encodeFault(event, this.#waiting, this.#count * RECORD);
    this.#count += 1;
  }

  /** A CMD_SYNC of any queue completes. */
  synced(): void {
    if (this.#count === 0) return;
    this.#commit(this.#timing === 'too-late' ? this.#seen : this.#count);
    this.#seen = this.#count;
  }

  /** Every record that waits becomes visible. */
  commitAll(): void {
    this.#commit(this.#count);
    this.#seen = 0;
  }

  /** The oldest `n` records become visible. */
  #commit(n: number): void {
    for (let i = 0; i < n; i += 1) this.#write(this.#waiting, i * RECORD);
    this.#waiting.copyWithin(0, n * RECORD, this.#count * RECORD);
    this.#count -= n;
  }

  #write(words: Uint32Array, at: number): void {
    if (this.#errors.active(GERROR_EVENTQ_ABT)) return;
    const log2 = this.#log2;
    const prod = this.#pointer(this.#prod);
    if (queueUsed(prod, this.#pointer(this.#cons), log2) >= (POW2[log2] as number)) {
      if (this.#overflow === this.#acknowledged) this.#overflow = !this.#overflow;
      return;
    }
    const ref = wordAt(this.#memory, queueAddress(this.#base, log2, EVENT_BYTES) + queueIndex(prod, log2) * EVENT_BYTES);
    if (ref < 0) {
      this.#errors.raise(GERROR_EVENTQ_ABT);
      return;
    }
    for (let i = 0; i < EVENT_WORDS; i += 1) this.#memory.commit(ref + i, words[at + 2 * i] as number, words[at + 2 * i + 1] as number);
    this.#prod = queueNext(prod, log2);
  }
}
