/**
 * Promises: what the recorded driver had promised of each page, kept a second time and apart from the judge (lives.ts, intent.ts): page by page, by the
 * domain's own pointer, from nothing but the recorded lines. The mutation campaign asks it whether a fact was due, so that a due date that the judge forgets is
 * not forgotten here in the same way; a test holds both to each other.
 */
import type { Recorded } from '../captures/recorded.js';

const PAGE = 4096;

interface To {
  readonly pa: number;
  readonly write: boolean;
}

interface Page {
  mapped: To | null;
  /** Taken away, and may still be used. */
  leaving: To | null;
}

/** What a call on a CPU works on. */
interface Span {
  readonly domain: string;
  readonly from: number;
  readonly count: number;
}

interface Doing {
  map: Span | null;
  unmap: Span | null;
  /** The domain that a sync or unmap in progress names. */
  readonly open: Map<string, string | null>;
  /** Unmapped here and not synced. */
  unsynced: Span[];
}

export class Promises {
  readonly #pages = new Map<string, Map<number, Page>>();
  readonly #domainOfTable = new Map<string, string>();
  readonly #domainOfAllocator = new Map<string, string>();
  readonly #domainOfRoot = new Map<number, string>();
  readonly #cpus = new Map<number, Doing>();

  line(r: Recorded): void {
    const w = r.what;
    const cpu = this.#cpu(r.cpu);
    switch (w.kind) {
      case 'map': {
        if (w.dom !== null) this.#domainOfTable.set(w.pt, w.dom);
        cpu.map = this.#span(w.pt, w.iova, w.pgsize * w.count);
        this.#each(cpu.map, (p, i) => { p.mapped = { pa: w.pa + i * PAGE, write: w.write }; });
        return;
      }
      case 'map.ret':
        if (!w.ok && cpu.map !== null) this.#each(cpu.map, take);
        cpu.map = null;
        return;
      case 'unmap':
        cpu.unmap = this.#span(w.pt, w.iova, w.pgsize * w.count);
        if (cpu.unmap !== null) this.#each(cpu.unmap, take);
        return;
      case 'unmap.ret': this.#unmapped(cpu, w.size); return;
      case 'range': this.#handedOut(w); return;
      case 'call': cpu.open.set(w.f, w.dom ?? w.a0); if (w.f === 'arm_smmu_domain_free_paging' && w.a0 !== null) this.#pages.delete(w.a0); return;
      case 'ret': this.#returned(cpu, w.f); return;
      case 'store': if (w.to === 'pt' && cpu.map !== null) this.#domainOfRoot.set(Math.floor(w.pa / PAGE), cpu.map.domain); return;
      default: return;
    }
  }

  #cpu(n: number): Doing {
    let cpu = this.#cpus.get(n);
    if (cpu === undefined) {
      cpu = { map: null, unmap: null, open: new Map(), unsynced: [] };
      this.#cpus.set(n, cpu);
    }
    return cpu;
  }

  #span(pt: string, iova: number, size: number): Span | null {
    const domain = this.#domainOfTable.get(pt);
    return domain === undefined ? null : { domain, from: iova / PAGE, count: size / PAGE };
  }

  #each(s: Span | null, change: (p: Page, i: number) => void): void {
    if (s === null) return;
    let pages = this.#pages.get(s.domain);
    if (pages === undefined) {
      pages = new Map();
      this.#pages.set(s.domain, pages);
    }
    for (let i = 0; i < s.count; i += 1) {
      let p = pages.get(s.from + i);
      if (p === undefined) {
        p = { mapped: null, leaving: null };
        pages.set(s.from + i, p);
      }
      change(p, i);
    }
  }

  #unmapped(cpu: Doing, size: number): void {
    const s = cpu.unmap;
    cpu.unmap = null;
    if (s === null) return;
    const done = Math.min(s.count, size / PAGE);
    this.#each({ ...s, from: s.from + done, count: s.count - done }, (p) => { if (p.leaving !== null) { p.mapped = p.leaving; p.leaving = null; } });
    if (done > 0) cpu.unsynced.push({ ...s, count: done });
  }

  #handedOut(w: Extract<Recorded['what'], { readonly kind: 'range' }>): void {
    if (w.dom !== null) this.#domainOfAllocator.set(w.iovad, w.dom);
    const domain = this.#domainOfAllocator.get(w.iovad);
    if (w.what === 'alloc' && domain !== undefined) this.#each({ domain, from: w.iova / PAGE, count: w.size / PAGE }, forget);
  }

  #returned(cpu: Doing, f: string): void {
    const domain = cpu.open.get(f) ?? null;
    cpu.open.delete(f);
    if (f === '__iommu_dma_unmap') cpu.unsynced = [];
    if (f !== 'arm_smmu_iotlb_sync' && f !== 'iommu_unmap') return;
    for (const s of cpu.unsynced) if (domain === null || s.domain === domain) this.#each(s, forget);
    cpu.unsynced = cpu.unsynced.filter((s) => domain !== null && s.domain !== domain);
  }

  /** The domain whose maps store to the page of this frame: its root table among them. */
  domainOf(frame: number): string | null {
    return this.#domainOfRoot.get(frame) ?? null;
  }

  /** Must nobody translate [first, first + frames) to `pa` (bytes) any more? */
  broken(domain: string, at: { readonly first: number; readonly frames: number; readonly pa: number; readonly write: boolean }): boolean {
    const pages = this.#pages.get(domain);
    if (pages === undefined) return false;
    for (let i = 0; i < at.frames; i += 1) {
      const p = pages.get(at.first + i);
      const says = (to: To | null | undefined): boolean => to !== null && to !== undefined && to.pa === at.pa + i * PAGE && (to.write || !at.write);
      if (!says(p?.mapped) && !says(p?.leaving)) return true;
    }
    return false;
  }
}

function take(p: Page): void {
  if (p.mapped === null) return;
  p.leaving = p.mapped;
  p.mapped = null;
}

function forget(p: Page): void {
  p.leaving = null;
}
