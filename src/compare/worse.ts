/**
 * Worse: the smallest sequence in which a candidate that is right costs more than the baseline: delta debugging with the two costs in place of
 * a broken rule.
 */
import { shrink } from '../fuzz/shrink.js';
import { replay } from '../lockstep/replay.js';
import type { Row } from '../lockstep/replay.js';
import type { Operation } from '../stack/operation.js';
import type { Planner } from '../stack/planner.js';
import type { Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import type { WorseRun } from './campaign.js';
import { METRIC_WORDS, type Metric, type PlanMetric } from './cost.js';
import { roomOf, shrinkQuestion, spentOn } from './judge-plan.js';
import { fixed, measure } from './measure.js';
import type { Question } from './pulse.js';

export interface Worse {
  readonly metric: Metric;
  readonly workload: string;
  readonly run: number;
  readonly world: World;
  readonly operations: readonly Operation[];
  readonly rows: readonly Row[];
  /** Of that sequence alone. */
  readonly baseline: number;
  readonly candidate: number;
  readonly shrunkFrom: number;
  readonly minimal: boolean;
}

/** A question on which the candidate spends more, where no sequence shows it. */
export interface WorseQuestion {
  readonly metric: PlanMetric;
  readonly question: Question;
  readonly baseline: number;
  readonly candidate: number;
}

export function shrinkWorseQuestion(metric: PlanMetric, start: Question, baseline: Planner, candidate: Planner): WorseQuestion {
  const words = [roomOf(baseline), roomOf(candidate)] as const;
  const both = (q: Question): { baseline: number; candidate: number } => ({
    baseline: spentOn(q, baseline, words[0])?.[metric] ?? Infinity, candidate: spentOn(q, candidate, words[1])?.[metric] ?? -Infinity,
  });
  const question = shrinkQuestion(start, (q) => {
    const s = both(q);
    return s.candidate > s.baseline;
  });
  return { metric, question, ...both(question) };
}

/** Evaluations that one sequence may cost. */
const BUDGET = 1200;

type Sequence = Pick<WorseRun, 'world' | 'operations'>;

/** What both spend on a sequence; null when it does not run through on both. */
function spent(c: Sequence, metric: Metric, baseline: Planner, candidate: Planner): { baseline: number; candidate: number } | null {
  const one = (planner: Planner): number | null => {
    const m = measure(c.world, fixed(c.operations), planner);
    return m.violation !== null || m.fault !== null || m.unmodelled !== null ? null : m.cost[metric];
  };
  const base = one(baseline);
  const mine = base === null ? null : one(candidate);
  return base === null || mine === null ? null : { baseline: base, candidate: mine };
}

export function shrinkWorse(w: WorseRun, baseline: Planner, candidate: Planner): Worse {
  const sign: Violation = { rule: 'range-coverage', cause: METRIC_WORDS[w.metric], expected: '', actual: '', because: [] }; // only its identity counts
  const shows = (c: Sequence): Violation | null => {
    const s = spent(c, w.metric, baseline, candidate);
    return s !== null && s.candidate > s.baseline ? sign : null;
  };
  const small = shrink({ world: w.world, operations: w.operations }, sign, { shows, budget: BUDGET });
  const costs = spent(small, w.metric, baseline, candidate) ?? { baseline: 0, candidate: 0 };
  return {
    metric: w.metric, workload: w.workload, run: w.run, world: small.world, operations: small.operations,
    rows: replay(small.world, small.operations, { planner: candidate }, true).rows, ...costs, shrunkFrom: small.from, minimal: small.minimal,
  };
}
