/** Stream tables and CD tables of one and two levels, substreams and S1DSS, StreamWorlds and halves (IHI 0070 §3.3, §3.9, §5.1–5.4). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { OP, type Command } from '../../../src/spec/command.js';
import { CR2_E2H, strtabTwoLevel } from '../../../src/spec/register.js';
import { l1cdLow, l1stdLow } from '../../../src/spec/level1.js';
import { CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { WholeRig } from './whole-rig.js';

const bytes = (slot: number): number => (RAM_BASE + slot) * 4096;

/** Two levels, split 6, 256 streams; the L1STD of streams 64..127 has `span`; STE 65 passes, STE 66 is invalid. */
function twoLevel(span: number): { rig: WholeRig; level1: number; level2: number } {
  const rig = new WholeRig({ strtab: strtabTwoLevel(8, 6) });
  const level2 = rig.page();
  rig.memory.commit(1, l1stdLow(bytes(level2), span), 1);
  const words = new Uint32Array(16);
  setField(words, STE.V, 1);
  setField(words, STE.Config, CONFIG_BYPASS);
  rig.structure(level2 * 512 + 8, words);
  return { rig, level1: 1, level2 };
}

test('two-level stream table: an STE behind its L1STD', (t) => {
  const { rig } = twoLevel(7);
  t.deepEqual([rig.ask(65, 0x10), rig.ask(66, 0x10)], ['10', 'C_BAD_STE']);
});

test('two-level stream table: what the L1STD does not serve is C_BAD_STREAMID', (t) => {
  t.deepEqual([2, 1, 0, 8, 12].map((span) => twoLevel(span).rig.ask(65, 0x10)), ['10', 'C_BAD_STREAMID', 'C_BAD_STREAMID', 'C_BAD_STREAMID', 'C_BAD_STREAMID']);
});

test('two-level stream table: beyond LOG2SIZE, and an L1STD outside of memory', (t) => {
  const { rig } = twoLevel(7);
  rig.memory.commit(2, l1stdLow(0x700000, 7), 0);
  t.deepEqual([rig.ask(256, 0x10), rig.ask(128, 0x10)], ['C_BAD_STREAMID', 'F_STE_FETCH']);
  t.deepEqual(rig.records(), ['C_BAD_STREAMID sid 256', 'F_STE_FETCH sid 128 fetching 0x700000']);
});

/** An L1STD cached as invalid, then made valid; the answer after `command`. */
function afterLevel1(command: Partial<Command>): string {
  const { rig } = twoLevel(7);
  const [lo, hi] = [rig.memory.lo[1] as number, rig.memory.hi[1] as number];
  rig.clear(1);
  rig.ask(65, 0x10);
  rig.memory.commit(1, lo, hi);
  rig.command(command);
  return rig.ask(65, 0x10);
}

test('an invalid L1STD is cached, too', (t) => {
  t.is(afterLevel1({ op: OP.SYNC }), 'C_BAD_STREAMID');
});

test('CFGI_STE removes the L1STD with Leaf = 0 only', (t) => {
  t.is(afterLevel1({ op: OP.CFGI_STE, sid: 65, leaf: 1 }), 'C_BAD_STREAMID');
  t.is(afterLevel1({ op: OP.CFGI_STE, sid: 65 }), '10');
  t.is(afterLevel1({ op: OP.CFGI_STE, sid: 129 }), 'C_BAD_STREAMID');
});

test('CFGI_STE_RANGE and CFGI_ALL remove the L1STD', (t) => {
  t.is(afterLevel1({ op: OP.CFGI_STE_RANGE, sid: 64, range: 0 }), '10');
  t.is(afterLevel1({ op: OP.CFGI_STE_RANGE, range: 31 }), '10');
});

/** Stream 1 with substreams: `format` of the CD table, S1DSS; CDs of substreams 0 and 3 (and 70) map 0x10 to 0x900 + index. */
function substreams(format: 0 | 1 | 2, dss: number, max = 7): { rig: WholeRig; table: number; level2: number; cds: Map<number, number> } {
  const rig = new WholeRig();
  while (rig.page() % 16 !== 15);
  const table = rig.page(); // aligned to its size, as the level-2 table of 64 KB is
  for (let i = 0; i < 15; i += 1) rig.page();
  const level2 = rig.page();
  for (let i = 0; i < 15; i += 1) rig.page();
  rig.ste(1, table, (words) => {
    setField(words, STE.S1CDMax, max);
    setField(words, STE.S1Fmt, format);
    setField(words, STE.S1DSS, dss);
  });
  if (format !== 0) rig.memory.commit(table * 512, l1cdLow(bytes(level2)), 1);
  const cds = new Map<number, number>();
  for (const ssid of [0, 3]) {
    const root = rig.page();
    const scratch = rig.page();
    rig.cd(scratch, 7 + ssid, root);
    const to = (format === 0 ? table : level2) * 512 + ssid * 8;
    for (let i = 0; i < 8; i += 1) rig.memory.commit(to + i, rig.memory.lo[scratch * 512 + i] as number, rig.memory.hi[scratch * 512 + i] as number);
    rig.map(root, 0x10, 0x900 + ssid);
    cds.set(ssid, to);
  }
  return { rig, table, level2, cds };
}

