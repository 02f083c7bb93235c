/**
 * Command queues of the whole reference machine (IHI 0070 §3.5, §4.1, §4.7.3, §7.1): errors and their acknowledgement, commands that need not do
 * anything, reserved fields, extra queues, errata; and what software must not do to published entries.
 */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { OP, type Command } from '../../../src/spec/command.js';
import { CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, CR0_CMDQEN, EXTRA_CONS, EXTRA_ENABLE, EXTRA_ERROR, EXTRA_PROD, extraQueue, GERROR_CMDQ, queueBase, REG } from '../../../src/spec/register.js';
import { LIMITS } from '../../../src/stack/world.js';
import { newCommand } from '../../../src/spec/command.js';
import { ASID, atcInv, cfgiSte, cmd, connected, L3, nhAsid, nhVa, NSNH_ALL, QUEUE_SLOT, Rig, s2Ipa, SPARE, stage1, STREAM_SLOT, SYNC, table } from './rig.js';

const FAULT = 'F_TRANSLATION';

/** VA 0 is unmapped, and not yet invalidated. */
function stale(setup: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = connected(setup);
  rig.clear(L3, 0);
  return rig;
}

function isGone(rig: Rig): boolean {
  return rig.at(0).join() === FAULT;
}

function acknowledge(rig: Rig, turn: number): void {
  rig.machine.writeRegister(REG.GERRORN, turn % 2 === 1 ? GERROR_CMDQ : 0);
}

test('CERROR_ILL: what is behind the command waits until software has overwritten it and acknowledged', (t) => {
  const rig = stale();
  const before = rig.machine.consOf(0).cons;
  rig.publish(0, cmd({ op: 0x08 }), nhVa(ASID, 0), SYNC);
  t.deepEqual(rig.machine.consOf(0), { cons: before, error: CERROR_ILL });
  rig.finish();
  t.false(isGone(rig));
  const ref = QUEUE_SLOT * 512 + before * 2;
  for (const i of [0, 1]) rig.store(ref + i, { lo: i === 0 ? OP.SYNC : 0, hi: 0 });
  acknowledge(rig, 1);
  t.is(rig.machine.consOf(0).error, 0);
  rig.finish();
  t.true(isGone(rig));
});

test('acknowledging without an error is nothing; an error that was not fixed comes again', (t) => {
  const rig = connected();
  acknowledge(rig, 1);
  rig.publish(0, cmd({ op: OP.PRI_RESP }));
  acknowledge(rig, 2);
  t.is(rig.machine.consOf(0).error, CERROR_ILL);
});

test('CERROR_ABT: a queue outside of memory', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 0);
  rig.machine.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + 4096) * 4096, 5));
  rig.machine.writeRegister(REG.CMDQ_CONS, 4);
  rig.machine.writeRegister(REG.CMDQ_PROD, 5);
  rig.machine.writeRegister(REG.CR0, CR0_CMDQEN);
  t.deepEqual(rig.machine.consOf(0), { cons: 4, error: CERROR_ABT });
});

test('base and CONS are written only while the queue is off', (t) => {
  const rig = connected();
  const { cons } = rig.machine.consOf(0);
  rig.machine.writeRegister(REG.CMDQ_CONS, 0);
  rig.machine.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + 4096) * 4096, 5));
  rig.batch();
  t.deepEqual(rig.machine.consOf(0), { cons: cons + 1, error: 0 });
});

test('PROD that claims more than the queue holds is not followed', (t) => {
  const rig = connected();
  const { cons } = rig.machine.consOf(0);
  rig.machine.writeRegister(REG.CMDQ_PROD, (cons + 40) % 64);
  t.is(rig.machine.consOf(0).cons, cons);
});

const RESERVED: Readonly<Command> = { ...newCommand(), op: OP.TLBI_NH_VA, asid: ASID, frame: 0, ttl: 3 }; // TTL without TG

