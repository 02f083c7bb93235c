/**
 * Configuration caches (IHI 0070 §3.21.3, §4.3, §5.1–§5.4, §6.3.9.6): torn structures, invalid ones that are cached, level-1 descriptors and Leaf,
 * shared and nested CD tables, SMMUEN, and the state at reset. And what the machine says it holds and points to.
 */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { OP } from '../../../src/spec/command.js';
import { BIT_READ_ONLY, HI_CONTIGUOUS } from '../../../src/spec/descriptor.js';
import { CR0_CMDQEN, REG, strtabLinear } from '../../../src/spec/register.js';
import { CONFIG_S1 } from '../../../src/spec/ste.js';
import { newCachedEntry, type CachedEntry } from '../../../src/stack/transaction.js';
import {
  ABORT, ASID, BYPASS, cd, CD_SLOT, CFGI_ALL, cfgiCd, cfgiSte, cmd, connected, EL2_ALL, guarded, L2, L3, L32, leaf, leaf2, nestedRig, nhAll, nhAsid, nhVa, NSNH_ALL, RAM_ENTRY, Rig, ROOT, ROOT2, s12, s2Ipa, SPARE, stage1, stage2, ste, STREAM_SLOT, tables1, VMID,
} from './rig.js';

const FAULT = 'F_TRANSLATION';
const NO_WORDS = new Uint32Array(16);

test('an invalid STE is cached: making it valid needs CFGI_STE', (t) => {
  const rig = connected();
  rig.ste(1, new Uint32Array(16));
  rig.batch(cfgiSte(1));
  t.deepEqual(rig.at(5, 1), ['C_BAD_STE']);
  rig.word(STREAM_SLOT * 512 + 8, BYPASS, 0);
  t.deepEqual(rig.at(5, 1), ['C_BAD_STE', 'ok 5']);
  rig.batch(cfgiSte(2));
  t.deepEqual(rig.at(5, 1), ['C_BAD_STE', 'ok 5']);
  rig.batch(cfgiSte(1));
  t.deepEqual(rig.at(5, 1), ['ok 5']);
});

test('an invalid CD is cached: making it valid needs CFGI_CD', (t) => {
  const rig = new Rig();
  tables1(rig);
  rig.ste(0, stage1(0));
  rig.start();
  t.deepEqual(rig.at(0), ['C_BAD_CD']);
  rig.structure(CD_SLOT * 512, cd(ASID, ROOT));
  t.true(rig.at(0).includes('C_BAD_CD'));
  rig.batch(cfgiCd(0, 1));
  t.true(rig.at(0).includes('C_BAD_CD'));
  rig.batch(cfgiCd(0));
  rig.batch(nhAsid(ASID));
  t.deepEqual(rig.at(0), ['ok 10']);
});

test('a torn STE: an old word beside a new one, until CFGI between them', (t) => {
  const to = (between: boolean): string[] => {
    const rig = guarded();
    const fresh = stage2(SPARE, VMID + 1);
    rig.put(SPARE, 0, leaf2(0, 1)); // identity
    if (between) {
      rig.word(STREAM_SLOT * 512, NO_WORDS, 0);
      rig.batch(cfgiSte(0));
      for (const i of [2, 3]) rig.word(STREAM_SLOT * 512, fresh, i);
      rig.batch(cfgiSte(0));
      rig.word(STREAM_SLOT * 512, fresh, 0);
    } else for (const i of [3, 2]) rig.word(STREAM_SLOT * 512, fresh, i);
    rig.batch(cfgiSte(0));
    rig.clear(L32, 0x10);
    rig.batch(s12(VMID));
    return rig.at(0x10);
  };
  t.deepEqual(to(true), ['ok 10']);
  t.deepEqual(to(false), ['F_TRANSLATION s2 IN 10', 'ok 10', 'ok 20'], 'the new VMID with the old tables was in use: their leaves and pointers stay');
});

