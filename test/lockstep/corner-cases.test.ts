/**
 * The corner cases on both whole machines: every right form passes every check, every wrong form breaks exactly its rule.
 */
import test from 'ava';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { DECIDED } from '../../src/operations/corner/cases.js';

for (const c of DECIDED) {
  test(`${c.number} ${c.slug}`, (t) => {
    const right = replayMachine(c.world, c.right);
    t.is(right.unmodelled, null);
    t.is(right.violation, null, `right, operation ${right.failedAt}`);
    const wrong = replayMachine(c.world, c.wrong);
    t.is(wrong.unmodelled, null);
    t.is(wrong.violation?.rule, c.rule, `wrong, operation ${wrong.failedAt}: ${wrong.violation?.actual ?? 'no violation'}`);
  });
}
