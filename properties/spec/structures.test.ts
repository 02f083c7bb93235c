/**
 * Pins the whole-machine structures of src/spec over their full range: features through registers, level-1 descriptors, faults, roots of tables and
 * addresses in every descriptor form come back as they were.
 */
import test from 'ava';
import fc from 'fast-check';
import { addressHigh, addressLow, leafAddress, tableAddress } from '../../src/spec/descriptor.js';
import { decodeFault, encodeFault, EVENT, newFault, type FaultRecord } from '../../src/spec/event.js';
import { featuresOf, registersOf, type Features } from '../../src/spec/features.js';
import { leafAllowed, levelFrames, startEntries, stage1StartLevel, stage2Consistent, stage2Sl0, stage2StartLevel, TGS } from '../../src/spec/granule.js';
import { l1cdLow, l1cdPointer, l1cdValid, l1High, l1stdLow, l1stdPointer, l1stdStreams } from '../../src/spec/level1.js';
import { newTableContext } from '../../src/spec/tables.js';

const RUNS = { seed: 1, numRuns: 2000 };
const flag = fc.boolean();
const bit = fc.integer({ min: 0, max: 1 });

const anyFeatures: fc.Arbitrary<Features> = fc.record({
  stage1: flag, stage2: flag, hyp: flag, coherent: flag, httu: fc.constantFrom(0, 1, 2), ats: flag, splitAts: flag, asidBits: fc.constantFrom(8, 16),
  vmidBits: fc.constantFrom(8, 16), msi: flag, sev: flag, vmidWildcard: flag, twoLevelStreams: flag, twoLevelCds: flag,
  sidBits: fc.integer({ min: 0, max: 32 }), ssidBits: fc.integer({ min: 0, max: 20 }), commandLog2: fc.integer({ min: 0, max: 19 }),
  eventLog2: fc.integer({ min: 0, max: 19 }), extraQueues: fc.constantFrom(0, 1, 2, 4, 8, 256), range: flag, bbml: fc.constantFrom(0, 1, 2),
  forceWriteBack: flag, smallTables: flag, oas: fc.constantFrom(32, 36, 40, 42, 44, 48, 52), gran4k: flag, gran16k: flag, gran64k: flag,
  ds: flag, wideInput: flag, forceSync: flag, wholeRunOnly: flag, repeatedList: flag,
});

test('features come back from their registers', (t) => {
  fc.assert(fc.property(anyFeatures, (f) => {
    const r = registersOf(f);
    for (const value of Object.values(r)) t.true(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
    t.deepEqual(featuresOf(r.idr0, r.idr1, r.idr3, r.idr5, r.iidr, r.idr6), f);
  }), RUNS);
  t.pass();
});

test('registers with any content give features that registers can say', (t) => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(fc.property(word, word, word, word, word, fc.constantFrom(0, 0x30000, 0x1020000), (idr0, idr1, idr3, idr5, iidr, idr6) => {
    const f = featuresOf(idr0, idr1, idr3, idr5, iidr, idr6);
    const r = registersOf(f);
    t.deepEqual(featuresOf(r.idr0, r.idr1, r.idr3, r.idr5, r.iidr, r.idr6), f);
  }), RUNS);
  t.pass();
});

test('a level-1 descriptor keeps pointer and size', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 0, max: 2 ** 34 - 1 }), (span, unit) => {
    const address = unit * 64 * 2 ** (span - 1);
    const lo = l1stdLow(address, span);
    t.is(l1stdPointer(lo, l1High(address)), address);
    t.is(l1stdStreams(lo, 10), 2 ** (span - 1));
    t.is(l1stdStreams(lo, 6), span <= 7 ? 2 ** (span - 1) : 0);
  }), RUNS);
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 - 1 }), (unit) => {
    const address = unit * 65536;
    t.true(l1cdValid(l1cdLow(address)));
    t.is(l1cdPointer(l1cdLow(address), l1High(address), 1), address);
    t.is(l1cdPointer(l1cdLow(address), l1High(address), 2), address);
  }), RUNS);
  t.pass();
});