test('a torn CD: an old TTB0 beside a new ASID', (t) => {
  const rig = connected();
  rig.word(CD_SLOT * 512, cd(2, SPARE), 1);
  rig.word(CD_SLOT * 512, cd(2, SPARE), 0);
  rig.batch(cfgiCd(0));
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  rig.batch(nhAsid(2));
  t.deepEqual(rig.at(0), [FAULT]);
});

test('a word of an invalid structure that was zero may have been read as zero: CFGI before V is set', (t) => {
  const at = (between: boolean): string[] => {
    const rig = new Rig();
    tables1(rig);
    rig.ste(0, stage1(0));
    rig.start();
    rig.word(CD_SLOT * 512, cd(ASID, ROOT), 1);
    if (between) rig.batch(cfgiCd(0));
    rig.word(CD_SLOT * 512, cd(ASID, ROOT), 0);
    return rig.at(0);
  };
  t.deepEqual(at(true), ['C_BAD_CD', 'ok 10']);
  t.deepEqual(at(false), ['C_BAD_CD', 'F_WALK_EABT TT', 'ok 10'], 'TTB0 = 0 of before');
});

// ---- two-level stream tables ------------------------------------------------------------------------------------------------------------

function twoLevel(build: (rig: Rig) => void = () => undefined): Rig {
  const rig = new Rig({ split: 6, streamsLog2: 8 });
  tables1(rig);
  rig.cd(0, cd(ASID, ROOT));
  rig.structure(SPARE * 512, BYPASS);
  rig.structure(SPARE * 512 + 8, ABORT);
  rig.structure((SPARE + 1) * 512, ABORT);
  build(rig);
  return rig.start();
}

test('an invalid L1STD is cached; CFGI_STE Leaf = 0, a RANGE or ALL retires it, Leaf = 1 does not', (t) => {
  for (const [command, works] of [[cfgiSte(0, 1), false], [cfgiSte(0, 0), true], [cfgiSte(63, 0), true], [cfgiSte(64, 0), false], [cmd({ op: OP.CFGI_STE_RANGE, sid: 40, range: 0 }), true], [CFGI_ALL, true]] as const) {
    const rig = twoLevel();
    t.deepEqual(rig.at(5), ['C_BAD_STREAMID']);
    rig.l1std(STREAM_SLOT, 0, [SPARE, 7]);
    t.deepEqual(rig.at(5), ['C_BAD_STREAMID', 'ok 5']);
    rig.batch(command);
    t.deepEqual(rig.at(5), works ? ['ok 5'] : ['C_BAD_STREAMID', 'ok 5']);
  }
});

test('an L1STD that goes: until CFGI Leaf = 0 its table is read, and its STEs stay cached after that', (t) => {
  const rig = twoLevel((r) => { r.l1std(STREAM_SLOT, 0, [SPARE, 7]); });
  t.deepEqual(rig.at(5), ['ok 5']);
  rig.clear(STREAM_SLOT, 0);
  rig.word(SPARE * 512 + 8, BYPASS, 0);
  t.deepEqual(rig.at(5, 1), ['C_BAD_STREAMID', 'abort', 'ok 5'], 'the stale L1STD still leads to new STEs');
  t.regex(rig.machine.pointsTo(SPARE) ?? '', /level-1 stream table descriptor/);
  rig.batch(cfgiSte(0, 1));
  t.regex(rig.machine.pointsTo(SPARE) ?? '', /level-1 stream table descriptor/);
  rig.batch(cfgiSte(0, 0));
  t.is(rig.machine.pointsTo(SPARE), null);
  t.deepEqual(rig.at(5, 0), ['C_BAD_STREAMID']);
  t.deepEqual(rig.at(5, 1), ['C_BAD_STREAMID', 'abort', 'ok 5'], 'each STE needs its own');
  rig.batch(cmd({ op: OP.CFGI_STE_RANGE, sid: 0, range: 5 }));
  t.deepEqual(rig.at(5, 1), ['C_BAD_STREAMID']);
});

