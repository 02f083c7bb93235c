/** fuzz --machine-only, and machine cases in replay, shrink, show and corpus. */
import concurrent from 'ava';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMachineCase } from '../../src/operations/machine-codec.js';
import { machineCaseId, USUAL_CONFIG, type MachineCase } from '../../src/operations/machine-case.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { contents, document, folder, GOOD, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

const WHERE = { smmu: 0, sid: 1, ssid: -1, iova: 0x4000, write: false, privileged: false, instruction: false } as const;
/** SMMUEN is 0: traffic passes as it is. */
const access: MachineOperation = { op: 'access', ...WHERE };
const claim: MachineOperation = { op: 'claim', ...WHERE, rule: 'isolation', translated: false, allow: [{ answer: 'abort' }] };

function machineCase(operations: readonly MachineOperation[], change: Partial<MachineCase> = {}): MachineCase {
  return { schema: 1, kind: 'machine', world: { smmus: [USUAL_CONFIG], frames: 16, judged: true }, operations, expect: { verdict: 'ok' }, provenance: {}, ...change };
}

function stored(at: string, name: string, c: MachineCase): string {
  const path = join(at, name);
  writeFileSync(path, encodeMachineCase(c));
  return path;
}

const PASSES = machineCase([access]);
const BREAKS = machineCase([access, { op: 'barrier' }, { op: 'evict', smmu: 0 }, claim, access]);

test('fuzz --machine-only: one document with the common fields, the same twice, whatever its verdict', async (t) => {
  const args = ['fuzz', '--machine-only', '--seed', '7', '--runs', '3', '--keep-going', '--no-shrink', '--json', '--corpus'];
  const [a, b] = [await run([...args, folder()]), await run([...args, folder()])];
  t.true(a.code === 0 || a.code === 1 || a.code === 2, a.stderr);
  const doc = document(a);
  const files = (d: Record<string, unknown>): unknown => ({ ...d, failures: (d['failures'] as readonly { id: string }[]).map((f) => f.id) });
  t.deepEqual(files(doc), files(document(b)));
  t.like(doc, { schema: 1, verb: 'fuzz', profile: 'machine', seed: '7', runs: 3 });
  const kinds = Object.values(doc['operationKinds'] as Record<string, number>);
  t.is(kinds.reduce((x, y) => x + y, 0), doc['operations'] as number);
  t.true('SYNC' in (doc['commandKinds'] as object));
  t.true('ok' in (doc['answers'] as object));
  t.true((doc['rules'] as Record<string, { decided: number }>)['machine-refinement']?.decided !== 0);
  t.like(doc['determinism'], { checked: 2, identical: 2 });
  t.regex(a.stderr, /^seed 7 {2}raw machine sequences/);
});

test('fuzz --machine-only: text, limits, options that do not go with it', async (t) => {
  const e = await run(['fuzz', '--machine-only', '--seed', 'x', '--ops', '60', '--no-shrink', '--corpus', folder()]);
  t.regex(e.stdout, /^seed x {2}raw machine sequences\n/);
  t.regex(e.stdout, /60 ops|1 failure found/);
  t.regex(e.stdout, /not covered +stall and PRI/);
  for (const more of [['--profile', 'swarm'], ['--mutant', 'missing-tlbi'], ['--verbose']]) {
    const wrong = await run(['fuzz', '--machine-only', ...more]);
    t.is(wrong.code, 64);
    t.regex(wrong.stderr, /exclude each other/);
  }
});

test('replay: a machine case that passes, one that breaks, and what an operator asks to see', async (t) => {
  const at = folder();
  const good = await run(['replay', stored(at, 'good.json', PASSES), '--diff']);
  t.is(good.code, 0, good.stderr);
  t.regex(good.stdout, /both whole machines/);
  t.regex(good.stdout, /access +sid 1 0x4000 read +0x4000 +0x4000/);
  const bad = await run(['replay', stored(at, 'bad.json', BREAKS)]);
  t.is(bad.code, 1);
  t.regex(bad.stdout, /\[violation\] isolation/);
  t.regex(bad.stdout, /stream 1 at 0x4000, read: abort/);
  t.regex(bad.stdout, /claim +isolation: sid 1 0x4000 read only abort .*<-- differs/);
  t.is((await run(['replay', join(at, 'bad.json'), '--until', '3'])).code, 0);
  t.is((await run(['replay', join(at, 'good.json'), '--state'])).code, 64);
  t.is((await run(['replay', '-'], { input: encodeMachineCase(BREAKS) })).code, 1);
});

test('a directory with cases of both kinds', async (t) => {
  const at = folder();
  stored(at, 'a.json', PASSES);
  stored(at, 'b.json', machineCase(BREAKS.operations, { expect: { verdict: 'violation', rule: 'isolation' } }));
  store(at, 'c.json', GOOD);
  t.is((await run(['replay', at])).code, 0);
  stored(at, 'd.json', BREAKS);
  const e = await run(['replay', at]);
  t.is(e.code, 4);
  t.regex(e.stdout, /breaks isolation/);
});

test('show: text, JSON that is the file, a test', async (t) => {
  const at = folder();
  const path = stored(at, 'bad.json', BREAKS);
  const text = await run(['show', path]);
  t.regex(text.stdout, new RegExp(`^case ${machineCaseId(BREAKS)} {2}5 ops`));
  t.regex(text.stdout, /\[violation\] isolation/);
  t.is((await run(['show', path, '--format', 'json'])).stdout, readFileSync(path, 'utf8'));
  const source = (await run(['show', path, '--format', 'test'])).stdout;
  t.regex(source, /machine-replay\.js/);
  t.regex(source, /"op":"claim"/);
  t.is((await run(['show', path, '--format', 'msc'])).code, 64);
});

test('shrink: the smallest form is stored', async (t) => {
  const at = folder();
  const path = stored(at, 'bad.json', BREAKS);
  const e = await run(['shrink', path, '--corpus', at]);
  t.is(e.code, 1, e.stderr);
  t.regex(e.stdout, /^cases are stored in .*\n5 -> 1 operations/);
  t.regex(e.stdout, /1-minimal/);
  const smallest = Object.keys(contents(at)).filter((f) => f.startsWith('regressions/isolation/') && !f.endsWith('.full.json'));
  t.is(smallest.length, 1);
  t.is((await run(['replay', join(at, smallest[0] ?? '')])).code, 1);
  t.is((await run(['shrink', stored(at, 'good.json', PASSES)])).code, 64);
});

test('corpus: list, verify and add take machine cases', async (t) => {
  const at = folder();
  mkdirSync(join(at, 'corpus'));
  const path = stored(at, 'a.json', PASSES);
  const corpus = ['--corpus', join(at, 'corpus')];
  t.is((await run(['corpus', 'add', path, ...corpus])).code, 0);
  t.true(`regressions/ok/${machineCaseId(PASSES)}.json` in contents(join(at, 'corpus')));
  t.regex((await run(['corpus', 'list', ...corpus])).stdout, new RegExp(machineCaseId(PASSES)));
  t.is((await run(['corpus', 'verify', ...corpus])).code, 0);
});

test('hostile input is one sentence', async (t) => {
  const e = await run(['replay', '-'], { input: encodeMachineCase(PASSES).replace('"sid":1', '"sid":-1') });
  t.is(e.code, 64);
  t.regex(e.stderr, /^smmucheck: stdin: operations\[0\]\.sid must be an integer from 0/);
});
