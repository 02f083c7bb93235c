/** The runner of raw machine sequences, with machines that do what they are told: each rule breaks, and only then. */
import test from 'ava';
import { newCommand, OP } from '../../src/spec/command.js';
import { EVENT, newFault } from '../../src/spec/event.js';
import { REG } from '../../src/spec/register.js';
import { describeEntry } from '../../src/lockstep/machine-words.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { newCachedEntry } from '../../src/stack/transaction.js';
import { BOOT, CONFIG, FakeConcrete, FakeWeakest, RAM, rig, script, WHERE } from './fake-twins.js';

const boot: MachineOperation = { op: 'boot', smmu: 0, boot: BOOT };
const access: MachineOperation = { op: 'access', ...WHERE };
const sync: MachineOperation = { op: 'sync', smmu: 0, queue: 0, msi: 0 };
const illegal: MachineOperation = { op: 'command', smmu: 0, queue: 0, command: { ...newCommand(), op: 0x99 } };
const FAULT = { kind: 1, event: EVENT.F_TRANSLATION } as const;

test('boot: registers in the recommended order, CFGI before TLBI, and nothing breaks', (t) => {
  const { run, weakest, breaks } = rig(script());
  t.is(breaks(boot, access, sync), null);
  t.is(run.commands[OP.CFGI_STE_RANGE], 1);
  t.is(run.commands[OP.TLBI_EL2_ALL], 1);
  t.is(run.commands[OP.TLBI_NSNH_ALL], 1);
  t.is(run.commands[OP.SYNC], 3);
  t.is(weakest.get(REG.CR0), 13);
  t.is(weakest.get(REG.STRTAB_BASE_CFG), 4);
});

test('boot leaves out what it is told to', (t) => {
  const { run, weakest, breaks } = rig(script());
  t.is(breaks({ ...boot, boot: { ...BOOT, skip: ['cfgi-all', 'tlbi-el2', 'enable'], split: 8 } }), null);
  t.is(run.commands[OP.CFGI_STE_RANGE], 0);
  t.is(run.commands[OP.TLBI_EL2_ALL], 0);
  t.is(run.commands[OP.TLBI_NSNH_ALL], 1);
  t.is(weakest.get(REG.CR0), 12);
  t.is(weakest.get(REG.STRTAB_BASE_CFG), 4 + 256 * 2 + 65536);
});

test('an answer outside of the permitted set', (t) => {
  const v = rig(script({ answer: { kind: 0, frame: 9 } })).breaks(boot, access);
  t.is(v?.rule, 'machine-refinement');
  t.regex(v?.expected ?? '', /stream 1 at 0x4000, read: 0x8000/);
  t.regex(v?.actual ?? '', /0x9000/);
  t.is(rig(script({ answer: { ...FAULT, stage2: 1, ipa: 3 }, permitted: [{ ...FAULT, stage2: 1, ipa: 4 }] })).breaks(boot, access)?.rule, 'machine-refinement');
});

test('a fault leaves exactly one record, which says what the answer says', (t) => {
  const fault = (record: Parameters<typeof script>[0]): ReturnType<typeof script> => script({ answer: FAULT, permitted: [FAULT], ...record });
  t.is(rig(fault({})).breaks(boot, access, access, access, access, access, sync), null);
  t.is(rig(fault({})).breaks({ op: 'access', ...WHERE, ssid: 4, write: true }), null, 'nothing is recorded before the queue is on');
  t.is(rig(fault({ record: () => null })).breaks(boot, access)?.cause, 'event record');
  for (const change of [{ type: EVENT.F_ACCESS }, { sid: 2 }, { inputFrame: 5 }, { read: 0 }, { stage2: 1 }, { class: 1 }, { ssv: 1, ssid: 9 }]) {
    t.is(rig(fault({ record: (e) => ({ ...e, ...change }) })).breaks(boot, access)?.cause, 'event record', JSON.stringify(change));
  }
});

test('a record without a fault, and a record of an earlier transaction after a SYNC', (t) => {
  const s = script({ answer: FAULT, permitted: [FAULT, { kind: 2 }] });
  const early = rig(s);
  t.is(early.breaks(boot, access), null);
  early.concrete.late = { ...newFault(), type: EVENT.C_BAD_CD, sid: 1 };
  t.is(early.breaks(sync)?.rule, 'machine-refinement');
  const late = rig(script({ answer: FAULT, permitted: [FAULT] }));
  let seen: FakeConcrete['late'] = null;
  late.concrete.s.record = (e) => { seen = e; return e; };
  t.is(late.breaks(boot, access, sync), null);
  late.concrete.late = seen;
  t.is(late.breaks(sync)?.rule, 'stale-event');
  t.true(late.run.ledger.counts()['stale-event'].decided > 0);
});

