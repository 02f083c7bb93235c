/** The translation procedure, the registers, and what is refused as not modelled. */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { OP } from '../../../src/spec/command.js';
import { BIT_AF } from '../../../src/spec/descriptor.js';
import { REG } from '../../../src/spec/register.js';
import { CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { Unmodelled } from '../../../src/stack/violation.js';
import { ON, Rig } from './rig.js';

/** Stream 3, ASID 7, with an edited CD; returns the rig and the root's slot. */
function withCd(change: (words: Uint32Array) => void): { rig: Rig; root: number; cdSlot: number } {
  const rig = new Rig();
  const cdSlot = rig.page();
  const root = rig.page();
  rig.ste(3, cdSlot);
  rig.cd(cdSlot, 7, root, change);
  return { rig, root, cdSlot };
}

test('SMMUEN = 0: accesses pass untranslated', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 0);
  t.is(rig.read(3, 0x10), '0x10000');
});

test('SMMUEN = 0: accesses beyond the output size are aborted without a record', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 0);
  t.is(rig.read(3, 2 ** 32), 'abort');
});

test('caches survive SMMUEN going off and on', (t) => {
  const rig = new Rig();
  const ref = rig.map(rig.stream(3, 7), 0x10, 0x900);
  rig.read(3, 0x10);
  rig.clear(ref);
  rig.machine.writeRegister(REG.CR0, 0);
  rig.machine.writeRegister(REG.CR0, ON);
  t.is(rig.read(3, 0x10), '0x900000');
});

test('a bypassing STE passes accesses untranslated', (t) => {
  const rig = new Rig();
  rig.ste(3, 0, (words) => setField(words, STE.Config, CONFIG_BYPASS));
  t.is(rig.read(3, 0x10), '0x10000');
});

test('a four-level walk reaches its page', (t) => {
  const rig = new Rig();
  const frame = 2 ** 27 * 5 + 2 ** 18 * 4 + 2 ** 9 * 3 + 2;
  rig.map(rig.stream(3, 7), frame, 0xfffffffe);
  t.is(rig.read(3, frame), '0xfffffffe000');
});

test('a block of 1 GB translates, its low address bits read as zero', (t) => {
  const rig = new Rig();
  const root = rig.stream(3, 7);
  const ref = rig.map(root, 0, 2 ** 18 * 3, { level: 1 });
  rig.memory.commit(ref, (rig.memory.lo[ref] as number) + 0x3000, rig.memory.hi[ref] as number);
  t.is(rig.read(3, 0x12345), '0xd2345000');
});

test('39 input bits start at level 1', (t) => {
  const { rig, root } = withCd((words) => setField(words, CD.T0SZ, 25));
  rig.setTable(root * 512 + 511, rig.page());
  rig.memory.commit((root + 1) * 512 + 1, 0x800f41, 0); // a 2 MB block
  t.is(rig.read(3, 2 ** 27 - 2 ** 18 + 2 ** 9 + 7), '0x807000');
});

/** Stream 3 with a root of 32 entries (256 bytes) in the middle of a page; frame 2^27 is mapped to 0x900. */
function withSmallRoot(): Rig {
  const { rig, root, cdSlot } = withCd(() => undefined);
  rig.cd(cdSlot, 7, root, (words) => {
    setField(words, CD.T0SZ, 20);
    setField(words, CD.TTB0, (0x100000 + root) * 256 + 16 + 3); // 256 bytes in; lower bits read as zero
  });
  const tables = [rig.page(), rig.page(), rig.page()] as const;
  rig.setTable(root * 512 + 32 + 1, tables[0]);
  rig.setTable(tables[0] * 512, tables[1]);
  rig.setTable(tables[1] * 512, tables[2]);
  rig.memory.commit(tables[2] * 512, 0x900f43, 0);
  return rig;
}

test('a root smaller than a page is found at its place in the page', (t) => {
  t.is(withSmallRoot().read(3, 2 ** 27), '0x900000');
});

