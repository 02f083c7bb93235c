/** The identity of a case: pinned, and unmoved by what does not belong to it. */
import test from 'ava';
import { canonicalJson, caseId, CaseError, operationJson, type Case } from '../../src/operations/case.js';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import { smallWorld } from '../../src/stack/world.js';

const SMALL: Case = {
  schema: 1,
  kind: 'driver',
  world: smallWorld(),
  subject: { parts: { planner: 'linux', tags: 'linux' } },
  operations: [
    { op: 'attach', device: 0, to: 0 },
    { op: 'map', domain: 0, iova: 0x4000, pa: 0x8000, size: 0x2000, prot: 'rw' },
    { op: 'access', device: 0, stream: 0, iova: 0x4010, write: true },
    { op: 'unmap', domain: 0, iova: 0x4000, size: 0x2000 },
    { op: 'sync', domain: 0 },
  ],
  expect: { verdict: 'ok' },
  provenance: { seed: 'a', run: 3 },
};

test('the id of a small case is pinned', (t) => {
  t.is(caseId(SMALL), '598a75294e558f6f');
});

test('the id does not depend on provenance', (t) => {
  t.is(caseId({ ...SMALL, provenance: {} }), caseId(SMALL));
});

test('the id does not depend on the order of keys', (t) => {
  const turned: Case = {
    provenance: SMALL.provenance, expect: SMALL.expect,
    operations: SMALL.operations.map((o) => Object.fromEntries(Object.entries(o).reverse())) as unknown as Case['operations'],
    subject: { parts: { tags: 'linux', planner: 'linux' } },
    world: Object.fromEntries(Object.entries(SMALL.world).reverse()) as unknown as Case['world'],
    kind: 'driver', schema: 1,
  };
  t.is(caseId(turned), caseId(SMALL));
  t.is(encodeCase(turned).replace(/"provenance.*/, ''), encodeCase(SMALL).replace(/"provenance.*/, ''));
});

test('the id does not depend on how addresses were written', (t) => {
  const text = encodeCase(SMALL).replace('"iova":"0x4010"', '"iova":16400');
  t.is(caseId(decodeCase(text, 'x')), caseId(SMALL));
});

test('the id depends on everything else', (t) => {
  const others: Case[] = [
    { ...SMALL, world: smallWorld({ inputBits: 39 }) },
    { ...SMALL, subject: { parts: { planner: 'linux' } } },
    { ...SMALL, subject: { ...SMALL.subject, mutant: 'no-sync' } },
    { ...SMALL, operations: SMALL.operations.slice(1) },
    { ...SMALL, expect: { verdict: 'violation', rule: 'stale-walk' } },
    { ...SMALL, observed: [] },
    { ...SMALL, observed: [{ at: 2, pa: 0x8010 }] },
    { ...SMALL, observed: [{ at: 2, fault: 'F_TRANSLATION' }] },
    { ...SMALL, observed: [{ at: 2, bypass: true }] },
  ];
  t.is(new Set([SMALL, ...others].map(caseId)).size, others.length + 1);
});

test('canonical JSON sorts keys at every level and keeps arrays', (t) => {
  t.is(canonicalJson({ b: [2, { d: null, c: true }], a: 'x"' }), '{"a":"x\\"","b":[2,{"c":true,"d":null}]}');
});

test('a number that cannot be stored is refused with its place', (t) => {
  for (const size of [NaN, -1, 0.5, 2 ** 53, Infinity]) {
    const e = t.throws(() => operationJson({ op: 'unmap', domain: 0, iova: 0, size }, 7), { instanceOf: CaseError });
    t.regex(e.message, /^operations\[7\]\.size must be an integer from 0 to 2\^53 - 1/);
  }
});
