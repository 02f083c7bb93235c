/** replay, shrink and show: stored cases, recorded answers, and what is printed of them. */
import concurrent from 'ava';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '../../src/operations/case.js';
import { caseId } from '../../src/operations/case.js';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import { BROKEN, contents, document, folder, GOOD, ROOT, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

/** The access of GOOD really got `pa`. */
function recorded(pa: number): Case {
  return { ...GOOD, observed: [{ at: 4, pa }] };
}
const RIGHT = 0x800001000;

test('a named case that is right: exit 0', async (t) => {
  const e = await run(['replay', store(folder(), 'a.json', GOOD)]);
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /subject +the optimised stack as it is\n\[ok\] no violation {2}5 ops {2}0 recorded answers checked\n$/);
});

test('a named case runs with its mutant: the failure block and exit 1; --no-mutant runs it without', async (t) => {
  const path = store(folder(), 'a.json', BROKEN);
  const e = await run(['replay', path]);
  t.is(e.code, 1);
  t.regex(e.stdout, /subject +the optimised stack with mutant missing-tlbi\n\[violation\] stale-translation\n/);
  t.regex(e.stdout, /\n {2}4 {2}sync .*<-- differs\n/);
  t.is((await run(['replay', path, '--no-mutant'])).code, 0);
});

test('--diff, --until and --state', async (t) => {
  const path = store(folder(), 'a.json', GOOD);
  const e = await run(['replay', path, '--diff', '--state', '--until', '3']);
  t.is(e.code, 0);
  t.regex(e.stdout, /\n {2}3 {2}unmap .* ok +ok\n\[ok\]/);
  t.notRegex(e.stdout, /sync/);
  t.regex(e.stdout, /state after 3 ops\n {2}domain 0 +0x5000\.\.0x5fff -> 0x800001000 rw\n +0x4000\.\.0x4fff -> 0x800000000 rw {2}\(taken away, not due yet\)/);
  t.regex(e.stdout, /asid 1 of domain 0: 0 stale leaves, 0 stale table descriptors/);
  const both = await run(['replay', path, path, '--diff']);
  t.is(both.code, 64);
  t.regex(both.stderr, /--diff needs exactly one named case/);
});

test('stdin is a case', async (t) => {
  t.is((await run(['replay', '-'], { input: encodeCase(BROKEN) })).code, 1);
  t.is((await run(['replay', '-'], { input: encodeCase(GOOD) })).code, 0);
  t.is((await run(['replay', '-'], { input: '{' })).code, 64);
});

test('recorded answers: right ones pass, a wrong one is a violation', async (t) => {
  const at = folder();
  const right = await run(['replay', store(at, 'a.json', recorded(RIGHT))]);
  t.is(right.code, 0);
  t.regex(right.stdout, /1 recorded answer checked/);
  const wrong = await run(['replay', store(at, 'b.json', recorded(RIGHT + 0x1000)), '--diff']);
  t.is(wrong.code, 1);
  t.regex(wrong.stdout, /op 5: the recorded device got 0x800002000, but the weakest machine may only answer 0x800001000/);
  t.regex(wrong.stdout, /\n {2}5 {2}access .*<-- recorded otherwise\n/);
  const others: readonly NonNullable<Case['observed']>[] = [[{ at: 4, pa: RIGHT + 1 }], [{ at: 4, fault: 'F_TRANSLATION' }], [{ at: 4, bypass: true }]];
  for (const observed of others) {
    const e = await run(['replay', store(at, 'c.json', { ...GOOD, observed })]);
    t.is(e.code, 1, `${JSON.stringify(observed)} ${e.signal} ${e.stdout} ${e.stderr}`);
  }
});

test('the recording of a broken driver expects a violation, and meets it by what its devices got', async (t) => {
  const at = folder();
  store(at, 'a.json', { ...recorded(RIGHT + 0x1000), expect: { verdict: 'violation' } });
  t.is((await run(['replay', at])).code, 0);
  store(at, 'b.json', { ...recorded(RIGHT), expect: { verdict: 'violation' } });
  t.is((await run(['replay', at])).code, 4);
});

test('while a store may still be in the CPU, the recorded answer may be the old or the new one', async (t) => {
  const at = folder();
  const operations = [...GOOD.operations.slice(0, 3), { op: 'access', device: 0, stream: 0, iova: 0x4000, write: false } as const];
  const seen = (o: NonNullable<Case['observed']>[number]): Promise<number | null> => run(['replay', store(at, 'a.json', { ...GOOD, operations, observed: [o] })]).then((e) => e.code);
  t.is(await seen({ at: 3, pa: 0x800000000 }), 0);
  t.is(await seen({ at: 3, fault: 'F_TRANSLATION' }), 0);
  t.is(await seen({ at: 3, fault: 'F_PERMISSION' }), 1);
});

