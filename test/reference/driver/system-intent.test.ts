/**
 * The intent of systems: what each call returns, in the order of its refusals; that a refusal changes nothing; and who may see what afterwards.
 */
import test from 'ava';
import { allowsAnswer, type Entitled } from '../../../src/reference/driver/entitlement.js';
import { acceptSte } from '../../../src/reference/driver/guest.js';
import { SystemIntent } from '../../../src/reference/driver/system-intent.js';
import { EVENT } from '../../../src/spec/event.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../../src/stack/outcome.js';
import { ANSWER_NONE, ANSWER_UR, newAnswer, type Answer } from '../../../src/stack/transaction.js';
import type { Result } from '../../../src/stack/operation.js';
import type { SystemError, SystemOperation, SystemWorld } from '../../../src/stack/system.js';
import { DEFAULT_SMMU, smallWorld } from '../../../src/stack/world.js';

const STRICT = { mode: 'strict', managed: false } as const;

/** Domains: 0 stage 1, 1 a process's, 2 a parent, 3 stage 2. Device 0 has ATS and substreams, 1 neither, 2 is behind an SMMU of stage 1 alone. */
const WORLD: SystemWorld = {
  base: smallWorld({
    smmus: [{ ...DEFAULT_SMMU, asidMax: 2 }, DEFAULT_SMMU], devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 0, streams: [3] }, { smmu: 1, streams: [1] }],
    domains: [STRICT, { ...STRICT, gather: 'sva' }, STRICT, STRICT, STRICT],
  }),
  smmus: [{ stage2: { vmidBits: 8, vmidMax: 2 }, ats: true, ssidBits: 3, forceWriteBack: true }, {}], devices: [{ ats: true, ssidBits: 2 }, {}, {}],
  domains: [{}, {}, { stage: 2, parent: true }, { stage: 2 }, {}], vsmmus: [{ smmu: 0, parent: 2 }, { smmu: 1, parent: 2 }, { smmu: 0, parent: 3 }], guestFrames: 0,
};

const attach = (device: number, to: number | 'identity' | 'blocked'): SystemOperation => ({ op: 'attach', device, to });
const pasid = (device: number, ssid: number, to: number): SystemOperation => ({ op: 'attach-pasid', device, ssid, to });
const open = (vsmmu: number): SystemOperation => ({ op: 'vsmmu-open', vsmmu });
const nested = (device: number, vsmmu: number, word0 = 0xb): SystemOperation => ({ op: 'attach-nested', device, vsmmu, ste: [word0, 0, 0, 0] });

function after(...operations: readonly SystemOperation[]): SystemIntent {
  const intent = new SystemIntent(WORLD);
  for (const op of operations) intent.finish(op, intent.begin(op).code);
  return intent;
}

const REFUSALS: readonly (readonly [what: string, before: readonly SystemOperation[], op: SystemOperation, code: SystemError | Result])[] = [
  ['a device that is not there', [], attach(9, 0), 'unknown-device'],
  ['stage 2 on an SMMU of stage 1', [], attach(2, 3), 'incompatible'],
  ['stage 2 beside substreams', [pasid(0, 1, 0)], attach(0, 3), 'busy'],
  ['a third ASID of two', [attach(0, 0), attach(1, 1)], pasid(0, 1, 4), 'no-tags'],
  ['a third VMID of two', [open(0), attach(0, 3)], attach(1, 2), 'no-tags'],
  ['the same domain again', [attach(0, 0)], attach(0, 0), 'already-attached'],
  ['a process that has ended', [{ op: 'mm-exit', domain: 1 }], pasid(0, 1, 1), 'mm-gone'],
  ['a map of a process that has ended', [{ op: 'mm-exit', domain: 1 }], { op: 'map', domain: 1, iova: 0, pa: 0, size: 4096, prot: 'rw' }, 'mm-gone'],
  ['the end of no process', [], { op: 'mm-exit', domain: 0 }, 'no-mm'],
  ['a substream of a device without', [], pasid(1, 1, 0), 'no-substreams'],
  ['substream 0', [], pasid(0, 0, 0), 'substream-out-of-range'],
  ['a substream beyond the device\'s', [], pasid(0, 4, 0), 'substream-out-of-range'],
  ['a substream on stage 2', [], pasid(0, 1, 3), 'incompatible'],
  ['a substream of a device on stage 2', [attach(0, 3)], pasid(0, 1, 0), 'incompatible'],
  ['a substream that nothing uses', [], { op: 'detach-pasid', device: 0, ssid: 1 }, 'not-attached'],
  ['a vSMMU over what is no parent', [], open(2), 'not-a-parent'],
  ['a vSMMU of an SMMU without stage 2', [], open(1), 'incompatible'],
  ['a vSMMU that is open', [open(0)], open(0), 'vsmmu-open'],
  ['through a vSMMU that is closed', [], nested(0, 0), 'vsmmu-closed'],
  ['through the vSMMU of another SMMU', [open(0)], nested(2, 0), 'incompatible'],
  ['an STE with stage 2', [open(0)], nested(0, 0, 0xd), 'ste-rejected'],
  ['a guest beside substreams', [open(0), pasid(0, 1, 0)], nested(0, 0), 'busy'],
  ['a vSMMU in use', [open(0), nested(0, 0)], { op: 'vsmmu-close', vsmmu: 0 }, 'vsmmu-in-use'],
];

