/**
 * Duties of the whole machine: the same promises as in duties.ts, asked of facts that are all listed. What a domain unmaps must be gone from the leaves of its
 * own stage, from what combines a guest's leaves with them, from pointers that hold a physical address taken through them, and from the ATCs of the
 * streams that use it (IHI 0070 §3.21, §4.4, §4.5.1). Tags are a StreamWorld with its VMID and ASID.
 */
import { cdVerdict } from '../spec/cd.js';
import { BIT_S2AP_WRITE, leafWritable } from '../spec/descriptor.js';
import { l1stdStreams } from '../spec/level1.js';
import type { CdVector, SteVector } from '../reference/machine/contexts.js';
import { stands, type AtcFact, type Fact, type LeafFact, type Regime, type StructureFact, type TableFact } from '../reference/machine/facts.js';
import { inMemory } from '../reference/machine/held.js';
import { isStale } from '../reference/machine/trace.js';
import { at, describeFact, nameElement } from '../reference/machine/words.js';
import type { ReferenceMachine } from '../reference/machine/machine.js';
import { WORLD_EL1, WORLD_EL2_E2H } from '../stack/transaction.js';
import type { Life } from './intent.js';
import type { Dirty, Touched } from './lives.js';
import type { Origin } from './types.js';
import type { Breach, Due, Duties, Setting } from './weakest.js';
import type { WholeWeakest } from './whole.js';

const PAGE = 4096;
const TEXTS = 10_000;

/** What was taken away: the range in frames, and where it led. */
interface Gone {
  readonly life: Life;
  readonly first: number;
  readonly end: number;
  readonly from: Origin | null;
  /** Bytes. */
  readonly taken: readonly { readonly pa: number; readonly size: number }[];
}

function writable(f: LeafFact): boolean {
  return f.stage === 2 ? (f.lo & BIT_S2AP_WRITE) !== 0 : leafWritable(f.lo);
}

export class WholeDuties implements Duties {
  readonly #w: WholeWeakest;
  readonly #m: ReferenceMachine;
  readonly #s: Setting;
  /** What was reported already stays cached, and every later duty would find it again. */
  readonly #told = new WeakSet<Fact>();
  readonly #toldTexts = new Set<string>();

  constructor(w: WholeWeakest, s: Setting) {
    this.#w = w;
    this.#m = w.machine;
    this.#s = s;
    w.machine.tables.leafBorn = (leaf) => { this.#born(leaf); };
  }

  /** Rule isolation: a leaf that memory shows must be one that the domain maps. */
  #born(f: LeafFact): void {
    if (f.regime.nested || f.regime.half === 1) return;
    const life = this.#w.ownerOf(f.regime);
    if (life === undefined) return;
    this.#s.ledger.judge('isolation');
    this.#mapped(f, life);
  }