for (const format of [0, 1, 2] as const) {
  test(`CD table of format ${format}: SubstreamIDs choose their CD`, (t) => {
    const { rig } = substreams(format, 0);
    t.deepEqual([0, 3, 4, 128].map((ssid) => rig.ask(1, 0x10, { ssid })), ['900', '903', 'C_BAD_CD', 'C_BAD_SUBSTREAMID']);
  });
}

test('an invalid L1CD is C_BAD_SUBSTREAMID', (t) => {
  t.is(substreams(1, 0).rig.ask(1, 0x10, { ssid: 70 }), 'C_BAD_SUBSTREAMID');
});

test('S1DSS: traffic without SubstreamID is disabled, bypasses stage 1, or uses CD 0', (t) => {
  t.deepEqual([0, 1, 2, 3].map((dss) => substreams(0, dss).rig.ask(1, 0x10)), ['F_STREAM_DISABLED', '10', '900', 'F_STREAM_DISABLED']);
});

test('S1DSS = 2: SubstreamID 0 is disabled', (t) => {
  t.is(substreams(0, 2).rig.ask(1, 0x10, { ssid: 0 }), 'F_STREAM_DISABLED');
});

test('S1DSS = 1, nested: stage 2 remains', (t) => {
  const rig = new WholeRig();
  rig.nested(2, 7, 6, (words) => {
    setField(words, STE.S1CDMax, 1);
    setField(words, STE.S1DSS, 1);
  });
  rig.map2(0x10, 0x5000);
  t.deepEqual([rig.ask(2, 0x10), rig.ask(2, 0x11)], ['5000', 'F_TRANSLATION s2 class 2 ipa 11']);
});

test('a SubstreamID without substreams', (t) => {
  const rig = new WholeRig();
  rig.stream(1, 7);
  t.is(rig.ask(1, 0x10, { ssid: 0 }), 'C_BAD_SUBSTREAMID');
});

/** Substream 3 cached, its CD and L1CD then cleared; the answers of 3 and 0 after `command`. */
function afterCdGone(command: Partial<Command>, gone: 'cd' | 'l1cd'): string[] {
  const { rig, cds, table } = substreams(1, 0);
  rig.ask(1, 0x10, { ssid: 3 });
  rig.ask(1, 0x10, { ssid: 0 });
  rig.clear(gone === 'cd' ? cds.get(3) as number : table * 512);
  rig.command(command);
  return [rig.ask(1, 0x10, { ssid: 3 }), rig.ask(1, 0x10, { ssid: 0 })];
}

test('CFGI_CD names one index; the L1CD goes with Leaf = 0 only', (t) => {
  t.deepEqual(afterCdGone({ op: OP.CFGI_CD, sid: 1, ssid: 0 }, 'cd'), ['903', '900']);
  t.deepEqual(afterCdGone({ op: OP.CFGI_CD, sid: 1, ssid: 3, leaf: 1 }, 'cd'), ['C_BAD_CD', '900']);
  t.deepEqual(afterCdGone({ op: OP.CFGI_CD, sid: 1, ssid: 3, leaf: 1 }, 'l1cd'), ['903', '900']);
  t.deepEqual(afterCdGone({ op: OP.CFGI_CD, sid: 1, ssid: 3 }, 'l1cd'), ['C_BAD_SUBSTREAMID', '900']);
});

test('CFGI_CD_ALL and CFGI_STE remove CDs and L1CDs', (t) => {
  for (const command of [{ op: OP.CFGI_CD_ALL, sid: 1 }, { op: OP.CFGI_STE, sid: 1, leaf: 1 }, { op: OP.CFGI_STE_RANGE, sid: 0, range: 0 }]) {
    t.deepEqual(afterCdGone(command, 'l1cd'), ['C_BAD_SUBSTREAMID', 'C_BAD_SUBSTREAMID']);
  }
});

