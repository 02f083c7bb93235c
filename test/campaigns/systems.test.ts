/**
 * Campaigns of systems: the right driver is clean under every profile, with every rule of systems decided; and mutants of several classes are found, shrunk to ten
 * operations at the most, stored and replayed. (Every mutant has its case under corpus/regressions.)
 */
import test from 'ava';
import { newSystemResult, systemCampaign, type SystemCampaignResult, type SystemFailure } from '../../src/fuzz/system-campaign.js';
import { systemFailureCase } from '../../src/fuzz/system-failure.js';
import { shrinkSystem } from '../../src/fuzz/system-shrink.js';
import { replaySystem } from '../../src/lockstep/system-replay.js';
import { findMutant } from '../../src/mutants/mutants.js';
import { ALL_KINDS, decodeSystemCase, encodeSystemCase } from '../../src/operations/system-codec.js';
import { findSystemProfile, SYSTEM_PROFILES, type SystemProfile } from '../../src/operations/system-profiles.js';
import { SYSTEM_RULES } from '../../src/rules/ledger.js';

const OPERATIONS = 1500;
const results: SystemCampaignResult[] = [];

for (const profile of SYSTEM_PROFILES) {
  test.serial(`${profile.name}: clean`, (t) => {
    const result = newSystemResult();
    for (const _ of systemCampaign({ seed: 'clean', profile, operations: OPERATIONS }, result)) void _;
    results.push(result);
    t.deepEqual(result.failures.map((f) => [f.run, f.violation.rule, f.violation.cause]), []);
    t.deepEqual(result.unmodelled, []);
    t.is(result.operations, OPERATIONS);
  });
}

test.serial('every rule of systems was decided, none violated; every kind of operation was run', (t) => {
  for (const id of SYSTEM_RULES) {
    t.true(results.some((r) => r.ledger.counts()[id].decided > 0) || NEVER.includes(id), `${id} was never decided`);
    t.true(results.every((r) => r.ledger.counts()[id].violated === 0), id);
  }
  for (const kind of ALL_KINDS) if (kind !== 'evict') t.true(results.some((r) => (r.operationKinds[kind] ?? 0) > 0), kind);
});

/** Asked only when something of its kind happens: a valid entry replaced by another. */
const NEVER: readonly string[] = ['break-before-make', 'queue-integrity'];

for (const name of ['atc-beside-tlb', 'vmid-flushed-by-ipa', 'mm-atc-forgotten', 'stale-ste-bits', 'guest-vmid-kept']) {
  test.serial(`${name} is found, shrunk, stored and replayed`, (t) => {
    const profile = findMutant(name)?.profile ?? '';
    const result = newSystemResult();
    for (const _ of systemCampaign({ seed: '1', profile: findSystemProfile(profile) as SystemProfile, mutant: name, operations: 20_000 }, result)) void _;
    const failure = result.failures[0] as SystemFailure;
    t.not(failure, undefined, `not found within ${result.operations} operations`);
    const small = shrinkSystem(failure, failure.violation, { mutant: name });
    t.true(small.operations.length <= 10, `${small.operations.length} operations are left`);
    t.is(small.violation.cause, failure.violation.cause);
    const about = { mutant: name, origin: { seed: '1', run: failure.run, profile } };
    const read = decodeSystemCase(encodeSystemCase(systemFailureCase(small, small.violation, about)), name);
    t.is(replaySystem(read.world, read.operations, { mutant: name }).violation?.cause, small.violation.cause);
    t.is(replaySystem(read.world, read.operations).violation, null, 'clean without the mutant');
  });
}
