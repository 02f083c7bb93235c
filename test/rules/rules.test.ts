/** Every rule: broken by the smallest means, and quiet on the right thing. Also what the ledger counts. */
import test from 'ava';
import { RULES, Ledger } from '../../src/rules/ledger.js';
import { RULE_IDS, type RuleId } from '../../src/stack/violation.js';
import type { Operation } from '../../src/stack/operation.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { access, after, alloc, attach, broken, counts, detach, flush, KB4, map, MB2, smmu, sync, unmap, verdict } from './rig.js';

const PLAIN = smallWorld();
const SINGLES = smallWorld({ smmus: [smmu({ range: false })] });
const ONE_TAG = smallWorld({ smmus: [smmu({ asidMax: 1 })], devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }], domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
const TWO_DOMAINS = smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
const LAZY_ONE = smallWorld({ domains: [{ mode: 'lazy', managed: true }], flushQueue: 1 });
const LAZY = smallWorld({ domains: [{ mode: 'lazy', managed: true }] });
const SHARED = smallWorld({ smmus: [smmu(), smmu()], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }] });

/** Pages of 2 MB, so that their table goes when all are unmapped. */
const wholeTable: readonly Operation[] = [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync()];
const onePage: readonly Operation[] = [attach(), map(0x5000, 0x70000), unmap(0x5000), sync()];

/** Rule, cause, mutant, world, operations. */
const BROKEN: readonly [RuleId, string, string, World, readonly Operation[]][] = [
  ['stale-translation', 'a level 3 leaf outlives its unmap', 'missing-tlbi', PLAIN, onePage],
  ['stale-translation', 'a level 3 leaf outlives its unmap', 'wrong-asid', PLAIN, onePage],
  ['stale-translation', 'a level 3 leaf outlives its unmap', 'sync-missing', PLAIN, onePage],
  ['stale-translation', 'memory still shows the SMMU what was taken away', 'tlbi-before-store', PLAIN, onePage],
  ['stale-translation', 'a level 2 leaf outlives its unmap', 'missing-tlbi', PLAIN, [attach(), map(MB2, 8 * MB2, MB2), unmap(MB2, MB2), sync()]],
  ['stale-translation', 'a level 3 leaf outlives its unmap', 'one-smmu-forgotten', SHARED, [attach(0, 0), attach(0, 1), map(0x5000, 0x70000), unmap(0x5000), sync()]],
  ['stale-translation', 'memory still shows the SMMU what was taken away', 'tlbi-before-store', LAZY, [attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), { op: 'flush-all', domain: 0 }]],
  ['stale-translation', 'memory still shows the SMMU what was taken away', 'tlbi-before-store', LAZY_ONE, [attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), sync(), { op: 'iova-free', domain: 0, iova: 0x5000, size: KB4 }]],
  ['stale-walk', 'a cached table descriptor of a freed table', 'table-freed-before-sync', PLAIN, wholeTable],
  ['stale-walk', 'a cached table descriptor of a freed table', 'missing-tlbi', PLAIN, wholeTable],
  ['stale-configuration', 'an older STE outlives its CFGI and SYNC', 'cfgi-missing-after-ste', PLAIN, [attach('identity')]],
  ['stale-configuration', 'an older CD outlives its CFGI and SYNC', 'cfgi-missing-after-cd', TWO_DOMAINS, [attach(0), attach(1)]],
  ['stale-configuration', 'configuration from before reset', 'reset-without-cfgi-all', PLAIN, []],
  ['isolation', 'a tag is reused while facts of its old owner remain', 'asid-reused-without-flush', ONE_TAG, [attach(0), map(0x5000, 0x70000), detach(), attach(1)]],
  ['range-coverage', 'a level 3 leaf is not reached', 'last-page-dropped', SINGLES, [attach(), map(0x5000, 0x70000, 2 * KB4), unmap(0x5000, 2 * KB4), sync()]],
  ['range-coverage', 'a level 2 table is not reached', 'leaf-only-for-freed-table', PLAIN, wholeTable],
  ['range-coverage', 'a level 3 leaf is not reached', 'single-for-populated-table', SINGLES, wholeTable],
  ['range-coverage', 'everything was asked, a range was planned', 'flush-all-by-range', LAZY, [attach(), flush()]],
  ['over-invalidation', 'more is reached than promised with range support', 'scale-too-large', PLAIN, onePage],
  ['command-bound', 'more commands than promised without range support', 'singles-without-bound', SINGLES, [attach(), map(0x5000, 0x70000, 513 * KB4), unmap(0x5000, 513 * KB4), sync()]],
  ['illegal-command', '18:range fields are set and IDR#.RIL is # (§#.#.#.#)', 'range-without-support', SINGLES, onePage],
];

