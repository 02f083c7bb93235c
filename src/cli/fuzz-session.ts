/**
 * One call of `fuzz` from its seed to its summary: drives the campaign run by run, lets signals in between, works up
 * failures the moment they are found, and checks at the end that runs come out the same again. The clock is here: the
 * engine has none.
 */
import { campaign, drawRun, newResult, type CampaignOptions, type FoundFailure } from '../fuzz/campaign.js';
import { findMutant } from '../mutants/mutants.js';
import type { Profile } from '../operations/profiles.js';
import { drawnLine, drawnLines } from '../report/drawn.js';
import { failureBlock, fuzzCommand } from '../report/failure.js';
import { commandKinds, fuzzBlock, fuzzJson, progressLine, type FailureLine, type FuzzSummary } from '../report/fuzz.js';
import { count, visible } from '../report/words.js';
import { RULES } from '../rules/ledger.js';
import { replayFirst } from './cases.js';
import { difference, sameAgain, totals, type DoneRun } from './determinism.js';
import { UsageError, type ExitCode } from './exit.js';
import { codeOf, verdictOf } from './fuzz-verdict.js';
import { failureLine, storeOriginal, workUp, type FoundOptions } from './found.js';
import { Interrupt } from './interrupt.js';
import { macrotask, now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { judgeStored } from './run-case.js';
import { Scratch } from './scratch.js';

export interface FuzzSettings {
  readonly seed: string;
  readonly profile: Profile;
  readonly mutant: string | null;
  readonly run: number | undefined;
  readonly runs: number | undefined;
  readonly operations: number | undefined;
  readonly timeMs: number | undefined;
  readonly corpus: string | undefined;
  readonly corpusExists: boolean;
  readonly failuresMax: number;
  readonly shrink: boolean;
  readonly verbose: boolean;
}

/** Longest time in which no signal is heard, while sequences run. */
const LISTEN_MS = 40;

export class FuzzSession {
  readonly #s: FuzzSettings;
  readonly #out: Output;
  readonly #options: CampaignOptions;
  readonly #result = newResult();
  readonly #interrupt = new Interrupt();
  readonly #progress = new ProgressLine(process.stderr);
  readonly #shown = new Map<string, FailureLine>();
  #scratch: Scratch | null = null;
  #handled = 0;
  #repeatable = true;
  /** Beginning, and time spent on failures since, which is no time of the campaign. */
  #start = 0;
  #aside = 0;
  #first: DoneRun | null = null;
  #last: DoneRun | null = null;

  constructor(settings: FuzzSettings, out: Output) {
    this.#s = settings;
    this.#out = out;
    const s = settings;
    // A limit of time alone lifts the default budget.
    const operations = s.operations ?? (s.timeMs !== undefined && s.runs === undefined ? Infinity : undefined);
    this.#options = {
      seed: s.seed, profile: s.profile, failuresMax: s.failuresMax,
      ...(s.mutant === null ? {} : { mutant: s.mutant }), ...(operations === undefined ? {} : { operations }),
      ...(s.runs === undefined ? {} : { runs: s.runs }), ...(s.run === undefined ? {} : { run: s.run }),
    };
  }

  async run(): Promise<ExitCode> {
    const replayed = this.#s.corpusExists ? replayFirst(this.#s.corpus as string, judgeStored) : null;
    this.#scratch = new Scratch(this.#s.corpus);
    this.#announce();
    this.#start = now();
    this.#interrupt.listen();
    await this.#campaign();
    const elapsedMs = this.#elapsed();
    const { operations, failures, unmodelled } = this.#result;
    if (operations === 0 && failures.length === 0 && unmodelled.length === 0 && this.#interrupt.signal === null) throw new UsageError('the limits leave nothing to run');
    const determinism = this.#determinism();
    this.#interrupt.release();
    this.#progress.clear();
    this.#scratch.leave();
    const summary = this.#summary(replayed, determinism, elapsedMs);
    this.#out.print(fuzzBlock(summary));
    this.#out.document(fuzzJson(summary));
    return codeOf(summary, this.#repeatable, this.#interrupt.code);
  }

  /** Before anything runs: what is needed to run it again. */
  #announce(): void {
    const line = `seed ${visible(this.#s.seed)}  profile ${this.#s.profile.name}${this.#s.mutant === null ? '' : `  mutant ${this.#s.mutant}`}`;
    const place = `cases are stored in ${visible((this.#scratch as Scratch).path)}`;
    const one = this.#s.run === undefined ? [] : drawnLines({ run: this.#s.run, ...drawRun(this.#options, this.#s.run) });
    const text = [line, place, ...one].join('\n');
    if (this.#out.json) this.#out.note(text);
    else this.#out.print(text);
  }

  async #campaign(): Promise<void> {
    const runs = campaign(this.#options, this.#result);
    let heard = now();
    let before = totals(this.#result);
    for (;;) {
      const made = this.#result.runs;
      if (this.#s.verbose) this.#describeNext();
      const step = this.#next(runs);
      const after = totals(this.#result);
      if (this.#result.runs > made) this.#last = { run: (this.#s.run ?? 0) + this.#result.runs - 1, added: difference(after, before) };
      this.#first ??= this.#last;
      before = after;
      this.#workUpNew();
      this.#progress.update(this.#elapsed(), () => this.#progressText());
      if (step.done === true || this.#interrupt.signal !== null) return;
      if (this.#s.timeMs !== undefined && now() - this.#start >= this.#s.timeMs) return;
      if (now() - heard < LISTEN_MS) continue;
      await macrotask();
      heard = now();
    }
  }

  /** What the next run is given, before it starts. */
  #describeNext(): void {
    const run = (this.#s.run ?? 0) + this.#result.runs;
    if (run >= (this.#s.runs ?? Infinity) || (this.#s.run !== undefined && run > this.#s.run)) return;
    this.#progress.clear();
    this.#out.note(drawnLine({ run, ...drawRun(this.#options, run) }));
  }

  /** One run. An error inside it is ours: say how to draw the run again. */
  #next(runs: ReturnType<typeof campaign>): IteratorResult<number, void> {
    try {
      return runs.next();
    } catch (error) {
      this.#progress.clear();
      const run = (this.#s.run ?? 0) + this.#result.runs;
      this.#out.note(`smmucheck: run ${run} ended in an internal error; again: ${fuzzCommand(this.#out.program, this.#s.seed, this.#s.profile.name, this.#s.mutant, run)}`);
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
    for (; this.#handled < this.#result.failures.length; this.#handled += 1) {
      this.#workUp(this.#result.failures[this.#handled] as FoundFailure, elapsedMs);
    }
    this.#aside += now() - begin;
  }

  #workUp(failure: FoundFailure, elapsedMs: number): void {
    const { violation } = failure;
    const options: FoundOptions = {
      mutant: this.#s.mutant, corpus: (this.#scratch as Scratch).path, shrink: this.#s.shrink,
      origin: { seed: this.#s.seed, run: failure.run, profile: this.#s.profile.name },
    };
    const store = storeOriginal(failure, violation, options);
    const key = `${violation.rule}\n${violation.cause}`;
    if (this.#shown.has(key)) return;
    this.#progress.clear();
    if (this.#s.shrink) this.#out.note(`found ${violation.rule} in run ${failure.run} (${count(failure.operations.length)} operations, stored); shrinking …`);
    this.#interrupt.release(); // shrinking hears no signal: let it end the process
    const { record, repeatable } = workUp(failure, violation, options, store);
    this.#interrupt.listen();
    this.#repeatable &&= repeatable;
    this.#shown.set(key, failureLine(record));
    const found = { runs: this.#result.runs, operations: this.#result.operations, elapsedMs };
    const drawn = this.#s.run === undefined ? [...drawnLines({ run: failure.run, ...drawRun(this.#options, failure.run) }), ''] : [];
    this.#out.print(['', failureBlock(record, { program: this.#out.program, found }), '', ...drawn].join('\n'));
  }

  #determinism(): FuzzSummary['determinism'] {
    const done = [this.#first, this.#last].filter((d) => d !== null);
    const distinct = done.filter((d, i) => done.findIndex((e) => e.run === d.run) === i);
    if (distinct.length === 0) return null;
    return { checked: distinct.length, identical: distinct.filter((d) => sameAgain(this.#options, d)).length };
  }

  #progressText(): string {
    const counts = this.#result.ledger.counts();
    const rules = RULES.filter((r) => r.where !== 'machine').map((r) => counts[r.id]);
    return progressLine({
      verb: 'fuzz', elapsedMs: this.#elapsed(), runs: this.#result.runs, operations: this.#result.operations,
      rulesDecided: rules.filter((c) => c.decided > 0).length, rulesTotal: rules.length,
      failures: this.#result.failures.length, rssBytes: process.memoryUsage.rss(), seed: this.#s.seed,
    });
  }

  #summary(replayed: FuzzSummary['replayed'], determinism: FuzzSummary['determinism'], elapsedMs: number): FuzzSummary {
    const r = this.#result;
    const summary = {
      seed: this.#s.seed, profile: this.#s.profile.name, mutant: this.#s.mutant, runs: r.runs, operations: r.operations, refused: r.refused,
      shortest: r.shortest, longest: r.longest, operationKinds: r.operationKinds, commandKinds: commandKinds(r.commands), rules: r.ledger.counts(),
      interleavingOnly: this.#s.mutant !== null && findMutant(this.#s.mutant)?.found === 'interleaving',
      failures: [...this.#shown.values()], found: r.failures.length, unmodelled: [...new Set(r.unmodelled)].sort(), determinism, replayed,
      interrupted: this.#interrupt.signal, elapsedMs,
    };
    return { ...summary, verdict: verdictOf(summary) };
  }
}
