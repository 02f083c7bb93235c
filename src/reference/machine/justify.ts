/**
 * The justification rule, in one place for every kind of fact (IHI 0070 §3.21.1, §3.21.3, §4.7.3). `K` is the set of commands
 * that a SYNC covers. `when(f, K)` is the earliest moment at which the fact can be cached once all of K have taken effect and
 * nothing else has:
 *  - no command of K must remove it: the moment it came into being;
 *  - otherwise, with K' = those that must: the first moment not before any of K' became visible, and not before when(p, K') of
 *    each premise p, at which the fact's own word holds its value; NEVER if there is none.
 * A regime is not cached: it passes K on to the words of the STE and CD that support it, and is there as soon as any pair is.
 * What is below a cached table descriptor does not need the regime that the descriptor was once read under: any walk with its tags uses it (§3.3.3).
 * A premise that is no longer cached can justify nothing that happens after its removal. A fact is gone after the SYNC iff that moment is NEVER.
 */
import { isRegime, NEVER, type Fact, type Pending, type Regime, type Support } from './facts.js';
import { matches, type MatchContext } from './match.js';

/** First moment not before `from` inside the segments; NEVER if there is none. */
export function firstMoment(starts: readonly number[], ends: readonly number[], from: number): number {
  for (let i = 0; i < starts.length; i += 1) {
    if (from < (ends[i] as number)) return Math.max(from, starts[i] as number);
  }
  return NEVER;
}

/** The commands of K that must remove the fact; K itself when all do, so that answers can be remembered by it. */
export function ownCommands(f: Fact, K: readonly Pending[], m: MatchContext): readonly Pending[] {
  let count = 0;
  for (const p of K) if (matches(p.command, f, m)) count += 1;
  if (count === K.length) return K;
  return count === 0 ? NONE : K.filter((p) => matches(p.command, f, m));
}

const NONE: readonly Pending[] = [];

export function when(f: Fact, K: readonly Pending[], m: MatchContext): number {
  if (f.memoFor === K) return f.memo;
  const moment = factMoment(f, ownCommands(f, K, m), m);
  f.memoFor = K; // nothing changes while a SYNC is being judged, and every SYNC has lists of its own
  f.memo = moment;
  return moment;
}

function factMoment(f: Fact, own: readonly Pending[], m: MatchContext): number {
  if (own.length === 0) return f.starts[0] as number;
  let from = -Infinity;
  let end = NEVER;
  let regime: Regime | null = null;
  for (const p of own) from = Math.max(from, p.visible);
  for (const p of f.premises) {
    if (isRegime(p)) {
      regime = p;
      continue;
    }
    from = Math.max(from, when(p, own, m));
    end = Math.min(end, until(p, m));
  }
  if (regime === null) return momentBefore(f, from, end);
  let best = NEVER;
  for (const s of regime.supports) best = Math.min(best, momentWith(s, f, [from, end], own, m));
  for (const s of regime.past) best = Math.min(best, momentWith(s, f, [from, end], own, m));
  return best;
}

function momentBefore(f: Fact, from: number, end: number): number {
  const moment = firstMoment(f.starts, f.ends, from);
  return moment < end ? moment : NEVER;
}

/** The same by way of one STE and CD. */
function momentWith(s: Support, f: Fact, [from, end]: readonly [number, number], own: readonly Pending[], m: MatchContext): number {
  let start = from;
  let stop = end;
  for (const word of s.facts) {
    start = Math.max(start, when(word, own, m));
    stop = Math.min(stop, until(word, m));
  }
  return momentBefore(f, start, stop);
}

/**
 * Until when a premise could serve: for good while it is cached. One that a SYNC of another queue removed could until then (§3.5.6.1:
 * queues are not ordered); one that a SYNC of this queue removed was gone before any later command of this queue acted.
 */
function until(p: Fact, m: MatchContext): number {
  if (p.alive) return NEVER;
  return p.gone === undefined || p.gone.queue === m.queue ? -Infinity : p.gone.at;
}
