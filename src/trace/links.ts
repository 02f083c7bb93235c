/**
 * Links: tracing names a page table by a pointer when it maps and unmaps, and by its ASID when it is installed; only an invalidation says both. So a pass
 * over the recording collects which ASID a pointer means when; pointers are reused.
 */
import type { Recorded } from '../captures/recorded.js';

interface Link {
  readonly asid: number;
  last: number;
}

const MAX_LINKS = 100_000;

export class Links {
  readonly #of = new Map<string, Link[]>();
  #count = 0;

  add(r: Recorded): void {
    const w = r.what;
    if (w.kind !== 'inv' || w.pt === null || w.id < 0) return;
    let list = this.#of.get(w.pt);
    if (list === undefined) {
      if (this.#count >= MAX_LINKS) return;
      list = [];
      this.#of.set(w.pt, list);
    }
    const link = list[list.length - 1];
    if (link?.asid === w.id) { link.last = r.line; return; }
    if (this.#count >= MAX_LINKS) return;
    this.#count += 1;
    list.push({ asid: w.id, last: r.line });
  }

  /** The ASID of a page table at a line: the one that the next invalidation names, or the last one did. -1: never named. */
  asidOf(pt: string, line: number): number {
    const list = this.#of.get(pt) ?? [];
    return (list.find((l) => l.last >= line) ?? list[list.length - 1])?.asid ?? -1;
  }

  /** The page table that is (or will next be) invalidated under this ASID after a line. */
  tableOf(asid: number, line: number): string | null {
    let best: { pt: string; last: number } | null = null;
    for (const [pt, list] of this.#of) {
      for (const l of list) if (l.asid === asid && l.last >= line && (best === null || l.last < best.last)) best = { pt, last: l.last };
    }
    return best?.pt ?? null;
  }
}
