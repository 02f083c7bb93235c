/**
 * Claim: every case that the types allow survives its text form exactly, its text does not depend on how the case
 * was built, its id is that of the read case, and no damaged text is anything but a CaseError or a case.
 */
import test from 'ava';
import fc from 'fast-check';
import { caseId, CaseError, type Case, type Observation } from '../../src/operations/case.js';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import type { Operation } from '../../src/stack/operation.js';
import { CLEANER_NAMES } from '../../src/stack/page-table.js';
import { RULE_IDS } from '../../src/stack/violation.js';
import type { World } from '../../src/stack/world.js';

const SEED = 20240611;

const index = fc.integer({ min: 0, max: 2 ** 31 });
const bytes = fc.maxSafeNat();

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constant('map' as const), domain: index, iova: bytes, pa: bytes, size: bytes, prot: fc.constantFrom('r' as const, 'rw' as const) }),
  fc.record({ op: fc.constantFrom('unmap' as const, 'iova-alloc' as const, 'iova-free' as const), domain: index, iova: bytes, size: bytes }),
  fc.record({ op: fc.constantFrom('sync' as const, 'flush-all' as const), domain: index }),
  fc.record({ op: fc.constant('attach' as const), device: index, to: fc.oneof(index, fc.constantFrom('identity' as const, 'blocked' as const)) }),
  fc.record({ op: fc.constant('detach' as const), device: index }),
  fc.record({ op: fc.constant('access' as const), device: index, stream: index, iova: bytes, write: fc.boolean() }),
  fc.constant({ op: 'fail-next-allocation' as const }),
  fc.record({ op: fc.constant('evict' as const), line: index }),
);

const smmu = fc.constantFrom(8 as const, 16 as const).chain((asidBits) => fc.record({
  range: fc.boolean(), asidBits: fc.constant(asidBits), asidMax: fc.integer({ min: 1, max: 2 ** asidBits - 1 }),
  coherent: fc.constant(false as const),
  queueLog2: fc.integer({ min: 3, max: 8 }), eventLog2: fc.integer({ min: 1, max: 7 }),
  tlbEntries: fc.integer({ min: 2, max: 12 }).map((n) => 2 ** n),
}, { requiredKeys: ['range', 'asidBits', 'asidMax', 'queueLog2', 'eventLog2', 'tlbEntries'] }));

const domain = fc.constantFrom(
  { mode: 'strict' as const, managed: false }, { mode: 'strict' as const, managed: true }, { mode: 'lazy' as const, managed: true },
  { mode: 'strict' as const, managed: false, gather: 'sva' as const }, { mode: 'lazy' as const, managed: true, gather: 'io-pgtable' as const },
  { mode: 'strict' as const, managed: true, gather: 'iommupt' as const },
  { mode: 'strict' as const, managed: false, coherent: false as const },
);

/** Streams are dealt from one shuffled deck per SMMU, so no StreamID is dealt twice. */
const world: fc.Arbitrary<World> = fc.array(smmu, { minLength: 1, maxLength: 8 }).chain((smmus) => fc.record({
  smmus: fc.constant(smmus),
  devices: fc.tuple(
    fc.shuffledSubarray(Array.from({ length: 64 }, (_, i) => i), { minLength: 64 }),
    fc.array(fc.tuple(fc.nat(smmus.length - 1), fc.integer({ min: 1, max: 4 })), { maxLength: 16 }),
  ).map(([deck, wishes]) => wishes.map(([at, count], i) => ({ smmu: at, streams: deck.slice(i * 4, i * 4 + count) }))),
  domains: fc.array(domain, { maxLength: 32 }),
  inputBits: fc.constantFrom(39 as const, 48 as const),
  flushQueue: fc.integer({ min: 1, max: 4096 }),
  storeOrder: fc.constantFrom('fifo' as const, 'reverse' as const),
  cleaner: fc.constantFrom(...CLEANER_NAMES), eviction: fc.record({ oneIn: fc.integer({ min: 1, max: 65536 }), seed: fc.nat(2 ** 31 - 1) }),
}, { requiredKeys: ['smmus', 'devices', 'domains', 'inputBits', 'flushQueue', 'storeOrder'] }));

