/** The block of `plan`: what is wrong with a plan is said in its row. */
import test from 'ava';
import { planSheet } from '../../src/compare/plan-sheet.js';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { planBlock } from '../../src/report/plan.js';
import { newDescription } from '../../src/stack/description.js';
import type { Planner } from '../../src/stack/planner.js';

const D = { ...newDescription(), first: 0, last: 32, leaves: 1 };
const FEATURES = { range: true, ds: false };

function broken(change: (out: Uint32Array) => number): Planner {
  return { ...SINGLE_RANGE, name: 'broken', plan: (d, f, out) => (SINGLE_RANGE.plan(d, f, out), change(out)) };
}

function wrong(change: (out: Uint32Array) => number): string | null {
  return planSheet(broken(change), D, FEATURES).wrong;
}

test('a right plan has nothing wrong, and reaches one granule too far', (t) => {
  const sheet = planSheet(SINGLE_RANGE, D, FEATURES);
  t.is(sheet.wrong, null);
  t.is(sheet.beyond, 1);
});

test('a page that is not reached', (t) => {
  t.is(wrong((out) => { out[0] = (15 << 12) | (1 << 20); return 1; }), 'the level 3 leaf at 0x20000 is not reached');
  t.is(wrong(() => 0), 'the level 3 leaf at 0x0 is not reached');
});

test('a reserved command', (t) => {
  t.regex(wrong((out) => { out[4] = 0; out[6] = 1 | (1 << 10); out[7] = 0; return 2; }) ?? '', /^command 1: NUM, SCALE and TTL are all zero/);
});

test('more commands than promised, and further than promised', (t) => {
  t.is(wrong((out) => { out.copyWithin(4, 0, 4); return 2; }), '2 commands, where broken promises at most 1');
  t.is(wrong((out) => { out[0] = (31 << 12) | (1 << 20); return 1; }), '31 granules too far, where broken promises at most 2.0625');
});

test('below the range counts as well', (t) => {
  const d = { ...newDescription(), first: 4, last: 7, leaves: 1 };
  const planner: Planner = { ...SINGLE_RANGE, plan: (_d, f, out) => SINGLE_RANGE.plan({ ...d, first: 2, last: 9 }, f, out) };
  t.is(planSheet(planner, d, FEATURES).beyond, 4);
});

test('the row says it', (t) => {
  t.regex(planBlock(D, [planSheet(broken(() => 0), D, FEATURES)]), /^ {2}broken +0 +- +nothing +0 +WRONG: the level 3 leaf at 0x0 is not reached$/m);
});
