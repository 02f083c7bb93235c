/**
 * ExtraQueue: one further command queue (ECMDQ, IHI 0070 §3.5.6) with its three registers: BASE, PROD with EN and ERRACK,
 * CONS with ENACK, ERR and ERR_REASON. Its command error is active while ERR and ERRACK differ; it stops this queue only,
 * and activates GERROR.CMDQP_ERR besides. EN takes effect at once. CR0.CMDQEN has no say here.
 */
import { EXTRA_ENABLE, EXTRA_ERROR, GERROR_CMDQP } from '../../spec/register.js';
import type { Memory } from '../../memory/memory.js';
import type { GlobalErrors } from './gerror.js';
import { CommandQueue, type QueueOwner, type QueueRules } from './queue.js';

/** CONS.ERR_REASON, bits [26:24]. */
const REASON = 2 ** 24;

export class ExtraQueue {
  readonly #errors: GlobalErrors;
  readonly #queue: CommandQueue;
  #error = 0;
  #acknowledged = 0;

  constructor(memory: Memory, rules: QueueRules, owner: QueueOwner, errors: GlobalErrors) {
    this.#errors = errors;
    this.#queue = new CommandQueue(memory, rules, owner, this);
  }

  /** QueueError. */
  get active(): boolean { return this.#error !== this.#acknowledged; }

  raise(): void {
    this.#error = 1 - this.#error;
    this.#errors.raise(GERROR_CMDQP);
  }

  get base(): number { return this.#queue.base; }
  get prod(): number { return this.#queue.prod + this.#acknowledged * EXTRA_ERROR + (this.#queue.enabled ? EXTRA_ENABLE : 0); }
  get cons(): number {
    return this.#queue.cons + this.#error * EXTRA_ERROR + this.#queue.reason * REASON + (this.#queue.enabled ? EXTRA_ENABLE : 0);
  }

  /** Guarded: writable while the queue is disabled. */
  setBase(value: number): void {
    this.#queue.setBase(value);
  }

  /** RD and ERR are software's to initialise while the queue is disabled. */
  setCons(value: number): void {
    if (this.#queue.enabled) return;
    this.#queue.setCons(value);
    this.#error = Math.floor(value / EXTRA_ERROR) % 2;
  }

  /** WR, ERRACK and EN come with one write; nothing is consumed before all of them have their new values. */
  setProd(value: number): void {
    const on = value >= EXTRA_ENABLE;
    if (!on) this.#queue.enable(false);
    this.#acknowledged = Math.floor(value / EXTRA_ERROR) % 2;
    this.#queue.setProd(value);
    if (on) this.#queue.enable(true);
  }
}
