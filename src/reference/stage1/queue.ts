/**
 * Queue: one command queue as the weakest legal SMMU consumes it (IHI 0070 §3.5, §4.1, §7.1). A command may take effect at any moment
 * from when PROD is published (a SYNC before it may complete at once, long before software looks) until the SYNC that
 * covers it completes. A SYNC completes when software sees CONS pass it.
 */
import { commandError, decodeCommand, describeCommand, newCommand, OP, reservedBits, type Command, type CommandFeatures } from '../../spec/command.js';
import { queueIndex, queueUsed } from '../../spec/register.js';
import { POW2 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import { violate } from '../../stack/violation.js';
import type { Pending } from './facts.js';

export interface QueueListener {
  /** A SYNC completes and covers these commands. */
  synced(covered: readonly Pending[]): void;
  commandSeen(command: Command): void;
}

export class CommandQueue {
  readonly #memory: Memory;
  readonly #features: CommandFeatures;
  readonly #listener: QueueListener;
  readonly #most: number;
  #frame = -1;
  #log2 = 0;
  #prod = 0;
  /** Entries before it are consumed as far as software has seen. */
  #cons = 0;
  /** The next SYNC and what stands behind it. */
  #published: Pending[] = [];
  /** Commands since the last completed SYNC. */
  #pending: Pending[] = [];
  readonly #raw = new Uint32Array(4);

  /** `most`: commands between two SYNCs that the SMMU can take (an erratum); of a longer list all are lost. */
  constructor(memory: Memory, features: CommandFeatures, listener: QueueListener, most = Infinity) {
    this.#most = most;
    this.#memory = memory;
    this.#features = features;
    this.#listener = listener;
  }

  get prod(): number { return this.#prod; }
  /** CONS at its furthest: the first SYNC that is not complete, or PROD. */
  get consumed(): number {
    const turn = POW2[this.#log2 + 1] as number;
    return (this.#prod - this.#published.length + turn) % turn;
  }
  get pending(): readonly Pending[] { return this.#pending; }
  /** The next SYNC and what stands behind it. */
  get published(): readonly Pending[] { return this.#published; }
  /** Published commands that wait for a SYNC before them, or are SYNCs. */
  get waiting(): number { return this.#published.length; }

  setBase(value: number): void {
    const before = { log2: this.#log2, frame: this.#frame };
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { this.#log2 = before.log2; this.#frame = before.frame; });
    this.#log2 = value % 32;
    this.#frame = Math.floor(value / 4096);
    for (let i = 0; i < Math.max(1, (2 ** this.#log2 * 16) / 4096); i += 1) {
      const slot = this.#memory.slotOf(this.#frame + i);
      if (slot >= 0) this.#memory.watch(slot);
    }
  }

  setIndices(prod: number, cons: number): void {
    const before = { prod: this.#prod, cons: this.#cons };
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { this.#prod = before.prod; this.#cons = before.cons; });
    this.#prod = prod;
    this.#cons = cons;
  }

  /** PROD was written: the commands up to it are published. */
  setProd(value: number): void {
    const fresh = queueUsed(value, this.#prod, this.#log2);
    const used = queueUsed(this.#prod, this.#cons, this.#log2);
    if (value >= (POW2[this.#log2 + 1] as number) || used + fresh > (POW2[this.#log2] as number)) {
      violate({ rule: 'queue-integrity', cause: 'prod-overtakes-cons', expected: `at most ${POW2[this.#log2]} unconsumed entries`, actual: `PROD ${value} while CONS is ${this.#cons}`, because: [] });
    }
    const before = { prod: this.#prod, published: this.#published, pending: this.#pending };
    if (this.#memory.journal.recording) {
      this.#published = this.#published.slice();
      this.#pending = this.#pending.slice();
    }
    this.#memory.journal.clock.now += 1;
    for (let i = 0; i < fresh; i += 1) this.#publish(queueIndex(this.#prod + i, this.#log2));
    this.#prod = value;
    this.#expose();
    this.#undo(before);
  }

  #publish(index: number): void {
    const at = index * 2;
    const slot = this.#memory.slotOf(this.#frame + Math.floor(at / 512));
    const ref = slot * 512 + (at % 512);
    this.#raw[0] = this.#memory.lo[ref] as number;
    this.#raw[1] = this.#memory.hi[ref] as number;
    this.#raw[2] = this.#memory.lo[ref + 1] as number;
    this.#raw[3] = this.#memory.hi[ref + 1] as number;
    const command = decodeCommand(this.#raw, 0, newCommand());
    const error = commandError(command, this.#features) ?? (reservedBits(this.#raw, 0) ? 'a reserved bit is set (§4.1.5)' : undefined);
    if (error !== undefined) {
      violate({ rule: 'illegal-command', cause: `${command.op}:${error.replace(/0x[0-9a-f]+|\d+/g, '#')}`, expected: 'a legal command', actual: `${describeCommand(command)}: ${error}`, because: [] });
    }
    this.#listener.commandSeen(command);
    this.#published.push({ command, visible: this.#memory.journal.clock.now });
  }

  /** Published commands in front of the first SYNC are what it will cover. */
  #expose(): void {
    while (this.#published.length > 0) {
      const first = this.#published[0] as Pending;
      if (first.command.op === OP.SYNC) return;
      this.#published.shift();
      this.#pending.push(first);
    }
  }

  /** The next SYNC may complete (an act of the SMMU). False when none is waiting. */
  completeSync(): boolean {
    const first = this.#published[0];
    if (first === undefined || first.command.op !== OP.SYNC) return false;
    const before = { prod: this.#prod, published: this.#published, pending: this.#pending };
    const covered = this.#pending;
    this.#published = this.#published.slice(1);
    this.#pending = [];
    this.#memory.journal.clock.now += 1;
    this.#undo(before);
    this.#listener.synced(covered.length > this.#most ? [] : covered);
    const after = { prod: this.#prod, published: this.#published, pending: this.#pending };
    if (this.#memory.journal.recording) this.#published = this.#published.slice();
    this.#expose();
    this.#undo(after);
    return true;
  }

  /** Software reads `cons`: everything before it is consumed, so every SYNC before it has completed. */
  observe(cons: number): void {
    let left = queueUsed(this.#prod, cons, this.#log2); // entries that may still wait
    if (left > queueUsed(this.#prod, this.#cons, this.#log2)) left = queueUsed(this.#prod, this.#cons, this.#log2);
    const before = this.#cons;
    this.#cons = cons;
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { this.#cons = before; });
    while (this.#published.length > left) if (!this.completeSync()) break;
  }

  /**
   * A store to the queue: entries between CONS and PROD must stay as they are (§3.21.2), those that are visible already
   * among them: the SMMU may fetch an entry at any time until software has seen CONS pass it.
   */
  stored(slot: number, index: number): void {
    const first = this.#memory.slotOf(this.#frame);
    const size = POW2[this.#log2] as number;
    const entry = Math.floor(((slot - first) * 512 + index) / 2);
    if (first < 0 || entry < 0 || entry >= size) return;
    const behindCons = (entry - queueIndex(this.#cons, this.#log2) + size) % size;
    if (behindCons >= queueUsed(this.#prod, this.#cons, this.#log2)) return;
    violate({ rule: 'queue-integrity', cause: 'published-entry-changed', expected: 'published commands stay unchanged until consumed (§3.21.2)', actual: `entry ${entry} was overwritten while CONS is ${this.#cons} and PROD is ${this.#prod}`, because: [] });
  }

  #undo(before: { prod: number; published: Pending[]; pending: Pending[] }): void {
    if (!this.#memory.journal.recording) return;
    this.#memory.journal.push(() => {
      this.#prod = before.prod;
      this.#published = before.published;
      this.#pending = before.pending;
    });
  }
}
