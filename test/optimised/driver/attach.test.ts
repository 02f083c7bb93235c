/** Attach and detach: the five phases in their order, and what each leaves behind. */
import test from 'ava';
import { CD, cdTableFrame } from '../../../src/spec/cd.js';
import { getField } from '../../../src/spec/bits.js';
import { steAction } from '../../../src/spec/ste.js';
import { steFeatures } from '../../../src/stack/machine.js';
import { smallWorld, type World } from '../../../src/stack/world.js';
import { DriverRig, smmu } from './rig.js';

const WORLD: World = smallWorld({
  smmus: [smmu(), smmu()],
  devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [2, 3] }],
  domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }],
});

function words(rig: DriverRig, ref: number): Uint32Array {
  rig.ctx.cpu.drainAll();
  return Uint32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? rig.memory.lo : rig.memory.hi)[ref + Math.floor(i / 2)] as number);
}

function action(rig: DriverRig, on: number, sid: number): string {
  return steAction(words(rig, (rig.driver.state.smmus[on]?.streamSlot ?? 0) * 512 + sid * 8), 0, steFeatures());
}

function cd(rig: DriverRig, device: number): Uint32Array {
  return words(rig, (rig.driver.state.devices[device]?.cdSlot ?? 0) * 512);
}

test('attached to a domain: stage 1 for every stream, with the domain\'s tables and tag', (t) => {
  const rig = new DriverRig(WORLD);
  rig.attach(1, 1);
  t.deepEqual([1, 2, 3, 4].map((sid) => action(rig, 1, sid)), ['abort', 'stage1', 'stage1', 'abort']);
  t.is(getField(cd(rig, 1), CD.ASID), 1);
  t.is(cdTableFrame(cd(rig, 1), 0), rig.memory.frameOf(rig.driver.state.domains[1]?.rootSlot ?? 0));
  t.is(action(rig, 0, 2), 'abort');
});

for (const [to, wanted] of [['identity', 'bypass'], ['blocked', 'abort']] as const) {
  test(`attached to ${to}: the STE says ${wanted}, the CD is empty, the tag is back`, (t) => {
    const rig = new DriverRig(WORLD);
    rig.attach(0, 0);
    t.is(rig.attach(to, 0), 'ok');
    t.is(action(rig, 0, 1), wanted);
    t.true(cd(rig, 0).every((w) => w === 0));
    t.is(rig.driver.tagsInUse(0), 0);
    t.is(rig.driver.arrayUsers(0), 0);
  });
}

test('detached: blocked, and free to attach to blocked again', (t) => {
  const rig = new DriverRig(WORLD);
  rig.attach(0, 0);
  t.is(rig.detach(0), 'ok');
  t.is(action(rig, 0, 1), 'abort');
  t.is(rig.detach(0), 'not-attached');
  t.is(rig.attach('blocked', 0), 'ok');
  t.is(rig.detach(0), 'ok');
});

test('the array is published before the CD and STE, and left after them', (t) => {
  const rig = new DriverRig(WORLD, { form: 'steps' });
  rig.attach(0, 0);
  const steps = [...rig.driver.steps(rig.ctx, { op: 'attach', device: 0, to: 1 })];
  const first = (name: string): number => steps.indexOf(name);
  t.is(first('publish the new array'), 0);
  t.true(first('leave the old array') > steps.lastIndexOf('write word 0 of the entry'));
  t.true(first('purge the old array') > first('leave the old array'));
});

test('a target fills its CD before the STE points to it', (t) => {
  const rig = new DriverRig(WORLD);
  rig.attach(0, 0);
  const kinds = rig.said(0).map((c) => c.split(' ')[0]);
  t.true(kinds.lastIndexOf('CFGI_CD') < kinds.indexOf('CFGI_STE'));
});

test('on the way out the STE goes before its CD', (t) => {
  const rig = new DriverRig(WORLD);
  rig.attach(0, 0);
  rig.forget();
  rig.detach(0);
  const kinds = rig.said(0).map((c) => c.split(' ')[0]);
  t.true(kinds.lastIndexOf('CFGI_STE') < kinds.indexOf('CFGI_CD'));
  t.deepEqual(kinds.slice(-2), ['TLBI_NH_ASID', 'SYNC']);
});

test('no array is left when the last device has gone', (t) => {
  const rig = new DriverRig(WORLD);
  const objects = rig.pages.objectsInUse;
  rig.attach(0, 0);
  rig.attach(0, 1);
  t.is(rig.pages.objectsInUse, objects + 1);
  rig.detach(0);
  rig.detach(1);
  t.is(rig.pages.objectsInUse, objects);
  t.is(rig.ctx.cpu.loadLo(rig.driver.state.domains[0]?.invsCell ?? 0), 0);
  t.is(rig.pages.fault, null);
});

test('one tag a domain and SMMU: other SMMUs hear nothing of an attach', (t) => {
  const rig = new DriverRig(WORLD);
  rig.attach(0, 0);
  t.deepEqual(rig.said(1), []);
  rig.attach(0, 1);
  t.is(getField(cd(rig, 1), CD.ASID), 1);
  t.is(rig.driver.arrayUsers(0), 2);
});

test('with the only tag in use, moving to another domain is refused and nothing moves', (t) => {
  const rig = new DriverRig({ ...WORLD, smmus: [smmu({ asidMax: 1 }), smmu()] });
  rig.attach(0, 0);
  t.is(rig.attach(1, 0), 'no-tags');
  t.is(action(rig, 0, 1), 'stage1');
  t.is(rig.driver.arrayUsers(1), 0);
  rig.detach(0);
  t.is(rig.attach(1, 0), 'ok');
});