const anyFault: fc.Arbitrary<FaultRecord> = fc.record({
  type: fc.constantFrom(...Object.values(EVENT)), sid: fc.integer({ min: 0, max: 0xffffffff }), ssv: bit, ssid: fc.integer({ min: 0, max: 0xfffff }), read: bit,
  privileged: bit, stage2: bit, class: fc.integer({ min: 0, max: 2 }), inputFrame: fc.integer({ min: 0, max: 2 ** 52 - 1 }), inputOffset: fc.integer({ min: 0, max: 0xfff }),
  instruction: bit, ipa: fc.integer({ min: 0, max: 2 ** 44 - 1 }), ttRead: bit, reason: fc.integer({ min: 0, max: 0xffff }), fetchFrame: fc.integer({ min: 0, max: 2 ** 44 - 1 }),
  fetchWord: fc.integer({ min: 0, max: 511 }), span: fc.integer({ min: 0, max: 15 }), treqWrite: bit, treqExecute: bit,
});

test('a fault decodes to a part of what was encoded, and to the same words again', (t) => {
  fc.assert(fc.property(anyFault, fc.uint32Array({ minLength: 8, maxLength: 8 }), (fault, words) => {
    encodeFault(fault, words);
    const back = decodeFault(words, 0, newFault());
    for (const key of Object.keys(back) as (keyof FaultRecord)[]) t.true(back[key] === fault[key] || back[key] === 0, key);
    const again = new Uint32Array(8);
    encodeFault(back, again);
    t.deepEqual(again, words);
  }), RUNS);
  t.pass();
});

const anyForm = fc.constantFrom(
  { tg: 12 as const, ds: false, wide: false, bits: 48 }, { tg: 14 as const, ds: false, wide: false, bits: 48 }, { tg: 16 as const, ds: false, wide: false, bits: 48 },
  { tg: 12 as const, ds: true, wide: false, bits: 52 }, { tg: 14 as const, ds: true, wide: false, bits: 52 }, { tg: 16 as const, ds: false, wide: true, bits: 52 },
);

test('an address comes back from a descriptor of its form, whatever attributes stand around it', (t) => {
  fc.assert(fc.property(anyForm, fc.integer({ min: 0, max: 2 ** 40 - 1 }), fc.integer({ min: 0, max: 3 }), fc.nat(0xff), fc.nat(0xfff), (form, any, at, low, high) => {
    const c = { ...newTableContext(), ...form };
    const level = [0, 1, 2, 3].filter((l) => leafAllowed(form.tg, l, form.ds, form.wide))[at] ?? 3;
    const within = any % 2 ** (form.bits - 12);
    const leaf = within - (within % levelFrames(form.tg, level));
    t.is(leafAddress(addressLow(leaf, c) + low, addressHigh(leaf, c) + high * 2 ** 20, level, c), leaf);
    const table = within - (within % levelFrames(form.tg, 3));
    t.is(tableAddress(addressLow(table, c) + low, addressHigh(table, c) + high * 2 ** 20, c), table);
  }), RUNS);
  t.pass();
});

test('a start table covers its input exactly, at both stages', (t) => {
  const limits = { smallTables: true, oas: 52 };
  fc.assert(fc.property(fc.constantFrom(...TGS), fc.integer({ min: 17, max: 52 }), fc.integer({ min: -1, max: 3 }), (tg, bits, level) => {
    const own = stage1StartLevel(tg, bits);
    t.is(startEntries(tg, bits, own) * levelFrames(tg, own), 2 ** (bits - 12));
    if (level < (tg === 12 ? -1 : tg === 14 ? 0 : 1) || !stage2Consistent(tg, bits, level, limits)) return;
    t.is(startEntries(tg, bits, level) * levelFrames(tg, level), 2 ** (bits - 12));
    t.true(level === own || level === own + 1);
    const sl = stage2Sl0(tg, level);
    t.is(stage2StartLevel(tg, sl % 4, sl >> 2, true), level);
  }), RUNS);
  t.pass();
});
