/**
 * Compare: what comparing a candidate with a baseline showed, as text and as JSON, both from one record. Pure.
 */
import type { CompareOrigin } from '../compare/failure.js';
import { counted as isCounted } from '../compare/campaign.js';
import type { Fault, FaultKind } from '../compare/candidate.js';
import { METRIC_WORDS, METRICS, newCost, addCost, ratio, type Cost, type Metric } from '../compare/cost.js';
import type { WorkloadSum } from '../compare/job.js';
import type { Question } from '../compare/pulse.js';
import type { Worse, WorseQuestion } from '../compare/worse.js';
import { operationJson, type Json } from '../operations/case.js';
import { planDescriptionJson } from '../operations/plan-case.js';
import { POW2 } from '../spec/bits.js';
import type { Violation } from '../stack/violation.js';
import { violationLines } from './failure.js';
import type { FailureLine, Verdict } from './fuzz.js';
import { describeWorld, operationTable } from './operations.js';
import { columns, count, counted, labelled, seconds, shell, visible, wrap } from './words.js';

/** A failure in one line: a rule that broke, or what the candidate did instead of planning. */
export type CompareFailure = Omit<FailureLine, 'rule'> & { readonly rule: string | null; readonly fault?: FaultKind };

export interface CompareSummary {
  readonly verdict: Verdict;
  readonly seed: string;
  readonly baseline: string;
  readonly candidate: string;
  /** SHA-256 of the candidate's file; null for a planner of the house. */
  readonly hash: string | null;
  readonly workloads: readonly WorkloadSum[];
  readonly worse: readonly Worse[];
  readonly worseQuestions: readonly WorseQuestion[];
  readonly failures: readonly CompareFailure[];
  readonly baselineProblem: string | null;
  readonly unmodelled: readonly string[];
  readonly determinism: { readonly checked: number; readonly identical: number } | null;
  readonly interrupted: string | null;
  /** Recordings that were not asked for and are too long to be run unasked. */
  readonly leftOut: readonly string[];
  readonly elapsedMs: number;
}

interface Pair {
  readonly baseline: number;
  readonly candidate: number;
  readonly ratio: number | null;
}

function pair(baseline: number, candidate: number): Pair {
  return { baseline, candidate, ratio: ratio(baseline, candidate) };
}

function costJson(b: Cost, c: Cost, metrics: readonly Metric[]): Record<string, Pair> {
  return {
    ...Object.fromEntries(metrics.map((m) => [m, pair(b[m], c[m])])),
    worstOverInvalidation: pair(Math.round(b.worstOver * 1e6) / 1e6, Math.round(c.worstOver * 1e6) / 1e6),
  };
}

function total(workloads: readonly WorkloadSum[], side: 'baseline' | 'candidate'): Cost {
  const sum = newCost();
  for (const w of workloads) addCost(sum, w[side]);
  return sum;
}

/** Metrics that mean something in a workload. */
function metricsOf(w: WorkloadSum): Metric[] {
  return METRICS.filter((m) => isCounted(w.name, m));
}

/** Costs say something when both sides are right. */
function compared(s: CompareSummary): readonly WorkloadSum[] {
  return s.failures.length > 0 || s.baselineProblem !== null ? [] : s.workloads.filter((w) => w.runs > 0);
}

export function compareJson(s: CompareSummary): Record<string, unknown> {
  const ran = compared(s);
  return {
    schema: 1, verb: 'compare', verdict: s.verdict, seed: s.seed, baseline: s.baseline, candidate: s.candidate, ...(s.hash === null ? {} : { candidateSha256: s.hash }),
    runs: s.workloads.reduce((n, w) => n + w.runs, 0), operations: s.workloads.reduce((n, w) => n + w.operations, 0),
    cost: ran.length === 0 ? {} : costJson(total(ran, 'baseline'), total(ran, 'candidate'), METRICS),
    workloads: Object.fromEntries(s.workloads.map((w) => [w.name, {
      runs: w.runs, operations: w.operations, ...(ran.includes(w) ? { plans: w.baseline.plans, cost: costJson(w.baseline, w.candidate, metricsOf(w)) } : {}),
    }])),
    worse: s.worse.map((w) => ({
      metric: w.metric, workload: w.workload, run: w.run, baseline: w.baseline, candidate: w.candidate, minimal: w.minimal, shrunkFrom: w.shrunkFrom,
      operations: w.operations.map((op, i): Json => operationJson(op, i)),
    })),
    worseQuestions: s.worseQuestions.map((w) => ({ metric: w.metric, baseline: w.baseline, candidate: w.candidate, question: questionJson(w.question) })),
    failures: s.failures, leftOut: s.leftOut, ...(s.baselineProblem === null ? {} : { baselineProblem: s.baselineProblem }), unmodelled: s.unmodelled,
    ...(s.determinism === null ? {} : { determinism: s.determinism }),
    timing: {
      elapsedMs: Math.round(s.elapsedMs), ...(s.interrupted === null ? {} : { interrupted: s.interrupted }),
      nanosecondsPerPlan: Object.fromEntries(ran.flatMap((w) => (w.nanoseconds === null ? [] : [[w.name, pair(w.nanoseconds.baseline, w.nanoseconds.candidate)]]))),
    },
  };
}

