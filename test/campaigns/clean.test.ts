/** The real driver on the real machine: no profile finds anything, and nothing goes unjudged. */
import test from 'ava';
import { campaign, newResult, type CampaignResult } from '../../src/fuzz/campaign.js';
import { PROFILES } from '../../src/operations/profiles.js';
import { RULES } from '../../src/rules/ledger.js';
import { OPERATION_KINDS } from '../../src/stack/operation.js';

const SEED = 'clean';

/** Operations of each profile: some seconds each. */
const OPERATIONS: Readonly<Record<string, number>> = { swarm: 30_000, 's1-4k': 60_000, shared: 40_000, lazy: 60_000, tables: 40_000 };

const results = new Map<string, CampaignResult>();

for (const profile of PROFILES) {
  test.serial(`${profile.name}: clean`, (t) => {
    const result = newResult();
    for (const _ of campaign({ seed: SEED, profile, operations: OPERATIONS[profile.name] ?? 10_000 }, result)) void _;
    results.set(profile.name, result);
    t.deepEqual(result.failures.map((f) => [f.run, f.violation.rule, f.violation.cause]), []);
    t.deepEqual(result.unmodelled, []);
    t.is(result.operations, OPERATIONS[profile.name] ?? 10_000);
  });
}

test.serial('swarm: every rule about drivers was armed and decided, none violated', (t) => {
  const counts = results.get('swarm')?.ledger.counts();
  for (const { id } of RULES.filter((r) => r.where !== 'machine' && r.where !== 'system')) {
    t.true((counts?.[id].armed ?? 0) > 0, `${id} was never armed`);
    t.true((counts?.[id].decided ?? 0) > 0, `${id} was never decided`);
    t.is(counts?.[id].violated, 0, id);
  }
});

test.serial('noncoherent: the rules of cleaned tables were armed and decided, and lines were written back', (t) => {
  const result = results.get('noncoherent');
  const counts = result?.ledger.counts();
  for (const id of ['table-coherency', 'publication', 'clean-bound'] as const) t.true((counts?.[id].armed ?? 0) > 100 && (counts?.[id].decided ?? 0) > 100, id);
  t.true((result?.operationKinds.evict ?? 0) > 0);
});

test.serial('swarm: every kind of operation was run, and some were refused', (t) => {
  const swarm = results.get('swarm');
  for (const kind of OPERATION_KINDS) t.true((swarm?.operationKinds[kind] ?? 0) > 0, kind);
  t.true((swarm?.refused ?? 0) > 0);
});
