/**
 * Rules `stale-translation` and `isolation` for leaves. What memory says is judged where it changes: each new leaf
 * under a regime whose domain is known must be one that the domain maps (or is just taking away). What memory no
 * longer says is judged when it falls due. So no check ever walks a whole table again: a page that was judged for
 * this domain and address is judged again only when its words have changed unseen.
 */
import { descriptorKind, leafFrame, leafWritable, LEAF } from '../spec/descriptor.js';
import type { Memory } from '../memory/memory.js';
import { entryFrames, type LeafRec, type Regime, type Way } from '../reference/stage1/facts.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import { cacheableLeaf, type TableListener } from '../reference/stage1/tables.js';
import type { FactPlace } from '../stack/violation.js';
import { ruleIndex } from './ledger.js';
import { at, type Scene } from './scene.js';

const ISOLATION = ruleIndex('isolation');

interface Judged {
  domain: number;
  va: number;
  version: number;
}

export class LeafRules {
  readonly #scene: Scene;
  /** By SMMU, then by slot; sparse. SMMUs that read the same memory share what was judged. */
  readonly #judged: readonly (Judged | undefined)[][];
  /** Stale leaves that came into being and have not fallen due yet, by domain. */
  readonly #open: number[];

  readonly #remember: boolean;

  /** `remember`: trust page versions (they only grow). Not so where states are undone: then every page is judged again. */
  constructor(scene: Scene, remember = true) {
    this.#scene = scene;
    this.#remember = remember;
    const lists = new Map<Memory, (Judged | undefined)[]>(scene.machines.map((m) => [m.memory, []]));
    this.#judged = scene.machines.map((m) => lists.get(m.memory) as (Judged | undefined)[]);
    this.#open = scene.intent.domains.map(() => 0);
  }

  /** Memory as this SMMU sees it. */
  #memory(smmu: number): Memory {
    return (this.#scene.machines[smmu] as Stage1Reference).memory;
  }

  /** What one SMMU's tables report to. */
  listener(smmu: number): TableListener {
    return {
      leafBorn: (regime, way, index, lo, hi) => { this.#born(smmu, regime, way, index, lo, hi); },
      wayBorn: (way) => { if (way.regime.domain >= 0) this.#judgePage(smmu, way.regime, way); },
      leafHidden: (leaf) => { this.#hidden(leaf); },
    };
  }

  #hidden(leaf: LeafRec): void {
    const domain = leaf.regime.domain;
    if (domain < 0 || leaf.regime.supports.length === 0) return;
    this.#open[domain] = (this.#open[domain] as number) + 1;
    this.#scene.ledger.arm('stale-translation');
  }

  #born(smmu: number, regime: Regime, way: Way, index: number, lo: number, hi: number): void {
    if (regime.domain < 0) return;
    const version = this.#memory(smmu).version[way.slot] as number;
    const known = this.#judged[smmu]?.[way.slot];
    const same = known !== undefined && known.domain === regime.domain && known.va === way.va;
    if (same && known.version === version) return;
    this.#judgeLeaf(smmu, regime, way, index, lo, hi);
    if (same && known.version === version - 1) known.version = version;
  }

  #judgeLeaf(smmu: number, regime: Regime, way: Way, index: number, lo: number, hi: number): void {
    this.#scene.ledger.judgeAt(ISOLATION);
    const frames = entryFrames(way.level);
    const va = way.va + index * frames;
    const pa = leafFrame(lo, hi, way.level);
    if (this.#scene.intent.permitsLeaf(regime.domain, va, frames, pa, leafWritable(lo))) return;
    this.#scene.ledger.fail('isolation', 'a leaf that the domain does not map', this.#scene.intent.describeFrame(regime.domain, va),
      `memory maps ${at(va)} to ${at(pa)} in domain ${regime.domain}`, placeOf(smmu, regime, va, frames, way.level, 'leaf'));
  }

  #judgePage(smmu: number, regime: Regime, way: Way): void {
    if (way.slot < 0) return;
    const memory = this.#memory(smmu);
    const version = memory.version[way.slot] as number;
    const known = this.#judged[smmu]?.[way.slot];
    if (known !== undefined && known.domain === regime.domain && known.va === way.va && known.version === version) return;
    for (let i = 0; i < 512; i += 1) {
      const lo = memory.lo[way.slot * 512 + i] as number;
      if (descriptorKind(lo, way.level, 12) !== LEAF) continue;
      const hi = memory.hi[way.slot * 512 + i] as number;
      if (cacheableLeaf(lo, hi, way.level, regime.outputBits)) this.#judgeLeaf(smmu, regime, way, i, lo, hi);
    }
    const judged = this.#judged[smmu];
    if (this.#remember && judged !== undefined) judged[way.slot] = { domain: regime.domain, va: way.va, version };
  }

  /** The regime belongs to this domain from now on: everything it reaches is judged. */
  assign(smmu: number, regime: Regime, domain: number): void {
    regime.domain = domain;
    const visit = (way: Way): void => {
      this.#judgePage(smmu, regime, way);
      for (const kid of way.kids.values()) visit(kid);
    };
    if (regime.root !== null) visit(regime.root);
    for (const way of regime.wayRecs) visit(way);
  }

