/** The verb trace: what it prints, its document, its exit codes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { writeCapture } from '../captures/write.js';
import { bytesOf, type ModuleName } from '../compare/modules.js';
import { attached, Driver } from '../trace/build.js';
import { Host, Space } from '../trace/host.js';
import { document, folder, ROOT, run } from './program.js';

const HERE = join(ROOT, 'test/trace/recordings');
const BUG = join(HERE, 'linux-bug-no-tlbi-7.2.jsonl.gz');

test('an honest recording: exit 0, and what was not judged', async (t) => {
  const e = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz')]);
  t.is(e.code, 0);
  t.regex(e.stdout, /^\[ok\] no violation .* 1,427 lines/);
  t.regex(e.stdout, /accesses +35 recorded, 35 permitted\n/);
  t.regex(e.stdout, /machine +stage 1 of 4K granules at EL1\n +not judged what such a recording does not show: cache cleaning/);
  t.regex(e.stdout, /cost +\d+ invalidations and \d+ SYNCs in 82 batches for 54 unmaps/);
});

test('the sabotaged one: exit 1, lines, the missing command, and what the device really did', async (t) => {
  const e = await run(['trace', BUG]);
  t.is(e.code, 1);
  t.regex(e.stdout, /because +line 278 {2}unmap 0x200000 \+0x200000\n +line 279 {2}fill pt 0x4477d008 \+8 with 0x0: takes .* out of memory\n +no command went to the SMMU since/);
  t.regex(e.stdout, /verified +inserting TLBI_NH_VA vmid 0 asid 3 va 0x200000 leaf and a CMD_SYNC in front of line 283 removes it/);
  t.regex(e.stdout, /43 findings: 6 times the recorded device did use something stale/);
  t.regex(e.stdout, /look .*trace .* --around 283/);
});

test('one document, with findings, doubts, rules and cost', async (t) => {
  const e = await run(['trace', BUG, '--json']);
  const d = document(e);
  t.is(d['verb'], 'trace');
  t.is(d['verdict'], 'violation');
  const [first] = d['findings'] as Record<string, unknown>[];
  t.is(first?.['line'], 283);
  t.deepEqual(Object.keys(d).sort(), ['accesses', 'assumed', 'cost', 'domains', 'file', 'findings', 'form', 'inconclusive', 'lines', 'machine', 'moreFindings', 'orderChoices', 'rules', 'schema', 'timing', 'unknown', 'verb', 'verdict']);
});

test('--around prints the lanes', async (t) => {
  const e = await run(['trace', BUG, '--around', '283']);
  t.is(e.code, 0);
  t.regex(e.stdout, /line +driver +queue +SMMU +device/);
  t.regex(e.stdout, /\n> +283 {2}cpu 0 {2}\) arm_smmu_iotlb_sync\n/);
  const beyond = await run(['trace', BUG, '--around', '9999']);
  t.is(beyond.code, 64);
  t.regex(beyond.stderr, /has 746 lines, and --around asks for 9999/);
});

test('what cannot be read or contradicts itself exits 64 with the line', async (t) => {
  for (const [content, says] of [['', /the recording is empty/], ['{}\n', /:1: the line lacks the event's kind/], ['{"n":0,"ev":"meta","format":"other"}\n', /:1: the first line must be a "meta" event/]] as const) {
    const e = await run(['trace', writeCapture('x.jsonl', content)]);
    t.is(e.code, 64);
    t.regex(e.stderr, says);
  }
  const e = await run(['trace', attached().d.add({ ev: 'cons', v: 60 }).write()]);
  t.is(e.code, 64);
  t.regex(e.stderr, /^smmucheck: .*:\d+: CONS 60 is read while it was \d+ and PROD is \d+: it went back, or beyond PROD: the recording contradicts itself\n/);
});

test('what is not modelled exits 2', async (t) => {
  const d = new Driver().boot({ idr0: '0xd45101b' });
  const e = await run(['trace', d.issue([{ op: 0x41, sid: 3, resp: 1 }]).write()]);
  t.is(e.code, 2);
  t.regex(e.stdout, /^\[inconclusive\] not decided everywhere/);
  t.regex(e.stdout, /not decided +line \d+: not modelled: command PRI_RESP/);
});

test('a host at EL2: the machine is named, why it went wrong is told by line, and what needs stage 1 at EL1 says so', async (t) => {
  const h = new Host({ el2: true });
  const s = new Space(h, '0xd0', 7);
  h.attachTo(3, s);
  s.map(0x4000, 0x80000000).unmap(0x4000);
  const path = h.syncs(s, [{ op: 0x12, asid: 7, frame: 4, leaf: 1 }]).write();
  const e = await run(['trace', path]);
  t.is(e.code, 1);
  t.regex(e.stdout, /because +line \d+ +unmap of 0x4000 \+0x1000\n +line \d+ made the stage-1 leaf \{EL2-E2H asid 7 0x4000 -> 0x80000000 level 3\} stale[^]*TLBI_NH_VA vmid 0 asid 7 va 0x4000 leaf: /);
  t.regex(e.stdout, /verified +inserting TLBI_EL2_VA asid 7 va 0x4000 leaf and a CMD_SYNC in front of line \d+ removes it/);
  t.regex(e.stdout, /machine +the whole SMMU: /);
  for (const option of [['--mutate'], ['--what-if', 'all']]) {
    const refused = await run(['trace', path, ...option]);
    t.is(refused.code, 64);
    t.regex(refused.stderr, /4K granules/);
  }
});

test('--mutate: a table, and nothing for a recording that is broken already', async (t) => {
  const e = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz'), '--mutate', '2', '--seed', 'abc']);
  t.is(e.code, 0);
  t.regex(e.stdout, /^\[ok\] 1[46] mutations of .* each convicted or shown to be harmless {2}seed abc/);
  t.is((await run(['trace', BUG, '--mutate'])).code, 64);
});

test('--mutate --markdown: a section of the table', async (t) => {
  const e = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz'), '--mutate', '1', '--markdown']);
  t.is(e.code, 0);
  t.regex(e.stdout, /^## linux-vfio-7\.2, 1 of each kind, seed 1\n\n\| kind \| made \|/);
  t.is((await run(['trace', BUG, '--markdown'])).code, 64);
});

test('--what-if: planners side by side', async (t) => {
  const e = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz'), '--what-if', 'per-granule', '--no-range']);
  t.is(e.code, 0);
  t.regex(e.stdout, /recorded +ok +0 +11 +1\.00x/);
  t.regex(e.stdout, /per-granule +ok +0 +569 +51\.73x +512/);
  t.is((await run(['trace', BUG, '--what-if', 'none'])).code, 64);
  t.is((await run(['trace', BUG, '--what-if', 'all'])).code, 1);
});

function wasm(at: string, name: ModuleName): string {
  const path = join(at, `${name}.wasm`);
  writeFileSync(path, bytesOf(name));
  return path;
}

test('--what-if: candidates of compare, beside what was recorded and the planners of the house', async (t) => {
  const at = folder();
  const mine = join(at, 'mine.js');
  writeFileSync(mine, 'export function plan(d, f, out) { return -1; }\n');
  const e = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz'), '--what-if', `${wasm(at, 'right')},single-range,${mine}`]);
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /recorded +ok[^]*right\.wasm +ok +0 +11 [^]*single-range +ok +0 +11 [^]*mine\.js +ok +0 +0 .* 11 /);
});

test('--what-if: a wrong candidate, by the recording and by its plan', async (t) => {
  const path = wasm(folder(), 'wrong');
  const e = await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', path]);
  t.is(e.code, 1);
  t.regex(e.stdout, /\[violation\] stale-translation {2}planned by wrong\.wasm#[^]*verified +inserting TLBI_NH_VA[^]*\[violation\] range-coverage[^]*asked[^]*others[^]*recorded +ok[^]*wrong\.wasm +violation/);
  t.regex(e.stdout, /because[^]*line \d+ +TLBI_NH_VA [^\n]*\n/);
  const d = document(await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', path, '--json'])) as { verdict: string; candidates: { finding: { rule: string }; wrong: { rule: string } }[] };
  t.deepEqual([d.verdict, d.candidates[0]?.finding.rule, d.candidates[0]?.wrong.rule], ['violation', 'stale-translation', 'range-coverage']);
});

test('--what-if: a wrong plan is stored as a case that replay asks again, of a candidate and of one that does not answer', async (t) => {
  const at = folder();
  const path = wasm(at, 'wrong');
  const out = join(at, 'cases');
  const e = await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', path, '--out', out]);
  const file = /saved +(\S+\.json)/.exec(e.stdout)?.[1] ?? '';
  t.true(file.startsWith(join(out, 'regressions/range-coverage')), e.stdout);
  const stored = JSON.parse(readFileSync(file, 'utf8')) as { kind: string; provenance: { recording: string; line: number } };
  t.is(stored.kind, 'plan');
  t.is(stored.provenance.recording, 'linux-mini-7.2.jsonl.gz');
  t.true(stored.provenance.line > 0);
  const again = await run(['replay', file, '--candidate', path]);
  t.is(again.code, 1);
  t.regex(again.stdout, /range-coverage/);
  t.is((await run(['replay', file, '--candidate', wasm(at, 'right')])).code, 0);
  const silent = await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', wasm(at, 'loops'), '--timeout', '1s', '--out', out]);
  t.regex(silent.stdout, /saved +\S+candidate\/[0-9a-f]{16}\.json/);
  const d = document(await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', path, '--out', out, '--json'])) as { candidates: { file: string }[] };
  t.is(d.candidates[0]?.file, file);
});

test('--what-if: a candidate that loops, traps, or answers nonsense ends itself and nothing else', async (t) => {
  const at = folder();
  for (const [name, words] of [['loops', 'does not answer'], ['traps', 'throws'], ['tooMany', 'answer is no plan'], ['before', 'writes where it must not']] as const) {
    const e = await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', `${wasm(at, name)},single-range`, '--timeout', '1s']);
    t.is(e.code, 1, name);
    t.regex(e.stdout, new RegExp(`the candidate\\S* ${words}[^]*${name}\\.wasm +violation[^]*single-range +ok`), name);
    t.regex(e.stdout, /asked +0x/, name);
  }
  const refused = await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--what-if', wasm(at, 'imports')]);
  t.is(refused.code, 64);
  t.is((await run(['trace', join(HERE, 'linux-mini-7.2.jsonl.gz'), '--timeout', '1s'])).code, 64);
});

test('--extract: a case that our stacks replay; nothing from an honest recording', async (t) => {
  const at = folder();
  const e = await run(['trace', BUG, '--extract', '--out', at]);
  t.is(e.code, 0);
  t.regex(e.stdout, /^extracted .*\.json: 6 of 9 ops up to line 283 \(stale-translation: a level 2 leaf outlives its unmap\)/);
  t.is((await run(['replay', at])).code, 0);
  const none = await run(['trace', join(HERE, 'linux-vfio-7.2.jsonl.gz'), '--extract']);
  t.is(none.code, 64);
  t.regex(none.stderr, /shows no violation/);
});

test('--probes: every event of the text form that needs a probe has one', async (t) => {
  const e = await run(['trace', '--probes']);
  t.is(e.code, 0);
  for (const name of ['issue', 'issue_ret', 'cw', 'entry', 'pt_map', 'pt_map_ret', 'pt_unmap', 'pt_unmap_ret', 'pt_alloc_ret', 'pt_free', 'inv', 'inv_ret', 'dma_unmap_ret']) t.regex(e.stdout, new RegExp(`[pr]:${name} `));
});

test('usage', async (t) => {
  t.regex((await run(['trace'])).stderr, /trace needs a recording/);
  t.regex((await run(['trace', BUG, '--seed', '1'])).stderr, /option --seed goes with --mutate/);
});
