/**
 * Hitless: the claim about the entry writer, over every pair of configurations of both lattices (IHI 0070
 * §3.21.3.1, §5.2, §5.4). Unlike the claims about planners it is decided in one thread, in seconds.
 */
import type { ClaimResult } from './claims.js';
import type { EntryKind } from '../spec/meaning.js';
import { lattice } from './hitless/lattice.js';
import { newSum, Sweep, type Sum } from './hitless/sweep.js';
import type { Writer } from './hitless/watched-write.js';

export const HITLESS = {
  id: 'hitless', planner: 'entry-writer', method: 'exhaustive', expected: 'proved',
  sentence: 'whatever the SMMU reads while an STE or CD is rewritten, torn reads included, is the old entry, the new one, or V = 0; never V = 0 where one word decides by the bits that the driver calls used',
  source: 'IHI 0070 §3.21.3.1; used bits of the entry writer',
} as const;

/** Known not to hold: the writer takes bits for used that the architecture ignores in one of the two entries. */
export const MINIMAL = {
  id: 'hitless/minimal', planner: 'entry-writer', method: 'exhaustive', expected: 'refuted',
  sentence: 'the writer goes through V = 0 only where no order of stores avoids it',
  source: 'IHI 0070 §5.2 (ignored fields); used bits of the entry writer',
} as const;

/** Of a sample: every so many-th configuration as the old one, each with all others as the new one. */
const SAMPLE_STEP = 32;

const KINDS: readonly EntryKind[] = ['ste', 'cd'];

interface Swept {
  readonly kind: EntryKind;
  readonly configurations: number;
  readonly sum: Sum;
}

/** Both claims. `all`: every pair; else a sample. `pause` is waited for after each row: true means end here, undecided. */
export async function proveHitless(all: boolean, pause: () => Promise<boolean>, writer?: Writer): Promise<readonly ClaimResult[]> {
  const swept: Swept[] = [];
  let early = false;
  for (const kind of KINDS) {
    const sweep = new Sweep(kind, lattice(kind), writer);
    const sum = newSum();
    swept.push({ kind, configurations: sweep.configurations, sum });
    for (let from = 0; from < sweep.configurations && sum.wrong === null && !early; from += all ? 1 : SAMPLE_STEP) {
      sweep.row(from, sum);
      early = await pause();
    }
  }
  const cases = swept.reduce((n, s) => n + s.sum.pairs, 0);
  const of = swept.reduce((n, s) => n + s.configurations * (s.configurations - 1), 0);
  const common = { planner: HITLESS.planner, cases, method: all ? 'exhaustive' : 'sampled', ...(cases < of ? { of } : {}), ...(early ? { why: 'ended before every pair was judged' } : {}) } as const;
  return [{ ...common, ...told(HITLESS), ...neverMixed(swept, early) }, { ...common, ...told(MINIMAL), ...minimal(swept, early) }];
}

function told(c: typeof HITLESS | typeof MINIMAL): Pick<ClaimResult, 'id' | 'sentence' | 'source' | 'expected'> {
  return { id: c.id, sentence: c.sentence, source: c.source, expected: c.expected };
}

function neverMixed(swept: readonly Swept[], early: boolean): Pick<ClaimResult, 'verdict' | 'witness' | 'notes' | 'figures'> {
  const wrong = swept.find((s) => s.sum.wrong !== null);
  return {
    verdict: wrong !== undefined ? 'refuted' : early ? 'undecided' : 'proved',
    ...(wrong?.sum.wrong == null ? {} : { witness: `${wrong.kind.toUpperCase()} from ${wrong.sum.wrong.from} to ${wrong.sum.wrong.to}: ${wrong.sum.wrong.what}` }),
    notes: swept.flatMap(({ kind, configurations, sum }) => notes(kind, configurations, sum)),
    figures: Object.fromEntries(swept.flatMap(({ kind, configurations, sum }) => figures(kind, configurations, sum))),
  };
}

function minimal(swept: readonly Swept[], early: boolean): Pick<ClaimResult, 'verdict' | 'witness'> {
  const avoidable = swept.find((s) => s.sum.closest !== null);
  const pair = avoidable?.sum.closest;
  if (avoidable === undefined || pair == null) return { verdict: early ? 'undecided' : 'proved' };
  return { verdict: 'refuted', witness: `${avoidable.kind.toUpperCase()} from ${pair.from} to ${pair.to}: V = 0 in between, although what the old one ignores could move first, and then one word decides` };
}

const count = (n: number): string => n.toLocaleString('en-US');

function notes(kind: EntryKind, configurations: number, s: Sum): string[] {
  const name = kind.toUpperCase();
  const syncs = s.syncs.map((n, i) => `${i}: ${count(n)}`).slice(1).join('  ');
  return [
    `${name}: ${count(configurations)} configurations, ${count(s.pairs)} pairs, ${count(s.states)} states that the SMMU may read`,
    `${name}: ${count(s.hitless)} hitless; through V = 0: ${count(s.broken)} must, ${count(s.avoidable)} need not, ${count(s.invalid)} are or become invalid`,
    `${name}: pairs by SYNCs  ${syncs}`,
    ...(s.avoidable === 0 ? [] : [`${name}: V = 0 where another order avoids it: ${[...s.avoidableKinds].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 3).map(([kinds, n]) => `${kinds} (${count(n)})`).join('; ')}${s.avoidableKinds.size > 3 ? `; ${s.avoidableKinds.size - 3} more kinds` : ''}`]),
  ];
}

function figures(kind: EntryKind, configurations: number, s: Sum): [string, number][] {
  return [
    [`${kind}Configurations`, configurations], [`${kind}Pairs`, s.pairs], [`${kind}States`, s.states], [`${kind}Hitless`, s.hitless], [`${kind}Broken`, s.broken],
    [`${kind}Avoidable`, s.avoidable], [`${kind}Invalid`, s.invalid], ...s.syncs.map((n, i): [string, number] => [`${kind}Syncs${i}`, n]),
  ];
}
