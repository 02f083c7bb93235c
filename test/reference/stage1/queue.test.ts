/** The command queue of the weakest SMMU: what becomes visible when, what completes, and misuse that it reports. */
import test, { type ExecutionContext } from 'ava';
import { CR0_CMDQEN, REG } from '../../../src/spec/register.js';
import { Unmodelled, ViolationError, type RuleId } from '../../../src/stack/violation.js';
import { OP } from '../../../src/spec/command.js';
import { ASID, cmd, connected, L3, NH_ALL, nhAsid, nhVa, QUEUE_LOG2, QUEUE_SLOT, SYNC, type Rig } from './rig.js';

const LEAF_ONLY = nhVa(ASID, 0, { leaf: 1 });

function breaks(t: ExecutionContext, rule: RuleId, cause: RegExp, act: () => void): void {
  const error = t.throws(act, { instanceOf: ViolationError });
  t.is(error?.violation.rule, rule);
  t.regex(error?.violation.cause ?? '', cause);
}

/** One stale page at frame 0. */
function stale(): Rig {
  const rig = connected();
  rig.clear(L3, 0);
  return rig;
}

test('a command in memory that PROD has not published does nothing', (t) => {
  const rig = stale();
  rig.append(LEAF_ONLY);
  rig.finish();
  t.is(rig.machine.queue.pending.length, 0);
});

test('without CMD_SYNC nothing is removed, although CONS has passed the command', (t) => {
  const rig = stale();
  rig.publish(nhAsid(ASID), NH_ALL);
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
  rig.batch();
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('a SYNC is complete only once software has seen CONS pass it', (t) => {
  const rig = stale();
  rig.publish(LEAF_ONLY, SYNC);
  rig.observe(rig.prod - 1);
  t.true(rig.holdsPage(ASID, 0, 0x10));
  rig.observe(rig.prod);
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('a SYNC covers the commands before it, not those behind it', (t) => {
  const rig = stale();
  rig.publish(SYNC, LEAF_ONLY);
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('a command is visible from its publication: a store after that leaves the old leaf', (t) => {
  const rig = connected();
  rig.publish(LEAF_ONLY, SYNC);
  rig.clear(L3, 0);
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('of two commands that must remove a leaf the later one decides', (t) => {
  const rig = connected();
  rig.publish(LEAF_ONLY);
  rig.clear(L3, 0);
  rig.batch(LEAF_ONLY);
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('a command behind a SYNC may act as soon as it is published: nobody knows when that SYNC completes', (t) => {
  const early = connected();
  early.publish(SYNC, LEAF_ONLY, SYNC);
  early.clear(L3, 0);
  early.finish();
  t.true(early.holdsPage(ASID, 0, 0x10));
  const late = connected();
  late.clear(L3, 0);
  late.publish(SYNC, LEAF_ONLY, SYNC);
  late.finish();
  t.false(late.holdsPage(ASID, 0, 0x10));
});

test('a command behind a SYNC that completed before the store leaves the old leaf', (t) => {
  const rig = connected();
  rig.publish(SYNC, LEAF_ONLY, SYNC);
  rig.observe(rig.prod - 2);
  rig.clear(L3, 0);
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('several SYNCs seen at once complete in order', (t) => {
  const rig = stale();
  rig.publish(LEAF_ONLY, SYNC, nhAsid(2), SYNC, SYNC);
  rig.finish();
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.is(rig.machine.queue.waiting, 0);
  t.is(rig.machine.queue.pending.length, 0);
});

test('the queue goes on after its indices wrap', (t) => {
  const rig = connected();
  for (let i = 0; i < 2 ** QUEUE_LOG2; i += 1) rig.batch(nhAsid(2), nhAsid(3));
  rig.clear(L3, 0);
  rig.batch(LEAF_ONLY);
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('illegal commands break illegal-command', (t) => {
  const rig = connected();
  breaks(t, 'illegal-command', /reserved/, () => rig.publish(nhVa(ASID, 0, { tg: 1 })));
  breaks(t, 'illegal-command', /aligned/, () => connected().publish(nhVa(ASID, 1, { tg: 1, ttl: 2, num: 1 })));
  breaks(t, 'illegal-command', /RIL/, () => connected({ range: false }).publish(nhVa(ASID, 0, { tg: 1, num: 1 })));
  breaks(t, 'illegal-command', /ASID/, () => connected({ asidBits: 8 }).publish(nhAsid(256)));
  breaks(t, 'illegal-command', /VMID/, () => connected().publish(cmd({ op: OP.TLBI_NH_ALL, vmid: 1 })));
  breaks(t, 'illegal-command', /no stage/, () => connected().publish(cmd({ op: OP.TLBI_S2_IPA })));
});

test('a reserved bit breaks illegal-command', (t) => {
  const rig = connected();
  rig.append(nhAsid(1));
  const ref = QUEUE_SLOT * 512 + (rig.prod - 1) * 2;
  rig.store(ref + 1, 1 << 31 >>> 0, 0);
  breaks(t, 'illegal-command', /reserved bit/, () => rig.publish());
});

test('a command that the models do not cover is Unmodelled, not accepted', (t) => {
  const rig = connected();
  t.throws(() => rig.publish(cmd({ op: OP.PREFETCH_ADDR })), { instanceOf: Unmodelled });
});

test('a published entry behind a SYNC must not change', (t) => {
  const rig = connected();
  rig.publish(SYNC, nhAsid(1));
  breaks(t, 'queue-integrity', /published-entry-changed/, () => rig.store(QUEUE_SLOT * 512 + (rig.prod - 1) * 2 + 1, 0, 0x1000));
});

test('a published entry that is visible but not seen consumed must not change', (t) => {
  const rig = connected();
  rig.publish(nhAsid(1));
  breaks(t, 'queue-integrity', /published-entry-changed/, () => rig.store(QUEUE_SLOT * 512 + (rig.prod - 1) * 2, 0, 0));
});

test('entries that are consumed, or not published yet, may change', (t) => {
  const rig = connected();
  rig.batch(nhAsid(1));
  rig.append(nhAsid(2));
  t.notThrows(() => {
    rig.store(QUEUE_SLOT * 512 + (rig.prod - 2) * 2, 0, 0);
    rig.store(QUEUE_SLOT * 512 + (rig.prod - 1) * 2, 0, 0);
  });
});

test('PROD must not overtake CONS', (t) => {
  const rig = connected();
  breaks(t, 'queue-integrity', /prod-overtakes-cons/, () => {
    rig.machine.writeRegister(REG.CMDQ_PROD, rig.prod + 2 ** QUEUE_LOG2 + 1);
  });
});

test('SMMUEN cannot be taken back: that is Unmodelled', (t) => {
  const rig = connected();
  t.throws(() => rig.machine.writeRegister(REG.CR0, CR0_CMDQEN), { instanceOf: Unmodelled });
});