test('a reserved field: CERROR_ILL, or the whole field ignored', (t) => {
  const strict = stale({ strictReserved: true });
  strict.publish(0, RESERVED, SYNC);
  t.is(strict.machine.consOf(0).error, CERROR_ILL);
  const lenient = stale({ strictReserved: false });
  lenient.batch(RESERVED);
  t.true(isGone(lenient));
});

test('range fields without RIL degrade to one address', (t) => {
  const rig = stale({ strictReserved: false, range: false });
  rig.batch(nhVa(ASID, 1, { tg: 1, num: 31 }));
  t.false(isGone(rig));
  rig.batch(nhVa(ASID, 0, { tg: 1, num: 31 }));
  t.true(isGone(rig));
});

test('commands that need not do anything: misaligned ranges, tags beyond the implemented size, other streams', (t) => {
  const rig = stale({ asidBits: 8 });
  rig.batch(nhVa(ASID, 1, { tg: 1, ttl: 2, num: 31, scale: 5 }));
  rig.batch(nhAsid(ASID + 256));
  rig.batch(nhVa(ASID, 0, { tg: 1, num: 1, scale: 35 }));
  rig.batch(cmd({ op: OP.CFGI_STE, sid: 2 ** 20 }));
  t.false(isGone(rig));
  t.is(rig.machine.consOf(0).error, 0);
  rig.batch(nhAsid(ASID));
  t.true(isGone(rig));
});

test('prefetches are hints', (t) => {
  const rig = stale();
  rig.batch(cmd({ op: OP.PREFETCH_CONFIG, sid: 0 }), cmd({ op: OP.PREFETCH_ADDR, sid: 0, frame: 0 }));
  t.false(isGone(rig));
  t.is(rig.machine.consOf(0).error, 0);
});

test('an endpoint that does not respond: the SYNC fails, TLBIs before it complete under the next, ATC_INVs do not', (t) => {
  const rig = connected();
  rig.word(STREAM_SLOT * 512, stage1(0, { EATS: 1 }), 1);
  rig.batch(cfgiSte(0));
  rig.machine.setEndpoint(0, true, true);
  rig.machine.setEndpoint(1, true, false);
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  rig.clear(L3, 1);
  rig.publish(0, atcInv(0), nhVa(ASID, 1), atcInv(1), atcInv(0), SYNC);
  t.is(rig.machine.consOf(0).error, CERROR_ATC_INV_SYNC);
  acknowledge(rig, 1);
  t.is(rig.machine.consOf(0).error, 0);
  rig.finish();
  t.deepEqual(rig.at(1), [FAULT]);
  t.deepEqual(rig.ask({ frame: 0 }, 'translated'), ['none', 'ok 10'], 'which of them timed out is unknown');
  rig.batch(atcInv(0));
  t.deepEqual(rig.ask({ frame: 0 }, 'translated'), ['none']);
});

test('what waits for a SYNC is pending', (t) => {
  const rig = connected();
  rig.publish(0, NSNH_ALL, SYNC, NSNH_ALL);
  t.is(rig.machine.queues[0]?.pending.length, 2);
  rig.finish();
  t.is(rig.machine.queues[0]?.pending.length, 1);
});

test('extra queues: an error of one stops that one; ERRACK restarts it', (t) => {
  const rig = stale();
  rig.publish(1, cmd({ op: 0x08 }));
  t.is(rig.machine.consOf(1).error, CERROR_ILL);
  rig.batch(nhVa(ASID, 0));
  t.true(isGone(rig));
  rig.store(3 * 512, { lo: OP.SYNC, hi: 0 });
  rig.machine.writeRegister(extraQueue(0, 1) + EXTRA_PROD, 1 + EXTRA_ENABLE + EXTRA_ERROR);
  t.deepEqual(rig.machine.consOf(1), { cons: 1, error: 0 });
});

