/**
 * One comparison from its seed to its summary: the thread that does it, what it finds on disk before it is shrunk, and what is printed.
 */
import { join } from 'node:path';
import { candidateCase, candidatePlanCase, type CompareOrigin } from '../compare/failure.js';
import type { CompareOutcome, Told } from '../compare/job.js';
import type { WrongRun } from '../compare/campaign.js';
import type { Recording } from '../compare/workloads.js';
import { SequenceStore, writeWhole } from '../fuzz/store.js';
import type { Candidate as Sequence } from '../fuzz/shrink.js';
import { encodeStored, storedId } from '../operations/stored.js';
import { compareBlock, compareJson, wrongBlock, type CompareFailure, type CompareSummary } from '../report/compare.js';
import { failureBlock } from '../report/failure.js';
import { clock, counted, shell, short, visible } from '../report/words.js';
import { watch, type Ended, type Named } from './candidate-watch.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { Interrupt } from './interrupt.js';
import { now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { Scratch } from './scratch.js';

export interface CompareSettings {
  readonly candidate: Named;
  readonly baseline: string;
  readonly seed: string;
  readonly operations: number;
  readonly runs: number;
  readonly timeMs: number;
  /** For one plan. */
  readonly timeoutMs: number;
  readonly workload: string | null;
  /** Workloads that are run; every one when null. */
  readonly only: readonly string[] | null;
  readonly recordings: readonly Recording[];
  /** Names of recordings that are too long to be run unasked. */
  readonly leftOut: readonly string[];
  readonly corpus: string | undefined;
}

export class CompareSession {
  readonly #s: CompareSettings;
  readonly #out: Output;
  readonly #interrupt = new Interrupt();
  readonly #progress = new ProgressLine(process.stderr);
  readonly #scratch: Scratch;
  #store: SequenceStore<Sequence> | null = null;
  #at = { workload: '', run: 0 };
  #start = 0;
  #done = { runs: 0, operations: 0 };

  constructor(settings: CompareSettings, out: Output) {
    this.#s = settings;
    this.#out = out;
    this.#scratch = new Scratch(settings.corpus);
  }

  async run(): Promise<ExitCode> {
    const s = this.#s;
    const text = `seed ${visible(s.seed)}  candidate ${visible(s.candidate.path)}  baseline ${s.baseline}\ncases are stored in ${visible(this.#scratch.path)}`;
    if (this.#out.json) this.#out.note(text);
    else this.#out.print(text);
    this.#start = now();
    this.#interrupt.listen();
    let ended: Ended;
    try {
      ended = await watch(
        {
          job: 'compare', candidate: s.candidate.source, baseline: s.baseline, seed: s.seed, only: s.only, recordings: s.recordings,
          operations: s.operations, runs: s.runs, timeMs: s.timeMs, about: { part: s.candidate.part, path: s.candidate.path, again: this.#again() },
        },
        { timeoutMs: s.timeoutMs, heard: (told) => { this.#heard(told); }, stop: () => this.#interrupt.signal !== null },
      );
    } finally {
      this.#interrupt.release();
      this.#progress.clear();
      this.#scratch.leave();
    }
    const elapsedMs = now() - this.#start;
    const code = ended.type === 'fault' ? this.#gaveUp(ended.fault, elapsedMs) : ended.type === 'compared' ? this.#compared(ended.outcome, elapsedMs) : EXIT.internal;
    this.#scratch.leave();
    return code;
  }

  #again(): string {
    const s = this.#s;
    const limits = `${Number.isFinite(s.operations) ? ` --ops ${s.operations}` : ''}${s.workload === null ? '' : ` --workload ${shell(s.workload)}`}`;
    return `${this.#out.program} compare --baseline ${s.baseline} --candidate ${shell(s.candidate.path)} ${s.seed.startsWith('-') ? '--seed=' : '--seed '}${shell(s.seed)}${limits}`;
  }

  #heard(told: Told): void {
    if (told.type === 'begin') this.#at = { workload: told.workload, run: told.run };
    if (told.type === 'progress') {
      this.#done = told;
      const elapsed = now() - this.#start;
      this.#progress.update(elapsed, () => `compare ${clock(elapsed)}  runs ${short(told.runs)}  ops ${short(told.operations)}  seed ${visible(this.#s.seed)}`);
    }
    if (told.type === 'found') this.#keep(told.wrong);
    if (told.type === 'improved') this.#store?.improved(told, told.violation);
  }

  /** What was found is on disk before it is made smaller. */
  #keep(wrong: WrongRun): void {
    if (wrong.kind !== 'sequence') return;
    this.#progress.clear();
    this.#out.note(`found ${wrong.violation.rule} in run ${wrong.run} of ${wrong.workload} (${counted(wrong.operations.length, 'operation')}, stored); shrinking …`);
    const origin = this.#origin(wrong);
    this.#store = new SequenceStore(this.#scratch.path, wrong.violation.rule, (c, v) => candidateCase(c, v, this.#s.candidate.part, origin));
    this.#store.original(wrong, wrong.violation);
  }

  #origin(wrong: { readonly workload: string; readonly run: number }): CompareOrigin {
    return { seed: this.#s.seed, workload: wrong.workload, run: wrong.run };
  }

  #compared(outcome: CompareOutcome, elapsedMs: number): ExitCode {
    if (outcome.workloads.every((w) => w.runs === 0) && this.#interrupt.signal === null) throw new UsageError('the limits leave nothing to run');
    const failures: CompareFailure[] = [];
    if (outcome.record !== null && this.#store !== null) {
      const files = this.#store.finish(outcome.record, outcome.record.violation);
      const record = { ...outcome.record, ...files };
      this.#out.print(`\n${failureBlock(record, { program: this.#out.program, found: { ...this.#done, elapsedMs } })}\n`);
      failures.push({ id: record.id, rule: record.violation.rule, cause: record.violation.cause, operations: record.operations.length, shrunkFrom: record.shrunk?.from ?? null, file: record.file });
    }
    if (outcome.wrong !== null) failures.push(this.#question(outcome.wrong));
    return this.#finish(this.#summary(outcome, failures, elapsedMs));
  }

  /** The thread was ended: nothing but the question is left. */
  #gaveUp(fault: NonNullable<Extract<WrongRun, { kind: 'question' }>['fault']>, elapsedMs: number): ExitCode {
    const failure = this.#question({ kind: 'question', ...this.#at, question: fault.question, violation: null, fault });
    const empty: CompareOutcome = { workloads: [], worse: [], worseQuestions: [], record: null, wrong: null, baselineProblem: null, unmodelled: [], determinism: null };
    return this.#finish(this.#summary(empty, [failure], elapsedMs));
  }

  /** Stores and prints a wrong answer, or a missing one. */
  #question(wrong: Extract<WrongRun, { kind: 'question' }>): CompareFailure {
    const { question, violation, fault } = wrong;
    const origin = this.#origin(wrong);
    const { part, path } = this.#s.candidate;
    const why = violation ?? fault;
    let file: string | null = null;
    let id = '';
    if (question !== null && why !== null) {
      const stored = candidatePlanCase(question, why, part, origin);
      id = storedId(stored);
      file = join(this.#scratch.path, 'regressions', violation?.rule ?? 'candidate', `${id}.json`);
      writeWhole(file, encodeStored(stored));
    }
    this.#out.print(`\n${wrongBlock(wrong, { program: this.#out.program, part, path, origin, file })}\n`);
    return {
      id, rule: violation?.rule ?? null, ...(fault === null ? {} : { fault: fault.kind }), cause: violation?.cause ?? fault?.text ?? '', operations: 1, shrunkFrom: null, file,
    };
  }

  #summary(o: CompareOutcome, failures: readonly CompareFailure[], elapsedMs: number): CompareSummary {
    const s = this.#s;
    const interrupted = this.#interrupt.signal;
    const varies = o.determinism !== null && o.determinism.identical < o.determinism.checked;
    const verdict = failures.length > 0 ? 'violation' : varies ? 'error' : o.baselineProblem !== null || o.unmodelled.length > 0 || interrupted !== null ? 'inconclusive' : 'ok';
    return {
      verdict, seed: s.seed, baseline: s.baseline, candidate: s.candidate.path, hash: s.candidate.hash, workloads: o.workloads, worse: o.worse, worseQuestions: o.worseQuestions, failures,
      baselineProblem: o.baselineProblem, unmodelled: [...new Set(o.unmodelled)].sort(), determinism: o.determinism, interrupted, elapsedMs, leftOut: s.leftOut,
    };
  }

  #finish(summary: CompareSummary): ExitCode {
    this.#out.print(compareBlock(summary));
    this.#out.document(compareJson(summary));
    const codes: Readonly<Record<CompareSummary['verdict'], ExitCode>> = { ok: EXIT.ok, violation: EXIT.violation, inconclusive: EXIT.inconclusive, error: EXIT.nondeterministic };
    return worst([codes[summary.verdict], this.#interrupt.code]);
  }
}
