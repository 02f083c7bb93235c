/**
 * Chooser: the one source of decisions. Everything random goes through `index`, so the same generator serves
 * fuzzing, exhaustion and replay. Only integers: no floating-point functions that may differ between machines.
 */
import seedrandom from 'seedrandom';

export interface Chooser {
  /** A whole number in [0, bound); bound is 1..2^32. */
  index(bound: number): number;
}

/** Random choices from a seed text (seedrandom's Alea). Same seed, same choices, on every machine. */
export class RandomChooser implements Chooser {
  readonly #draw: () => number;
  constructor(seed: string) {
    this.#draw = seedrandom.alea(seed).int32;
  }
  index(bound: number): number {
    return bound <= 1 ? 0 : Math.floor(((this.#draw() >>> 0) / 4294967296) * bound);
  }
}

/** Passes choices through and keeps them. */
export class RecordingChooser implements Chooser {
  readonly choices: number[] = [];
  readonly #inner: Chooser;
  constructor(inner: Chooser) {
    this.#inner = inner;
  }
  index(bound: number): number {
    const choice = this.#inner.index(bound);
    this.choices.push(choice);
    return choice;
  }
}

/** Replays kept choices; choices beyond the list are 0, choices out of bounds are an error. */
export class ReplayChooser implements Chooser {
  readonly #choices: readonly number[];
  #at = 0;
  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }
  index(bound: number): number {
    const choice = this.#choices[this.#at] ?? 0;
    this.#at += 1;
    if (choice >= bound) throw new RangeError(`choice ${this.#at} is ${choice}, but only ${bound} are open: not deterministic`);
    return choice;
  }
}

/** All choice sequences, depth first: call `next` after each run until it says false. */
export class ExhaustiveChooser implements Chooser {
  #path: { choice: number; bound: number }[] = [];
  #at = 0;
  index(bound: number): number {
    const seen = this.#path[this.#at];
    if (seen === undefined) {
      this.#path.push({ choice: 0, bound });
      this.#at += 1;
      return 0;
    }
    if (seen.bound !== bound) throw new RangeError(`choice ${this.#at} had ${seen.bound} options and now has ${bound}: not deterministic`);
    this.#at += 1;
    return seen.choice;
  }
  /** Moves to the next sequence; false when all were made. */
  next(): boolean {
    this.#path.length = this.#at;
    this.#at = 0;
    for (;;) {
      const last = this.#path.pop();
      if (last === undefined) return false;
      if (last.choice + 1 < last.bound) {
        this.#path.push({ choice: last.choice + 1, bound: last.bound });
        return true;
      }
    }
  }
}
