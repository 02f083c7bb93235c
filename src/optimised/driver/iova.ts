/**
 * Ranges: the IOVA allocator in front of a managed domain, as far as this stack needs it: which address ranges are
 * handed out, and (lazy) which ones wait for a flush. Sorted arrays, binary search; frames, ends exclusive.
 */

export class Ranges {
  /** Handed out: starts ascending, with their ends. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Given back, waiting for the next flush of everything. */
  readonly #waiting: { readonly first: number; readonly end: number }[] = [];

  /** Index of the first range that ends above `frame`. */
  #find(frame: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as number) <= frame) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Is any frame of [first, end) handed out or waiting? */
  busy(first: number, end: number): boolean {
    const at = this.#find(first);
    if (at < this.#starts.length && (this.#starts[at] as number) < end) return true;
    return this.#waiting.some((w) => w.first < end && first < w.end);
  }

  /** Is all of [first, end) inside handed-out ranges (which may be neighbours)? */
  covers(first: number, end: number): boolean {
    let next = first;
    for (let at = this.#find(first); at < this.#starts.length && next < end; at += 1) {
      if ((this.#starts[at] as number) > next) return false;
      next = this.#ends[at] as number;
    }
    return next >= end;
  }

  /** Is exactly [first, end) one handed-out range? */
  is(first: number, end: number): boolean {
    const at = this.#find(first);
    return this.#starts[at] === first && this.#ends[at] === end;
  }

  take(first: number, end: number): void {
    const at = this.#find(first);
    this.#starts.splice(at, 0, first);
    this.#ends.splice(at, 0, end);
  }

  /** Gives a handed-out range back at once. */
  release(first: number): void {
    const at = this.#find(first);
    this.#starts.splice(at, 1);
    this.#ends.splice(at, 1);
  }

  /** Gives it back, to wait for a flush. Returns how many wait now. */
  queue(first: number, end: number): number {
    this.release(first);
    this.#waiting.push({ first, end });
    return this.#waiting.length;
  }

  /** The flush is done: what waited is free. */
  flushed(): void {
    this.#waiting.length = 0;
  }
}