test('a machine may be late with a record until the next CMD_SYNC, where that is its freedom', (t) => {
  const s = script({ answer: FAULT, permitted: [FAULT], lateEvents: true });
  const r = rig(s);
  const hold: NonNullable<FakeConcrete['late']>[] = [];
  s.record = (e) => { hold.push(e); return null; };
  t.is(r.breaks(boot, access), null);
  r.concrete.late = hold[0] ?? null;
  t.is(r.breaks(sync, sync), null);
  t.is(r.breaks(access, sync), null, 'not there at the CMD_SYNC');
  r.concrete.late = hold[1] ?? null;
  const v = r.breaks(sync);
  t.is(v?.rule, 'stale-event');
  t.regex(v?.actual ?? '', /F_TRANSLATION/);
  const never = rig(s);
  t.is(never.breaks(boot, access, sync), null);
  t.is(never.breaks(sync)?.cause, 'event record');
});

test('a cached entry that is no fact', (t) => {
  const s = script();
  const r = rig(s);
  t.is(r.breaks(boot, access), null);
  s.entries = [{ ...newCachedEntry(), asid: 5, frame: 4, target: 9, canRead: true }];
  s.held = false;
  t.is(r.breaks({ op: 'barrier' }), null, 'asked after accesses, SYNCs and evictions');
  const v = r.breaks(sync);
  t.is(v?.cause, 'a cached stage-1 leaf that is no fact');
  t.regex(v?.actual ?? '', /stage-1 leaf \{EL1 vmid 0 asid 5 4K level 3 0x4000 -> 0x9000 r\}/);
  t.is(r.breaks({ op: 'evict', smmu: 0 }, sync), null);
});

test('stores of the machine itself: messages and records pass, others are asked for', (t) => {
  const s = script({ act: (memory) => { memory.commit(7 * 512, 1, 0); } });
  const v = rig(s).breaks(boot, access);
  t.is(v?.cause, 'a store that no SMMU may make');
  t.regex(v?.actual ?? '', /changes 0x100007000 from 0x000000000 to 0x000000001/);
  t.is(rig({ ...s, mayUpdate: true }).breaks(boot, access), null);
  t.is(rig(script()).breaks(boot, { ...sync, msi: RAM + 0x3004 }), null);
});

test('a SYNC with a message: software sees it when the message comes', (t) => {
  const good = rig(script());
  t.is(good.breaks(boot), null);
  t.is(good.run.step({ ...sync, msi: RAM + 0x3004 }).note, null);
  t.is(good.run.memory.hi[3 * 512], 1);
  const silent = rig(script({ messages: false }));
  t.is(silent.breaks(boot), null);
  t.is(silent.run.step({ ...sync, msi: RAM + 0x3000 }).note, 'the message does not come');
  t.is(silent.run.step({ ...sync, msi: 0x5000 }).note, 'the message does not come');
});

test('CONS and errors must agree; an acknowledged queue goes on', (t) => {
  const fails = (c: { op: number }): number => (c.op === 0x99 ? 1 : 0);
  const good = rig(script({ fails }), { judged: false });
  t.is(good.breaks(boot, illegal), null);
  t.is(good.run.step(sync).note, 'it is not consumed');
  t.is(good.run.step({ op: 'acknowledge', smmu: 0, queue: 0, fix: true }).note, null);
  t.is(good.run.step(sync).note, null);
  t.is(good.run.step({ op: 'acknowledge', smmu: 0, queue: 0, fix: true }).note, 'no command error is active');
  const blind = rig(script({ fails, blind: true }), { judged: false }).breaks(boot, illegal);
  t.is(blind?.cause, 'CONS');
});

test('a full queue: software waits for room', (t) => {
  const fails = (c: { op: number }): number => (c.op === 0x99 ? 1 : 0);
  const r = rig(script({ fails }), { judged: false });
  t.is(r.breaks(boot, illegal, illegal, illegal, illegal), null);
  t.is(r.run.step(illegal).note, 'no room');
});

test('judged software: illegal commands, PROD beyond CONS, published commands overwritten', (t) => {
  const verdict = (c: { op: number }): 'illegal' | 'legal' => (c.op === 0x99 ? 'illegal' : 'legal');
  t.is(rig(script({ verdict })).breaks(boot, illegal)?.rule, 'illegal-command');
  t.is(rig(script({ verdict }), { judged: false }).breaks(boot, illegal), null);
  t.is(rig(script()).breaks(boot, { op: 'register', smmu: 0, offset: REG.CMDQ_PROD, value: 3 })?.rule, 'queue-integrity');
  const overwrite: MachineOperation = { op: 'store', at: BOOT.commands + 8, lo: 1, hi: 0, held: false };
  t.is(rig(script({ fails: (c) => (c.op === 0x99 ? 1 : 0) })).breaks(boot, illegal, { ...overwrite, at: BOOT.commands + 16 })?.rule, 'queue-integrity');
  t.is(rig(script()).breaks(boot, overwrite), null, 'an entry that is consumed may change');
});

test('break-before-make is heard of, when software is judged', (t) => {
  const r = rig(script());
  r.weakest.stored = () => { r.weakest.listener?.conflict('a block over pages'); };
  const op: MachineOperation = { op: 'store', at: RAM + 0x5000, lo: 1, hi: 0, held: false };
  t.is(r.breaks(op)?.rule, 'break-before-make');
  const free = rig(script(), { judged: false });
  free.weakest.stored = () => { free.weakest.listener?.conflict('a block over pages'); };
  t.is(free.breaks(op), null);
});