  #mapped(f: LeafFact, life: Life): void {
    if (f.run || life.permits(f.va * PAGE, f.frames * PAGE, f.target * PAGE, writable(f))) return;
    this.#tell([f], { rule: 'isolation', cause: 'a leaf that the domain does not map', expected: `${at(f.va)}: ${life.describe(f.va * PAGE)}`, actual: `memory maps ${at(f.va)} to ${at(f.target)}`, from: null });
  }

  gone(life: Life, iova: number, size: number): void {
    const taken = life.takenIn(iova, size);
    const g: Gone = { life, first: Math.floor(iova / PAGE), end: Math.ceil((iova + size) / PAGE), from: this.#s.lives.origin(life, iova), taken };
    life.due(iova, size);
    this.#s.ledger.judge('stale-translation');
    this.#owned();
    for (const f of this.#m.tables.translations) {
      if (f.kind === 'leaf') this.#leafGone(f, g);
      else if (f.stage === 3) this.#pointerGone(f, g);
    }
    this.#atcGone(g);
  }

  #owned(): void {
    if (this.#s.lives.attaching) return;
    for (const r of this.#m.tables.regimes) {
      if (r.supports.length > 0 && !r.nested && r.half === 0 && this.#w.ownerOf(r) === undefined) this.#s.doubt(`tables are in use that belong to no recorded domain (${tagOf(r)}): what they map is not judged`);
    }
  }

  /** Of the stage that the domain maps: the leaf, and the input address there. */
  #leafGone(f: LeafFact, g: Gone): void {
    const own = f.stage === 3 ? f.second : f;
    if (own === null || (own.stage === 1 && own.regime.nested)) return;
    const va = f.stage === 3 ? own.va + f.target - own.target : f.va;
    if (va >= g.end || g.first >= va + f.frames || own.regime.supports.length === 0 || this.#w.ownerOf(own.regime) !== g.life) return;
    if (g.life.permits(va * PAGE, f.frames * PAGE, f.target * PAGE, writable(own))) return;
    this.#tell([f], {
      rule: 'stale-translation', cause: this.#causeOf(f, own), expected: `${at(va)}: ${g.life.describe(va * PAGE)}`, from: g.from,
      actual: isStale(f) ? `the SMMU may still hold the ${describeFact(f)}` : `the descriptor of ${at(va)} still stands in memory: the ${describeFact(f)}`,
    });
  }

  #causeOf(f: LeafFact, own: LeafFact): string {
    if (!isStale(f)) return 'memory still shows the SMMU what was taken away';
    if (f.stage === 3) return 'a combined entry of both stages outlives the unmap of its stage-2 page';
    if (stands(own)) return 'a leaf below a stale table descriptor';
    return `a ${own.stage === 2 ? 'stage-2 ' : ''}level ${f.level} leaf outlives its unmap`;
  }

  /** A guest's table that was found through the page taken away: the SMMU would go on reading there. */
  #pointerGone(f: TableFact, g: Gone): void {
    const s2 = f.premises[1];
    if (s2?.kind !== 'leaf' || s2.regime.supports.length === 0 || this.#w.ownerOf(s2.regime) !== g.life) return;
    const ipa = s2.va + f.target - s2.target;
    if (ipa < g.first || ipa >= g.end || g.life.permits(ipa * PAGE, PAGE, f.target * PAGE, false)) return;
    this.#tell([f], {
      rule: 'stale-walk', cause: 'a pointer to a stage-1 table outlives the unmap of its stage-2 page', expected: `${at(ipa)}: ${g.life.describe(ipa * PAGE)}`,
      actual: `the SMMU may still hold the ${describeFact(f)}`, from: g.from,
    });
  }

  #atcGone(g: Gone): void {
    for (const e of this.#m.atc.records) {
      if (!this.#m.atc.endpoint(e.sid).ats || e.split) continue;
      const uses = this.#w.regimesOf(e).filter(({ regime }) => this.#w.ownerOf(regime) === g.life);
      if (uses.length === 0) continue;
      this.#s.ledger.judge('stale-atc');
      const address = uses.some((u) => u.use === 'address');
      if (address ? !this.#atcByAddress(e, g) : !atcByOutput(e, g)) continue;
      this.#atcTold(e, g.from, address ? `${at(e.va)}: ${g.life.describe(e.va * PAGE)}` : 'nothing that leads to what was unmapped', 'an ATC entry outlives the unmap of its page');
    }
  }

  #atcByAddress(e: AtcFact, g: Gone): boolean {
    return e.va < g.end && g.first < e.va + e.frames && !g.life.permits(e.va * PAGE, e.frames * PAGE, e.target * PAGE, e.canWrite);
  }

  #atcTold(e: AtcFact, from: Origin | null, expected: string, cause: string): void {
    this.#tell([e], { rule: 'stale-atc', cause, expected, actual: `the endpoint may still hold the ${describeFact(e)}`, from });
  }

  // ---- Configuration

  entries(dirty: Iterable<Dirty>): void {
    for (const d of dirty) {
      const facts = this.#factsOf(d);
      if (facts.length === 0) continue;
      this.#s.ledger.judge('stale-configuration');
      const old = facts.find((f) => !stands(f) && (f.kind !== 'l1std' || l1stdStreams(f.lo, this.#m.contexts.split) > 0));
      if (old === undefined) continue;
      const name = nameElement(old);
      this.#tell([old], {
        rule: 'stale-configuration', cause: `an older ${kindName(old)} outlives its CFGI and SYNC`, expected: `only the ${name} in memory`, actual: `the SMMU may still hold an older ${describeFact(old)}`,
        from: { line: d.line, text: `store to the ${name}` },
      });
    }
  }

  #factsOf(d: Dirty): StructureFact[] {
    const c = this.#m.contexts;
    if (d.kind === 'ste') return c.elements('ste', d.at).flatMap((e) => e.words.flat());
    const end = d.at + (d.kind === 'l1' ? 8 : 64);
    return c.store.arrays.flatMap((a) => {
      if (a.kind === 'ste' || (a.kind === 'l1std') !== (d.kind === 'l1' && a.kind !== 'l1cd')) return [];
      if (d.at >= a.address + a.count * a.stride || a.address >= end) return [];
      return [...a.elements.entries()].filter(([i]) => a.address + i * a.stride < end && d.at < a.address + (i + 1) * a.stride).flatMap(([, e]) => e.words.flat());
    });
  }

  reset(): void {
    this.#s.ledger.judge('stale-configuration');
    const sid = this.#m.unknownConfiguration();
    if (sid < 0) return;
    this.#tell([], { rule: 'stale-configuration', cause: 'configuration from before reset', expected: 'CFGI_ALL and CMD_SYNC before SMMUEN', actual: `the SMMU may use an STE or CD of stream ${sid} that was cached before reset`, from: null });
  }

  attached(touched: readonly Touched[], due: Due): void {
    for (const sid of new Set(touched.map((u) => u.sid))) {
      this.#s.ledger.judge('stale-configuration');
      const mine = touched.filter((u) => u.sid === sid);
      for (const ste of this.#m.contexts.steVectors(sid)) this.#stream(ste, mine, due);
      this.#atcAttached(sid, mine, due);
    }
  }

  #stream(ste: SteVector, touched: readonly Touched[], due: Due): void {
    const old = ste.facts.find((f) => !stands(f));
    const effect = this.#w.effect(ste);
    const wrong = !due.pasid && due.wanted !== null && effect !== due.wanted;
    if (old !== undefined || wrong) {
      this.#tell(old === undefined ? [...ste.facts] : [old], {
        rule: 'stale-configuration', cause: `an STE that says ${effect} where ${due.wanted ?? 'another'} is due`, expected: `stream ${ste.sid}: ${due.wanted ?? 'the STE in memory'}`,
        actual: `the SMMU may use ${old === undefined ? 'the STE in memory' : 'an older STE'} of stream ${ste.sid}: ${effect}`, from: null,
      });
    }
    if (old !== undefined) return;
    if (ste.action === 'stage2' || ste.action === 'nested') this.#bound(this.#w.stage2Regime(ste), due.life);
    if (ste.action === 'nested') this.#guest(ste);
    if (ste.action !== 'stage1') return;
    const indices = new Set(touched.filter((u) => u.ssid >= 0).map((u) => u.ssid));
    if (!due.pasid && due.wanted === 'translate') indices.add(0);
    else if (!due.pasid) indices.delete(0);
    for (const index of indices) this.#contexts(ste, index, due);
  }

  /** A guest writes its own structures; what the recorder did not see of them is not there. */
  #guest(ste: SteVector): void {
    if (this.#m.contexts.cdVectors(ste.sid, 0).some((cd) => cdVerdict(cd.words, 0, ste.words, 0, this.#m.config.features, this.#m.contexts.e2h))) return;
    this.#s.doubt(`stream ${ste.sid} is nested, and the guest's own tables are not in the recording: what the SMMU combines with them is not judged`);
  }

  #contexts(ste: SteVector, index: number, due: Due): void {
    for (const e of this.#m.contexts.elements('l1cd', ste.sid, index)) {
      const old = (e.words[0] as StructureFact[]).find((f) => !stands(f));
      if (old !== undefined) this.#oldCd(old, index);
    }
    for (const cd of this.#m.contexts.cdVectors(ste.sid, index)) this.#context(ste, cd, due);
  }

  #oldCd(f: StructureFact, index: number): void {
    this.#tell([f], { rule: 'stale-configuration', cause: `an older ${kindName(f)} can still be used`, expected: `CD ${index} of stream ${f.element.table.sid}: the one in memory`, actual: `the SMMU may still hold an older ${describeFact(f)}`, from: null });
  }

  #context(ste: SteVector, cd: CdVector, due: Due): void {
    const old = cd.facts.find((f) => !stands(f));
    if (old !== undefined) { this.#oldCd(old, cd.index); return; }
    const legal = cdVerdict(cd.words, 0, ste.words, 0, this.#m.config.features, this.#m.contexts.e2h);
    const translates = due.wanted !== 'abort';
    if (legal !== translates) {
      this.#tell([...cd.facts], {
        rule: 'stale-configuration', cause: translates ? 'an invalid CD can be used' : 'a CD can be used that was taken away', expected: `CD ${cd.index} of stream ${ste.sid}: ${translates ? 'that of its domain' : 'invalid'}`,
        actual: `the CD in memory is ${translates ? 'invalid' : 'valid'}`, from: null,
      });
    }
    if (!legal) return;
    if (this.#w.stage1Regime(ste, cd, 1) !== undefined && ste.world !== 1) this.#s.doubt(`CD ${cd.index} of stream ${ste.sid} has tables through TTB1: what they map is not judged`);
    this.#bound(this.#w.stage1Regime(ste, cd, 0), due.life);
  }

  /** The regime is this life's from now on; what an earlier owner left under its tag must be gone. */
  #bound(r: Regime | undefined, named: Life | null): void {
    if (r === undefined) return;
    const life = named ?? this.#w.ownerOf(r);
    if (life === undefined) {
      this.#s.doubt(`tables are in use that belong to no recorded domain (${tagOf(r)}): what they map is not judged`);
      return;
    }
    this.#w.bind(r, life);
    for (const f of this.#m.tables.translations) {
      if (f.regime !== r || f.kind !== 'leaf' || f.stage === 3) continue;
      if (!isStale(f)) { this.#s.ledger.judge('isolation'); this.#mapped(f, life); continue; }
      if (!life.permits(f.va * PAGE, f.frames * PAGE, f.target * PAGE, writable(f))) this.#reused(r, [f], `${tagOf(r)} is in use again, and the SMMU may still hold the ${describeFact(f)}`);
    }
    this.#tag(r, life);
  }

  #reused(r: Regime, facts: readonly Fact[], actual: string): void {
    this.#tell(facts, { rule: 'tag-lifetime', cause: 'a tag is used again while facts of its former owner remain', expected: `${tagOf(r)}: what its domain maps alone`, actual, from: null });
  }

  #tag(r: Regime, life: Life): void {
    this.#s.ledger.judge('tag-lifetime');
    for (const other of this.#m.tables.regimes) {
      if (other === r || other.stage !== r.stage || other.half !== r.half || other.nested !== r.nested || tagOf(other) !== tagOf(r) || this.#w.ownerOf(other) === life) continue;
      const fact = this.#m.tables.translations.find((f) => f.regime === other);
      if (other.supports.length > 0) this.#tell(fact === undefined ? [] : [fact], { rule: 'isolation', cause: 'two live domains share a tag', expected: `${tagOf(r)}: one domain alone`, actual: `${tagOf(r)} also stands for another domain`, from: null });
      else if (fact !== undefined) this.#reused(r, [fact], `${tagOf(r)} is used again, and the SMMU may still hold the ${describeFact(fact)} of its former owner`);
    }
    if (!this.#m.unknownTag(r.world, r.vmid)) return;
    this.#tell([], { rule: 'isolation', cause: 'a tag is used that was not cleaned since reset', expected: `${tagOf(r)}: one domain alone`, actual: `the TLB may still hold entries of ${tagOf(r)} from before reset`, from: null });
  }

  /** What the endpoint was given before under this PASID, or without one. */
  #atcAttached(sid: number, touched: readonly Touched[], due: Due): void {
    if (!this.#m.atc.endpoint(sid).ats || !due.returned) return;
    const indices = new Set(due.pasid ? touched.map((u) => u.ssid) : [-1]);
    this.#s.ledger.judge('stale-atc');
    for (const e of this.#m.atc.records) {
      if (e.sid !== sid || !indices.has(e.ssid) || e.split) continue;
      const life = due.wanted === 'translate' ? due.life : null;
      if (life !== null && this.#w.regimesOf(e).some((u) => u.use === 'address') && life.permits(e.va * PAGE, e.frames * PAGE, e.target * PAGE, e.canWrite)) continue;
      if (due.wanted === null || (due.wanted === 'translate' && life === null)) continue;
      this.#atcTold(e, null, `the endpoint of stream ${sid}: what its domain maps alone`, 'an ATC entry outlives the domain that it was given for');
    }
  }

  freed(slot: number): void {
    this.#s.ledger.judge('use-after-free');
    this.#s.ledger.judge('stale-walk');
    const facts = this.#m.pointerFacts(slot);
    const text = this.#m.pointsTo(slot);
    if (text === null) return;
    const pointer = facts.find((f): f is TableFact => f.kind === 'table');
    const still = facts.every((f) => inMemory(f) && !isStale(f));
    if (pointer !== undefined && !still) {
      this.#tell([pointer], { rule: 'stale-walk', cause: 'a cached table descriptor of a freed table', expected: 'no cached table descriptor points to a freed table', actual: `the SMMU may still hold the ${describeFact(pointer)}`, from: null });
    } else this.#tell([...facts], { rule: 'use-after-free', cause: still ? 'a table that memory still points to' : 'a table that a cached STE or CD still points to', expected: 'nothing leads to a freed table', actual: `the freed page is still the target of a ${text}`, from: null });
  }

  /** `facts`: what it rests on; the first one names it. */
  #tell(facts: readonly Fact[], b: Omit<Breach, 'place'>): void {
    const [fact] = facts;
    const key = `${b.rule} ${b.actual}`;
    if (fact === undefined ? this.#toldTexts.has(key) : this.#told.has(fact)) return;
    if (fact !== undefined) this.#told.add(fact);
    else if (this.#toldTexts.size < TEXTS) this.#toldTexts.add(key);
    this.#s.ledger.countViolated(b.rule);
    const { lineAt } = this.#s;
    this.#s.report({ ...b, place: null, ...(lineAt === null ? {} : { told: this.#m.tell(facts, lineAt) }) });
  }
}

/** Stage 2 behind a guest: its entries are for the guest's addresses, so they are known by where they lead. */
function atcByOutput(e: AtcFact, g: Gone): boolean {
  const [start, end] = [e.target * PAGE, (e.target + e.frames) * PAGE];
  return g.taken.some((t) => t.pa < end && start < t.pa + t.size && !g.life.leadsTo(Math.max(t.pa, start), Math.min(t.pa + t.size, end) - Math.max(t.pa, start)));
}

function kindName(f: StructureFact): string {
  return f.kind === 'l1std' || f.kind === 'l1cd' ? `level-1 ${f.kind === 'l1std' ? 'stream table' : 'CD'} descriptor` : f.kind.toUpperCase();
}

function tagOf(r: Regime): string {
  if (r.stage === 2) return `vmid ${r.vmid}`;
  return r.world === WORLD_EL1 ? `EL1 vmid ${r.vmid} asid ${r.asid}` : r.world === WORLD_EL2_E2H ? `EL2-E2H asid ${r.asid}` : 'EL2';
}
