/**
 * Trace: kept only while a failure is being explained. When a SYNC completes, every fact that is stale and stays leaves one line for each command
 * that the SYNC covers: why it need not go (why-left.ts), or why it can come back (justify.ts; IHI 0070 §3.21.1, §4.7.3).
 */
import { describeCommand, type Command, type CommandVerdict } from '../../spec/command.js';
import { isRegime, NEVER, stands, type Fact, type Pending, type Regime } from './facts.js';
import { ownCommands, when } from './justify.js';
import { matches, type MatchContext } from './match.js';
import { whyLeft } from './why-left.js';

/** The operation of a moment, in words: `op 4`. */
export type OperationAt = (time: number) => string;

/** A fact in words; in few when it was named before. */
export type Name = (f: Fact) => string;

/** One command as it was seen, with the moment that tells it from all others. */
export interface Seen {
  readonly queue: number;
  readonly command: Command;
  readonly verdict: CommandVerdict;
  readonly visible: number;
}

/** Why one command left one fact. */
export interface Line {
  readonly command: Command;
  readonly visible: number;
  readonly text: (op: OperationAt, name: Name) => string;
  /** What the fact can be rebuilt from. */
  readonly premise: Fact | null;
}

export interface Gone {
  readonly fact: Fact;
  /** When the SYNC completed, and the command of it that names the fact (none: what it was derived from went). */
  readonly at: number;
  readonly by: Pending | null;
}

const FACTS = 2000;
const LINES = 40_000;
const COMMANDS = 4000;
const DEPTH = 12;

/** Is something that it rests on no longer what memory says, or no longer there? `known` remembers answers. */
export function isStale(f: Fact, known: Map<Fact, boolean> = new Map<Fact, boolean>()): boolean {
  const before = known.get(f);
  if (before !== undefined) return before;
  const answer = !f.alive || !stands(f) || f.premises.some((p) => (isRegime(p) ? staleSupport(p, known) !== null : isStale(p, known)));
  known.set(f, answer);
  return answer;
}

/** Words of an STE or CD that a regime rests on and that are stale; null: one pair stands, or there is none. */
export function staleSupport(r: Regime, known: Map<Fact, boolean>): readonly Fact[] | null {
  let found: readonly Fact[] | null = null;
  for (const s of [...r.supports, ...r.past]) {
    const stale = s.facts.filter((f) => isStale(f, known));
    if (stale.length === 0) return null;
    found ??= stale;
  }
  return found ?? [];
}

/** The first premise that is stale, through regimes; null: none is. */
export function stalePremise(f: Fact, known: Map<Fact, boolean>): Fact | null {
  for (const p of f.premises) {
    if (isRegime(p)) {
      const support = staleSupport(p, known);
      if (support?.[0] !== undefined) return support[0];
    } else if (isStale(p, known)) return p;
  }
  return null;
}

export class Trace {
  readonly commands: Seen[] = [];
  readonly syncs: { readonly queue: number; readonly at: number }[] = [];
  readonly gone: Gone[] = [];
  /** Regimes to which nothing leads any more: the words of the last STE and CD that did. */
  readonly lost = new Map<Regime, readonly Fact[]>();
  /** What else happened that a reader may not expect. */
  readonly notes: { readonly at: number; readonly text: string }[] = [];
  readonly #lines = new Map<Fact, Line[]>();
  #count = 0;

  seen(s: Seen): void {
    if (this.commands.length < COMMANDS) this.commands.push(s);
  }

  linesOf(f: Fact): readonly Line[] {
    return this.#lines.get(f) ?? [];
  }

