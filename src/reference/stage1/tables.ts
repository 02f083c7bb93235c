/**
 * Tables: the ways and leaf records of one SMMU, kept up to date store by store (the cheap form of the justification rule: what memory says is implied).
 * A store costs what it changes: one record or one way per regime that reaches the page.
 */
import { descriptorKind, HI_CONTIGUOUS, LEAF, BIT_AF, BIT_NG, leafFrame, TABLE, tableFrame } from '../../spec/descriptor.js';
import { POW2 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import { Unmodelled } from '../../stack/violation.js';
import { entryFrames, NEVER, waySpan, type LeafRec, type Pending, type Regime, type Way } from './facts.js';
import { CommandSet, leafGone, whenLeaf, whenWay } from './justify.js';

/** What the rules hear. */
export interface TableListener {
  /** A leaf may be cached from now on: a valid leaf word became reachable (or changed) under a way. */
  leafBorn(regime: Regime, way: Way, index: number, lo: number, hi: number): void;
  /** A page became reachable under a way; its leaves may be cached from now on. */
  wayBorn(way: Way): void;
  /** A leaf stopped being what memory says and is recorded. */
  leafHidden(leaf: LeafRec): void;
  /** A table descriptor stopped being what memory says. */
  wayHidden?(way: Way): void;
  /** The regime lost its last support. */
  regimeClosed?(regime: Regime): void;
}

/** Is the word a leaf that may be cached at all? AF = 0 and outputs beyond the address size never are (§3.13.1, §3.21.1). */
export function cacheableLeaf(lo: number, hi: number, level: number, outputBits: number): boolean {
  if (descriptorKind(lo, level, 12) !== LEAF) return false;
  if ((lo & BIT_AF) === 0) return false;
  if (leafFrame(lo, hi, level) >= (POW2[outputBits - 12] as number)) return false;
  if ((lo & BIT_NG) === 0) throw new Unmodelled('global (nG = 0) entries');
  if ((hi & HI_CONTIGUOUS) !== 0) throw new Unmodelled('the contiguous hint');
  return true;
}

/** Is the word a table descriptor that may be followed? */
export function followable(lo: number, hi: number, level: number, outputBits: number): boolean {
  return descriptorKind(lo, level, 12) === TABLE && tableFrame(lo, hi) < (POW2[outputBits - 12] as number);
}

export class Tables {
  readonly #memory: Memory;
  /** By slot: every way that points to that page; sparse. */
  readonly #waysBySlot: (Way[] | undefined)[] = [];
  listener: TableListener | null = null;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Every way, current or not, that points to this page. */
  waysTo(slot: number): readonly Way[] {
    return this.#waysBySlot[slot] ?? [];
  }

  /** The regime got its first support: its tables are reachable. Orphans that hang below its base are taken back in. */
  openRoot(regime: Regime): void {
    const root = this.#newWay(regime, null, -1, 0, 0, regime.frame, regime.startLevel, 0);
    this.#set(() => { regime.root = root; }, () => { regime.root = null; });
    for (const way of regime.wayRecs.slice()) {
      if (way.state !== 'orphan' || way.level !== regime.startLevel + 1) continue;
      if (!this.#wordIs(root.slot, way.index, way.lo, way.hi) || way.ends[way.ends.length - 1] !== Infinity) continue;
      // A base that closed twice can leave two orphans of one descriptor; one of them stands for the word again.
      if (root.kids.has(way.index)) continue;
      this.#adopt(way, root);
    }
    this.#scan(root);
  }

  /** The regime lost its last support: what hangs directly under its base can no longer be derived. */
  closeRoot(regime: Regime): void {
    const root = regime.root;
    if (root === null) return;
    this.listener?.regimeClosed?.(regime);
    this.#freezePage(root, new CommandSet([]));
    this.#unlink(root);
    this.#set(() => { regime.root = null; }, () => { regime.root = root; });
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const ways = this.#waysBySlot[slot];
    if (ways === undefined) return;
    const count = ways.length; // ways that a new descriptor opens to this same page have read the new word already
    const at = slot * 512 + index;
    const lo = this.#memory.lo[at] as number;
    const hi = this.#memory.hi[at] as number;
    for (let i = 0; i < count; i += 1) {
      const way = ways[i] as Way;
      this.#wordEnded(way, index, oldLo, oldHi);
      this.#wordBegan(way, index, lo, hi);
    }
  }

  #wordEnded(way: Way, index: number, lo: number, hi: number): void {
    const out = way.regime.outputBits;
    if (cacheableLeaf(lo, hi, way.level, out)) {
      const leaf: LeafRec = {
        regime: way.regime, way, index, lo, hi, level: way.level, va: way.va + index * entryFrames(way.level), until: this.#memory.journal.clock.now,
      };
      this.#addLeaf(leaf);
      this.listener?.leafHidden(leaf);
      return;
    }
    if (!followable(lo, hi, way.level, out)) return;
    const kid = way.kids.get(index);
    if (kid === undefined) return;
    const last = kid.ends.length - 1;
    const now = this.#memory.journal.clock.now;
    this.#set(() => { kid.ends[last] = now; way.kids.delete(index); }, () => { kid.ends[last] = Infinity; way.kids.set(index, kid); });
    if (kid.state === 'current') {
      this.#state(kid, 'hidden');
      this.#addWayRec(kid);
    }
    this.listener?.wayHidden?.(kid);
  }

  #wordBegan(way: Way, index: number, lo: number, hi: number): void {
    const out = way.regime.outputBits;
    if (cacheableLeaf(lo, hi, way.level, out)) {
      this.listener?.leafBorn(way.regime, way, index, lo, hi);
      return;
    }
    if (followable(lo, hi, way.level, out)) this.#openKid(way, index, lo, hi);
  }

  /** A table descriptor stands in the page of `way`: the same one on record is the same fact again, else a new one. */
  #openKid(way: Way, index: number, lo: number, hi: number): void {
    const now = this.#memory.journal.clock.now;
    for (const old of way.regime.wayRecs) {
      if (old.state === 'hidden' && old.parent === way && old.index === index && old.lo === lo && old.hi === hi) {
        this.#set(() => { old.starts.push(now); old.ends.push(Infinity); }, () => { old.starts.pop(); old.ends.pop(); });
        this.#set(() => { way.kids.set(index, old); }, () => { way.kids.delete(index); });
        this.#state(old, 'current');
        this.#dropWayRec(old);
        return;
      }
    }
    const kid = this.#newWay(way.regime, way, index, lo, hi, tableFrame(lo, hi), way.level + 1, way.va + index * entryFrames(way.level));
    this.#set(() => { way.kids.set(index, kid); }, () => { way.kids.delete(index); });
    this.#scan(kid);
  }

  /** Finds the tables that a newly reachable page already points to. Its leaves are implied. */
  #scan(way: Way): void {
    this.listener?.wayBorn(way);
    if (way.slot < 0 || way.level >= 3) return;
    const first = way.slot * 512;
    for (let i = 0; i < 512; i += 1) {
      const lo = this.#memory.lo[first + i] as number;
      if ((lo & 3) !== 3) continue;
      const hi = this.#memory.hi[first + i] as number;
      if (followable(lo, hi, way.level, way.regime.outputBits) && !way.kids.has(i)) this.#openKid(way, i, lo, hi);
    }
  }

  /**
   * A SYNC completes. `K`: the TLBIs it covers that name the regime's tag. First every record is judged against
   * the facts as they are, then the dead ones go.
   */
  sync(regime: Regime, covered: readonly Pending[]): void {
    const K = new CommandSet(covered);
    const deadLeaves = regime.leafRecs.length === 0 ? [] : regime.leafRecs.filter((leaf) => leafGone(leaf, K));
    const deadWays = regime.wayRecs.filter((way) => whenWay(way, K.all) === NEVER);
    const verdicts: Frozen[] = [];
    for (const way of deadWays) this.#judgePage(way, K, verdicts);
    if (deadLeaves.length > 0) this.#removeLeaves(regime, deadLeaves);
    for (const way of deadWays) { this.#dropWayRec(way); this.#kill(way); }
    for (const v of verdicts) this.#apply(v);
  }

  /** What hangs below a dying way: dead as well, or cached with nothing left to derive it. */
  #judgePage(way: Way, K: CommandSet, out: Frozen[]): void {
    if (way.slot < 0) return;
    const first = way.slot * 512;
    const size = entryFrames(way.level);
    // One command that kills the way and names every leaf below it leaves nothing to judge leaf by leaf.
    const all = K.all.length === 1 && K.namesSpan(way.regime.asid, way.level, way.va, size, 512) && whenWay(way, K.all) === NEVER;
    for (let i = 0; !all && i < 512; i += 1) {
      const lo = this.#memory.lo[first + i] as number;
      if ((lo & 1) === 0) continue;
      const hi = this.#memory.hi[first + i] as number;
      if (!cacheableLeaf(lo, hi, way.level, way.regime.outputBits)) continue;
      const va = way.va + i * size;
      if (whenLeaf(way.regime, way, way.level, va, Infinity, K) !== NEVER) {
        out.push({ leaf: { regime: way.regime, way: null, index: i, lo, hi, level: way.level, va, until: this.#memory.journal.clock.now } });
      }
    }
    for (const kid of way.kids.values()) {
      const gone = whenWay(kid, K.all) === NEVER;
      out.push({ way: kid, gone });
      if (gone) this.#judgePage(kid, K, out);
    }
    // Records whose page was reached through this way stay cached, but lose their premise.
    for (const leaf of way.regime.leafRecs) if (leaf.way === way) out.push({ orphanLeaf: leaf });
    for (const other of way.regime.wayRecs) if (other.parent === way) out.push({ orphanWay: other });
  }

  #apply(v: Frozen): void {
    if ('leaf' in v) {
      this.#addLeaf(v.leaf);
    } else if ('orphanLeaf' in v) {
      const leaf = v.orphanLeaf;
      const before = leaf.way;
      this.#set(() => { leaf.way = null; }, () => { leaf.way = before; });
    } else if ('orphanWay' in v) {
      if (v.orphanWay.state !== 'dead') this.#orphan(v.orphanWay);
    } else if (v.gone) {
      this.#kill(v.way);
    } else {
      this.#orphan(v.way);
      this.#addWayRec(v.way);
    }
  }

  /** The page under a base that is not derivable any more: leaves become records, ways become orphans. */
  #freezePage(way: Way, K: CommandSet): void {
    const verdicts: Frozen[] = [];
    this.#judgePage(way, K, verdicts);
    for (const v of verdicts) this.#apply(v);
  }

  #orphan(way: Way): void {
    const parent = way.parent;
    this.#set(() => { way.parent = null; }, () => { way.parent = parent; });
    this.#state(way, 'orphan');
  }

  #adopt(way: Way, root: Way): void {
    this.#set(() => { way.parent = root; root.kids.set(way.index, way); }, () => { way.parent = null; root.kids.delete(way.index); });
    this.#state(way, 'current');
    this.#dropWayRec(way);
  }

  #kill(way: Way): void {
    this.#state(way, 'dead');
    this.#unlink(way);
  }

  #unlink(way: Way): void {
    if (way.slot < 0) return;
    const list = this.#waysBySlot[way.slot];
    const at = list?.indexOf(way) ?? -1;
    if (list === undefined || at < 0) return;
    this.#set(() => { list.splice(at, 1); }, () => { list.splice(at, 0, way); });
    if (list.length === 0) this.#set(() => { this.#waysBySlot[way.slot] = undefined; }, () => { this.#waysBySlot[way.slot] = list; });
    this.#memory.unwatch(way.slot);
  }

  #newWay(regime: Regime, parent: Way | null, index: number, lo: number, hi: number, frame: number, level: number, va: number): Way {
    const slot = this.#memory.slotOf(frame);
    const way: Way = {
      regime, parent, index, lo, hi, frame, slot, level, va, starts: [this.#memory.journal.clock.now], ends: [Infinity], kids: new Map(), state: 'current', memoFor: null, memo: 0,
    };
    if (slot < 0) return way;
    let list = this.#waysBySlot[slot];
    if (list === undefined) {
      const fresh: Way[] = [];
      list = fresh;
      this.#set(() => { this.#waysBySlot[slot] = fresh; }, () => { this.#waysBySlot[slot] = undefined; });
    }
    const into = list;
    this.#set(() => { into.push(way); }, () => { into.pop(); });
    this.#memory.watch(slot);
    return way;
  }

  #wordIs(slot: number, index: number, lo: number, hi: number): boolean {
    return slot >= 0 && this.#memory.lo[slot * 512 + index] === lo && this.#memory.hi[slot * 512 + index] === hi;
  }

  #addLeaf(leaf: LeafRec): void {
    const list = leaf.regime.leafRecs;
    list.push(leaf);
    const journal = this.#memory.journal;
    if (journal.recording) journal.push(() => { leaf.regime.leafRecs = leaf.regime.leafRecs.filter((l) => l !== leaf); });
  }

  #removeLeaves(regime: Regime, dead: readonly LeafRec[]): void {
    const before = regime.leafRecs;
    const gone = new Set(dead);
    const after = dead.length === before.length ? [] : before.filter((leaf) => !gone.has(leaf));
    this.#set(() => { regime.leafRecs = after; }, () => { regime.leafRecs = before; });
  }

  #addWayRec(way: Way): void {
    const regime = way.regime;
    if (regime.wayRecs.includes(way)) return;
    const before = regime.wayRecs;
    const after = [...before, way];
    this.#set(() => { regime.wayRecs = after; }, () => { regime.wayRecs = before; });
  }

  #dropWayRec(way: Way): void {
    const regime = way.regime;
    const before = regime.wayRecs;
    const after = before.filter((w) => w !== way);
    this.#set(() => { regime.wayRecs = after; }, () => { regime.wayRecs = before; });
  }

  #state(way: Way, state: Way['state']): void {
    const before = way.state;
    this.#set(() => { way.state = state; }, () => { way.state = before; });
  }

  #set(change: () => void, undo: () => void): void {
    change();
    if (this.#memory.journal.recording) this.#memory.journal.push(undo);
  }

  /** Every leaf that an access to `frame` under this regime may hit; `visit` returns true to stop. */
  leavesAt(regime: Regime, frame: number, visit: (lo: number, hi: number, level: number, va: number, stale: boolean) => boolean): boolean {
    if (regime.root !== null && this.#descend(regime.root.slot, regime.startLevel, 0, frame, regime, false, visit)) return true;
    for (const way of regime.wayRecs) {
      if (frame < way.va || frame >= way.va + waySpan(way)) continue;
      if (this.#descend(way.slot, way.level, way.va, frame, regime, true, visit)) return true;
    }
    for (const leaf of regime.leafRecs) {
      if (frame < leaf.va || frame >= leaf.va + entryFrames(leaf.level)) continue;
      if (visit(leaf.lo, leaf.hi, leaf.level, leaf.va, true)) return true;
    }
    return false;
  }

  /** Is a table descriptor at `va` and `level` with this value cached or cacheable under the regime? */
  tableAt(regime: Regime, va: number, level: number, lo: number, hi: number): boolean {
    const holds = (top: Way): boolean => {
      for (let way: Way | undefined = top; way !== undefined && way.level <= level + 1;) {
        if (way.index >= 0 && way.va === va && way.level === level + 1 && way.lo === lo && way.hi === hi) return true;
        way = way.kids.get(Math.floor((va - way.va) / entryFrames(way.level)));
      }
      return false;
    };
    return (regime.root !== null && holds(regime.root))
      || regime.wayRecs.some((way) => va >= way.va && va < way.va + waySpan(way) && holds(way));
  }

  #descend(from: number, fromLevel: number, base: number, frame: number, regime: Regime, stale: boolean,
    visit: (lo: number, hi: number, level: number, va: number, stale: boolean) => boolean): boolean {
    let slot = from;
    let va = base;
    for (let level = fromLevel; level <= 3 && slot >= 0; level += 1) {
      const size = entryFrames(level);
      const index = Math.floor((frame - va) / size);
      if (index >= 512) return false;
      const lo = this.#memory.lo[slot * 512 + index] as number;
      const hi = this.#memory.hi[slot * 512 + index] as number;
      va += index * size;
      if (cacheableLeaf(lo, hi, level, regime.outputBits)) return visit(lo, hi, level, va, stale);
      if (!followable(lo, hi, level, regime.outputBits)) return false;
      slot = this.#memory.slotOf(tableFrame(lo, hi));
    }
    return false;
  }
}

type Frozen =
  | { readonly leaf: LeafRec }
  | { readonly orphanLeaf: LeafRec }
  | { readonly orphanWay: Way }
  | { readonly way: Way; readonly gone: boolean };