test('one CFGI_STE Leaf = 0 and the rest Leaf = 1 after an L1STD went away: the others were read again first', (t) => {
  const rig = twoLevel((r) => { r.l1std(STREAM_SLOT, 0, [SPARE, 7]); });
  rig.clear(STREAM_SLOT, 0);
  rig.batch(cfgiSte(0, 0), cfgiSte(1, 1));
  t.deepEqual(rig.at(5, 0), ['C_BAD_STREAMID']);
  t.deepEqual(rig.at(5, 1), ['C_BAD_STREAMID', 'abort']);
  rig.batch(cfgiSte(1, 1));
  t.deepEqual(rig.at(5, 1), ['C_BAD_STREAMID']);
});

test('an L1STD that moves to another table: both are read until it is retired', (t) => {
  const rig = twoLevel((r) => { r.l1std(STREAM_SLOT, 0, [SPARE, 7]); });
  rig.l1std(STREAM_SLOT, 0, [SPARE + 1, 7]);
  t.deepEqual(rig.at(5), ['abort', 'ok 5']);
  rig.batch(cfgiSte(0, 0));
  t.deepEqual(rig.at(5), ['abort']);
});

// ---- CD tables --------------------------------------------------------------------------------------------------------------------------

test('a linear table of CDs: each index by itself; CFGI_CD_ALL all of them', (t) => {
  const rig = new Rig();
  tables1(rig);
  for (let i = 0; i < 4; i += 1) rig.cd(i, cd(i, ROOT));
  rig.ste(0, stage1(0, { S1CDMax: 2, S1DSS: 2 }));
  rig.start();
  for (let i = 0; i < 4; i += 1) rig.word(CD_SLOT * 512 + i * 8, NO_WORDS, 0);
  rig.batch(cfgiCd(0, 1));
  const ask = (): string[] => [-1, 1, 2, 3].map((ssid) => rig.ask({ ssid }).join('|'));
  t.deepEqual(ask(), ['C_BAD_CD|ok 10', 'C_BAD_CD', 'C_BAD_CD|ok 10', 'C_BAD_CD|ok 10']);
  rig.batch(cfgiCd(0, 0));
  t.deepEqual(ask(), ['C_BAD_CD', 'C_BAD_CD', 'C_BAD_CD|ok 10', 'C_BAD_CD|ok 10']);
  rig.batch(cmd({ op: OP.CFGI_CD_ALL, sid: 1 }));
  t.deepEqual(ask()[2], 'C_BAD_CD|ok 10');
  rig.batch(cmd({ op: OP.CFGI_CD_ALL, sid: 0 }));
  t.deepEqual(ask(), ['C_BAD_CD', 'C_BAD_CD', 'C_BAD_CD', 'C_BAD_CD']);
});

test('an invalid L1CD is cached: CFGI_CD Leaf = 0 retires it, Leaf = 1 does not', (t) => {
  for (const [leafOnly, works] of [[1, false], [0, true]] as const) {
    const rig = new Rig();
    tables1(rig);
    rig.structure((SPARE + 1) * 512, cd(ASID, ROOT));
    rig.ste(0, ste({ V: 1, Config: CONFIG_S1, S1Fmt: 1, S1CDMax: 8, S1ContextPtr: (RAM_BASE + SPARE) * 64 }));
    rig.start();
    t.deepEqual(rig.ask({ ssid: 64 }), ['C_BAD_SUBSTREAMID']);
    rig.l1cd(SPARE, 1, SPARE + 1);
    t.deepEqual(rig.ask({ ssid: 64 }), ['C_BAD_SUBSTREAMID', 'ok 10']);
    rig.batch(cfgiCd(0, 64, leafOnly));
    t.deepEqual(rig.ask({ ssid: 64 }), works ? ['ok 10'] : ['C_BAD_SUBSTREAMID', 'ok 10']);
    t.true((rig.machine.pointsTo(SPARE + 1) ?? '').includes('CD'));
    rig.clear(SPARE, 1);
    rig.batch(cfgiCd(0, 64, 0));
    t.is(rig.machine.pointsTo(SPARE + 1), null);
  }
});