test('an extra queue that is off consumes nothing; its CONS may be set then', (t) => {
  const rig = connected();
  const at = extraQueue(0, 1);
  rig.machine.writeRegister(at + EXTRA_PROD, 0);
  rig.machine.writeRegister(at + EXTRA_CONS, 7);
  rig.write(1, SYNC);
  rig.machine.writeRegister(at + EXTRA_PROD, 8);
  t.is(rig.machine.consOf(1).cons, 7);
  rig.machine.writeRegister(at + EXTRA_PROD, 7 + EXTRA_ENABLE);
  t.is(rig.machine.consOf(1).cons, 7);
});

test('PROD must not overtake CONS where software is judged', (t) => {
  const rig = connected();
  rig.machine.judged = true;
  t.throws(() => { rig.machine.writeRegister(REG.CMDQ_PROD, (rig.machine.consOf(0).cons + 40) % 64); }, { message: /prod|queue|CONS/i });
});

test('erratum: of two equal lists in a row the second has no effect', (t) => {
  const rig = connected({ repeatedList: true });
  rig.batch(nhVa(ASID, 0));
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  t.false(isGone(rig));
  rig.batch(nhVa(ASID, 1));
  rig.batch(nhVa(ASID, 0));
  t.true(isGone(rig));
});

test('erratum: a list that is too long without a SYNC is lost', (t) => {
  const long = (count: number): Rig => {
    const rig = stale({ forceSync: true });
    for (let i = 0; i < count; i += 1) rig.publish(0, nhVa(ASID, 0));
    rig.batch();
    return rig;
  };
  t.true(isGone(long(LIMITS.forcedList)));
  t.false(isGone(long(LIMITS.forcedList + 1)));
});

test('listeners hear of every command, its verdict, and what a SYNC covered', (t) => {
  const rig = connected();
  const heard: string[] = [];
  rig.machine.listener = {
    commandSeen: (queue, c, v) => { heard.push(`${queue} ${c.op} ${v.verdict}`); },
    synced: (queue, covered) => { heard.push(`${queue} synced ${covered.length}`); },
    conflict: (what) => { heard.push(what); },
  };
  rig.batch(nhAsid(ASID), s2Ipa(0, 0));
  t.deepEqual(heard, [`0 ${OP.TLBI_NH_ASID} legal`, `0 ${OP.TLBI_S2_IPA} legal`, `0 ${OP.SYNC} legal`, '0 synced 2']);
});

test('break-before-make is judged on stores of software', (t) => {
  const conflicts = (bbml: 0 | 1 | 2, stores: (rig: Rig) => void): number => {
    const rig = connected({ bbml });
    let count = 0;
    rig.machine.listener = { commandSeen: () => undefined, synced: () => undefined, conflict: () => { count += 1; } };
    rig.machine.software = true;
    stores(rig);
    return count;
  };
  const nT = 1 << 16;
  const AT = (lo: number): { lo: number; hi: number } => ({ lo, hi: 0 });
  const PAGE = 0xc43; // AF, nG, AP[1], page
  const BLOCK = 0xc41;
  t.is(conflicts(2, (r) => { r.put(L3, 0, AT(0x99000 + PAGE)); }), 1, 'another output address');
  t.is(conflicts(2, (r) => { r.put(L3, 5, AT(0x99000 + PAGE)); }), 0);
  t.is(conflicts(2, (r) => { r.clear(L3, 0); r.batch(nhVa(ASID, 0)); r.put(L3, 0, AT(0x99000 + PAGE)); }), 0, 'break before make');
  t.is(conflicts(2, (r) => { r.put(L3, 0, AT(0x10000 + PAGE - 0x800)); }), 1, 'global beside non-global');
  for (const [bbml, bit, count] of [[0, 0, 1], [0, nT, 1], [1, 0, 1], [1, nT, 0], [2, 0, 0]] as const) {
    const resized = conflicts(bbml, (r) => {
      r.machine.software = false;
      r.put(17, 1, AT(0x200000 + bit + BLOCK));
      r.put(SPARE, 3, AT(0x203000 + PAGE));
      r.machine.software = true;
      r.put(17, 1, table(SPARE));
    });
    t.is(resized, count, `BBML ${bbml}, nT ${bit}`);
  }
});

