/**
 * One run of prove from its first line to its exit code: threads sweep the items, what they show is merged, claims that were refuted get their
 * smallest counterexample, the symbolic ones follow, and everything is printed.
 */
import { join } from 'node:path';
import { writeWhole } from '../fuzz/store.js';
import { CASE_SCHEMA } from '../operations/case.js';
import type { PlanCase } from '../operations/plan-case.js';
import { encodeStored, storedId } from '../operations/stored.js';
import { PLANNERS } from '../parts/planners.js';
import { asExpected, type ClaimResult, type Counterexample } from '../prove/claims.js';
import { EXHAUSTIVE, type ExhaustiveClaim } from '../prove/exhaustive.js';
import { HITLESS, MINIMAL, proveHitless } from '../prove/hitless.js';
import { shapeCounts } from '../prove/shapes.js';
import { spansOf } from '../prove/strata.js';
import type { Found, Part } from '../prove/sweep.js';
import { endSolver, startSolver } from '../prove/symbolic/solver.js';
import { BROKEN, SYMBOLIC } from '../prove/symbolic.js';
import { casesOf, counterexampleOf, foundFor, resultOf, Results, Work } from '../prove/work.js';
import { proveBlock, proveJson, proveProgress, type ProveSummary } from '../report/prove.js';
import { shell, visible } from '../report/words.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { reason } from './cases.js';
import { Interrupt } from './interrupt.js';
import { now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { Pool } from './prove-pool.js';
import { StateFile, STATE_MS } from './prove-state.js';
import type { Task } from './prove-worker.js';
import { Scratch } from './scratch.js';

export interface ProveSettings {
  /** Ids of the claims that are asked. */
  readonly claims: ReadonlySet<string>;
  readonly all: boolean;
  readonly seed: string;
  readonly cases: number;
  readonly workers: number;
  readonly timeMs: number | undefined;
  readonly state: string | undefined;
  readonly corpus: string | undefined;
}

/** Items of a sample that a thread takes at once; of a whole sweep it takes one. */
const BATCH = 128;
const TICK_MS = 100;

export class ProveSession {
  readonly #s: ProveSettings;
  readonly #out: Output;
  readonly #claims: readonly ExhaustiveClaim[];
  readonly #work: Work;
  readonly #results: Results;
  readonly #state: StateFile | null;
  readonly #interrupt = new Interrupt();
  readonly #progress = new ProgressLine(process.stderr);
  readonly #spent = new Map<number, { cases: number; ms: number }>();
  #start = 0;
  #next = 0;
  #doing = 0;
  #savedAt = 0;
  /** Items that are not done. */
  #left: number;

  constructor(settings: ProveSettings, out: Output) {
    this.#s = settings;
    this.#out = out;
    this.#claims = EXHAUSTIVE.filter((c) => settings.claims.has(c.id));
    const planners = PLANNERS.map((p) => p.name).filter((name) => this.#claims.some((c) => c.planner === name));
    this.#work = new Work({ planners, all: settings.all, cases: settings.cases, seed: settings.seed });
    this.#results = new Results(planners.length);
    this.#state = settings.state === undefined ? null : new StateFile(settings.state, this.#work);
    this.#state?.load(this.#results);
    this.#left = this.#state?.remaining ?? this.#work.items.length;
  }

  async run(): Promise<ExitCode> {
    const scratch = new Scratch(this.#s.corpus);
    const writer = [...this.#s.claims].every((id) => id.startsWith(HITLESS.id));
    const text = `${writer ? 'every pair of configurations' : this.#s.all ? 'every description' : `seed ${visible(this.#s.seed)}  a sample`}  cases are stored in ${visible(scratch.path)}`;
    if (this.#out.json) this.#out.note(text);
    else this.#out.print(text);
    this.#start = now();
    this.#interrupt.listen();
    try {
      const examples = await this.#exhaustive();
      const claims = [...this.#decided(examples), ...await this.#symbolic(), ...await this.#hitless()];
      this.#progress.clear();
      return this.#finish(claims, scratch);
    } finally {
      this.#interrupt.release();
      scratch.leave();
    }
  }

  /** Sweeps everything that is left, then looks for the smallest counterexamples. */
  async #exhaustive(): Promise<ReadonlyMap<string, { readonly found: Found; readonly exact: boolean }>> {
    const examples = new Map<string, { readonly found: Found; readonly exact: boolean }>();
    if (this.#claims.length === 0) return examples;
    const pool = new Pool(this.#work.options, Math.min(this.#s.workers, Math.max(1, this.#left)));
    const stopped = this.#whenStopped();
    const tick = setInterval(() => { this.#progress.update(now() - this.#start, () => this.#line()); }, TICK_MS);
    try {
      const sweep = pool.run(() => this.#task(), (d) => { if (d.kind === 'items') this.#take(d); }, () => this.#stopping());
      await Promise.race([sweep, stopped.promise]);
      const open = this.#refuted().map(({ claim, found }): Task => ({ kind: 'smallest', claim: claim.id, found, covered: this.#covered(claim) }));
      for (const task of open) if (task.kind === 'smallest') examples.set(task.claim, { found: task.found, exact: this.#s.all && this.#left === 0 });
      if (this.#stopping() || (this.#s.all && this.#left === 0)) return examples;
      const search = pool.run(() => open.shift() ?? null, (d) => { if (d.kind === 'smallest') examples.set(d.claim, { found: d.found, exact: d.exact }); }, () => this.#stopping());
      await Promise.race([search, stopped.promise]);
      return examples;
    } finally {
      clearInterval(tick);
      stopped.cancel();
      await pool.close();
      if (this.#state !== null) this.#state.save(this.#results);
    }
  }

  #stopping(): boolean {
    return this.#interrupt.signal !== null || (this.#s.timeMs !== undefined && now() - this.#start >= this.#s.timeMs);
  }

  /** Resolves when a signal came or the time is over: what runs then is given up. */
  #whenStopped(): { readonly promise: Promise<void>; readonly cancel: () => void } {
    let timer: NodeJS.Timeout | undefined;
    const promise = new Promise<void>((resolve) => { timer = setInterval(() => { if (this.#stopping()) resolve(); }, TICK_MS); });
    return { promise, cancel: () => { clearInterval(timer); } };
  }

  /** The next items that are not done. */
  #task(): Task | null {
    const { items } = this.#work;
    while (this.#state?.isDone(this.#next) === true && this.#next < items.length) this.#next += 1;
    const from = this.#next;
    if (from >= items.length) return null;
    const planner = items[from]?.planner ?? 0;
    let to = from + 1;
    while (!this.#s.all && to < items.length && to < from + BATCH && items[to]?.planner === planner) to += 1;
    this.#next = to;
    this.#doing = planner;
    return { kind: 'items', from, to };
  }

  #take(d: { readonly from: number; readonly to: number; readonly results: { readonly parts: Results['parts']; readonly shapes: Float64Array }; readonly elapsedMs: number }): void {
    this.#results.merge(d.results);
    this.#left -= d.to - d.from;
    const planner = this.#work.items[d.from]?.planner ?? 0;
    const spent = this.#spent.get(planner) ?? { cases: 0, ms: 0 };
    const cases = d.results.parts.reduce((sum, p) => sum + p.gathered.cases + p.any.cases, 0);
    this.#spent.set(planner, { cases: spent.cases + cases, ms: spent.ms + d.elapsedMs });
    this.#state?.mark(d.from, d.to);
    if (this.#state === null || now() - this.#savedAt < STATE_MS) return;
    this.#savedAt = now();
    this.#state.save(this.#results);
  }

  #partsOf(claim: ExhaustiveClaim): { readonly gathered: Part; readonly any: Part } {
    return this.#results.parts[this.#work.options.planners.indexOf(claim.planner)] as Results['parts'][number];
  }

  #refuted(): { readonly claim: ExhaustiveClaim; readonly found: Found }[] {
    return this.#claims.flatMap((claim) => {
      const found = foundFor(claim, this.#partsOf(claim));
      return found === null ? [] : [{ claim, found }];
    });
  }

  /** Was nothing found against the coverage of its planner on ordinary hardware? */
  #covered(claim: ExhaustiveClaim): boolean {
    const coverage = EXHAUSTIVE.find((c) => c.id === `coverage/${claim.planner}`);
    return coverage !== undefined && foundFor(coverage, this.#partsOf(claim)) === null;
  }

  #decided(examples: ReadonlyMap<string, { readonly found: Found; readonly exact: boolean }>): ClaimResult[] {
    const why = this.#interrupt.signal === null ? 'the time was over before everything was judged' : `ended by ${this.#interrupt.signal} before everything was judged`;
    return this.#claims.map((claim) => {
      const example = examples.get(claim.id);
      const counterexample = example === undefined ? null : counterexampleOf(claim, example.found, example.exact);
      return resultOf(claim, casesOf(claim, this.#partsOf(claim)), { all: this.#s.all, done: this.#left === 0, why, counterexample });
    });
  }

  /** The solver is started for them alone, and its thread is ended: the process would not exit. */
  async #symbolic(): Promise<ClaimResult[]> {
    const out: ClaimResult[] = [];
    const claims = [...SYMBOLIC, ...BROKEN].filter((c) => this.#s.claims.has(c.id));
    if (claims.length === 0) return out;
    const solver = await startSolver();
    try {
      for (const claim of claims) {
        this.#progress.update(now() - this.#start, () => `prove  claim ${claim.id}`);
        out.push(await claim.run({ solver, stopped: () => this.#stopping() }));
      }
    } finally {
      await endSolver(solver);
    }
    return out;
  }

  /** Every pair when it was asked for by itself. */
  async #hitless(): Promise<ClaimResult[]> {
    const asked = [HITLESS.id, MINIMAL.id].filter((id) => this.#s.claims.has(id));
    if (asked.length === 0) return [];
    const pause = async (): Promise<boolean> => {
      this.#progress.update(now() - this.#start, () => `prove  claim ${HITLESS.id}`);
      await new Promise((resolve) => { setImmediate(resolve); }); // a signal is heard only then
      return this.#stopping();
    };
    const results = await proveHitless(this.#s.all || this.#s.claims.size === asked.length, pause);
    return results.filter((r) => this.#s.claims.has(r.id));
  }

  #line(): string {
    const refuted = this.#refuted().length;
    return proveProgress({ elapsedMs: now() - this.#start, cases: this.#results.cases, of: this.#s.all ? this.#space() : this.#s.cases, planner: this.#work.options.planners[this.#doing] ?? '', refuted, searching: this.#left === 0 });
  }

  #space(): number {
    return this.#work.strata.reduce((sum, list) => sum + list.reduce((n, s) => n + spansOf(s), 0), 0);
  }

  #finish(claims: readonly ClaimResult[], scratch: Scratch): ExitCode {
    const codes: ExitCode[] = claims.map((c) => (asExpected(c) ? EXIT.ok : c.verdict === 'undecided' ? EXIT.inconclusive : EXIT.violation));
    const code = worst([...codes, this.#interrupt.code]);
    const files = new Map<string, string>();
    for (const c of claims) if (c.counterexample !== undefined && (!asExpected(c) || this.#s.corpus !== undefined)) files.set(c.id, store(scratch.path, c, c.counterexample));
    const summary: ProveSummary = {
      verdict: codes.includes(EXIT.violation) ? 'violation' : codes.includes(EXIT.inconclusive) ? 'inconclusive' : 'ok', seed: this.#s.seed, all: this.#s.all, claims,
      cases: this.#results.cases, of: this.#space(), shapes: this.#results.cases === 0 ? null : shapeCounts(this.#results.shapes), files, interrupted: this.#interrupt.signal,
      elapsedMs: now() - this.#start, workers: this.#s.workers,
      rates: Object.fromEntries([...this.#spent].map(([i, n]) => [this.#work.options.planners[i] ?? '', Math.round((n.cases * 1000) / Math.max(0.001, n.ms))])),
    };
    this.#out.print(proveBlock(summary));
    for (const [id, file] of files) this.#out.print(`  replay   ${this.#out.program} replay ${shell(file)}   (${id})`);
    this.#out.document(proveJson(summary));
    return code;
  }
}

/** A counterexample as a case: of a claim that is known not to hold the violation is what is expected. */
function store(corpus: string, claim: ClaimResult, e: Counterexample): string {
  const stored: PlanCase = {
    schema: CASE_SCHEMA, kind: 'plan', features: e.features, description: e.description, subject: e.subject,
    expect: claim.expected === 'refuted' ? { verdict: 'violation', rule: e.rule } : { verdict: 'ok' }, provenance: { claim: claim.id, rule: e.rule },
  };
  const path = join(corpus, 'regressions', e.rule, `${storedId(stored)}.json`);
  try {
    writeWhole(path, encodeStored(stored));
  } catch (error) {
    throw new UsageError(`${path}: the case cannot be stored: ${reason(error)}`);
  }
  return path;
}
