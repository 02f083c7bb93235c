/**
 * Sweep: each broken planner is refuted by the claim that is there for it; the planners as they are, in windows of every kind; the smallest
 * counterexample of what is known not to hold; and the same result however the parts are cut.
 */
import test from 'ava';
import { PLANNERS, findPlanner } from '../../src/parts/planners.js';
import { claimsOf, EXHAUSTIVE, isAbout } from '../../src/prove/exhaustive.js';
import { BAD } from '../../src/prove/judge.js';
import { allStrata, type Stratum } from '../../src/prove/strata.js';
import { BITS, mergePart, newPart, partsOf, Sweep, type Part } from '../../src/prove/sweep.js';
import { counterexampleOf, foundFor, Results, smallest, Work } from '../../src/prove/work.js';
import type { Planner } from '../../src/stack/planner.js';
import { BROKEN } from './broken.js';

/** A few strata of each place, with every combination of one leaf and one table level among them; windows of 50 units. */
function small(p: Planner): readonly Stratum[] {
  return allStrata(p.promise).filter((s) => s.place !== 'sizes').map((s) => ({ ...s, count: Math.min(s.count, 50) }));
}

function bitsOf(p: Planner, wanted: (s: Stratum) => boolean): number {
  const strata = small(p);
  const sweep = new Sweep(p, strata);
  const part = newPart();
  for (const [i, s] of strata.entries()) if (wanted(s)) mergePart(part, sweep.whole(i, 0));
  return BITS.reduce((bits, bit, i) => (part.found[i] === null ? bits : bits | bit), 0);
}

for (const broken of BROKEN) {
  test(`the broken planner ${broken.planner.name} is refuted`, (t) => {
    const bits = bitsOf(broken.planner, (s) => (s.place === 'any') === (broken.any === true));
    t.not(bits & broken.bit, 0, `bits ${bits}`);
  });
}

test('every bit of the judge has a broken planner for it, and a claim', (t) => {
  t.deepEqual([...new Set(BROKEN.map((b) => b.bit))].sort((a, b) => a - b), [...BITS]);
  for (const p of PLANNERS) t.deepEqual([...new Set(claimsOf(p).map((c) => c.bit))].sort((a, b) => a - b), [...BITS]);
});

/** What is known not to hold on ranges that gathers have, and on those that begin anywhere. */
const KNOWN: Readonly<Record<string, readonly [number, number]>> = {
  'per-granule': [0, 0], 'exact-ranges': [BAD.contiguous, BAD.coverage | BAD.contiguous | BAD.legality], 'single-range': [0, 0], 'double-range': [BAD.contiguous, 0], 'double-range-cont': [0, 0], 'whole-tag': [0, 0],
};

for (const p of PLANNERS) {
  test(`${p.name} as it is: what is expected, and nothing else`, (t) => {
    const cheap = (s: Stratum): boolean => p.name !== 'per-granule' || s.unit <= 16;
    t.is(bitsOf(p, (s) => s.place !== 'any' && cheap(s)), KNOWN[p.name]?.[0]);
    t.is(bitsOf(p, (s) => s.place === 'any'), KNOWN[p.name]?.[1]);
  });
}

test('the windows judge every start and length once', (t) => {
  const p = findPlanner('whole-tag') as Planner;
  const strata = allStrata(p.promise);
  const at = strata.findIndex((s) => s.place === 'low' && s.count === 4096);
  const sweep = new Sweep(p, strata);
  let cases = 0;
  for (let part = 0; part < partsOf(strata[at] as Stratum); part += 1) cases += sweep.whole(at, part).cases;
  t.is(cases, (4096 * 4097) / 2);
});

test('sizes beyond windows: the whole tag where a range cannot say it, never a hole', (t) => {
  for (const p of PLANNERS.filter((q) => q.name !== 'per-granule')) {
    const strata = allStrata(p.promise);
    const sweep = new Sweep(p, strata);
    for (const [i, s] of strata.entries()) {
      if (s.place !== 'sizes' || !s.features.range || i % 7 !== 0) continue;
      const { found } = sweep.whole(i, 0);
      t.deepEqual(found.map((f, bit) => (f === null || BITS[bit] === BAD.contiguous ? null : f)), BITS.map(() => null), `${p.name} ${JSON.stringify(s)}`);
    }
  }
});

test('what is known not to hold, with the smallest range that shows it', (t) => {
  const claim = EXHAUSTIVE.find((c) => c.id === 'contiguous/double-range');
  if (claim === undefined) return t.fail();
  const strata = allStrata(findPlanner('double-range')?.promise);
  const first = smallest(claim, { stratum: 0, first: 16, last: 99, granules: 84 }, true, strata.map((_, i) => i).filter((i) => strata[i]?.tg === 12 && strata[i].features.range && !strata[i].features.ds && strata[i].tables === 0));
  t.true(first.exact);
  const e = counterexampleOf(claim, first.found, first.exact);
  t.deepEqual([e.description.first, e.description.last, e.description.tg, e.description.leaves], [15, 47, 12, 1]);
  t.regex(e.actual, /level 3 contiguous run of 0x20000\.\.0x2ffff stays/);
  return undefined;
});

test('looking for a smaller one ends with what is known when it costs too much', (t) => {
  const claim = EXHAUSTIVE.find((c) => c.id === 'contiguous/double-range');
  if (claim === undefined) return t.fail();
  const known = { stratum: 0, first: 15, last: 47, granules: 33 };
  t.deepEqual(smallest(claim, known, false, undefined, 10), { found: known, exact: false });
  return undefined;
});

function plain(r: { readonly parts: readonly { readonly gathered: Part; readonly any: Part }[]; readonly shapes: Float64Array }): unknown {
  return { parts: r.parts, shapes: [...r.shapes.entries()].filter(([, n]) => n !== 0) };
}

test('a sample is the same however its items are cut, and another one for another seed', (t) => {
  const work = new Work({ planners: ['double-range'], all: false, cases: 40_000, seed: 'a' });
  const at = work.items.length / 2;
  const whole = work.run(0, work.items.length);
  const halves = new Results(1);
  halves.merge(work.run(at, work.items.length));
  halves.merge(work.run(0, at));
  t.deepEqual(plain(halves), plain(whole));
  t.true(whole.cases >= 40_000 && whole.cases < 45_000, String(whole.cases));
  const other = new Work({ planners: ['double-range'], all: false, cases: 40_000, seed: 'b' });
  t.notDeepEqual(plain(other.run(0, other.items.length)), plain(whole));
});

test('a claim is about its own ranges only', (t) => {
  const claims = claimsOf(findPlanner('exact-ranges') as Planner);
  const gathered = newPart();
  const any = newPart();
  any.found[BITS.indexOf(BAD.coverage)] = { stratum: 0, first: 0, last: 0, granules: 1 };
  const of = (what: string): unknown => foundFor(claims.find((c) => c.id === `${what}/exact-ranges`) as (typeof claims)[number], { gathered, any });
  t.is(of('coverage'), null);
  t.not(of('any-coverage'), null);
  t.true(isAbout({ any: null }, 'any') && isAbout({ any: null }, 'low') && !isAbout({ any: true }, 'low') && !isAbout({ any: false }, 'any'));
});
