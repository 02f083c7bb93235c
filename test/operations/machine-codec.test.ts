/** Machine cases as text: what is written, what is read, shorthand, hostile input, identity. */
import test from 'ava';
import { newCommand, OP } from '../../src/spec/command.js';
import { FULL_FEATURES } from '../../src/spec/features.js';
import { CaseError } from '../../src/operations/case.js';
import { machineCaseId, type MachineCase } from '../../src/operations/machine-case.js';
import { decodeMachineCase, encodeMachineCase } from '../../src/operations/machine-codec.js';
import { decodeStored, encodeStored, storedId } from '../../src/operations/stored.js';
import type { Boot, MachineOperation, Where } from '../../src/stack/machine-world.js';

const BOOT: Boot = {
  streams: 0x100000000, streamsLog2: 4, split: 0, commands: 0x100001000, commandsLog2: 5, events: 0x100002000, eventsLog2: 3, extra: 0x100003000,
  e2h: true, recordUnknown: false, recordAts: true, atsChk: true, vmw: 2, skip: ['tlbi-el2'],
};
const WHERE: Where = { smmu: 1, sid: 7, ssid: 3, iova: 2 ** 64 - 4096, write: true, privileged: true, instruction: false };
const PLAIN: Where = { smmu: 0, sid: 0, ssid: -1, iova: 0x4004, write: false, privileged: false, instruction: false };

/** One of each kind. */
const ALL: readonly MachineOperation[] = [
  { op: 'store', at: 0x100001008, lo: 0xdeadbeef, hi: 0xffffffff, held: true },
  { op: 'store', at: 0x100001010, lo: 0, hi: 0, held: false },
  { op: 'barrier' },
  { op: 'boot', smmu: 1, boot: BOOT },
  { op: 'register', smmu: 0, offset: 0x20, value: 13 },
  { op: 'register', smmu: 0, offset: 0x12340, value: 2 ** 52 },
  { op: 'command', smmu: 0, queue: 1, command: { ...newCommand(), op: OP.TLBI_NH_VA, asid: 5, frame: 2 ** 52 - 1, leaf: 1, tg: 1, num: 3, ttl: 3 } },
  { op: 'command', smmu: 0, queue: 0, command: { ...newCommand(), op: 0x99 } },
  { op: 'command', smmu: 0, queue: 0, command: { ...newCommand(), op: OP.SYNC, cs: 1, msiAddress: 0x40000401, msiData: 9 } },
  { op: 'raw', smmu: 0, queue: 0, words: [1, 2, 0xffffffff, 4] },
  { op: 'sync', smmu: 0, queue: 0, msi: 0x100004004 },
  { op: 'acknowledge', smmu: 0, queue: 0, fix: true },
  { op: 'access', ...WHERE }, { op: 'ats-request', ...PLAIN }, { op: 'translated', ...PLAIN, instruction: true },
  { op: 'endpoint', smmu: 0, sid: 3, ats: false, responds: false },
  { op: 'evict', smmu: 0 },
  { op: 'claim', ...PLAIN, rule: 'stale-atc', translated: true, allow: [{ answer: 'ok', pa: 0x9000 }, { answer: 'F_TRANSLATION', stage2: true }, { answer: 'any-fault' }, { answer: 'ur' }] },
  { op: 'free', at: 0x100004000, frames: 2 },
];

const FULL: MachineCase = {
  schema: 1, kind: 'machine',
  world: {
    smmus: [
      { features: FULL_FEATURES, tlbEntries: 64, mergeRuns: false, strictReserved: true },
      { features: { ...FULL_FEATURES, httu: 0, range: false, oas: 52 }, tlbEntries: 4, mergeRuns: true, strictReserved: false },
    ],
    frames: 32, judged: false,
  },
  operations: ALL, expect: { verdict: 'violation', rule: 'stale-atc' }, provenance: { why: 'test', run: 3 },
};
const TEXT = encodeMachineCase(FULL);

function line(op: string): string {
  return TEXT.split('\n').find((l) => l.includes(`"op":"${op}"`))?.trim().replace(/,$/, '') ?? '';
}

test('what is written is read back, and written the same again', (t) => {
  t.deepEqual(decodeMachineCase(TEXT, 'x'), FULL);
  t.is(encodeMachineCase(decodeMachineCase(TEXT, 'x')), TEXT);
});

