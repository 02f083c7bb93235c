/** Faults of both stages as answers and as records: stage, CLASS, IPA, what is recorded and what is not (IHI 0070 §5.5, §7.3). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { BIT_AF, BIT_READ_ONLY, BIT_S2AP_READ, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED, HI_APTABLE_READ_ONLY, HI_PXN, HI_UXN } from '../../../src/spec/descriptor.js';
import { GBPA_ABORT, GBPA_UPDATE, REG } from '../../../src/spec/register.js';
import { CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { RAM_BASE } from '../../../src/memory/memory.js';
import type { Transaction } from '../../../src/stack/transaction.js';
import { WholeRig } from './whole-rig.js';

const CD_SLOT = 7;

/** Stream 2, nested: CD in slot 7 and root in slot 8; frame 0x10 goes to IPA 0x900. */
function nested(change: (ste: Uint32Array) => void = () => undefined): { rig: WholeRig; root: number; leaf: number } {
  const rig = new WholeRig();
  const root = rig.nested(2, 7, 6, change);
  return { rig, root, leaf: rig.map(root, 0x10, 0x900) };
}

/** Moves the page of a slot of RAM out of stage 2's 1 GB block: unmapped, or with these attributes. */
function splitRam(rig: WholeRig, slot: number, attributes: number | null): void {
  const frame = RAM_BASE + slot;
  rig.memory.commit(rig.root2 * 512 + RAM_BASE / 2 ** 18, 0, 0);
  for (let i = 0; i < 32; i += 1) rig.map2(RAM_BASE + i, RAM_BASE + i);
  if (attributes === null) rig.clear(rig.descriptor2(frame, 3));
  else rig.map2(frame, frame, attributes);
}

const ram = (slot: number): string => (RAM_BASE + slot).toString(16);

test('an output that stage 2 does not map', (t) => {
  const { rig } = nested();
  t.is(rig.ask(2, 0x10), 'F_TRANSLATION s2 class 2 ipa 900');
  t.deepEqual(rig.records(), ['F_TRANSLATION sid 2 read 0x10000 stage 2 of the input ipa 0x900000']);
});

test('an output beyond the input range of stage 2', (t) => {
  const { rig, root } = nested();
  rig.map(root, 0x20, 2 ** 27);
  t.is(rig.ask(2, 0x20), 'F_TRANSLATION s2 class 2 ipa 8000000');
});

test('a CD that stage 2 does not map', (t) => {
  const { rig } = nested();
  splitRam(rig, CD_SLOT, null);
  t.is(rig.ask(2, 0x10, { write: true }), `F_TRANSLATION s2 class 0 ipa ${ram(CD_SLOT)}`);
  t.deepEqual(rig.records(), [`F_TRANSLATION sid 2 write 0x10000 stage 2 while it fetched a CD ipa 0x${ram(CD_SLOT)}000`]);
});

test('a stage-1 table that stage 2 does not map', (t) => {
  const { rig } = nested();
  splitRam(rig, CD_SLOT + 1, null);
  t.is(rig.ask(2, 0x10), `F_TRANSLATION s2 class 1 ipa ${ram(CD_SLOT + 1)}`);
});

test('a stage-1 table that stage 2 does not let read', (t) => {
  const { rig } = nested();
  splitRam(rig, CD_SLOT + 1, BIT_AF);
  t.is(rig.ask(2, 0x10), `F_PERMISSION s2 class 1 ipa ${ram(CD_SLOT + 1)}`);
});

test('a stage-1 table that is not in memory', (t) => {
  const { rig, root } = nested();
  rig.map2(0x700, 0x700);
  rig.memory.commit(root * 512, (0x700 * 4096) + 3, 0);
  t.is(rig.ask(2, 0x10), 'F_WALK_EABT class 1');
  t.deepEqual(rig.records(), ['F_WALK_EABT sid 2 read 0x10000 fetching 0x700000']);
});

test('a stage-2 table that is not in memory', (t) => {
  const { rig } = nested();
  rig.memory.commit(rig.root2 * 512, 0x700003, 0);
  t.is(rig.ask(2, 0x10), 'F_WALK_EABT s2 class 2 ipa 0');
});

test('a CD that is not in memory', (t) => {
  const rig = new WholeRig();
  rig.ste(1, 0, (words) => setField(words, STE.S1ContextPtr, 0x700 * 64));
  t.is(rig.ask(1, 0x10), 'F_CD_FETCH');
  t.deepEqual(rig.records(), ['F_CD_FETCH sid 1 fetching 0x700000']);
});

