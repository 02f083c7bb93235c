/**
 * The thread in which candidates run: loads one, does one job with it, tells the main thread (candidate-watch.ts), which ends this thread when the
 * candidate does not come back.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { compareCampaign, newCompareResult, runAgain, type CompareResult, type CompareSetup } from '../compare/campaign.js';
import { wrapModule } from '../compare/candidate-js.js';
import { loadWasm } from '../compare/candidate-wasm.js';
import { CandidateFault, CandidateRefused, ownCandidate, thrown, wrap, type Candidate } from '../compare/candidate.js';
import { candidateRecord, shrinkSequence, shrinkWrongQuestion } from '../compare/failure.js';
import type { CandidateSource, CompareJob, CompareOutcome, ReplayJob, ReplayOutcome, Told, WhatIfJob } from '../compare/job.js';
import { answer, roomOf } from '../compare/judge-plan.js';
import { Pulse } from '../compare/pulse.js';
import { stopwatch } from '../compare/stopwatch.js';
import { PLANS, RANDOM, recorded } from '../compare/workloads.js';
import { shrinkWorse, shrinkWorseQuestion } from '../compare/worse.js';
import { replay } from '../lockstep/replay.js';
import { findPlanner } from '../parts/planners.js';
import type { Planner } from '../stack/planner.js';
import { whatIfCandidate } from '../trace/what-if.js';
import { now } from './output.js';

const { job, memory } = workerData as { readonly job: CompareJob | ReplayJob | WhatIfJob; readonly memory: SharedArrayBuffer };
const pulse = new Pulse(memory);

function tell(told: Told): void {
  parentPort?.postMessage(told);
}

/** How a candidate is made anew. A JavaScript module exists twice at most: what is kept in it stays. */
async function loader(source: CandidateSource): Promise<() => Candidate> {
  if (source.kind === 'own') {
    const planner = findPlanner(source.name) as Planner;
    return () => ownCandidate(planner);
  }
  if (source.kind === 'wasm') return () => wrap(source.name, loadWasm(source.bytes, source.name), pulse);
  const modules: unknown[] = [];
  for (const query of ['', '?again']) {
    try {
      modules.push(await import(`${source.url}${query}`));
    } catch (error) {
      throw new CandidateRefused(`${source.name}: it cannot be loaded as an ES module: ${thrown(error)}`);
    }
  }
  let at = 0;
  return () => {
    const module = modules[Math.min(at, modules.length - 1)];
    at += 1;
    return wrap(source.name, wrapModule(module, source.name), pulse);
  };
}

async function main(): Promise<void> {
  let make: () => Candidate;
  let first: Candidate;
  pulse.begin(false);
  try {
    make = await loader(job.candidate);
    first = make();
  } catch (error) {
    if (!(error instanceof CandidateRefused)) throw error;
    tell({ type: 'refused', text: error.message });
    return;
  } finally {
    pulse.end();
  }
  if (job.job === 'replay') tell({ type: 'replayed', outcome: replayed(job, first) });
  else if (job.job === 'what-if') tell({ type: 'replanned', outcome: await whatIfCandidate(job.recording, once(first, make), job.range) });
  else tell({ type: 'compared', outcome: compared(job, first, make) });
}

/** The candidate that is there, then others. */
function once(first: Candidate, make: () => Candidate): () => Planner {
  let next: Candidate | null = first;
  return () => {
    const { planner } = next ?? make();
    next = null;
    return planner;
  };
}

function compared(j: CompareJob, first: Candidate, make: () => Candidate): CompareOutcome {
  const baseline = findPlanner(j.baseline) as Planner;
  const named = (name: string): boolean => j.only === null || j.only.includes(name);
  const workloads = [...j.recordings.map(recorded), ...RANDOM].filter((w) => named(w.name));
  const setup: CompareSetup = { seed: j.seed, baseline, candidate: first.planner, workloads, plans: named(PLANS), operations: j.operations, runs: j.runs, begin: (workload, run) => { tell({ type: 'begin', workload, run }); } };
  const result = newCompareResult(setup);
  const begin = now();
  for (const _ of compareCampaign(setup, result)) {
    tell({ type: 'progress', runs: sum(result, 'runs'), operations: sum(result, 'operations') });
    if (pulse.stopped || now() - begin >= j.timeMs) break;
  }
  if (result.wrong !== null) return wrongOutcome(j, result, first, make);
  const planners = [ownCandidate(baseline), first];
  const timed = result.baseline === null;
  return {
    ...outcome(result, (samples) => (timed ? stopwatch(samples, planners, now, pulse) : null)),
    worse: timed ? [...result.worse.values()].map((w) => shrinkWorse(w, baseline, first.planner)) : [],
    worseQuestions: timed ? [...result.worseQuestions].filter(([m]) => !result.worse.has(m)).map(([m, q]) => shrinkWorseQuestion(m, q, baseline, first.planner)) : [],
    determinism: timed ? runAgain(setup, result, () => make().planner) : null,
  };
}

function sum(result: CompareResult, key: 'runs' | 'operations'): number {
  return result.workloads.reduce((n, w) => n + w[key], 0);
}

function outcome(result: CompareResult, timed: (samples: CompareResult['workloads'][number]['samples']) => number[] | null): CompareOutcome {
  return {
    workloads: result.workloads.map((w) => {
      const ns = timed(w.samples);
      return {
        name: w.name, runs: w.runs, operations: w.operations, baseline: w.baseline, candidate: w.candidate,
        nanoseconds: ns === null ? null : { baseline: ns[0] as number, candidate: ns[1] as number },
      };
    }),
    worse: [], worseQuestions: [], record: null, wrong: null, baselineProblem: result.baseline, unmodelled: result.unmodelled, determinism: null,
  };
}

/** What is wrong is told at once, as it was found; then it is shrunk. */
function wrongOutcome(j: CompareJob, result: CompareResult, first: Candidate, make: () => Candidate): CompareOutcome {
  const wrong = result.wrong as NonNullable<CompareResult['wrong']>;
  const rest = outcome(result, () => null);
  tell({ type: 'found', wrong });
  if (wrong.kind === 'question') return { ...rest, wrong: shrinkWrongQuestion(wrong, () => make().planner) };
  const small = shrinkSequence(wrong, first.planner, (c, violation) => { tell({ type: 'improved', world: c.world, operations: c.operations, violation }); });
  const shrunk = { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  return { ...rest, record: candidateRecord(small, make().planner, j.about, shrunk) };
}

function replayed(j: ReplayJob, first: Candidate): ReplayOutcome {
  const none: ReplayOutcome = { rows: [], record: null, violation: null, fault: null, unmodelled: null };
  const { subject } = j;
  if (subject.kind === 'question') {
    const a = answer(first.planner, subject.question, roomOf(first.planner));
    return { ...none, violation: a.violation, fault: a.fault };
  }
  try {
    const r = replay(subject.world, subject.operations, { planner: first.planner }, true);
    const { violation } = r;
    return { ...none, rows: r.rows, violation, unmodelled: r.unmodelled, record: violation === null ? null : candidateRecord({ ...subject, violation }, first.planner, j.about, null) };
  } catch (error) {
    if (error instanceof CandidateFault) return { ...none, fault: error.fault };
    throw error;
  }
}

main().catch((error: unknown) => { tell({ type: 'internal', text: error instanceof Error ? (error.stack ?? error.message) : String(error) }); });
