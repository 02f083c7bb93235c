/**
 * table-coherency, publication and clean-bound: broken by the smallest means, quiet on the right thing, and asked of cleaned domains only. And the other
 * rules on what the walker sees: without these three they find most of the same mistakes, later and in other words.
 */
import test, { type ExecutionContext } from 'ava';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import type { Operation } from '../../src/stack/operation.js';
import { smallWorld, type DomainConfig, type World } from '../../src/stack/world.js';
import type { RuleId } from '../../src/stack/violation.js';
import { access, after, alloc, attach, broken, counts, detach, flush, free, GB1, KB4, leafRef, map, MB2, smmu, sync, unmap, verdict } from './rig.js';

const CLEANED: DomainConfig = { mode: 'strict', managed: false, coherent: false };
const PLAIN: DomainConfig = { mode: 'strict', managed: false };
const NOT = smallWorld({ smmus: [smmu({ coherent: false })], domains: [CLEANED] });
const EAGER: World = { ...NOT, cleaner: 'eager' };
const OF_PAGES: World = { ...NOT, domains: [{ ...CLEANED, gather: 'io-pgtable' }] };
const MM: World = { ...NOT, domains: [{ ...CLEANED, gather: 'sva' }] };
const LAZY: World = { ...NOT, domains: [{ mode: 'lazy', managed: true, coherent: false }] };
/** SMMU 0 looks into the caches, SMMU 1 does not; domain 0 is for both, domain 1 for the first alone. */
const MIXED = smallWorld({
  smmus: [smmu(), smmu({ coherent: false })], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }], domains: [CLEANED, PLAIN],
});
const THREE: readonly RuleId[] = ['table-coherency', 'publication', 'clean-bound'];

const one = [attach(), map(0x5000, 0x70000)];
const gone = [...one, unmap(0x5000), sync()];

const BROKEN: readonly [RuleId, string, string, World, readonly Operation[]][] = [
  ['table-coherency', 'a level 3 leaf that the walker does not see', 'leaf-clean-missing', NOT, one],
  ['table-coherency', 'a level 3 leaf that the walker does not see', 'leaf-clean-missing', EAGER, one],
  ['table-coherency', 'a level 2 leaf that the walker does not see', 'leaf-clean-missing', NOT, [map(MB2, 8 * MB2, MB2)]],
  ['table-coherency', 'a level 1 leaf that the walker does not see', 'leaf-clean-missing', NOT, [map(GB1, 8 * GB1, GB1)]],
  ['table-coherency', 'a level 3 leaf that the walker does not see', 'leaf-clean-short', NOT, [map(0, 0x70000, 9 * KB4)]],
  ['table-coherency', 'a level 3 leaf that the walker does not see', 'sync-map-without-last-page', NOT, [map(0, 0x70000, 9 * KB4)]],
  ['table-coherency', 'what was taken away still stands for the walker', 'clear-not-cleaned', NOT, gone],
  ['table-coherency', 'what was taken away still stands for the walker', 'clear-not-cleaned', OF_PAGES, gone],
  ['table-coherency', 'what was taken away still stands for the walker', 'clear-not-cleaned', MM, gone.slice(0, -1)],
  ['table-coherency', 'what was taken away still stands for the walker', 'clear-not-cleaned', LAZY, [attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), flush()]],
  ['table-coherency', 'what was taken away still stands for the walker', 'clear-not-cleaned', OF_PAGES, [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), map(0, 8 * MB2, MB2)]],
  ['publication', 'a pointer is stored before its table is clean', 'new-table-not-cleaned', NOT, [map(0x5000, 0x70000)]],
  ['publication', 'a table is used before its pointer is clean', 'table-pointer-not-cleaned', NOT, [map(0, 0x70000), map(GB1 - MB2, 0x70000, 2 * MB2)]],
  ['publication', 'a table is used before its pointer is clean', 'clean-before-store', NOT, [map(0x5000, 0x70000)]],
  ['publication', 'a walker reaches a table that is not clean', 'root-not-cleaned', NOT, [attach()]],
  ['publication', 'tables that are never cleaned, behind a walker that is not coherent', 'coherent-domain-shared', MIXED, [attach(1, 1)]],
  ['clean-bound', 'a call cleans more lines than it touched', 'whole-table-cleaned', NOT, [map(0x5000, 0x70000)]],
];