/** What no comparison covers. */
const NOT_COVERED = 'SMMUs with errata, stage 2, nesting and ATS as sequences; 16K and 64K granules and contiguous runs but as plans; other SMMUs’ caches (replacement, prefetch)';

export function compareBlock(s: CompareSummary): string {
  const ran = compared(s);
  const runs = s.workloads.filter((w) => w.runs > 0).map((w) => `${visible(w.name)} ${counted(w.runs, 'run')}`);
  return [
    `${title(s)}  seed ${visible(s.seed)}  ${seconds(s.elapsedMs)}  ${counted(s.workloads.reduce((n, w) => n + w.operations, 0), 'op')}`,
    ...labelled('baseline', [visible(s.baseline)]),
    ...labelled('candidate', [`${visible(s.candidate)}${s.hash === null ? '' : `  sha256 ${s.hash.slice(0, 16)}`}`]),
    ...labelled('runs', wrap(runs)),
    ...labelled('left out', s.leftOut.length === 0 ? [] : [`${s.leftOut.map(visible).join('  ')}  (long: --workload NAME runs one, --workload recorded all recordings)`]),
    ...(s.baselineProblem === null ? [] : labelled('baseline', [`breaks ${s.baselineProblem}`])),
    ...labelled('unmodelled', s.unmodelled.map(visible)),
    ...(s.failures.length > 0 ? labelled('cost', ['is compared for a right candidate only']) : costLines(ran)),
    ...s.worse.flatMap(worseLines),
    ...s.worseQuestions.flatMap((w) => [...labelled('worse', [`${METRIC_WORDS[w.metric]}: ${count(w.baseline)} -> ${count(w.candidate)}  (as a plan only, in no sequence)`]), ...labelled('', questionLines(w.question)), '']),
    ...(ran.length > 0 && s.worse.length + s.worseQuestions.length === 0 ? labelled('worse', ['in nothing that is counted, in no run']) : []),
    ...labelled('not covered', wrap(NOT_COVERED.split(' '), 100, ' '), 13),
    ...(s.determinism === null ? [] : labelled('again', [`${s.determinism.identical}/${s.determinism.checked} first runs identical with a fresh candidate`])),
  ].join('\n');
}

function title(s: CompareSummary): string {
  if (s.failures.length > 0) return '[violation] the candidate is wrong';
  if (s.determinism !== null && s.determinism.identical < s.determinism.checked) return '[error] the candidate is not a pure function: the same questions were answered otherwise';
  if (s.baselineProblem !== null) return '[inconclusive] the baseline itself is wrong';
  if (s.unmodelled.length > 0) return '[inconclusive] something met is not modelled';
  if (s.interrupted !== null) return `[inconclusive] no rule broken until ${s.interrupted}`;
  return '[ok] the candidate breaks no rule';
}

const HEADINGS = ['workload', 'cost', 'baseline', 'candidate', 'ratio'];

/** Per workload, what is not 0 on both sides. */
function costLines(ran: readonly WorkloadSum[]): string[] {
  if (ran.length === 0) return [];
  const rows: string[][] = [];
  const add = (name: string, b: Cost, c: Cost, metrics: readonly Metric[]): void => {
    const own: string[][] = [];
    for (const m of metrics) if (b[m] + c[m] > 0) own.push([METRIC_WORDS[m], count(b[m]), count(c[m]), ratioText(ratio(b[m], c[m]))]);
    if (b.worstOver + c.worstOver > 0) own.push(['worst over-invalidation of a plan', share(b.worstOver), share(c.worstOver), ratioText(ratio(b.worstOver, c.worstOver))]);
    const w = ran.find((x) => x.name === name);
    if (w !== undefined && w.nanoseconds !== null) own.push(['nanoseconds per plan', w.nanoseconds.baseline.toFixed(0), w.nanoseconds.candidate.toFixed(0), ratioText(ratio(w.nanoseconds.baseline, w.nanoseconds.candidate))]);
    own.forEach((cells, i) => rows.push([i === 0 ? visible(name) : '', ...cells]));
  };
  for (const w of ran) add(w.name, w.baseline, w.candidate, metricsOf(w));
  if (ran.length > 1) add('all', total(ran, 'baseline'), total(ran, 'candidate'), METRICS);
  return ['', ...columns([HEADINGS, ...rows], [2, 3, 4]).map((l) => `  ${l}`), ''];
}

