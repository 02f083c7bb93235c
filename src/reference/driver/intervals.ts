/**
 * Intervals: a flat map from address to what it maps to, kept as runs of neighbouring entries of one size. Frames of
 * 4 KiB; ends exclusive. Runs are disjoint and sorted, so every question is a walk over the runs it concerns.
 */

export interface Run {
  readonly first: number;
  readonly end: number;
  /** Output frame of `first`; the run maps linearly. */
  readonly pa: number;
  /** Frames of one entry: 1, 512 or 262144. */
  readonly unit: number;
  readonly writable: boolean;
}

export class Intervals {
  #runs: Run[] = [];

  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Index of the first run that ends above `frame`. */
  #find(frame: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as Run).end <= frame) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  at(frame: number): Run | undefined {
    const run = this.#runs[this.#find(frame)];
    return run !== undefined && run.first <= frame ? run : undefined;
  }

  any(first: number, end: number): boolean {
    const run = this.#runs[this.#find(first)];
    return run !== undefined && run.first < end;
  }

  /** Is every frame of [first, end) mapped? */
  covers(first: number, end: number): boolean {
    let next = first;
    for (let i = this.#find(first); i < this.#runs.length && next < end; i += 1) {
      const run = this.#runs[i] as Run;
      if (run.first > next) return false;
      next = run.end;
    }
    return next >= end;
  }

  /** Does an end of [first, end) lie inside an entry? */
  cuts(first: number, end: number): boolean {
    return this.#inside(first) || this.#inside(end);
  }

  #inside(boundary: number): boolean {
    const run = this.at(boundary);
    return run !== undefined && (boundary - run.first) % run.unit !== 0;
  }

  add(run: Run): void {
    this.#runs.splice(this.#find(run.first), 0, run);
  }

  /** Takes [first, end) out and returns what was there. */
  remove(first: number, end: number): Run[] {
    const taken: Run[] = [];
    const at = this.#find(first);
    let stop = at;
    const rest: Run[] = [];
    for (; stop < this.#runs.length && (this.#runs[stop] as Run).first < end; stop += 1) {
      const run = this.#runs[stop] as Run;
      const from = Math.max(run.first, first);
      const to = Math.min(run.end, end);
      if (run.first < from) rest.push({ ...run, end: from });
      taken.push({ ...run, first: from, end: to, pa: run.pa + (from - run.first) });
      if (to < run.end) rest.push({ ...run, first: to, pa: run.pa + (to - run.first) });
    }
    this.#runs.splice(at, stop - at, ...rest);
    return taken;
  }

  /** Restores an earlier list (a call that failed is taken back). */
  restore(runs: readonly Run[]): void {
    this.#runs = runs.slice();
  }

  snapshot(): readonly Run[] {
    return this.#runs.slice();
  }
}

/** Does the run map [first, first + frames) linearly to `pa`, with at least this right? */
export function runGives(run: Run, first: number, frames: number, pa: number, writable: boolean): boolean {
  return run.first <= first && first + frames <= run.end && run.pa + (first - run.first) === pa && (run.writable || !writable);
}