test('an STE that goes takes its CDs along; another stream with the same CD keeps its copy', (t) => {
  const rig = connected();
  rig.ste(1, stage1(0));
  rig.batch(cfgiSte(1));
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(cfgiSte(0));
  rig.word(CD_SLOT * 512, NO_WORDS, 0);
  rig.word(STREAM_SLOT * 512, stage1(0), 0);
  rig.batch(cfgiSte(0));
  t.deepEqual(rig.at(0, 0), ['C_BAD_CD']);
  t.deepEqual(rig.at(0, 1), ['C_BAD_CD', 'ok 10']);
});

test('a nested CD goes with CFGI though its page was remapped; the pointer to it too', (t) => {
  const rig = nestedRig();
  t.truthy(rig.machine.pointsTo(CD_SLOT));
  rig.clear(ROOT2, RAM_ENTRY);
  const cdFault = `F_TRANSLATION s2 CD ${(RAM_BASE + CD_SLOT).toString(16)}`;
  t.true(rig.at(0).includes(cdFault));
  rig.batch(s2Ipa(VMID, RAM_BASE));
  t.true(rig.at(0).includes('ok 20'), 'the CD itself is cached');
  rig.batch(cfgiCd(0));
  t.deepEqual(rig.at(0), [cdFault]);
  t.is(rig.machine.pointsTo(CD_SLOT), null);
});

// ---- SMMUEN and reset -------------------------------------------------------------------------------------------------------------------

test('caches survive SMMUEN 0 and 1; nothing is fetched in between', (t) => {
  const rig = connected();
  rig.enable(false);
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.clear(L3, 0);
  rig.put(L3, 2, leaf(0x12));
  rig.clear(L3, 2);
  rig.enable();
  t.deepEqual(rig.at(0), [FAULT, 'abort', 'ok 10']);
  t.deepEqual(rig.at(2), [FAULT, 'abort']);
  rig.enable(false);
  rig.batch(CFGI_ALL, NSNH_ALL);
  rig.enable();
  t.deepEqual(rig.at(0), ['abort']);
});

test('a TLBI that is visible while SMMUEN is 0 finds nothing that could fetch again, even if its SYNC comes later', (t) => {
  const rig = connected();
  rig.enable(false);
  rig.publish(0, nhVa(ASID, 0));
  rig.clear(L3, 0);
  rig.enable();
  rig.batch();
  t.deepEqual(rig.at(0), [FAULT]);
});

test('a TLBI from before SMMUEN is 0: what it removed may have been fetched again until then', (t) => {
  const rig = connected();
  rig.publish(0, nhVa(ASID, 0));
  rig.clear(L3, 0);
  rig.enable(false);
  rig.batch();
  rig.enable();
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
});

test('STRTAB_BASE and CR2 are guarded by SMMUEN; a new stream table beside cached STEs of the old', (t) => {
  const rig = connected();
  rig.structure(SPARE * 512, BYPASS);
  rig.machine.writeRegister(REG.STRTAB_BASE, (RAM_BASE + SPARE) * 4096);
  t.deepEqual(rig.at(0), ['ok 10']);
  rig.enable(false);
  rig.machine.writeRegister(REG.STRTAB_BASE, (RAM_BASE + SPARE) * 4096);
  rig.machine.writeRegister(REG.STRTAB_BASE_CFG, strtabLinear(3));
  rig.enable();
  t.deepEqual(rig.at(0), ['ok 0', 'ok 10']);
  rig.batch(CFGI_ALL);
  t.deepEqual(rig.at(0), ['ok 0']);
});

test('a level-1 table that was outside of memory is nothing any more after SMMUEN and another base', (t) => {
  const rig = new Rig({ split: 6, streamsLog2: 8, streamSlot: 200 }).start();
  rig.structure(SPARE * 512, BYPASS);
  rig.l1std(STREAM_SLOT, 0, [SPARE, 7]);
  rig.enable(false);
  rig.machine.writeRegister(REG.STRTAB_BASE, (RAM_BASE + STREAM_SLOT) * 4096);
  rig.enable();
  t.deepEqual(rig.at(7), ['ok 7']);
});

