/**
 * Duties: the rules, asked of the facts of the stage-1 machine at the moments that promise something (rule.md: the return of a sync, an address range that
 * is handed out again, the SYNC of the entry writer, the return of an attach, a freed page, SMMUEN). The same rules as everywhere; here every breach is
 * noted and judging goes on, because a recording goes on as well.
 */
import { CD, cdLegal } from '../spec/cd.js';
import { getField } from '../spec/bits.js';
import { descriptorKind, LEAF, leafFrame, leafWritable } from '../spec/descriptor.js';
import { steAction } from '../spec/ste.js';
import { entryFrames, isCurrent, waySpan, type EntryFact, type LeafRec, type Regime, type Way } from '../reference/stage1/facts.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import { cacheableLeaf, type TableListener } from '../reference/stage1/tables.js';
import { at } from '../rules/scene.js';
import type { FactPlace } from '../stack/violation.js';
import type { Life } from './intent.js';
import type { Dirty, Touched } from './lives.js';
import type { Origin } from './types.js';
import type { Breach, Due, Duties, Setting } from './weakest.js';

const PAGE = 4096;

export class Stage1Duties implements Duties {
  readonly #s: Setting;
  readonly #machine: Stage1Reference;
  /** Facts that were reported already: they stay cached, and every later duty would find them again. */
  readonly #told = new WeakSet<LeafRec | Way | EntryFact>();
  readonly #toldTexts = new Set<string>();

  constructor(machine: Stage1Reference, s: Setting) {
    this.#machine = machine;
    this.#s = s;
    machine.tables.listener = this.#listener();
    const watch = s.watch;
    if (watch !== null) machine.configuration.changed = (kind, sid) => { if (watch.place.kind === kind && watch.place.sid === sid) watch.began(`changes the ${kind.toUpperCase()} of stream ${sid}`); };
  }

  #listener(): TableListener {
    const watch = this.#s.watch;
    return {
      leafBorn: (regime, way, index, lo, hi) => { this.#leaf(regime, way, index, lo, hi); },
      wayBorn: (way) => { if (way.regime.domain >= 0) this.#page(way); },
      leafHidden: (leaf) => {
        if (leaf.regime.domain >= 0) this.#s.ledger.arm('stale-translation');
        if (watch?.place.kind === 'leaf' && watch.overlaps(leaf.regime.asid, leaf.va, entryFrames(leaf.level))) {
          watch.began(`takes {asid ${leaf.regime.asid} ${at(leaf.va)} -> ${at(leafFrame(leaf.lo, leaf.hi, leaf.level))} level ${leaf.level}} out of memory`);
        }
      },
      wayHidden: (way) => { if (watch?.overlaps(way.regime.asid, way.va, waySpan(way)) === true) watch.began(`unlinks the table of ${at(way.va)}; its level ${way.level - 1} descriptor {asid ${way.regime.asid}} may still be cached`); },
      regimeClosed: (r) => { if (watch?.place.asid === r.asid) watch.began(`retires the last CD or STE with asid ${r.asid}; what is cached under it stays until it is invalidated`); },
    };
  }

  #life(regime: Regime): Life | undefined {
    return regime.domain < 0 ? undefined : this.#s.lives.numbered(regime.domain);
  }

