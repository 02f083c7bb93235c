/**
 * The explorer: known counts on toys, the attach ∥ unmap scenario complete and clean, its two mutants found, and a
 * suspended call restored exactly.
 */
import test from 'ava';
import { explore, type Scenario } from '../../src/check/explore.js';
import { findScenario, SCENARIOS } from '../../src/check/scenarios.js';
import { smallWorld } from '../../src/stack/world.js';

/** Two CPUs that each call `sync` on an empty gather: two steps, no effect, nothing shared. */
const TOY: Scenario = {
  id: 'toy', about: 'two calls of two steps without effects', world: smallWorld(), before: [],
  threads: [[{ op: 'sync', domain: 0 }], [{ op: 'sync', domain: 0 }]],
};

const ATTACH_UNMAP = findScenario('attach-unmap') as Scenario;

test('without pruning two threads of two steps have C(4,2) = 6 executions', (t) => {
  const r = explore(TOY, { prune: false });
  t.is(r.executions, 6);
  t.true(r.complete);
});

test('with pruning they have 3 x 3 = 9 states and one end', (t) => {
  const r = explore(TOY);
  t.is(r.states, 9);
  t.is(r.executions, 1);
});

test('three threads of two steps have 6! / (2!)^3 = 90 executions', (t) => {
  const r = explore({ ...TOY, threads: [...TOY.threads, [{ op: 'sync', domain: 0 }]] }, { prune: false });
  t.is(r.executions, 90);
});

test('a bound on transitions makes the result incomplete, not clean', (t) => {
  const r = explore(ATTACH_UNMAP, { statesMax: 50 });
  t.false(r.complete);
  t.is(r.violation, null);
});

test('attach beside unmap keeps every rule in every order under a store buffer', (t) => {
  const r = explore(ATTACH_UNMAP);
  t.is(r.violation, null);
  t.true(r.complete);
  t.true(r.executions > 100, `${r.executions} ends`);
});

test('the array published after the STE leaves a stale leaf', (t) => {
  const r = explore(ATTACH_UNMAP, { mutant: 'publish-after-ste' });
  t.is(r.violation?.rule, 'stale-translation');
  t.true(r.path.includes('CPU1 read the array pointer'));
  t.false(r.path.includes('CPU0 publish the new array'), 'the pointer was read before it was published');
});

test('no full barrier before the array is read leaves a stale leaf', (t) => {
  const r = explore(ATTACH_UNMAP, { mutant: 'no-barrier-before-array' });
  t.is(r.violation?.rule, 'stale-translation');
  const published = r.path.indexOf('CPU0 publish the new array');
  const drained = r.path.lastIndexOf('CPU1 its oldest store becomes visible');
  t.true(published >= 0 && drained > published, 'the descriptor store drains after the array was published');
});

test('an ordinary mutant is found in the steps form as well', (t) => {
  const scenario: Scenario = {
    ...ATTACH_UNMAP,
    before: [...ATTACH_UNMAP.before, { op: 'attach', device: 0, to: 0 }],
    threads: [[{ op: 'unmap', domain: 0, iova: 0, size: 4096 }, { op: 'sync', domain: 0 }]],
  };
  t.is(explore(scenario).violation, null);
  t.is(explore(scenario, { mutant: 'missing-tlbi' }).violation?.rule, 'stale-translation');
});

test('pruning does not change the verdict: unmap alone, with and without', (t) => {
  const scenario: Scenario = {
    ...ATTACH_UNMAP,
    before: [...ATTACH_UNMAP.before, { op: 'attach', device: 0, to: 0 }],
    threads: [[{ op: 'unmap', domain: 0, iova: 0, size: 4096 }, { op: 'sync', domain: 0 }]],
  };
  const pruned = explore(scenario);
  const whole = explore(scenario, { prune: false });
  t.is(pruned.violation, whole.violation);
  t.true(pruned.complete && whole.complete);
  t.true(whole.executions >= pruned.executions);
});

test('exploring twice takes the same way: nothing outside the world decides', (t) => {
  const a = explore(ATTACH_UNMAP, { mutant: 'no-barrier-before-array' });
  const b = explore(ATTACH_UNMAP, { mutant: 'no-barrier-before-array' });
  t.deepEqual(a, b);
});

test('an unknown mutant is refused', (t) => {
  t.throws(() => explore(ATTACH_UNMAP, { mutant: 'nobody' }), { instanceOf: RangeError, message: /nobody/ });
});

test('scenarios have distinct names', (t) => {
  t.is(new Set(SCENARIOS.map((s) => s.id)).size, SCENARIOS.length);
});

const NOT_COHERENT = { ...ATTACH_UNMAP.world, smmus: ATTACH_UNMAP.world.smmus.map((s) => ({ ...s, coherent: false as const })), domains: [{ mode: 'strict' as const, managed: false, coherent: false as const }] };

/** A walker that is not coherent; one CPU maps a page, the other takes its neighbour away: both descriptors are in one line. */
const MAP_UNMAP: Scenario = {
  id: 'map-unmap', about: 'two calls whose descriptors share a line', world: NOT_COHERENT,
  before: [...ATTACH_UNMAP.before, { op: 'attach', device: 0, to: 0 }],
  threads: [
    [{ op: 'map', domain: 0, iova: 4096, pa: 0x6000 * 4096, size: 4096, prot: 'rw' }],
    [{ op: 'unmap', domain: 0, iova: 0, size: 4096 }, { op: 'sync', domain: 0 }],
  ],
};
/** A map that installs a table, alone. */
const INSTALL: Scenario = { ...MAP_UNMAP, before: [{ op: 'attach', device: 0, to: 0 }], threads: [MAP_UNMAP.threads[0] ?? []] };

test('not coherent: map beside unmap in one line keeps every rule in every order, with lines written back at any time', (t) => {
  const r = explore(MAP_UNMAP);
  t.is(r.violation, null);
  t.true(r.complete && r.executions >= 1 && r.states > 50, `${r.states} states`);
  t.true(explore(INSTALL).complete);
});

test('not coherent: pruning does not change the verdict', (t) => {
  for (const mutant of [undefined, 'table-pointer-not-cleaned', 'leaf-clean-missing']) {
    const options = mutant === undefined ? {} : { mutant };
    t.is(explore(INSTALL, options).violation?.cause, explore(INSTALL, { ...options, prune: false, statesMax: 100_000 }).violation?.cause, mutant);
  }
});

test('not coherent: mutants of cleans are found in the steps form', (t) => {
  const found = (mutant: string, scenario = MAP_UNMAP): string => explore(scenario, { mutant }).violation?.rule ?? 'nothing';
  t.is(found('leaf-clean-missing'), 'table-coherency');
  t.is(found('sync-map-without-last-page'), 'table-coherency');
  t.is(found('clear-not-cleaned'), 'isolation'); // the walker still finds the leaf in its view
  t.is(found('new-table-not-cleaned', INSTALL), 'publication');
  t.is(found('table-pointer-not-cleaned', INSTALL), 'publication');
});

test('not coherent: a line that the cache writes back is a way of its own', (t) => {
  const r = explore(INSTALL, { mutant: 'clean-before-store', prune: false });
  t.true(r.path.length > 0);
  t.is(r.violation?.rule, 'publication');
});
