/** STEs and CDs answer from their snapshots until CFGI names them (IHI 0070 §4.3). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { OP, type Command } from '../../../src/spec/command.js';
import { CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { Rig } from './rig.js';

const bypass = (words: Uint32Array): void => setField(words, STE.Config, CONFIG_BYPASS);

/** Stream 5 cached as stage 1 (frame 0x10 → 0x900), its STE then rewritten to bypass; the answer after `command`. */
function afterSteChange(command: Partial<Command>): string {
  const rig = new Rig();
  rig.map(rig.stream(5, 7), 0x10, 0x900);
  rig.read(5, 0x10);
  rig.ste(5, 0, bypass);
  rig.command(command);
  return rig.read(5, 0x10);
}

/** Stream 5 cached with one CD, which then moves to another ASID and root (0x10 → 0xa00); the answer after `command`. */
function afterCdChange(command: Partial<Command>): string {
  const rig = new Rig();
  const cdSlot = rig.page();
  const [first, second] = [rig.page(), rig.page()];
  rig.ste(5, cdSlot);
  rig.cd(cdSlot, 7, first);
  rig.map(first, 0x10, 0x900);
  rig.map(second, 0x10, 0xa00);
  rig.read(5, 0x10);
  rig.cd(cdSlot, 8, second);
  rig.command(command);
  return rig.read(5, 0x10);
}

test('a cached STE answers after it was rewritten', (t) => {
  t.is(afterSteChange({ op: OP.SYNC }), '0x900000');
});

test('CFGI_STE drops the STE of its stream', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_STE, sid: 5, leaf: 1 }), '0x10000');
});

test('CFGI_STE keeps the STE of another stream', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_STE, sid: 4, leaf: 1 }), '0x900000');
});

test('CFGI_STE_RANGE drops the STEs of its aligned block', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_STE_RANGE, sid: 7, range: 1 }), '0x10000');
});

test('CFGI_STE_RANGE keeps the STEs outside its block', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_STE_RANGE, sid: 7, range: 0 }), '0x900000');
});

test('CFGI_ALL drops every STE', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_STE_RANGE, range: 31 }), '0x10000');
});

test('CFGI_CD keeps the STE', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_CD, sid: 5, leaf: 1 }), '0x900000');
});

test('CFGI_CD_ALL keeps the STE', (t) => {
  t.is(afterSteChange({ op: OP.CFGI_CD_ALL, sid: 5 }), '0x900000');
});

test('an invalid STE is cached, too', (t) => {
  const rig = new Rig();
  rig.read(5, 0x10);
  rig.ste(5, 0, bypass);
  t.is(rig.read(5, 0x10), 'C_BAD_STE');
});

test('a cached CD answers after it was rewritten', (t) => {
  t.is(afterCdChange({ op: OP.SYNC }), '0x900000');
});

test('CFGI_CD drops the CD of its stream', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_CD, sid: 5, leaf: 1 }), '0xa00000');
});

test('CFGI_CD keeps the CD of another stream', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_CD, sid: 4, leaf: 1 }), '0x900000');
});

test('CFGI_CD of a substream keeps the only CD', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_CD, sid: 5, ssid: 1, leaf: 1 }), '0x900000');
});

test('CFGI_CD_ALL drops the CD of its stream', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_CD_ALL, sid: 5 }), '0xa00000');
});

test('CFGI_STE drops the CD of its stream', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_STE, sid: 5, leaf: 1 }), '0xa00000');
});

test('CFGI_STE keeps the CD of another stream', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_STE, sid: 4, leaf: 1 }), '0x900000');
});

test('CFGI_STE_RANGE drops the CDs of its block', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_STE_RANGE, sid: 4, range: 0 }), '0xa00000');
});

test('CFGI_ALL drops every CD', (t) => {
  t.is(afterCdChange({ op: OP.CFGI_STE_RANGE, range: 31 }), '0xa00000');
});

test('TLBI keeps STE and CD', (t) => {
  t.is(afterCdChange({ op: OP.TLBI_NSNH_ALL }), '0x900000');
});

test('CFGI_ALL keeps the TLB', (t) => {
  const rig = new Rig();
  const ref = rig.map(rig.stream(5, 7), 0x10, 0x900);
  rig.read(5, 0x10);
  rig.clear(ref);
  rig.command({ op: OP.CFGI_STE_RANGE, range: 31 });
  t.is(rig.read(5, 0x10), '0x900000');
});

test('a CD shared by two streams is cached once for each', (t) => {
  const rig = new Rig();
  const cdSlot = rig.page();
  const root = rig.page();
  for (const sid of [5, 6]) rig.ste(sid, cdSlot);
  rig.cd(cdSlot, 7, root);
  rig.map(root, 0x10, 0x900);
  for (const sid of [5, 6]) rig.read(sid, 0x10);
  rig.clear(cdSlot * 512);
  rig.command({ op: OP.CFGI_CD, sid: 5, leaf: 1 });
  t.deepEqual([rig.read(5, 0x10), rig.read(6, 0x10)], ['C_BAD_CD', '0x900000']);
});

test('an STE that lost its place is read again, its CD is not', (t) => {
  const rig = new Rig();
  rig.map(rig.stream(5, 7), 0x10, 0x900);
  rig.read(5, 0x10);
  rig.read(21, 0x10); // shares the STE's place
  rig.ste(5, rig.page()); // to an invalid CD
  t.is(rig.read(5, 0x10), '0x900000');
});

test('snapshots are shown with their StreamID and words', (t) => {
  const rig = new Rig();
  rig.stream(5, 7);
  rig.read(5, 0x10);
  const seen: number[][] = [];
  rig.machine.forEachSte((sid, words, base) => seen.push([sid, words[base] as number]));
  rig.machine.forEachCd((sid, words, base) => seen.push([sid, (words[base + 1] as number) >>> 16]));
  t.deepEqual(seen, [[5, rig.memory.lo[40] as number], [5, 7]]);
});
