/** Plan cases as data: the name is of everything but the provenance; written and read again they are the same; broken text ends in one sentence. */
import test from 'ava';
import { CaseError } from '../../src/operations/case.js';
import { planCaseId, type PlanCase } from '../../src/operations/plan-case.js';
import { decodePlanCase, encodePlanCase } from '../../src/operations/plan-codec.js';
import { decodeStored, encodeStored, sizeOf, storedId } from '../../src/operations/stored.js';

const CASE: PlanCase = {
  schema: 1, kind: 'plan', features: { range: true, ds: false, wholeRunOnly: true }, description: { tg: 12, first: 15, last: 47, leaves: 1, tables: 0, all: false },
  subject: { parts: { planner: 'double-range' } }, expect: { verdict: 'violation', rule: 'range-coverage' }, provenance: { claim: 'contiguous/double-range' },
};
const RAW: PlanCase = { ...CASE, subject: { parts: {}, payloads: [[0x1f000, 0, 0xfffff701, 0xffffffff], [0, 0, 1, 0]] }, expect: { verdict: 'ok' } };
const TOP: PlanCase = { ...CASE, description: { tg: 16, first: 2 ** 52 - 32, last: 2 ** 52 - 1, leaves: 2, tables: 4, all: false } };

const TEXT = `{
  "schema": 1,
  "kind": "plan",
  "features": {"range":true,"ds":false,"wholeRunOnly":true},
  "description": {"tg":12,"first":"0xf000","last":"0x2ffff","leaves":"0b1","tables":"0b0"},
  "subject": {"parts":{"planner":"double-range"}},
  "expect": {"verdict":"violation","rule":"range-coverage"},
  "provenance": {"claim":"contiguous/double-range"}
}
`;

test('the text of a case', (t) => {
  t.is(encodePlanCase(CASE), TEXT);
  t.true(encodePlanCase(RAW).includes('"payloads":[\n    ["0x1f000","0x0","0xfffff701","0xffffffff"],\n    ["0x0","0x0","0x1","0x0"]\n  ]'));
  t.true(encodePlanCase(TOP).includes('"first":"0xfffffffffffe0000","last":"0xffffffffffffffff"'));
});

test('what was written is read', (t) => {
  const whole: PlanCase = { ...RAW, subject: { parts: {}, payloads: 'whole-tag' } };
  const all: PlanCase = { ...CASE, description: { ...CASE.description, first: 0, last: 0, leaves: 0, all: true } };
  const formula: PlanCase = { ...RAW, subject: { parts: { planner: 'single-range' }, payloads: [[0, 0, 1, 0]] } };
  for (const c of [CASE, RAW, TOP, whole, all, formula]) {
    t.deepEqual(decodePlanCase(encodePlanCase(c), 'x'), c);
    t.deepEqual(decodeStored(encodeStored(c), 'x'), c);
    t.is(sizeOf(c), 0);
  }
});

test('the name is of everything but where it came from', (t) => {
  t.is(planCaseId(CASE), storedId({ ...CASE, provenance: {} }));
  const others: PlanCase[] = [
    RAW, TOP, { ...CASE, features: { ...CASE.features, ds: true } }, { ...CASE, description: { ...CASE.description, last: 48 } }, { ...CASE, subject: { parts: { planner: 'exact-ranges' } } }, { ...CASE, expect: { verdict: 'violation' } },
  ];
  t.is(new Set([CASE, ...others].map(planCaseId)).size, others.length + 1);
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['"tg":12', '"tg":13', /description\.tg must be 12 or 14 or 16/],
  ['"first":"0xf000"', '"first":"0xf001"', /first must be the first byte of a 4 KiB frame/],
  ['"last":"0x2ffff"', '"last":"0x2f000"', /last must be the last byte of a 4 KiB frame/],
  ['"last":"0x2ffff"', '"last":"0xfff"', /last must not be below first/],
  ['"tg":12', '"tg":16', /must be whole granules of 64K/],
  ['"last":"0x2ffff"', '"last":"0xffffffffffffffff"', /must lie in one half of the address space/],
  ['"leaves":"0b1"', '"leaves":"0b0"', /must name a level in leaves or in tables/],
  ['"leaves":"0b1"', '"leaves":"0b100000"', /must be a bitmap of at most five levels/],
  ['"leaves":"0b1"', '"leaves":7', /leaves must be a string/],
  ['"tables":"0b0"', '"tables":"0b1"', /no table descriptor stands at level 3/],
  ['"tables":"0b0"', '"tables":"0b0","x":1', /unknown key "x"/],
  ['{"planner":"double-range"}', '{}', /lacks the key "planner"/],
  ['{"planner":"double-range"}', '{"planner":"a","queue":"b"}', /unknown key "queue"/],
  ['{"parts":{"planner":"double-range"}}', '{"parts":{"planner":1},"payloads":[]}', /planner must be a string/],
  ['{"parts":{"planner":"double-range"}}', '{"parts":{},"payloads":[["0x0","0x0","0x0"]]}', /must have 4 to 4 entries/],
  ['{"parts":{"planner":"double-range"}}', '{"parts":{},"payloads":[["0x100000000","0x0","0x0","0x0"]]}', /must be a word of 32 bits/],
  ['"rule":"range-coverage"', '"rule":"accounting"', /expect\.rule must be "range-coverage"/],
  ['"verdict":"violation"', '"verdict":"ok"', /must be absent when the verdict is "ok"/],
  ['"wholeRunOnly":true', '"wholeRunOnly":1', /must be true or false/],
  ['"kind": "plan"', '"kind": "scenario"', /kind must be "driver" or "machine" or "plan"/],
];

for (const [from, to, message] of WRONG) {
  test(`refused: ${to}`, (t) => {
    t.true(TEXT.includes(from));
    const error = t.throws(() => decodeStored(TEXT.replace(from, to), 'x.json'), { instanceOf: CaseError, message });
    t.true(error?.message.startsWith('x.json: '));
  });
}

test('levels that the granule does not have are refused', (t) => {
  const text = encodePlanCase({ ...TOP, description: { ...TOP.description, tables: 16 } });
  t.throws(() => decodePlanCase(text, 'x'), { instanceOf: CaseError, message: /a level that this granule does not have/ });
});