  /** Rule isolation: a leaf that memory shows must be one that the domain maps. */
  #leaf(regime: Regime, way: Way, index: number, lo: number, hi: number): void {
    const life = this.#life(regime);
    if (life === undefined || !life.alive) return;
    this.#s.ledger.judge('isolation');
    const frames = entryFrames(way.level);
    const va = way.va + index * frames;
    const pa = leafFrame(lo, hi, way.level);
    if (life.permits(va * PAGE, frames * PAGE, pa * PAGE, leafWritable(lo))) return;
    this.#tell(null, { rule: 'isolation', cause: 'a leaf that the domain does not map', expected: `${at(va)}: ${life.describe(va * PAGE)}`,
      actual: `memory maps ${at(va)} to ${at(pa)}`, place: this.#place(regime, va, frames, way.level, 'leaf'), from: null });
  }

  #page(way: Way): void {
    if (way.slot < 0) return;
    const { lo, hi } = this.#machine.memory;
    for (let i = 0; i < 512; i += 1) {
      const ref = way.slot * 512 + i;
      if (descriptorKind(lo[ref] as number, way.level, 12) !== LEAF) continue;
      if (cacheableLeaf(lo[ref] as number, hi[ref] as number, way.level, way.regime.outputBits)) this.#leaf(way.regime, way, i, lo[ref] as number, hi[ref] as number);
    }
  }

  /** What was taken away in [iova, iova + size) must be gone: cached, below a cached table, and in memory. */
  gone(life: Life, iova: number, size: number): void {
    this.#bindAll();
    const from = this.#s.lives.origin(life, iova);
    life.due(iova, size);
    const first = Math.floor(iova / PAGE);
    const end = Math.ceil((iova + size) / PAGE);
    this.#s.ledger.judge('stale-translation');
    for (const regime of this.#machine.regimes) {
      if (regime.domain !== life.number || regime.supports.length === 0) continue;
      for (const leaf of regime.leafRecs) {
        if (leaf.va < end && first < leaf.va + entryFrames(leaf.level)) this.#stale(life, regime, leaf, from);
      }
      for (const way of regime.wayRecs) if (way.va < end && first < way.va + waySpan(way)) this.#below(life, regime, way, { first, end, from });
      this.#inMemory(life, regime, regime.root, { first, end, from });
    }
  }

  /** Tables that no attach named: whose maps stored to their root? */
  #bindAll(): void {
    for (const regime of this.#machine.regimes) {
      if (regime.domain >= 0 || regime.supports.length === 0 || this.#s.lives.attaching) continue;
      const life = this.#s.lives.storedTo(regime.frame);
      if (life?.alive === true) {
        regime.domain = life.number;
        if (regime.root !== null) this.#tree(regime.root);
      } else this.#s.doubt(`tables are in use that belong to no recorded domain (asid ${regime.asid}): what they map is not judged`);
    }
  }

  #stale(life: Life, regime: Regime, leaf: LeafRec, from: Origin | null): void {
    const frames = entryFrames(leaf.level);
    const pa = leafFrame(leaf.lo, leaf.hi, leaf.level);
    if (life.permits(leaf.va * PAGE, frames * PAGE, pa * PAGE, leafWritable(leaf.lo))) return;
    this.#tell(leaf, this.#staleBreach(life, regime, leaf, { frames, pa, from, cause: `a level ${leaf.level} leaf outlives its unmap` }));
  }

  #staleBreach(life: Life, regime: Regime, leaf: { va: number; level: number }, d: { frames: number; pa: number; from: Origin | null; cause: string }): Breach {
    return {
      rule: 'stale-translation', cause: d.cause, expected: `${at(leaf.va)}: ${life.describe(leaf.va * PAGE)}`,
      actual: `the SMMU may still hold {asid ${regime.asid} ${at(leaf.va)} -> ${at(d.pa)} level ${leaf.level}}`,
      place: this.#place(regime, leaf.va, d.frames, leaf.level, 'leaf'), from: d.from,
    };
  }

  /** Leaves that can be walked to from a table descriptor that is cached and no longer in memory. */
  #below(life: Life, regime: Regime, way: Way, d: { first: number; end: number; from: Origin | null }): void {
    if (way.slot < 0) return;
    const { lo, hi } = this.#machine.memory;
    const frames = entryFrames(way.level);
    for (let i = Math.max(0, Math.floor((d.first - way.va) / frames)); i < 512 && way.va + i * frames < d.end; i += 1) {
      const ref = way.slot * 512 + i;
      const l = lo[ref] as number;
      const h = hi[ref] as number;
      if (!cacheableLeaf(l, h, way.level, regime.outputBits)) continue;
      const va = way.va + i * frames;
      const pa = leafFrame(l, h, way.level);
      if (life.permits(va * PAGE, frames * PAGE, pa * PAGE, leafWritable(l))) continue;
      this.#tell(way, this.#staleBreach(life, regime, { va, level: way.level }, { frames, pa, from: d.from, cause: 'a leaf below a stale table descriptor' }));
    }
    for (const kid of way.kids.values()) if (kid.va < d.end && d.first < kid.va + waySpan(kid)) this.#below(life, regime, kid, d);
  }

  /** Leaves of the range that stand in memory. */
  #inMemory(life: Life, regime: Regime, way: Way | null, d: { readonly first: number; readonly end: number; readonly from: Origin | null }): void {
    if (way === null || way.slot < 0 || this.#machine.memory.odd[way.slot] === 0) return;
    const { lo, hi } = this.#machine.memory;
    const frames = entryFrames(way.level);
    for (let i = Math.max(0, Math.floor((d.first - way.va) / frames)); i < 512 && way.va + i * frames < d.end; i += 1) {
      const l = lo[way.slot * 512 + i] as number;
      const h = hi[way.slot * 512 + i] as number;
      if ((l & 1) === 0) continue;
      const kid = way.kids.get(i);
      if (kid !== undefined) { this.#inMemory(life, regime, kid, d); continue; }
      if (!cacheableLeaf(l, h, way.level, regime.outputBits)) continue;
      const va = way.va + i * frames;
      const pa = leafFrame(l, h, way.level);
      if (life.permits(va * PAGE, frames * PAGE, pa * PAGE, leafWritable(l))) continue;
      this.#tell(null, { rule: 'stale-translation', cause: 'memory still shows the SMMU what was taken away', expected: `${at(va)}: ${life.describe(va * PAGE)}`,
        actual: `the descriptor of ${at(va)} still stands in memory: {-> ${at(pa)} level ${way.level}}`, place: null, from: d.from });
    }
  }

  /** The entry writer waited for its SYNC: no older form of what it wrote may be left. */
  entries(dirty: Iterable<Dirty>): void {
    for (const d of dirty) {
      const facts = this.#factsOf(d);
      if (facts.length === 0) continue;
      this.#s.ledger.judge('stale-configuration');
      const old = facts.find((f) => !isCurrent(f));
      if (old === undefined) continue;
      const name = nameOf(old.kind);
      this.#tell(old, { rule: 'stale-configuration', cause: `an older ${name} outlives its CFGI and SYNC`, expected: `stream ${old.sid}: only the ${name} in memory`,
        actual: `the SMMU may still hold an older ${name} of stream ${old.sid} (${this.#describe(old)})`, place: placeOfEntry(old), from: { line: d.line, text: `store to the ${name}` } });
    }
  }

  #factsOf(d: Dirty): readonly EntryFact[] {
    const c = this.#machine.configuration;
    if (d.kind === 'ste') return c.stesOf(d.at);
    if (d.kind === 'l1') return c.staleLevel1();
    const slot = this.#machine.memory.slotOf(Math.floor(d.at / PAGE));
    const ref = slot * 512 + (d.at % PAGE) / 8;
    return c.cdsIn(slot).filter((f) => f.ref === ref);
  }

  #describe(f: EntryFact): string {
    if (f.kind === 'ste') return steAction(f.words, 0, this.#machine.features.ste);
    if (f.kind === 'l1std') return 'a pointer to other STEs';
    return getField(f.words, CD.V) === 0 ? 'V = 0' : `asid ${getField(f.words, CD.ASID)}`;
  }

  /** SMMUEN: nothing from before reset may be usable. */
  reset(): void {
    this.#s.ledger.judge('stale-configuration');
    const sid = this.#machine.unknownConfiguration();
    if (sid < 0) return;
    this.#tell(null, { rule: 'stale-configuration', cause: 'configuration from before reset', expected: 'CFGI_ALL and CMD_SYNC before SMMUEN',
      actual: `the SMMU may use an STE or CD of stream ${sid} that was cached before reset`, place: { smmu: 0, kind: 'ste', sid }, from: null });
  }

  /** An attach or detach returned: each stream that it touched sees its new target and nothing else, under a tag that is its domain's alone. */
  attached(touched: readonly Touched[], { wanted: due, life }: Due): void {
    const c = this.#machine.configuration;
    const wanted = due === 'translate' ? 'stage1' : due;
    for (const sid of new Set(touched.map((u) => u.sid))) {
      this.#s.ledger.judge('stale-configuration');
      for (const ste of c.stesOf(sid)) {
        const action = steAction(ste.words, 0, this.#machine.features.ste);
        if (!isCurrent(ste) || (wanted !== null && action !== wanted)) {
          this.#tell(ste, { rule: 'stale-configuration', cause: `an STE that says ${action} where ${wanted ?? 'another'} is due`, expected: `stream ${sid}: ${wanted ?? 'the STE in memory'}`,
            actual: `the SMMU may use ${isCurrent(ste) ? 'the STE in memory' : 'an older STE'} of stream ${sid}: ${action}`, place: placeOfEntry(ste), from: null });
        }
        for (const cd of ste.cds) this.#context(cd, life);
      }
    }
  }

  #context(cd: EntryFact, life: Life | null): void {
    if (!isCurrent(cd) || !cdLegal(cd.words, 0, this.#machine.features.cd)) {
      this.#tell(cd, { rule: 'stale-configuration', cause: isCurrent(cd) ? 'an invalid CD can be used' : 'an older CD can still be used', expected: `stream ${cd.sid}: the CD of its domain`,
        actual: `the SMMU may use ${isCurrent(cd) ? 'the CD in memory' : 'an older CD'} of stream ${cd.sid} (${this.#describe(cd)})`, place: placeOfEntry(cd), from: null });
      return;
    }
    const regime = this.#machine.regimes.find((r) => r.supports.some((s) => s.cd === cd));
    if (regime === undefined || life === null) return;
    this.#owner(regime, life);
    this.#tag(regime.asid, life);
  }

  /** The regime is this life's from now on; what an earlier owner left under it must be gone. */
  #owner(regime: Regime, life: Life): void {
    const before = regime.domain;
    regime.domain = life.number;
    if (before === life.number) return;
    if (regime.root !== null) this.#tree(regime.root);
    this.leftovers(regime, life);
  }

  #tree(way: Way): void {
    this.#page(way);
    for (const kid of way.kids.values()) this.#tree(kid);
  }

  /** What is recorded under the tag and that its owner does not map. */
  leftovers(regime: Regime, life: Life): void {
    const place = regime.leafRecs.find((leaf) => !life.permits(leaf.va * PAGE, entryFrames(leaf.level) * PAGE, leafFrame(leaf.lo, leaf.hi, leaf.level) * PAGE, leafWritable(leaf.lo)));
    if (place === undefined) return;
    this.#tell(place, { rule: 'tag-lifetime', cause: 'a tag is used again while facts of its former owner remain', expected: `asid ${regime.asid}: what its domain maps alone`,
      actual: `asid ${regime.asid} is in use again, and the SMMU may still hold ${at(place.va)} -> ${at(leafFrame(place.lo, place.hi, place.level))} under it`,
      place: this.#place(regime, place.va, entryFrames(place.level), place.level, 'leaf'), from: null });
  }

  #tag(asid: number, life: Life): void {
    this.#s.ledger.judge('tag-lifetime');
    for (const r of this.#machine.regimes) {
      if (r.asid !== asid || r.domain === life.number) continue;
      const leaf = r.leafRecs[0];
      const way = r.wayRecs[0];
      const live = r.supports.length > 0;
      if (leaf === undefined && way === undefined && !live) continue;
      this.#tell(leaf ?? way ?? null, {
        rule: live ? 'isolation' : 'tag-lifetime', cause: live ? 'two live domains share a tag' : 'a tag is used again while facts of its former owner remain',
        expected: `asid ${asid}: one domain alone`,
        actual: `asid ${asid} ${live ? 'also stands for another domain' : 'is used again'}${leaf === undefined ? '' : `, and the SMMU may still hold ${at(leaf.va)} -> ${at(leafFrame(leaf.lo, leaf.hi, leaf.level))} of its former owner`}`,
        place: leaf === undefined ? this.#place(r, way?.va ?? 0, way === undefined ? 1 : waySpan(way), way === undefined ? 2 : way.level - 1, 'table') : this.#place(r, leaf.va, entryFrames(leaf.level), leaf.level, 'leaf'),
        from: null,
      });
    }
    if (!this.#machine.unknownTag(asid)) return;
    this.#tell(null, { rule: 'isolation', cause: 'a tag is used that was not cleaned since reset', expected: `asid ${asid}: one domain alone`,
      actual: `the TLB may still hold entries of asid ${asid} from before reset`, place: this.#place({ asid }, 0, 1, 3, 'leaf'), from: null });
  }

  /** A table page is given back: nothing may lead to it. */
  freed(slot: number): void {
    this.#s.ledger.judge('use-after-free');
    this.#s.ledger.judge('stale-walk');
    for (const way of this.#machine.tables.waysTo(slot)) {
      const still = reachable(way);
      const place = this.#place(way.regime, way.va, waySpan(way), way.level - 1, 'table');
      this.#tell(way, still
        ? { rule: 'use-after-free', cause: 'a table that memory still points to', expected: 'nothing leads to a freed table', actual: `the table of ${at(way.va)} is freed while asid ${way.regime.asid} still walks through it`, place, from: null }
        : { rule: 'stale-walk', cause: 'a cached table descriptor of a freed table', expected: 'no cached table descriptor points to a freed table',
          actual: `the SMMU may still hold {asid ${way.regime.asid} table descriptor of ${at(way.va)} level ${way.level - 1}}`, place, from: null });
    }
  }

  #place(regime: { readonly asid: number }, frame: number, frames: number, level: number, kind: 'leaf' | 'table'): FactPlace {
    return { smmu: 0, kind, asid: regime.asid, frame, frames, level };
  }

  #tell(fact: LeafRec | Way | EntryFact | null, b: Breach): void {
    const key = fact === null ? `${b.rule} ${b.actual}` : '';
    if (fact === null ? this.#toldTexts.has(key) : this.#told.has(fact)) return;
    if (fact !== null) this.#told.add(fact);
    else if (this.#toldTexts.size < 10_000) this.#toldTexts.add(key);
    this.#s.ledger.countViolated(b.rule);
    this.#s.report(b);
  }
}

function nameOf(kind: EntryFact['kind']): string {
  return kind === 'l1std' ? 'level-1 descriptor' : kind.toUpperCase();
}

function placeOfEntry(f: EntryFact): FactPlace {
  return { smmu: 0, kind: f.kind === 'cd' ? 'cd' : 'ste', sid: f.sid };
}

/** Do the words of memory themselves still lead to the page? */
function reachable(way: Way): boolean {
  for (let w: Way | null = way; w !== null; w = w.parent) {
    if (w.state !== 'current') return false;
    if (w.index < 0) return true;
  }
  return false;
}
