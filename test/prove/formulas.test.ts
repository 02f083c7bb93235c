/**
 * The formulas of the symbolic claims are what the planners calculate: for many thousands of descriptions the plan that the formula gives, evaluated
 * exactly, is the plan of the code, word for word. Lengths around 32 times a power of two are drawn most often: there SCALE changes.
 */
import test from 'ava';
import { findPlanner } from '../../src/parts/planners.js';
import { exactRanges, LOOP } from '../../src/prove/symbolic/exact.js';
import { MUTANTS } from '../../src/prove/symbolic/mutants.js';
import { doubleRange, doubleRangeCont, granuleBits, isDescription, RECIPE, singleRange, topLevel, widthOf, type PlanTerm, type Scope } from '../../src/prove/symbolic/planners.js';
import { descriptionOf, payloadsFor } from '../../src/prove/symbolic/question.js';
import { Evaluation } from '../../src/prove/symbolic/terms.js';
import { TGS } from '../../src/spec/granule.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { PAYLOAD_WORDS, WHOLE_TAG } from '../../src/stack/planner.js';

/** More rounds than any length needs. */
const ROUNDS = 11;
const FORMULAS: Readonly<Record<string, (s: Scope) => PlanTerm>> = {
  'single-range': (s) => singleRange(RECIPE, s),
  'double-range': (s) => doubleRange(RECIPE, s),
  'double-range-cont': (s) => doubleRangeCont(RECIPE, s),
  'exact-ranges': (s) => exactRanges(LOOP, s, ROUNDS).plan,
};
const CASES = 1500;

function number(c: RandomChooser, bits: number): bigint {
  const value = (BigInt(c.index(2 ** 32)) << 32n) | BigInt(c.index(2 ** 32));
  return BigInt.asUintN(bits, value);
}

/** A length and a start within the space of `s`, and bitmaps of its levels. */
function drawn(c: RandomChooser, s: Scope): Map<string, bigint> {
  const bits = granuleBits(s);
  const space = 1n << BigInt(bits);
  const most = 1 + c.index(bits);
  const near = (1n << BigInt(c.index(bits))) * (c.index(2) === 0 ? 32n : 1n) + BigInt(c.index(5) - 2);
  let count = c.index(2) === 0 ? near : number(c, most);
  if (count < 1n || count > space) count = 1n;
  let first = number(c, 1 + c.index(bits));
  if (c.index(3) === 0) first -= first % (1n << BigInt(c.index(24)));
  if (c.index(8) === 0 || first + count > space) first = space - count;
  const levels = 4 - topLevel(s.tg);
  const leaves = c.index(3) === 0 ? 0 : c.index(2) === 0 ? 1 << c.index(levels) : c.index(1 << levels);
  const tables = c.index(2) === 0 ? 0 : c.index(1 << levels) & ~1;
  return new Map([['first', first], ['count', count], ['leaves', BigInt(leaves === 0 && tables === 0 ? 1 : leaves)], ['tables', BigInt(tables)], ['ds', BigInt(c.index(2))]]);
}

/** What the code plans, as text. */
function coded(name: string, values: ReadonlyMap<string, bigint>, s: Scope, out: Uint32Array): string {
  const count = findPlanner(name)?.plan(descriptionOf(values, s), { range: true, ds: values.get('ds') === 1n }, out) ?? 0;
  return count === WHOLE_TAG ? 'whole tag' : Array.from({ length: count }, (_, i) => [...out.slice(i * PAYLOAD_WORDS, (i + 1) * PAYLOAD_WORDS)].join()).join(' ');
}

function calculated(plan: PlanTerm, values: ReadonlyMap<string, bigint>, s: Scope): string {
  const payloads = payloadsFor(plan, values, s);
  return payloads === null ? 'whole tag' : payloads.map((p) => p.join()).join(' ');
}

/** The first input for which two plans differ, in words. */
function difference(name: string, plan: PlanTerm, s: Scope, seed: string): string | null {
  const c = new RandomChooser(seed);
  const out = new Uint32Array(PAYLOAD_WORDS * 2 ** 10);
  const description = isDescription(s);
  for (let i = 0; i < CASES; i += 1) {
    const values = drawn(c, s);
    if (!new Evaluation(values, widthOf(s)).holds(description)) throw new Error(`not a description: ${[...values].join(' ')}`);
    const [code, formula] = [coded(name, values, s, out), calculated(plan, values, s)];
    // The order of the second and third command of a plan is nobody's business.
    if (code.split(' ').sort().join(' ') !== formula.split(' ').sort().join(' ')) return `${[...values].join(' ')}: ${code} and ${formula}`;
  }
  return null;
}

for (const [name, formula] of Object.entries(FORMULAS)) {
  for (const tg of TGS) {
    test(`${name}: the formula is the code, ${2 ** (tg - 10)}K granules`, (t) => {
      for (const addressBits of [52, 64]) {
        const s: Scope = { tg, addressBits };
        t.is(difference(name, formula(s), s, `${name} ${tg} ${addressBits}`), null);
      }
    });
  }
}

test('the inputs are good enough to tell every mutant of a formula from the code', (t) => {
  for (const m of MUTANTS) {
    const found = TGS.some((tg) => {
      const s: Scope = { tg, addressBits: 64 };
      const plan = m.planner === 'single-range' ? singleRange(m.recipes.ranges, s) : m.planner === 'double-range' ? doubleRange(m.recipes.ranges, s)
        : m.planner === 'double-range-cont' ? doubleRangeCont(m.recipes.ranges, s) : exactRanges(m.recipes.loop, s, ROUNDS).plan;
      return difference(m.planner, plan, s, 'mutants') !== null;
    });
    t.true(found, `${m.planner}+${m.name}`);
  }
});
