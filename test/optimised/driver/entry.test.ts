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

test('of a stage-1 STE it looks at every field it has, but not at SHCFG or stage 2', (t) => {
  const mask = new Uint32Array(16);
  usedSte(s1, mask);
  t.deepEqual([...mask], [0xffffffff, 0xf8ffffff, 0x800ff, 0xf8000000, 0xffff, ...new Array<number>(11).fill(0)]);
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