test('held stores become visible at the barrier, in order, and are software’s', (t) => {
  const { run, weakest } = rig(script());
  run.step({ op: 'store', at: RAM + 0x5000, lo: 1, hi: 2, held: true });
  run.step({ op: 'store', at: RAM + 0x5008, lo: 3, hi: 4, held: true });
  t.is(run.memory.lo[5 * 512], 0);
  run.step({ op: 'store', at: RAM + 0x5008, lo: 9, hi: 9, held: false });
  t.is(run.step({ op: 'barrier' }).note, null);
  t.deepEqual([run.memory.lo[5 * 512], run.memory.hi[5 * 512], run.memory.lo[5 * 512 + 1]], [1, 2, 9], 'an older held store does not come back over a newer one');
  t.deepEqual(weakest.heard, [true, true]);
  t.is(run.step({ op: 'barrier' }).note, 'nothing waits');
  t.is(run.step({ op: 'store', at: RAM + 0x10000, lo: 1, hi: 2, held: false }).note, 'outside of RAM');
});

test('claims: every permitted answer must be allowed', (t) => {
  const claim = (allow: Extract<MachineOperation, { op: 'claim' }>['allow'], translated = false): MachineOperation => ({ op: 'claim', ...WHERE, rule: 'stale-translation', translated, allow });
  const two = script({ permitted: [{ kind: 0, frame: 8 }, { kind: 1, event: EVENT.F_TRANSLATION, stage2: 1 }] });
  t.is(rig(two).breaks(claim([{ answer: 'ok', pa: 0x8000 }, { answer: 'F_TRANSLATION' }])), null);
  t.is(rig(two).breaks(claim([{ answer: 'ok' }, { answer: 'any-fault', stage2: true }])), null);
  const v = rig(two).breaks(claim([{ answer: 'ok' }, { answer: 'F_TRANSLATION', stage2: false }]));
  t.is(v?.rule, 'stale-translation');
  t.is(v?.cause, 'an access may still end in F_TRANSLATION: because');
  t.regex(v?.expected ?? '', /any page or F_TRANSLATION of stage 1/);
  t.is(rig(two).breaks(claim([{ answer: 'ok', pa: 0x9000 }, { answer: 'any-fault' }]))?.cause, 'an access may still end in ok: because');
  t.is(rig(script({ permitted: [{ kind: 3 }] })).breaks(claim([], true)), null, 'nothing sent is never wrong');
  t.is(rig(script({ permitted: [{ kind: 4 }] })).breaks(claim([{ answer: 'ur' }])), null);
  const r = rig(two);
  r.breaks(claim([{ answer: 'ok' }, { answer: 'any-fault' }]));
  t.deepEqual(r.run.ledger.counts()['stale-translation'], { armed: 1, decided: 1, violated: 0 });
});

test('freed pages: a table descriptor is a stale walk, everything else is used after free', (t) => {
  const free: MachineOperation = { op: 'free', at: RAM + 0x4000, frames: 1 };
  t.is(rig(script()).breaks(free), null);
  t.is(rig(script({ pointsTo: 'table descriptor at level 2' })).breaks(free)?.rule, 'stale-walk');
  const v = rig(script({ pointsTo: 'leaf of asid 3' })).breaks(free);
  t.is(v?.rule, 'use-after-free');
  t.regex(v?.actual ?? '', /leaf of asid 3 points to 0x100004000/);
});

test('replay: rows of both sides, the last one differs', (t) => {
  const s = script({ permitted: [{ kind: 0, frame: 8 }] });
  const twins = { concrete: (memory: FakeConcrete['memory']) => new FakeConcrete(memory, s), weakest: (memory: FakeConcrete['memory']) => new FakeWeakest(memory, s) };
  const claim: MachineOperation = { op: 'claim', ...WHERE, rule: 'stale-atc', translated: false, allow: [{ answer: 'abort' }] };
  const world = { smmus: [CONFIG], frames: 16, judged: true };
  const r = replayMachine(world, [boot, access, claim, access], { twins }, true);
  t.is(r.violation?.rule, 'stale-atc');
  t.is(r.failedAt, 2);
  t.deepEqual(r.rows.map((row) => [row.optimised, row.differs]), [['done', false], ['0x8000', false], [r.violation?.actual ?? '', true]]);
  t.is(replayMachine(world, [boot, access, claim, access], { twins, until: 2 }).violation, null);
});

test('entries in words', (t) => {
  const e = { ...newCachedEntry(), kind: 'atc' as const, sid: 3, ssid: 4, frame: 16, frames: 2, target: 32, canRead: true, canWrite: true };
  t.is(describeEntry(e), 'ATC entry {stream 3 PASID 4 0x10000 +2 pages -> 0x20000 rw}');
  t.is(describeEntry({ ...e, kind: 'table', stage: 3, world: 2 }), 'combined table {EL1'.replace('EL1', 'EL2-E2H vmid 0 global 4K level 3 0x10000 +2 pages -> 0x20000}'));
});