  /** A SYNC is about to remove `dead`; all facts are as they were. */
  synced(sync: { readonly queue: number; readonly at: number }, K: readonly Pending[], facts: { readonly all: Iterable<Fact>; readonly dead: ReadonlySet<Fact>; readonly regimes: readonly Regime[] }, m: MatchContext): void {
    this.syncs.push(sync);
    const known = new Map<Fact, boolean>();
    for (const r of facts.regimes) {
      const last = r.supports[r.supports.length - 1];
      if (last !== undefined && r.supports.every((x) => x.facts.some((w) => facts.dead.has(w)))) this.lost.set(r, last.facts.filter((w) => facts.dead.has(w)));
      else if (last !== undefined) this.lost.delete(r);
    }
    for (const f of facts.all) {
      if (facts.dead.has(f)) {
        if (this.gone.length < FACTS) this.gone.push({ fact: f, at: sync.at, by: K.find((p) => matches(p.command, f, m)) ?? null });
      } else if (this.#count < LINES && isStale(f, known)) this.#add(f, K, m, known);
    }
  }

  #add(f: Fact, K: readonly Pending[], m: MatchContext, known: Map<Fact, boolean>): void {
    const lines = this.#lines.get(f) ?? [];
    this.#lines.set(f, lines);
    for (const p of K) {
      lines.push({ command: p.command, visible: p.visible, ...whyStays(f, p, K, { m, known }) });
      this.#count += 1;
    }
  }
}

interface Situation {
  readonly m: MatchContext;
  readonly known: Map<Fact, boolean>;
}

/** Why the fact is still there after this command of K and all the others. */
export function whyStays(f: Fact, p: Pending, K: readonly Pending[], s: Situation): Pick<Line, 'text' | 'premise'> {
  const left = (text: string): Pick<Line, 'text' | 'premise'> => ({ text: () => text, premise: null });
  if (!matches(p.command, f, s.m)) return left(whyLeft(p.command, f, s.m));
  const end = f.ends[f.ends.length - 1] as number;
  if (f.ref >= 0 && p.visible < end && end !== Infinity) {
    return { text: (op) => `names it too early: the SMMU could act on it before ${op(end)}, and then read the old word again`, premise: null };
  }
  const own = ownCommands(f, K, s.m);
  let premise = sourceOf(f, own, s);
  // What comes back as well tells nothing: go on to what it comes back from.
  for (let depth = 0; premise !== null && depth < DEPTH && premise.alive && comesBack(premise, p, s.m); depth += 1) {
    const next = sourceOf(premise, ownCommands(premise, K, s.m), s);
    if (next === null) break;
    premise = next;
  }
  if (premise === null) return left('names it, but it can be read again');
  const because = whyThat(premise, p, K, s);
  return { text: (_, name) => `names it, but it can be rebuilt from ${name(premise)}, ${because}`, premise };
}

/** Is it named as well, while its own word still stands? */
function comesBack(f: Fact, p: Pending, m: MatchContext): boolean {
  return matches(p.command, f, m) && (f.ref < 0 || stands(f));
}

/** Why the premise serves: the command leaves it, and what another command of the batch does to it may come later. */
function whyThat(premise: Fact, p: Pending, K: readonly Pending[], { m }: Situation): string {
  if (!premise.alive) return 'which another queue removes: queues are not ordered (§3.5.6.1)';
  if (matches(p.command, premise, m)) return 'which can be read again as well';
  const other = K.find((k) => matches(k.command, premise, m));
  if (other === undefined) return 'which this command leaves';
  return `which only ${describeCommand(other.command)} of the same batch names: without a CMD_SYNC between the two may act in any order (§4.7.3)`;
}

/** The stale premise by which the fact can be derived again once these commands have acted. */
function sourceOf(f: Fact, own: readonly Pending[], { m, known }: Situation): Fact | null {
  for (const p of f.premises) {
    if (!isRegime(p)) {
      if (isStale(p, known) && when(p, own, m) !== NEVER) return p;
      continue;
    }
    for (const s of [...p.supports, ...p.past]) {
      if (s.facts.some((w) => when(w, own, m) === NEVER)) continue;
      const stale = s.facts.find((w) => isStale(w, known));
      if (stale !== undefined) return stale;
    }
  }
  return null;
}
