/** What a campaign on QEMU, and stored cases on it, showed: text and JSON from one record; and a failure of QEMU. */
import test from 'ava';
import type { MachineFailureRecord } from '../../src/fuzz/machine-failure.js';
import { conformBlock, conformJson, conformReplayBlock, conformReplayJson, notCovered, type ConformReplaySummary, type ConformSummary } from '../../src/report/conform.js';
import { failureBlock } from '../../src/report/failure.js';
import { FULL_FEATURES } from '../../src/spec/features.js';
import { USUAL_CONFIG } from '../../src/operations/machine-case.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';

const FEATURES = { ...FULL_FEATURES, stage2: false, hyp: false, httu: 0, ats: false, msi: false, vmidWildcard: false, twoLevelCds: false, ssidBits: 0, extraQueues: 0, smallTables: false, oas: 44 } as const;
const QEMU = { path: '/usr/bin/q', version: '7.2.22', banner: 'QEMU emulator version 7.2.22', identification: { idr0: 0xd40101a, idr5: 0x74 }, features: FEATURES };

const SUMMARY: ConformSummary = {
  verdict: 'ok', seed: '0x5eed', runs: 1200, operations: 90_000, failures: [], found: 0, unmodelled: [], determinism: { identical: 2, checked: 2 }, replayed: null, interrupted: null, elapsedMs: 2000,
  qemu: QEMU, kinds: { raw: 900, driver: 300 }, tooLarge: 3, accesses: 8000, notAsked: { 'too far': 20, 'no device': 100 }, answers: { ok: 6000, F_TRANSLATION: 2000 }, commandKinds: { SYNC: 3, CFGI_CD: 1 },
  waived: [{ id: 'access-flag', count: 1035, behaviour: 'AF is ignored', clause: '§5.4' }, { id: 'global', count: 1, behaviour: 'nG is ignored', clause: '§3.17' }], known: 6,
};

const BLOCK = `[ok] QEMU does only what the reference permits, but for 2 known deviations  seed 0x5eed  2.0 s  1,200 sequences  90,000 ops  600 sequences/s
  qemu         /usr/bin/q  QEMU emulator version 7.2.22
               stage 1 only; granules 4K, 16K, 64K; range invalidation; 44-bit output; 16-bit ASIDs; 16-bit StreamIDs in one or two levels
               IDR0 0xd40101a  IDR5 0x74
  sequences    raw 900  driver 300  (3 of the driver were too large and not run)
  accesses     8,000 asked of QEMU and of the optimised machine, 120 not asked
  not asked    100  no device
               20  too far
  answers      ok 75 %  F_TRANSLATION 25 %
  commands     SYNC 75 %  CFGI_CD 25 %
  waived       1,035  access-flag  AF is ignored (§5.4)
                   1  global       nG is ignored (§3.17)
  not covered  not in this SMMU: stage 2 and nesting, ATS, PASIDs, hardware access flag and dirty state, EL2, messages of
               CMD_SYNC, VMID wildcards, two-level CD tables, further command queues, small tables, 52-bit addresses
               input addresses above 4 GB, privileged accesses, fetches and substreams: its devices send none
               what needs an SMMU that works behind its queue, caches tables and level-1 descriptors, merges runs or evicts:
               QEMU runs each command when PROD is written, keeps only STEs, CDs and leaves, and forgets only what it is told
               to
  determinism  2/2 re-runs identical`;

test('a clean campaign: which QEMU, what was asked, what is waived, what is not covered', (t) => {
  t.is(conformBlock(SUMMARY), BLOCK);
});

test('the first words are the verdict', (t) => {
  const first = (change: Partial<ConformSummary>): string => conformBlock({ ...SUMMARY, ...change }).split('  ')[0] ?? '';
  t.is(first({ waived: [] }), '[ok] QEMU does only what the reference permits');
  t.regex(first({ found: 2, failures: [{ id: 'a', rule: 'machine-refinement', cause: 'c', operations: 2, shrunkFrom: 9, file: 'f' }] }), /^\[violation\] 2 failures found: 1 shown, 1 folded/);
  t.is(first({ empty: 'nothing was asked' }), '[inconclusive] nothing was asked');
  t.regex(first({ interrupted: 'SIGINT' }), /^\[inconclusive\] QEMU does only .* until SIGINT$/);
  t.regex(first({ determinism: { identical: 1, checked: 2 } }), /not deterministic/);
});

test('what is waived is said in each case', (t) => {
  const waived = (change: Partial<ConformSummary>): string => conformBlock({ ...SUMMARY, ...change });
  t.regex(waived({ known: null }), /waived +nothing: every deviation is reported \(--no-waivers\)/);
  t.regex(waived({ waived: [] }), /waived +nothing: none of the 6 known deviations of this version was met/);
  t.regex(waived({ waived: [], known: 0 }), /waived +nothing: no deviation of this version is known/);
});

test('what an SMMU has is not among what is not covered', (t) => {
  t.regex(notCovered(FEATURES)[0] ?? '', /stage 2 and nesting/);
  t.notRegex(notCovered({ ...FEATURES, stage2: true }).join(), /stage 2 and nesting/);
  t.is(notCovered({ ...FULL_FEATURES, ds: true }).length, 2);
});