for (const [rule, cause, mutant, world, operations] of BROKEN) {
  const name = `${rule}: ${mutant}, ${world.domains[0]?.gather ?? world.domains[0]?.mode} ${world.cleaner ?? ''} ${operations.map((op) => op.op).join()} ${cause}`;
  test(name, (t) => {
    const v = verdict(operations, world, mutant);
    t.is(v?.rule, rule);
    t.is(v?.cause, cause);
    t.true((v?.expected ?? '') !== '' && (v?.actual ?? '') !== '');
    if (mutant !== 'coherent-domain-shared') t.is(verdict(operations, world), null, 'clean without the mutant');
  });
}

test('an explanation names the store, its dirty line, and the clean that is missing', (t) => {
  const v = verdict(one, NOT, 'leaf-clean-missing');
  t.is(v?.actual, 'the level 3 leaf of 0x5000 is stored, its line is dirty, and the walker reads 0');
  t.regex(v?.because.join('\n') ?? '', /^the map stored the leaf of 0x5000 to 0x1000[0-9a-f]+028: .*dirty\nmissing: a clean of that line after the store, before the map returns/);
  t.regex(verdict(one, NOT, 'clean-before-store')?.because.join('\n') ?? '', /it was cleaned last before the store was in the cache/);
  t.regex(verdict(gone, NOT, 'clear-not-cleaned')?.actual ?? '', /^the level 3 descriptor of 0x5000 at 0x[0-9a-f]+ was cleared or replaced, its line is dirty, and the walker still reads 0x[0-9a-f]+ when its invalidation is issued$/);
});

test('a map judges each descriptor of its range, and a flush each one that was cleared', (t) => {
  const stack = after([map(0, 0x70000, 3 * KB4)], NOT);
  t.deepEqual(counts(stack, 'table-coherency'), { armed: 6, decided: 6, violated: 0 }); // three leaves, and one descriptor on each level above
  stack.step(unmap(KB4, KB4));
  stack.step(sync());
  t.is(counts(stack, 'table-coherency').decided, 7);
  t.true(counts(stack, 'publication').decided >= 3);
  t.is(counts(stack, 'clean-bound').decided, 2);
});

test('where every SMMU looks into the caches nothing is asked, cleaned or called', (t) => {
  for (const domains of [[PLAIN], [{ ...PLAIN, gather: 'io-pgtable' as const }], [{ ...PLAIN, gather: 'sva' as const }]]) {
    const stack = after([...gone, map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync()], smallWorld({ domains }));
    stack.close();
    t.is(stack.view, null);
    t.is(stack.driver.context.cpu.cleanCalls, 0);
    for (const rule of THREE) t.is(counts(stack, rule).armed, 0, rule);
  }
});

test('mixed: a domain for coherent SMMUs pays neither a clean nor a call, beside one that is cleaned', (t) => {
  const stack = after([attach(0, 0), attach(0, 1)], MIXED);
  const cpu = stack.driver.context.cpu;
  const before = [cpu.cleanCalls, stack.view?.cleans];
  for (const op of [map(0, 4 * MB2 + KB4, MB2, 'rw', 1), unmap(0, MB2, 1), sync(1)]) stack.step(op);
  stack.step(attach(1, 0));
  t.deepEqual([cpu.cleanCalls, stack.view?.cleans], before);
  stack.step(map(0, 0x70000));
  t.true(cpu.cleanCalls > (before[0] as number));
});

test('mixed: what is cleaned serves both kinds of SMMU; what is not, coherent ones alone', (t) => {
  const stack = after([], MIXED);
  const results = [attach(1, 1), attach(1, 0), attach(0, 0), attach(0, 1), attach('identity', 1), attach(1, 1)].map((op) => [stack.step(op).expected, stack.step({ op: 'sync', domain: 0 }).result]);
  t.deepEqual(results.map(([r]) => r), ['incompatible', 'ok', 'ok', 'ok', 'ok', 'incompatible']);
  stack.close();
});

test('mixed: devices behind both kinds see a cleaned domain alike, map and unmap', (t) => {
  const stack = after([attach(0, 0), attach(0, 1), map(0x5000, 0x70000, 2 * KB4)], MIXED);
  for (const device of [0, 1]) t.is(stack.step(access(0x6000, true, device)).outcome?.frame, 0x71);
  for (const op of [unmap(0x5000, 2 * KB4), sync(), access(0x5000, false, 0), access(0x5000, false, 1), detach(0), detach(1)]) stack.step(op);
  stack.close();
  t.pass();
});

