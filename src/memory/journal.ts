/**
 * Journal: how every stateful room gives `mark` and `undo`. Rooms of one world share one journal; while it
 * records, each change pushes the action that takes it back. Fuzzing leaves it off, and pays one comparison.
 */

export interface Clock {
  /** Logical time: grows with each store that becomes visible, each command and each SYNC. */
  now: number;
}

export interface Mark {
  readonly length: number;
  readonly now: number;
}

export class Journal {
  readonly clock: Clock = { now: 0 };
  recording = false;
  #undo: (() => void)[] = [];

  /** Call only when `recording`. */
  push(undo: () => void): void {
    this.#undo.push(undo);
  }

  mark(): Mark {
    return { length: this.#undo.length, now: this.clock.now };
  }

  /** Takes back everything since `mark`, newest first. */
  undo(mark: Mark): void {
    while (this.#undo.length > mark.length) (this.#undo.pop() as () => void)();
    this.clock.now = mark.now;
  }
}