test('JSON: what depends on the machine is under timing', (t) => {
  const json = conformJson(SUMMARY);
  t.like(json, {
    schema: 1, verb: 'conform', verdict: 'ok', seed: '0x5eed', runs: 1200, kinds: { raw: 900, driver: 300 }, operations: 90_000, accesses: 8000, waivers: true,
    determinism: { identical: 2, checked: 2 }, timing: { elapsedMs: 2000, sequencesPerSecond: 600, operationsPerSecond: 45_000 },
  });
  t.like(json['qemu'], { path: '/usr/bin/q', version: '7.2.22', idr0: '0xd40101a', features: FEATURES });
  t.deepEqual(json['waived'], SUMMARY.waived);
  t.false('reason' in json);
  t.is(conformJson({ ...SUMMARY, verdict: 'inconclusive', empty: 'why' })['reason'], 'why');
});

test('stored cases', (t) => {
  const s: ConformReplaySummary = { verdict: 'ok', qemu: QEMU, cases: 2, operations: 9, accesses: 1, notAsked: {}, waived: [], failures: [], undecided: [], elapsedMs: 10 };
  t.regex(conformReplayBlock(s), /^\[ok\] QEMU does only what the reference permits {2}2 cases {2}9 ops {2}1 access asked/);
  t.regex(conformReplayBlock({ ...s, undecided: ['a: b'] }), /^\[inconclusive\] [^]*undecided +a: b/);
  t.regex(conformReplayBlock({ ...s, waived: SUMMARY.waived }), /^\[ok\] .* but for 2 known deviations[^]*access-flag/);
  t.regex(conformReplayBlock({ ...s, failures: [{ id: 'a', rule: 'machine-refinement', cause: 'c', operations: 2, shrunkFrom: null, file: 'f' }] }), /^\[violation\] 1 case deviates/);
  t.like(conformReplayJson(s), { schema: 1, verb: 'conform', verdict: 'ok', cases: 2, undecided: [] });
});

const ACCESS: MachineOperation = { op: 'access', smmu: 0, sid: 8, ssid: -1, iova: 0x4000, write: false, privileged: false, instruction: false };
const RECORD: MachineFailureRecord = {
  kind: 'machine', id: '0123456789abcdef', world: { smmus: [USUAL_CONFIG], frames: 16, judged: false }, operations: [ACCESS, ACCESS],
  violation: { rule: 'machine-refinement', cause: 'QEMU answers ok where only F_ACCESS is permitted', expected: 'stream 8 at 0x4000, read: F_ACCESS', actual: 'QEMU answers 0x9000', because: [] },
  explanation: { because: ['F_ACCESS is permitted: a walk'], verified: null, tried: 0 },
  rows: [
    { operation: ACCESS, reference: '2 answers', optimised: '0x9000', beside: '0x8000', differs: false },
    { operation: ACCESS, reference: 'F_ACCESS', optimised: '0x9000', beside: 'F_ACCESS', differs: true },
  ],
  origin: { seed: '-s', run: 7 }, shrunk: null, file: 'a b.json', fullFile: null, elsewhere: { name: 'QEMU 7.2.22', path: '/usr/bin/q', waived: true },
};

test('a failure of QEMU: its own column, its name, and how to see it again with and without it', (t) => {
  const text = failureBlock(RECORD, { program: 'smmucheck' });
  t.regex(text, /subject +QEMU 7\.2\.22 as it is \(\/usr\/bin\/q\)/);
  t.regex(text, /# +op +permitted +opt +QEMU\n/);
  t.regex(text, /1 +access +sid 8 0x4000 read +2 answers +0x8000 +0x9000\n/);
  t.regex(text, /2 +access +sid 8 0x4000 read +F_ACCESS +F_ACCESS +0x9000 +<-- differs/);
  t.regex(text, /replay +smmucheck conform 'a b\.json' --qemu \/usr\/bin\/q\n/);
  t.regex(text, /models +smmucheck replay 'a b\.json' --diff/);
  t.regex(text, /again +smmucheck conform --seed=-s --run 7 --qemu \/usr\/bin\/q$/);
  t.regex(failureBlock({ ...RECORD, elsewhere: { name: 'QEMU 7.2.22', path: '/q', waived: false } }, { program: 'x' }), /--qemu \/q --no-waivers/);
  const { origin, file, ...rest } = RECORD;
  t.notRegex(failureBlock({ ...rest, origin: null, file: null }, { program: 'x' }), /replay {3}|again {3}/);
});

test('where our own machine answers the same, the reference is named', (t) => {
  t.notRegex(failureBlock(RECORD, { program: 'x' }), /hint/);
  const rows = RECORD.rows.map((r) => ({ ...r, beside: r.optimised }));
  t.regex(failureBlock({ ...RECORD, rows }, { program: 'x' }), /hint +the optimised machine answers the same: look at the reference first/);
});

test('QEMU is not blamed for what the optimised machine beside it answers', (t) => {
  const cause = 'an answer that the weakest machine does not allow: access ok';
  t.regex(failureBlock({ ...RECORD, violation: { ...RECORD.violation, cause } }, { program: 'x' }), /subject +the models as they are; QEMU 7\.2\.22 ran beside them and is not to blame/);
});
