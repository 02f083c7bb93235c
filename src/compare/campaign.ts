/**
 * Campaign: the same sequences through the baseline and the candidate, workload by workload in turns, until the limits or the first thing that
 * the candidate gets wrong. The baseline goes first: what it is asked to do, the candidate is asked to do. No clock here.
 */
import { RandomChooser } from '../stack/chooser.js';
import type { Planner } from '../stack/planner.js';
import type { Operation } from '../stack/operation.js';
import type { Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import type { Fault } from './candidate.js';
import { addCost, METRICS, newCost, PLAN_METRICS, type Cost, type Metric, type PlanMetric } from './cost.js';
import { answer, answerTwice, countAnswer, roomOf } from './judge-plan.js';
import { fixed, measure, question, SAMPLES_MAX, type Measured } from './measure.js';
import type { Question } from './pulse.js';
import { questionAt } from './questions.js';
import { PLANS, type Workload } from './workloads.js';

export interface CompareSetup {
  readonly seed: string;
  readonly baseline: Planner;
  readonly candidate: Planner;
  /** Driver workloads, in their order. */
  readonly workloads: readonly Workload[];
  /** Ask for plans alone as well. */
  readonly plans: boolean;
  /** Operations of each random workload at most, and questions of the plans. */
  readonly operations: number;
  /** Runs of each random workload at most. */
  readonly runs: number;
  /** Hears of each run before it begins. */
  readonly begin?: (workload: string, run: number) => void;
}

export interface WorkloadResult {
  readonly name: string;
  runs: number;
  operations: number;
  readonly baseline: Cost;
  readonly candidate: Cost;
  /** Questions that were asked, for the stopwatch. */
  readonly samples: Question[];
  /** What the candidate's first run cost, to be had again. */
  first: Cost | null;
}

/** A run in which the candidate cost more. */
export interface WorseRun {
  readonly metric: Metric;
  readonly workload: string;
  readonly run: number;
  readonly world: World;
  readonly operations: readonly Operation[];
}

/** What the candidate got wrong: a sequence, or one question. */
export type WrongRun = { readonly workload: string; readonly run: number } & (
  | { readonly kind: 'sequence'; readonly world: World; readonly operations: readonly Operation[]; readonly violation: Violation }
  | { readonly kind: 'question'; readonly question: Question | null; readonly violation: Violation | null; readonly fault: Fault | null });

export interface CompareResult {
  readonly workloads: WorkloadResult[];
  readonly worse: Map<Metric, WorseRun>;
  readonly worseQuestions: Map<PlanMetric, Question>;
  wrong: WrongRun | null;
  /** The baseline itself breaks a rule: what, and where. */
  baseline: string | null;
  readonly unmodelled: string[];
}

export function newCompareResult(setup: CompareSetup): CompareResult {
  const names = [...(setup.plans ? [PLANS] : []), ...setup.workloads.map((w) => w.name)];
  return {
    workloads: names.map((name) => ({ name, runs: 0, operations: 0, baseline: newCost(), candidate: newCost(), samples: [], first: null })),
    worse: new Map(), worseQuestions: new Map(), wrong: null, baseline: null, unmodelled: [],
  };
}

/** Questions of one run of plans. */
const QUESTIONS = 250;

/** Runs in turns; yields after each. Ends with the limits, or when something is wrong. */
export function* compareCampaign(setup: CompareSetup, result: CompareResult): Generator<void, void> {
  for (;;) {
    let went = false;
    for (const w of result.workloads) {
      const workload = setup.workloads.find((x) => x.name === w.name);
      if (w.runs >= Math.min(setup.runs, workload?.runs ?? Infinity) || w.operations >= setup.operations) continue;
      went = true;
      setup.begin?.(w.name, w.runs);
      if (workload === undefined) askRun(setup, w, result);
      else driverRun(setup, workload, w, result);
      if (result.wrong !== null || result.baseline !== null) return;
      yield;
    }
    if (!went) return;
  }
}

function driverRun(setup: CompareSetup, workload: Workload, w: WorkloadResult, result: CompareResult): void {
  const run = w.runs;
  const { world, source } = workload.draw(setup.seed, run);
  const left = workload.runs === 1 ? Infinity : setup.operations - w.operations;
  const asked = (d: Question['description'], f: Question['features']): void => {
    if (!d.all && w.samples.length < SAMPLES_MAX) w.samples.push(question(d, f));
  };
  const base = measure(world, (view, at) => (at < left ? source(view, at) : undefined), setup.baseline, { asked });
  w.runs += 1;
  w.operations += base.operations.length;
  if (base.unmodelled !== null) result.unmodelled.push(base.unmodelled);
  if (base.violation !== null) {
    result.baseline = `${base.violation.rule} (${base.violation.cause}) in run ${run} of ${w.name}`;
    return;
  }
  const mine = measure(world, fixed(base.operations), setup.candidate);
  wrongRun(result, { workload: w.name, run }, world, mine);
  if (result.wrong !== null) return;
  addCost(w.baseline, base.cost);
  addCost(w.candidate, mine.cost);
  w.first ??= mine.cost;
  noteWorse(result, { workload: w.name, run, world, operations: base.operations }, base.cost, mine.cost);
}

function wrongRun(result: CompareResult, at: { readonly workload: string; readonly run: number }, world: World, mine: Measured): void {
  if (mine.fault !== null) result.wrong = { ...at, kind: 'question', question: mine.fault.question, violation: null, fault: mine.fault };
  else if (mine.violation !== null) result.wrong = { ...at, kind: 'sequence', world, operations: mine.operations, violation: mine.violation };
}

/** Of each metric the shortest run in which the candidate costs more. */
function noteWorse(result: CompareResult, at: Omit<WorseRun, 'metric'>, base: Cost, mine: Cost): void {
  for (const metric of METRICS) {
    if (mine[metric] <= base[metric]) continue;
    const known = result.worse.get(metric);
    if (known === undefined || at.operations.length < known.operations.length) result.worse.set(metric, { ...at, metric });
  }
}

/** Plans alone. What a plan does not show (SYNCs, lost entries) is not counted; a whole-tag flush is one command. */
function askRun(setup: CompareSetup, w: WorkloadResult, result: CompareResult): void {
  const run = w.runs;
  const chooser = new RandomChooser(`${setup.seed}/${PLANS}/${run}`);
  const words = [roomOf(setup.baseline), roomOf(setup.candidate), roomOf(setup.candidate)] as const;
  const mine = newCost();
  w.runs += 1;
  for (let i = 0; i < QUESTIONS && w.operations < setup.operations; i += 1) {
    const q = questionAt(w.operations, chooser);
    w.operations += 1;
    const base = answer(setup.baseline, q, words[0]);
    if (base.violation !== null) {
      result.baseline = `${base.violation.rule} (${base.violation.cause}) when it is asked for a plan`;
      return;
    }
    const a = answerTwice(setup.candidate, q, words[1], words[2]);
    if (a.violation !== null || a.fault !== null) {
      result.wrong = { workload: w.name, run, kind: 'question', question: q, violation: a.violation, fault: a.fault };
      return;
    }
    if (q.description.all) continue;
    if (w.samples.length < SAMPLES_MAX) w.samples.push(q);
    const before = { base: levels(w.baseline), mine: levels(mine) };
    countAnswer(w.baseline, q, words[0], base.count);
    countAnswer(mine, q, words[1], a.count);
    noteQuestion(result, q, (m) => w.baseline[m] - before.base[m], (m) => mine[m] - before.mine[m]);
  }
  addCost(w.candidate, mine);
  w.first ??= mine;
}

type Levels = Record<PlanMetric, number>;

function levels(c: Cost): Levels {
  return { commands: c.commands, overInvalidatingRanges: c.overInvalidatingRanges, overInvalidatedGranules: c.overInvalidatedGranules, wholeTagFlushes: c.wholeTagFlushes };
}

/** Of each metric the shortest question on which the candidate spends more. */
function noteQuestion(result: CompareResult, q: Question, base: (m: PlanMetric) => number, mine: (m: PlanMetric) => number): void {
  for (const metric of PLAN_METRICS) {
    if (mine(metric) <= base(metric)) continue;
    const known = result.worseQuestions.get(metric);
    if (known === undefined || q.description.last - q.description.first < known.description.last - known.description.first) result.worseQuestions.set(metric, q);
  }
}

/** Is a metric counted in this workload? */
export function counted(workload: string, metric: Metric): boolean {
  return workload !== PLANS || (PLAN_METRICS as readonly Metric[]).includes(metric);
}

/** The first run of each workload once more, the last workload first, with candidates that nothing happened to yet: how many come out the same. */
export function runAgain(setup: CompareSetup, result: CompareResult, fresh: () => Planner): { checked: number; identical: number } {
  const again = newCompareResult(setup);
  for (const w of [...again.workloads].reverse()) {
    const workload = setup.workloads.find((x) => x.name === w.name);
    const other: CompareSetup = { ...setup, candidate: fresh() };
    if (result.workloads.find((x) => x.name === w.name)?.first === null) continue;
    if (workload === undefined) askRun(other, w, again);
    else driverRun(other, workload, w, again);
  }
  const done = again.workloads.filter((w) => w.runs > 0);
  const same = done.filter((w) => JSON.stringify(w.first) === JSON.stringify(result.workloads.find((x) => x.name === w.name)?.first));
  return { checked: done.length, identical: same.length };
}
