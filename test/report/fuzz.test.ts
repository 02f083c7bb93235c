/** A campaign's summary as text and JSON, and the progress line. */
import test from 'ava';
import { commandKinds, fuzzBlock, fuzzJson, progressLine } from '../../src/report/fuzz.js';
import { OP } from '../../src/spec/command.js';
import { rulesWith, SUMMARY } from './records.js';

const BLOCK = `[ok] no violation  seed 0x5eed  18.4 s  1,200 runs  90,000 ops  4.8k ops/s
  run length   min 60  avg 75.0  max 500  profile swarm
  rules        18 of 18 decided; never armed: none; armed but never decided: none
  op kinds     map 50 %  unmap 44 %  sync 5.5 %  attach <0.1 %  refused calls 4.0 %
  commands     TLBI_NH_VA 75 %  SYNC 25 %
  mutant       none loaded (\`fuzz --mutant NAME\` shows that a seeded bug is found; \`rules --mutants\` names them)
  not covered  stage 2, nesting, ATS and PRI, PASID, 16K and 64K granules, contiguous entries,
               non-coherent walkers, two CPUs in the driver at once
  determinism  2/2 re-runs identical`;

test('a success, and what it does not cover', (t) => {
  t.is(fuzzBlock(SUMMARY), BLOCK);
});

test('rules that were never armed or never decided are named', (t) => {
  t.regex(fuzzBlock({ ...SUMMARY, rules: rulesWith('stale-walk', 0, 0) }), /17 of 18 decided; never armed: stale-walk; armed but never decided: none/);
  t.regex(fuzzBlock({ ...SUMMARY, rules: rulesWith('stale-walk', 3, 0) }), /17 of 18 decided; never armed: none; armed but never decided: stale-walk/);
});

test('the first word is the verdict', (t) => {
  const first = (change: Partial<typeof SUMMARY>): string => fuzzBlock({ ...SUMMARY, ...change }).split('  ')[0] ?? '';
  const failure = { id: 'a', rule: 'isolation', cause: 'c', operations: 4, shrunkFrom: 9, file: 'f' } as const;
  t.is(first({ found: 5, failures: [failure] }), '[violation] 5 failures found: 1 shown, 4 folded into them');
  t.is(first({ unmodelled: ['two-level stream tables'] }), '[inconclusive] something met is not modelled');
  t.is(first({ interrupted: 'SIGINT' }), '[inconclusive] no violation until SIGINT');
  t.is(first({ determinism: { identical: 1, checked: 2 } }), '[error] not deterministic');
  t.is(first({ replayed: { cases: 3, regressed: ['x.json: breaks isolation'] } }), '[violation] a case of the corpus regressed');
});

test('what is not modelled is named', (t) => {
  t.regex(fuzzBlock({ ...SUMMARY, unmodelled: ['two-level stream tables'] }), /unmodelled +two-level stream tables/);
});

test('a mutant that was not found is said so', (t) => {
  t.regex(fuzzBlock({ ...SUMMARY, mutant: 'wrong-asid' }), /wrong-asid loaded and NOT found/);
  t.regex(fuzzBlock({ ...SUMMARY, mutant: 'publish-after-ste', interleavingOnly: true }), /not found: it shows only when two CPUs interleave/);
});

test('JSON: the fields of the design; what depends on the machine is under timing', (t) => {
  const json = fuzzJson(SUMMARY);
  t.deepEqual(Object.keys(json), ['schema', 'verb', 'verdict', 'seed', 'profile', 'runs', 'operations', 'operationKinds', 'commandKinds', 'rules', 'failures', 'unmodelled', 'determinism', 'timing']);
  t.deepEqual(json['timing'], { elapsedMs: 18_400, operationsPerSecond: 4891 });
  const slower = fuzzJson({ ...SUMMARY, elapsedMs: 99_000 });
  t.deepEqual({ ...slower, timing: 0 }, { ...json, timing: 0 });
  t.is(fuzzJson({ ...SUMMARY, mutant: 'wrong-asid' })['mutant'], 'wrong-asid');
});

test('commands by name', (t) => {
  const counts = new Float64Array(256);
  counts[OP.SYNC] = 2;
  counts[0xff] = 1;
  t.deepEqual(commandKinds(counts), { SYNC: 2, '0xff': 1 });
});

test('the progress line', (t) => {
  t.is(progressLine({ verb: 'fuzz', elapsedMs: 12_000, runs: 31_400, operations: 2_328_000, rulesDecided: 12, rulesTotal: 13, failures: 0, rssBytes: 212 * 2 ** 20, seed: 's' }),
    'fuzz 00:12  runs 31.4k  ops 2.3M  194k/s  rules 12/13  fails 0  rss 212M  seed s');
});
