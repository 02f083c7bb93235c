/**
 * Spans: a flat list of what addresses mean: sorted, without overlap. What was taken away and is not yet promised to be gone is kept in one
 * (limbo); what must be asked about in another. Frames of 4 KiB.
 */
import type { TableProt } from '../stack/page-table.js';

export interface Span {
  readonly first: number;
  readonly frames: number;
  /** Where its first frame goes. */
  readonly target: number;
  readonly prot: TableProt;
}

export class Spans {
  #list: Span[] = [];

  get all(): readonly Span[] {
    return this.#list;
  }

  clear(): void {
    this.#list = [];
  }

  /** Place of the last span that begins at or before `frame`; -1: none. */
  #before(frame: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#list[middle] as Span).first <= frame) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  at(frame: number): Span | undefined {
    const span = this.#list[this.#before(frame)];
    return span !== undefined && frame < span.first + span.frames ? span : undefined;
  }

  /** The first span that begins behind `frame`, as a frame; Infinity: none. */
  nextFrom(frame: number): number {
    return this.#list[this.#before(frame) + 1]?.first ?? Infinity;
  }

  touches(first: number, frames: number): boolean {
    return this.at(first) !== undefined || this.nextFrom(first) < first + frames;
  }

  add(span: Span): void {
    this.remove(span.first, span.frames);
    this.#list.splice(this.#before(span.first) + 1, 0, span);
  }

  /** Takes [first, first + frames) out and returns what was there. */
  remove(first: number, frames: number): Span[] {
    const end = first + frames;
    const out: Span[] = [];
    let at = Math.max(0, this.#before(first));
    while (at < this.#list.length && (this.#list[at] as Span).first < end) {
      const span = this.#list[at] as Span;
      const last = span.first + span.frames;
      if (last <= first) {
        at += 1;
        continue;
      }
      const keep: Span[] = [];
      if (span.first < first) keep.push({ ...span, frames: first - span.first });
      if (last > end) keep.push({ ...span, first: end, frames: last - end, target: span.target + end - span.first });
      const from = Math.max(first, span.first);
      out.push({ ...span, first: from, frames: Math.min(end, last) - from, target: span.target + from - span.first });
      this.#list.splice(at, 1, ...keep);
      at += keep.length;
    }
    return out;
  }
}