test('a write that stage 2 denies', (t) => {
  const { rig } = nested();
  rig.map2(0x900, 0x5000, BIT_AF | BIT_S2AP_READ);
  t.is(rig.ask(2, 0x10, { write: true }), 'F_PERMISSION s2 class 2 ipa 900');
});

test('a write that a cached entry of both stages denies says which stage', (t) => {
  const { rig, leaf } = nested();
  rig.map2(0x900, 0x5000, BIT_AF | BIT_S2AP_READ);
  rig.ask(2, 0x10);
  rig.clear(leaf);
  t.is(rig.ask(2, 0x10, { write: true }), 'F_PERMISSION s2 class 2 ipa 900');
});

test('stage 1 denies before stage 2 does', (t) => {
  const { rig, root } = nested();
  rig.map(root, 0x10, 0x900, { writable: false });
  rig.map2(0x900, 0x5000, BIT_AF | BIT_S2AP_READ);
  t.is(rig.ask(2, 0x10, { write: true }), 'F_PERMISSION');
  rig.ask(2, 0x10);
  t.is(rig.ask(2, 0x10, { write: true }), 'F_PERMISSION');
});

test('stage-2 leaves with AF = 0', (t) => {
  const { rig } = nested();
  rig.map2(0x900, 0x5000, BIT_S2AP_READ);
  t.is(rig.ask(2, 0x10), 'F_ACCESS s2 class 2 ipa 900');
});

test('an output of stage 2 beyond S2PS', (t) => {
  const { rig } = nested((words) => setField(words, STE.S2PS, 1));
  rig.map2(0x900, 2 ** 24);
  t.is(rig.ask(2, 0x10), 'F_ADDR_SIZE s2 class 2 ipa 900');
});

test('S2R = 0: stage-2 faults of every class leave no record', (t) => {
  for (const slot of [CD_SLOT, CD_SLOT + 1, 60]) {
    const { rig } = nested((words) => setField(words, STE.S2R, 0));
    splitRam(rig, slot, null);
    t.deepEqual([rig.ask(2, 0x10), rig.records().length], ['abort', 0]);
  }
});

test('CD.R = 0: stage-2 faults are recorded all the same', (t) => {
  const rig = new WholeRig();
  const cdSlot = rig.page();
  const root = rig.page();
  rig.ste(2, cdSlot, (words) => { rig.second(words, 6); });
  rig.cd(cdSlot, 7, root, (words) => setField(words, CD.R, 0));
  rig.map(root, 0x10, 0x900);
  t.deepEqual([rig.ask(2, 0x10), rig.ask(2, 0x11)], ['F_TRANSLATION s2 class 2 ipa 900', 'abort']);
});

test('stage 2 alone', (t) => {
  const rig = new WholeRig();
  rig.stage2Only(3, 6);
  rig.map2(0x900, 0x5000);
  t.deepEqual([rig.ask(3, 0x900), rig.ask(3, 0x901), rig.ask(3, 2 ** 36), rig.ask(3, 0x900, { ssid: 0 })],
    ['5000', 'F_TRANSLATION s2 class 2 ipa 901', 'F_ADDR_SIZE', 'C_BAD_SUBSTREAMID']);
});

test('a cached translation of both stages outlives both descriptors', (t) => {
  const { rig, leaf } = nested();
  const ref = rig.map2(0x900, 0x5000);
  rig.ask(2, 0x10);
  rig.clear(leaf);
  rig.clear(ref);
  t.is(rig.ask(2, 0x10), '5000');
});

test('a cached table of both stages outlives the stage-2 descriptor of its page', (t) => {
  const { rig, root } = nested();
  rig.map2(0x900, 0x5000);
  rig.map2(0x901, 0x5001);
  rig.map(root, 0x11, 0x901);
  rig.ask(2, 0x10);
  rig.memory.commit(rig.root2 * 512 + RAM_BASE / 2 ** 18, 0, 0);
  t.is(rig.ask(2, 0x11), '5001');
});

test('what goes wrong names SubstreamID, privilege and instruction', (t) => {
  const rig = new WholeRig();
  rig.ste(1, 0, (words) => setField(words, STE.Config, CONFIG_BYPASS));
  rig.ask(1, 0x10, { ssid: 3 });
  rig.stream(3, 7);
  rig.ask(3, 0x10, { privileged: true, instruction: true });
  t.deepEqual(rig.records(), ['C_BAD_SUBSTREAMID sid 1 ssid 3', 'F_TRANSLATION sid 3 fetch 0x10000']);
});

