/**
 * Tables: which table descriptors and leaves the SMMU may have cached, derived from the words of every table page that is
 * reachable, through memory or through a cached pointer (IHI 0070 §3.21.1, §3.3.2; VMSAv8-64). In nested form each stage-1
 * table pointer and each stage-1 leaf is combined with every stage-2 leaf of the VMID that covers its IPA (§16.2.1).
 */
import { POW2 } from '../../spec/bits.js';
import { BIT_AF, BIT_NG, BIT_NT, BIT_S2AP_READ, BIT_S2AP_WRITE, descriptorKind, HI_CONTIGUOUS, leafAddress, LEAF, TABLE, tableAddress } from '../../spec/descriptor.js';
import { contiguousEntries, levelFrames, stride } from '../../spec/granule.js';
import type { Memory } from '../../memory/memory.js';
import { WORLD_EL2 } from '../../stack/transaction.js';
import { beginSegment, bury, endSegment, NEVER, sameWord, stands, type Fact, type LeafFact, type Page, type Pending, type Premise, type Regime, type TableFact, type TranslationFact } from './facts.js';
import { when } from './justify.js';
import type { MatchContext } from './match.js';
import { stage2Clean, tableLimits } from './permissions.js';

const WORDS = 512;

/** What hears of the tables. */
export interface TableListener {
  /** A stage-2 leaf came into being: structures fetched through it become reachable. */
  stage2Born(leaf: LeafFact): void;
  /** A leaf that overlaps another cached one of its tag in a way that needs break-before-make. */
  conflict(what: string, old: LeafFact): void;
}

/** Frames from which an address is beyond the output size. */
export function outputEnd(r: Regime): number {
  return POW2[r.context.outputBits - 12] as number;
}

/** May the leaf be cached: accessed, or marked so by the SMMU itself; output within range (§3.13.1, §3.21.1)? */
export function cacheable(page: Page, lo: number, hi: number): boolean {
  const c = page.regime.context;
  const accessed = (lo & BIT_AF) !== 0 || c.affd || (c.ha && page.writable);
  return accessed && leafAddress(lo, hi, page.level, c) < outputEnd(page.regime);
}

export class Tables {
  readonly #memory: Memory;
  readonly #listener: TableListener;
  readonly #pages: (Page[] | undefined)[] = [];
  readonly #context: () => MatchContext;
  #next = 1;
  #bbml: 0 | 1 | 2;
  /** Was there ever a regime of both stages? */
  #nested = false;
  /** Leaves by size and place of their input span; null: to be made anew. */
  #near: Map<number, Map<number, LeafFact[]>> | null = null;
  /** Every cached table descriptor and leaf. */
  translations: TranslationFact[] = [];
  regimes: Regime[] = [];
  /** Is the store that is being heard the software's? */
  software = false;

  constructor(memory: Memory, listener: TableListener, bbml: 0 | 1 | 2, context: () => MatchContext) {
    this.#memory = memory;
    this.#listener = listener;
    this.#context = context;
    this.#bbml = bbml;
  }

