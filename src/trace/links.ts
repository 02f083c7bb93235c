/**
 * Links: tracing names a page table by a pointer when it maps and unmaps, and by its ASID or VMID when it is installed; only an invalidation says both. So a
 * pass over the recording collects which tag a pointer means when; pointers are reused. And whether the host runs at EL2, which CR2 would say.
 */
import { OP } from '../spec/command.js';
import type { Recorded } from '../captures/recorded.js';

/** An ASID, or a VMID of stage 2. */
export interface Tag {
  readonly stage: 1 | 2;
  readonly id: number;
}

interface Link extends Tag {
  last: number;
}

const MAX_LINKS = 100_000;

export class Links {
  readonly #of = new Map<string, Link[]>();
  #count = 0;
  /** Commands for EL2 tags were issued: CR2.E2H is 1. */
  el2 = false;

  add(r: Recorded): void {
    const w = r.what;
    if (w.kind === 'cmd' && w.raw !== null && EL2.has((w.raw[0] as number) & 0xff)) this.el2 = true;
    if (w.kind !== 'inv' || w.pt === null || w.id < 0) return;
    let list = this.#of.get(w.pt);
    if (list === undefined) {
      if (this.#count >= MAX_LINKS) return;
      list = [];
      this.#of.set(w.pt, list);
    }
    const link = list[list.length - 1];
    if (link?.id === w.id && link.stage === w.stage) { link.last = r.line; return; }
    if (this.#count >= MAX_LINKS) return;
    this.#count += 1;
    list.push({ stage: w.stage, id: w.id, last: r.line });
  }

  /** The tag of a page table at a line: the one that the next invalidation names, or the last one did. Null: never named. */
  tagOf(pt: string, line: number): Tag | null {
    const list = this.#of.get(pt) ?? [];
    return list.find((l) => l.last >= line) ?? list[list.length - 1] ?? null;
  }

  /** The page table that is (or will next be) invalidated under this tag after a line. */
  tableOf(tag: Tag, line: number): string | null {
    let best: { pt: string; last: number } | null = null;
    for (const [pt, list] of this.#of) {
      for (const l of list) if (l.id === tag.id && l.stage === tag.stage && l.last >= line && (best === null || l.last < best.last)) best = { pt, last: l.last };
    }
    return best?.pt ?? null;
  }
}

/** Not TLBI_EL2_ALL, which every reset issues. */
const EL2: ReadonlySet<number> = new Set([OP.TLBI_EL2_ASID, OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA]);
