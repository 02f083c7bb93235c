/**
 * Work: all that has to be swept for a set of planners, as a list of items that can be done in any order and anywhere, and what came of
 * them. Everything is decided by the options, nothing by who does it: the same options give the same results on any number of workers.
 */
import { findPlanner, PLANNERS } from '../parts/planners.js';
import { contiguousEntries, levelFrames } from '../spec/granule.js';
import { levelBit } from '../stack/description.js';
import type { Planner } from '../stack/planner.js';
import type { ClaimResult, ClaimVerdict, Counterexample } from './claims.js';
import { BAD } from './judge.js';
import { isAbout, type ExhaustiveClaim } from './exhaustive.js';
import { judgePlan, planOf } from './plan.js';
import { SHAPES } from './shapes.js';
import { allStrata, expands, leafLevels, spansOf, type Place, type Stratum } from './strata.js';
import { BITS, isSmaller, mergePart, newPart, partsOf, Sweep, type Found, type Part } from './sweep.js';

export interface WorkOptions {
  readonly planners: readonly string[];
  /** Everything; else a sample of `cases` in all. */
  readonly all: boolean;
  readonly cases: number;
  readonly seed: string;
}

/** The sample that a run without options takes. */
export const SAMPLE = 20_000_000;
/** Steps by which the shares are found. */
const SHARINGS = 12;
/** A stratum whose plans have very many commands gets so much less of a sample. */
const SPARE = 64;

export interface Item {
  readonly planner: number;
  readonly stratum: number;
  readonly part: number;
}

/** Planners, strata and items of a piece of work. */
export class Work {
  readonly options: WorkOptions;
  readonly planners: readonly Planner[];
  readonly strata: readonly (readonly Stratum[])[];
  readonly items: readonly Item[];
  /** Cases of one stratum of a sample, by planner. */
  readonly #share: number;
  readonly #sweeps = new Map<number, Sweep>();

  constructor(options: WorkOptions) {
    this.options = options;
    this.planners = options.planners.map((name) => findPlanner(name) as Planner);
    this.strata = this.planners.map((p) => allStrata(p.promise));
    this.items = this.strata.flatMap((list, planner) => list.flatMap((s, stratum) => Array.from({ length: options.all ? partsOf(s) : 1 }, (_, part) => ({ planner, stratum, part }))));
    this.#share = options.all ? 0 : this.#shareOf(options.cases);
  }

  /** Cases of a stratum of weight 1, so that all together are `cases` or a few more: small strata do not have their share. */
  #shareOf(cases: number): number {
    const all = this.strata.flatMap((list, i) => list.map((s) => ({ weight: weightOf(this.planners[i] as Planner, s), spans: spansOf(s) })));
    let share = cases / all.reduce((sum, s) => sum + s.weight, 0);
    for (let i = 0; i < SHARINGS; i += 1) share *= Math.min(2, cases / all.reduce((sum, s) => sum + Math.min(s.spans, s.weight * share), 0));
    return share;
  }

  sweep(planner: number): Sweep {
    let sweep = this.#sweeps.get(planner);
    if (sweep === undefined) {
      sweep = new Sweep(this.planners[planner] as Planner, this.strata[planner] as readonly Stratum[]);
      this.#sweeps.set(planner, sweep);
    }
    return sweep;
  }

  /** Does the items [from, to) and says what they showed. */
  run(from: number, to: number): Results {
    const results = new Results(this.planners.length);
    for (const item of this.items.slice(from, to)) {
      const sweep = this.sweep(item.planner);
      sweep.shapes.fill(0);
      const s = this.strata[item.planner]?.[item.stratum] as Stratum;
      const cases = Math.ceil(this.#share * weightOf(this.planners[item.planner] as Planner, s));
      const part = this.options.all ? sweep.whole(item.stratum, item.part) : sweep.sample(item.stratum, cases, `${this.options.seed}:${this.planners[item.planner]?.name ?? ''}`);
      results.add(item.planner, s.place, part);
      results.addShapes(sweep.shapes);
    }
    return results;
  }
}

function weightOf(p: Planner, s: Stratum): number {
  return expands(p.promise, s.features) ? 1 / SPARE : s.features.range ? 1 : 1 / 8;
}

/** Plain data, to pass on and to keep. */
export interface ResultsData {
  readonly parts: readonly { readonly gathered: Part; readonly any: Part }[];
  readonly shapes: Float64Array;
}

/** What items showed, by planner, for ranges that gathers have and for ranges that begin anywhere. */
export class Results implements ResultsData {
  readonly parts: readonly { readonly gathered: Part; readonly any: Part }[];
  readonly shapes = new Float64Array(SHAPES);

  constructor(planners: number) {
    this.parts = Array.from({ length: planners }, () => ({ gathered: newPart(), any: newPart() }));
  }

  add(planner: number, place: Place, part: Readonly<Part>): void {
    const of = this.parts[planner] as { readonly gathered: Part; readonly any: Part };
    mergePart(place === 'any' ? of.any : of.gathered, part);
  }

  addShapes(shapes: Float64Array): void {
    for (let i = 0; i < SHAPES; i += 1) if (shapes[i] !== 0) this.shapes[i] = (this.shapes[i] as number) + (shapes[i] as number);
  }

