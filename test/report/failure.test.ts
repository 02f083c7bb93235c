/** The failure block, pinned. */
import test from 'ava';
import { failureBlock, fuzzCommand } from '../../src/report/failure.js';
import { RULES } from '../../src/rules/ledger.js';
import { RECORD } from './records.js';

const RULE = RULES.find((r) => r.id === 'stale-translation');

const BLOCK = `[violation] stale-translation  after 41,208 runs, 3,020,117 ops (18.4 s)
  rule       ${RULE?.claim}
             ${RULE?.source}
  cause      a level 3 leaf outlives its unmap
  expected   0x4000: F_TRANSLATION
  actual     SMMU 0 may still hold {asid 1 0x4000 -> 0x8000 level 3}
  because    op 3 made the entry stale
             no command went to SMMU 0 since
  verified   inserting TLBI_NH_VA removes the violation
  subject    the optimised stack with mutant missing-tlbi

  #  op                                         ref                    opt
  1  attach  device 0 to domain 0               ok                     ok
  2  map     domain 0  0x4000 -> 0x8000 +8K rw  ok                     ok
  3  unmap   domain 0  0x4000 +8K               ok                     ok
  4  sync    domain 0                           0x4000: F_TRANSLATION  (actual)  <-- differs

  world      SMMU 0: range, 16-bit asids 1..65535, queue of 256, event queue of 16, TLB of 64
             device 0 -> SMMU 0 stream 1
             domain 0 strict; 48-bit input, flush queue of 8, stores drain fifo
  size       shrunk 96 -> 4 ops (37 accepted of 412 tried, 1-minimal)
  saved      corpus/a.json  (as it was found: corpus/b.full.json)
             seed 0x5eed  run 41208  profile swarm

  replay     smmucheck replay corpus/a.json --diff
  as test    smmucheck show corpus/a.json --format test
  again      smmucheck fuzz --seed 0x5eed --profile swarm --mutant missing-tlbi --run 41208`;

test('the whole block', (t) => {
  const text = failureBlock(RECORD, { program: 'smmucheck', found: { runs: 41208, operations: 3_020_117, elapsedMs: 18_400 } });
  t.is(text, BLOCK);
});

test('1-minimal is claimed only when it is so', (t) => {
  const shrunk = { from: 9, tried: 4000, accepted: 1, minimal: false };
  t.regex(failureBlock({ ...RECORD, shrunk }, { program: 'x' }), /1 accepted of 4,000 tried, shrink budget spent, may be reducible/);
  t.regex(failureBlock({ ...RECORD, shrunk: null }, { program: 'x' }), /size +4 ops, not shrunk/);
});

test('no single command helps, or none was looked for', (t) => {
  const explanation = { because: [], verified: null, tried: 30 };
  t.regex(failureBlock({ ...RECORD, explanation }, { program: 'x' }), /verified +no single inserted command helps \(30 tried\)/);
  t.notRegex(failureBlock({ ...RECORD, explanation: { ...explanation, tried: 0 } }, { program: 'x' }), /verified|because/);
});

test('what broke at the end of the run or at reset is said so', (t) => {
  const rows = RECORD.rows.slice(0, 3);
  t.regex(failureBlock({ ...RECORD, operations: RECORD.operations.slice(0, 3), rows }, { program: 'x' }), /\(end of the run\) .*<-- differs/);
  t.regex(failureBlock({ ...RECORD, rows: [] }, { program: 'x' }), /\(reset\) .*<-- differs/);
  t.regex(failureBlock({ ...RECORD, operations: [], rows: [] }, { program: 'x' }), /\(reset or end of the run\) .*<-- differs/);
});

test('without a file and an origin there is nothing to call', (t) => {
  const text = failureBlock({ ...RECORD, file: null, fullFile: null, origin: null, mutant: null }, { program: 'x' });
  t.notRegex(text, /saved|replay {5}|again/);
  t.regex(text, /subject +the optimised stack as it is/);
});

test('the differing row is marked once', (t) => {
  t.is(failureBlock(RECORD, { program: 'x' }).split('<-- differs').length, 2);
});

test('a seed that a shell or the parser would misread is quoted', (t) => {
  t.is(fuzzCommand('smmucheck', { seed: '-a b', run: 3, profile: 'swarm' }, null), 'smmucheck fuzz --seed=\'-a b\' --profile swarm --run 3');
  t.is(fuzzCommand('smmucheck', { seed: 's', run: 3, profile: 'swarm', planner: 'double-range' }, 'm'), 'smmucheck fuzz --seed s --profile swarm --planner double-range --mutant m --run 3');
});
