/**
 * Corner cases on QEMU: how a case is carried over, what its bug changes without a feature, and, where there is a QEMU, what it shows of cases
 * whose outcome is known; and that the stored table is what the QEMU at hand says.
 */
import test, { type ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { cornerCaseOf, cornerHeads, cornerReport, cornerRow, probeRow, type CornerRow } from '../../src/conform/corner.js';
import { placesOf } from '../../src/conform/corner-carry.js';
import { carriedFor, difference, missing } from '../../src/conform/corner-decide.js';
import { KNOWN_CORNERS, knownCorner } from '../../src/conform/corner-known.js';
import { PROBES } from '../../src/conform/corner-probes.js';
import { withTraffic } from '../../src/conform/corner-run.js';
import { mapStreams } from '../../src/conform/corner-streams.js';
import { FRAMES, STREAMS } from '../../src/operations/corner/layout.js';
import type { Decided } from '../../src/operations/corner/builder.js';
import { DECIDED } from '../../src/operations/corner/cases.js';
import { encodeMachineCase, decodeMachineCase } from '../../src/operations/machine-codec.js';
import { QEMU_NESTED_REACH, QEMU_STAGE1_REACH } from '../../src/operations/reach.js';
import { READERS, WRITERS } from '../../src/qemu/devices.js';
import { Pool } from '../../src/qemu/pool.js';
import { ReferenceMachine } from '../../src/reference/machine/machine.js';
import { cornerLine, cornerMarkdown, cornerNews, cornerSaid, cornerTableText, shortVersion, type CornerTable } from '../../src/report/conform-corner.js';
import { OP } from '../../src/spec/command.js';
import { withQemu } from '../qemu/rig.js';

const STAGE1 = QEMU_STAGE1_REACH.features;
const NESTED = QEMU_NESTED_REACH.features;
const TABLES = new URL('../../../corpus/tables/', import.meta.url).pathname;

function decided(number: number): Decided {
  return DECIDED.find((c) => c.number === number) as Decided;
}

function mapped(number: number): Record<string, number> | null {
  const c = decided(number);
  const map = mapStreams([...c.right, ...c.wrong]);
  return map === null ? null : Object.fromEntries([...map].map(([from, to]) => [`${from}`, to]));
}

test('every decided case gets devices, each stream its own, writers where it is written through', (t) => {
  for (const c of DECIDED) {
    const map = mapStreams([...c.right, ...c.wrong]);
    if (map === null) t.fail(`${c.number}`);
    else t.is(new Set(map.values()).size, map.size, `${c.number}`);
  }
  t.deepEqual(mapped(11), { 1: READERS[0] });
  t.deepEqual(mapped(93), { 1: WRITERS[0] });
  t.deepEqual(mapped(60), { 1: 8, 4: 16, 5: 17 }, 'a span of STE.CONT stays a span');
  t.deepEqual(mapped(52), { 65: 72 }, 'another level-1 descriptor');
});

test('ranges of streams cover the devices of the streams that they covered', (t) => {
  const carried = carriedFor(decided(61), STAGE1);
  const ranges = (form: 'right' | 'wrong'): unknown[] => (carried?.[form] ?? []).flatMap((o) => (o.op === 'command' && o.command.op === OP.CFGI_STE_RANGE ? [[o.command.sid, o.command.range]] : []));
  t.deepEqual(mapped(61), { 1: 8, 3: 16, 4: 9 });
  t.deepEqual(ranges('right'), [[8, 4]]);
  t.deepEqual(ranges('wrong'), [[16, 0]]);
});

test('stream table entries move with their streams', (t) => {
  const stores = (carriedFor(decided(11), STAGE1)?.right ?? []).flatMap((o) => (o.op === 'store' && o.at >= STREAMS && o.at < STREAMS + 2048 ? [o.at - STREAMS] : []));
  t.deepEqual(stores, [8 * 64]);
});

test('a freed page is used for something else and looked at, and what is allowed comes from the right form', (t) => {
  const carried = carriedFor(decided(17), STAGE1);
  const claims = (carried?.wrong ?? []).flatMap((o) => (o.op === 'claim' ? [o.allow] : []));
  t.deepEqual(claims, [[{ answer: 'F_TRANSLATION', stage2: false }]]);
  t.false((carried?.wrong ?? []).some((o) => o.op === 'free'));
});

test('traffic comes after the SMMU is set up, and goes to every place of the case', (t) => {
  const carried = carriedFor(decided(30), STAGE1);
  const wrong = carried?.wrong ?? [];
  const count = (kind: Parameters<typeof withTraffic>[1]): number => withTraffic(wrong, kind).filter((o) => o.op === 'access').length;
  const places = placesOf(wrong).length;
  t.is(places, 2);
  t.is(count('as written'), 1);
  t.is(count('after each CMD_SYNC') - 1, places * wrong.filter((o) => o.op === 'sync' || o.op === 'boot').length);
  t.is(count({ onlyAfter: wrong.length - 2 }), places);
  const busy = withTraffic(wrong, 'all the time');
  t.true(busy.findIndex((o) => o.op === 'access') > busy.findIndex((o) => o.op === 'boot'));
});

test('what a bug needs, feature by feature', (t) => {
  const needs = (number: number, features = STAGE1): readonly string[] => missing(decided(number), features);
  t.deepEqual(needs(7), ['range']);
  t.deepEqual(needs(27), ['stage2']);
  t.deepEqual(needs(33), ['stage2', 'vmidWildcard']);
  t.deepEqual(needs(33, NESTED), ['vmidWildcard']);
  t.deepEqual(needs(69), ['ats']);
  t.true(difference(decided(27), NESTED).broken.length > 0);
  t.is(difference(decided(7), STAGE1).broken.length, 0);
});

test('each probe is said once, and every case and probe has a head of its own', (t) => {
  t.is(new Set(PROBES.map((p) => p.slug)).size, PROBES.length);
  const heads = cornerHeads();
  t.is(heads.length, 101 + PROBES.length);
  t.is(new Set(heads.map((h) => h.id)).size, heads.length);
  for (const k of KNOWN_CORNERS) for (const slug of k.slugs) t.true(heads.some((h) => h.slug === slug), slug);
});

test('what is known ends with its version, and is about what the row says', (t) => {
  const text = 'right form: QEMU answers 0x400000000; permitted: stream 8 at 0x10000000, read: F_ACCESS';
  t.truthy(knownCorner({ slug: 'aged-without-a-flush', text }, '7.2.22'));
  t.truthy(knownCorner({ slug: 'aged-without-a-flush', text }, '9.0.1'));
  t.is(knownCorner({ slug: 'aged-without-a-flush', text }, '10.0.13'), null);
  t.is(knownCorner({ slug: 'aged-without-a-flush', text: 'QEMU ends' }, '7.2.22'), null);
});

const storedTable = (): CornerTable => JSON.parse(readFileSync(`${TABLES}qemu-corner-cases.json`, 'utf8')) as CornerTable;

test('the table is what its rows give', (t) => {
  const stored = storedTable();
  t.is(readFileSync(`${TABLES}qemu-corner-cases.md`, 'utf8'), cornerMarkdown(stored, cornerHeads()));
  t.is(readFileSync(`${TABLES}qemu-corner-cases.json`, 'utf8'), cornerTableText(stored));
  for (const [version, said] of Object.entries(stored.versions)) t.deepEqual(said.map((r) => r.id), cornerHeads().map((h) => h.id), version);
});

function inPool<T>(binary: ConstructorParameters<typeof Pool>[0], act: (pool: Pool) => T): T {
  const pool = new Pool(binary);
  try {
    return act(pool);
  } finally {
    pool.end();
  }
}

function says(t: ExecutionContext, row: CornerRow, verdict: string, text: RegExp): void {
  t.is(row.danger === '-' ? row.verdict : `${row.verdict}, ${row.danger}`, verdict, `${row.id}: ${row.text}`);
  t.regex(row.text, text, row.id);
}

withQemu('cases whose outcome is known', (t, binary) => {
  inPool(binary, (pool) => {
    const row = (number: number): CornerRow => cornerRow(pool, decided(number));
    says(t, row(11), 'permitted, shown', /^0x300000000$/);
    says(t, row(17), 'permitted, hidden', /^F_TRANSLATION$/); // no walk cache
    says(t, row(30), 'permitted, shown', /with traffic after each CMD_SYNC/);
    says(t, row(47), 'permitted, hidden', /^F_TRANSLATION$/); // nothing is prefetched
    says(t, row(50), 'permitted, shown', /^F_PERMISSION$/);
    says(t, row(61), 'permitted, shown', /^0x400000000$/);
    says(t, row(67), 'permitted, hidden', /^F_TRANSLATION$/);
    says(t, row(69), 'cannot show', /^needs ats$/);
    says(t, row(35), 'cannot show', /one SMMU/);
    if (!pool.features.stage2) says(t, row(37), 'cannot show', /^needs stage2$/);
    else says(t, row(37), 'permitted, shown', /^0x400000000$/);
  });
});

withQemu('what no SMMU may do is a finding, and is kept as a sequence that shows it again', (t, binary) => {
  inPool(binary, (pool) => {
    const reserved = cornerRow(pool, decided(1));
    says(t, reserved, 'not permitted', /^wrong form: .*CONS 0x6; permitted: .*error 1$/);
    t.truthy(knownCorner(reserved, binary.version));
    const [finding] = reserved.findings;
    if (finding === undefined) return t.fail('no finding');
    const kept = cornerCaseOf(reserved, finding, binary.version);
    t.deepEqual(decodeMachineCase(encodeMachineCase(kept), 'kept'), kept);
    t.is(kept.world.frames, FRAMES);
    t.is(kept.operations.filter((o) => o.op === 'command').length, 1);
  });
});

withQemu('probes whose outcome is known', (t, binary) => {
  inPool(binary, (pool) => {
    const row = (slug: string): CornerRow => { const at = PROBES.findIndex((p) => p.slug === slug); return probeRow(pool, PROBES[at] as (typeof PROBES)[number], at); };
    says(t, row('address-inside-a-block'), 'permitted', /^F_TRANSLATION, F_TRANSLATION$/);
    says(t, row('range-of-8-streams'), 'permitted, shown', /^abort, 0x400000000$/);
    says(t, row('invalidation-lost-to-an-error'), 'permitted, shown', /^0x400000000$/);
    says(t, row('unknown-command'), 'permitted, shown', /^0x400000000, F_TRANSLATION$/); // after an error that another sequence acknowledged
    says(t, row('linear-after-two-levels'), 'not permitted', /C_BAD_STREAMID; permitted: .*abort$/);
    says(t, row('size-written-while-on'), 'cannot show', /SMMUv3\.1/);
  });
});

/** A reference that forgets what QEMU rightly keeps: every TLBI takes everything with it. */
class Forgetful extends ReferenceMachine {
  override permitted(...[kind, t, visit]: Parameters<ReferenceMachine['permitted']>): boolean {
    return super.permitted(kind, t, (a, why, facts) => (why.includes('cached') ? false : visit(a, why, facts)));
  }
}

withQemu('a reference that forgets too much makes QEMU the one that is not permitted', (t, binary) => {
  inPool(binary, (pool) => {
    const weakest = (...[memory, config]: ConstructorParameters<typeof ReferenceMachine>): ReferenceMachine => new Forgetful(memory, config);
    t.is(cornerRow(pool, decided(63), weakest).verdict, 'not permitted');
    t.is(cornerRow(pool, decided(63)).verdict, 'permitted');
  });
});

withQemu('the table says what the QEMU at hand says, and nothing of it is news', (t, binary) => {
  const stored = storedTable().versions[shortVersion(binary.version)];
  if (stored === undefined) {
    t.log(`not tested: the table has no QEMU ${binary.version}`);
    t.pass();
    return;
  }
  const lines = inPool(binary, (pool) => cornerReport(pool)).map((r) => cornerLine(r, binary.version));
  t.deepEqual(cornerNews(lines), []);
  t.deepEqual(lines.map(cornerSaid), [...stored]);
});
