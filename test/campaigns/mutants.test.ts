/**
 * Every mutant that random sequences are meant to find: found by a campaign within the default budget, shrunk to a
 * handful of operations with rule and cause intact, and stored as a case that fails with the mutant and not without.
 */
import test from 'ava';
import { campaign, DEFAULT_BUDGET, newResult, type FoundFailure } from '../../src/fuzz/campaign.js';
import { failureCase } from '../../src/fuzz/failure.js';
import { shrink } from '../../src/fuzz/shrink.js';
import { replay } from '../../src/lockstep/replay.js';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import { findProfile } from '../../src/operations/profiles.js';

const SEED = '1';
const SHRUNK_MAX = 8;

for (const { name, found, profile = 'swarm' } of MUTANTS) {
  const family = findProfile(profile);
  if (found !== 'fuzz' || family === undefined) continue; // systems: systems.test.ts
  test.serial(`${name} is found, shrunk, stored and replayed`, (t) => {
    const result = newResult();
    for (const _ of campaign({ seed: SEED, profile: family, mutant: name }, result)) void _;
    t.is(result.failures.length, 1, `not found within ${result.operations} operations`);
    t.true(result.operations <= DEFAULT_BUDGET);
    const failure = result.failures[0] as FoundFailure;

    const small = shrink(failure, failure.violation, { mutant: name });
    t.true(small.operations.length <= SHRUNK_MAX, `${small.operations.length} operations are left`);
    t.is(small.violation.rule, failure.violation.rule);
    t.is(small.violation.cause, failure.violation.cause);

    const origin = { seed: SEED, run: failure.run, profile };
    const read = decodeCase(encodeCase(failureCase(small.world, small.operations, small.violation, name, origin)), name);
    const again = replay(read.world, read.operations, { mutant: name });
    t.is(again.violation?.rule, small.violation.rule);
    t.is(again.violation?.cause, small.violation.cause);
    t.is(replay(read.world, read.operations).violation, null, 'clean without the mutant');
    t.log(`${result.operations} operations, shrunk from ${failure.operations.length} to ${small.operations.length} in ${small.tried} runs: ${small.violation.rule}`);
  });
}