function ratioText(r: number | null): string {
  return r === null ? 'new' : r.toFixed(2);
}

function share(x: number): string {
  return `${(x * 100).toFixed(2)} %`;
}

function worseLines(w: Worse): string[] {
  const size = w.shrunkFrom === w.operations.length ? counted(w.operations.length, 'op') : `${count(w.shrunkFrom)} -> ${counted(w.operations.length, 'op')}`;
  return [
    ...labelled('worse', [`${METRIC_WORDS[w.metric]}: ${count(w.baseline)} -> ${count(w.candidate)}  (${visible(w.workload)} run ${w.run}, ${size}${w.minimal ? ', 1-minimal' : ''})`]),
    ...operationTable(w.rows, { outside: null }).map((l) => `  ${l}`),
    ...labelled('', describeWorld(w.world)), '',
  ];
}

const FAULT_WORDS: Readonly<Record<FaultKind, string>> = {
  loops: 'the candidate does not answer', throws: 'the candidate throws', garbage: 'the candidate’s answer is no plan', harm: 'the candidate writes where it must not',
};

const GRANULE: Readonly<Record<number, string>> = { 12: '4K', 14: '16K', 16: '64K' };

function levels(bits: number): string {
  return bits === 0 ? 'none' : [0, 1, 2, 3, 4].filter((b) => (bits & (1 << b)) !== 0).map((b) => String(3 - b)).join(', ');
}

function address(frame: number, low: string): string {
  return frame === 0 ? `0x${low === '000' ? '0' : low}` : `0x${frame.toString(16)}${low}`;
}

export function questionLines(q: Question): string[] {
  const d = q.description;
  const smmu = `an SMMU ${q.features.range ? 'with' : 'without'} range invalidation${q.features.ds ? ' and with DS' : ''}`;
  if (d.all) return ['everything of the tag', smmu];
  const n = (d.last - d.first + 1) / (POW2[d.tg - 12] as number);
  return [`${address(d.first, '000')}..${address(d.last, 'fff')}: ${counted(n, 'granule')} of ${GRANULE[d.tg] ?? ''}`, `leaf levels changed: ${levels(d.leaves)}; table levels removed: ${levels(d.tables)}`, smmu];
}

export function questionJson(q: Question): Json {
  return { description: planDescriptionJson(q.description), range: q.features.range, ds: q.features.ds };
}

/** The command that shows what the planners of the house make of the same. */
function planCommand(program: string, q: Question): string {
  const d = q.description;
  return `${program} plan ${address(d.first, '000')} ${address(d.last, 'fff')} --leaf 0b${d.leaves.toString(2)} --table 0b${d.tables.toString(2)} --tg ${GRANULE[d.tg] ?? ''}${q.features.ds ? ' --ds' : ''} ${q.features.range ? '--range' : '--no-range'}`;
}

export interface WrongAnswer {
  readonly question: Question | null;
  readonly violation: Violation | null;
  readonly fault: Fault | null;
}

export interface WrongContext {
  readonly program: string;
  readonly part: string;
  readonly path: string;
  readonly origin: CompareOrigin | null;
  readonly file: string | null;
}

/** One question that was answered wrongly, or not at all, as a block. */
export function wrongBlock(w: WrongAnswer, c: WrongContext): string {
  const { question, violation, fault } = w;
  const head = violation !== null ? [`[violation] ${violation.rule}`, ...violationLines(violation)]
    : [`[violation] ${fault === null ? '' : FAULT_WORDS[fault.kind]}`, ...labelled('found', [visible(fault?.text ?? '')])];
  return [
    ...head,
    ...(question === null ? labelled('asked', ['nothing: it happened between two questions']) : labelled('asked', questionLines(question))),
    ...labelled('because', violation?.because ?? []),
    ...labelled('subject', [`planner ${visible(c.part)}`]),
    ...labelled('saved', c.file === null ? [] : [visible(c.file)]),
    ...(c.origin === null ? [] : labelled('found in', [`${visible(c.origin.workload)}, run ${c.origin.run}, seed ${visible(c.origin.seed)}`])),
    ...(c.file === null ? [] : labelled('replay', [`${c.program} replay ${shell(c.file)} --candidate ${shell(c.path)}`])),
    ...(question === null || question.description.all ? [] : labelled('others', [planCommand(c.program, question)])),
  ].join('\n');
}
