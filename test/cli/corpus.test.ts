/** corpus, rules, decode, doctor and bench. */
import concurrent from 'ava';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { campaign, newResult } from '../../src/fuzz/campaign.js';
import { PLANNERS } from '../../src/parts/planners.js';
import { drawScript, hitBench, lockstepSide, optimisedSide, planBench, referenceSide, walkBench } from '../../src/cli/bench-sides.js';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { caseId } from '../../src/operations/case.js';
import { decodeCase } from '../../src/operations/codec.js';
import { findProfile, type Profile } from '../../src/operations/profiles.js';
import { RULE_IDS } from '../../src/stack/violation.js';
import { BROKEN, contents, document, folder, GOOD, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

test('add puts a case where it belongs, once', async (t) => {
  const at = folder();
  const path = store(folder(), 'a.json', BROKEN);
  const to = join('regressions', 'stale-translation', `${caseId(BROKEN)}.json`);
  t.is((await run(['corpus', 'add', path, '--corpus', at])).stdout, `added ${join(at, to)}\n`);
  t.deepEqual(contents(at), { [to]: readFileSync(path, 'utf8') });
  t.regex((await run(['corpus', 'add', path, '--corpus', at])).stdout, /is there already/);
  await run(['corpus', 'add', store(folder(), 'a.json', GOOD), '--corpus', at]);
  t.true(Object.hasOwn(contents(at), join('regressions', 'ok', `${caseId(GOOD)}.json`)));
});

test('list and verify; a file that is named otherwise than its case', async (t) => {
  const at = folder();
  mkdirSync(join(at, 'regressions'));
  store(join(at, 'regressions'), `${caseId(BROKEN)}.json`, BROKEN);
  const list = await run(['corpus', 'list', '--corpus', at]);
  t.regex(list.stdout, new RegExp(`${caseId(BROKEN)} {2}ok \\(stale-translation\\) +5 {2}missing-tlbi {2}.*\n1 case\n$`));
  const good = await run(['corpus', 'verify', '--corpus', at]);
  t.is(good.code, 0, good.stdout);
  store(join(at, 'regressions'), 'other.json', GOOD);
  const bad = await run(['corpus', 'verify', '--corpus', at, '--json']);
  t.is(bad.code, 4);
  t.like(document(bad), { verb: 'corpus', verdict: 'violation', cases: 2 });
  t.regex(bad.stdout, new RegExp(`should be called ${caseId(GOOD)}\\.json`));
});

test('minimise names what a smaller case stands for, and removes it only with --yes', async (t) => {
  const at = folder();
  const small = { ...BROKEN, operations: BROKEN.operations.slice(0, 4) };
  store(at, 'big.json', BROKEN);
  store(at, 'small.json', small);
  store(at, 'other.json', { ...BROKEN, provenance: { rule: 'isolation', cause: 'x' } });
  const would = await run(['corpus', 'minimise', '--corpus', at]);
  t.regex(would.stdout, /^would remove .*big\.json \(5 ops\): [0-9a-f]{16} has 4 and the same rule and cause\n1 case would go; --yes removes them\n$/);
  t.is(Object.keys(contents(at)).length, 3);
  await run(['corpus', 'minimise', '--yes', '--corpus', at]);
  t.deepEqual(Object.keys(contents(at)).sort(), ['other.json', 'small.json']);
});

test('merge copies what is not there yet', async (t) => {
  const at = folder();
  const other = folder();
  store(at, 'a.json', GOOD);
  store(other, 'same.json', GOOD);
  store(other, 'new.json', BROKEN);
  const e = await run(['corpus', 'merge', other, '--corpus', at]);
  t.regex(e.stdout, /\n1 case added, 1 there already\n$/);
  t.deepEqual(Object.keys(contents(at)).sort(), ['a.json', join('regressions', 'stale-translation', `${caseId(BROKEN)}.json`)]);
  t.regex((await run(['corpus', 'merge', other, '--corpus', at])).stdout, /^0 cases added, 2 there already\n$/);
});

test('import: a recording becomes a workload, with the counts of its events; what is none is refused', async (t) => {
  const at = folder();
  const lines = [{ ev: 'meta', format: 'smmu-capture/1', kernel: '6.x' }, { ev: 'frob' }];
  const path = join(at, 'tiny.jsonl');
  writeFileSync(path, lines.map((l) => JSON.stringify(l)).join('\n'));
  const e = await run(['corpus', 'import', path, '--out', join(at, 'out')]);
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /^imported .*tiny\.json: 0 ops from 2 events\n/);
  t.regex(e.stdout, /events unknown\n {4}1 {2}frob/);
  const stored = decodeCase(readFileSync(join(at, 'out', 'tiny.json'), 'utf8'), 'x');
  t.is(stored.provenance['source'], 'tiny.jsonl');
  writeFileSync(join(at, 'bad.jsonl'), '{"ev":"meta"}\n');
  const bad = await run(['corpus', 'import', join(at, 'bad.jsonl'), '--out', join(at, 'no')]);
  t.is(bad.code, 64);
  t.regex(bad.stderr, /bad\.jsonl:1: the first line must be/);
  t.false(Object.keys(contents(at)).some((f) => f.startsWith('no')));
});