  merge(other: ResultsData): void {
    other.parts.forEach((p, i) => {
      this.add(i, 'low', p.gathered);
      this.add(i, 'any', p.any);
    });
    this.addShapes(other.shapes);
  }

  get cases(): number {
    return this.parts.reduce((sum, p) => sum + p.gathered.cases + p.any.cases, 0);
  }
}

/** How many descriptions there are. */
export function spaceOf(promise: Planner['promise'], claim: Pick<ExhaustiveClaim, 'any'>): number {
  return allStrata(promise).filter((s) => isAbout(claim, s.place)).reduce((sum, s) => sum + spansOf(s), 0);
}

/** The smallest range found that refutes the claim. */
export function foundFor(claim: ExhaustiveClaim, of: { readonly gathered: Part; readonly any: Part }): Found | null {
  const at = BITS.indexOf(claim.bit);
  const lists = [...(claim.any === true ? [] : [of.gathered]), ...(claim.any === false ? [] : [of.any])];
  return lists.map((p) => p.found[at] ?? null).reduce((best, f) => (f !== null && isSmaller(f, best) ? f : best), null);
}

/** Cases that looking for a smaller counterexample may cost. */
const SEARCH = 200_000_000;

/**
 * The smallest range that refutes the claim: every size from one granule on, all its strata, lowest start first. `exact`: nothing smaller does,
 * within the windows; else the search was given up. `covered`: the planner is complete on ordinary hardware, so that with the erratum
 * only a run that fits into the range can stay. `only`: these strata, and no others.
 */
export function smallest(claim: ExhaustiveClaim, found: Found, covered: boolean, only?: readonly number[], budget = SEARCH): { readonly found: Found; readonly exact: boolean } {
  const planner = PLANNERS.find((p) => p.name === claim.planner) as Planner;
  const strata = allStrata(planner.promise);
  const sweep = new Sweep(planner, strata);
  let cases = 0;
  for (let granules = 1; granules <= found.granules; granules += 1) {
    let best: Found | null = null;
    for (const i of only ?? strata.keys()) {
      const s = strata[i] as Stratum;
      const units = (granules * 2 ** (s.tg - 12)) / s.unit;
      if (!isAbout(claim, s.place) || !Number.isInteger(units) || units > s.count || (claim.bit === BAD.contiguous && covered && !runFits(s, granules))) continue;
      const part = sweep.ofSize(i, units, claim.bit);
      cases += part.cases;
      const hit = part.found[BITS.indexOf(claim.bit)] ?? null;
      if (hit !== null && isSmaller(hit, best)) best = hit;
    }
    if (best !== null) return { found: best, exact: true };
    if (cases > budget) return { found, exact: false };
  }
  return { found, exact: true };
}

function runFits(s: Stratum, granules: number): boolean {
  return leafLevels(s.tg, s.features.ds).some((level) => {
    const members = contiguousEntries(s.tg, level, s.features.ds);
    return (s.leaves & levelBit(level)) !== 0 && members > 1 && members * levelFrames(s.tg, level) <= granules * levelFrames(s.tg, 3);
  });
}

/** A found range as a counterexample with its story. */
export function counterexampleOf(claim: ExhaustiveClaim, found: Found, exact: boolean): Counterexample {
  const planner = PLANNERS.find((p) => p.name === claim.planner) as Planner;
  const s = allStrata(planner.promise)[found.stratum] as Stratum;
  const description = { tg: s.tg, first: found.first, last: found.last, leaves: s.leaves, tables: s.tables, all: false };
  const features = { ...s.features, wholeRunOnly: claim.wholeRunOnly };
  const judged = judgePlan(description, features, planOf(planner, description, features), planner.promise);
  const violation = judged.violations.find((v) => v.rule === claim.rule);
  if (violation === undefined) throw new Error(`${claim.id}: the counterexample of the sweep breaks nothing when it is judged by itself`);
  return { rule: claim.rule, features, description, subject: { parts: { planner: planner.name } }, actual: violation.actual, smallest: exact };
}

/** What came of a claim. `done`: all that was to be swept was; `why` it was not. */
export function resultOf(claim: ExhaustiveClaim, cases: number, o: { readonly all: boolean; readonly done: boolean; readonly why: string; readonly counterexample: Counterexample | null }): ClaimResult {
  const verdict: ClaimVerdict = o.counterexample !== null ? 'refuted' : o.done ? 'proved' : 'undecided';
  const of = spaceOf(PLANNERS.find((p) => p.name === claim.planner)?.promise, claim);
  return {
    id: claim.id, planner: claim.planner, sentence: claim.sentence, source: claim.source, method: o.all ? 'exhaustive' : 'sampled', cases, ...(cases === of ? {} : { of }),
    expected: claim.expected, verdict, ...(o.counterexample === null ? {} : { counterexample: o.counterexample }), ...(verdict === 'undecided' ? { why: o.why } : {}),
  };
}

/** Cases that were judged for a claim. */
export function casesOf(claim: ExhaustiveClaim, of: { readonly gathered: Part; readonly any: Part }): number {
  return (claim.any === true ? 0 : of.gathered.cases) + (claim.any === false ? 0 : of.any.cases);
}
