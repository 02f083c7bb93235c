/**
 * The justification rule (rule.md), literally. `K` is a set of commands that a SYNC covers. `when…` gives the
 * earliest moment at which a fact can be cached once all of K have taken effect and nothing else has:
 *  - no command of K matches it: the moment it came into being;
 *  - otherwise, with K' = the matching ones: the first moment not before any of K' became visible, and not before
 *    when(premise, K') of each premise, at which the fact's own word holds its value; NEVER if there is none.
 * A fact is gone after the SYNC iff that moment is NEVER. A regime is not cached itself: it passes K on to the
 * STE and CD facts that support it, and is there as soon as any pair is.
 */
import { NEVER, entryFrames, waySpan, type EntryFact, type LeafRec, type Pending, type Regime, type Way } from './facts.js';
import { matchesCd, matchesLeaf, matchesSte, matchesTable } from './match.js';

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

export function whenSte(f: EntryFact, K: readonly Pending[]): number {
  const own = K.filter((p) => matchesSte(p.command, f.sid));
  if (own.length === 0) return f.starts[0] as number;
  return firstMoment(f.starts, f.ends, latest(own));
}

/** Premise of a CD: the STE that points to it. */
export function whenCd(f: EntryFact, K: readonly Pending[]): number {
  const own = K.filter((p) => matchesCd(p.command, f.sid));
  if (own.length === 0) return f.starts[0] as number;
  const from = Math.max(latest(own), f.ste === null ? NEVER : whenSte(f.ste, own));
  return from === NEVER ? NEVER : firstMoment(f.starts, f.ends, from);
}

export function whenRegime(r: Regime, K: readonly Pending[]): number {
  let best = NEVER;
  for (const s of r.supports) best = Math.min(best, Math.max(whenSte(s.ste, K), whenCd(s.cd, K)));
  return best;
}

/** Premises of a table descriptor: the way to its page, one level up, and the regime. */
export function whenWay(way: Way, K: readonly Pending[]): number {
  if (way.index < 0) return whenRegime(way.regime, K); // the table base belongs to the regime
  const span = waySpan(way);
  const own = K.filter((p) => matchesTable(p.command, way.regime.asid, way.level - 1, way.va, span));
  if (own.length === 0) return way.starts[0] as number;
  if (way.parent === null) return NEVER; // an orphan: nothing leads to it
  const from = Math.max(latest(own), whenWay(way.parent, own), whenRegime(way.regime, own));
  return from === NEVER ? NEVER : firstMoment(way.starts, way.ends, from);
}

/** Is a recorded leaf gone once all of K have taken effect and the SYNC has completed? */
export function leafGone(leaf: LeafRec, K: readonly Pending[]): boolean {
  return whenLeaf(leaf.regime, leaf.way, leaf.level, leaf.va, leaf.until, K) === NEVER;
}

/**
 * A leaf at `va` whose word holds it until `until` (Infinity: it stands in memory), reached by `way` (null: by
 * nothing). Any moment below `until` will do, so when nothing matches -Infinity stands for "long ago".
 */
export function whenLeaf(r: Regime, way: Way | null, level: number, va: number, until: number, K: readonly Pending[]): number {
  const frames = entryFrames(level);
  let own: Pending[] | readonly Pending[] = K;
  if (K.length === 1) {
    if (!matchesLeaf((K[0] as Pending).command, r.asid, level, va, frames)) return -Infinity;
  } else {
    own = K.filter((p) => matchesLeaf(p.command, r.asid, level, va, frames));
    if (own.length === 0) return -Infinity;
  }
  if (way === null) return NEVER;
  const from = Math.max(latest(own), whenWay(way, own), whenRegime(r, own));
  return from < until ? from : NEVER;
}
