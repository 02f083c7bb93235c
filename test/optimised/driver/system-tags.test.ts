/** Tags of systems: VMIDs beside ASIDs, per SMMU; whose they are, when they come back, and what they cost. */
import test from 'ava';
import { findOrAllocate } from '../../../src/optimised/driver/tags.js';
import type { Parts } from '../../../src/optimised/driver/types.js';
import { getField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { STE } from '../../../src/spec/ste.js';
import type { SystemOperation } from '../../../src/stack/system.js';
import type { DriverRig } from './rig.js';
import { attach, close, detach, entryWords, guest, MM, off, open, PARENT, S1_A, S1_B, S2, steOf, substream, SYSTEM, systemRig } from './system-world.js';

const vmidOf = (r: DriverRig, sid: number, on = 0): number => getField(steOf(r, sid, on), STE.S2VMID);

test('VMIDs and ASIDs are two spaces; both begin with 1', (t) => {
  const r = systemRig([attach(S1_A), attach(S2, 1)]);
  t.is(vmidOf(r, 9), 1);
  t.is(getField(entryWords(r, (r.driver.state.devices[0]?.cdSlot ?? 0) * 512), CD.ASID), 1);
  t.deepEqual([r.driver.tagsInUse(0), r.driver.tagsInUse(0, 's2-tag')], [1, 1]);
  t.is(vmidOf(r, 5), 0, 'stage 1 alone is VMID 0');
});

test('domains and vSMMUs take their VMIDs from one space, and nobody has another\'s', (t) => {
  const r = systemRig([open(), attach(S2, 1), open(1), attach(PARENT, 2)]);
  t.deepEqual([r.driver.state.vsmmus[0]?.vmid, vmidOf(r, 9), r.driver.state.vsmmus[1]?.vmid, vmidOf(r, 11)], [1, 2, 3, 4]);
});

test('a domain behind two SMMUs has a VMID on each, the lowest that is free there; leaving one leaves the other alone', (t) => {
  const r = systemRig([attach(PARENT, 1), attach(S2, 2), attach(S2, 3)]);
  t.deepEqual([vmidOf(r, 11), vmidOf(r, 5, 1)], [2, 1]);
  t.deepEqual(r.says(detach(3)).filter((x) => x.includes('TLBI')), ['1: TLBI_S12_VMALL vmid 1, SYNC']);
  t.deepEqual([r.driver.tagsInUse(0, 's2-tag'), r.driver.tagsInUse(1, 's2-tag')], [2, 0]);
});

test('two guests on one parent and one SMMU: each under its own vSMMU\'s VMID, whoever came first', (t) => {
  const r = systemRig([open(), open(1), guest(1, 0, 0, 1), guest(1, 0, 1, 0), guest(1, 0, 2, 1)]);
  t.deepEqual([vmidOf(r, 5), vmidOf(r, 9), vmidOf(r, 11)], [2, 1, 2]);
});

test('the tag of a vSMMU is asked of the vSMMU: the array may have another one\'s first', (t) => {
  const r = systemRig([open(), open(1), guest(1, 0, 0, 0)]);
  const array = r.ctx.cpu.loadLo(r.driver.state.domains[PARENT]?.invsCell ?? 0);
  t.deepEqual(findOrAllocate(r.ctx, array, 0, { domain: PARENT, vsmmu: 1 }), { smmu: 0, type: 'vsmmu-tag', id: 2, fresh: false });
});

test('sva and stage 1 have ASIDs, stage 2 VMIDs', (t) => {
  const r = systemRig();
  t.deepEqual([S1_A, MM, S2, PARENT].map((domain) => findOrAllocate(r.ctx, 0, 0, { domain, vsmmu: -1 })?.type), ['s1-tag', 's1-tag', 's2-tag', 's2-tag']);
});

test('no VMID left: refused, and nothing moved', (t) => {
  const base = { ...SYSTEM.base, devices: [...SYSTEM.base.devices, { smmu: 1, streams: [20] }, { smmu: 1, streams: [21] }] };
  const r = systemRig([attach(S2, 3), attach(PARENT, 4)], { base, devices: [...SYSTEM.devices, {}, {}], domains: [{}, { stage: 2 }, ...SYSTEM.domains.slice(2)] });
  r.ctx.cpu.drainAll();
  const before = r.snapshot();
  r.forget();
  t.is(r.does(attach(1, 5)).code, 'no-tags');
  r.ctx.cpu.drainAll();
  t.deepEqual([r.changedSince(before), r.trace], [[], []]);
  t.is(r.does(attach(S2, 5)).code, 'ok', 'the domain has one there');
});

test('the device and a substream on one domain: one tag, two users; the last one to go takes it', (t) => {
  const r = systemRig([attach(S1_A), substream(2, S1_A)]);
  t.is(r.driver.tagsInUse(0), 1);
  t.false(r.says(detach()).some((x) => x.includes('TLBI')));
  t.true(r.says(off(2)).includes('0: TLBI_NH_ASID vmid 0 asid 1, SYNC'));
  t.is(r.driver.tagsInUse(0), 0);
});

test('flushed, and only then free: stage 1, stage 2 and vSMMUs', (t) => {
  const heard: string[] = [];
  let said = (): readonly string[] => [];
  const r = systemRig([], {}, {
    observer: {
      planned: () => undefined, entrySynced: () => undefined,
      tagTaken: (smmu, id, type) => { heard.push(`${type} ${smmu}.${id} taken`); },
      tagReleased: (smmu, id, type) => { heard.push(`${type} ${smmu}.${id} free after ${said().at(-1) ?? 'nothing'}`); },
    },
  });
  said = () => r.trace;
  for (const op of [attach(S1_A, 1), attach(S2, 1), detach(1), open(), close()]) r.says(op);
  t.deepEqual(heard, [
    's1-tag 0.1 taken', 's2-tag 0.1 taken', 's1-tag 0.1 free after 0: TLBI_NH_ASID vmid 0 asid 1, SYNC', 's2-tag 0.1 free after 0: TLBI_S12_VMALL vmid 1, SYNC',
    'vsmmu-tag 0.1 taken', 'vsmmu-tag 0.1 free after 0: TLBI_S12_VMALL vmid 1, SYNC',
  ]);
});

test('the cost of a shared domain: an id where it is attached, against one of everybody\'s', (t) => {
  const r = systemRig();
  const after = (op: SystemOperation): readonly number[] => {
    r.says(op);
    const { perSmmu, global } = r.driver.vmidCost();
    return [perSmmu, global];
  };
  t.deepEqual([attach(S2), attach(S2, 3), open(), attach(PARENT, 1), attach(S1_A), attach(S1_A, 3), close(), detach(1)].map(after), [[1, 2], [2, 2], [3, 4], [4, 4], [3, 4], [2, 2], [1, 2], [0, 0]]);
});

test('the side that is left must find its tag: anything else is a fault of the driver', (t) => {
  const parts = (own: Parts): Parts => ({ ...own, system: { ...own.system, findTag: () => undefined } });
  const r = systemRig([attach(S1_A)], {}, { parts });
  t.throws(() => r.does(attach(S1_B)), { message: 'domain 0 is in use on SMMU 0 and has no tag there' });
});

for (const [what, before, op] of [
  ['attach', [], attach(S1_A)],
  ['attach of stage 2', [attach(S1_A)], attach(S2)],
  ['substream in a page of CDs that is missing', [attach('blocked', 2)], substream(70, S1_A, 2)],
  ['nested', [open()], guest(1, 1)],
] as const) {
  test(`out of memory: ${what} is refused, and takes neither tag nor page`, (t) => {
    for (let allocation = 0; ; allocation += 1) {
      const r = systemRig(before);
      const { pages } = r;
      const counts = (): readonly number[] => [pages.pagesInUse, pages.objectsInUse, r.driver.tagsInUse(0), r.driver.tagsInUse(0, 's2-tag')];
      const had = counts();
      let left = allocation;
      const real = { page: pages.allocate.bind(pages), object: pages.allocateObject.bind(pages) };
      pages.allocate = (owner) => (left-- === 0 ? -1 : real.page(owner));
      pages.allocateObject = (words) => (left-- === 0 ? -1 : real.object(words));
      r.forget();
      const { code } = r.does(op);
      if (code === 'ok') break; // so many allocations are there
      t.is(code, 'no-memory');
      t.deepEqual(counts(), had);
      t.deepEqual(r.trace, []);
    }
  });
}