  get now(): number { return this.#memory.journal.clock.now; }

  nextId(): number {
    this.#next += 1;
    return this.#next;
  }

  /** SMMUEN: only then is anything fetched. */
  get enabled(): boolean { return this.#context().enabled; }

  isOpen(r: Regime): boolean {
    return r.supports.length > 0 && this.enabled;
  }

  /** SMMUEN became 0: nothing is fetched; what is cached stays (§6.3.9.6). */
  disable(): void {
    for (const f of this.translations) if (f.ref >= 0) endSegment(f, this.now);
  }

  /** SMMUEN became 1: cached pointers are followed again, whoever supports them. */
  enable(): void {
    for (const f of this.translations.slice()) if (f.kind === 'table' && f.page !== null) this.#rescan(f.page);
  }

  /** A regime has support (again): everything reachable from its base and from its cached pointers is. */
  opened(r: Regime): void {
    if (!this.regimes.includes(r)) this.regimes.push(r);
    this.#nested ||= r.nested;
    const c = r.context;
    if (!r.nested && r.roots.length === 0) {
      this.#addPage({ regime: r, from: null, level: c.startLevel, va: rootVa(r), limits: 0, writable: true }, [c.rootFrame, c.rootIndex, c.rootEntries], null, r.roots);
    }
    if (r.nested) for (const s2 of this.stage2Leaves(r.vmid)) this.#rootThrough(r, s2);
    for (const page of r.roots) this.#rescan(page);
    for (const f of this.translations) if (f.kind === 'table' && f.regime === r && f.page !== null) this.#rescan(f.page);
  }

  /** Cached stage-2 leaves of a VMID. */
  stage2Leaves(vmid: number): LeafFact[] {
    return this.translations.filter((f): f is LeafFact => f.kind === 'leaf' && f.stage === 2 && f.vmid === vmid);
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const pages = this.#pages[slot];
    if (pages === undefined) return;
    const lo = this.#memory.lo[slot * WORDS + index] as number;
    const hi = this.#memory.hi[slot * WORDS + index] as number;
    for (const page of pages.slice()) {
      const entry = page.firstIndex + (this.#memory.frameOf(slot) - page.frame) * WORDS + index - page.offset;
      if (entry < page.firstIndex || entry >= page.firstIndex + page.entries) continue;
      if (canonical(page, oldLo) === canonical(page, lo) && oldHi === hi) continue; // the access flag alone
      for (const kid of page.kids.get(entry) ?? []) endSegment(kid, this.now);
      this.#derive(page, entry, lo, hi);
    }
  }

  /** The pages that contain a word, and the entry it is there. */
  entriesAt(slot: number, index: number): { page: Page; entry: number }[] {
    return (this.#pages[slot] ?? []).map((page) => ({ page, entry: page.firstIndex + (this.#memory.frameOf(slot) - page.frame) * WORDS + index - page.offset }))
      .filter(({ page, entry }) => entry >= page.firstIndex && entry < page.firstIndex + page.entries);
  }

  /** Memory reference of an entry of a page, or -1 when it is outside of RAM. */
  refOf(page: Page, entry: number): number {
    const word = page.offset + entry - page.firstIndex;
    const slot = this.#memory.slotOf(page.frame + Math.floor(word / WORDS));
    return slot < 0 ? -1 : slot * WORDS + (word % WORDS);
  }

  /** The part of a table [frame, word, entries) that `s2` (null: identity) reaches becomes a page. */
  #addPage(shape: Pick<Page, 'regime' | 'from' | 'level' | 'va' | 'limits' | 'writable'>, table: readonly [number, number, number], s2: LeafFact | null, into: Page[]): Page | null {
    const [frame, word, entries] = table;
    const end = frame + Math.ceil((word + entries) / WORDS);
    const first = s2 === null ? frame : Math.max(frame, s2.va);
    const last = s2 === null ? end : Math.min(end, s2.va + s2.frames);
    if (first >= last) return null;
    const offset = first === frame ? word : 0;
    const firstIndex = (first - frame) * WORDS + offset - word;
    const count = Math.min(entries, (last - frame) * WORDS - word) - firstIndex;
    if (count <= 0) return null;
    const page: Page = { ...shape, firstIndex, entries: count, frame: s2 === null ? first : s2.target + first - s2.va, offset, kids: new Map() };
    into.push(page);
    for (let f = page.frame; f < page.frame + Math.ceil((offset + count) / WORDS); f += 1) {
      const slot = this.#memory.slotOf(f);
      if (slot < 0) continue;
      (this.#pages[slot] ??= []).push(page);
      this.#memory.watch(slot);
    }
    return page;
  }

  #removePage(page: Page): void {
    for (let f = page.frame; f < page.frame + Math.ceil((page.offset + page.entries) / WORDS); f += 1) {
      const slot = this.#memory.slotOf(f);
      const list = slot < 0 ? undefined : this.#pages[slot];
      const at = list?.indexOf(page) ?? -1;
      if (list === undefined || at < 0) continue;
      list.splice(at, 1);
      this.#memory.unwatch(slot);
    }
  }

  /** A cached table descriptor is enough to fetch what stands below it; the base itself needs an STE and a CD that give it. */
  fetchable(page: Page): boolean {
    return page.from === null ? this.isOpen(page.regime) : this.enabled;
  }

  #rescan(page: Page): void {
    if (!this.fetchable(page)) return;
    const words = this.#memory.lo;
    for (let done = 0; done < page.entries;) {
      const count = Math.min(page.entries - done, WORDS - ((page.offset + done) % WORDS));
      const ref = this.refOf(page, page.firstIndex + done);
      let left = ref < 0 ? 0 : (this.#memory.odd[Math.floor(ref / WORDS)] as number);
      for (let i = 0; left > 0 && i < count; i += 1) {
        const lo = words[ref + i] as number;
        if ((lo & 1) === 0) continue;
        left -= 1;
        this.#derive(page, page.firstIndex + done + i, lo, this.#memory.hi[ref + i] as number);
      }
      done += count;
    }
  }

  /** A word stands in a page: the same facts again, or new ones. */
  #derive(page: Page, entry: number, rawLo: number, hi: number): void {
    const r = page.regime;
    if (!this.fetchable(page)) return;
    const lo = canonical(page, rawLo);
    const c = r.context;
    const kind = descriptorKind(lo, page.level, c.tg, c.ds, c.wide);
    const kids = (page.kids.get(entry) ?? []).filter((k) => k.alive);
    const again = kids.filter((k) => sameWord(k, lo, hi));
    for (const k of again) beginSegment(k, this.now);
    if (again.some((k) => k.kind === 'table')) return;
    page.kids.set(entry, kids);
    if (kind === LEAF && cacheable(page, lo, hi)) this.#newLeaves(page, entry, [lo, hi], kids);
    else if (kind === TABLE && tableAddress(lo, hi, c) < outputEnd(r)) this.#newTable(page, entry, [lo, hi], kids);
  }

  #common(ref: number, premises: readonly Premise[], lo: number, hi: number): Pick<Fact, 'id' | 'premises' | 'ref' | 'lo' | 'hi' | 'starts' | 'ends' | 'alive' | 'memoFor' | 'memo'> {
    return { id: this.nextId(), premises, ref, lo, hi, starts: [this.now], ends: [Infinity], alive: true, memoFor: null, memo: 0 };
  }

  #newLeaves(page: Page, entry: number, [lo, hi]: readonly [number, number], kids: TranslationFact[]): void {
    const r = page.regime;
    const c = r.context;
    const size = levelFrames(c.tg, page.level);
    const va = page.va + entry * size;
    const target = leafAddress(lo, hi, page.level, c);
    const premises: Premise[] = [page.from ?? r];
    const asid = r.stage === 2 || r.world === WORLD_EL2 || (lo & BIT_NG) === 0 ? -1 : r.asid;
    const common = this.#common(this.refOf(page, entry), premises, lo, hi);
    const leaf: LeafFact = {
      id: common.id, premises, ref: common.ref, lo, hi, starts: common.starts, ends: common.ends, alive: true, memoFor: null, memo: 0, kind: 'leaf', regime: r, world: r.world, vmid: r.vmid, asid, stage: r.stage, tg: c.tg, level: page.level, va, frames: size, target, limits: page.limits, run: false, first: null, second: null,
    };
    const born = [leaf];
    const members = (hi & HI_CONTIGUOUS) === 0 ? 1 : contiguousEntries(c.tg, page.level, c.ds);
    if (members > 1) {
      const into = entry % members;
      born.push({ ...leaf, ...this.#common(common.ref, premises, lo, hi), va: va - into * size, frames: members * size, target: target - (target % (members * size)), run: true });
    }
    // Of a member and its run one may have gone and the other not: what is still cached is the same fact again.
    const fresh = born.filter((f) => !kids.some((k) => k.kind === 'leaf' && k.run === f.run && sameWord(k, lo, hi)));
    if (this.software && fresh.includes(leaf)) this.#judgeBreak(leaf);
    for (const f of fresh) {
      kids.push(f);
      this.#addLeaf(f);
    }
  }

  #addLeaf(f: LeafFact): void {
    this.translations.push(f);
    this.#place(f);
    if (f.stage === 1 && f.regime.nested) for (const s2 of this.stage2Leaves(f.vmid)) this.#combine(f, s2);
    if (f.stage !== 2) return;
    if (this.#nested) for (const other of this.translations.slice()) {
      if (other.vmid !== f.vmid || other.stage !== 1 || !other.regime.nested) continue;
      if (other.kind === 'leaf') this.#combine(other, f);
      else this.#through(other, f);
    }
    for (const r of this.regimes) if (r.nested && r.vmid === f.vmid && this.isOpen(r)) this.#rootThrough(r, f);
    this.#listener.stage2Born(f);
  }

  /** VA to PA through both stages: span and output of what the two leaves have in common. */
  #combine(first: LeafFact, second: LeafFact): void {
    const from = Math.max(first.target, second.va);
    const to = Math.min(first.target + first.frames, second.va + second.frames);
    if (from >= to) return;
    this.translations.push({
      ...first, ...this.#common(-1, [first, second], first.lo, first.hi), stage: 3, va: first.va + from - first.target, frames: to - from,
      target: second.target + from - second.va, run: first.run || second.run, first, second,
    });
  }

