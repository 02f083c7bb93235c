/**
 * The entry writer: how many SYNCs a change takes and whether the entry is ever gone (the rows of the kernel's own test
 * for abort, bypass, stage 1 with one CD, and CDs; and some more). Hitless: no SYNC sees word 0 as zero, and at
 * each SYNC the bits that the SMMU looks at are the old entry's or the new one's.
 */
import test from 'ava';
import { planEntry, usedCd, usedSte, writeEntry } from '../../../src/optimised/driver/entry.steps.js';
import { abortSte, bypassSte, emptyEntry, stage1Cd, stage1Ste } from '../../../src/optimised/driver/structures.js';
import { setField, type Field } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { OP } from '../../../src/spec/command.js';
import { STE } from '../../../src/spec/ste.js';
import { runSteps } from '../../../src/stack/steps.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, type FakeSmmu } from './rig.js';

type Kind = 'ste' | 'cd';

interface Written {
  syncs: number;
  gone: boolean;
  mixed: boolean;
  lists: readonly (readonly string[])[];
  words: number[];
}

function read(rig: DriverRig, ref: number): Uint32Array {
  const words = new Uint32Array(16);
  for (let i = 0; i < 8; i += 1) {
    words[i * 2] = rig.memory.lo[ref + i] as number;
    words[i * 2 + 1] = rig.memory.hi[ref + i] as number;
  }
  return words;
}

/** Are the bits that the SMMU looks at in `now` those of `then`? */
function looksLike(kind: Kind, now: Uint32Array, then: Uint32Array): boolean {
  const mask = new Uint32Array(16);
  (kind === 'ste' ? usedSte : usedCd)(now, mask);
  return now.every((w, i) => ((w ^ (then[i] as number)) & (mask[i] as number)) === 0);
}

/** Writes `to` over `from` and watches every SYNC. */
function write(kind: Kind, from: Uint32Array, to: Uint32Array, streams: readonly number[] = [1]): Written {
  const rig = new DriverRig(smallWorld(), { form: 'steps' });
  const ref = rig.pages.allocate('cd') * 512;
  for (let i = 0; i < 8; i += 1) rig.memory.commit(ref + i, from[i * 2] as number, from[i * 2 + 1] as number);
  const smmu = rig.smmus[0] as FakeSmmu;
  const seen: Written = { syncs: 0, gone: false, mixed: false, lists: smmu.lists, words: [] };
  smmu.seen = (c) => {
    if (c.op !== OP.SYNC) return;
    seen.syncs += 1;
    const now = read(rig, ref);
    if (now[0] === 0 && now[1] === 0) seen.gone = true;
    else if (!looksLike(kind, now, from) && !looksLike(kind, now, to)) seen.mixed = true;
  };
  runSteps(writeEntry(rig.ctx, kind, 0, ref, to, streams));
  rig.ctx.cpu.drainAll();
  seen.words = [...read(rig, ref)];
  return seen;
}

const TABLES_X = 0x100100;
const TABLES_Y = 0x100200;
const s1 = stage1Ste(0x100300);
const cd778 = stage1Cd(TABLES_X, 48, 778);
const cd1997 = stage1Cd(TABLES_X, 48, 1997);
const cdOther = stage1Cd(TABLES_Y, 48, 1997);
const cdAttributes = changed(cd1997, CD.MAIR0, 0x44);
const s1Terminating = changed(s1, STE.S1DSS, 0);

function changed(words: Uint32Array, field: Field, value: number): Uint32Array {
  const copy = words.slice();
  setField(copy, field, value);
  return copy;
}

/** A CD table with two levels, as a device with substreams has. */
function cdTable(dss: number, table = 0xf0f0f0f0f0c0): Uint32Array {
  const ste = new Uint32Array(16);
  const fields: readonly (readonly [Field, number])[] = [
    [STE.V, 1], [STE.Config, 5], [STE.S1Fmt, 2], [STE.S1CDMax, 31], [STE.S1ContextPtr, table / 64], [STE.S1DSS, dss], [STE.S1CIR, 1], [STE.S1COR, 1], [STE.S1CSH, 3],
    [STE.S1STALLD, 1], [STE.EATS, 1], ...(dss === 1 ? [[STE.SHCFG, 1] as const] : []),
  ];
  for (const [f, value] of fields) setField(ste, f, value);
  return ste;
}

function stage2Ste(stalls: boolean): Uint32Array {
  const ste = new Uint32Array(16);
  const fields: readonly (readonly [Field, number])[] = [
    [STE.V, 1], [STE.Config, 6], [STE.SHCFG, 1], [STE.S2PS, 1], [STE.S2TG, 2], [STE.S2SH0, 3], [STE.S2OR0, 1], [STE.S2IR0, 2], [STE.S2SL0, 3], [STE.S2T0SZ, 4], [STE.S2AA64, 1],
    [STE.S2PTW, 1], [STE.S2R, 1], [STE.S2TTB, 0xdbeefdeadbee0 / 16], stalls ? [STE.S2S, 1] : [STE.EATS, 1],
  ];
  for (const [f, value] of fields) setField(ste, f, value);
  return ste;
}

