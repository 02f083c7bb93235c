/** Issue order: one change of a domain, what every entry of its array makes of it, and where a SYNC stands in between. */
import test from 'ava';
import type { Parts } from '../../../src/optimised/driver/types.js';
import { attach, detach, each, guest, map, MM, open, PARENT, S1_A, S1_B, S2, substream, sync, SYSTEM, systemRig, unmap } from './system-world.js';

/** Addresses and tags only: what a plan says beyond that is tested with the planners. */
function short(said: readonly string[]): string[] {
  return said.map((line) => line.replace(/((?:va|ipa) 0x[0-9a-f]+)[^,]*,/g, '$1,'));
}

test('two SMMUs, one with ATS: TLBI and SYNC, ATC and SYNC; then the other', (t) => {
  const r = systemRig([attach(S1_B, 2), attach(S1_A), attach(S1_A, 3), map(S1_A, 0x1000), unmap(S1_A, 0x1000)]);
  t.deepEqual(short(r.says(sync(S1_A))), [
    '0: TLBI_NH_VA vmid 0 asid 2 va 0x1000, SYNC', '0: ATC_INV sid 5 va 0x1000, SYNC', '1: TLBI_NH_VA vmid 0 asid 1 va 0x1000, SYNC', '1: ATC_INV sid 5 va 0x1000, SYNC',
  ]);
});

test('a parent below a guest: stage 2, SYNC, its stage 1, SYNC, ATCs in full, SYNC', (t) => {
  const r = systemRig([open(), guest(1, 1), map(PARENT, 0x5000), unmap(PARENT, 0x5000)]);
  t.deepEqual(short(r.says(sync(PARENT))), ['0: TLBI_S2_IPA vmid 1 ipa 0x5000, SYNC', '0: TLBI_NH_ALL vmid 1, SYNC', '0: ATC_INV sid 5 everything, SYNC']);
});

test('two vSMMUs over one parent: each tag, then each stage 1, each in one batch', (t) => {
  const r = systemRig([open(), open(1), guest(1), guest(1, 0, 1, 1), map(PARENT, 0x5000), unmap(PARENT, 0x5000)]);
  t.deepEqual(short(r.says(sync(PARENT))), ['0: TLBI_S2_IPA vmid 1 ipa 0x5000, TLBI_S2_IPA vmid 2 ipa 0x5000, SYNC', '0: TLBI_NH_ALL vmid 1, TLBI_NH_ALL vmid 2, SYNC']);
});

test('the parent itself, attached naked beside a guest: a tag of its own without a stage 1 behind it', (t) => {
  const r = systemRig([open(), guest(1), attach(PARENT, 1), map(PARENT, 0x5000), unmap(PARENT, 0x5000)]);
  t.deepEqual(short(r.says(sync(PARENT))), ['0: TLBI_S2_IPA vmid 2 ipa 0x5000, TLBI_S2_IPA vmid 1 ipa 0x5000, SYNC', '0: TLBI_NH_ALL vmid 1, SYNC']);
  r.says(detach(1));
  t.is(r.driver.arrayUsers(PARENT), 2);
});

test('streams in any order, one of them named twice: each ATC once, and found again when the device leaves', (t) => {
  const devices = SYSTEM.devices.map((d, i) => (i === 1 ? { ats: true as const } : d));
  const r = systemRig([attach(S1_A, 1), attach(S1_A), map(S1_A, 0x1000), unmap(S1_A, 0x1000)], { devices });
  t.deepEqual(short(r.says(sync(S1_A))), ['0: TLBI_NH_VA vmid 0 asid 1 va 0x1000, SYNC', '0: ATC_INV sid 5 va 0x1000, ATC_INV sid 7 va 0x1000, ATC_INV sid 9 va 0x1000, SYNC']);
  t.is(r.driver.arrayUsers(S1_A), 5);
  r.says(detach(1));
  t.is(r.driver.arrayUsers(S1_A), 2);
});

test('a whole stage-2 tag takes its stage 1 along: no command for that, and no SYNC of nothing', (t) => {
  const lazy = { ...SYSTEM.base, domains: SYSTEM.base.domains.map((d, i) => (i === PARENT ? { mode: 'lazy' as const, managed: true } : d)) };
  const r = systemRig([open(), guest(1, 1)], { base: lazy });
  t.deepEqual(r.says({ op: 'flush-all', domain: PARENT }), ['0: TLBI_S12_VMALL vmid 1, SYNC', '0: ATC_INV sid 5 everything, SYNC']);
});

test('a whole stage-1 tag: its ATCs in full, substream by substream', (t) => {
  const lazy = { ...SYSTEM.base, domains: SYSTEM.base.domains.map((d, i) => (i === S1_A ? { mode: 'lazy' as const, managed: true } : d)) };
  const r = systemRig([attach(S1_A), substream(3, S1_A), attach(S1_A, 3)], { base: lazy });
  t.deepEqual(r.says({ op: 'flush-all', domain: S1_A }), [
    '0: TLBI_NH_ASID vmid 0 asid 1, SYNC', '0: ATC_INV sid 5 everything, ATC_INV sid 5 ssid 3 everything, SYNC', '1: TLBI_NH_ASID vmid 0 asid 1, SYNC', '1: ATC_INV sid 5 everything, SYNC',
  ]);
});

