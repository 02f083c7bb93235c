/** Named checks of the justification rule on STEs, CDs and the regimes that they support. */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import {
  ASID, cdRef, cdWords, cfgiCd, CFGI_ALL, cfgiSte, cmd, connected, L2, L3, nhAsid, nhVa, OTHER_ROOT, page, Rig, ROOT, SPARE, steRef, steWords, SYNC, table, ZERO,
  leaf,
} from './rig.js';

const OLD_CD = cdWords(ASID, ROOT);
const NEW_CD = cdWords(2, ROOT);

/** Changes only the word that holds the ASID. */
function swapAsid(rig: Rig): void {
  rig.store(cdRef(0), NEW_CD[0] as number, NEW_CD[1] as number);
}

test('V=0 entries are facts: an invalid STE stays cached until its CFGI and SYNC', (t) => {
  const rig = connected();
  rig.ste(3, 'invalid');
  rig.batch(cfgiSte(3));
  rig.ste(3, 'bypass');
  t.true(rig.holdsSte(3, 'invalid'));
  rig.batch(cfgiSte(3));
  t.false(rig.holdsSte(3, 'invalid'));
  t.true(rig.holdsSte(3, 'bypass'));
});

test('V=0 entries are facts: an invalid CD stays cached until its CFGI and SYNC', (t) => {
  const rig = connected();
  const invalid = cdWords(ASID, ROOT, { v: 0 });
  rig.cd(1, invalid);
  rig.ste(1, { cd: 1 });
  rig.cd(1, OLD_CD);
  t.true(rig.machine.holdsCd(1, invalid));
  rig.batch(cfgiCd(1));
  t.false(rig.machine.holdsCd(1, invalid));
  t.true(rig.machine.holdsCd(1, OLD_CD));
});

test('an invalid CD translates nothing', (t) => {
  const rig = connected();
  rig.cd(1, cdWords(9, ROOT, { v: 0 }));
  rig.ste(1, { cd: 1 });
  t.false(rig.holdsPage(9, 0, 0x10));
  rig.cd(1, cdWords(9, ROOT));
  t.true(rig.holdsPage(9, 0, 0x10));
});

test('every state that a structure passes through may be cached', (t) => {
  const rig = connected();
  const half = cdWords(ASID, OTHER_ROOT);
  rig.cd(0, cdWords(2, OTHER_ROOT)); // the base first, then the tag
  t.true(rig.machine.holdsCd(0, half));
});

test('CFGI_STE takes the CDs of its stream along', (t) => {
  const rig = connected();
  swapAsid(rig);
  t.true(rig.machine.holdsCd(0, OLD_CD));
  rig.batch(cfgiSte(0));
  t.false(rig.machine.holdsCd(0, OLD_CD));
});

test('an STE that goes takes a CD along that memory still says', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  t.true(rig.machine.holdsCd(0, OLD_CD));
  rig.batch(cfgiSte(0));
  t.false(rig.holdsSte(0, { cd: 0 }));
  t.false(rig.machine.holdsCd(0, OLD_CD));
});

test('CFGI_CD does not take the STE', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.batch(cfgiCd(0), cmd({ op: OP.CFGI_CD_ALL, sid: 0 }));
  t.true(rig.holdsSte(0, { cd: 0 }));
  t.true(rig.machine.holdsCd(0, OLD_CD)); // rebuilt through the cached STE
});

test('CFGI_CD of another substream or another stream removes nothing', (t) => {
  const rig = connected();
  swapAsid(rig);
  rig.batch(cmd({ op: OP.CFGI_CD, sid: 0, ssid: 1 }), cfgiCd(1));
  t.true(rig.machine.holdsCd(0, OLD_CD));
});

test('a CD shared by two streams is cached once per stream', (t) => {
  const rig = connected();
  rig.ste(1, { cd: 0 });
  swapAsid(rig);
  rig.batch(cfgiCd(0));
  t.false(rig.machine.holdsCd(0, OLD_CD));
  t.true(rig.machine.holdsCd(1, OLD_CD));
});

test('CFGI_STE_RANGE takes the aligned block of streams, CFGI_ALL every stream', (t) => {
  const rig = connected();
  for (const sid of [1, 2, 3]) rig.ste(sid, 'bypass');
  rig.batch(cmd({ op: OP.CFGI_STE_RANGE, sid: 3, range: 0 }));
  t.true(rig.holdsSte(1, 'abort'));
  t.false(rig.holdsSte(2, 'abort'));
  t.false(rig.holdsSte(3, 'abort'));
  rig.batch(CFGI_ALL);
  t.false(rig.holdsSte(1, 'abort'));
});

test('an STE that changes back is the same fact and needs no CFGI', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.ste(0, { cd: 0 });
  t.is(rig.machine.configuration.stesOf(0).filter((f) => f.words.every((w, i) => w === steWords({ cd: 0 })[i])).length, 1);
  rig.batch(cfgiSte(0));
  t.true(rig.holdsSte(0, { cd: 0 }));
  t.false(rig.holdsSte(0, 'abort'));
});

test('an STE written after its CFGI became visible leaves the old one', (t) => {
  const rig = connected();
  rig.publish(cfgiSte(0), SYNC);
  rig.store(steRef(0), steWords('abort')[0] as number, 0);
  rig.finish();
  t.true(rig.holdsSte(0, { cd: 0 }));
});

test('an old CD is not rebuilt when it went before the STE that points to it was back', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.publish(cfgiSte(0), SYNC);
  swapAsid(rig);
  rig.ste(0, { cd: 0 });
  rig.finish();
  t.false(rig.machine.holdsCd(0, OLD_CD));
  t.true(rig.machine.holdsCd(0, NEW_CD));
});

