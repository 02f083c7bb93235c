/** Substreams: refusals, tables of CDs of every form, what the device as a whole does beside them, and stage-2 tables. */
import test from 'ava';
import { cdPages, cdRef } from '../../../src/optimised/driver/cd-tables.steps.js';
import { getField } from '../../../src/spec/bits.js';
import { CD, cdTableFrame } from '../../../src/spec/cd.js';
import { newTableContext, stage2Context } from '../../../src/spec/tables.js';
import { steCdFormat, steCdMax, steCdTable, STE } from '../../../src/spec/ste.js';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { systemMachineConfig } from '../../../src/stack/machine.js';
import type { SystemOperation, SystemResult } from '../../../src/stack/system.js';
import type { DeviceState } from '../../../src/optimised/driver/types.js';
import { smmu, type DriverRig } from './rig.js';
import { attach, detach, entryWords, guest, map, MM, off, open, PARENT, S1_A, S1_B, S2, steOf, substream, SYSTEM, systemRig, unmap } from './system-world.js';

const FEATURES = systemMachineConfig(smmu(), SYSTEM.smmus[0] ?? {}).features;

function dev(r: DriverRig, i: number): DeviceState {
  return r.driver.state.devices[i] as DeviceState;
}

function cd(r: DriverRig, device: number, ssid: number): Uint32Array {
  r.ctx.cpu.drainAll();
  return entryWords(r, cdRef(r.ctx, dev(r, device), ssid));
}

const REFUSALS: readonly (readonly [string, readonly SystemOperation[], SystemOperation, SystemResult['code']])[] = [
  ['no such device', [], substream(1, S1_A, 9), 'unknown-device'],
  ['no such domain', [], substream(1, 99), 'unknown-domain'],
  ['a device without substreams', [], substream(1, S1_A, 1), 'no-substreams'],
  ['substream 0', [], substream(0, S1_A), 'substream-out-of-range'],
  ['a substream beyond the device\'s', [], substream(16, S1_A), 'substream-out-of-range'],
  ['twice the same', [substream(1, S1_A)], substream(1, S1_A), 'already-attached'],
  ['a process that has ended', [{ op: 'mm-exit', domain: MM }], substream(1, MM), 'mm-gone'],
  ['a stage-2 domain', [], substream(1, S2), 'incompatible'],
  ['beside stage 2', [attach(S2)], substream(1, S1_A), 'incompatible'],
  ['beside a guest', [open(), guest(1)], substream(1, S1_A), 'incompatible'],
  ['off: no such device', [], off(1, 9), 'unknown-device'],
  ['off: no substreams', [], off(1, 1), 'no-substreams'],
  ['off: out of range', [], off(16), 'substream-out-of-range'],
  ['off: unused', [substream(2, S1_A)], off(1), 'not-attached'],
  ['stage 2 while substreams are in use', [substream(1, S1_A)], attach(S2), 'busy'],
  ['a guest while substreams are in use', [open(), substream(1, S1_A)], guest(1), 'busy'],
  ['the end of no domain', [], { op: 'mm-exit', domain: 99 }, 'unknown-domain'],
  ['the end of no process', [], { op: 'mm-exit', domain: S1_A }, 'no-mm'],
  ['the end, twice', [{ op: 'mm-exit', domain: MM }], { op: 'mm-exit', domain: MM }, 'mm-gone'],
  ['the device as a whole on a process that has ended', [{ op: 'mm-exit', domain: MM }], attach(MM), 'mm-gone'],
  ['a mapping of a process that has ended', [{ op: 'mm-exit', domain: MM }], map(MM, 0), 'mm-gone'],
  ['an unmapping of it', [map(MM, 0), { op: 'mm-exit', domain: MM }], unmap(MM, 0), 'mm-gone'],
];
for (const [what, before, op, code] of REFUSALS) {
  test(`refused, and nothing changes: ${what}`, (t) => {
    const r = systemRig(before);
    r.ctx.cpu.drainAll();
    const stood = r.snapshot();
    r.forget();
    t.is(r.does(op).code, code);
    r.ctx.cpu.drainAll();
    t.deepEqual([r.changedSince(stood), r.trace], [[], []]);
  });
}