  /** A regime of nobody under the tag of `domain`: whatever it holds or reaches must be what that domain maps. */
  judgeForeign(smmu: number, regime: Regime, domain: number): void {
    const memory = this.#memory(smmu);
    const permits = (va: number, level: number, lo: number, hi: number): boolean => {
      const frames = entryFrames(level);
      const pa = leafFrame(lo, hi, level);
      if (this.#scene.intent.permitsLeaf(domain, va, frames, pa, leafWritable(lo))) return true;
      return this.#scene.ledger.fail('isolation', 'a leaf of another table under the tag of a domain', this.#scene.intent.describeFrame(domain, va),
        `SMMU ${smmu} may hold {asid ${regime.asid} ${at(va)} -> ${at(pa)} level ${level}}, from a CD that was seen half written`, placeOf(smmu, regime, va, frames, level, 'leaf'));
    };
    for (const leaf of regime.leafRecs) permits(leaf.va, leaf.level, leaf.lo, leaf.hi);
    const visit = (way: Way): void => {
      for (let i = 0; way.slot >= 0 && i < 512; i += 1) {
        const lo = memory.lo[way.slot * 512 + i] as number;
        const hi = memory.hi[way.slot * 512 + i] as number;
        if (cacheableLeaf(lo, hi, way.level, regime.outputBits)) permits(way.va + i * entryFrames(way.level), way.level, lo, hi);
      }
      for (const kid of way.kids.values()) visit(kid);
    };
    if (regime.root !== null) visit(regime.root);
    for (const way of regime.wayRecs) visit(way);
  }

  /** Everything that the domain took away is due: no SMMU may still hold it under a tag in use. */
  due(domain: number): void {
    const { machines, ledger } = this.#scene;
    machines.forEach((machine, smmu) => {
      for (const regime of machine.regimes) {
        if (regime.domain !== domain || regime.supports.length === 0) continue;
        for (const leaf of regime.leafRecs) this.#judgeStale(smmu, regime, leaf.va, leaf.level, leaf.lo, leaf.hi, 'leaf');
        for (const way of regime.wayRecs) this.#judgeBelow(smmu, regime, way);
      }
    });
    const open = this.#open[domain] ?? 0;
    if (open > 0) ledger.decide('stale-translation', open);
    this.#open[domain] = 0;
  }

  /**
   * What was taken away must not stand in memory any more either (as the SMMU sees it: a store may still be in a store
   * buffer). Asked at the ends and in the middle of each range; every page is compared at the end of a run.
   */
  gone(domain: number, ranges: readonly { readonly first: number; readonly end: number }[]): void {
    this.#scene.machines.forEach((machine, smmu) => {
      for (const regime of machine.regimes) {
        if (regime.domain !== domain || regime.supports.length === 0) continue;
        for (const r of ranges) {
          for (const frame of [r.first, Math.floor((r.first + r.end) / 2), r.end - 1]) {
            machine.tables.leavesAt(regime, frame, (lo, hi, level, va) => {
              this.#judgeStale(smmu, regime, va, level, lo, hi, 'memory');
              return false;
            });
          }
        }
      }
    });
  }

  #judgeStale(smmu: number, regime: Regime, va: number, level: number, lo: number, hi: number, how: 'leaf' | 'table' | 'memory'): void {
    const frames = entryFrames(level);
    const pa = leafFrame(lo, hi, level);
    if (this.#scene.intent.permitsLeaf(regime.domain, va, frames, pa, leafWritable(lo))) return;
    const wanted = `${at(va)}: ${this.#scene.intent.describeFrame(regime.domain, va)}`;
    if (how === 'memory') {
      this.#scene.ledger.fail('stale-translation', 'memory still shows the SMMU what was taken away', wanted,
        `memory still says {${at(va)} -> ${at(pa)} level ${level}} to SMMU ${smmu}`, undefined, [
          `the descriptor of ${at(va)} stands in memory: the store that clears it is still in a store buffer, or was never made`,
          'whatever was invalidated, the SMMU may read it again: the store must be visible before the command is',
        ]);
    }
    const cause = how === 'leaf' ? `a level ${level} leaf outlives its unmap` : 'a leaf below a stale table descriptor';
    this.#scene.ledger.fail('stale-translation', cause, wanted,
      `SMMU ${smmu} may still hold {asid ${regime.asid} ${at(va)} -> ${at(pa)} level ${level}}`, placeOf(smmu, regime, va, frames, level, 'leaf'));
  }

  #judgeBelow(smmu: number, regime: Regime, way: Way): void {
    if (way.slot < 0) return;
    const memory = this.#memory(smmu);
    for (let i = 0; i < 512; i += 1) {
      const lo = memory.lo[way.slot * 512 + i] as number;
      if (descriptorKind(lo, way.level, 12) !== LEAF) continue;
      const hi = memory.hi[way.slot * 512 + i] as number;
      if (cacheableLeaf(lo, hi, way.level, regime.outputBits)) this.#judgeStale(smmu, regime, way.va + i * entryFrames(way.level), way.level, lo, hi, 'table');
    }
    for (const kid of way.kids.values()) this.#judgeBelow(smmu, regime, kid);
  }
}

export function placeOf(smmu: number, regime: Regime, frame: number, frames: number, level: number, kind: 'leaf' | 'table'): FactPlace {
  return { smmu, kind, asid: regime.asid, frame, frames, level };
}
