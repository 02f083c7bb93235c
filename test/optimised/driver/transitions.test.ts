/**
 * Transitions: for every row of the kernel's table of what an attachment change must invalidate, which commands, in which order, and where ATS of the
 * endpoint is switched in between.
 */
import test from 'ava';
import { CD } from '../../../src/spec/cd.js';
import { getField } from '../../../src/spec/bits.js';
import { REG } from '../../../src/spec/register.js';
import { STE, steVerdict } from '../../../src/spec/ste.js';
import { systemMachineConfig } from '../../../src/stack/machine.js';
import type { SystemOperation } from '../../../src/stack/system.js';
import { smmu, type DriverRig } from './rig.js';
import { attach, close, each, entryWords, guest, guestBypass, map, MM, off, open, PARENT, S1_A, S1_B, S2, steOf, substream, sync, SYSTEM, systemRig, unmap } from './system-world.js';

const rig = (...before: SystemOperation[]): DriverRig => systemRig(before);

const STE_5 = '0: CFGI_STE sid 5 leaf, SYNC';
const CD_5 = '0: CFGI_CD sid 5 ssid 0 leaf, SYNC';
const ATC_ALL = '0: ATC_INV sid 5 everything, SYNC';

/** The STE's verdict, S1DSS and EATS. */
function says(r: DriverRig, sid = 5): string {
  const w = steOf(r, sid);
  const features = systemMachineConfig(SYSTEM.base.smmus[0] ?? smmu(), SYSTEM.smmus[0] ?? {}).features;
  return `${steVerdict(w, 0, features)} dss ${getField(w, STE.S1DSS)} eats ${getField(w, STE.EATS)} vmid ${getField(w, STE.S2VMID)}`;
}

test('identity to stage 1: CD, STE, ATC in full, and then ATS', (t) => {
  const r = rig(attach('identity'));
  const said = r.says(attach(S1_A));
  t.deepEqual(each(said), [CD_5, STE_5, ATC_ALL, 'ATS 0 on']);
  t.is(said.filter((x) => x === STE_5).length, 3, 'hitless: three syncs');
  t.is(says(r), 'stage1 dss 2 eats 1 vmid 0');
});

test('stage 1 to another domain: CD through V = 0, ATC, and the tag of the old one when its last user goes', (t) => {
  const r = rig(attach(S1_A));
  t.deepEqual(r.says(attach(S1_B)), [CD_5, CD_5, CD_5, ATC_ALL, '0: TLBI_NH_ASID vmid 0 asid 1, SYNC']);
});

test('stage 1 to stage 2: STE, CD 0 cleared, ATC, tag', (t) => {
  const r = rig(attach(S1_A));
  const said = r.says(attach(S2));
  t.deepEqual(each(said), [STE_5, CD_5, ATC_ALL, '0: TLBI_NH_ASID vmid 0 asid 1, SYNC']);
  t.is(said.filter((x) => x === STE_5).length, 3, 'hitless: three syncs');
  t.is(says(r), 'stage2 dss 0 eats 1 vmid 1');
});

test('stage 2 to stage 1: CD, STE, ATC, and both stages under the VMID', (t) => {
  const r = rig(attach(S2));
  const said = r.says(attach(S1_A));
  t.deepEqual(each(said), [CD_5, STE_5, ATC_ALL, '0: TLBI_S12_VMALL vmid 1, SYNC']);
});

for (const to of ['identity', 'blocked'] as const) {
  test(`any to ${to} without substreams: ATS off first, STE, CD 0, ATC, tag`, (t) => {
    const r = rig(attach(S1_A));
    const said = r.says(attach(to));
    t.deepEqual(each(said), ['ATS 0 off', STE_5, CD_5, ATC_ALL, '0: TLBI_NH_ASID vmid 0 asid 1, SYNC']);
    t.is(says(r), `${to === 'identity' ? 'bypass' : 'abort'} dss 0 eats 0 vmid 0`);
  });

  test(`any to ${to} with substreams in use: the STE keeps their CDs and ATS`, (t) => {
    const r = rig(attach(S1_A), substream(3, S1_B));
    const said = r.says(attach(to));
    t.deepEqual(each(said), [STE_5, CD_5, ATC_ALL, '0: TLBI_NH_ASID vmid 0 asid 1, SYNC']);
    t.is(says(r), `stage1 dss ${to === 'identity' ? 1 : 0} eats 1 vmid 0`);
  });
}

test('substream attach with the CDs in the STE: CD, ATC of the substream', (t) => {
  const r = rig(attach(S1_A));
  t.deepEqual(r.says(substream(3, S1_B)), ['0: CFGI_CD sid 5 ssid 3 leaf, SYNC', '0: CFGI_CD sid 5 ssid 3 leaf, SYNC', '0: ATC_INV sid 5 ssid 3 everything, SYNC']);
});

for (const [to, dss] of [['identity', 1], ['blocked', 0]] as const) {
  test(`first substream while the device is on ${to}: CD, STE, ATC, ATS on; the last one takes it all back`, (t) => {
    const r = rig(attach(to));
    const said = r.says(substream(1, S1_A));
    t.deepEqual(each(said), ['0: CFGI_CD sid 5 ssid 1 leaf, SYNC', STE_5, ATC_ALL, 'ATS 0 on']);
    t.is(says(r), `stage1 dss ${dss} eats 1 vmid 0`);
    t.is(getField(steOf(r, 5), STE.SHCFG), dss, 'bypass passes the incoming shareability on');
    const left = r.says(off(1));
    t.deepEqual(each(left), [
      '0: CFGI_CD sid 5 ssid 1 leaf, SYNC', '0: ATC_INV sid 5 ssid 1 everything, SYNC', '0: TLBI_NH_ASID vmid 0 asid 1, SYNC', 'ATS 0 off', STE_5, ATC_ALL,
    ]);
    t.is(says(r), `${to === 'identity' ? 'bypass' : 'abort'} dss 0 eats 0 vmid 0`);
  });
}

