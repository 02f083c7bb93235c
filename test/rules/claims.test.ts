/**
 * The ledger of the seeds' claims: every row once, what it names exists, and each line to break stands where it says, once. That the tests are
 * green and turn red is a campaign (test/campaigns/claims.test.ts).
 */
import test from 'ava';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { EXHAUSTIVE } from '../../src/prove/exhaustive.js';
import { claimDocuments, claimsBlock } from '../../src/report/claims.js';
import { isDecidedClaim, type Decision } from '../../src/rules/claim.js';
import { CLAIMS, CLAIMS_BY_SEED } from '../../src/rules/claims.js';
import { RULES } from '../../src/rules/ledger.js';
import { brokenSource } from '../campaigns/breaks.js';
import { ROOT } from '../cli/program.js';

/** Rows of each seed's table. */
const ROWS: readonly number[] = [35, 22, 22, 20, 33];

const DECISIONS: readonly Decision[] = CLAIMS.filter(isDecidedClaim).flatMap((c) => c.decidedBy);

test('every row of every seed stands there once, in order, with a claim of its own', (t) => {
  t.deepEqual(CLAIMS_BY_SEED.map((claims) => claims.map((c) => c.id)), ROWS.map((n, seed) => Array.from({ length: n }, (_, i) => `S${seed}-${i + 1}`)));
  t.is(new Set(CLAIMS.map((c) => c.claim)).size, CLAIMS.length);
});

test('every row of seed 0 is decided, or says why it is documentation only', (t) => {
  t.deepEqual(CLAIMS_BY_SEED[0]?.filter((c) => 'unbuilt' in c).map((c) => c.id), []);
  for (const c of CLAIMS) {
    if ('documentation' in c) t.true(c.documentation.length > 20, c.id);
    if (isDecidedClaim(c)) t.true(c.decidedBy.length > 0, c.id);
  }
});

test('every test file is there', (t) => {
  for (const d of DECISIONS) t.true(/^(test|properties)\/.*\.test\.ts$/.test(d.test) && existsSync(join(ROOT, d.test)), d.test);
});

test('every line to break stands in its file exactly once, and the break changes it', (t) => {
  for (const d of DECISIONS) {
    t.notThrows(() => brokenSource(d.broken));
    t.is(d.broken.line, d.broken.line.trim());
    t.not(d.broken.line, d.broken.replacement);
    t.true(d.broken.file.startsWith('src/'), d.broken.file);
  }
});

test('rules, mutants and proved claims that also decide are known by their names', (t) => {
  const known = new Set([...RULES.map((r) => `rule ${r.id}`), ...MUTANTS.map((m) => `mutant ${m.name}`), ...EXHAUSTIVE.map((c) => `prove ${c.id}`)]);
  for (const d of DECISIONS) for (const name of d.also ?? []) t.true(known.has(name), name);
});

test('the block: each form of a row, and the sums', (t) => {
  const broken = { file: 'src/a.ts', line: 'return 1;', replacement: '' };
  t.deepEqual(claimsBlock([
    { id: 'S9-1', claim: 'one', decidedBy: [{ test: 'test/a.test.ts', title: 'it holds', broken, also: ['rule isolation'] }] },
    { id: 'S9-2', claim: 'two', documentation: 'a name' },
    { id: 'S9-3', claim: 'three', unbuilt: true },
  ]).split('\n'), [
    'S9-1  one', '  test       test/a.test.ts: it holds', '  broken     src/a.ts: return 1;', '             → (left out)', '  also       rule isolation',
    'S9-2  two', '  no test    a name',
    'S9-3  three', '  not built yet',
    '3 claims: 1 decided by tests that a broken line turns red, 1 documentation only, 1 not built yet',
  ]);
});

test('JSON: an id, and what decides it or why nothing does', (t) => {
  for (const c of claimDocuments(CLAIMS)) t.is(['decidedBy', 'documentation', 'unbuilt'].filter((key) => key in c).length, 1);
});