test('rules: all of them, counts when asked, mutants', async (t) => {
  const json = document(await run(['rules', '--json', '--run-ops', '300']));
  const rules = json['rules'] as readonly { readonly id: string; readonly armed: number }[];
  t.deepEqual(rules.map((r) => r.id), [...RULE_IDS]);
  t.true(rules.every((r) => Number.isInteger(r.armed)));
  t.false((await run(['rules'])).stdout.includes('armed'));
  const mutants = (await run(['rules', '--mutants'])).stdout;
  for (const m of MUTANTS) t.true(mutants.includes(`\n${m.name} `));
});

test('rules --corner-cases: every number, with its rule or why it is not decided', async (t) => {
  const cases = document(await run(['rules', '--corner-cases', '--json']))['cornerCases'] as readonly { readonly number: number; readonly rule?: string; readonly outOfScope?: string }[];
  t.deepEqual(cases.map((c) => c.number), Array.from({ length: 101 }, (_, i) => i + 1));
  t.true(cases.every((c) => (c.rule === undefined) !== (c.outOfScope === undefined)));
  const text = (await run(['rules', '--corner-cases'])).stdout;
  t.regex(text, /\n 38 {2}stale-translation +TLBI_S2_IPA and TLBI_NH_ALL without a CMD_SYNC between/);
  t.regex(text, /\n 76 {2}- +not decided: stalled transactions/);
});

test('decode: 64-bit and 32-bit words are the same command', async (t) => {
  const a = await run(['decode', '0x0007000000000012', '0x4001']);
  t.is(a.code, 0);
  t.regex(a.stdout, /^TLBI_NH_VA vmid 0 asid 7 va 0x4000 leaf\n/);
  t.is((await run(['decode', '18', '0x70000', '0x4001', '0'])).stdout, a.stdout);
  t.regex((await run(['decode', '--ste', '0xb', ...'0000000'])).stdout, /^STE: stage1\n/);
  t.regex((await run(['decode', '--cd', ...'00000000'])).stdout, /^CD: asid 0, illegal/);
  t.regex((await run(['decode', '--event', '0x100000010', '0x800000000', '0x4000', '0'])).stdout, /^F_TRANSLATION sid 1 read 0x4000\n/);
  t.like(document(await run(['decode', '0x46', '0', '--json'])), { verb: 'decode', text: 'SYNC' });
});

test('doctor: everything is in order here', async (t) => {
  const e = await run(['doctor']);
  t.is(e.code, 0, e.stdout);
  t.regex(e.stdout, /^\[ok\]/);
  for (const name of ['node', 'plain twins', 'determinism', 'golden vectors', 'case schema']) t.true(e.stdout.includes(`ok  ${name}`), name);
});

test('bench: rows with ratios, and a table on disk', async (t) => {
  const file = join(folder(), 'speed.json');
  const e = await run(['bench', '--ops', '1000', '--write', file, '--json']);
  t.is(e.code, 0, e.stderr);
  const table = JSON.parse(readFileSync(file, 'utf8')) as { schema: number; measuredOn: string; rows: { name: string; operationsPerSecond: number; ratio: number }[] };
  t.deepEqual([table.schema, table.measuredOn, table.rows.length], [1, process.version, 19]);
  t.is(table.rows[0]?.ratio, 1);
  for (const row of table.rows) t.true(row.operationsPerSecond > 0, row.name);
});

test('the sides of bench run the operations that the campaign runs', (t) => {
  const profile = findProfile('s1-4k') as Profile;
  const script = drawScript(profile, 0);
  const result = newResult();
  for (const k of campaign({ seed: 'bench', profile, run: 0 }, result)) t.is(k, 0);
  const kinds = script.operations.filter((o) => o.op === 'map').length;
  t.is(kinds, result.operationKinds.map);
  t.notThrows(() => { lockstepSide(script); });
  t.notThrows(() => { optimisedSide(script); });
  t.notThrows(() => { referenceSide(script); });
});

test('hits hit and walks walk, or the bench says so', (t) => {
  for (const bench of [hitBench(), walkBench()]) {
    for (let i = 0; i < 200; i += 1) bench.step(i);
    t.true(bench.check());
  }
  for (const planner of PLANNERS) {
    const bench = planBench(planner);
    for (let i = 0; i < 200; i += 1) bench.step(i);
    t.is(bench.check(), planner.name !== 'whole-tag', planner.name);
  }
  const walks = walkBench();
  walks.step(1);
  walks.step(1);
  t.false(walks.check());
});