test('substream detach: CD, ATC of the substream, tag when its last user goes', (t) => {
  const r = rig(attach(S1_A), substream(3, S1_A));
  t.deepEqual(r.says(off(3)), ['0: CFGI_CD sid 5 ssid 3 leaf, SYNC', '0: CFGI_CD sid 5 ssid 3 leaf, SYNC', '0: ATC_INV sid 5 ssid 3 everything, SYNC']);
  t.is(r.driver.tagsInUse(0), 1);
});

test('a first CD in a page of 64: its level-1 descriptor is invalidated with Leaf = 0 before the CD is written', (t) => {
  const r = rig(attach('blocked', 2));
  const said = r.says(substream(70, S1_A, 2));
  t.deepEqual(said.slice(0, 2), ['0: CFGI_CD sid 11 ssid 70, SYNC', '0: CFGI_CD sid 11 ssid 70 leaf, SYNC']);
  t.false(r.says(substream(71, S1_A, 2)).includes('0: CFGI_CD sid 11 ssid 71, SYNC'), 'the page is there');
});

test('nested: STE, ATC, the guest\'s own tables are its affair; the last one flushes the VMID, which stays the vSMMU\'s', (t) => {
  const r = rig(attach('blocked'), open());
  const said = r.says(guest(0x100, 1));
  t.deepEqual(each(said), [STE_5, ATC_ALL, 'ATS 0 on']);
  t.is(says(r), 'nested dss 0 eats 1 vmid 1');
  t.is(getField(steOf(r, 5), STE.MEV), 1);
  const left = r.says(attach('blocked'));
  t.deepEqual(each(left), ['ATS 0 off', STE_5, ATC_ALL, '0: TLBI_S12_VMALL vmid 1, SYNC']);
  t.is(r.driver.tagsInUse(0, 's2-tag'), 1);
  t.deepEqual(r.says(close()), ['0: TLBI_S12_VMALL vmid 1, SYNC']);
  t.is(r.driver.tagsInUse(0, 's2-tag'), 0);
});

test('nested again with ATS the other way round: the same array, users 1, 2, 1; nothing of the TLB is flushed', (t) => {
  const r = rig(attach('blocked'), open(), guest(0x100, 1));
  const said = r.says(guest(0x100, 0));
  t.deepEqual(each(said), ['ATS 0 off', STE_5, ATC_ALL]);
  t.is(r.driver.arrayUsers(PARENT), 2, 'tag and stage-1 clear; no ATC any more');
  r.says(map(PARENT, 0));
  r.says(unmap(PARENT, 0));
  t.deepEqual(r.says(sync(PARENT)).map((x) => x.replace(/(ipa) (0x0) .*,/, '$1 $2,')), ['0: TLBI_S2_IPA vmid 1 ipa 0x0, SYNC', '0: TLBI_NH_ALL vmid 1, SYNC']);
});

test('guest bypass is stage 2 alone under the vSMMU\'s VMID, never with ATS', (t) => {
  const r = rig(attach('blocked'), open(), open(1));
  r.says(guestBypass(0, 1));
  t.is(says(r), 'stage2 dss 0 eats 0 vmid 2');
});

test('the end of a process: its contexts stop walking under the device\'s feet, then tag and ATC, then the tables', (t) => {
  const r = rig(attach('blocked'), substream(2, MM), map(MM, 0));
  const tables = r.tables();
  t.deepEqual(r.says({ op: 'mm-exit', domain: MM }), [
    '0: CFGI_CD sid 5 ssid 2 leaf, SYNC', '0: CFGI_CD sid 5 ssid 2 leaf, SYNC', '0: TLBI_NH_ASID vmid 0 asid 1, SYNC', '0: ATC_INV sid 5 ssid 2 everything, SYNC',
  ]);
  t.is(r.tables(), tables - 3);
  const cd = entryWords(r, (r.driver.state.devices[0]?.cdSlot ?? 0) * 512 + 2 * 8);
  t.deepEqual([CD.V, CD.EPD0, CD.R, CD.ASID, CD.TTB0].map((f) => getField(cd, f)), [1, 1, 0, 1, 0]);
  r.says(off(2));
  t.is(r.driver.tagsInUse(0), 0);
});

test('the end of a process that a whole device works on: its context ends in the same way', (t) => {
  const r = rig(attach(MM));
  t.deepEqual(each(r.says({ op: 'mm-exit', domain: MM })), [CD_5, '0: TLBI_NH_ASID vmid 0 asid 1, SYNC', ATC_ALL]);
  t.is(getField(entryWords(r, (r.driver.state.devices[0]?.cdSlot ?? 0) * 512), CD.EPD0), 1);
});

test('reset of an SMMU with ATS: what endpoints send as translated is checked from the first moment on', (t) => {
  const r = systemRig([], {}, { boot: false });
  r.driver.boot();
  const writes = (r.smmus[0]?.writes ?? []).filter(([offset]) => offset === REG.CR0).map(([, value]) => value);
  t.deepEqual(writes, [0, 8, 12, 28, 29]);
});

test('duplicate StreamIDs: each STE once, each ATC once', (t) => {
  const r = rig();
  const said = r.says(attach(S1_A, 1));
  t.deepEqual(said.filter((x) => x.includes('CFGI_STE sid 9')).length, said.filter((x) => x.includes('CFGI_STE sid 7')).length);
  t.is(said[0], '0: CFGI_CD sid 9 ssid 0 leaf, CFGI_CD sid 7 ssid 0 leaf, SYNC');
});