test('GBPA.ABORT: without SMMUEN nothing passes', (t) => {
  const rig = new WholeRig();
  rig.machine.writeRegister(REG.CR0, 0);
  t.is(rig.ask(1, 0x10), '10');
  rig.machine.writeRegister(REG.GBPA, GBPA_UPDATE + GBPA_ABORT);
  t.is(rig.ask(1, 0x10), 'abort');
});

interface Rights {
  /** Bits taken from and put into the leaf, and bits of the level-2 table descriptor. */
  readonly off?: number;
  readonly on?: number;
  readonly hi?: number;
  readonly table?: number;
  readonly el2?: boolean;
  readonly stream?: (ste: Uint32Array) => void;
}

const USER_READ: Partial<Transaction> = {};
const rows: readonly (readonly [string, Rights, Partial<Transaction>, boolean])[] = [
  ['an unprivileged read of an unprivileged page', {}, USER_READ, true],
  ['an unprivileged read of a privileged page', { off: BIT_UNPRIVILEGED }, USER_READ, false],
  ['a privileged read of a privileged page', { off: BIT_UNPRIVILEGED }, { privileged: true }, true],
  ['an unprivileged access in EL2', { off: BIT_UNPRIVILEGED, el2: true }, USER_READ, true],
  ['a write to a read-only page', { on: BIT_READ_ONLY }, { write: true }, false],
  ['a fetch where UXN is set', { hi: HI_UXN }, { instruction: true }, false],
  ['a privileged fetch where UXN is set', { hi: HI_UXN }, { instruction: true, privileged: true }, true],
  ['a privileged fetch where PXN is set', { hi: HI_PXN }, { instruction: true, privileged: true }, false],
  ['a privileged fetch where XN is set in EL2', { hi: HI_UXN, el2: true }, { instruction: true, privileged: true }, false],
  ['a privileged fetch where bit 53 is set in EL2', { hi: HI_PXN, el2: true }, { instruction: true, privileged: true }, true],
  ['a write below a read-only table', { table: HI_APTABLE_READ_ONLY }, { write: true }, false],
  ['a read below a read-only table', { table: HI_APTABLE_READ_ONLY }, USER_READ, true],
  ['an unprivileged read below a privileged table', { table: HI_APTABLE_PRIVILEGED }, USER_READ, false],
  ['PRIVCFG = unprivileged', { off: BIT_UNPRIVILEGED, stream: (w) => setField(w, STE.PRIVCFG, 2) }, { privileged: true }, false],
  ['PRIVCFG = privileged', { off: BIT_UNPRIVILEGED, stream: (w) => setField(w, STE.PRIVCFG, 3) }, USER_READ, true],
  ['INSTCFG = data', { hi: HI_UXN, stream: (w) => setField(w, STE.INSTCFG, 2) }, { instruction: true }, true],
  ['INSTCFG = instruction', { hi: HI_UXN, stream: (w) => setField(w, STE.INSTCFG, 3) }, USER_READ, false],
  ['INSTCFG = instruction, a write', { hi: HI_UXN, stream: (w) => setField(w, STE.INSTCFG, 3) }, { write: true }, true],
];

for (const [what, rights, access, allowed] of rows) {
  test(`permission: ${what} ${allowed ? 'passes' : 'is denied'}, cold and warm`, (t) => {
    const rig = new WholeRig();
    const root = rig.stream(1, 7);
    rig.restream(1, (words) => {
      if (rights.el2 === true) setField(words, STE.STRW, 2);
      rights.stream?.(words);
    });
    const ref = rig.map(root, 0x10, 0x900);
    rig.memory.commit(ref, ((rig.memory.lo[ref] as number) & ~(rights.off ?? 0) | (rights.on ?? 0)) >>> 0, rights.hi ?? 0);
    const table = rig.descriptor(root, 0x10, 2);
    rig.memory.commit(table, rig.memory.lo[table] as number, (rig.memory.hi[table] as number) + (rights.table ?? 0));
    const expected = allowed ? '900' : 'F_PERMISSION';
    t.deepEqual([rig.ask(1, 0x10, access), rig.ask(1, 0x10, access)], [expected, expected]);
    rig.map(root, 0x11, 0x901);
    rig.memory.commit(ref + 1, ((rig.memory.lo[ref + 1] as number) & ~(rights.off ?? 0) | (rights.on ?? 0)) >>> 0, rights.hi ?? 0);
    t.is(rig.ask(1, 0x11, access), allowed ? '901' : 'F_PERMISSION', 'from the walk cache');
  });
}
