/**
 * Queue: one command queue as the weakest legal SMMU consumes it (IHI 0070 §3.5, §4.1, §4.7.3, §7.1). A command may take effect at any moment from
 * when it is published until the SYNC that covers it completes; one SYNC before it may already have completed by then, unseen. A SYNC
 * completes, at the latest, when software sees CONS behind it; it covers the commands of its own queue only (§3.5.6.1).
 *
 * An error stops the queue with CONS.RD at the command: what is behind it is not consumed until software acknowledges.
 */
import { commandVerdict, decodeCommand, ignoreReserved, newCommand, OP, effectVerdict, type Command, type CommandVerdict } from '../../spec/command.js';
import { CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, queueAddress, queueIndex, queueLog2, queueNext, queueUsed } from '../../spec/register.js';
import { POW2 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import { violate } from '../../stack/violation.js';
import type { MachineConfig } from '../../stack/machine-world.js';
import { LIMITS } from '../../stack/world.js';
import type { Pending } from './facts.js';

export interface QueueListener {
  commandSeen(command: Command, verdict: CommandVerdict): void;
  /** A SYNC completes and covers these commands; those that need not do anything are left out. */
  synced(covered: readonly Pending[]): void;
  /** Does the endpoint of this stream answer an ATC_INV now: yes; no (the next SYNC fails); or is it not asked at all? */
  invalidatesAtc(command: Command): 'yes' | 'timeout' | 'ignored';
}

/** A consumed SYNC that software has not seen, and the commands that it covers. */
interface Batch {
  readonly position: number;
  readonly covered: readonly Pending[];
}

export class CommandQueue {
  readonly #memory: Memory;
  readonly #config: MachineConfig;
  readonly #listener: QueueListener;
  readonly #raw = new Uint32Array(4);
  readonly #most: number;
  #base = 0;
  #prod = 0;
  /** Consumed at the furthest. */
  #next = 0;
  /** Consumed as far as software knows. */
  #seen = 0;
  #error = 0;
  #enabled = false;
  #timedOut = false;
  #pending: Pending[] = [];
  #batches: Batch[] = [];
  /** The commands since the last SYNC, and those before the SYNC before it, as text: for the repeated-list erratum. */
  #list = '';
  #length = 0;
  #lastList = '';

  constructor(memory: Memory, config: MachineConfig, listener: QueueListener) {
    this.#memory = memory;
    this.#config = config;
    this.#listener = listener;
    this.#most = config.features.commandLog2;
  }

  get prod(): number { return this.#prod; }
  get cons(): number { return this.#next; }
  /** CMDQ_CONS.ERR while an error is active, else 0. */
  get error(): number { return this.#error; }
  get log2(): number { return queueLog2(this.#base, this.#most); }
  /** Commands that no completed SYNC covers. */
  get pending(): readonly Pending[] { return [...this.#batches.flatMap((b) => b.covered), ...this.#pending]; }

  setBase(value: number): void {
    if (!this.#enabled) this.#base = value;
  }

  setCons(value: number): void {
    if (this.#enabled) return;
    this.#next = value % (POW2[this.log2 + 1] as number);
    this.#seen = this.#next;
  }

  enable(on: boolean): void {
    this.#enabled = on;
    this.#run();
  }

  /** PROD was written. `judged`: software must not pass CONS (§3.5.1). */
  setProd(value: number, judged: boolean): void {
    const turn = POW2[this.log2 + 1] as number;
    const used = queueUsed(value % turn, this.#seen, this.log2);
    if (judged && this.#enabled && used > (POW2[this.log2] as number)) {
      violate({ rule: 'queue-integrity', cause: 'prod-overtakes-cons', expected: `at most ${POW2[this.log2]} unconsumed entries`, actual: `PROD ${value} while CONS is ${this.#seen}`, because: [] });
    }
    this.#prod = value % turn;
    this.#run();
  }

  /** Software acknowledged the error in GERRORN (or ERRACK): the entry is fetched again. */
  acknowledge(): void {
    if (this.#error === 0) return;
    this.#error = 0;
    this.#run();
  }

  /** ATS is off at the endpoint from now on: an ATC_INV that has not taken effect yet meets an Unsupported Request and need not (§3.9.1.5). */
  withdrawAtc(sid: number): void {
    const stays = (p: Pending): boolean => p.command.op !== OP.ATC_INV || p.command.sid !== sid;
    this.#pending = this.#pending.filter(stays);
    this.#batches = this.#batches.map((b) => ({ position: b.position, covered: b.covered.filter(stays) }));
  }

  #run(): void {
    const entries = POW2[this.log2] as number;
    while (this.#enabled && this.#error === 0 && this.#prod !== this.#next && queueUsed(this.#prod, this.#next, this.log2) <= entries) {
      if (!this.#fetch()) { this.#error = CERROR_ABT; return; }
      const command = decodeCommand(this.#raw, 0, newCommand());
      const verdict = commandVerdict(command, this.#raw, 0, this.#config.features);
      this.#listener.commandSeen(command, verdict);
      if (verdict.verdict === 'illegal' || (verdict.verdict === 'reserved' && this.#config.strictReserved)) { this.#error = CERROR_ILL; return; }
      if (command.op === OP.SYNC) {
        if (this.#timedOut) { this.#error = CERROR_ATC_INV_SYNC; this.#timedOut = false; return; }
        this.#synchronize();
      } else this.#take(command, verdict);
      this.#next = queueNext(this.#next, this.log2);
    }
  }

  #fetch(): boolean {
    const address = queueAddress(this.#base, this.log2, 16) + queueIndex(this.#next, this.log2) * 16;
    const slot = this.#memory.slotOf(Math.floor(address / 4096));
    if (slot < 0) return false;
    const ref = slot * 512 + (address % 4096) / 8;
    this.#raw[0] = this.#memory.lo[ref] as number;
    this.#raw[1] = this.#memory.hi[ref] as number;
    this.#raw[2] = this.#memory.lo[ref + 1] as number;
    this.#raw[3] = this.#memory.hi[ref + 1] as number;
    return true;
  }

  /** A command that must do something waits for its SYNC. Reserved fields that are not reported are ignored (§4.1.5). */
  #take(raw: Command, said: CommandVerdict): void {
    const f = this.#config.features;
    this.#list += `${this.#raw.join(',')};`;
    this.#length += 1;
    const command = said.verdict === 'reserved' ? ignoreReserved(raw, f) : raw;
    const verdict = said.verdict === 'reserved' ? effectVerdict(command, f) : said;
    if (verdict.verdict !== 'legal') return;
    if (command.op === OP.ATC_INV) {
      const answer = this.#listener.invalidatesAtc(command);
      if (answer === 'timeout') {
        // Which of the outstanding ATC_INVs timed out is UNKNOWN (§3.9.1.4): none of them may be relied on.
        this.#timedOut = true;
        this.#pending = this.#pending.filter((p) => p.command.op !== OP.ATC_INV);
      }
      if (answer !== 'yes' || this.#timedOut) return;
    }
    this.#pending.push({ command, visible: this.#memory.journal.clock.now });
  }

  #synchronize(): void {
    const f = this.#config.features;
    const lost = f.forceSync && this.#length > LIMITS.forcedList;
    const dropped = lost || (f.repeatedList && this.#list !== '' && this.#list === this.#lastList);
    this.#length = 0;
    this.#batches.push({ position: queueNext(this.#next, this.log2), covered: dropped ? [] : this.#pending });
    this.#pending = [];
    this.#lastList = this.#list;
    this.#list = '';
  }

  /** Software saw CONS at `cons`: SYNCs before it are complete. */
  observe(cons: number): void {
    this.#seen = cons;
    const turn = POW2[this.log2 + 1] as number;
    const passed = (b: Batch): boolean => (cons - b.position + turn) % turn <= (POW2[this.log2] as number);
    while (this.#batches.length > 0 && passed(this.#batches[0] as Batch)) {
      const batch = this.#batches.shift() as Batch;
      this.#listener.synced(batch.covered);
    }
  }
}
