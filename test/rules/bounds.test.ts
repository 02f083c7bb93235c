/** Rules `over-invalidation` and `command-bound`, and `illegal-command` for what was planned. */
import test from 'ava';
import { granulesBeyond, judgeCommandBound, judgeLegality, judgeOverInvalidation, payloadError } from '../../src/rules/bounds.js';
import type { Planned } from '../../src/rules/coverage.js';
import { Ledger } from '../../src/rules/ledger.js';
import { judgePlan } from '../../src/rules/plan.js';
import type { Tg } from '../../src/spec/granule.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import { commandFeatures } from '../../src/stack/machine.js';
import { WHOLE_TAG, type PlannerPromise } from '../../src/stack/planner.js';
import { DEFAULT_SMMU } from '../../src/stack/world.js';
import { broken } from './rig.js';

/** One payload: frame, Leaf, TG, TTL, NUM, SCALE. */
type Payload = readonly [frame: number, leaf: number, tg?: number, ttl?: number, num?: number, scale?: number];

function words(...payloads: readonly Payload[]): Uint32Array {
  return Uint32Array.from(payloads.flatMap(([frame, leaf, tg = 0, ttl = 0, num = 0, scale = 0]) =>
    [(num << 12) | (scale << 20), 0, ((frame % 2 ** 20) * 4096 + leaf) | (ttl << 8) | (tg << 10), Math.floor(frame / 2 ** 20)]));
}

function d(first: number, last: number, tg: Tg = 12, leaves = 1): Description {
  return { ...newDescription(), tg, first, last, leaves };
}

function planned(what: Description, ...payloads: readonly Payload[]): Planned {
  return { smmu: 2, d: what, words: words(...payloads), count: payloads.length };
}

const PROMISE: PlannerPromise = { range: 1, single: 3, over: (n) => n / 16 };
const RANGE = commandFeatures(DEFAULT_SMMU);
const SINGLE = commandFeatures({ ...DEFAULT_SMMU, range: false });

/** What, description, payloads → granules beyond. */
const BEYOND: readonly [what: string, d: Description, payloads: readonly Payload[], granules: number][] = [
  ['an exact range', d(5, 36), [[5, 1, 1, 3, 31, 0]], 0],
  ['one page too many', d(0, 32), [[0, 1, 1, 3, 16, 1]], 1],
  ['a page below', d(5, 36), [[4, 1, 1, 3, 31, 0]], 1],
  ['both ends', d(5, 6), [[4, 1, 1, 3, 3, 0]], 2],
  ['a range that misses it all', d(5, 6), [[64, 1, 1, 3, 3, 0]], 4],
  ['two ranges, each for itself', d(0, 32), [[0, 1, 1, 3, 16, 1], [0, 1, 1, 3, 16, 1]], 2],
  ['single addresses inside', d(5, 6), [[5, 1], [6, 1]], 0],
  ['a single address outside', d(5, 6), [[7, 1]], 1],
  ['granules of 16K', d(0, 33 * 4 - 1, 14), [[0, 1, 2, 3, 16, 1]], 1],
  ['granules of 64K', d(0, 33 * 16 - 1, 16), [[0, 1, 3, 3, 16, 1]], 1],
  ['a range at the top, which ends there', d(2 ** 52 - 33, 2 ** 52 - 1), [[2 ** 52 - 33, 1, 1, 3, 16, 1]], 0],
  ['a range of the lower half, which ends with it', d(2 ** 43 - 33, 2 ** 43 - 1), [[2 ** 43 - 33, 1, 1, 3, 16, 1]], 0],
];

for (const [what, description, payloads, granules] of BEYOND) {
  test(`${what}: ${granules} granules beyond`, (t) => {
    t.is(granulesBeyond(description, words(...payloads), payloads.length), granules);
  });
}

test('a sixteenth is allowed with range support, one granule more is not', (t) => {
  const exact = planned(d(0, 32), [0, 1, 1, 3, 16, 1]);
  t.is(broken(() => { judgeOverInvalidation(new Ledger(), exact, PROMISE, true); }), null);
  const v = broken(() => { judgeOverInvalidation(new Ledger(), planned(d(0, 32), [0, 1, 1, 3, 17, 1]), PROMISE, true); });
  t.is(v?.rule, 'over-invalidation');
  t.is(v?.cause, 'more is reached than promised with range support');
  t.regex(v?.expected ?? '', /at most 2 granules beyond the 33/);
  t.regex(v?.actual ?? '', /SMMU 2, reaching 3 granules beyond/);
  t.regex(v?.because.join(' ') ?? '', /planned TLBI_NH_VA/);
});

