/**
 * One campaign from its seed to its summary: drives a campaign run by run, lets signals in between, works up failures the moment they
 * are found, and checks at the end that runs come out the same again. What is run is the drive's business: operations of the driver
 * (fuzz-session.ts), raw machine sequences (machine-session.ts), sequences for QEMU (conform-session.ts). Its summary is as well. The clock is here: the engine has none.
 */
import { failureBlock } from '../report/failure.js';
import { commandKinds, fuzzBlock, fuzzJson, progressLine, type CampaignSummary, type FailureLine, type FuzzSummary } from '../report/fuzz.js';
import { count, visible } from '../report/words.js';
import type { Ledger } from '../rules/ledger.js';
import type { RuleId, Violation } from '../stack/violation.js';
import { replayFirst } from './cases.js';
import { Inconclusive, UsageError, type ExitCode } from './exit.js';
import { codeOf, verdictOf } from './fuzz-verdict.js';
import { Interrupt } from './interrupt.js';
import { macrotask, now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { judgeStored } from './run-case.js';
import { Scratch } from './scratch.js';

export interface SessionSettings {
  readonly seed: string;
  readonly run: number | undefined;
  readonly runs: number | undefined;
  readonly operations: number | undefined;
  /** Milliseconds. */
  readonly timeMs: number | undefined;
  readonly corpus: string | undefined;
  readonly corpusExists: boolean;
  readonly failuresMax: number;
  readonly shrink: boolean;
}

/** The limits as both campaigns take them; a limit of time alone lifts the default budget of operations. */
export function limitsOf(s: SessionSettings): { seed: string; failuresMax: number; operations?: number; runs?: number; run?: number } {
  const operations = s.operations ?? (s.timeMs !== undefined && s.runs === undefined ? Infinity : undefined);
  return {
    seed: s.seed, failuresMax: s.failuresMax,
    ...(operations === undefined ? {} : { operations }), ...(s.runs === undefined ? {} : { runs: s.runs }), ...(s.run === undefined ? {} : { run: s.run }),
  };
}

/** A failing sequence as a campaign reports it. */
export interface Failing {
  readonly run: number;
  readonly operations: readonly unknown[];
  readonly violation: Violation;
}

/** A failure on disk that has not been worked up yet. */
export interface Kept {
  /** Shrinks (if asked), stores and explains it. */
  workUp(): { readonly record: Parameters<typeof failureBlock>[0]; readonly line: FailureLine; readonly repeatable: boolean };
}

/** What one kind of campaign adds to a session. */
export interface Drive<F extends Failing> {
  /** Grows while the campaign runs. */
  readonly result: { readonly runs: number; readonly operations: number; readonly ledger: Ledger; readonly failures: readonly F[]; readonly unmodelled: readonly string[] };
  /** As the progress line names the campaign. */
  readonly verb: string;
  /** Rules that the campaign is expected to decide. */
  readonly rules: readonly RuleId[];
  /** What follows the seed in the first line. */
  readonly title: string;
  runs(): Generator<number, void>;
  /** Lines that describe what a run is given; none if its number says it all. */
  drawn(run: number): readonly string[];
  /** Asked before each run: one line for the standard error, or nothing. */
  before(run: number): string | null;
  /** Called after each step of the campaign; `run` is null if none was made. */
  after(run: number | null): void;
  /** Stores the sequence as it was found; whatever happens next, it is on disk. */
  keep(failure: F, corpus: string): Kept;
  /** The command line that makes a run again. */
  again(program: string, run: number): string;
  determinism(first: number, interrupted: boolean): CampaignSummary['determinism'];
  /** Why what was run shows nothing; asked only when no rule broke. */
  empty?(): string | null;
  report(s: CampaignSummary): Report;
}

/** The same summary twice. */
export interface Report {
  readonly text: string;
  readonly document: Record<string, unknown>;
}

/** What a campaign of `fuzz` has counted besides what every campaign has. */
interface FuzzResult {
  readonly refused: number; readonly shortest: number; readonly longest: number; readonly operationKinds: Readonly<Record<string, number>>;
  readonly commands: Float64Array; readonly ledger: Ledger; readonly answers?: Readonly<Record<string, number>>;
}

export function fuzzReport(s: CampaignSummary, r: FuzzResult, about: Pick<FuzzSummary, 'profile' | 'mutant' | 'planner' | 'interleavingOnly' | 'tables'>): Report {
  const summary: FuzzSummary = {
    ...s, ...about, refused: r.refused, shortest: r.shortest, longest: r.longest, operationKinds: r.operationKinds, commandKinds: commandKinds(r.commands),
    rules: r.ledger.counts(), ...(r.answers === undefined ? {} : { answers: r.answers }),
  };
  return { text: fuzzBlock(summary), document: fuzzJson(summary) };
}

/** Longest time in which no signal is heard, while sequences run. */
const LISTEN_MS = 40;

export class Session<F extends Failing> {
  readonly #s: SessionSettings;
  readonly #out: Output;
  readonly #drive: Drive<F>;
  readonly #interrupt = new Interrupt();
  readonly #progress = new ProgressLine(process.stderr);
  readonly #shown = new Map<string, FailureLine>();
  #scratch: Scratch | null = null;
  #handled = 0;
  #repeatable = true;
  /** Beginning, and time spent on failures since, which is no time of the campaign. */
  #start = 0;
  #aside = 0;

  constructor(settings: SessionSettings, drive: Drive<F>, out: Output) {
    this.#s = settings;
    this.#drive = drive;
    this.#out = out;
  }

  async run(): Promise<ExitCode> {
    const replayed = this.#s.corpusExists ? replayFirst(this.#s.corpus as string, judgeStored) : null;
    this.#scratch = new Scratch(this.#s.corpus);
    this.#announce();
    this.#start = now();
    this.#interrupt.listen();
    await this.#campaign();
    const elapsedMs = this.#elapsed();
    const { operations, failures, unmodelled } = this.#drive.result;
    if (this.#drive.empty === undefined && operations === 0 && failures.length === 0 && unmodelled.length === 0 && this.#interrupt.signal === null) throw new UsageError('the limits leave nothing to run');
    const determinism = this.#drive.determinism(this.#s.run ?? 0, this.#interrupt.signal !== null);
    this.#interrupt.release();
    this.#progress.clear();
    this.#scratch.leave();
    const summary = this.#summary(replayed, determinism, elapsedMs);
    const { text, document } = this.#drive.report(summary);
    this.#out.print(text);
    this.#out.document(document);
    return codeOf(summary, this.#repeatable, this.#interrupt.code);
  }

  /** Before anything runs: what is needed to run it again. */
  #announce(): void {
    const one = this.#s.run === undefined ? [] : this.#drive.drawn(this.#s.run);
    const text = [`seed ${visible(this.#s.seed)}  ${this.#drive.title}`, `cases are stored in ${visible((this.#scratch as Scratch).path)}`, ...one].join('\n');
    if (this.#out.json) this.#out.note(text);
    else this.#out.print(text);
  }

  async #campaign(): Promise<void> {
    const { result } = this.#drive;
    const runs = this.#drive.runs();
    let heard = now();
    for (;;) {
      const made = result.runs;
      this.#describeNext();
      const step = this.#next(runs);
      this.#drive.after(result.runs > made ? (this.#s.run ?? 0) + result.runs - 1 : null);
      this.#workUpNew();
      this.#progress.update(this.#elapsed(), () => this.#progressText());
      if (step.done === true || this.#interrupt.signal !== null) return;
      if (this.#s.timeMs !== undefined && now() - this.#start >= this.#s.timeMs) return;
      if (now() - heard < LISTEN_MS) continue;
      await macrotask();
      heard = now();
    }
  }

  #describeNext(): void {
    const run = (this.#s.run ?? 0) + this.#drive.result.runs;
    if (run >= (this.#s.runs ?? Infinity) || (this.#s.run !== undefined && run > this.#s.run)) return;
    const line = this.#drive.before(run);
    if (line === null) return;
    this.#progress.clear();
    this.#out.note(line);
  }

  /** One run. An error inside it is ours: say how to draw the run again. */
  #next(runs: Generator<number, void>): IteratorResult<number, void> {
    try {
      return runs.next();
    } catch (error) {
      this.#progress.clear();
      if (error instanceof Inconclusive) throw error;
      const run = (this.#s.run ?? 0) + this.#drive.result.runs;
      this.#out.note(`smmucheck: run ${run} ended in an internal error; again: ${this.#drive.again(this.#out.program, run)}`);
      throw error;
    }
  }

  #elapsed(): number {
    return now() - this.#start - this.#aside;
  }

  /** Stores what was found since; the first of each rule and cause is shrunk and printed, the others are folded into it. */
  #workUpNew(): void {
    const begin = now();
    const elapsedMs = this.#elapsed();
    const { failures } = this.#drive.result;
    for (; this.#handled < failures.length; this.#handled += 1) this.#workUp(failures[this.#handled] as F, elapsedMs);
    this.#aside += now() - begin;
  }

  #workUp(failure: F, elapsedMs: number): void {
    const { violation } = failure;
    const kept = this.#drive.keep(failure, (this.#scratch as Scratch).path);
    const key = `${violation.rule}\n${violation.cause}`;
    if (this.#shown.has(key)) return;
    this.#progress.clear();
    if (this.#s.shrink) this.#out.note(`found ${violation.rule} in run ${failure.run} (${count(failure.operations.length)} operation${failure.operations.length === 1 ? '' : 's'}, stored); shrinking …`);
    this.#interrupt.release(); // shrinking hears no signal: let it end the process
    const { record, line, repeatable } = kept.workUp();
    this.#interrupt.listen();
    this.#repeatable &&= repeatable;
    this.#shown.set(key, line);
    const found = { runs: this.#drive.result.runs, operations: this.#drive.result.operations, elapsedMs };
    const drawn = this.#s.run === undefined ? this.#drive.drawn(failure.run) : [];
    this.#out.print(['', failureBlock(record, { program: this.#out.program, found }), '', ...drawn, ...(drawn.length === 0 ? [] : [''])].join('\n'));
  }

  #progressText(): string {
    const { result, rules } = this.#drive;
    const counts = result.ledger.counts();
    return progressLine({
      verb: this.#drive.verb, elapsedMs: this.#elapsed(), runs: result.runs, operations: result.operations,
      rulesDecided: rules.filter((rule) => counts[rule].decided > 0).length, rulesTotal: rules.length,
      failures: result.failures.length, rssBytes: process.memoryUsage.rss(), seed: this.#s.seed,
    });
  }

  #summary(replayed: CampaignSummary['replayed'], determinism: CampaignSummary['determinism'], elapsedMs: number): CampaignSummary {
    const r = this.#drive.result;
    const empty = this.#drive.empty?.() ?? null;
    const summary = {
      seed: this.#s.seed, runs: r.runs, operations: r.operations, failures: [...this.#shown.values()], found: r.failures.length,
      unmodelled: [...new Set(r.unmodelled)].sort(), determinism, replayed, interrupted: this.#interrupt.signal, elapsedMs, ...(empty === null ? {} : { empty }),
    };
    return { ...summary, verdict: verdictOf(summary) };
  }
}