test('the place of a root in its page does not count for a walk from a cached pointer', (t) => {
  const rig = withSmallRoot();
  rig.read(3, 2 ** 27);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 2 ** 27, leaf: 1 });
  t.is(rig.read(3, 2 ** 27), '0x900000');
});

test('a block of 2 MB translates, its low address bits read as zero', (t) => {
  const rig = new Rig();
  const root = rig.stream(3, 7);
  const ref = rig.map(root, 0, 2 ** 9 * 3, { level: 2 });
  rig.memory.commit(ref, (rig.memory.lo[ref] as number) + 0x3000, rig.memory.hi[ref] as number);
  t.is(rig.read(3, 0x123), '0x723000');
});

test('a table outside of memory is an external abort', (t) => {
  const rig = new Rig();
  const root = rig.stream(3, 7);
  rig.memory.commit(root * 512, 0x5003, 0);
  t.is(rig.read(3, 0x10), 'F_WALK_EABT');
});

test('a CD outside of memory is an external abort and is not kept', (t) => {
  const rig = new Rig();
  rig.ste(3, 0, (words) => setField(words, STE.S1ContextPtr, 64));
  const answer = rig.read(3, 0x10);
  let kept = 0;
  rig.machine.forEachCd(() => { kept += 1; });
  t.deepEqual([answer, kept], ['F_CD_FETCH', 0]);
});

test('EPD0 forbids walks, whatever the tables say', (t) => {
  const { rig, root, cdSlot } = withCd(() => undefined);
  rig.map(root, 0x10, 0x900);
  rig.read(3, 0x11);
  rig.cd(cdSlot, 7, root, (words) => setField(words, CD.EPD0, 1));
  rig.command({ op: OP.CFGI_CD, sid: 3, leaf: 1 });
  t.is(rig.read(3, 0x10), 'F_TRANSLATION');
});

test('EPD0 allows TLB hits', (t) => {
  const { rig, root, cdSlot } = withCd(() => undefined);
  rig.map(root, 0x10, 0x900);
  rig.read(3, 0x10);
  rig.cd(cdSlot, 7, root, (words) => setField(words, CD.EPD0, 1));
  rig.command({ op: OP.CFGI_CD, sid: 3, leaf: 1 });
  t.is(rig.read(3, 0x10), '0x900000');
});

test('a leaf that denies the write is cached all the same', (t) => {
  const { rig, root } = withCd(() => undefined);
  const ref = rig.map(root, 0x10, 0x900, { writable: false });
  rig.write(3, 0x10);
  rig.clear(ref);
  t.is(rig.read(3, 0x10), '0x900000');
});

test('a cached read-only leaf denies writes after memory allows them', (t) => {
  const { rig, root } = withCd(() => undefined);
  rig.map(root, 0x10, 0x900, { writable: false });
  rig.read(3, 0x10);
  rig.map(root, 0x10, 0x900);
  t.is(rig.write(3, 0x10), 'F_PERMISSION');
});

test('a leaf with AF = 0 is not cached: once repaired it answers', (t) => {
  const { rig, root } = withCd(() => undefined);
  const ref = rig.map(root, 0x10, 0x900);
  rig.memory.commit(ref, (rig.memory.lo[ref] as number) - BIT_AF, 0);
  rig.read(3, 0x10);
  rig.memory.commit(ref, (rig.memory.lo[ref] as number) + BIT_AF, 0);
  t.is(rig.read(3, 0x10), '0x900000');
});

test('a leaf beyond the output size is not cached: once repaired it answers', (t) => {
  const { rig, root } = withCd((words) => setField(words, CD.IPS, 1));
  rig.map(root, 0x10, 2 ** 24);
  rig.read(3, 0x10);
  rig.map(root, 0x10, 2 ** 24 - 1);
  t.is(rig.read(3, 0x10), '0xffffff000');
});