test('at reset every cache may hold anything: CFGI_ALL and TLBI, in this order or with SMMUEN 0', (t) => {
  const wild = (): Rig => {
    const rig = new Rig();
    tables1(rig);
    rig.cd(0, cd(ASID, ROOT));
    rig.ste(0, stage1(0));
    rig.ste(1, stage1(0, { STRW: 2 }));
    return rig;
  };
  const rig = wild();
  rig.enable();
  t.deepEqual(rig.at(0), ['ok -1', 'ok 10']);
  rig.batch(CFGI_ALL, NSNH_ALL);
  t.deepEqual(rig.at(0), ['ok -1', 'ok 10'], 'with SMMUEN 1 the TLBI may act before the CFGI');
  rig.batch(NSNH_ALL);
  t.deepEqual(rig.at(0), ['ok 10']);
  t.deepEqual(rig.at(0, 1), ['ok -1', 'ok 10']);
  rig.batch(EL2_ALL);
  t.deepEqual(rig.at(0, 1), ['ok 10']);
  const early = wild();
  early.batch(CFGI_ALL, NSNH_ALL);
  early.enable();
  t.deepEqual(early.at(0), ['ok 10']);
  const one = wild();
  one.batch(cfgiSte(0), s12(0));
  one.enable();
  t.deepEqual(one.at(0), ['ok 10'], 'this stream and VMID only');
  t.deepEqual(one.at(0, 1), ['ok -1', 'ok 10']);
});

test('at reset, two-level: CFGI_STE with Leaf = 1 leaves the unknown level-1 descriptor', (t) => {
  for (const [leafOnly, expected] of [[1, ['ok -1', 'ok 5']], [0, ['ok 5']]] as const) {
    const rig = new Rig({ split: 6, streamsLog2: 8 });
    rig.structure(SPARE * 512, BYPASS);
    rig.l1std(STREAM_SLOT, 0, [SPARE, 7]);
    rig.batch(cfgiSte(0, leafOnly), NSNH_ALL);
    rig.enable();
    t.deepEqual(rig.at(5), [...expected]);
  }
});

test('at reset: a RANGE cleans its streams; NH_ALL is enough where there is no stage 2', (t) => {
  const rig = new Rig({ stage2: false, hyp: false });
  tables1(rig);
  rig.cd(0, cd(ASID, ROOT));
  for (const sid of [0, 1, 2]) rig.ste(sid, stage1(0));
  rig.batch(cmd({ op: OP.CFGI_STE_RANGE, sid: 1, range: 0 }), nhAll());
  rig.enable();
  t.deepEqual(rig.at(0, 0), ['ok 10']);
  t.deepEqual(rig.at(0, 1), ['ok 10']);
  t.deepEqual(rig.at(0, 2), ['ok -1', 'ok 10']);
});

test('CR0 without CMDQEN consumes nothing', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 0);
  rig.publish(0, CFGI_ALL);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 0);
  rig.machine.writeRegister(REG.CR0, CR0_CMDQEN);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 1);
  t.is(rig.machine.readRegister(REG.CR0ACK), CR0_CMDQEN);
});

// ---- what is held -----------------------------------------------------------------------------------------------------------------------

function entry(change: Partial<CachedEntry>): CachedEntry {
  return { ...newCachedEntry(), asid: ASID, canRead: true, canWrite: true, ...change };
}

test('concrete structures are held while each of their words is a fact', (t) => {
  const rig = connected();
  const fresh = stage1(0, { PRIVCFG: 3 });
  const holds = (words: Uint32Array): boolean => rig.machine.holds(entry({ kind: 'ste', sid: 0, words, base: 0 }));
  t.true(holds(stage1(0)));
  t.false(holds(fresh));
  rig.word(STREAM_SLOT * 512, fresh, 1);
  t.true(holds(stage1(0)));
  t.true(holds(fresh));
  rig.batch(cfgiSte(0));
  t.false(holds(stage1(0)));
  t.true(rig.machine.holds(entry({ kind: 'cd', sid: 0, ssid: 0, words: cd(ASID, ROOT), base: 0 })));
  t.false(rig.machine.holds(entry({ kind: 'cd', sid: 1, ssid: 0, words: cd(ASID, ROOT), base: 0 })));
});

