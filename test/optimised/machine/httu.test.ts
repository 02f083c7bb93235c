/** Hardware updates of access flag and dirty state: in memory, at the moment of use, and what cached leaves make of them (IHI 0070 §3.13). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { BIT_AF, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, HI_APTABLE_READ_ONLY, HI_DBM } from '../../../src/spec/descriptor.js';
import { OP } from '../../../src/spec/command.js';
import { STE } from '../../../src/spec/ste.js';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { WholeRig } from './whole-rig.js';

/** Stream 1 with HA and HD; frame 0x10 is a leaf with these bits off and on. */
function updating(off: number, on: number, hi: number, nested = false): { rig: WholeRig; ref: number; root: number } {
  const rig = new WholeRig();
  const cdSlot = rig.page();
  const root = rig.page();
  rig.ste(1, cdSlot, (words) => {
    if (!nested) return;
    rig.second(words, 6);
    setField(words, STE.S2HA, 1);
    setField(words, STE.S2HD, 1);
  });
  rig.cd(cdSlot, 7, root, (words) => {
    setField(words, CD.HA, 1);
    setField(words, CD.HD, 1);
  });
  const ref = rig.map(root, 0x10, 0x900);
  rig.memory.commit(ref, ((rig.memory.lo[ref] as number) & ~off | on) >>> 0, hi);
  if (nested) rig.map2(0x900, 0x5000);
  return { rig, ref, root };
}

const low = (rig: WholeRig, ref: number): number => rig.memory.lo[ref] as number;

test('a read sets the access flag', (t) => {
  const { rig, ref } = updating(BIT_AF, 0, 0);
  t.is(rig.ask(1, 0x10), '900');
  t.not(low(rig, ref) & BIT_AF, 0);
});

test('without HA and with AFFD nothing is set and nothing faults', (t) => {
  const rig = new WholeRig();
  const cdSlot = rig.page();
  const root = rig.page();
  rig.ste(1, cdSlot);
  rig.cd(cdSlot, 7, root, (words) => setField(words, CD.AFFD, 1));
  const ref = rig.map(root, 0x10, 0x900);
  rig.memory.commit(ref, low(rig, ref) & ~BIT_AF, 0);
  t.is(rig.ask(1, 0x10), '900');
  t.is(low(rig, ref) & BIT_AF, 0);
});

