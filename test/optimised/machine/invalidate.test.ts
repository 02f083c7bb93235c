/** What each command removes, and what it must leave: one row for each command and kind of entry (IHI 0070 §4.3, §4.4; this machine is exact). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { OP, type Command } from '../../../src/spec/command.js';
import { BIT_NG } from '../../../src/spec/descriptor.js';
import { CR2_E2H, cr0Vmw } from '../../../src/spec/register.js';
import { STE } from '../../../src/spec/ste.js';
import type { CachedEntry } from '../../../src/stack/transaction.js';
import { WholeRig, type WholeOptions } from './whole-rig.js';

const PLAIN = 0x10;
const GLOBAL = 0x11;
const IPA = 0x900;

/** The kind of an entry in words; '' for what no row is about. */
function nameOf(e: CachedEntry): string {
  if (e.kind !== 'leaf' && e.kind !== 'table') return '';
  const where = e.world !== 0 ? 'el2' : e.stage === 1 ? 's1' : e.stage === 3 ? 'both' : 's2';
  if (e.kind === 'table') return `${where} table`;
  if (where === 's2') return e.frame === IPA || e.frame === IPA + 1 ? 's2' : 's2 ram';
  return e.frame === GLOBAL ? `${where} global` : where;
}

/** Streams 1 (stage 1, VMID 5), 2 (nested, VMID 6), 4 (EL2), all of ASID 7, each with a plain and a global page in its caches. */
function loaded(options: WholeOptions = {}): WholeRig {
  const rig = new WholeRig(options);
  const el2 = (words: Uint32Array): void => setField(words, STE.STRW, 2);
  const roots = [rig.stream(1, 7), rig.nested(2, 7, 6), rig.stream(4, 7)] as const;
  rig.restream(1, (words) => setField(words, STE.S2VMID, 5));
  rig.restream(4, el2);
  for (const root of roots) {
    rig.map(root, PLAIN, IPA);
    const ref = rig.map(root, GLOBAL, IPA + 1);
    rig.memory.commit(ref, (rig.memory.lo[ref] as number) - BIT_NG, 0);
  }
  rig.map2(IPA, 0x5000);
  rig.map2(IPA + 1, 0x5001);
  for (const sid of [1, 2, 4]) for (const frame of [PLAIN, GLOBAL]) rig.ask(sid, frame);
  return rig;
}

function names(rig: WholeRig): string[] {
  return [...new Set(rig.cached().map(nameOf).filter((n) => n !== ''))].sort();
}

const ALL = ['both', 'both global', 'both table', 'el2', 'el2 global', 'el2 table', 's1', 's1 global', 's1 table', 's2', 's2 ram', 's2 table'];
const S1 = ['s1', 's1 global', 's1 table'];
const BOTH = ['both', 'both global', 'both table'];
const S2 = ['s2', 's2 ram', 's2 table'];
const EL2 = ['el2', 'el2 global', 'el2 table'];

const at = (frame: number): Partial<Command> => ({ frame });
const leaf = { leaf: 1 };