test('an old CD may be rebuilt when it went after the STE that points to it was back', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.publish(cfgiSte(0), SYNC);
  rig.ste(0, { cd: 0 });
  swapAsid(rig);
  rig.finish();
  t.true(rig.machine.holdsCd(0, OLD_CD));
});

test('ASID swapped, TLBI before CFGI: entries of the old ASID are left', (t) => {
  const rig = connected();
  swapAsid(rig);
  rig.batch(nhAsid(ASID));
  rig.batch(cfgiCd(0));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('ASID swapped, CFGI_CD together with NH_ASID: entries of the old ASID are left', (t) => {
  const rig = connected();
  swapAsid(rig);
  rig.batch(cfgiCd(0), nhAsid(ASID));
  t.false(rig.machine.holdsCd(0, OLD_CD));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('ASID swapped, CFGI, SYNC, TLBI, SYNC: nothing of the old ASID is left', (t) => {
  const rig = connected();
  swapAsid(rig);
  rig.batch(cfgiCd(0));
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.true(rig.holdsPage(2, 0, 0x10));
});

test('the last support goes: entries freeze and do not vanish', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.batch(cfgiSte(0));
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsTable(ASID, 0, 1, L2));
  rig.put(ROOT, 1, table(SPARE));
  t.false(rig.holdsTable(ASID, 2 ** 18, 1, SPARE)); // the base is not read any more
});

test('frozen entries cannot be rebuilt: one TLBI removes them although memory still says them', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.batch(cfgiSte(0));
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.is(rig.machine.regimes.length, 0);
});

test('without support nothing is rebuilt below the base; below a cached pointer any walk of its tag may rebuild it', (t) => {
  const below = connected();
  below.ste(0, 'abort');
  below.batch(cfgiSte(0));
  below.publish(nhVa(ASID, 0, { leaf: 1 }), SYNC);
  below.clear(L3, 0); // the command could act first and the leaf come back
  below.finish();
  t.true(below.holdsPage(ASID, 0, 0x10));
  const base = connected();
  base.put(ROOT, 1, leaf(0x40000, 1));
  base.ste(0, 'abort');
  base.batch(cfgiSte(0));
  base.publish(nhVa(ASID, 2 ** 18, { leaf: 1 }), SYNC);
  base.clear(ROOT, 1);
  base.finish();
  t.false(base.holdsBlock(ASID, 2 ** 18, 0x40000, 1));
});

test('a regime lives while another stream supports it', (t) => {
  const rig = connected();
  rig.ste(1, { cd: 0 });
  rig.ste(0, 'abort');
  rig.batch(cfgiSte(0), cfgiSte(1));
  rig.put(ROOT, 1, table(SPARE));
  t.true(rig.holdsTable(ASID, 2 ** 18, 1, SPARE));
});

test('a regime lives while a cached STE supports it', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.put(ROOT, 1, table(SPARE));
  t.true(rig.holdsTable(ASID, 2 ** 18, 1, SPARE));
});

test('a tag comes back: what stands is derivable again, what changed meanwhile is left over until a TLBI', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.batch(cfgiSte(0));
  rig.put(ROOT, 0, ZERO);
  rig.put(ROOT, 1, table(SPARE));
  rig.ste(0, { cd: 0 });
  t.true(rig.holdsTable(ASID, 0, 1, L2));
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsTable(ASID, 2 ** 18, 1, SPARE));
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsTable(ASID, 2 ** 18, 1, SPARE));
});

test('a tag that comes back with its tables unchanged takes its frozen tables in again', (t) => {
  const rig = connected();
  rig.ste(0, 'abort');
  rig.batch(cfgiSte(0));
  rig.ste(0, { cd: 0 });
  t.deepEqual(rig.machine.regimes.map((r) => [r.wayRecs.length, r.leafRecs.length]), [[0, 0]]);
  rig.batch(nhAsid(ASID));
  t.true(rig.holdsTable(ASID, 0, 1, L2));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('a tag that closes twice around a changed base leaves no table that no TLBI can remove', (t) => {
  const rig = connected();
  const reopen = (meanwhile: () => void): void => {
    rig.ste(0, 'abort');
    rig.batch(cfgiSte(0));
    meanwhile();
    rig.ste(0, { cd: 0 });
  };
  reopen(() => rig.put(ROOT, 0, table(SPARE)));
  rig.put(ROOT, 0, table(L2)); // a second way of the same descriptor, beside the frozen one
  reopen(() => undefined);
  rig.clear(ROOT, 0);
  rig.publish(nhAsid(ASID));
  rig.clear(L3, 0); // while the command is visible and no way in memory leads here
  rig.batch();
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.false(rig.holdsTable(ASID, 0, 1, L2));
});

test('another tag over the same tables has entries of its own', (t) => {
  const rig = connected();
  rig.cd(1, NEW_CD);
  rig.ste(1, { cd: 1 });
  t.true(rig.holdsPage(2, 0, 0x10));
  rig.clear(L3, 0);
  rig.batch(nhVa(2, 0, { leaf: 1 }));
  t.false(rig.holdsPage(2, 0, 0x10));
  t.true(rig.holdsPage(ASID, 0, 0x10));
});

test('one tag over two tables answers from both', (t) => {
  const rig = connected();
  rig.put(OTHER_ROOT, 0, table(SPARE));
  rig.put(SPARE, 0, table(SPARE + 1));
  rig.put(SPARE + 1, 0, page(0x99));
  rig.cd(0, cdWords(ASID, OTHER_ROOT));
  t.true(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 0, 0x99));
  rig.batch(cfgiCd(0));
  rig.batch(nhAsid(ASID));
  t.false(rig.holdsPage(ASID, 0, 0x10));
  t.true(rig.holdsPage(ASID, 0, 0x99));
});
