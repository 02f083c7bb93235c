/**
 * Claims: the real driver on the real machine breaks no rule under any sequence of operations, sensible or not; a run is
 * a function of its operations alone; and refused calls may be left out without changing what the others return.
 */
import test from 'ava';
import fc from 'fast-check';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import { replay } from '../../src/lockstep/replay.js';
import { operations as sequences, world } from './operations.js';

const sequence = sequences();

test('no sequence of operations breaks a rule', (t) => {
  const property = fc.property(world, sequence, (w, operations) => {
    const found = replay(w, operations);
    if (found.violation !== null) throw new Error(`${found.violation.rule}: ${found.violation.cause}`);
    return found.unmodelled === null;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 300, seed: 51 }); });
});

test('the same operations give the same rows and counts', (t) => {
  const property = fc.property(world, sequence, (w, operations) => {
    const once = replay(w, operations, {}, true);
    const twice = replay(w, operations, {}, true);
    return JSON.stringify(once.rows) === JSON.stringify(twice.rows);
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 50, seed: 52 }); });
});

test('leaving refused calls out changes nothing for the others', (t) => {
  const property = fc.property(world, sequence, (w, operations) => {
    const kept = operations.filter((o) => o.op !== 'fail-next-allocation');
    const rows = replay(w, kept, {}, true).rows.filter((r) => r.optimised === 'ok' || r.operation.op === 'access');
    const again = replay(w, rows.map((r) => r.operation), {}, true).rows;
    return JSON.stringify(again) === JSON.stringify(rows);
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 100, seed: 53 }); });
});

test('a refused call changes no word of memory', (t) => {
  const property = fc.property(world, sequence, (w, operations) => {
    const stack = new Lockstep(w);
    for (const op of operations) {
      const { cpu } = stack.driver.context;
      cpu.drainAll();
      const before = { lo: stack.memory.lo.slice(), hi: stack.memory.hi.slice() };
      const { result } = stack.step(op);
      if (result === 'ok' || op.op === 'access' || result === 'no-memory') continue; // without memory a gather may have been synced
      cpu.drainAll();
      if (before.lo.some((x, i) => stack.memory.lo[i] !== x) || before.hi.some((x, i) => stack.memory.hi[i] !== x)) return false;
    }
    return true;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 25, seed: 54 }); });
});
