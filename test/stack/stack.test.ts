/** The small helpers of the stack: page sizes, outcomes, descriptions, steps, violations, the smallest world. */
import test from 'ava';
import { describeDescription, levelBit, newDescription } from '../../src/stack/description.js';
import { cdFeatures, commandFeatures, steFeatures } from '../../src/stack/machine.js';
import { ERRORS, OPERATION_KINDS, PAGE_SIZES, pageSizeFor } from '../../src/stack/operation.js';
import { describeOutcome, newOutcome, OUTCOME_ABORT, sameOutcome, setAbort, setFault, setOk } from '../../src/stack/outcome.js';
import { runSteps } from '../../src/stack/steps.js';
import { RULE_IDS, Stuck, Unmodelled, violate, ViolationError } from '../../src/stack/violation.js';
import { DEFAULT_SMMU, PHYSICAL_FRAMES, smallWorld } from '../../src/stack/world.js';

const GB1 = 2 ** 30;
const MB2 = 2 ** 21;

/** iova, pa, bytes left, size. */
const SIZES: readonly [number, number, number, number][] = [
  [0, 0, GB1, GB1], [0, 0, GB1 - 1, MB2], [0, 0, MB2, MB2], [0, 0, MB2 - 4096, 4096], [MB2, 0, GB1, MB2], [0, MB2, GB1, MB2],
  [4096, 4096, GB1, 4096], [MB2, 4096, MB2, 4096], [GB1, 3 * GB1, 2 * GB1, GB1], [2 ** 47, 2 ** 43, GB1, GB1],
];

for (const [iova, pa, left, size] of SIZES) {
  test(`0x${iova.toString(16)} to 0x${pa.toString(16)}, ${left} bytes left: pages of ${size}`, (t) => {
    t.is(pageSizeFor(iova, pa, left), size);
  });
}

test('page sizes come largest first', (t) => {
  t.deepEqual(PAGE_SIZES, [GB1, MB2, 4096]);
});

test('outcomes: filled, compared and described', (t) => {
  const a = newOutcome();
  const b = newOutcome();
  t.is(a.kind, OUTCOME_ABORT);
  setOk(a, 7);
  setFault(b, 0x10);
  t.false(sameOutcome(a, b));
  t.deepEqual([describeOutcome(a), describeOutcome(b)], ['0x7000', 'F_TRANSLATION']);
  setOk(b, 8);
  t.false(sameOutcome(a, b));
  setOk(b, 7);
  t.true(sameOutcome(a, b));
  setFault(a, 0xee);
  t.is(describeOutcome(a), 'event 0xee');
  setFault(b, 0x13);
  t.false(sameOutcome(a, b));
  setAbort(a);
  t.is(describeOutcome(a), 'abort');
  t.true(sameOutcome(a, newOutcome()));
});

test('bit n of a bitmap stands for level 3 - n', (t) => {
  t.deepEqual([3, 2, 1, 0].map(levelBit), [1, 2, 4, 8]);
});

test('a description in words', (t) => {
  t.is(describeDescription({ ...newDescription(), first: 1, last: 2, leaves: 1, tables: 2 }), '0x1000..0x2fff leaves 0b1 tables 0b10');
  t.is(describeDescription({ ...newDescription(), all: true }), 'everything');
});

test('steps run to their end and return', (t) => {
  const seen: string[] = [];
  function* call(): Generator<string, number, undefined> {
    yield 'one';
    seen.push('after one');
    yield 'two';
    return 7;
  }
  t.is(runSteps(call()), 7);
  t.deepEqual(seen, ['after one']);
});

test('a violation is thrown with its evidence', (t) => {
  const v = { rule: 'isolation' as const, cause: 'c', expected: 'e', actual: 'a', because: [] };
  const error = t.throws(() => violate(v), { instanceOf: ViolationError, message: 'isolation: a' });
  t.is(error.violation, v);
});

test('the two other ends of a run say what they are', (t) => {
  t.is(new Unmodelled('PRI').what, 'PRI');
  t.regex(new Unmodelled('PRI').message, /not modelled: PRI/);
  t.regex(new Stuck('x').message, /no progress: x/);
});

test('lists are without doubles, every error says what to do', (t) => {
  t.is(new Set(RULE_IDS).size, RULE_IDS.length);
  t.is(new Set(OPERATION_KINDS).size, OPERATION_KINDS.length);
  for (const [code, text] of Object.entries(ERRORS)) t.true(text.length > 20, code);
});

test('what this path\'s SMMU has follows its configuration', (t) => {
  t.like(commandFeatures({ ...DEFAULT_SMMU, range: false, asidBits: 8 }), { range: false, asidBits: 8, stage1: true, stage2: false, ats: false });
  t.is(cdFeatures({ ...DEFAULT_SMMU, asidBits: 8 }).asidBits, 8);
  t.like(steFeatures(), { stage1: true, stage2: false, ssidBits: 0 });
});

test('the small world is small, and takes changes', (t) => {
  t.is(smallWorld().smmus.length, 1);
  t.is(smallWorld({ inputBits: 39 }).inputBits, 39);
  t.is(PHYSICAL_FRAMES, 2 ** 32);
});