/** When a process exits: its CD stays valid, without its table. */
function released(cd: Uint32Array): Uint32Array {
  const gone = changed(changed(changed(cd, CD.EPD0, 1), CD.TTB0, 0), CD.T0SZ, 0);
  for (const f of [CD.TG0, CD.IR0, CD.OR0, CD.SH0]) setField(gone, f, 0);
  return gone;
}

/** Kind, name, from, to, SYNCs, hitless. */
const ROWS: readonly [Kind, string, Uint32Array, Uint32Array, number, boolean][] = [
  ['ste', 'bypass → abort', bypassSte(), abortSte(), 2, true],
  ['ste', 'abort → bypass', abortSte(), bypassSte(), 2, true],
  ['ste', 'stage 1 → abort', s1, abortSte(), 2, true],
  ['ste', 'abort → stage 1', abortSte(), s1, 2, true],
  ['ste', 'stage 1 → bypass', s1, bypassSte(), 3, true],
  ['ste', 'bypass → stage 1', bypassSte(), s1, 3, true],
  ['ste', 'another CD pointer', s1, stage1Ste(0x100301), 1, true],
  ['ste', 'what a stream without substreams gets', s1, s1Terminating, 1, true],
  ['ste', 'CD table → abort', cdTable(2), abortSte(), 2, true],
  ['ste', 'abort → CD table', abortSte(), cdTable(2), 2, true],
  ['ste', 'CD table → bypass', cdTable(2), bypassSte(), 3, true],
  ['ste', 'bypass → CD table', bypassSte(), cdTable(2), 3, true],
  ['ste', 'CD table, substream 0 → CD table, bypass', cdTable(2), cdTable(1), 1, true],
  ['ste', 'CD table, bypass → CD table, substream 0', cdTable(1), cdTable(2), 1, true],
  ['ste', 'CD table, bypass → bypass', cdTable(1), bypassSte(), 2, true],
  ['ste', 'bypass → CD table, bypass', bypassSte(), cdTable(1), 2, true],
  ['ste', 'stage 2 → abort', stage2Ste(false), abortSte(), 2, true],
  ['ste', 'abort → stage 2', abortSte(), stage2Ste(false), 2, true],
  ['ste', 'stage 2 → bypass', stage2Ste(false), bypassSte(), 2, true],
  ['ste', 'bypass → stage 2', bypassSte(), stage2Ste(false), 2, true],
  ['ste', 'CD table → stage 2', cdTable(2), stage2Ste(false), 3, true],
  ['ste', 'stage 2 → CD table', stage2Ste(false), cdTable(2), 3, true],
  ['ste', 'CD table → stage 2 with stalls', changed(cdTable(2), STE.EATS, 0), stage2Ste(true), 3, true],
  ['ste', 'another CD table and another answer without substreams', cdTable(2), cdTable(1, 0x4b4b4b4b00), 3, false],
  ['cd', 'CD → released', cd1997, released(cd1997), 2, true],
  ['cd', 'released → CD', released(cd1997), cd1997, 2, true],
  ['ste', 'abort → abort', abortSte(), abortSte(), 0, true],
  ['ste', 'nothing → abort', emptyEntry(), abortSte(), 1, true],
  ['cd', 'zero → CD', emptyEntry(), cd1997, 2, false],
  ['cd', 'CD → zero', cd1997, emptyEntry(), 2, false],
  ['cd', 'CD 778 → CD 1997, same tables', cd778, cd1997, 1, true],
  ['cd', 'CD 1997 → CD 778, same tables', cd1997, cd778, 1, true],
  ['cd', 'other memory attributes', cd1997, cdAttributes, 1, true],
  ['cd', 'other attributes and another ASID', cd778, cdAttributes, 3, false],
  ['cd', 'CD 778 → CD 1997, other tables', cd778, cdOther, 3, false],
  ['cd', 'CD 1997 → CD 778, other tables', cdOther, cd778, 3, false],
  ['cd', 'zero → zero', emptyEntry(), emptyEntry(), 0, true],
];

for (const [kind, name, from, to, syncs, hitless] of ROWS) {
  test(`${name}: ${syncs} SYNCs, ${hitless ? 'hitless' : 'with the entry gone in between'}`, (t) => {
    const written = write(kind, from, to);
    t.is(written.syncs, syncs);
    t.is(!written.gone, hitless);
    t.false(written.mixed);
    t.deepEqual(written.words, [...to]);
  });
}

test('each SYNC stands behind one CFGI for each stream', (t) => {
  t.deepEqual(write('cd', cd778, cd1997, [3, 9]).lists, [['CFGI_CD sid 3 ssid 0 leaf', 'CFGI_CD sid 9 ssid 0 leaf', 'SYNC']]);
  t.deepEqual(write('ste', s1, stage1Ste(0x100301), [7]).lists, [['CFGI_STE sid 7 leaf', 'SYNC']]);
});

test('the SMMU looks at nothing but V of an invalid entry', (t) => {
  const mask = new Uint32Array(16).fill(7);
  usedSte(new Uint32Array(16), mask);
  t.deepEqual([...mask], [1, ...new Array<number>(15).fill(0)]);
  usedCd(new Uint32Array(16), mask);
  t.deepEqual([...mask], [0x80000000, ...new Array<number>(15).fill(0)]);
});