for (const [what, before, op, code] of REFUSALS) {
  test(`refused, and nothing changes: ${what}`, (t) => {
    const intent = after(...before);
    const seats = (): unknown => [intent.devices.map((d) => [d.seat, [...d.substreams]]), [...intent.gone], [...intent.open], intent.domains.map((d) => d.mapped.runs)];
    const had = JSON.stringify(seats());
    const result = intent.begin(op);
    t.is(result.code, code);
    intent.finish(op, result.code);
    t.is(JSON.stringify(seats()), had);
  });
}

test('out of memory: what was begun is taken back', (t) => {
  for (const op of [attach(0, 0), pasid(0, 1, 0), open(0)]) {
    const intent = after();
    t.is(intent.begin(op).code, 'ok');
    intent.finish(op, 'no-memory');
    t.deepEqual([intent.devices[0]?.seat, intent.devices[0]?.substreams.size, intent.open[0]], ['none', 0, false]);
  }
});

test('who sees what: the device as a whole, its substreams, those of others', (t) => {
  const kinds = (intent: SystemIntent, ...ssids: number[]): string[] => ssids.map((s) => intent.entitled(0, s).kind);
  t.deepEqual(kinds(after(), -1, 1), ['blocked', 'nothing']);
  t.deepEqual(kinds(after(attach(0, 'identity'), pasid(0, 1, 0)), -1, 1, 2), ['identity', 'domain', 'nothing']);
  t.deepEqual(kinds(after(pasid(0, 2, 1), { op: 'mm-exit', domain: 1 }), -1, 2), ['blocked', 'gone']);
  t.deepEqual(kinds(after(open(0), nested(0, 0)), -1, 1), ['guest', 'guest']);
  t.deepEqual(kinds(after(open(0), nested(0, 0, 0x9)), -1, 1), ['domain', 'nothing']);
  t.deepEqual(kinds(after(open(0), nested(0, 0, 0)), -1), ['blocked']);
});

test('ATS: wherever something translates, and with substreams in use', (t) => {
  t.deepEqual([after(), after(attach(0, 'identity')), after(attach(0, 0)), after(attach(0, 3)), after(attach(0, 'blocked'), pasid(0, 1, 0)), after(open(0), nested(0, 0))].map((i) => i.atsOn(0)),
    [false, false, true, true, true, false]);
  t.false(after(attach(1, 0)).atsOn(1));
  t.deepEqual(acceptSte([0xb, 0, 1 << 28, 0]), { config: 'stage1', ats: true });
  t.is(acceptSte([0xb, 0, 2 << 28, 0]), null);
});

const MAP = { runs: [{ first: 4, end: 6, pa: 100, unit: 1, writable: false }], limbo: [], at: (frame: number) => (frame >= 4 && frame < 6 ? { first: 4, end: 6, pa: 100, unit: 1, writable: false } : undefined) };
const answer = (part: Partial<Answer>): Answer => ({ ...newAnswer(), ...part });

test('answers: each kind of entitlement allows its own and no other', (t) => {
  const domain: Entitled = { kind: 'domain', domain: 0 };
  const allows = (e: Entitled, a: Partial<Answer>, part: { frame?: number; write?: boolean; ats?: boolean } = {}, way: 'access' | 'ats-request' | 'translated' = 'access'): boolean =>
    allowsAnswer(e, MAP, way, { frame: 5, write: false, oas: 44, ats: false, inputBits: 48, ...part }, answer(a));
  t.true(allows(domain, { kind: OUTCOME_OK, frame: 101 }));
  t.false(allows(domain, { kind: OUTCOME_OK, frame: 100 }));
  t.false(allows(domain, { kind: OUTCOME_OK, frame: 101 }, { write: true }));
  t.true(allows(domain, { kind: OUTCOME_FAULT, event: EVENT.F_PERMISSION }, { write: true }));
  t.true(allows(domain, { kind: OUTCOME_FAULT, event: EVENT.F_TRANSLATION }, { frame: 6 }));
  t.false(allows(domain, { kind: OUTCOME_ABORT }, { frame: 6 }));
  t.false(allows({ kind: 'gone' }, { kind: OUTCOME_FAULT, event: EVENT.C_BAD_CD }));
  t.true(allows({ kind: 'gone' }, { kind: OUTCOME_ABORT }));
  t.true(allows({ kind: 'guest', parent: 0 }, { kind: OUTCOME_OK, frame: 101 }, { frame: 77 }));
  t.false(allows({ kind: 'guest', parent: 0 }, { kind: OUTCOME_OK, frame: 102 }, { frame: 77 }));
  t.false(allows({ kind: 'nothing' }, { kind: OUTCOME_OK, frame: 101 }));
  t.false(allows(domain, { kind: ANSWER_UR }, { ats: true }, 'ats-request'));
  t.true(allows(domain, { kind: ANSWER_NONE }, { ats: true }, 'translated'));
  t.false(allows(domain, { kind: OUTCOME_OK, frame: 101, canRead: true, canWrite: true }, { ats: true }, 'ats-request'));
  t.true(allows(domain, { kind: OUTCOME_OK, frame: 101, canRead: true }, { ats: true }, 'ats-request'));
});
