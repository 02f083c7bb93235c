/** Campaigns: what a seed determines, what limits a campaign, and what it counts. */
import test from 'ava';
import { campaign, DEFAULT_BUDGET, drawRun, newResult, type CampaignOptions, type CampaignResult } from '../../src/fuzz/campaign.js';
import { findProfile, type Profile } from '../../src/operations/profiles.js';
import { OPERATION_KINDS, type OperationKind } from '../../src/stack/operation.js';

const SWARM = findProfile('swarm') as Profile;

function run(options: Partial<CampaignOptions>, result = newResult()): CampaignResult {
  const all = { seed: '1', profile: SWARM, ...options };
  for (const _ of campaign(all, result)) void _;
  return result;
}

/** What a campaign did, as text. */
function summary(r: CampaignResult): string {
  return JSON.stringify([r.runs, r.operations, r.refused, r.shortest, r.longest, r.operationKinds, [...r.commands], r.ledger.counts(), r.failures, r.unmodelled]);
}

test('the same seed twice: the same operations, commands and counts', (t) => {
  t.is(summary(run({ runs: 8 })), summary(run({ runs: 8 })));
});

test('another seed is another campaign', (t) => {
  t.not(summary(run({ runs: 3 })), summary(run({ runs: 3, seed: '2' })));
});

test('run k alone is run k of the campaign', (t) => {
  const runs = Array.from({ length: 6 }, (_, k) => run({ run: k }));
  const whole = run({ runs: 6 });
  t.is(runs.reduce((sum, r) => sum + r.operations, 0), whole.operations);
  t.is(runs.reduce((sum, r) => sum + r.refused, 0), whole.refused);
  for (const kind of OPERATION_KINDS) t.is(runs.reduce((sum, r) => sum + r.operationKinds[kind as OperationKind], 0), whole.operationKinds[kind as OperationKind]);
  t.deepEqual([...runs.map((r) => [...r.commands]).reduce((sum, c) => sum.map((x, i) => x + (c[i] as number)))], [...whole.commands]);
  const sum = newResult().ledger;
  for (const r of runs) sum.add(r.ledger);
  t.deepEqual(sum.counts(), whole.ledger.counts());
});

test('run k alone finds what run k of the campaign finds', (t) => {
  const whole = run({ mutant: 'missing-tlbi' });
  const found = whole.failures[0];
  const alone = run({ mutant: 'missing-tlbi', run: found?.run ?? -1 });
  t.deepEqual(alone.failures, whole.failures);
});

test('a run is drawn from its seed and number alone', (t) => {
  const options = { seed: 'x', profile: SWARM };
  const { world, mix, operations } = drawRun(options, 5);
  drawRun(options, 4);
  const again = drawRun(options, 5);
  t.deepEqual([again.world, again.mix, again.operations], [world, mix, operations]);
  t.notDeepEqual(drawRun(options, 6).world, world);
});

test('a limit of operations is kept exactly, in the middle of a run', (t) => {
  for (const operations of [1, 77, 1000]) t.is(run({ operations }).operations, operations);
});

test('a limit of runs is kept', (t) => {
  const r = run({ runs: 4 });
  t.is(r.runs, 4);
  t.true(r.shortest <= r.longest && r.longest <= 500);
});

test('the whole budget is two million operations', (t) => {
  t.is(DEFAULT_BUDGET, 2_000_000);
});

test('the caller is asked after each run, and may stop', (t) => {
  const result = newResult();
  let asked = 0;
  for (const k of campaign({ seed: '1', profile: SWARM, runs: 50 }, result)) {
    t.is(k, asked);
    asked += 1;
    if (asked === 3) break;
  }
  t.is(result.runs, 3);
});

test('counts add up over campaigns into one result', (t) => {
  const result = newResult();
  run({ runs: 2 }, result);
  const first = result.operations;
  run({ runs: 2 }, result);
  t.is(result.operations, 2 * first);
  t.is(result.runs, 4);
});

test('the first failure ends a campaign, and is what the last operation did', (t) => {
  const r = run({ mutant: 'missing-tlbi' });
  t.is(r.failures.length, 1);
  t.is(r.ledger.counts()['stale-translation'].violated, 1);
  t.true((r.failures[0]?.operations.length ?? 0) > 0);
});

test('more failures are collected when asked for, one a run', (t) => {
  const r = run({ mutant: 'missing-tlbi', failuresMax: 3 });
  t.is(r.failures.length, 3);
  const runs = r.failures.map((f) => f.run);
  t.deepEqual([...new Set(runs)], runs);
});

test('operations of each kind add up to all operations', (t) => {
  const r = run({ runs: 6 });
  t.is(Object.values(r.operationKinds).reduce((a, b) => a + b, 0), r.operations);
});