test('a write through DBM clears AP[2]', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM);
  t.is(rig.ask(1, 0x10, { write: true }), '900');
  t.is(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('a read through DBM leaves AP[2]', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM);
  rig.ask(1, 0x10);
  t.not(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('a write through a cached clean leaf marks memory', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM);
  rig.ask(1, 0x10);
  t.is(rig.ask(1, 0x10, { write: true }), '900');
  t.is(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('a write through a cached clean leaf whose descriptor is gone faults, and nothing is stored', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM);
  rig.ask(1, 0x10);
  rig.clear(ref);
  t.is(rig.ask(1, 0x10, { write: true }), 'F_TRANSLATION');
  t.is(low(rig, ref), 0);
});

test('a write through a cached dirty leaf stores nothing', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM);
  rig.ask(1, 0x10, { write: true });
  rig.memory.commit(ref, low(rig, ref) | BIT_READ_ONLY, HI_DBM);
  t.is(rig.ask(1, 0x10, { write: true }), '900');
  t.not(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('APTable forbids the dirty state', (t) => {
  const { rig, ref, root } = updating(0, BIT_READ_ONLY, HI_DBM);
  rig.memory.commit(root * 512, low(rig, root * 512), (rig.memory.hi[root * 512] as number) + HI_APTABLE_READ_ONLY);
  t.is(rig.ask(1, 0x10, { write: true }), 'F_PERMISSION');
  t.not(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('without DBM there is no dirty state', (t) => {
  const { rig } = updating(0, BIT_READ_ONLY, 0);
  t.is(rig.ask(1, 0x10, { write: true }), 'F_PERMISSION');
});

test('stage 2: AF and S2AP[1] are set', (t) => {
  const { rig } = updating(0, 0, 0, true);
  const ref = rig.map2(0x900, 0x5000, BIT_S2AP_READ, HI_DBM);
  rig.ask(1, 0x10);
  t.is(low(rig, ref) & (BIT_AF | BIT_S2AP_WRITE), BIT_AF);
  t.is(rig.ask(1, 0x10, { write: true }), '5000');
  t.is(low(rig, ref) & (BIT_AF | BIT_S2AP_WRITE), BIT_AF | BIT_S2AP_WRITE);
});

/** The leaf's page is mapped by stage 2 with these attributes; returns that stage-2 reference. */
function guardTable(rig: WholeRig, ref: number, attributes: number, hi = 0): number {
  const frame = RAM_BASE + Math.floor(ref / 512);
  rig.memory.commit(rig.root2 * 512 + RAM_BASE / 2 ** 18, 0, 0);
  for (let i = 0; i < 32; i += 1) rig.map2(RAM_BASE + i, RAM_BASE + i);
  return rig.map2(frame, frame, attributes, hi);
}

test('nested: the update needs stage 2 to let the table be written', (t) => {
  const { rig, ref } = updating(BIT_AF, 0, 0, true);
  guardTable(rig, ref, BIT_AF | BIT_S2AP_READ);
  t.is(rig.ask(1, 0x10), `F_PERMISSION s2 class 1 ipa ${(RAM_BASE + Math.floor(ref / 512)).toString(16)}`);
  t.is(low(rig, ref) & BIT_AF, 0);
});

test('nested: the update marks the table\'s own page dirty', (t) => {
  const { rig, ref } = updating(BIT_AF, 0, 0, true);
  const guard = guardTable(rig, ref, BIT_AF | BIT_S2AP_READ, HI_DBM);
  t.is(rig.ask(1, 0x10), '5000');
  t.not(low(rig, ref) & BIT_AF, 0);
  t.not(low(rig, guard) & BIT_S2AP_WRITE, 0);
});

test('nested: a write that stage 2 denies leaves stage 1 clean', (t) => {
  const { rig, ref } = updating(0, BIT_READ_ONLY, HI_DBM, true);
  rig.map2(0x900, 0x5000, BIT_AF | BIT_S2AP_READ);
  t.is(rig.ask(1, 0x10, { write: true }), 'F_PERMISSION s2 class 2 ipa 900');
  t.not(low(rig, ref) & BIT_READ_ONLY, 0);
});

test('nested: an update through a stale table starts again from the root', (t) => {
  const { rig, ref, root } = updating(0, BIT_READ_ONLY, HI_DBM, true);
  rig.map2(0x901, 0x5001);
  const other = rig.map(root, 0x11, 0x901);
  rig.memory.commit(other, low(rig, other) & ~BIT_AF, 0);
  rig.ask(1, 0x10);
  // The level-3 table moves: its IPA goes to a copy in another page. The cached table of both stages still leads to the old one.
  const from = RAM_BASE + Math.floor(ref / 512);
  const copy = rig.page();
  for (let i = 0; i < 512; i += 1) rig.memory.commit(copy * 512 + i, low(rig, Math.floor(ref / 512) * 512 + i), rig.memory.hi[Math.floor(ref / 512) * 512 + i] as number);
  guardTable(rig, ref, BIT_AF | BIT_S2AP_READ | BIT_S2AP_WRITE);
  rig.map2(from, RAM_BASE + copy);
  rig.command({ op: OP.TLBI_S2_IPA, vmid: 6, frame: 0, tg: 1, num: 31, scale: 31 });
  t.is(rig.ask(1, 0x11), '5001');
  t.is(low(rig, other) & BIT_AF, 0);
  t.not(low(rig, copy * 512 + (other % 512)) & BIT_AF, 0);
});
