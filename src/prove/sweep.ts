/**
 * Sweep: the descriptions of a stratum, planned and judged one after the other: all of them, a part, or a sample. What comes out for a part
 * depends on nothing but the part, and parts are merged by sums and minima: in whatever order they were done, the result is the same.
 */
import { newDescription, type Description } from '../stack/description.js';
import { RandomChooser } from '../stack/chooser.js';
import { PAYLOAD_WORDS, type Planner } from '../stack/planner.js';
import { BAD, Judge } from './judge.js';
import { SHAPES } from './shapes.js';
import { sizeSpans, spansOf, type Stratum } from './strata.js';

/** A range for which one of the judge's bits was set. */
export interface Found {
  readonly stratum: number;
  readonly first: number;
  readonly last: number;
  readonly granules: number;
}

/** Fewest granules, then lowest start, then the earlier stratum. */
export function isSmaller(a: Found, b: Found | null): boolean {
  if (b === null) return true;
  return a.granules !== b.granules ? a.granules < b.granules : a.first !== b.first ? a.first < b.first : a.stratum < b.stratum;
}

export const BITS: readonly number[] = Object.values(BAD);

/** What a part showed: how many ranges, and for each of BITS the smallest range that sets it. */
export interface Part {
  cases: number;
  readonly found: (Found | null)[];
}

export function newPart(): Part {
  return { cases: 0, found: BITS.map(() => null) };
}

export function mergePart(into: Part, from: Readonly<Part>): void {
  into.cases += from.cases;
  from.found.forEach((f, i) => {
    if (f !== null && isSmaller(f, into.found[i] ?? null)) into.found[i] = f;
  });
}

/** Starts of one part of a window. */
export const PART_STARTS = 256;

/** In how many parts a stratum is swept. */
export function partsOf(s: Stratum): number {
  return s.place === 'sizes' ? 1 : Math.ceil(s.count / PART_STARTS);
}

/** What stands in the words before a plan: nothing that a planner may leave. */
const POISON = 0xffffffff;

export class Sweep {
  /** Commands by shape (shapes.ts), of everything since the last reset. */
  readonly shapes = new Float64Array(SHAPES);
  readonly #planner: Planner;
  readonly #strata: readonly Stratum[];
  readonly #judge = new Judge(this.shapes);
  readonly #words: Uint32Array;
  readonly #d: Description = newDescription();
  #stratum = 0;
  #granule = 1;
  #part: Part = newPart();
  /** Words that plans wrote since the last POISON. */
  #written = 0;
  /** Are ranges taken smallest first, then lowest first? */
  #ascending = false;

  constructor(planner: Planner, strata: readonly Stratum[]) {
    this.#planner = planner;
    this.#strata = strata;
    this.#words = new Uint32Array(Math.max(1, planner.room) * PAYLOAD_WORDS);
  }

  /** Part `part` of `partsOf` of a stratum, whole. */
  whole(stratum: number, part: number): Part {
    const s = this.#begin(stratum);
    if (s.place === 'sizes') for (const span of sizeSpans(s)) this.#range(span.first, span.frames, s);
    else this.#window(s, part * PART_STARTS, Math.min(s.count, (part + 1) * PART_STARTS));
    return this.#part;
  }

  /** Every range of exactly `units` units, lowest first, until `bit` is set; null when it never is. */
  ofSize(stratum: number, units: number, bit: number): Part {
    const s = this.#begin(stratum);
    const { features, unit } = s;
    const d = this.#d;
    const frames = units * unit;
    for (let at = 0; at + units <= s.count; at += 1) {
      d.first = s.base + at * unit;
      d.last = d.first + frames - 1;
      this.#part.cases += 1;
      const bad = this.#judge.check(d.first, d.last, this.#words, this.#planner.plan(d, features, this.#words));
      if ((bad & bit) === 0) continue;
      this.#note(bad);
      break;
    }
    return this.#part;
  }

  /** `cases` ranges of a stratum, drawn from `seed`: one half of all sizes alike, the other half small. */
  sample(stratum: number, cases: number, seed: string): Part {
    const s = this.#begin(stratum);
    const chooser = new RandomChooser(`${seed}:${stratum}`);
    const spans = s.place === 'sizes' ? sizeSpans(s) : [];
    const all = Math.min(cases, spansOf(s));
    for (let i = 0; i < all; i += 1) {
      if (s.place === 'sizes') {
        const span = spans[chooser.index(spans.length)];
        if (span !== undefined) this.#range(span.first, span.frames, s);
        continue;
      }
      const most = i % 2 === 0 ? s.count : Math.min(64, s.count);
      const units = 1 + chooser.index(most);
      this.#range(s.base + chooser.index(s.count - units + 1) * s.unit, units * s.unit, s);
    }
    return this.#part;
  }

  #begin(stratum: number): Stratum {
    const s = this.#strata[stratum] as Stratum;
    this.#stratum = stratum;
    this.#part = newPart();
    this.#ascending = false;
    this.#granule = 2 ** (s.tg - 12);
    this.#d.tg = s.tg;
    this.#d.leaves = s.leaves;
    this.#d.tables = s.tables;
    this.#judge.prepare(s.features, s.tg, s, this.#planner.promise);
    this.#poison();
    return s;
  }

  /** A planner that does not write every word must not live on what the plan before it wrote. */
  #poison(): void {
    this.#words.fill(POISON, 0, this.#written);
    this.#written = 0;
  }

  /** The hot loop: shorter ranges first, so that what is found first is the smallest of the part. The first range of each length finds poison. */
  #window(s: Stratum, from: number, to: number): void {
    const { features, base, unit, count } = s;
    const planner = this.#planner;
    const judge = this.#judge;
    const words = this.#words;
    const d = this.#d;
    let cases = 0;
    this.#ascending = true;
    for (let units = 1; units <= count - from; units += 1) {
      const frames = units * unit;
      const end = Math.min(to, count - units + 1);
      this.#poison();
      for (let at = from; at < end; at += 1) {
        const first = base + at * unit;
        d.first = first;
        d.last = first + frames - 1;
        const planned = planner.plan(d, features, words);
        if (planned * PAYLOAD_WORDS > this.#written) this.#written = planned * PAYLOAD_WORDS;
        const bad = judge.check(first, d.last, words, planned);
        if (bad !== 0) this.#note(bad);
      }
      cases += end - from;
    }
    this.#part.cases += cases;
  }

  #range(first: number, frames: number, s: Stratum): void {
    const d = this.#d;
    d.first = first;
    d.last = first + frames - 1;
    this.#part.cases += 1;
    this.#poison();
    const planned = this.#planner.plan(d, s.features, this.#words);
    this.#written = Math.max(0, planned * PAYLOAD_WORDS);
    const bad = this.#judge.check(first, d.last, this.#words, planned);
    if (bad !== 0) this.#note(bad);
  }

  #note(bad: number): void {
    const { first, last } = this.#d;
    const found: Found = { stratum: this.#stratum, first, last, granules: (last - first + 1) / this.#granule };
    BITS.forEach((bit, i) => {
      if ((bad & bit) !== 0 && isSmaller(found, this.#part.found[i] ?? null)) this.#part.found[i] = found;
    });
    if (this.#ascending && (bad & BAD.contiguous) !== 0) this.#judge.ignoreRuns(); // what comes later is larger
  }
}
