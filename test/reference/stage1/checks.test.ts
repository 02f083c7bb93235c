/**
 * Named checks of the justification rule on translation tables: what one SYNC must remove and what it may leave.
 * Each is driven by raw words; every leaf and table that is asked for was once what memory said.
 */
import test from 'ava';
import { Cpu } from '../../../src/memory/cpu.js';
import { OP } from '../../../src/spec/command.js';
import {
  ASID, cdWords, cfgiCd, cfgiSte, cmd, connected, GB, L2, L3, leaf, MB2, NH_ALL, nhAsid, nhVa, NSNH_ALL, page, ROOT, SPARE, SYNC, table, ZERO,
} from './rig.js';

/** The 2 MB span of the level-3 table, every level: 512 granules of 4 KB. */
const SPAN = { tg: 1, num: 0, scale: 9 };

test('what memory says is cached without any access', (t) => {
  const rig = connected();
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsTable(ASID, 0, 1, L2));
  t.true(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 2, 0x12));
});

test('a cleared leaf stays cached until a SYNC covers a command that must remove it', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  t.true(rig.holdsPage(ASID, 0, 0x10));
  rig.batch(nhVa(ASID, 0, { leaf: 1 }));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 1, 0x11));
});

test('a leaf that stands in memory survives every TLBI', (t) => {
  const rig = connected();
  rig.batch(nhVa(ASID, 0), nhAsid(ASID), NH_ALL, NSNH_ALL);
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('one TLBI with Leaf=0 over its span frees a table and its leaves', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, SPAN));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsPage(ASID, 1, 0x11));
});

test('with Leaf=1 the pointer stays and the leaves come back', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, { ...SPAN, leaf: 1 }));
  t.true(rig.holdsTable(ASID, 0, 2, L3));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('a leaf-only range and one address with Leaf=0 leave leaves of a table that was not emptied first', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, { ...SPAN, leaf: 1 }), nhVa(ASID, 0));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 1, 0x11));
});

test('the same batch is enough when the page was emptied first', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  rig.clear(L3, 1);
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, { ...SPAN, leaf: 1 }), nhVa(ASID, 0));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsPage(ASID, 1, 0x11));
});

test('a leaf left behind by its table cannot be rebuilt: the next leaf-only TLBI removes it', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0));
  t.true(rig.holdsPage(ASID, 1, 0x11));
  rig.batch(nhVa(ASID, 1, { leaf: 1 }));
  t.false(rig.holdsPage(ASID, 1, 0x11));
});

test('an upper table goes with everything below it', (t) => {
  const rig = connected();
  rig.clear(ROOT, 0);
  rig.batch(nhVa(ASID, 0, { tg: 1, num: 0, scale: 18 }));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 1, 0x11));
});

test('an upper and a lower table gone by one address leave the lower one\'s other leaves', (t) => {
  const rig = connected();
  rig.clear(ROOT, 0);
  rig.batch(nhVa(ASID, 0));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 1, 0x11));
});

test('a range over part of an upper table leaves the lower table outside of the range, with its leaves', (t) => {
  const rig = connected();
  rig.put(L2, 3, table(SPARE));
  rig.put(SPARE, 0, page(0x33));
  rig.clear(ROOT, 0);
  rig.batch(nhVa(ASID, 0, SPAN));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.true(rig.holdsTable(ASID, 3 * MB2, 2, SPARE));
  t.true(rig.holdsPage(ASID, 3 * MB2, 0x33));
});

