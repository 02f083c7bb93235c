/**
 * Exhaustive claims: what is claimed of every planner of the registry, each over all the strata that it is about. One plan is judged for all of
 * them at once.
 */
import { PLANNERS } from '../parts/planners.js';
import type { PlanRule } from '../operations/plan-case.js';
import type { Planner } from '../stack/planner.js';
import type { Claim } from './claims.js';
import { BAD } from './judge.js';
import type { Place } from './strata.js';

export interface ExhaustiveClaim extends Claim {
  readonly method: 'exhaustive';
  /** The bit of the judge that refutes it. */
  readonly bit: number;
  readonly rule: PlanRule;
  /** Hardware with the contiguous erratum. */
  readonly wholeRunOnly: boolean;
  /** Is it about ranges that begin anywhere, or about those that our gathers have? */
  readonly any: boolean | null;
}

interface Kind {
  readonly what: string;
  readonly sentence: (p: Planner) => string;
  readonly source: string;
  readonly bit: number;
  readonly rule: PlanRule;
  readonly any: boolean | null;
  readonly wholeRunOnly?: true;
  /** Planners for which it is known not to hold. */
  readonly refuted: readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    what: 'coverage', bit: BAD.coverage, rule: 'range-coverage', any: false, refuted: [], source: 'IHI 0070 §4.4.1.1; seed 0',
    sentence: () => 'every damaged leaf, contiguous run and table descriptor is removed',
  },
  {
    what: 'contiguous', bit: BAD.contiguous, rule: 'range-coverage', any: false, wholeRunOnly: true, refuted: ['exact-ranges', 'double-range'], source: 'contiguous erratum (84c6089a365f); IHI 0070 §4.4.1.1',
    sentence: () => 'the same on hardware that removes a contiguous run only with one range that covers all of it',
  },
  {
    what: 'legality', bit: BAD.legality, rule: 'illegal-command', any: false, refuted: [], source: 'IHI 0070 §4.1.5, §4.4.1.1',
    sentence: () => 'no command is reserved, misaligned or unsupported',
  },
  {
    what: 'command-bound', bit: BAD.bound, rule: 'command-bound', any: null, refuted: [], source: 'seed 0: one range command, or at most 512 single ones, or the whole tag',
    sentence: (p) => (p.promise === undefined ? 'nothing is promised' : p.promise.single === 0 ? 'nothing but the whole tag' : `at most ${p.promise.range} command${p.promise.range === 1 ? '' : 's'} with range support and ${p.promise.single} without, or the whole tag`),
  },
  {
    what: 'over-invalidation', bit: BAD.over, rule: 'over-invalidation', any: null, refuted: [], source: 'seed 0: over-invalidation is small',
    sentence: (p) => (p.promise === undefined ? 'nothing is promised' : `ranges reach at most ${beyond(p)} beyond the damage, single addresses not at all`),
  },
  {
    what: 'any-coverage', bit: BAD.coverage, rule: 'range-coverage', any: true, refuted: ['exact-ranges'], source: 'IHI 0070 §4.4.1.1',
    sentence: () => 'coverage when the range begins and ends with any granule',
  },
  {
    what: 'any-legality', bit: BAD.legality, rule: 'illegal-command', any: true, refuted: ['exact-ranges'], source: 'IHI 0070 §4.4.1.1',
    sentence: () => 'no illegal command when the range begins and ends with any granule',
  },
];

function beyond(p: Planner): string {
  const most = p.promise?.over(1600) ?? 0;
  return most === 0 ? 'no granule' : most === 1 ? 'one granule' : `${(most / 16).toFixed(2)} % of the granules`;
}

/** The claims of one planner, in the order of KINDS. */
export function claimsOf(p: Planner): readonly ExhaustiveClaim[] {
  return KINDS.map((k) => ({
    id: `${k.what}/${p.name}`, planner: p.name, sentence: k.sentence(p), source: k.source, method: 'exhaustive', expected: k.refuted.includes(p.name) ? 'refuted' : 'proved',
    bit: k.bit, rule: k.rule, wholeRunOnly: k.wholeRunOnly === true, any: k.any,
  }));
}

export const EXHAUSTIVE: readonly ExhaustiveClaim[] = PLANNERS.flatMap(claimsOf);

/** Is the claim about ranges of this place? */
export function isAbout(c: Pick<ExhaustiveClaim, 'any'>, place: Place): boolean {
  return c.any === null || c.any === (place === 'any');
}