test('stage 2 behind two SMMUs, with and without ranges: each its own VMID and its own form', (t) => {
  const r = systemRig([attach(PARENT, 1), attach(S2, 1), attach(S2, 3), map(S2, 0x200000, 0x3000), unmap(S2, 0x200000, 0x3000)]);
  const said = r.says(sync(S2));
  t.is(said[0], '0: TLBI_S2_IPA vmid 2 ipa 0x200000 tg 4K num 2 scale 0 ttl 3 (3 granules) leaf, SYNC');
  t.is(said[1], '1: TLBI_S2_IPA vmid 1 ipa 0x200000 leaf, TLBI_S2_IPA vmid 1 ipa 0x201000 leaf, TLBI_S2_IPA vmid 1 ipa 0x202000 leaf, SYNC');
  t.is(said[2], '1: ATC_INV sid 5 va 0x200000 size 2, SYNC');
});

test('an address space of a process: its substream is told inside of the unmap', (t) => {
  const r = systemRig([substream(2, MM), map(MM, 0x7000)]);
  const said = short(r.says(unmap(MM, 0x7000)));
  t.deepEqual(said, ['0: TLBI_NH_VA vmid 0 asid 1 va 0x7000, SYNC', '0: ATC_INV sid 5 ssid 2 va 0x7000, SYNC']);
});

test('trash in front, between and behind is skipped, and a SYNC stands behind the last live entry', (t) => {
  for (const gone of [0, 1, 2]) {
    const r = systemRig([attach(S1_A), substream(1, S1_A), substream(2, S1_A), map(S1_A, 0), unmap(S1_A, 0)]);
    r.ctx.cpu.drainAll();
    const array = r.ctx.cpu.loadLo(r.driver.state.domains[S1_A]?.invsCell ?? 0);
    const users = array + 2 + (gone + 1) * 2 + 1;
    r.ctx.cpu.store(users, 0, r.ctx.cpu.loadHi(users));
    const atc = ['ATC_INV sid 5 va 0x0', 'ATC_INV sid 5 ssid 1 va 0x0', 'ATC_INV sid 5 ssid 2 va 0x0'].filter((_, i) => i !== gone);
    t.deepEqual(short(r.says(sync(S1_A))), ['0: TLBI_NH_VA vmid 0 asid 1 va 0x0, SYNC', `0: ${atc.join(', ')}, SYNC`]);
  }
});

test('nobody in the array, or only trash: no command and no SYNC', (t) => {
  const r = systemRig([attach(S1_A, 1), map(S1_A, 0), unmap(S1_A, 0)]);
  const array = r.ctx.cpu.loadLo(r.driver.state.domains[S1_A]?.invsCell ?? 0);
  r.ctx.cpu.store(array + 3, 0, 0);
  t.deepEqual(r.says(sync(S1_A)), []);
  const empty = systemRig([map(S1_A, 0), unmap(S1_A, 0)]);
  t.deepEqual(empty.says(sync(S1_A)), []);
});

test('a batch that is full goes out without a SYNC, which comes with the rest', (t) => {
  const base = { ...SYSTEM.base, smmus: SYSTEM.base.smmus.map((s) => ({ ...s, range: false })) };
  const vsmmus = Array.from({ length: 2 }, () => ({ smmu: 0, parent: PARENT }));
  const r = systemRig([open(), open(1), guest(1), guest(1, 0, 1, 1), map(PARENT, 0x1000, 511 * 4096), unmap(PARENT, 0x1000, 511 * 4096)], { base, vsmmus });
  const said = r.says(sync(PARENT));
  const commands = said.flatMap((line) => line.slice(3).split(', '));
  t.is(commands.filter((c) => c.startsWith('TLBI_S2_IPA')).length, 2 * 511);
  t.deepEqual(each(commands.filter((c) => !c.startsWith('TLBI_S2_IPA'))), ['SYNC', 'TLBI_NH_ALL vmid 1', 'TLBI_NH_ALL vmid 2', 'SYNC']);
  t.is(commands.filter((c) => c === 'SYNC').length, 2, 'one behind stage 2, one behind stage 1');
});

test('the split is a part: without it stage 1 would go in one batch with the stage 2 that fills it', (t) => {
  const parts = (own: Parts): Parts => ({ ...own, system: { ...own.system, splits: () => false } });
  const r = systemRig([open(), guest(1), map(PARENT, 0x5000), unmap(PARENT, 0x5000)], {}, { parts });
  t.deepEqual(short(r.says(sync(PARENT))), ['0: TLBI_S2_IPA vmid 1 ipa 0x5000, TLBI_NH_ALL vmid 1, SYNC']);
});
