/**
 * Sequences on one page table: the library as it is keeps every rule, in worlds of every kind; and every mutant is found by a short campaign and
 * shrunk to a handful of operations that fail with the mutant and not without.
 */
import test from 'ava';
import { newTableResult, TABLE_BUDGET, tableCampaign, type TableCampaignResult, type TableFailure } from '../../src/fuzz/table-campaign.js';
import { tableFailureCase } from '../../src/fuzz/table-failure.js';
import { shrinkTables } from '../../src/fuzz/table-shrink.js';
import { replayTables } from '../../src/lockstep/table-replay.js';
import { TABLE_MUTANTS } from '../../src/mutants/table-mutants.js';
import { decodeTableCase, encodeTableCase } from '../../src/operations/table-codec.js';
import { findTableProfile, type TableProfile } from '../../src/operations/table-worlds.js';
import { TABLE_RULES } from '../../src/rules/ledger.js';

const SEED = '8';
const SHRUNK_MAX = 8;
/** Evaluations of one shrink: enough for these. */
const SHRINK = 250;

function campaign(profile: string, limits: { readonly runs?: number; readonly mutant?: string }): TableCampaignResult {
  const result = newTableResult();
  for (const _ of tableCampaign({ seed: SEED, profile: findTableProfile(profile) as TableProfile, ...limits }, result)) void _;
  return result;
}

for (const [profile, runs] of [['any', 40], ['noncoherent', 10], ['dirty', 10], ['together', 15], ['runs', 8]] as const) {
  test.serial(`the library as it is: profile ${profile}`, (t) => {
    const result = campaign(profile, { runs });
    t.deepEqual(result.failures.map((f) => [f.run, f.violation.rule, f.violation.cause, f.violation.actual]), []);
    t.deepEqual(result.unmodelled, []);
    const counts = result.ledger.counts();
    // Written pages need a coherent walker that marks them: half of the other profiles' worlds at most, and these campaigns are short.
    const off: readonly string[] = profile === 'dirty' ? ['table-coherency', 'publication', 'clean-bound'] : profile === 'any' ? [] : ['dirty-tracking'];
    t.deepEqual(TABLE_RULES.filter((rule) => !off.includes(rule) && counts[rule].decided === 0), []);
    for (const code of ['ok', 'exists', 'not-mapped', 'invalid', 'F_TRANSLATION']) t.true((result.answers[code] ?? 0) > 0, code);
  });
}

for (const { name, profile = 'any' } of TABLE_MUTANTS) {
  test.serial(`${name} is found, shrunk, stored and replayed`, (t) => {
    const result = campaign(profile, { mutant: name });
    t.is(result.failures.length, 1, `not found within ${result.operations} operations`);
    t.true(result.operations <= TABLE_BUDGET);
    const failure = result.failures[0] as TableFailure;
    const small = shrinkTables(failure, failure.violation, { mutant: name, budget: SHRINK });
    t.true(small.operations.length <= SHRUNK_MAX, `${small.operations.length} operations are left`);
    const source = { mutant: name, origin: { seed: SEED, run: failure.run, profile } };
    const read = decodeTableCase(encodeTableCase(tableFailureCase(small, small.violation, source)), name);
    const again = replayTables(read.world, read.operations, { mutant: name });
    t.is(again.violation?.rule, failure.violation.rule);
    t.is(again.violation?.cause, failure.violation.cause);
    t.is(replayTables(read.world, read.operations).violation, null, 'clean without the mutant');
    t.log(`${result.operations} operations, shrunk from ${failure.operations.length} to ${small.operations.length}: ${small.violation.rule}: ${small.violation.cause}`);
  });
}