/** Stream 1 with both halves: TTB0 maps 0x10 to 0x900, TTB1 maps the 16th page of its half to 0xa00. */
function halves(change: (cd: Uint32Array) => void = () => undefined): WholeRig {
  const rig = new WholeRig();
  const [cdSlot, lower, upper] = [rig.page(), rig.page(), rig.page()] as const;
  rig.ste(1, cdSlot);
  rig.cd(cdSlot, 7, lower, (words) => {
    setField(words, CD.EPD1, 0);
    setField(words, CD.TG1, 2);
    setField(words, CD.T1SZ, 16);
    setField(words, CD.TTB1, (RAM_BASE + upper) * 256);
    change(words);
  });
  rig.map(lower, 0x10, 0x900);
  rig.map(upper, 0x10, 0xa00);
  return rig;
}

const TOP = 2 ** 52 - 2 ** 36;

test('VA[55] chooses the half; between the halves nothing translates', (t) => {
  const rig = halves();
  t.deepEqual([0x10, TOP + 0x10, 2 ** 36 + 0x10, TOP - 1, 2 ** 44 + 0x10].map((frame) => rig.ask(1, frame)), ['900', 'a00', 'F_TRANSLATION', 'F_TRANSLATION', 'F_TRANSLATION']);
});

test('TBI ignores the top byte, for each half by itself', (t) => {
  const lower = halves((words) => setField(words, CD.TBI0, 1));
  t.deepEqual([2 ** 44 * 0x5a + 0x10, TOP + 0x10, TOP + 0x10 - 2 ** 44].map((frame) => lower.ask(1, frame)), ['900', 'a00', 'F_TRANSLATION']);
  const upper = halves((words) => setField(words, CD.TBI1, 1));
  t.deepEqual([2 ** 44 * 0x5a + 0x10, TOP + 0x10 - 2 ** 44 * 0x5a].map((frame) => upper.ask(1, frame)), ['F_TRANSLATION', 'a00']);
});

test('a tagged address is cached and recorded with what it stands for', (t) => {
  const rig = halves((words) => setField(words, CD.TBI0, 1));
  rig.ask(1, 2 ** 44 * 0x5a + 0x10);
  t.deepEqual(rig.cached().filter((e) => e.kind === 'leaf').map((e) => e.frame), [0x10]);
  rig.ask(1, 2 ** 44 * 0x5a + 0x11);
  t.deepEqual(rig.records(), ['F_TRANSLATION sid 1 read 0x5a00000000011000']);
});

test('EPD1 disables the upper half only', (t) => {
  const rig = halves((words) => setField(words, CD.EPD1, 1));
  t.deepEqual([rig.ask(1, 0x10), rig.ask(1, TOP + 0x10)], ['900', 'F_TRANSLATION']);
});

test('EL2 has one half, whatever VA[55] says', (t) => {
  const rig = halves();
  rig.restream(1, (words) => setField(words, STE.STRW, 2));
  t.deepEqual([rig.ask(1, 0x10), rig.ask(1, TOP + 0x10)], ['900', 'F_TRANSLATION']);
});

test('EL2 with E2H has two', (t) => {
  const rig = new WholeRig({ cr2: CR2_E2H });
  const [cdSlot, lower, upper] = [rig.page(), rig.page(), rig.page()] as const;
  rig.ste(1, cdSlot, (words) => setField(words, STE.STRW, 2));
  rig.cd(cdSlot, 7, lower, (words) => {
    for (const [f, v] of [[CD.EPD1, 0], [CD.TG1, 2], [CD.T1SZ, 16], [CD.TTB1, (RAM_BASE + upper) * 256]] as const) setField(words, f, v);
  });
  rig.map(upper, 0x10, 0xa00);
  t.is(rig.ask(1, TOP + 0x10), 'a00');
});

test('entries of one StreamWorld, VMID or ASID never answer for another', (t) => {
  const rig = new WholeRig();
  const roots = [rig.stream(1, 7), rig.stream(2, 8), rig.stream(3, 7), rig.stream(4, 7)] as const;
  rig.restream(3, (words) => setField(words, STE.S2VMID, 5));
  rig.restream(4, (words) => setField(words, STE.STRW, 2));
  roots.forEach((root, i) => rig.map(root, 0x10, 0x900 + i));
  const all = (): string[] => [1, 2, 3, 4].map((sid) => rig.ask(sid, 0x10));
  t.deepEqual([all(), all()], [['900', '901', '902', '903'], ['900', '901', '902', '903']]);
});

test('a CD is judged again when its STE has changed', (t) => {
  const rig = new WholeRig();
  const root = rig.stream(1, 7);
  rig.map(root, 0x10, 0x900);
  rig.ask(1, 0x10);
  rig.restream(1, (words) => setField(words, STE.S2VMID, 5));
  rig.ask(17, 0x10); // takes the place of the STE, not of the CD
  t.is(rig.ask(1, 0x10), '900');
  t.deepEqual(rig.cached().filter((e) => e.kind === 'leaf').map((e) => e.vmid).sort(), [0, 5]);
});