test('of an abort STE it looks at V and Config, of a bypass STE at SHCFG as well', (t) => {
  const mask = new Uint32Array(16);
  usedSte(abortSte(), mask);
  t.deepEqual([...mask.slice(0, 6)], [0xf, 0, 0, 0, 0, 0]);
  usedSte(bypassSte(), mask);
  t.deepEqual([...mask.slice(0, 6)], [0xf, 0, 0, 0x3000, 0, 0]);
});

/** Masks by the fields' places. */
function maskOf(...fields: readonly Field[]): number[] {
  const words = new Uint32Array(16);
  for (const f of fields) setField(words, f, 2 ** f.width - 1);
  return [...words];
}

const STAGE1 = [STE.V, STE.Config, STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH, STE.MEV, STE.S1STALLD, STE.EATS, STE.STRW, STE.S2VMID];
const STAGE2 = [
  STE.V, STE.Config, STE.MEV, STE.S2FWB, STE.EATS, STE.SHCFG, STE.S2VMID, STE.S2T0SZ, STE.S2SL0, STE.S2IR0, STE.S2OR0, STE.S2SH0, STE.S2TG, STE.S2PS, STE.S2AA64, STE.S2ENDI, STE.S2AFFD,
  STE.S2PTW, STE.S2HD, STE.S2HA, STE.S2S, STE.S2R, STE.S2SL0_2, STE.S2DS, STE.S2TTB,
];

test('of a stage-1 STE it looks at every field it has, but not at SHCFG or stage 2', (t) => {
  const mask = new Uint32Array(16);
  usedSte(s1, mask);
  t.deepEqual([...mask], maskOf(...STAGE1));
  usedSte(changed(s1, STE.S1DSS, 1), mask);
  t.deepEqual([...mask], maskOf(...STAGE1, STE.SHCFG));
});

test('of a stage-2 STE it looks at stage 2, of a nested one at both', (t) => {
  const mask = new Uint32Array(16);
  usedSte(stage2Ste(false), mask);
  t.deepEqual([...mask], maskOf(...STAGE2));
  usedSte(changed(stage2Ste(false), STE.Config, 7), mask);
  t.deepEqual([...mask], maskOf(...STAGE1, ...STAGE2));
});

test('of a CD whose half is switched off it looks at nothing of that half', (t) => {
  const mask = new Uint32Array(16);
  usedCd(changed(cd778, CD.EPD0, 1), mask);
  const ignored = maskOf(CD.T0SZ, CD.TG0, CD.IR0, CD.OR0, CD.SH0, CD.TTB0);
  t.deepEqual([...mask], ignored.map((m) => ~m >>> 0));
});

test('of a valid CD it looks at every bit', (t) => {
  const mask = new Uint32Array(16);
  usedCd(cd778, mask);
  t.true(mask.every((m) => m === 0xffffffff));
});

test('a plan counts the words that matter and moves the ignored bits first', (t) => {
  const plan = planEntry('ste', abortSte(), s1);
  t.is(plan.differing, 1);
  t.is(plan.critical, 0);
  t.is(plan.interim[2], s1[2]);
  t.is((plan.interim[0] as number) & 0xf, (abortSte()[0] as number) & 0xf);
});

test('two words that matter are two', (t) => {
  t.is(planEntry('cd', cd778, cdOther).differing, 2);
  t.is(planEntry('cd', cd778, cd778).differing, 0);
  t.is(planEntry('cd', cd1997, cdAttributes).critical, 3);
});

test('through the driver: attach, replace and detach take the SYNCs of their rows', (t) => {
  const synced: string[] = [];
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] }), {
    observer: { planned: () => undefined, tagReleased: () => undefined, entrySynced: (_smmu, kind) => { synced.push(kind); } },
  });
  const run = (act: () => unknown): string => {
    synced.length = 0;
    act();
    return synced.join(' ');
  };
  t.is(run(() => rig.attach('identity')), 'ste ste');
  t.is(run(() => rig.attach(0)), 'cd cd ste ste ste');
  t.is(run(() => rig.attach(1)), 'cd cd cd');
  t.is(run(() => rig.attach('blocked')), 'ste ste cd cd');
  t.is(run(() => rig.attach(0)), 'cd cd ste ste');
  t.is(run(() => rig.attach('identity')), 'ste ste ste cd cd');
  t.is(run(() => rig.detach()), 'ste ste');
});

test('a CD is synced for all streams of its device, an STE for its own', (t) => {
  const synced: [string, readonly number[]][] = [];
  const rig = new DriverRig(smallWorld({ devices: [{ smmu: 0, streams: [4, 5] }] }), {
    observer: { planned: () => undefined, tagReleased: () => undefined, entrySynced: (_smmu, kind, streams) => { synced.push([kind, streams]); } },
  });
  rig.attach(0);
  t.deepEqual(synced, [['cd', [4, 5]], ['cd', [4, 5]], ['ste', [4]], ['ste', [4]], ['ste', [5]], ['ste', [5]]]);
});