test('without range support nothing beyond is allowed', (t) => {
  t.is(broken(() => { judgeOverInvalidation(new Ledger(), planned(d(5, 200), [5, 1], [201, 1]), PROMISE, false); })?.cause, 'more is reached than promised without range support');
});

test('the bound of commands is that of the SMMU', (t) => {
  const three = planned(d(5, 7), [5, 1], [6, 1], [7, 1]);
  const four = planned(d(5, 8), [5, 1], [6, 1], [7, 1], [8, 1]);
  t.is(broken(() => { judgeCommandBound(new Ledger(), three, PROMISE, false); }), null);
  const v = broken(() => { judgeCommandBound(new Ledger(), four, PROMISE, false); });
  t.is(v?.rule, 'command-bound');
  t.regex(v?.expected ?? '', /at most 3 commands/);
  t.regex(v?.actual ?? '', /4 commands for SMMU 2/);
  t.is(broken(() => { judgeCommandBound(new Ledger(), three, PROMISE, true); })?.cause, 'more commands than promised with range support');
});

test('what is decided: every plan with commands; the whole tag, everything and a candidate without a promise are not judged', (t) => {
  const ledger = new Ledger();
  const counted = (): number[] => (['range-coverage', 'illegal-command', 'over-invalidation', 'command-bound'] as const).map((id) => ledger.counts()[id].decided);
  judgePlan(ledger, planned(d(5, 6), [5, 1], [6, 1]), SINGLE, PROMISE);
  t.deepEqual(counted(), [1, 2, 1, 1]);
  judgePlan(ledger, { ...planned(d(5, 6)), count: WHOLE_TAG }, SINGLE, PROMISE);
  t.deepEqual(counted(), [2, 2, 1, 1]);
  judgePlan(ledger, { ...planned({ ...d(5, 6), all: true }), count: WHOLE_TAG }, SINGLE, PROMISE);
  t.deepEqual(counted(), [3, 2, 1, 1]);
  judgePlan(ledger, planned(d(5, 6), [5, 1], [6, 1]), SINGLE, undefined);
  t.deepEqual(counted(), [4, 4, 1, 1]);
});

/** Payload words → what is wrong with it. */
const WRONG: readonly [what: string, words: readonly number[], error: RegExp][] = [
  ['an opcode', [0x12, 0, 0x1001, 0], /bits outside/],
  ['a tag', [0, 0x70000, 0x1001, 0], /bits outside/],
  ['a reserved bit beside Leaf', [0, 0, 0x1003, 0], /bits outside/],
  ['a reserved bit above SCALE', [1 << 26, 0, 0x1401, 0], /bits outside/],
  ['NUM without TG', [1 << 12, 0, 0x1001, 0], /without TG/],
  ['TTL without TG', [0, 0, 0x1301, 0], /without TG/],
  ['the reserved zero range', [0, 0, 0x1401, 0], /reserved/],
  ['SCALE 32 without DS', [32 << 20, 0, 0x1701, 0], /SCALE 32/],
  ['an address that is not aligned to the level', [0, 0, 0x1601, 0], /not aligned/],
];

for (const [what, payload, error] of WRONG) {
  test(`a payload with ${what} is refused`, (t) => {
    t.regex(payloadError(Uint32Array.from(payload), 0, RANGE) ?? '', error);
  });
}

test('what is legal depends on the SMMU: ranges, DS', (t) => {
  const range = words([1, 1, 1, 3, 0, 0]);
  t.is(payloadError(range, 0, RANGE), undefined);
  t.regex(payloadError(range, 0, SINGLE) ?? '', /RIL is 0/);
  const wide = words([0, 1, 1, 3, 0, 32]);
  t.is(payloadError(wide, 0, commandFeatures({ ...DEFAULT_SMMU, ds: true })), undefined);
  t.regex(payloadError(wide, 0, RANGE) ?? '', /SCALE 32 is above 31/);
});

test('an illegal plan is told with the SMMU, the command and the gather', (t) => {
  const v = broken(() => { judgeLegality(new Ledger(), planned(d(5, 6), [5, 1], [5, 1, 1, 2, 0, 0]), RANGE); });
  t.is(v?.rule, 'illegal-command');
  t.regex(v?.cause ?? '', /^18:the address is not aligned/);
  t.regex(v?.actual ?? '', /^planned for SMMU 2: TLBI_NH_VA .* va 0x5000/);
  t.regex(v?.because.join(' ') ?? '', /the gather says 0x5000/);
});
