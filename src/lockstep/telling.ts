/**
 * Telling: while a failure is being explained, the runner asks the weakest machine for the story behind what broke a rule: which operation made
 * it stale, what each command since did to it. Moments of the logical clock become operation numbers here.
 */
import type { Clock } from '../memory/journal.js';
import type { Answer, CachedEntry, Transaction } from '../stack/transaction.js';
import type { Log } from './log.js';
import { describeAnswer } from './machine-words.js';
import type { TransactionKind, WeakestMachine } from './twins.js';

/** Permitted answers that are told. */
const PERMITTED = 3;

/** Whom a rule is judged by, and who tells why; null: nobody asked. */
export interface Judged {
  readonly weakest: WeakestMachine;
  readonly telling: Telling | null;
}

export class Telling {
  readonly #log: Log;
  readonly #clock: Clock;
  /** The clock when each operation began. */
  readonly #starts: number[] = [];
  /** Where the CPU's store buffer holds a store, and since which operation. */
  readonly #held = new Map<number, number>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  begin(): void {
    this.#starts.push(this.#clock.now);
  }

  /** A store to this byte address waits for a barrier. */
  held(address: number): void {
    this.#held.set(address, this.#starts.length);
  }

  /** It has become visible; without an address: every one has. */
  visible(address?: number): void {
    if (address === undefined) this.#held.clear();
    else this.#held.delete(address);
  }

  /** As `op 4`: whatever happens in an operation ticks the clock first. */
  readonly op = (time: number): string => {
    for (let i = this.#starts.length - 1; i >= 0; i -= 1) if ((this.#starts[i] as number) < time) return `op ${i + 1}`;
    return 'the start';
  };

  /** Why what rests on these facts is possible; `also`: facts of what must end as well. */
  facts(weakest: WeakestMachine, facts: readonly unknown[], also: readonly unknown[] = []): readonly string[] {
    const told = weakest.tell?.(facts, this.op, also);
    if (told === undefined) return this.#waiting();
    this.#log.remedies = told.remedies;
    return [...this.#waiting(), ...told.lines];
  }

  entry(weakest: WeakestMachine, e: CachedEntry): readonly string[] {
    return weakest.tellEntry?.(e, this.op) ?? [];
  }

  answer(weakest: WeakestMachine, t: Transaction, a: Answer): readonly string[] {
    return weakest.tellAnswer?.(t, a, this.op) ?? [];
  }

  /** What each permitted answer rests on, oldest answers first. */
  permits(weakest: WeakestMachine, kind: TransactionKind, t: Transaction): readonly string[] {
    const told = new Map<string, readonly string[]>();
    weakest.permitted(kind, t, (a, reason, facts = []) => {
      const answer = describeAnswer(a, kind);
      const lines = weakest.tell?.(facts, this.op).lines ?? [];
      if (!told.has(answer)) told.set(answer, [`${answer} is permitted: ${reason}`, ...lines.map((l) => `  ${l}`)]);
      return false;
    });
    return [...told.values()].slice(0, PERMITTED).flat();
  }

  #waiting(): string[] {
    return [...this.#held].slice(0, 3).map(([address, op]) => `op ${op} stores to 0x${address.toString(16)}, but no barrier followed: the store may still wait in the CPU's store buffer`);
  }
}
