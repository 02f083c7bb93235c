/**
 * Disjoint address ranges with a value each, sorted by start: what is handed out and what is mapped at one point
 * of a recording. Starts and sizes in bytes.
 */

export interface Range<T> {
  readonly start: number;
  readonly size: number;
  readonly value: T;
}

export class Ranges<T> {
  private readonly items: Range<T>[] = [];

  /** All ranges, sorted by start; a copy. */
  all(): readonly Range<T>[] {
    return [...this.items];
  }

  /** The ranges that share a byte with [start, start + size), sorted; a copy. */
  overlapping(start: number, size: number): readonly Range<T>[] {
    const first = this.firstEndingAfter(start);
    let last = first;
    while (last < this.items.length && (this.items[last] as Range<T>).start < start + size) last++;
    return this.items.slice(first, last);
  }

  /** Adds a range; the caller has checked that nothing overlaps it. */
  add(start: number, size: number, value: T): void {
    this.items.splice(this.firstEndingAfter(start), 0, { start, size, value });
  }

  /** Takes [start, start + size) away; `rest` gives the value of what remains of a cut range. */
  cut(start: number, size: number, rest: (value: T, skipped: number) => T): void {
    const end = start + size;
    for (const r of this.overlapping(start, size)) {
      this.items.splice(this.firstEndingAfter(r.start), 1);
      if (r.start < start) this.add(r.start, start - r.start, rest(r.value, 0));
      if (r.start + r.size > end) this.add(end, r.start + r.size - end, rest(r.value, end - r.start));
    }
  }

  /** The parts of [start, start + size) that no range covers, sorted. */
  gaps(start: number, size: number): { start: number; size: number }[] {
    const found: { start: number; size: number }[] = [];
    let at = start;
    for (const r of this.overlapping(start, size)) {
      if (r.start > at) found.push({ start: at, size: r.start - at });
      at = r.start + r.size;
    }
    if (at < start + size) found.push({ start: at, size: start + size - at });
    return found;
  }

  /** Index of the first range that ends after `address`. */
  private firstEndingAfter(address: number): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const r = this.items[middle] as Range<T>;
      if (r.start + r.size > address) high = middle; else low = middle + 1;
    }
    return low;
  }
}