test('flushCaches loses leaves, tables and structures', (t) => {
  const { rig, root } = withCd(() => undefined);
  rig.map(root, 0x10, 0x900);
  rig.read(3, 0x10);
  rig.machine.flushCaches();
  let left = 0;
  const count = (): void => { left += 1; };
  rig.machine.forEachLeaf(count);
  rig.machine.forEachTable(count);
  rig.machine.forEachSte(count);
  rig.machine.forEachCd(count);
  t.is(left, 0);
});

test('the listener hears of every insertion, in the order of the procedure', (t) => {
  const { rig, root } = withCd(() => undefined);
  const ref = rig.map(root, 0x10, 0x900);
  const heard: string[] = [];
  rig.machine.listener = {
    steInserted: (sid, words, base) => heard.push(`ste ${sid} ${words[base] === rig.memory.lo[24]}`),
    cdInserted: (sid, words, base) => heard.push(`cd ${sid} ${(words[base + 1] as number) >>> 16}`),
    tableInserted: (vmid, asid, frame, level) => heard.push(`table ${vmid} ${asid} ${frame} ${level}`),
    leafInserted: (vmid, asid, frame, level, lo) => heard.push(`leaf ${vmid} ${asid} ${frame} ${level} ${lo === rig.memory.lo[ref]}`),
  };
  rig.read(3, 0x10);
  t.deepEqual(heard, ['ste 3 true', 'cd 3 7', 'table 0 7 0 0', 'table 0 7 0 1', 'table 0 7 0 2', 'leaf 0 7 16 3 true']);
});

test('the counters tell accesses, hits, walks and commands', (t) => {
  const { rig, root } = withCd(() => undefined);
  rig.map(root, 0x10, 0x900);
  for (let i = 0; i < 3; i += 1) rig.read(3, 0x10);
  rig.command({ op: OP.SYNC });
  t.deepEqual(rig.machine.stats, { accesses: 3, tlbHits: 2, walks: 1, commands: 1 });
});

test('identification registers say what is modelled', (t) => {
  const rig = new Rig();
  t.deepEqual([REG.IDR0, REG.IDR1, REG.IDR3, REG.IDR5].map((offset) => rig.machine.readRegister(offset)),
    [0x0540101a, 0x02730006, 0x1404, 0x14]);
});

test('identification registers follow the configuration', (t) => {
  const rig = new Rig({ config: { range: false, asidBits: 8 } });
  t.deepEqual([rig.machine.readRegister(REG.IDR0), rig.machine.readRegister(REG.IDR3)], [0x0540001a, 0x1004]);
});

test('CR0ACK mirrors CR0', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 8);
  t.is(rig.machine.readRegister(REG.CR0ACK), 8);
});

test('the stream table cannot be moved while SMMUEN is 1', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.STRTAB_BASE, 0);
  t.is(rig.machine.readRegister(REG.STRTAB_BASE), 2 ** 32);
});

const refusals: readonly (readonly [string, () => void])[] = [
  ['WXN', () => withCd((words) => setField(words, CD.WXN, 1)).rig.read(3, 0x10)],
  ['UWXN', () => withCd((words) => setField(words, CD.UWXN, 1)).rig.read(3, 0x10)],
  ['PAN', () => withCd((words) => setField(words, CD.PAN, 1)).rig.read(3, 0x10)],
  ['E0PD0', () => withCd((words) => setField(words, CD.E0PD0, 1)).rig.read(3, 0x10)],
  ['E0PD1', () => withCd((words) => setField(words, CD.E0PD1, 1)).rig.read(3, 0x10)],
  ['an unknown register', () => new Rig().machine.readRegister(0x30)],
];

for (const [what, act] of refusals) {
  test(`not modelled: ${what}`, (t) => {
    t.throws(act, { instanceOf: Unmodelled });
  });
}

test('a granule that IDR5 does not show makes the CD illegal', (t) => {
  t.is(withCd((words) => setField(words, CD.TG0, 1)).rig.read(3, 0x10), 'C_BAD_CD');
});
