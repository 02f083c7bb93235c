/**
 * One call of `fuzz --machine-only` from its seed to its summary: random raw sequences on both whole machines, failures
 * worked up the moment they are found, and two runs made again at the end. The clock is here: the engine has none.
 */
import { createHash } from 'node:crypto';
import { machineCampaign, machineRun, newMachineResult, type MachineCampaignOptions, type MachineFailure } from '../fuzz/machine-campaign.js';
import { machineFailureRecord, type MachineFailureRecord } from '../fuzz/machine-failure.js';
import { shrinkMachine } from '../fuzz/machine-shrink.js';
import { MachineStore } from '../fuzz/store.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import { failureBlock, machineCommand } from '../report/failure.js';
import { commandKinds, fuzzBlock, fuzzJson, progressLine, type FailureLine, type FuzzSummary } from '../report/fuzz.js';
import { count, visible } from '../report/words.js';
import { RAW_RULES } from '../rules/ledger.js';
import { replayFirst } from './cases.js';
import { UsageError, type ExitCode } from './exit.js';
import { codeOf, verdictOf } from './fuzz-verdict.js';
import { Interrupt } from './interrupt.js';
import { macrotask, now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { judgeStored } from './run-case.js';
import { Scratch } from './scratch.js';

export interface MachineSettings {
  readonly seed: string;
  readonly run: number | undefined;
  readonly runs: number | undefined;
  readonly operations: number | undefined;
  readonly timeMs: number | undefined;
  readonly corpus: string | undefined;
  readonly corpusExists: boolean;
  readonly failuresMax: number;
  readonly shrink: boolean;
}

/** Longest time in which no signal is heard, while sequences run. */
const LISTEN_MS = 40;

export class MachineSession {
  readonly #s: MachineSettings;
  readonly #out: Output;
  readonly #options: MachineCampaignOptions;
  readonly #result = newMachineResult();
  readonly #interrupt = new Interrupt();
  readonly #progress = new ProgressLine(process.stderr);
  readonly #shown = new Map<string, FailureLine>();
  #scratch: Scratch | null = null;
  #handled = 0;
  #repeatable = true;
  #start = 0;
  /** Time spent on failures, which is no time of the campaign. */
  #aside = 0;

  constructor(settings: MachineSettings, out: Output) {
    this.#s = settings;
    this.#out = out;
    const s = settings;
    const operations = s.operations ?? (s.timeMs !== undefined && s.runs === undefined ? Infinity : undefined);
    this.#options = {
      seed: s.seed, failuresMax: s.failuresMax, ...(operations === undefined ? {} : { operations }),
      ...(s.runs === undefined ? {} : { runs: s.runs }), ...(s.run === undefined ? {} : { run: s.run }),
    };
  }

  async run(): Promise<ExitCode> {
    const replayed = this.#s.corpusExists ? replayFirst(this.#s.corpus as string, judgeStored) : null;
    this.#scratch = new Scratch(this.#s.corpus);
    const text = `seed ${visible(this.#s.seed)}  raw machine sequences\ncases are stored in ${visible(this.#scratch.path)}`;
    if (this.#out.json) this.#out.note(text);
    else this.#out.print(text);
    this.#start = now();
    this.#interrupt.listen();
    await this.#campaign();
    const elapsedMs = this.#elapsed();
    const r = this.#result;
    if (r.operations === 0 && r.failures.length === 0 && r.unmodelled.length === 0 && this.#interrupt.signal === null) throw new UsageError('the limits leave nothing to run');
    const determinism = this.#determinism();
    this.#interrupt.release();
    this.#progress.clear();
    this.#scratch.leave();
    const found = {
      seed: this.#s.seed, profile: 'machine', mutant: null, interleavingOnly: false, runs: r.runs, operations: r.operations, refused: r.refused, shortest: r.shortest, longest: r.longest,
      operationKinds: r.operationKinds, commandKinds: commandKinds(r.commands), answers: r.answers, rules: r.ledger.counts(), failures: [...this.#shown.values()], found: r.failures.length,
      unmodelled: [...new Set(r.unmodelled)].sort(), determinism, replayed, interrupted: this.#interrupt.signal, elapsedMs,
    };
    const summary: FuzzSummary = { ...found, verdict: verdictOf(found) };
    this.#out.print(fuzzBlock(summary));
    this.#out.document(fuzzJson(summary));
    return codeOf(summary, this.#repeatable, this.#interrupt.code);
  }

  #elapsed(): number {
    return now() - this.#start - this.#aside;
  }

  async #campaign(): Promise<void> {
    const runs = machineCampaign(this.#options, this.#result);
    let heard = now();
    for (;;) {
      const step = this.#next(runs);
      const begin = now();
      const elapsedMs = this.#elapsed();
      for (; this.#handled < this.#result.failures.length; this.#handled += 1) this.#workUp(this.#result.failures[this.#handled] as MachineFailure, elapsedMs);
      this.#aside += now() - begin;
      this.#progress.update(this.#elapsed(), () => this.#progressText());
      if (step.done === true || this.#interrupt.signal !== null) return;
      if (this.#s.timeMs !== undefined && now() - this.#start >= this.#s.timeMs) return;
      if (now() - heard < LISTEN_MS) continue;
      await macrotask();
      heard = now();
    }
  }

  /** One run. An error inside it is ours: say how to draw the run again. */
  #next(runs: ReturnType<typeof machineCampaign>): IteratorResult<number, void> {
    try {
      return runs.next();
    } catch (error) {
      this.#progress.clear();
      const run = (this.#s.run ?? 0) + this.#result.runs;
      this.#out.note(`smmucheck: run ${run} ended in an internal error; again: ${machineCommand(this.#out.program, this.#s.seed, run)}`);
      throw error;
    }
  }

  /** Stores a failure; the first of each rule and cause is shrunk and printed, the others are folded into it. */
  #workUp(failure: MachineFailure, elapsedMs: number): void {
    const { violation } = failure;
    const store = new MachineStore((this.#scratch as Scratch).path, violation, { seed: this.#s.seed, run: failure.run });
    store.original(failure, violation);
    const key = `${violation.rule}\n${violation.cause}`;
    if (this.#shown.has(key)) return;
    this.#progress.clear();
    if (this.#s.shrink) this.#out.note(`found ${violation.rule} in run ${failure.run} (${count(failure.operations.length)} operations, stored); shrinking …`);
    this.#interrupt.release(); // shrinking hears no signal: let it end the process
    const { record, repeatable } = workUpMachine(failure, { store, shrink: this.#s.shrink, origin: { seed: this.#s.seed, run: failure.run } });
    this.#interrupt.listen();
    this.#repeatable &&= repeatable;
    this.#shown.set(key, machineLine(record));
    const found = { runs: this.#result.runs, operations: this.#result.operations, elapsedMs };
    this.#out.print(`${failureBlock(record, { program: this.#out.program, found })}\n`);
  }

  /** The first and the last run made twice more: the same operations, answers and violations. */
  #determinism(): FuzzSummary['determinism'] {
    const r = this.#result;
    if (r.runs === 0 || this.#interrupt.signal !== null) return null;
    const first = this.#s.run ?? 0;
    const runs = [...new Set([first, first + r.runs - 1])];
    const identical = runs.filter((run) => digest(this.#options, run) === digest(this.#options, run)).length;
    return { identical, checked: runs.length };
  }

  #progressText(): string {
    const counts = this.#result.ledger.counts();
    return progressLine({
      verb: 'fuzz', elapsedMs: this.#elapsed(), runs: this.#result.runs, operations: this.#result.operations, rulesDecided: RAW_RULES.filter((rule) => counts[rule].decided > 0).length,
      rulesTotal: RAW_RULES.length, failures: this.#result.failures.length, rssBytes: process.memoryUsage.rss(), seed: this.#s.seed,
    });
  }
}

/** Of every operation of a run and what came of it. */
function digest(options: MachineCampaignOptions, run: number): string {
  const hash = createHash('sha256');
  machineRun(options, run, Infinity, newMachineResult(), (text) => { hash.update(`${text}\n`); });
  return hash.digest('hex');
}

export interface MachineFound {
  readonly record: MachineFailureRecord;
  /** The stored sequence shows the same violation when it is run again. */
  readonly repeatable: boolean;
}

/** Shrinks (if asked), stores and explains a failure that `store` already holds. */
export function workUpMachine(failure: Pick<MachineFailure, 'world' | 'operations' | 'violation'>,
  how: { readonly store: MachineStore; readonly shrink: boolean; readonly origin: MachineFailureRecord['origin']; readonly timeMs?: number }): MachineFound {
  const { world, operations, violation } = failure;
  const start = now();
  const again = replayMachine(world, operations).violation;
  const cost = Math.max(0.1, now() - start);
  // The shrinker has no clock: a limit of time becomes a limit of evaluations, at the cost of the longest.
  const budget = how.timeMs === undefined ? {} : { budget: Math.max(1, Math.floor(how.timeMs / cost)) };
  const repeatable = again?.rule === violation.rule && again.cause === violation.cause;
  const small = how.shrink && repeatable ? shrinkMachine({ world, operations }, violation, { improved: (c, v) => { how.store.improved(c, v); }, ...budget }) : null;
  const best = small ?? { world, operations, violation };
  const files = how.store.finish(best, best.violation);
  const shrunk = small === null ? null : { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  return { record: machineFailureRecord(best, best.violation, how.origin, { shrunk, ...files }), repeatable };
}

export function machineLine(r: MachineFailureRecord): FailureLine {
  return { id: r.id, rule: r.violation.rule, cause: r.violation.cause, operations: r.operations.length, shrunkFrom: r.shrunk?.from ?? null, file: r.file };
}