test('one operation a line, fields by name, usual values left out', (t) => {
  t.is(TEXT.split('\n').filter((l) => l.includes('"op":')).length, ALL.length);
  t.is(line('store'), '{"op":"store","at":"0x100001008","value":"0xffffffffdeadbeef","held":true}');
  t.is(line('register'), '{"op":"register","register":"CR0","value":"0xd"}');
  t.is(line('command'), '{"op":"command","queue":1,"command":{"name":"TLBI_NH_VA","asid":5,"num":3,"leaf":1,"ttl":3,"tg":1,"va":"0xfffffffffffff000"}}');
  t.is(line('access'), '{"op":"access","smmu":1,"sid":7,"ssid":3,"iova":"0xfffffffffffff000","write":true,"privileged":true}');
  t.is(line('ats-request'), '{"op":"ats-request","sid":0,"iova":"0x4004"}');
  t.true(TEXT.includes('"smmus": [{},{"features":{"httu":0,"range":false,"oas":52},"tlbEntries":4,"mergeRuns":true,"strictReserved":false}]'));
});

test('identity: usual values written out count nothing, provenance counts nothing, everything else does', (t) => {
  const id = machineCaseId(FULL);
  t.is(machineCaseId(decodeMachineCase(TEXT.replace('{"op":"evict"}', '{"op":"evict","smmu":0}'), 'x')), id);
  t.is(machineCaseId({ ...FULL, provenance: {} }), id);
  t.not(machineCaseId({ ...FULL, world: { ...FULL.world, judged: true } }), id);
  t.not(machineCaseId({ ...FULL, expect: { verdict: 'ok' } }), id);
  t.is(new Set(ALL.map((_, i) => machineCaseId({ ...FULL, operations: ALL.filter((__, k) => k !== i) }))).size, ALL.length);
});

/** The operations that a list of JSON operations stands for. */
function read(...operations: readonly object[]): readonly MachineOperation[] {
  return decodeMachineCase(JSON.stringify({ schema: 1, kind: 'machine', world: { smmus: [{}] }, operations, expect: { verdict: 'ok' }, provenance: {} }), 'x').operations;
}

test('shorthand: structures stand for their stores, V last, and have the same identity', (t) => {
  const ste = read({ op: 'ste', at: '0x100000000', sid: 2, fields: { V: 1, Config: 5, S1ContextPtr: '0x100005000' }, words: [1, 0] });
  t.deepEqual(ste, [
    { op: 'store', at: 0x100000088, lo: 0, hi: 0, held: false },
    { op: 'store', at: 0x100000080, lo: 0x500b, hi: 1, held: false },
  ]);
  const cd = read({ op: 'cd', at: '0x100005000', fields: { T0SZ: 25, V: 1, ASID: 7, TTB0: '0x100006000' }, held: true });
  t.is(cd.length, 8);
  t.deepEqual(cd.at(-1), { op: 'store', at: 0x100005000, lo: 0x80000019, hi: 0x70000, held: true });
  t.deepEqual(cd[0], { op: 'store', at: 0x100005008, lo: 0x6000, hi: 1, held: true });
});

test('shorthand: descriptors', (t) => {
  const [table, page, block, stage2] = read({ op: 'table', at: '0x100006000', pa: '0x100007000', uxn: true }, { op: 'leaf', at: '0x100007008', level: 3, pa: '0x9000', write: false, global: true },
    { op: 'leaf', at: '0x100007010', level: 2, pa: '0x200000', dbm: true, user: false, af: false }, { op: 'leaf', at: '0x100007018', level: 3, stage: 2, pa: '0x9000', write: false });
  t.deepEqual(table, { op: 'store', at: 0x100006000, lo: 0x7003, hi: 1 + 2 ** 28, held: false });
  t.deepEqual(page, { op: 'store', at: 0x100007008, lo: 0x9000 | 0x3 | 0x4 | 0x40 | 0x80 | 0x300 | 0x400, hi: 0, held: false });
  t.deepEqual(block, { op: 'store', at: 0x100007010, lo: 0x200000 | 0x1 | 0x4 | 0x300 | 0x800, hi: 1 << 19, held: false });
  t.deepEqual(stage2, { op: 'store', at: 0x100007018, lo: 0x9000 | 0x3 | 0x3c | 0x40 | 0x300 | 0x400, hi: 0, held: false });
});