test('concrete level-1 descriptors are held', (t) => {
  const rig = twoLevel((r) => { r.l1std(STREAM_SLOT, 0, [SPARE, 7]); });
  const ref = STREAM_SLOT * 512;
  const words = Uint32Array.of(rig.memory.lo[ref] as number, rig.memory.hi[ref] as number);
  t.true(rig.machine.holds(entry({ kind: 'l1std', sid: 33, words, base: 0 })));
  t.false(rig.machine.holds(entry({ kind: 'l1std', sid: 64, words, base: 0 })));
});

test('concrete leaves and table descriptors are held, leaves in pieces too', (t) => {
  const rig = connected();
  rig.put(L2, 1, leaf(0x400, 2));
  t.true(rig.machine.holds(entry({ frame: 0, target: 0x10 })));
  t.false(rig.machine.holds(entry({ frame: 0, target: 0x10, asid: 2 })));
  t.false(rig.machine.holds(entry({ frame: 0, target: 0x10, canWrite: false })));
  t.true(rig.machine.holds(entry({ frame: 0x203, frames: 2, level: 2, target: 0x403 })));
  t.false(rig.machine.holds(entry({ frame: 0x203, frames: 2, level: 2, target: 0x402 })));
  t.false(rig.machine.holds(entry({ frame: 0x3ff, frames: 2, level: 2, target: 0x5ff })));
  t.true(rig.machine.holds(entry({ kind: 'table', frame: 0, frames: 512, level: 2, target: RAM_BASE + L3 })));
  t.false(rig.machine.holds(entry({ kind: 'table', frame: 0, frames: 512, level: 2, target: RAM_BASE + L2 })));
});

test('concrete runs, stage-2 and combined entries are held', (t) => {
  const rig = nestedRig();
  for (let i = 16; i < 32; i += 1) rig.put(L32, i, leaf2(0x100 + i, 3, { hi: HI_CONTIGUOUS }));
  const s2 = { stage: 2, vmid: VMID, asid: -1 };
  t.true(rig.machine.holds(entry({ ...s2, frame: 16, frames: 16, target: 0x110 })));
  t.true(rig.machine.holds(entry({ ...s2, frame: 17, target: 0x111 })));
  rig.put(L3, 3, leaf(0x12, 3, { set: BIT_READ_ONLY }));
  t.true(rig.machine.holds(entry({ stage: 3, vmid: VMID, frame: 3, target: 0x112, canWrite: false })));
  t.false(rig.machine.holds(entry({ stage: 3, vmid: VMID, frame: 3, target: 0x112 })));
  t.true(rig.machine.holds(entry({ kind: 'table', stage: 3, vmid: VMID, frame: 0, frames: 512, level: 2, target: RAM_BASE + L3 })));
  t.true(rig.machine.holds(entry({ stage: 1, vmid: VMID, frame: 3, target: 0x12, canWrite: false })));
});

test('pages of tables of either stage are pointed to until the pointers are gone', (t) => {
  const rig = guarded();
  t.regex(rig.machine.pointsTo(ROOT2) ?? '', /base of the tables of vmid 3/);
  t.regex(rig.machine.pointsTo(L32) ?? '', /stage 2, level 2/);
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(cfgiSte(0));
  t.is(rig.machine.pointsTo(ROOT2), null);
  t.truthy(rig.machine.pointsTo(L32));
  rig.batch(s12(VMID));
  t.is(rig.machine.pointsTo(L32), null);
});

test('what is not modelled is refused, not guessed', (t) => {
  for (const name of ['WXN', 'UWXN', 'PAN', 'E0PD0'] as const) {
    const rig = new Rig();
    rig.cd(0, cd(ASID, ROOT, { [name]: 1 }));
    rig.ste(0, stage1(0));
    t.throws(() => rig.start(), { message: new RegExp(name) });
  }
  const rig = connected();
  t.throws(() => { for (let i = 2; i < 300; i += 1) { rig.word(CD_SLOT * 512, cd(i, ROOT), 0); rig.word(CD_SLOT * 512, cd(ASID, i), 1); } }, { message: /combinations/ });
});