for (const [what, device, bits, linear, format] of [['one page', 0, 4, undefined, 0], ['two levels', 2, 8, undefined, 1], ['linear, four pages', 2, 8, true, 0]] as const) {
  test(`CDs, ${what}: the STE says where, and each substream has its own`, (t) => {
    const smmus = SYSTEM.smmus.map((s) => (linear === true ? { ...s, linearCds: true as const } : s));
    const r = systemRig([attach(S1_A, device)], { smmus });
    const f = { ...FEATURES, twoLevelCds: linear !== true };
    const ste = steOf(r, device === 0 ? 5 : 11);
    t.deepEqual([steCdMax(ste, 0, f), steCdFormat(ste, 0, f), steCdTable(ste, 0, f)], [bits, format, (RAM_BASE + dev(r, device).cdSlot) * 4096]);
    const ssids = [1, 2 ** bits - 1, 2 ** (bits - 1)];
    for (const ssid of ssids) r.says(substream(ssid, S1_B, device));
    for (const ssid of ssids) t.is(cdTableFrame(cd(r, device, ssid), 0), RAM_BASE + (r.driver.state.domains[S1_B]?.rootSlot ?? 0));
    t.is(cdTableFrame(cd(r, device, 0), 0), RAM_BASE + (r.driver.state.domains[S1_A]?.rootSlot ?? 0));
    t.is(cdPages(r.ctx, dev(r, device)).length, format === 1 ? 3 : 0);
    r.says(off(1, device));
    t.is(getField(cd(r, device, 1), CD.V), 0);
    t.is(getField(cd(r, device, ssids[1] ?? 0), CD.V), 1);
  });
}

test('everything is given back at the end', (t) => {
  const r = systemRig([attach(S1_A, 2), substream(70, S1_B, 2), map(S1_B, 0), map(S2, 0), substream(3, MM), open(), { op: 'mm-exit', domain: MM }]);
  for (const op of [off(70, 2), detach(2), off(3), { op: 'vsmmu-close', vsmmu: 0 } as const]) r.says(op);
  r.driver.release();
  t.deepEqual([r.pages.objectsInUse, r.pages.pagesInUse, r.pages.fault], [0, 3 * SYSTEM.base.smmus.length, null]);
});

test('a substream moves to another domain in one call: the old one\'s tag goes after the CD', (t) => {
  const r = systemRig([attach('blocked'), substream(1, S1_A)]);
  const said = r.says(substream(1, S1_B));
  t.is(said.filter((x) => x.includes('ssid 1 leaf')).length, 3);
  t.deepEqual(said.slice(-2), ['0: ATC_INV sid 5 ssid 1 everything, SYNC', '0: TLBI_NH_ASID vmid 0 asid 1, SYNC']);
  t.deepEqual(dev(r, 0).substreams, [{ ssid: 1, domain: S1_B }]);
});

test('taken off as a whole while substreams are in use: blocked beside them, and free to be attached again', (t) => {
  const r = systemRig([attach(S1_A), substream(1, S1_B), detach()]);
  t.is(getField(steOf(r, 5), STE.S1DSS), 0);
  t.is(r.does(detach()).code, 'not-attached');
  r.says(attach('identity'));
  t.is(getField(steOf(r, 5), STE.S1DSS), 1);
  r.says(off(1));
  t.is(getField(steOf(r, 5), STE.Config), 4);
});

test('taken off, and then its last substream: still attached to nothing', (t) => {
  const r = systemRig([attach(S1_A), substream(1, S1_B), detach(), off(1)]);
  t.is(r.does(detach()).code, 'not-attached');
});

