/**
 * The justification rule, literally. `K` is a set of commands that a SYNC covers. `when…` gives the
 * earliest moment at which a fact can be cached once all of K have taken effect and nothing else has:
 *  - no command of K matches it: the moment it came into being;
 *  - otherwise, with K' = the matching ones: the first moment not before any of K' became visible, and not before
 *    when(premise, K') of each premise, at which the fact's own word holds its value; NEVER if there is none.
 * A fact is gone after the SYNC iff that moment is NEVER. A regime is not cached itself: it passes K on to the
 * STE and CD facts that support it, and is there as soon as any pair is.
 */
import { POW2 } from '../../spec/bits.js';
import { hasAddress, type Command } from '../../spec/command.js';
import { NEVER, entryFrames, waySpan, type EntryFact, type LeafRec, type Pending, type Regime, type Way } from './facts.js';
import { isCfgi, matchesCd, matchesLeaf, matchesLevel1, matchesSte, matchesTable } from './match.js';

const NONE: readonly Pending[] = [];

/** First moment not before `from` inside the segments; NEVER if there is none. */
export function firstMoment(starts: readonly number[], ends: readonly number[], from: number): number {
  for (let i = 0; i < starts.length; i += 1) {
    if (from < (ends[i] as number)) return Math.max(from, starts[i] as number);
  }
  return NEVER;
}

function latest(K: readonly Pending[]): number {
  let t = -Infinity;
  for (const p of K) if (p.visible > t) t = p.visible;
  return t;
}

function matching(K: readonly Pending[], test: (c: Command) => boolean): readonly Pending[] {
  return K.some((p) => isCfgi(p.command.op)) ? K.filter((p) => test(p.command)) : NONE;
}

/** A level-1 descriptor of the stream table: nothing leads to it but the table's base. `split`: 0 when there is none. */
export function whenLevel1(f: EntryFact, K: readonly Pending[], split: number): number {
  if (f.dead) return NEVER;
  const own = matching(K, (c) => matchesLevel1(c, f.sid, POW2[split] as number));
  return own.length === 0 ? f.born : wordsMoment(f, latest(own));
}

/** Premise of an STE: the level-1 descriptor that points to its table, where there is one. */
export function whenSte(f: EntryFact, K: readonly Pending[], split = 0): number {
  const own = matching(K, (c) => matchesSte(c, f.sid));
  if (own.length === 0) return f.born;
  const from = f.level1 === null ? latest(own) : Math.max(latest(own), whenLevel1(f.level1, own, split));
  return from === NEVER ? NEVER : wordsMoment(f, from);
}

/** First moment not before `from` by which each word could be fetched with its value, one after the other in any order. */
function wordsMoment(f: EntryFact, from: number): number {
  let moment = from;
  for (const w of f.own) moment = Math.max(moment, firstMoment(w.starts, w.ends, from));
  return moment;
}

/** Premise of a CD: the STE that points to it. */
export function whenCd(f: EntryFact, K: readonly Pending[], split = 0): number {
  const own = matching(K, (c) => matchesCd(c, f.sid));
  if (own.length === 0) return f.born;
  const from = Math.max(latest(own), f.ste === null ? NEVER : whenSte(f.ste, own, split));
  return from === NEVER ? NEVER : wordsMoment(f, from);
}

/**
 * The regime as a premise of facts that TLBIs remove: they match neither STEs nor CDs, so it passes them on to
 * facts that none of them touches, and what counts is when its first support came into being.
 */
function regimeBirth(r: Regime): number {
  let best = NEVER;
  for (const s of r.supports) best = Math.min(best, Math.max(s.ste.born, s.cd.born));
  return best;
}

/**
 * Premise of a table descriptor: the way to its page, one level up, and at the base the regime. (Below a cached descriptor any walk with its tag will do,
 * whatever regime it was once read under, §3.3.3.) K holds TLBIs only.
 */