  #newTable(page: Page, entry: number, [lo, hi]: readonly [number, number], kids: TranslationFact[]): void {
    const r = page.regime;
    const c = r.context;
    const frames = levelFrames(c.tg, page.level);
    const premises: Premise[] = [page.from ?? r];
    const f: TableFact = {
      ...this.#common(this.refOf(page, entry), premises, lo, hi), kind: 'table', regime: r, world: r.world, vmid: r.vmid, asid: r.stage === 2 || r.world === WORLD_EL2 ? -1 : r.asid,
      stage: r.stage, tg: c.tg, level: page.level, va: page.va + entry * frames, frames, target: tableAddress(lo, hi, c),
      limits: r.stage === 2 ? 0 : page.limits | tableLimits(hi, c.had), page: null,
    };
    kids.push(f);
    this.translations.push(f);
    if (r.nested) {
      for (const s2 of this.stage2Leaves(r.vmid)) this.#through(f, s2);
      return;
    }
    const made: Page[] = [];
    f.page = this.#addPage({ regime: r, from: f, level: f.level + 1, va: f.va, limits: f.limits, writable: true }, [f.target, 0, POW2[stride(c.tg)] as number], null, made);
    if (f.page !== null) this.#rescan(f.page);
  }

  /** A nested table pointer together with the stage-2 leaf of its target: it holds the PA of the next table. */
  #through(f: TableFact, s2: LeafFact): void {
    if (f.stage !== 1 || !readable(s2)) return;
    const size = (POW2[stride(f.regime.context.tg)] as number) / WORDS;
    if (s2.va >= f.target + Math.max(1, size) || f.target >= s2.va + s2.frames) return;
    const g: TableFact = { ...f, ...this.#common(-1, [f, s2], f.lo, f.hi), stage: 3, target: s2.target + f.target - s2.va, page: null };
    this.#throughPage(g, s2, [f.target, 0, POW2[stride(f.regime.context.tg)] as number], f.level + 1);
  }

  #rootThrough(r: Regime, s2: LeafFact): void {
    const c = r.context;
    if (!readable(s2) || s2.va >= c.rootFrame + Math.ceil((c.rootIndex + c.rootEntries) / WORDS) || c.rootFrame >= s2.va + s2.frames) return;
    if (this.translations.some((f) => f.kind === 'table' && f.regime === r && f.premises.length === 2 && f.premises[0] === r && f.premises[1] === s2)) return;
    const g: TableFact = {
      ...this.#common(-1, [r, s2], 0, 0), kind: 'table', regime: r, world: r.world, vmid: r.vmid, asid: r.asid, stage: 3, tg: c.tg, level: c.startLevel - 1, va: rootVa(r),
      frames: c.rootEntries * levelFrames(c.tg, c.startLevel), target: s2.target + c.rootFrame - s2.va, limits: 0, page: null,
    };
    this.#throughPage(g, s2, [c.rootFrame, c.rootIndex, c.rootEntries], c.startLevel);
  }

  #throughPage(g: TableFact, s2: LeafFact, table: readonly [number, number, number], level: number): void {
    const writable = (s2.lo & BIT_S2AP_WRITE) !== 0 || stage2Clean(s2, s2.regime.context.hd);
    this.translations.push(g);
    g.page = this.#addPage({ regime: g.regime, from: g, level, va: g.va, limits: g.limits, writable }, table, s2, []);
    if (g.page !== null) this.#rescan(g.page);
  }

  /** Visits the cached leaves of stages 1 and 2 whose span overlaps that of a leaf. Spans are aligned to their size. */
  #overlapping(leaf: LeafFact, visit: (f: LeafFact) => void): void {
    if (this.#near === null) {
      this.#near = new Map();
      for (const f of this.translations) if (f.kind === 'leaf') this.#place(f);
    }
    for (const [frames, places] of this.#near) {
      const first = Math.floor(leaf.va / frames);
      const last = Math.floor((leaf.va + leaf.frames - 1) / frames);
      if (last - first < places.size) for (let at = first; at <= last; at += 1) places.get(at)?.forEach(visit);
      else for (const [at, list] of places) if (at >= first && at <= last) list.forEach(visit);
    }
  }

  #place(f: LeafFact): void {
    if (this.#near === null || f.stage === 3) return;
    let places = this.#near.get(f.frames);
    if (places === undefined) this.#near.set(f.frames, places = new Map());
    const at = Math.floor(f.va / f.frames);
    const list = places.get(at);
    if (list === undefined) places.set(at, [f]);
    else list.push(f);
  }

  /**
   * Break-before-make (§3.21.1.1): a new leaf while another of its tag and stage that overlaps it may still be cached. Another output
   * address or, below BBML 2, another size (BBML 1: without nT) needed an invalid descriptor, TLBI and SYNC first; at BBML 0 a change of the
   * Contiguous bit alone as well, which is one of size (§3.21.1.2).
   */
  #judgeBreak(leaf: LeafFact): void {
    this.#overlapping(leaf, (f) => {
      if (f.stage !== leaf.stage || f.world !== leaf.world || f.vmid !== leaf.vmid) return;
      if (f.asid !== leaf.asid && f.asid >= 0 && leaf.asid >= 0) return;
      const contiguous = ((f.hi ^ leaf.hi) & HI_CONTIGUOUS) !== 0;
      if (f.target - f.va !== leaf.target - leaf.va) this.#listener.conflict(`another output address while the old ${f.run ? 'contiguous run' : 'leaf'} may be cached`, f);
      else if ((f.asid < 0) !== (leaf.asid < 0)) this.#listener.conflict('a global leaf beside a non-global one', f);
      else if (f.run || f.frames === leaf.frames) {
        if (contiguous && this.#bbml === 0) this.#listener.conflict('the Contiguous bit changes while the old leaf may be cached', f);
      } else if (this.#bbml === 0 || (this.#bbml === 1 && ((f.lo | leaf.lo) & BIT_NT) === 0)) {
        this.#listener.conflict('another block size while the old leaf may be cached', f);
      }
    });
  }

  /** Facts that the SYNC's commands get rid of. Nothing changes yet. */
  judge(K: readonly Pending[], m: MatchContext): TranslationFact[] {
    return this.translations.filter((f) => when(f, K, m) === NEVER);
  }

  apply(dead: readonly TranslationFact[], queue: number): void {
    if (dead.length === 0) return;
    for (const f of dead) {
      bury(f, this.now, queue);
      if (f.kind === 'table' && f.page !== null) this.#removePage(f.page);
    }
    this.translations = this.translations.filter((f) => f.alive);
    this.#near = null;
    for (const f of dead) this.#refill(f);
  }

  /** What is gone but still stands below a cached descriptor may be fetched at once again. */
  #refill(f: TranslationFact): void {
    const above = f.premises[0];
    if (f.ref < 0 || !stands(f) || above === undefined) return;
    const pages = above.kind === 'regime' ? above.roots : above.kind === 'table' && above.alive && above.page !== null ? [above.page] : [];
    for (const page of pages) {
      for (const [entry, kids] of page.kids) {
        if (!kids.includes(f) || kids.some((k) => k.alive && stands(k) && k.frames === f.frames)) continue;
        const ref = this.refOf(page, entry);
        this.#derive(page, entry, this.#memory.lo[ref] as number, this.#memory.hi[ref] as number);
      }
    }
  }

  /** Regimes whose last support went; those of which nothing is left are forgotten. `oldest`: when the first pending command became visible. */
  review(oldest: number): void {
    for (const r of this.regimes) {
      const lost = r.supports.filter((s) => s.facts.some((f) => !f.alive));
      if (lost.length > 0) r.supports = r.supports.filter((s) => s.facts.every((f) => f.alive));
      r.past = [...r.past, ...lost].filter((s) => s.facts.every((f) => f.alive || (f.gone?.at ?? 0) > oldest));
    }
    this.regimes = this.regimes.filter((r) => {
      if (r.supports.length > 0 || this.translations.some((f) => f.regime === r)) return true;
      for (const page of r.roots) this.#removePage(page);
      return false;
    });
  }
}

/** First frame of the regime's input range: TTB1 ends at 2^64. */
export function rootVa(r: Regime): number {
  return r.half === 0 ? 0 : (POW2[52] as number) - (POW2[r.context.inputBits - 12] as number);
}

export function readable(s2: LeafFact): boolean {
  return (s2.lo & BIT_S2AP_READ) !== 0;
}

/** A leaf word as it counts: with hardware access-flag update, set and clear are one fact. */
function canonical(page: Page, lo: number): number {
  const c = page.regime.context;
  if (!c.ha || !page.writable || (lo & BIT_AF) !== 0) return lo;
  return descriptorKind(lo, page.level, c.tg, c.ds, c.wide) === LEAF ? (lo | BIT_AF) >>> 0 : lo;
}