test('a directory: every case as it expects, mutants found; unshrunk forms, tables and scenarios left out', async (t) => {
  const at = folder();
  mkdirSync(join(at, 'deep', 'tables'), { recursive: true });
  mkdirSync(join(at, 'scenarios'));
  store(at, 'a.json', GOOD);
  store(join(at, 'deep'), 'b.json', BROKEN);
  for (const path of ['x.full.json', 'x.shrinking.json', 'deep/tables/speed.json', 'scenarios/s.json', 'notes.txt']) writeFileSync(join(at, path), 'no case');
  const e = await run(['replay', at, '--json']);
  t.is(e.code, 0, e.stderr);
  t.like(document(e), { schema: 1, verb: 'replay', verdict: 'ok', cases: 2, operations: 10, failures: [] });
  t.deepEqual(document(await run(['replay', at, '--json'])), document(e));
});

test('a directory: a mutant that lost its power and a case that regressed: exit 4', async (t) => {
  const at = folder();
  store(at, 'a.json', { ...BROKEN, operations: BROKEN.operations.slice(0, 2) });
  store(at, 'b.json', { ...GOOD, expect: { verdict: 'violation', rule: 'isolation' } });
  const e = await run(['replay', at]);
  t.is(e.code, 4);
  t.regex(e.stdout, /\[violation\] 2 cases differ/);
  t.regex(e.stdout, /lost its power: mutant missing-tlbi breaks no rule any more/);
  t.regex(e.stdout, /breaks no rule, but a violation of isolation is expected/);
});

test('a named case that still fails outranks a regression', async (t) => {
  const at = folder();
  store(at, 'a.json', { ...GOOD, expect: { verdict: 'violation' } });
  t.is((await run(['replay', at, store(folder(), 'b.json', BROKEN)])).code, 1);
});

test('a directory without a case is no success', async (t) => {
  const e = await run(['replay', folder()]);
  t.is(e.code, 64);
  t.regex(e.stderr, /no case in it/);
});

test('shrink: smaller, stored elsewhere, the file unchanged', async (t) => {
  const at = folder();
  const to = folder();
  const extra = [...BROKEN.operations.slice(0, 2), { op: 'access', device: 0, stream: 0, iova: 0x4000, write: true } as const, ...BROKEN.operations.slice(2)];
  const path = store(at, 'a.json', { ...BROKEN, operations: extra });
  const before = contents(at);
  const e = await run(['shrink', path, '--corpus', to, '--json']);
  t.is(e.code, 1);
  t.like(document(e), { verb: 'shrink', verdict: 'violation', from: 6, to: 4, minimal: true });
  t.deepEqual(contents(at), before);
  const text = await run(['shrink', path, '--time', '1s']);
  t.regex(text.stdout, /\n6 -> \d operations\n/);
  const right = await run(['shrink', store(at, 'b.json', GOOD)]);
  t.is(right.code, 64);
  t.regex(right.stderr, /the case shows no violation, so there is nothing to shrink/);
});

test('show: text, JSON, diagram; html is not built', async (t) => {
  const path = store(folder(), 'a.json', BROKEN);
  const text = await run(['show', path]);
  t.is(text.code, 0);
  t.regex(text.stdout, new RegExp(`^case ${caseId(BROKEN)} {2}5 ops\n`));
  t.regex(text.stdout, /<-- differs/);
  t.is((await run(['show', path, '--format', 'json'])).stdout, readFileSync(path, 'utf8'));
  t.like(document(await run(['show', path, '--json'])), { verb: 'show', id: caseId(BROKEN) });
  t.regex((await run(['show', path, '--format', 'msc'])).stdout, /\| stale leaf \{asid 1 0x4000/);
  const html = await run(['show', path, '--format', 'html']);
  t.is(html.code, 64);
  t.regex(html.stderr, /not built yet/);
});

test('show --format test: a test that passes now, and fails when the case does not hold', async (t) => {
  const at = folder();
  mkdirSync(join(at, 'test', 'regressions'), { recursive: true });
  symlinkSync(join(ROOT, 'dist', 'src'), join(at, 'src'));
  symlinkSync(join(ROOT, 'node_modules'), join(at, 'node_modules'));
  writeFileSync(join(at, 'package.json'), '{"type":"module"}');
  const ava = async (c: Case): Promise<{ status: number | null; stdout: string }> => {
    const source = (await run(['show', store(at, 'a.json', c), '--format', 'test'])).stdout;
    writeFileSync(join(at, 'test', 'regressions', 'a.test.js'), source);
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => key !== 'NODE_V8_COVERAGE' && !key.startsWith('AVA')));
    return spawnSync(process.execPath, [join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs'), '--tap', 'test/regressions/a.test.js'], { cwd: at, encoding: 'utf8', env });
  };
  const good = await ava(BROKEN);
  t.is(good.status, 0, good.stdout);
  t.regex(good.stdout, /# pass 2/);
  t.is((await ava({ ...BROKEN, operations: BROKEN.operations.slice(0, 2) })).status, 1);
});

test('a case survives being shown and read again', async (t) => {
  const odd: Case = { ...GOOD, provenance: { note: 'a\u001b[2Jb' } };
  const path = store(folder(), 'a.json', odd);
  t.deepEqual(decodeCase((await run(['show', path, '--format', 'json'])).stdout, 'x'), odd);
  t.false((await run(['show', path])).stdout.includes('\u001b'));
});