for (const [rule, cause, mutant, world, operations] of BROKEN) {
  test(`${rule}: ${mutant} breaks it in ${operations.length} operations (${cause})`, (t) => {
    const v = verdict(operations, world, mutant);
    t.is(v?.rule, rule);
    t.is(v?.cause, cause);
    t.true((v?.expected ?? '') !== '' && (v?.actual ?? '') !== '');
  });

  test(`${rule}: the same ${operations.length} operations are fine without ${mutant} on ${world.smmus.length} SMMUs (${cause})`, (t) => {
    t.is(verdict(operations, world), null);
  });
}

test('a mutant that sends nothing for leaves is caught at the sync, not before', (t) => {
  const stack = after(onePage.slice(0, -1), PLAIN, { mutant: 'missing-tlbi' });
  t.is(counts(stack, 'stale-translation').violated, 0);
  t.is(broken(() => { stack.step(sync()); })?.rule, 'stale-translation');
  t.is(counts(stack, 'stale-translation').violated, 1);
});

test('strict: mapping over what waits for its sync makes it due', (t) => {
  const stack = after([attach(), map(0x5000, 0x70000), unmap(0x5000)], PLAIN, { mutant: 'missing-tlbi' });
  t.is(broken(() => { stack.step(map(0x5000, 0x90000)); })?.rule, 'stale-translation');
});

test('lazy: due at the flush, which may come by itself', (t) => {
  const world = { ...LAZY, flushQueue: 1 };
  const before = [attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), sync()];
  const stack = after(before, world);
  t.is(counts(stack, 'stale-translation').decided, 0);
  stack.step({ op: 'iova-free', domain: 0, iova: 0x5000, size: KB4 });
  t.is(counts(stack, 'stale-translation').decided, 1);
});

test('stale-translation: each leaf that was taken away is armed once and decided once', (t) => {
  const stack = after([attach(), map(0x5000, 0x70000, 3 * KB4), unmap(0x5000, 3 * KB4)]);
  t.deepEqual(counts(stack, 'stale-translation'), { armed: 0, decided: 0, violated: 0 }); // the stores are still in the buffer
  stack.step(sync());
  t.deepEqual(counts(stack, 'stale-translation'), { armed: 3, decided: 3, violated: 0 });
  stack.step(sync());
  t.is(counts(stack, 'stale-translation').decided, 3);
});

test('unmapping what no device can see arms nothing', (t) => {
  const stack = after([map(0x5000, 0x70000), unmap(0x5000), sync()]);
  t.deepEqual(counts(stack, 'stale-translation'), { armed: 0, decided: 0, violated: 0 });
});

test('isolation is judged for each new leaf that a device can see', (t) => {
  const stack = after([attach()]);
  const before = counts(stack, 'isolation').decided;
  stack.step(map(0x5000, 0x70000, 3 * KB4));
  t.is(counts(stack, 'isolation').decided - before, 3);
});

test('a table is judged when a device first sees it', (t) => {
  const unseen = after([map(0x5000, 0x70000, 3 * KB4)]);
  t.is(counts(unseen, 'isolation').decided, 0);
  unseen.step(attach());
  t.true(counts(unseen, 'isolation').decided >= 3);
});

test('a sync with nothing gathered decides nothing about ranges', (t) => {
  t.is(counts(after([attach(), sync(), sync()]), 'range-coverage').decided, 0);
});

test('each access is judged once against the intent', (t) => {
  t.is(counts(after([attach(), map(0x5000, 0x70000), access(0x5000), access(0x6000)]), 'translation-equivalence').decided, 2);
});

test('every rule has a claim, a source and a cost, in the order of the list', (t) => {
  t.deepEqual(RULES.map((r) => r.id), [...RULE_IDS]);
  for (const r of RULES) t.true(r.claim !== '' && r.source !== '' && r.cost !== '', r.id);
});

test('the ledger adds up, by kind of count', (t) => {
  const a = new Ledger();
  const b = new Ledger();
  a.arm('progress', 2);
  a.judge('accounting');
  b.decide('progress');
  b.judge('progress', 3);
  t.is(broken(() => { b.fail('api-result', 'cause', 'expected', 'actual'); })?.rule, 'api-result');
  a.add(b);
  t.deepEqual(a.counts().progress, { armed: 5, decided: 4, violated: 0 });
  t.deepEqual(a.counts().accounting, { armed: 1, decided: 1, violated: 0 });
  t.deepEqual(a.counts()['api-result'], { armed: 0, decided: 0, violated: 1 });
});

test('a failed rule carries its place when it has one', (t) => {
  const ledger = new Ledger();
  const place = { smmu: 1, kind: 'leaf' as const, asid: 3 };
  t.deepEqual(broken(() => { ledger.fail('isolation', 'c', 'e', 'a', place); })?.fact, place);
  t.false('fact' in (broken(() => { ledger.fail('isolation', 'c', 'e', 'a'); }) ?? {}));
});