/** Without the three rules: what the others say of what the walker sees. */
function unjudged(t: ExecutionContext, operations: readonly Operation[], world: World, mutant: string): string {
  const stack = new Lockstep(world, { mutant });
  (stack as { coherency: Lockstep['coherency'] }).coherency = null;
  if (stack.view !== null) stack.view.listener = null;
  stack.references.forEach((r, smmu) => { r.tables.listener = stack.leaves.listener(smmu); });
  const v = broken(() => { for (const op of operations) stack.step(op); });
  for (const rule of THREE) t.is(counts(stack, rule).violated, 0);
  return v === null ? 'nothing' : `${v.rule}: ${v.cause}`;
}

test('the other rules judge what the walker sees', (t) => {
  t.is(unjudged(t, gone, NOT, 'clear-not-cleaned'), 'stale-translation: memory still shows the SMMU what was taken away');
  t.is(unjudged(t, [...one, access(0x5000)], NOT, 'leaf-clean-missing'), 'translation-equivalence: an access may end in F_TRANSLATION');
  t.is(unjudged(t, [...one, access(0x5000)], NOT, 'table-pointer-not-cleaned'), 'translation-equivalence: an access may end in F_TRANSLATION');
  t.is(unjudged(t, [...one, access(0x5000)], NOT, 'leaf-clean-short'), 'translation-equivalence: an access may end in F_TRANSLATION');
  t.is(unjudged(t, [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync()], NOT, 'clear-not-cleaned'), 'use-after-free: a table that memory still points to');
});

test('a page that comes back as a table shows its old leaves until it is cleaned: no other rule would miss it', (t) => {
  const again = [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync(), map(MB2 + KB4, 0x70000)];
  t.regex(unjudged(t, again, NOT, 'new-table-not-cleaned'), /^isolation: a leaf that the domain does not map$/);
  t.is(verdict(again, NOT), null);
});

test('a refused map leaves nothing that the walker could take for a leaf', (t) => {
  const stack = after([attach(), { op: 'fail-next-allocation' }], NOT);
  t.is(stack.step(map(0, 0x70000)).result, 'no-memory');
  stack.step(map(MB2, 0x70000));
  stack.close();
  t.is(counts(stack, 'table-coherency').violated, 0);
});

test('lines that are written back by themselves break nothing, whatever they are', (t) => {
  for (let seed = 0; seed < 40; seed += 1) {
    for (const base of [NOT, EAGER, OF_PAGES, MM]) {
      const world = { ...base, eviction: { oneIn: 1 + (seed % 3), seed } };
      t.is(verdict([attach(), map(0, 4 * MB2 + KB4, MB2), { op: 'evict', line: seed }, unmap(0, MB2), sync(), map(0, 8 * MB2, MB2), access(0x5000), unmap(0, MB2), sync(), map(0x7000, 0x9000), detach()], world), null);
    }
  }
});

test('an early write-back never hides a missing clean of a new table', (t) => {
  let found = 0;
  for (let seed = 0; seed < 20; seed += 1) if (verdict([map(0x5000, 0x70000)], { ...NOT, eviction: { oneIn: 1, seed } }, 'new-table-not-cleaned')?.rule === 'publication') found += 1;
  t.is(found, 20);
});

test('lazy: cleared for the walker when the unmap returns, long before the flush', (t) => {
  const stack = after([attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000)], LAZY);
  t.true(counts(stack, 'table-coherency').decided >= 5);
  for (const op of [free(0x5000), flush()]) stack.step(op);
  stack.close();
});

test('a missing clean is found when the map returns, and when commands go out, not at the end of the run', (t) => {
  t.is(broken(() => { after([map(0x5000, 0x70000)], NOT, { mutant: 'leaf-clean-missing' }); })?.rule, 'table-coherency');
  const stack = after([attach(), map(0x5000, 0x70000), unmap(0x5000)], NOT, { mutant: 'clear-not-cleaned' });
  t.regex(broken(() => { stack.step(sync()); })?.actual ?? '', /when its invalidation is issued$/);
});

test('the end of a run compares every word of the tables, but for the bits that hardware ignores', (t) => {
  for (const [bit, cause] of [[55, undefined], [58, undefined], [54, 'a level 3 leaf that the walker does not see'], [59, 'a level 3 leaf that the walker does not see']] as const) {
    const stack = after([map(0x5000, 0x70000)], NOT);
    const ref = leafRef(stack, 0x5000);
    stack.memory.commit(ref, stack.memory.lo[ref] as number, ((stack.memory.hi[ref] as number) ^ (1 << (bit - 32))) >>> 0);
    t.is(broken(() => { stack.close(); })?.cause, cause, `bit ${bit}`);
  }
});