for (const before of [0, 1, 2, 3]) {
  test(`a linear table of CDs is aligned to its size, and nothing around it is lost: ${before} pages before it`, (t) => {
    const devices = [...Array.from({ length: before }, (_, i) => ({ smmu: 0, streams: [20 + i] })), { smmu: 0, streams: [1] }];
    const r = systemRig([], { base: { ...SYSTEM.base, devices }, devices: devices.map((_, i) => (i === before ? { ssidBits: 8 } : {})), smmus: SYSTEM.smmus.map((s) => ({ ...s, linearCds: true as const })) });
    t.is(dev(r, before).cdSlot % 4, 0);
    r.driver.release();
    t.deepEqual([r.pages.pagesInUse, r.pages.fault], [3 * SYSTEM.base.smmus.length, null]);
  });
}

test('without ATS in the SMMU or the device nothing is said of it', (t) => {
  for (const change of [{ smmus: SYSTEM.smmus.map((s) => ({ ...s, ats: undefined })).map(({ ats: _none, ...s }) => s) }, { devices: SYSTEM.devices.map(({ ats: _none, ...d }) => d) }]) {
    const r = systemRig([], change);
    const said = [attach(S1_A), substream(1, S1_B), attach(S1_B), off(1), attach('blocked')].flatMap((op) => r.says(op));
    t.false(said.some((x) => x.includes('ATC_INV') || x.startsWith('ATS')));
  }
});

for (const [what, oas, bits, inputBits, output] of [['44 bits', 44, 48, 44, 44], ['40 bits', 40, 48, 39, 40], ['small inputs', 44, 39, 39, 44]] as const) {
  test(`stage 2, ${what}: the STE describes its tables`, (t) => {
    const base = { ...SYSTEM.base, inputBits: bits };
    const r = systemRig([attach(S2)], { base, smmus: SYSTEM.smmus.map((s) => ({ ...s, oas })) });
    const c = stage2Context(steOf(r, 5), 0, { ...FEATURES, oas }, newTableContext());
    const own = r.driver.state.domains[S2];
    t.deepEqual([c.tg, c.inputBits, c.startLevel, c.outputBits, c.rootFrame], [12, inputBits, inputBits === 39 ? 1 : 0, output, RAM_BASE + (own?.rootSlot ?? 0)]);
    t.is(r.does(map(S2, 2 ** inputBits)).code, 'out-of-range');
    t.is(r.does({ op: 'map', domain: S2, iova: 0, pa: 2 ** output, size: 4096, prot: 'rw' }).code, 'out-of-range');
    t.is(r.does({ op: 'map', domain: S2, iova: 2 ** inputBits - 4096, pa: 2 ** output - 4096, size: 4096, prot: 'r' }).code, 'ok');
    t.is(r.lookup(2 ** inputBits - 4096, S2), 2 ** output - 4096);
  });
}

test('leaves of stage 2: S2AP as asked, and the attribute that S2FWB gives a meaning on parents', (t) => {
  const r = systemRig([map(S2, 0), map(PARENT, 0), { op: 'map', domain: S2, iova: 0x1000, pa: 0x40001000, size: 4096, prot: 'r' }]);
  r.ctx.cpu.drainAll();
  const leaf = (domain: number, index: number): number => {
    let slot = r.driver.state.domains[domain]?.rootSlot ?? 0;
    for (let level = r.driver.state.domains[domain]?.startLevel ?? 0; level < 3; level += 1) slot = Math.floor((r.memory.lo[slot * 512] ?? 0) / 4096) + (r.memory.hi[slot * 512] ?? 0) * 2 ** 20 - RAM_BASE;
    return (r.memory.lo[slot * 512 + index] ?? 0) & 0xfff;
  };
  t.deepEqual([leaf(S2, 0), leaf(S2, 1), leaf(PARENT, 0)].map((x) => x.toString(2)), ['11111111111', '11101111111', '11111011011']);
});