const ROWS: readonly (readonly [string, Partial<Command>, readonly string[], WholeOptions?])[] = [
  ['SYNC', { op: OP.SYNC }, []],
  ['NH_ALL of the stage-1 VMID', { op: OP.TLBI_NH_ALL, vmid: 5 }, S1],
  ['NH_ALL of the nested VMID', { op: OP.TLBI_NH_ALL, vmid: 6 }, BOTH],
  ['NH_ALL of another VMID', { op: OP.TLBI_NH_ALL, vmid: 4 }, []],
  ['NH_ALL with a wildcard of two bits', { op: OP.TLBI_NH_ALL, vmid: 4 }, [...S1, ...BOTH], { cr0: cr0Vmw(2) }],
  ['NH_ALL with a wildcard of one bit', { op: OP.TLBI_NH_ALL, vmid: 4 }, S1, { cr0: cr0Vmw(1) }],
  ['NH_ASID', { op: OP.TLBI_NH_ASID, vmid: 5, asid: 7 }, ['s1', 's1 table']],
  ['NH_ASID of the nested VMID', { op: OP.TLBI_NH_ASID, vmid: 6, asid: 7 }, ['both', 'both table']],
  ['NH_ASID of another ASID', { op: OP.TLBI_NH_ASID, vmid: 5, asid: 8 }, []],
  ['NH_VA, last level', { op: OP.TLBI_NH_VA, vmid: 5, asid: 7, ...at(PLAIN), ...leaf }, ['s1']],
  ['NH_VA', { op: OP.TLBI_NH_VA, vmid: 5, asid: 7, ...at(PLAIN) }, ['s1', 's1 table']],
  ['NH_VA of another ASID', { op: OP.TLBI_NH_VA, vmid: 5, asid: 8, ...at(PLAIN) }, []],
  ['NH_VA of another ASID at a global page', { op: OP.TLBI_NH_VA, vmid: 5, asid: 8, ...at(GLOBAL) }, ['s1 global']],
  ['NH_VA, nested', { op: OP.TLBI_NH_VA, vmid: 6, asid: 7, ...at(PLAIN), ...leaf }, ['both']],
  ['NH_VA, nested, with tables', { op: OP.TLBI_NH_VA, vmid: 6, asid: 7, ...at(GLOBAL) }, ['both global', 'both table']],
  ['NH_VAA', { op: OP.TLBI_NH_VAA, vmid: 5, ...at(PLAIN) }, ['s1', 's1 table']],
  ['NH_VAA, nested, last level', { op: OP.TLBI_NH_VAA, vmid: 6, ...at(GLOBAL), ...leaf }, ['both global']],
  ['NH_VAA elsewhere', { op: OP.TLBI_NH_VAA, vmid: 5, ...at(2 ** 30) }, []],
  ['NH_VAA of 64 KB granules', { op: OP.TLBI_NH_VAA, vmid: 5, frame: 0, tg: 3, num: 31, scale: 1 }, []],
  ['NH_VAA, a range of both pages', { op: OP.TLBI_NH_VAA, vmid: 5, ...at(PLAIN), tg: 1, num: 1, ...leaf }, ['s1', 's1 global']],
  ['S2_IPA, last level', { op: OP.TLBI_S2_IPA, vmid: 6, ...at(IPA), tg: 1, num: 1, ...leaf }, ['s2']],
  ['S2_IPA, TTL of blocks', { op: OP.TLBI_S2_IPA, vmid: 6, ...at(0), tg: 1, ttl: 2, num: 31, scale: 31, ...leaf }, []],
  ['S2_IPA, TTL of 1 GB blocks', { op: OP.TLBI_S2_IPA, vmid: 6, ...at(0), tg: 1, ttl: 1, num: 31, scale: 31, ...leaf }, ['s2 ram']],
  ['S2_IPA of everything', { op: OP.TLBI_S2_IPA, vmid: 6, ...at(0), tg: 1, num: 31, scale: 31 }, S2],
  ['S2_IPA of another VMID', { op: OP.TLBI_S2_IPA, vmid: 5, ...at(0), tg: 1, num: 31, scale: 31 }, []],
  ['S12_VMALL of the stage-1 VMID', { op: OP.TLBI_S12_VMALL, vmid: 5 }, S1],
  ['S12_VMALL of the nested VMID', { op: OP.TLBI_S12_VMALL, vmid: 6 }, [...BOTH, ...S2]],
  ['NSNH_ALL', { op: OP.TLBI_NSNH_ALL }, [...S1, ...BOTH, ...S2]],
  ['EL2_ALL', { op: OP.TLBI_EL2_ALL }, EL2],
  ['EL2_VA, any ASID', { op: OP.TLBI_EL2_VA, asid: 99, ...at(PLAIN), ...leaf }, ['el2']],
  ['EL2_VA with tables', { op: OP.TLBI_EL2_VA, asid: 99, ...at(PLAIN) }, ['el2', 'el2 table']],
  ['EL2_VAA', { op: OP.TLBI_EL2_VAA, ...at(GLOBAL), ...leaf }, ['el2 global']],
  ['EL2_ASID without E2H', { op: OP.TLBI_EL2_ASID, asid: 7 }, []],
  ['EL2_ALL with E2H', { op: OP.TLBI_EL2_ALL }, EL2, { cr2: CR2_E2H }],
  ['EL2_ASID with E2H', { op: OP.TLBI_EL2_ASID, asid: 7 }, ['el2', 'el2 table'], { cr2: CR2_E2H }],
  ['EL2_ASID with E2H, another ASID', { op: OP.TLBI_EL2_ASID, asid: 8 }, [], { cr2: CR2_E2H }],
  ['EL2_VA with E2H', { op: OP.TLBI_EL2_VA, asid: 7, ...at(PLAIN), ...leaf }, ['el2'], { cr2: CR2_E2H }],
  ['EL2_VA with E2H, another ASID', { op: OP.TLBI_EL2_VA, asid: 8, ...at(PLAIN) }, [], { cr2: CR2_E2H }],
  ['EL2_VA with E2H, another ASID at a global page', { op: OP.TLBI_EL2_VA, asid: 8, ...at(GLOBAL) }, ['el2 global'], { cr2: CR2_E2H }],
  ['EL2_VAA with E2H', { op: OP.TLBI_EL2_VAA, ...at(PLAIN) }, ['el2', 'el2 table'], { cr2: CR2_E2H }],
  ['CFGI_ALL', { op: OP.CFGI_STE_RANGE, range: 31 }, []],
];