const key = fc.string({ maxLength: 12 }).filter((k) => !['__proto__', 'constructor', 'prototype'].includes(k));
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
const text = fc.string({ unit: 'binary', maxLength: 20 });

const stored: fc.Arbitrary<Case> = fc.record({
  world, operations: fc.array(operation, { maxLength: 40 }),
  parts: fc.dictionary(key, text, { maxKeys: 5, noNullPrototype: true }), mutant: fc.option(text, { nil: undefined }),
  expect: fc.oneof(
    fc.constant({ verdict: 'ok' as const }), fc.constant({ verdict: 'violation' as const }),
    fc.record({ verdict: fc.constant('violation' as const), rule: fc.constantFrom(...RULE_IDS) }),
  ),
  seen: fc.option(fc.infiniteStream(fc.oneof(bytes, fc.constantFrom('F_TRANSLATION', 'F_PERMISSION', 'bypass', ''))), { nil: undefined }),
  provenance: fc.dictionary(key, fc.oneof(text, number), { maxKeys: 5, noNullPrototype: true }),
}).map(({ parts, mutant, seen, ...rest }) => ({
  schema: 1 as const, kind: 'driver' as const, ...rest,
  subject: mutant === undefined ? { parts } : { parts, mutant },
  ...(seen === undefined ? {} : { observed: observe(rest.operations, seen) }),
}));

function observe(operations: readonly Operation[], seen: Iterator<number | string>): Observation[] {
  const observed: Observation[] = [];
  operations.forEach((o, at) => {
    if (o.op !== 'access') return;
    const what = seen.next().value as number | string;
    if (typeof what === 'number') observed.push({ at, pa: what });
    else if (what === 'bypass') observed.push({ at, bypass: true });
    else if (what !== '') observed.push({ at, fault: what });
  });
  return observed;
}

test('a case survives its text form, and so does its id', (t) => {
  fc.assert(fc.property(stored, (c) => {
    const written = encodeCase(c);
    const read = decodeCase(written, 'x');
    t.deepEqual(read, c);
    t.is(encodeCase(read), written);
    t.is(caseId(read), caseId(c));
  }), { seed: SEED, numRuns: 300 });
});

test('damaged text gives a case or a CaseError that names the file in one line', (t) => {
  const damage = fc.record({ c: stored, at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(5), put: fc.string({ maxLength: 3 }) });
  fc.assert(fc.property(damage, ({ c, at, cut, put }) => {
    const written = encodeCase(c);
    const from = Math.floor(at * written.length);
    const broken = written.slice(0, from) + put + written.slice(from + cut);
    try {
      const read = decodeCase(broken, 'dir/x.json');
      t.deepEqual(decodeCase(encodeCase(read), 'x'), read);
    } catch (error) {
      if (!(error instanceof CaseError)) throw error;
      t.regex(error.message, /^dir\/x\.json: .+$/);
    }
  }), { seed: SEED, numRuns: 500 });
});

test('the scan and JSON.parse agree on what is JSON', (t) => {
  const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', '-0.5e3', 'null', ' ', '\n', '"\\n"', 'x', '"'), { maxLength: 9 });
  fc.assert(fc.property(fc.oneof(pieces.map((p) => p.join('')), fc.json({ maxDepth: 3 })), (source) => {
    let parsed = true;
    try { JSON.parse(source); } catch { parsed = false; }
    const error = t.throws(() => decodeCase(source, 'x'), { instanceOf: CaseError });
    t.is(!/not JSON|in the middle/.test(error.message), parsed, source);
  }), { seed: SEED, numRuns: 5000 });
});
