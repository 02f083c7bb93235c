/** Tags: ASIDs of one SMMU, lowest first, never 0, given back after a flush. */
import test from 'ava';
import { findOrAllocate, putBack, tagsInUse } from '../../../src/optimised/driver/tags.js';
import type { Binding, Tag } from '../../../src/optimised/driver/types.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, smmu } from './rig.js';

const DOMAIN: Binding = { domain: 0, vsmmu: -1 };

function rig(asidMax: number): DriverRig {
  return new DriverRig(smallWorld({ smmus: [smmu({ asidMax }), smmu({ asidMax: 2 })] }));
}

function allocate(r: DriverRig, on = 0): number | undefined {
  return findOrAllocate(r.ctx, 0, on, DOMAIN)?.id;
}

function back(r: DriverRig, on: number, id: number): void {
  putBack(r.ctx, { smmu: on, type: 's1-tag', id, fresh: false });
}

test('the first id is 1: 0 is never handed out', (t) => {
  const r = rig(255);
  t.deepEqual(findOrAllocate(r.ctx, 0, 0, DOMAIN), { smmu: 0, type: 's1-tag', id: 1, fresh: true });
});

test('ids come in order, across cells', (t) => {
  const r = rig(255);
  t.deepEqual(Array.from({ length: 70 }, () => allocate(r)), Array.from({ length: 70 }, (_, i) => i + 1));
});

test('the lowest free id comes next', (t) => {
  const r = rig(255);
  for (let i = 0; i < 40; i += 1) allocate(r);
  back(r, 0, 35);
  back(r, 0, 7);
  t.is(allocate(r), 7);
  t.is(allocate(r), 35);
  t.is(allocate(r), 41);
});

for (const max of [1, 2, 30, 31, 32, 33, 63, 64, 255]) {
  test(`with ids up to ${max} there are ${max}`, (t) => {
    const r = rig(max);
    for (let i = 1; i <= max; i += 1) t.is(allocate(r), i);
    t.is(allocate(r), undefined);
    t.is(tagsInUse(r.ctx, 0), max);
    back(r, 0, max);
    t.is(allocate(r), max);
  });
}

test('running out changes nothing', (t) => {
  const r = rig(1);
  allocate(r);
  r.ctx.cpu.drainAll();
  const before = r.snapshot();
  t.is(allocate(r), undefined);
  r.ctx.cpu.drainAll();
  t.deepEqual(r.changedSince(before), []);
});

test('each SMMU has ids of its own', (t) => {
  const r = rig(255);
  t.is(allocate(r, 0), 1);
  t.is(allocate(r, 1), 1);
  t.is(allocate(r, 1), 2);
  t.is(allocate(r, 1), undefined);
  t.is(tagsInUse(r.ctx, 0), 1);
  t.is(tagsInUse(r.ctx, 1), 2);
});

test('an id is given back to its own SMMU', (t) => {
  const r = rig(255);
  allocate(r, 0);
  allocate(r, 1);
  back(r, 1, 1);
  t.is(r.driver.tagsInUse(0), 1);
  t.is(r.driver.tagsInUse(1), 0);
  t.is(allocate(r, 1), 1);
});

test('a domain keeps its id on an SMMU while a device there uses it', (t) => {
  const world = smallWorld({ devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }], domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
  const r = new DriverRig(world);
  r.attach(0, 0);
  r.attach(0, 1);
  t.is(r.driver.tagsInUse(0), 1);
  const array = r.ctx.cpu.loadLo(r.driver.state.domains[0]?.invsCell ?? 0);
  t.deepEqual(findOrAllocate(r.ctx, array, 0, DOMAIN), { smmu: 0, type: 's1-tag', id: 1, fresh: false } satisfies Tag);
  r.detach(0);
  t.is(r.driver.tagsInUse(0), 1);
  r.detach(1);
  t.is(r.driver.tagsInUse(0), 0);
});

test('the last user\'s id is flushed before it is free again', (t) => {
  const r = new DriverRig(smallWorld(), {
    observer: { planned: () => undefined, entrySynced: () => undefined, tagReleased: (on, asid) => { released.push([on, asid, r.said().includes(`TLBI_NH_ASID vmid 0 asid ${asid}`)]); } },
  });
  const released: [number, number, boolean][] = [];
  r.attach(0);
  r.detach();
  t.deepEqual(released, [[0, 1, true]]);
});