test('every kind of entry is there to begin with', (t) => {
  t.deepEqual(names(loaded()), ALL);
});

for (const [what, command, gone, options] of ROWS) {
  test(`${what} removes ${gone.length === 0 ? 'nothing' : gone.join(', ')}`, (t) => {
    const rig = loaded(options);
    rig.command(command);
    t.deepEqual(names(rig), ALL.filter((n) => !gone.includes(n)));
  });
}

test('a block of stage 1 in pieces of stage 2: one address of it removes them all', (t) => {
  const rig = new WholeRig();
  const root = rig.nested(2, 7, 6);
  rig.map(root, 0x400, 0x800, { level: 2 });
  for (let i = 0; i < 3; i += 1) {
    rig.map2(0x800 + i * 100, 0x5000 + i);
    rig.ask(2, 0x400 + i * 100);
  }
  const pieces = (): number => rig.cached().filter((e) => e.kind === 'leaf' && e.stage === 3).length;
  t.is(pieces(), 3);
  rig.command({ op: OP.TLBI_NH_VA, vmid: 6, asid: 7, frame: 0x5ff, leaf: 1 });
  t.is(pieces(), 0);
});

/** A contiguous run of 16 pages at 0x20, merged or apart; how many of its entries `command` leaves. */
function runAfter(command: Partial<Command>, mergeRuns: boolean, wholeRunOnly = false): number {
  const rig = new WholeRig({ machine: { mergeRuns }, features: { wholeRunOnly } });
  const root = rig.stream(1, 7);
  for (let i = 0; i < 16; i += 1) {
    const ref = rig.map(root, 0x20 + i, 0x900 + 16 * 7 + i);
    rig.memory.commit(ref, rig.memory.lo[ref] as number, 1 << 20);
  }
  rig.ask(1, 0x20);
  rig.ask(1, 0x25);
  rig.command({ vmid: 0, asid: 7, leaf: 1, ...command });
  return rig.cached().filter((e) => e.kind === 'leaf').length;
}

test('a run is one entry when runs are merged', (t) => {
  t.is(runAfter({ op: OP.SYNC }, true), 1);
});

test('a run is as many entries as were used when it is not merged', (t) => {
  t.is(runAfter({ op: OP.SYNC }, false), 2);
});

test('an address of a merged run removes it', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x2f }, true), 0);
});

test('an address of a run apart removes that entry', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x25 }, false), 1);
});

test('a range that meets a merged run removes it', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x2e, tg: 1, num: 3, scale: 0 }, true), 0);
});

test('erratum: a range within a merged run leaves it', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x20, tg: 1, num: 14, scale: 0 }, true, true), 1);
});

test('erratum: a range over all of a merged run removes it', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x20, tg: 1, num: 15, scale: 0 }, true, true), 0);
});

test('erratum: an address without range removes a merged run', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_VA, frame: 0x23 }, true, true), 0);
});

test('erratum: the ASID removes a merged run', (t) => {
  t.is(runAfter({ op: OP.TLBI_NH_ASID }, true, true), 0);
});

test('a run with one member that differs is not merged', (t) => {
  const rig = new WholeRig({ machine: { mergeRuns: true } });
  const root = rig.stream(1, 7);
  for (let i = 0; i < 16; i += 1) {
    const ref = rig.map(root, 0x20 + i, 0x970 + i, { writable: i !== 9 });
    rig.memory.commit(ref, rig.memory.lo[ref] as number, 1 << 20);
  }
  rig.ask(1, 0x20);
  t.deepEqual(rig.cached().filter((e) => e.kind === 'leaf').map((e) => e.frames), [1]);
});
