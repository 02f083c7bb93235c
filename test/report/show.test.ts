/** A case as the source of a test and as a sequence diagram; a replay's summary and state. */
import test from 'ava';
import { Log } from '../../src/lockstep/log.js';
import { replay } from '../../src/lockstep/replay.js';
import type { Case } from '../../src/operations/case.js';
import { decodeCase } from '../../src/operations/codec.js';
import { sequenceDiagram } from '../../src/report/diagram.js';
import { replayBlock, stateBlock } from '../../src/report/replay.js';
import { caseText, testSource } from '../../src/report/show.js';
import { RECORD } from './records.js';

const CASE: Case = {
  schema: 1, kind: 'driver', world: RECORD.world, subject: { parts: {}, mutant: 'missing-tlbi' }, operations: RECORD.operations,
  expect: { verdict: 'ok' }, provenance: { rule: 'stale-translation', note: 'a `tick` and ${x} and \\ and */' },
};

test('the source of a test holds the case, whatever its strings are', (t) => {
  const source = testSource(CASE);
  const literal = /String\.raw`([^`]*)`/.exec(source)?.[1] ?? '';
  t.false(literal.includes('${'));
  const read = decodeCase(literal, 'literal');
  t.deepEqual(read.provenance, CASE.provenance);
  t.deepEqual(read.operations, CASE.operations);
  t.is(read.subject.mutant, undefined);
  t.regex(source, /mutant: "missing-tlbi" \}\);\n {2}t\.is\(result\.violation\?\.rule, "stale-translation"\)/);
});

test('the source for a case that expects a violation asks for it', (t) => {
  const source = testSource({ ...CASE, subject: { parts: {} }, expect: { verdict: 'violation', rule: 'isolation' } });
  t.regex(source, /t\.is\(result\.violation\?\.rule, "isolation"\);\n {2}t\.not\(result\.violation, null\);/);
});

test('the text of a case says where it broke', (t) => {
  const text = caseText(CASE, replay(CASE.world, CASE.operations, { mutant: 'missing-tlbi' }, true));
  t.regex(text, /^case [0-9a-f]{16} {2}4 ops\n/);
  t.regex(text, /\n {2}4 {2}sync .*<-- differs\n\n\[violation\] stale-translation\n/);
  t.regex(caseText(CASE, replay(CASE.world, CASE.operations, {}, true)), /\n\[ok\] no violation$/);
});

test('a sequence diagram, pinned', (t) => {
  const operations = [...RECORD.operations.slice(0, 2), { op: 'access', device: 0, stream: 0, iova: 0x4000, write: false } as const];
  const log = new Log();
  const { rows } = replay(RECORD.world, operations, { log }, true);
  const entries = log.entries.filter((e) => e.op >= 1 && e.op < 3);
  t.is(sequenceDiagram(RECORD.world, entries, rows, null), [
    '    Driver                                    CMDQ/SMMU 0                    Device',
    '  2 | map  domain 0  0x4000 -> 0x8000 +8K rw  |                              |',
    '  3 |                                         |<- device 0 reads 0x4000 -----|',
    '    |                                         |-- 0x8000 ------------------->|',
  ].join('\n'));
});

test('arrows lead to the queue and back', (t) => {
  const log = new Log();
  const { rows } = replay(RECORD.world, RECORD.operations, { log }, true);
  const text = sequenceDiagram(RECORD.world, log.entries, rows, null);
  t.regex(text, /\|-- TLBI_NH_VA vmid 0 asid 1 va 0x4000 [^|]*->\|/);
  t.regex(text, /\|<- CMD_SYNC complete \(1 covered\) -+\|/);
  t.regex(text, /\| stale leaf \{asid 1 0x4000 -> 0x8000 level 3\}/);
  t.regex(text, /\n {2}3 \| unmap {2}domain 0 {2}0x4000 \+8K/);
});

test('a replay that differs lists each case once', (t) => {
  const text = replayBlock({
    verb: 'replay', verdict: 'violation', cases: 3, operations: 40, observed: 1, unmodelled: [], elapsedMs: 100,
    failures: [{ id: 'aaaaaaaaaaaaaaaa', file: 'a.json', rule: null, problems: ['one', 'two'] }],
  });
  t.is(text, '[violation] 1 case differs  3 cases  40 ops  1 recorded answer checked  0.10 s\n  aaaaaaaaaaaaaaaa  one\n                    two\n                    a.json');
});

test('the state in words', (t) => {
  t.is(stateBlock({
    after: 2,
    domains: [{ mapped: [{ first: 4, end: 6, pa: 8, writable: true }], limbo: [{ first: 9, end: 10, pa: 1, writable: false }] }, { mapped: [], limbo: [] }],
    devices: ['uses domain 0'],
    smmus: [{ regimes: [{ asid: 1, domain: 0, staleLeaves: 1, staleTables: 2 }], olderStes: 0, olderCds: 1, pending: ['TLBI_NSNH_ALL'] }],
  }), [
    'state after 2 ops',
    '  domain 0   0x4000..0x5fff -> 0x8000 rw',
    '             0x9000..0x9fff -> 0x1000 r  (taken away, not due yet)',
    '  domain 1   nothing mapped',
    '  device 0   uses domain 0',
    '  SMMU 0     asid 1 of domain 0: 1 stale leaf, 2 stale table descriptors',
    '             0 older STEs, 1 older CD may be cached',
    '             waiting for a CMD_SYNC: TLBI_NSNH_ALL',
  ].join('\n'));
});
