/** Raw machine sequences: the two whole machines agree, and each planted bug of the concrete one is found. */
import test from 'ava';
import { machineCampaign, newMachineResult, type MachineCampaignResult } from '../../src/fuzz/machine-campaign.js';
import { shrinkMachine } from '../../src/fuzz/machine-shrink.js';
import type { Twins } from '../../src/lockstep/twins.js';
import { brokenTwins, MACHINE_BUGS } from '../fuzz/machine-mutants.js';

function run(runs: number, twins?: Twins, failuresMax = 1): MachineCampaignResult {
  const result = newMachineResult();
  for (const _ of machineCampaign({ seed: 'b', runs, failuresMax, ...(twins === undefined ? {} : { twins }) }, result)) void _;
  return result;
}

test.serial('the machines as they are: clean, and every kind of answer', (t) => {
  const result = run(150);
  t.deepEqual(result.failures.map((f) => [f.run, f.violation.cause, f.violation.expected, f.violation.actual]), []);
  t.deepEqual(result.unmodelled, []);
  for (const name of ['ok', 'abort', 'none', 'ca', 'F_TRANSLATION', 'F_PERMISSION', 'F_ACCESS', 'F_ADDR_SIZE', 'C_BAD_STE', 'C_BAD_CD', 'F_WALK_EABT']) t.true((result.answers[name] ?? 0) > 0, name);
  t.true(result.ledger.counts()['stale-event'].decided > 0);
});

for (const [name, bug] of MACHINE_BUGS) {
  test.serial(`found: ${name}`, (t) => {
    const twins = brokenTwins(bug);
    // A command that is illegal for its SMMU must raise an error, too: that is not what the bug is about.
    const found = run(400, twins, 10).failures.find((f) => f.violation.cause !== 'command error');
    if (found === undefined) return t.fail('no run shows it');
    t.is(found.violation.rule, 'machine-refinement');
    const small = shrinkMachine(found, found.violation, { twins, budget: 400 });
    t.true(small.operations.length < 30, String(small.operations.length));
    t.log(`run ${found.run}: ${found.violation.cause}: ${found.operations.length} -> ${small.operations.length}`);
  });
}
