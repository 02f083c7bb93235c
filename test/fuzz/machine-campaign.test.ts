/** Machine campaigns: limits, counts, repeatability, failures and their shrinking, with a weakest machine that permits what it is told to. */
import test from 'ava';
import { readFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawMachineRun, machineCampaign, machineRun, newMachineResult, type MachineCampaignOptions, type MachineCampaignResult } from '../../src/fuzz/machine-campaign.js';
import { machineFailureCase, machineFailureRecord } from '../../src/fuzz/machine-failure.js';
import { shrinkMachine } from '../../src/fuzz/machine-shrink.js';
import { deleteItems } from '../../src/fuzz/delta.js';
import { MachineStore } from '../../src/fuzz/store.js';
import { decodeMachineCase } from '../../src/operations/machine-codec.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { failureBlock } from '../../src/report/failure.js';
import { Ledger } from '../../src/rules/ledger.js';
import { yesTwins } from './machine-rig.js';

function run(options: Partial<MachineCampaignOptions>): MachineCampaignResult {
  const result = newMachineResult();
  for (const _ of machineCampaign({ seed: 'c', twins: yesTwins(), ...options }, result)) void _;
  return result;
}

test('limits: runs, operations, one run', (t) => {
  const three = run({ runs: 3 });
  t.is(three.runs, 3);
  t.is(three.failures.length, 0);
  t.true(three.shortest > 0 && three.longest <= 120 && three.operations >= 3 * three.shortest);
  t.is(run({ operations: 150 }).operations, 150);
  const parts = [0, 1, 2].map((k) => run({ run: k }));
  t.is(parts.reduce((n, r) => n + r.operations, 0), three.operations);
});

test('everything is counted', (t) => {
  const r = run({ runs: 30 });
  t.is(Object.values(r.operationKinds).reduce((a, b) => a + b, 0), r.operations);
  t.true((r.answers['ok'] ?? 0) > 0 && (r.answers['F_TRANSLATION'] ?? 0) > 0);
  t.true(r.refused > 0);
  t.true(r.ledger.counts()['machine-refinement'].decided > 0);
});

test('a run made twice is the same', (t) => {
  const text = (): string[] => {
    const lines: string[] = [];
    machineRun({ seed: 'c', twins: yesTwins() }, 4, Infinity, newMachineResult(), (line) => lines.push(line));
    return lines;
  };
  t.true(text().length > 20);
  t.deepEqual(text(), text());
});

/** Privileged writes are forbidden. */
const FORBIDS = yesTwins((kind, t) => kind === 'access' && t.write && t.privileged);

test('a failure ends the campaign, or more of them with --keep-going; what failed is kept', (t) => {
  const one = run({ twins: FORBIDS });
  t.is(one.failures.length, 1);
  const [f] = one.failures;
  t.is(f?.violation.rule, 'machine-refinement');
  t.deepEqual(f?.operations, drawMachineRun('c', f?.run ?? -1).operations.slice(0, f?.operations.length));
  t.is(f?.operations.at(-1)?.op, 'access');
  t.is(run({ twins: FORBIDS, failuresMax: 3 }).failures.length, 3);
});

test('shrinking keeps rule and cause, ends 1-minimal, and the smallest form fails again', (t) => {
  const [f] = run({ twins: FORBIDS }).failures;
  if (f === undefined) return t.fail();
  let improved = 0;
  const small = shrinkMachine(f, f.violation, { twins: FORBIDS, improved: () => { improved += 1; } });
  t.true(small.minimal);
  t.is(small.accepted, improved);
  t.is(small.from, f.operations.length);
  t.true(small.operations.length <= 2 && small.operations.length >= 1);
  t.like(small.operations.at(-1), { op: 'access', write: true, privileged: true });
  const again = replayMachine(small.world, small.operations, { twins: FORBIDS }).violation;
  t.is(again?.cause, f.violation.cause);
  const none = shrinkMachine(f, f.violation, { twins: FORBIDS, budget: 0 });
  t.true(none.operations.length <= f.operations.length);
});

test('deleting items: pairs that need each other stay', (t) => {
  let list: readonly number[] = Array.from({ length: 40 }, (_, i) => i);
  const attempt = (shorter: readonly number[]): boolean => {
    if (!shorter.includes(7) || !shorter.includes(31)) return false;
    list = shorter;
    return true;
  };
  t.true(deleteItems(() => list, attempt, () => false));
  t.deepEqual(list, [7, 31]);
  t.false(deleteItems(() => list, attempt, () => true));
});

test('a failure is stored as found, while it is shrunk, and in its smallest form', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'smmucheck-machine-'));
  const [f] = run({ twins: FORBIDS }).failures;
  if (f === undefined) return t.fail();
  try {
    const store = new MachineStore(folder, f.violation, { seed: 'c', run: f.run });
    store.original(f, f.violation);
    const small = shrinkMachine(f, f.violation, { twins: FORBIDS, improved: (c, v) => { store.improved(c, v); } });
    const { file, fullFile } = store.finish(small, small.violation);
    t.is(readdirSync(join(folder, 'regressions', 'machine-refinement')).length, 2);
    t.deepEqual(decodeMachineCase(readFileSync(file, 'utf8'), 'x'), machineFailureCase(small, small.violation, { seed: 'c', run: f.run }));
    t.deepEqual(decodeMachineCase(readFileSync(fullFile ?? '', 'utf8'), 'x').operations, f.operations);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the report: rule, both sides, operations in words, and how to draw the run again', (t) => {
  const [f] = run({ twins: FORBIDS }).failures;
  if (f === undefined) return t.fail();
  const record = machineFailureRecord(f, f.violation, { seed: 'c', run: f.run }, { shrunk: null, file: 'a/b.json', fullFile: null, twins: FORBIDS });
  const text = failureBlock(record, { program: 'smmucheck', whole: true });
  t.regex(text, /^\[violation\] machine-refinement/);
  t.regex(text, /store +0x100000/);
  t.regex(text, /boot +streams 0x100000000 of/);
  t.regex(text, /access .* privileged write .*<-- differs/);
  t.regex(text, /SMMU 0: .*TLB of/);
  t.true(text.includes('replay     smmucheck replay a/b.json --diff'));
  t.true(text.includes(`smmucheck fuzz --machine-only --seed c --run ${f.run}`));
  t.is(new Ledger().counts()['stale-atc'].armed, 0);
});