test('a store in the store buffer while the TLBI becomes visible leaves the old leaf', (t) => {
  const rig = connected();
  const cpu = new Cpu(rig.memory);
  cpu.store(L3 * 512, 0, 0);
  rig.publish(nhVa(ASID, 0, { leaf: 1 }), SYNC);
  cpu.barrier('before-invs');
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('with the barrier before the TLBI the old leaf is gone', (t) => {
  const rig = connected();
  const cpu = new Cpu(rig.memory);
  cpu.store(L3 * 512, 0, 0);
  cpu.barrier('before-invs');
  rig.batch(nhVa(ASID, 0, { leaf: 1 }));
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('NH_ASID of another ASID removes nothing', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  rig.clear(L2, 0);
  rig.batch(nhAsid(ASID + 1));
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsTable(ASID, 0, 2, L3));
});

test('NH_ASID of the ASID removes leaf and table', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  rig.clear(L2, 0);
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
});

test('NH_VAA, NH_ALL and NSNH_ALL remove whatever the ASID', (t) => {
  for (const c of [cmd({ op: OP.TLBI_NH_VAA, frame: 0 }), NH_ALL, NSNH_ALL]) {
    const rig = connected();
    rig.clear(L3, 0);
    rig.batch(c);
    t.false(rig.holdsPage(ASID, 0, 0x10), `op 0x${c.op.toString(16)}`);
  }
});

test('CFGI touches no leaf', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  rig.batch(cfgiSte(0, 0), cfgiCd(0), cmd({ op: OP.CFGI_CD_ALL, sid: 0 }), cmd({ op: OP.CFGI_STE_RANGE, range: 31 }));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('two streams with one tag: a TLBI by that tag removes the leaf once for both', (t) => {
  const rig = connected();
  rig.ste(1, { cd: 0 });
  rig.batch(cfgiSte(1));
  rig.clear(L3, 0);
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('two ASIDs over one table: a TLBI by one ASID leaves the other', (t) => {
  const rig = connected();
  rig.cd(1, cdWords(2, ROOT));
  rig.ste(1, { cd: 1 });
  rig.batch(cfgiSte(1));
  rig.clear(L3, 0);
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(2, 0, 0x10));
});

test('a reused page: new stores below a stale pointer are new leaves', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.clear(L3, 0);
  rig.put(L3, 5, page(0x77));
  t.true(rig.holdsPage(ASID, 5, 0x77));
  rig.clear(L3, 5);
  t.true(rig.holdsPage(ASID, 5, 0x77));
  rig.batch(nhVa(ASID, 5, { leaf: 1 }));
  t.false(rig.holdsPage(ASID, 5, 0x77));
});

test('once the stale pointer is gone, new stores into the page are nobody\'s', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, SPAN));
  rig.put(L3, 5, page(0x77));
  t.false(rig.holdsPage(ASID, 5, 0x77));
  rig.clear(L3, 5);
  t.false(rig.holdsPage(ASID, 5, 0x77));
});

test('a page linked in two places gives leaves at both addresses', (t) => {
  const rig = connected();
  rig.put(L2, 3, table(L3));
  t.true(rig.holdsPage(ASID, 3 * MB2, 0x10));
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0, { leaf: 1 }));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 3 * MB2, 0x10));
});

test('unlinked and linked again: a leaf that went while the pointer was out is not rebuilt', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.publish(nhVa(ASID, 0, SPAN), SYNC);
  rig.clear(L3, 0);
  rig.put(L2, 0, table(L3));
  rig.finish();
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 1, 0x11));
});

test('unlinked and linked again: a leaf that went after the pointer was back may be rebuilt', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.publish(nhVa(ASID, 0, SPAN), SYNC);
  rig.put(L2, 0, table(L3));
  rig.clear(L3, 0);
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('a hidden pointer that is linked again is one fact, not two', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.put(L2, 0, table(L3));
  rig.clear(L3, 0);
  t.is(rig.machine.regimes[0]?.leafRecs.length, 1);
  t.is(rig.machine.regimes[0]?.wayRecs.length, 0);
});

test('a leaf cleared and put back under the TLBI needs another one', (t) => {
  const rig = connected();
  rig.publish(nhVa(ASID, 0, { leaf: 1 }), SYNC);
  rig.clear(L3, 0);
  rig.put(L3, 0, page(0x22));
  rig.finish();
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 0, 0x22));
});

test('a block that replaces a table: both are cached until a Leaf=0 TLBI, then the block alone', (t) => {
  const rig = connected();
  rig.put(L2, 0, leaf(0x400, 2));
  t.true(rig.holdsBlock(ASID, 0, 0x400, 2));
  t.true(rig.holdsPage(ASID, 0, 0x10));
  rig.batch(nhVa(ASID, 0, SPAN));
  t.true(rig.holdsBlock(ASID, 0, 0x400, 2));
  t.false(rig.holdsTable(ASID, 0, 2, L3));
  t.false(rig.holdsPage(ASID, 0, 0x10));
});

test('AF=0, outputs beyond the address size and invalid words are never cached', (t) => {
  const rig = connected();
  const good = page(0x12);
  rig.put(L3, 2, { lo: (good.lo & ~(1 << 10)) >>> 0, hi: good.hi });
  rig.put(L3, 3, page(2 ** 32));
  rig.put(L3, 4, { lo: good.lo - 1, hi: good.hi });
  const regime = rig.machine.regimes[0];
  if (regime === undefined) return t.fail();
  for (const frame of [2, 3, 4]) t.false(rig.machine.tables.leavesAt(regime, frame, () => true));
  rig.put(L3, 2, ZERO);
  t.is(regime.leafRecs.length, 0);
});

test('a 1 GB block is removed by any address inside', (t) => {
  const rig = connected();
  rig.put(ROOT, 1, leaf(GB, 1));
  rig.clear(ROOT, 1);
  rig.batch(nhVa(ASID, 2 * GB, { leaf: 1 }));
  t.true(rig.holdsBlock(ASID, GB, GB, 1));
  rig.batch(nhVa(ASID, 2 * GB - 1, { leaf: 1 }));
  t.false(rig.holdsBlock(ASID, GB, GB, 1));
});