export function whenWay(way: Way, K: readonly Pending[]): number {
  if (way.index < 0) return regimeBirth(way.regime); // the table base belongs to the regime
  if (way.memoFor === K) return way.memo;
  const when = wayMoment(way, matchingTable(way, K));
  way.memoFor = K; // nothing changes while a SYNC is being judged, and every SYNC has lists of its own
  way.memo = when;
  return when;
}

function wayMoment(way: Way, own: readonly Pending[]): number {
  if (own.length === 0) return way.starts[0] as number;
  if (way.parent === null) return NEVER; // an orphan: nothing leads to it
  const from = Math.max(latest(own), whenWay(way.parent, own));
  return from === NEVER ? NEVER : firstMoment(way.starts, way.ends, from);
}

/** The commands of K that must remove the descriptor. (One command is the common case: no new list for it.) */
function matchingTable(way: Way, K: readonly Pending[]): readonly Pending[] {
  const span = waySpan(way);
  const asid = way.regime.asid;
  if (K.length === 1) return matchesTable((K[0] as Pending).command, asid, way.level - 1, way.va, span) ? K : NONE;
  return K.filter((p) => matchesTable(p.command, asid, way.level - 1, way.va, span));
}

/**
 * The commands that one SYNC covers and that name one tag, so ordered that those which may match an address are
 * found without asking all of them: single-address commands by address, the others apart.
 */
export class CommandSet {
  readonly all: readonly Pending[];
  readonly #singles: readonly Pending[];
  readonly #others: readonly Pending[];

  constructor(all: readonly Pending[]) {
    this.all = all;
    const single = (p: Pending): boolean => hasAddress(p.command.op) && p.command.tg === 0;
    this.#singles = all.length < 8 ? [] : all.filter(single).sort((a, b) => a.command.frame - b.command.frame);
    this.#others = all.length < 8 ? all : all.filter((p) => !single(p));
  }

  /** Those that must remove a leaf of `level` at [va, va + frames). */
  matchingLeaf(asid: number, level: number, va: number, frames: number): readonly Pending[] {
    if (this.#singles.length === 0 && this.#others.length === 1) {
      return matchesLeaf((this.#others[0] as Pending).command, asid, level, va, frames) ? this.#others : NONE;
    }
    const own = this.#others.filter((p) => matchesLeaf(p.command, asid, level, va, frames));
    for (let i = this.#firstSingle(va); i < this.#singles.length; i += 1) {
      const p = this.#singles[i] as Pending;
      if (p.command.frame >= va + frames) break;
      if (matchesLeaf(p.command, asid, level, va, frames)) own.push(p);
    }
    return own;
  }

  /** Does the only command name each of `count` neighbouring leaves from `va` on? (Ranges have no holes.) */
  namesSpan(asid: number, level: number, va: number, frames: number, count: number): boolean {
    const only = this.all[0];
    return only !== undefined && (only.command.tg !== 0 || !hasAddress(only.command.op)) && matchesLeaf(only.command, asid, level, va, frames)
      && matchesLeaf(only.command, asid, level, va + (count - 1) * frames, frames);
  }

  /** Index of the first single-address command at or above `va`. */
  #firstSingle(va: number): number {
    let low = 0;
    let high = this.#singles.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#singles[middle] as Pending).command.frame < va) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Is a recorded leaf gone once all of K have taken effect and the SYNC has completed? */
export function leafGone(leaf: LeafRec, K: CommandSet): boolean {
  return whenLeaf(leaf.regime, leaf.way, leaf.level, leaf.va, leaf.until, K) === NEVER;
}

/**
 * A leaf at `va` whose word holds it until `until` (Infinity: it stands in memory), reached by `way` (null: by
 * nothing). Any moment below `until` will do, so when nothing matches -Infinity stands for "long ago".
 */
export function whenLeaf(r: Regime, way: Way | null, level: number, va: number, until: number, K: CommandSet): number {
  const own = K.matchingLeaf(r.asid, level, va, entryFrames(level));
  if (own.length === 0) return -Infinity;
  if (way === null) return NEVER;
  const from = Math.max(latest(own), whenWay(way, own));
  return from < until ? from : NEVER;
}