const REFUSED: readonly (readonly [object, RegExp])[] = [
  [{ op: 'nothing' }, /operations\[0\]\.op must be/],
  [{ op: 'evict', smmu: 1 }, /smmu must be below 1/],
  [{ op: 'evict', extra: 1 }, /unknown key "extra"/],
  [{ op: 'store', at: '0x100000004', value: 1 }, /at must be a multiple of 8/],
  [{ op: 'store', at: '0x100000008' }, /lacks the key "value"/],
  [{ op: 'store', at: '0x100000008', value: '0x12345678901234567' }, /must be a hexadecimal string/],
  [{ op: 'store', at: -8, value: 0 }, /from 0 to 2\^53/],
  [{ op: 'access', sid: 1, iova: '0xffffffffffffff01' }, /multiple of 4096 when/],
  [{ op: 'access', sid: 1 }, /lacks the key "iova"/],
  [{ op: 'access', iova: 0 }, /lacks the key "sid"/],
  [{ op: 'command', command: { name: 'TLBI_NH_ALL', asid: 1 } }, /unknown key "asid"/],
  [{ op: 'command', command: { name: 'constructor' } }, /must be the name of a command/],
  [{ op: 'command', command: { name: 'CFGI_STE', sid: 2 ** 32 } }, /sid must be an integer/],
  [{ op: 'command', command: { name: 'TLBI_NH_VA', va: '0x10' } }, /va must be a multiple of 4096/],
  [{ op: 'raw', words: ['0x0'] }, /words must have 2 to 2/],
  [{ op: 'register', register: 'CR9', value: 0 }, /must be the name of a register/],
  [{ op: 'boot', streams: 0, streamsLog2: 1, commands: 0, commandsLog2: 1, events: 0, eventsLog2: 1, split: 7 }, /split must be 0 or 6/],
  [{ op: 'claim', rule: 'none', sid: 0, iova: 0, allow: [] }, /rule must be/],
  [{ op: 'claim', rule: 'isolation', sid: 0, iova: 0, allow: [{ answer: 'abort', pa: 0 }] }, /pa must be absent/],
  [{ op: 'claim', rule: 'isolation', sid: 0, iova: 0, allow: [{ answer: 'ok', stage2: true }] }, /stage2 must be absent/],
  [{ op: 'claim', rule: 'isolation', sid: 0, iova: 0, allow: [{ answer: 'toString' }] }, /answer must be/],
  [{ op: 'ste', at: '0x100000000', fields: { W: 1 } }, /unknown key "W"/],
  [{ op: 'ste', at: '0x100000000', fields: { V: 2 } }, /does not fit 1 bits/],
  [{ op: 'cd', at: '0x100000020', fields: {} }, /multiple of 64/],
  [{ op: 'cd', at: '0x100000000', fields: { TTB0: 8 } }, /multiple of 16/],
  [{ op: 'leaf', at: '0x100000000', level: 3, pa: '0x800' }, /multiple of 4096 below/],
  [{ op: 'leaf', at: '0x100000000', pa: 0 }, /lacks the key "level"/],
];

for (const [operation, message] of REFUSED) {
  test(`refused: ${JSON.stringify(operation)}`, (t) => {
    const error = t.throws(() => read(operation), { instanceOf: CaseError });
    t.regex(error.message, message);
    t.regex(error.message, /^x: /);
    t.false(error.message.includes('\n'));
  });
}

test('refused: worlds', (t) => {
  const world = (w: object): (() => void) => () => { decodeMachineCase(JSON.stringify({ schema: 1, kind: 'machine', world: w, operations: [], expect: { verdict: 'ok' }, provenance: {} }), 'x'); };
  t.notThrows(world({ smmus: [{ features: { oas: 52 } }] }));
  t.throws(world({ smmus: [] }), { message: /1 to 4/ });
  t.throws(world({ smmus: [{ features: { oas: 50 } }] }), { message: /oas must be/ });
  t.throws(world({ smmus: [{ features: { magic: true } }] }), { message: /unknown key "magic"/ });
  t.throws(world({ smmus: [{ tlbEntries: 6 }] }), { message: /power of two/ });
  t.throws(world({ smmus: [{}], frames: 1000 }), { message: /16 to 512/ });
});

test('a stored case is read by its kind', (t) => {
  t.deepEqual(decodeStored(TEXT, 'x'), FULL);
  t.is(encodeStored(FULL), TEXT);
  t.is(storedId(FULL), machineCaseId(FULL));
  t.throws(() => decodeStored(TEXT.replace('"machine"', '"scenario"'), 'x'), { instanceOf: CaseError, message: /kind must be "driver" or "machine" or "plan"/ });
});
