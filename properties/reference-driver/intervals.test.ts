/** Claim: the runs of the intent answer as a map from page to page does, whatever is added and removed. */
import test from 'ava';
import fc from 'fast-check';
import { Intervals, runGives, type Run } from '../../src/reference/driver/intervals.js';

interface Page { readonly pa: number; readonly unit: number; readonly writable: boolean; readonly start: number }

type Step = readonly [kind: 'add' | 'remove', first: number, units: number, unit: number, writable: boolean];
const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom('add' as const, 'remove' as const), fc.nat(30), fc.integer({ min: 1, max: 6 }), fc.constantFrom(1, 4), fc.boolean());

/** The runs and the plain map of pages beside them. */
class Twin {
  readonly runs = new Intervals();
  readonly pages = new Map<number, Page>();

  apply([kind, first, units, unit, writable]: Step): Run[] {
    const end = first + units * unit;
    const inside = [...this.pages.keys()].filter((f) => first <= f && f < end);
    if (kind === 'remove') {
      for (const f of inside) this.pages.delete(f);
      return this.runs.remove(first, end);
    }
    if (inside.length > 0) return [];
    this.runs.add({ first, end, pa: 1000 + first, unit, writable });
    for (let f = first; f < end; f += 1) this.pages.set(f, { pa: 1000 + f, unit, writable, start: first });
    return [];
  }
}

const SPAN = 60;

function agrees(twin: Twin): boolean {
  for (let f = 0; f < SPAN; f += 1) {
    const page = twin.pages.get(f);
    const run = twin.runs.at(f);
    if ((page === undefined) !== (run === undefined)) return false;
    if (page !== undefined && run !== undefined && (run.pa + f - run.first !== page.pa || run.unit !== page.unit || run.writable !== page.writable)) return false;
  }
  return twin.runs.runs.every((r, i) => r.first < r.end && (i === 0 || (twin.runs.runs[i - 1] as Run).end <= r.first));
}

test('at: the page, its size and its right', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
    const twin = new Twin();
    return steps.every((s) => {
      twin.apply(s);
      return agrees(twin);
    });
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 400, seed: 71 }); });
});

test('any and covers: some page, every page', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 25 }), fc.nat(50), fc.integer({ min: 1, max: 20 }), (steps, first, n) => {
    const twin = new Twin();
    for (const s of steps) twin.apply(s);
    const there = Array.from({ length: n }, (_, i) => twin.pages.has(first + i));
    return twin.runs.any(first, first + n) === there.includes(true) && twin.runs.covers(first, first + n) === !there.includes(false);
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 800, seed: 72 }); });
});

test('remove returns exactly what was there', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
    const twin = new Twin();
    return steps.every((s) => {
      const before = new Map(twin.pages);
      const taken = twin.apply(s);
      let n = 0;
      for (const r of taken) {
        for (let f = r.first; f < r.end; f += 1, n += 1) if (before.get(f)?.pa !== r.pa + (f - r.first)) return false;
      }
      return n === before.size - twin.pages.size || s[0] === 'add';
    });
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 400, seed: 73 }); });
});

test('cuts: an end of the range lies inside of an entry', (t) => {
  const property = fc.property(fc.array(step.filter((s) => s[0] === 'add'), { maxLength: 12 }), fc.nat(50), fc.integer({ min: 1, max: 20 }), (steps, first, n) => {
    const twin = new Twin();
    for (const s of steps) twin.apply(s);
    const inside = (f: number): boolean => {
      const page = twin.pages.get(f);
      return page !== undefined && (f - page.start) % page.unit !== 0;
    };
    return twin.runs.cuts(first, first + n) === (inside(first) || inside(first + n));
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 800, seed: 74 }); });
});

test('a snapshot restores what it was taken of', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 12 }), fc.array(step, { maxLength: 12 }), (before, after) => {
    const twin = new Twin();
    for (const s of before) twin.apply(s);
    const wanted = JSON.stringify(twin.runs.runs);
    const snapshot = twin.runs.snapshot();
    for (const s of after) twin.apply(s);
    twin.runs.restore(snapshot);
    return JSON.stringify(twin.runs.runs) === wanted;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 300, seed: 75 }); });
});

test('a run gives a range exactly when it gives each page of it', (t) => {
  const run: Run = { first: 10, end: 20, pa: 110, unit: 1, writable: true };
  const property = fc.property(fc.nat(30), fc.integer({ min: 1, max: 12 }), fc.integer({ min: -1, max: 1 }), fc.boolean(), fc.boolean(), (first, n, off, writable, asked) => {
    const pages = Array.from({ length: n }, (_, i) => first + i).every((f) => f >= 10 && f < 20);
    return runGives({ ...run, writable }, first, n, first + 100 + off, asked) === (pages && off === 0 && (writable || !asked));
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 1000, seed: 76 }); });
});
