/**
 * A second opinion on an imported case, from nothing but a flat map of pages per domain: is every call legal, and
 * is every recorded outcome what the map says — or, between an unmap and its sync or flush, what it said before?
 */
import type { Case, Observation } from '../../src/operations/case.js';
import type { Operation, Target } from '../../src/stack/operation.js';
import { PHYSICAL_FRAMES } from '../../src/stack/world.js';

const PAGE = 4096;

interface FlatDomain {
  readonly lazy: boolean;
  readonly managed: boolean;
  readonly pages: Map<number, { readonly frame: number; readonly write: boolean }>;
  /** What was unmapped since the last sync (strict) or flush (lazy). */
  readonly fading: Map<number, Set<number>>;
  /** Allocated ranges: start page → pages. */
  readonly allocated: Map<number, number>;
  /** Pages handed out, and pages that wait for a flush. */
  readonly owned: Set<number>;
  readonly waiting: Set<number>;
}

export interface CheckResult {
  readonly problems: readonly string[];
  readonly checked: { readonly calls: number; readonly current: number; readonly fading: number; readonly faulted: number; readonly bypassed: number };
}

type RangeOperation = Extract<Operation, { size: number }>;

export function checkCase(c: Case): CheckResult {
  const checker = new Checker(c);
  const observed = new Map((c.observed ?? []).map((o) => [o.at, o]));
  c.operations.forEach((o, i) => checker.step(o, i, observed.get(i)));
  return checker;
}

class Checker implements CheckResult {
  readonly problems: string[] = [];
  readonly checked = { calls: 0, current: 0, fading: 0, faulted: 0, bypassed: 0 };
  private readonly domains: FlatDomain[];
  private readonly uses: Target[];

  constructor(c: Case) {
    this.uses = c.world.devices.map(() => 'blocked');
    this.domains = c.world.domains.map((d) => ({
      lazy: d.mode === 'lazy', managed: d.managed,
      pages: new Map(), fading: new Map(), allocated: new Map(), owned: new Set(), waiting: new Set(),
    }));
  }

  step(o: Operation, at: number, seen: Observation | undefined): void {
    const bad = o.op === 'access' ? this.access(o, seen) : this.call(o);
    if (o.op !== 'access') this.checked.calls++;
    if (bad !== undefined) this.problems.push(`operations[${at}] ${JSON.stringify(o)}: ${bad}`);
  }

  private call(o: Operation): string | undefined {
    if (o.op === 'attach') {
      if (typeof o.to === 'number' && this.domains[o.to] === undefined) return 'unknown domain';
      if (this.uses[o.device] === undefined) return 'unknown device';
      if (this.uses[o.device] === o.to) return 'already attached';
      this.uses[o.device] = o.to;
      return undefined;
    }
    if (!('domain' in o)) return 'not expected from a recording';
    const d = this.domains[o.domain];
    if (d === undefined) return 'unknown domain';
    if (o.op === 'sync') {
      if (!d.lazy) d.fading.clear();
      return undefined;
    }
    if (o.op === 'flush-all') {
      if (!d.lazy) return 'not lazy';
      d.fading.clear();
      d.waiting.clear();
      return undefined;
    }
    return this.range(o, d);
  }

  private range(o: RangeOperation, d: FlatDomain): string | undefined {
    if (o.size === 0 || o.size % PAGE !== 0 || o.iova % PAGE !== 0) return 'unaligned';
    if (o.iova + o.size > 2 ** 48) return 'out of range';
    const first = o.iova / PAGE;
    const pages = Array.from({ length: o.size / PAGE }, (_, i) => first + i);
    switch (o.op) {
      case 'map': return this.map(o, d, pages);
      case 'unmap':
        if (!pages.every((p) => d.pages.has(p))) return 'not mapped';
        for (const p of pages) {
          const old = d.fading.get(p) ?? new Set<number>();
          d.fading.set(p, old.add(d.pages.get(p)?.frame ?? -1));
          d.pages.delete(p);
        }
        return undefined;
      case 'iova-alloc':
        if (!d.managed) return 'not managed';
        if (pages.some((p) => d.owned.has(p) || d.waiting.has(p) || d.pages.has(p))) return 'iova busy';
        if (!d.lazy && pages.some((p) => d.fading.has(p))) return 'handed out before the sync';
        d.allocated.set(first, pages.length);
        for (const p of pages) d.owned.add(p);
        return undefined;
      case 'iova-free':
        if (d.allocated.get(first) !== pages.length) return 'not handed out as a whole';
        if (pages.some((p) => d.pages.has(p))) return 'iova in use';
        d.allocated.delete(first);
        for (const p of pages) d.owned.delete(p);
        if (d.lazy) for (const p of pages) d.waiting.add(p);
        return undefined;
    }
  }

  private map(o: Extract<Operation, { op: 'map' }>, d: FlatDomain, pages: readonly number[]): string | undefined {
    if (o.pa % PAGE !== 0) return 'unaligned';
    if ((o.pa + o.size) / PAGE > PHYSICAL_FRAMES) return 'out of range';
    if (pages.some((p) => d.pages.has(p))) return 'already mapped';
    if (d.managed && !pages.every((p) => d.owned.has(p))) return 'not handed out';
    pages.forEach((p, i) => d.pages.set(p, { frame: o.pa / PAGE + i, write: o.prot === 'rw' }));
    return undefined;
  }

  private access(o: Extract<Operation, { op: 'access' }>, seen: Observation | undefined): string | undefined {
    if (seen === undefined) return 'nothing observed';
    const use = this.uses[o.device];
    if ('bypass' in seen) {
      this.checked.bypassed++;
      return use === 'identity' ? undefined : `bypass while using ${String(use)}`;
    }
    const d = typeof use === 'number' ? this.domains[use] : undefined;
    const page = d?.pages.get(Math.floor(o.iova / PAGE));
    if ('fault' in seen) {
      this.checked.faulted++;
      return page === undefined ? undefined : 'fault while mapped';
    }
    if (d === undefined) return `translated while using ${String(use)}`;
    if (seen.pa % PAGE !== o.iova % PAGE) return 'wrong offset';
    if (page !== undefined && page.frame === Math.floor(seen.pa / PAGE)) {
      this.checked.current++;
      return o.write && !page.write ? 'write to a read-only page' : undefined;
    }
    if (d.fading.get(Math.floor(o.iova / PAGE))?.has(Math.floor(seen.pa / PAGE)) !== true) return `stale: got 0x${seen.pa.toString(16)}`;
    this.checked.fading++;
    return undefined;
  }
}
