/**
 * Every answer of the translation procedure (IHI 0070 §3.3.2, §7.3): one test for each event and step, and beside it the nearest transaction that
 * is answered otherwise. Caches are clean, so each answer is the only one unless the test is about a stale one.
 */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { OP } from '../../../src/spec/command.js';
import { BIT_AF, BIT_READ_ONLY, BIT_S2AP_READ, BIT_UNPRIVILEGED, HI_PXN, HI_UXN } from '../../../src/spec/descriptor.js';
import { GBPA_ABORT, GBPA_UPDATE, REG } from '../../../src/spec/register.js';
import { CONFIG_S1 } from '../../../src/spec/ste.js';
import {
  ABORT, ASID, BYPASS, cd, CD_SLOT, cfgiCd, cfgiSte, cmd, connected, guarded, L2, L3, L32, leaf, leaf2, nested, nestedRig, nhAll, RAM_ENTRY, Rig, ROOT, ROOT2, s12, SPARE, stage1, stage2, started, ste, STREAM_SLOT, table, tables1, toTable, VMID, ZERO, type Setup, type Word,
} from './rig.js';

const FAULT = 'F_TRANSLATION';
const OUT = 2 ** 36; // the first frame beyond 48 bits

function withSte(words: Uint32Array, setup: Setup = {}): Rig {
  return started(setup, (rig) => { rig.ste(0, words); });
}

/** Stream 0 with stage 1 and this CD. */
function withCd(words: Uint32Array, setup: Setup = {}): Rig {
  return started(setup, (rig) => {
    rig.cd(0, words);
    rig.ste(0, stage1(0));
  });
}

/** Stage 1 with this word for VA 0. */
function withLeaf(word: Word, fields: Parameters<typeof cd>[2] = {}, more: Parameters<typeof stage1>[1] = {}): Rig {
  return started({}, (rig) => {
    rig.put(L3, 0, word);
    rig.cd(0, cd(ASID, ROOT, fields));
    rig.ste(0, stage1(0, more));
  });
}

// ---- step 1: SMMUEN, and the stream table -----------------------------------------------------------------------------------------------

test('SMMUEN = 0: bypass, abort beyond the output size, abort with GBPA.ABORT; ATS is refused', (t) => {
  const rig = new Rig();
  t.deepEqual(rig.at(5), ['ok 5']);
  t.deepEqual(rig.at(OUT - 1), [`ok ${(OUT - 1).toString(16)}`]);
  t.deepEqual(rig.at(OUT), ['abort']);
  rig.machine.setEndpoint(0, true, true);
  t.deepEqual(rig.ask({}, 'ats-request'), ['ur F_BAD_ATS_TREQ']);
  rig.machine.writeRegister(REG.GBPA, GBPA_ABORT);
  t.deepEqual(rig.at(5), ['ok 5'], 'without UPDATE nothing is written');
  rig.machine.writeRegister(REG.GBPA, GBPA_UPDATE + GBPA_ABORT);
  t.deepEqual(rig.at(5), ['abort']);
});

test('C_BAD_STREAMID is recorded with RECINVSID only', (t) => {
  t.deepEqual(connected().at(0, 8), ['C_BAD_STREAMID']);
  t.deepEqual(connected({ recordUnknown: false }).at(0, 8), ['abort']);
});

test('an STE outside of memory: F_STE_FETCH', (t) => {
  const rig = new Rig({ streamSlot: 200 }).start();
  t.deepEqual(rig.at(0), ['F_STE_FETCH']);
});

test('two-level stream table: every way to C_BAD_STREAMID and F_STE_FETCH', (t) => {
  const rig = new Rig({ split: 6, streamsLog2: 9 });
  tables1(rig);
  rig.cd(0, cd(ASID, ROOT));
  rig.l1std(STREAM_SLOT, 0, [SPARE, 3]); // streams 0..3
  rig.structure(SPARE * 512, stage1(0));
  rig.structure(SPARE * 512 + 3 * 8, BYPASS);
  rig.l1std(STREAM_SLOT, 1, [SPARE, 8]); // Span > SPLIT + 1
  rig.l1std(STREAM_SLOT, 2, [SPARE, 12]); // reserved
  rig.l1std(STREAM_SLOT, 3, [4096, 7]); // outside of memory
  rig.start();
  t.deepEqual(rig.at(0, 0), ['ok 10']);
  t.deepEqual(rig.at(9, 3), ['ok 9']);
  t.deepEqual(rig.at(0, 4), ['C_BAD_STREAMID']);
  t.deepEqual(rig.at(0, 64), ['C_BAD_STREAMID']);
  t.deepEqual(rig.at(0, 128), ['C_BAD_STREAMID']);
  t.deepEqual(rig.at(0, 192), ['F_STE_FETCH']);
  t.deepEqual(rig.at(0, 256), ['C_BAD_STREAMID'], 'Span 0');
  t.deepEqual(rig.at(0, 512), ['C_BAD_STREAMID']);
  const away = new Rig({ split: 6, streamsLog2: 9, streamSlot: 200 }).start();
  t.deepEqual(away.at(0, 0), ['F_STE_FETCH']);
});

// ---- steps 3 to 5: the STE --------------------------------------------------------------------------------------------------------------

test('an STE: V = 0, abort, bypass, illegal', (t) => {
  const rig = started({}, (r) => {
    r.ste(1, ABORT);
    r.ste(2, BYPASS);
    r.ste(3, stage1(0, { STRW: 1 }));
  });
  t.deepEqual(rig.at(5, 0), ['C_BAD_STE']);
  t.deepEqual(rig.at(5, 1), ['abort']);
  t.deepEqual(rig.at(5, 2), ['ok 5']);
  t.deepEqual(rig.at(OUT, 2), ['F_ADDR_SIZE']);
  t.deepEqual(rig.at(5, 3), ['C_BAD_STE']);
});

test('a substream where there is none: C_BAD_SUBSTREAMID', (t) => {
  t.deepEqual(withSte(BYPASS).ask({ ssid: 0 }), ['C_BAD_SUBSTREAMID']);
  t.deepEqual(connected().ask({ ssid: 0 }), ['C_BAD_SUBSTREAMID']);
  t.deepEqual(guarded().ask({ ssid: 1, frame: 0x10 }), ['C_BAD_SUBSTREAMID']);
  const two = withSte(stage1(0, { S1CDMax: 1, S1DSS: 2 }));
  t.deepEqual(two.ask({ ssid: 2 }), ['C_BAD_SUBSTREAMID']);
  t.deepEqual(withSte(stage1(0, { S1CDMax: 1 }), { ssidBits: 0 }).ask({ ssid: 0 }), ['C_BAD_SUBSTREAMID']);
});

test('S1DSS: terminate, bypass, substream 0; each with and without a substream', (t) => {
  const rig = (dss: number): Rig => started({}, (r) => {
    r.cd(1, cd(2, SPARE));
    r.ste(0, stage1(0, { S1CDMax: 1, S1DSS: dss }));
  });
  t.deepEqual([-1, 0, 1].map((ssid) => rig(0).ask({ ssid })[0]), ['F_STREAM_DISABLED', 'ok 10', FAULT]);
  t.deepEqual([-1, 0, 1].map((ssid) => rig(1).ask({ ssid })[0]), ['ok 0', 'ok 10', FAULT]);
  t.deepEqual([-1, 0, 1].map((ssid) => rig(2).ask({ ssid })[0]), ['ok 10', 'F_STREAM_DISABLED', FAULT]);
  t.deepEqual([-1, 0, 1].map((ssid) => rig(3).ask({ ssid })[0]), ['F_STREAM_DISABLED', 'ok 10', FAULT]);
  t.deepEqual(rig(1).at(OUT), ['F_ADDR_SIZE']);
});

test('S1DSS = 1 in nested form: the address is an IPA', (t) => {
  const rig = withSte(nested(0, ROOT2, [VMID, { S1CDMax: 1, S1DSS: 1 }]));
  t.deepEqual(rig.at(0x10), ['ok 20']);
  t.deepEqual(rig.at(0x12), ['F_TRANSLATION s2 IN 12']);
  t.deepEqual(rig.at(OUT), ['F_ADDR_SIZE']);
  t.deepEqual(rig.ask({ ssid: 0, frame: 0 }), ['ok 20']);
});

// ---- step 6: CDs ------------------------------------------------------------------------------------------------------------------------

test('a CD: V = 0 and illegal ones are C_BAD_CD; outside of memory F_CD_FETCH', (t) => {
  t.deepEqual(withCd(cd(ASID, ROOT, { V: 0 })).at(0), ['C_BAD_CD']);
  t.deepEqual(withCd(cd(ASID, ROOT, { AA64: 0 })).at(0), ['C_BAD_CD']);
  t.deepEqual(withCd(cd(300, ROOT), { asidBits: 8 }).at(0), ['C_BAD_CD']);
  t.deepEqual(withSte(ste({ V: 1, Config: CONFIG_S1, S1ContextPtr: 64 })).at(0), ['F_CD_FETCH']);
});

test('two-level CD tables, 4K and 64K: L1CD invalid, outside of memory, and CDs by index', (t) => {
  const l1 = SPARE;
  for (const [format, max, per] of [[1, 8, 64], [2, 12, 1024]] as const) {
    const rig = started({ ssidBits: 12 }, (r) => {
      r.l1cd(l1, 0, 32);
      r.structure(32 * 512, cd(ASID, ROOT));
      r.structure(32 * 512 + 8, cd(2, SPARE + 1));
      r.l1cd(l1, 2, 4096); // outside of memory
      r.ste(0, ste({ V: 1, Config: CONFIG_S1, S1Fmt: format, S1CDMax: max, S1ContextPtr: (RAM_BASE + l1) * 64 }));
    });
    t.deepEqual(rig.ask({ ssid: 0 }), ['ok 10']);
    t.deepEqual(rig.ask({ ssid: 1 }), [FAULT]);
    t.deepEqual(rig.ask({ ssid: 2 }), ['C_BAD_CD']);
    t.deepEqual(rig.ask({ ssid: per }), ['C_BAD_SUBSTREAMID']);
    t.deepEqual(rig.ask({ ssid: 2 * per }), ['F_CD_FETCH']);
    t.regex(rig.machine.pointsTo(32) ?? '', /CD/);
  }
});

// ---- step 7: stage 1 --------------------------------------------------------------------------------------------------------------------

test('input range: TxSZ of each half, EPD, and VA[55]', (t) => {
  const top = 2 ** 52;
  const rig = started({}, (r) => {
    r.put(SPARE, 511, table(SPARE + 1));
    r.put(SPARE + 1, 511, table(SPARE + 2));
    r.put(SPARE + 2, 511, leaf(0x77));
    r.cd(0, cd(ASID, ROOT, { EPD1: 0, T1SZ: 25, TG1: 2, TTB1: (RAM_BASE + SPARE) * 256 }));
    r.ste(0, stage1(0));
  });
  t.deepEqual(rig.at(0), ['ok 10']);
  t.deepEqual(rig.at(top - 1), ['ok 77']);
  t.deepEqual(rig.at(2 ** 27), [FAULT]);
  t.deepEqual(rig.at(2 ** 27 + 1), [FAULT], 'no wrap into entry 1');
  t.deepEqual(rig.at(top - 2 ** 27 - 1), [FAULT]);
  t.deepEqual(rig.at(0xff * 2 ** 44), [FAULT], 'a tag without TBI');
  t.deepEqual(connected().at(top - 1), [FAULT], 'EPD1');
});

test('TBI: the top byte is ignored', (t) => {
  const rig = started({}, (r) => {
    r.put(SPARE, 511, table(SPARE + 1));
    r.put(SPARE + 1, 511, table(SPARE + 2));
    r.put(SPARE + 2, 511, leaf(0x77));
    r.cd(0, cd(ASID, ROOT, { TBI0: 1, TBI1: 1, EPD1: 0, T1SZ: 25, TG1: 2, TTB1: (RAM_BASE + SPARE) * 256 }));
    r.ste(0, stage1(0));
  });
  t.deepEqual(rig.at(0xab * 2 ** 44), ['ok 10']);
  t.deepEqual(rig.at(2 ** 44 - 1), ['ok 77']);
  t.deepEqual(rig.at(2 ** 44 - 1 + 0x5a * 2 ** 44), ['ok 77']);
  t.deepEqual(rig.at(2 ** 27), [FAULT]);
});

test('EPD0 = 1 stops walks; what is cached is still hit', (t) => {
  const rig = connected();
  rig.word(CD_SLOT * 512, cd(ASID, ROOT, { EPD0: 1 }), 0);
  rig.batch(cfgiCd(0));
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  t.deepEqual(rig.at(7), [FAULT]);
  rig.put(L3, 7, leaf(0x17));
  t.deepEqual(rig.at(7), [FAULT, 'ok 17'], 'a cached pointer of the tag still leads there');
  rig.batch(nhAll());
  t.deepEqual(rig.at(0), [FAULT]);
  t.deepEqual(withCd(cd(ASID, ROOT, { EPD0: 1 })).at(0), [FAULT]);
});

test('T0SZ shrinks: what is cached beyond it is still hit until a TLBI (T0SZ may be cached in the TLB, §5.4.1)', (t) => {
  const rig = started({}, (r) => {
    r.put(ROOT, 2, table(SPARE));
    r.put(SPARE, 0, table(SPARE + 1));
    r.put(SPARE + 1, 0, leaf(0x77));
    r.cd(0, cd(ASID, ROOT));
    r.ste(0, stage1(0));
  });
  t.deepEqual(rig.at(2 ** 19), ['ok 77']);
  rig.word(CD_SLOT * 512, cd(ASID, ROOT, { T0SZ: 33 }), 0);
  rig.batch(cfgiCd(0));
  t.deepEqual(rig.at(2 ** 19), [FAULT, 'ok 77']);
  t.deepEqual(rig.at(2 ** 19 + 1), [FAULT], 'nothing is cached there');
  rig.batch(nhAll());
  t.deepEqual(rig.at(2 ** 19), [FAULT]);
});

test('EL2: one half, no ASID, AP[1] counts as 1, XN at bit 54', (t) => {
  const rig = (e2h: boolean, word: Word): Rig => started({ e2h }, (r) => {
    r.put(L3, 0, word);
    r.ste(0, stage1(0, { STRW: 2 }));
  });
  const privileged = leaf(0x10, 3, { clear: BIT_UNPRIVILEGED });
  t.deepEqual(rig(false, privileged).at(0), ['ok 10']);
  t.deepEqual(rig(true, privileged).at(0), ['F_PERMISSION']);
  t.deepEqual(rig(true, privileged).ask({ privileged: true }), ['ok 10']);
  t.deepEqual(rig(false, leaf(0x10)).at(2 ** 52 - 1), [FAULT]);
  const xn = rig(false, leaf(0x10, 3, { hi: HI_UXN }));
  t.deepEqual(xn.ask({ privileged: true, instruction: true }), ['F_PERMISSION']);
  t.deepEqual(rig(false, leaf(0x10, 3, { hi: HI_PXN })).ask({ privileged: true, instruction: true }), ['ok 10']);
  t.deepEqual(rig(true, leaf(0x10, 3, { hi: HI_UXN })).ask({ privileged: true, instruction: true }), ['ok 10']);
  t.deepEqual(rig(true, leaf(0x10, 3, { hi: HI_PXN })).ask({ privileged: true, instruction: true }), ['F_PERMISSION']);
});

test('EL2 worlds do not share entries with EL1, nor with each other', (t) => {
  const rig = connected();
  rig.ste(1, stage1(0, { STRW: 2 }));
  rig.batch(cfgiSte(1));
  rig.clear(L3, 0);
  rig.batch(nhAll());
  t.deepEqual(rig.at(0, 0), [FAULT]);
  t.deepEqual(rig.at(0, 1), [FAULT, 'ok 10']);
  rig.batch(cmd({ op: OP.TLBI_EL2_VA, frame: 0, asid: 99 }));
  t.deepEqual(rig.at(0, 1), [FAULT], 'the ASID is not looked at');
});

test('walks: invalid, reserved, address size, access flag, outside of memory', (t) => {
  t.deepEqual(withLeaf({ lo: 0x10000 | BIT_AF | 1, hi: 0 }).at(0), [FAULT], '01 at level 3');
  t.deepEqual(withLeaf(leaf(0x10, 3, { clear: BIT_AF })).at(0), ['F_ACCESS']);
  t.deepEqual(withLeaf(leaf(0x10, 3, { clear: BIT_AF }), { AFFD: 1 }).at(0), ['ok 10']);
  t.deepEqual(withLeaf(leaf(0x10, 3, { clear: BIT_AF }), { HA: 1 }).at(0), ['ok 10']);
  t.deepEqual(withLeaf(leaf(2 ** 28 - 1), { IPS: 2 }).at(0), ['ok fffffff']);
  t.deepEqual(withLeaf(leaf(2 ** 28), { IPS: 2 }).at(0), ['F_ADDR_SIZE']);
});

test('tables beyond the output size and outside of memory', (t) => {
  const to = (word: Word, ips = 5): string[] => started({}, (r) => {
    r.put(L2, 0, word);
    r.cd(0, cd(ASID, ROOT, { IPS: ips }));
    r.ste(0, stage1(0));
  }).at(0);
  t.deepEqual(to(toTable(2 ** 28), 2), ['F_ADDR_SIZE']);
  t.deepEqual(to(toTable(5)), ['F_WALK_EABT TT']);
  t.deepEqual(withCd(cd(ASID, 4096)).at(0), ['F_WALK_EABT TT']);
});

test('blocks: the offset in them; a block at level 0 is reserved', (t) => {
  const rig = started({}, (r) => {
    r.put(ROOT, 1, leaf(3 * GBF, 1));
    r.put(L2, 1, leaf(512, 2));
    r.ste(0, stage1(0));
  });
  t.deepEqual(rig.at(GBF + 0x1234), [`ok ${(3 * GBF + 0x1234).toString(16)}`]);
  t.deepEqual(rig.at(512 + 3), [`ok ${(512 + 3).toString(16)}`]);
  const level0 = started({}, (r) => {
    r.put(SPARE, 0, table(ROOT));
    r.put(SPARE, 1, leaf(0, 0));
    r.cd(0, cd(ASID, SPARE, { T0SZ: 16 }));
    r.ste(0, stage1(0));
  });
  t.deepEqual(level0.at(0), ['ok 10']);
  t.deepEqual(level0.at(512 * GBF), [FAULT]);
});

const GBF = 2 ** 18;

test('16K and 64K granules', (t) => {
  for (const [tg0, shift] of [[2, 14], [1, 16]] as const) {
    const frames = 2 ** (shift - 12);
    const base = 32; // aligned to 64K
    const perPage = 2 ** (shift - 3);
    const rig = started({}, (r) => {
      r.put(base, 0, table(base + frames)); // a level-2 root
      r.put(base, 1, leaf(perPage * frames * 2, 2));
      r.put(base + frames, 1, leaf(frames * 9));
      r.cd(0, cd(ASID, base, { TG0: tg0, T0SZ: 64 - (shift + 2 * (shift - 3)) }));
      r.ste(0, stage1(0));
    });
    t.deepEqual(rig.at(frames + 1), [`ok ${(frames * 9 + 1).toString(16)}`]);
    t.deepEqual(rig.at(perPage * frames + 5), [`ok ${(perPage * frames * 2 + 5).toString(16)}`]);
    t.deepEqual(rig.at(0), [FAULT]);
  }
});

test('CD.R = 0: the faults of stage 1 are silent; F_WALK_EABT is not', (t) => {
  t.deepEqual(withCd(cd(ASID, ROOT, { R: 0 })).at(9), ['abort']);
  t.deepEqual(withCd(cd(ASID, ROOT, { R: 0 })).at(2 ** 30), ['abort']);
  t.deepEqual(withLeaf(leaf(1, 3, { clear: BIT_AF }), { R: 0 }).at(0), ['abort']);
  t.deepEqual(withLeaf(leaf(1, 3, { set: BIT_READ_ONLY }), { R: 0 }).ask({ write: true }), ['abort']);
  t.deepEqual(withCd(cd(ASID, 4096, { R: 0 })).at(0), ['F_WALK_EABT TT']);
});

// ---- step 8: stage 2 --------------------------------------------------------------------------------------------------------------------

test('stage 2 alone: range, invalid, address size, access flag, outside of memory', (t) => {
  const rig = (word: Word, more: Parameters<typeof stage2>[2] = {}): string[] => started({}, (r) => {
    r.put(L32, 0x10, word);
    r.ste(0, stage2(ROOT2, VMID, more));
  }).at(0x10);
  t.deepEqual(rig(leaf2(0x20)), ['ok 20']);
  t.deepEqual(guarded().at(2 ** 27), ['F_TRANSLATION s2 IN 8000000']);
  t.deepEqual(rig(ZERO), ['F_TRANSLATION s2 IN 10']);
  t.deepEqual(rig(leaf2(2 ** 28), { S2PS: 2 }), ['F_ADDR_SIZE s2 IN 10']);
  t.deepEqual(rig(leaf2(0x20, 3, { clear: BIT_AF })), ['F_ACCESS s2 IN 10']);
  t.deepEqual(rig(leaf2(0x20, 3, { clear: BIT_AF }), { S2AFFD: 1 }), ['ok 20']);
  t.deepEqual(rig(leaf2(0x20, 3, { clear: BIT_AF }), { S2HA: 1 }), ['ok 20']);
  t.deepEqual(rig(ZERO, { S2R: 0 }), ['abort']);
  t.deepEqual(withSte(stage2(4096, VMID)).at(0x10), ['F_WALK_EABT s2 IN 0']);
});

test('concatenated stage-2 tables: 40 bits from level 1 are two pages', (t) => {
  const rig = started({}, (r) => {
    r.put(SPARE + 1, 0, leaf2(7 * GBF, 1));
    r.ste(0, stage2(SPARE, VMID, { S2T0SZ: 24 }));
  });
  t.deepEqual(rig.at(512 * GBF + 1), [`ok ${(7 * GBF + 1).toString(16)}`]);
  t.deepEqual(rig.at(511 * GBF), [`F_TRANSLATION s2 IN ${(511 * GBF).toString(16)}`]);
});

// ---- nested -----------------------------------------------------------------------------------------------------------------------------

/** Nested; RAM is mapped page by page, but for `slot`, which has `word`. */
function hole(slot: number, word: Word, more: Parameters<typeof stage2>[2] = {}): string[] {
  return started({}, (r) => {
    r.put(ROOT2, RAM_ENTRY, table(SPARE + 1));
    r.put(SPARE + 1, 0, table(SPARE + 2));
    for (let i = 0; i < 64; i += 1) r.put(SPARE + 2, i, i === slot ? word : leaf2(RAM_BASE + i));
    r.ste(0, nested(0, ROOT2, [VMID, more]));
  }).at(0);
}

test('class CD: stage-2 faults of fetching the CD', (t) => {
  const ipa = (RAM_BASE + CD_SLOT).toString(16);
  t.deepEqual(hole(CD_SLOT, leaf2(RAM_BASE + CD_SLOT)), ['ok 20']);
  t.deepEqual(hole(CD_SLOT, ZERO), [`F_TRANSLATION s2 CD ${ipa}`]);
  t.deepEqual(hole(CD_SLOT, ZERO, { S2R: 0 }), ['abort']);
  t.deepEqual(hole(CD_SLOT, leaf2(RAM_BASE + CD_SLOT, 3, { clear: BIT_AF })), [`F_ACCESS s2 CD ${ipa}`]);
  t.deepEqual(hole(CD_SLOT, leaf2(RAM_BASE + CD_SLOT, 3, { clear: BIT_S2AP_READ })), [`F_PERMISSION s2 CD ${ipa}`]);
  t.deepEqual(hole(CD_SLOT, leaf2(2 ** 30), { S2PS: 5 }), ['F_CD_FETCH']);
});

test('class TT: stage-2 faults of reading a stage-1 descriptor, at each level', (t) => {
  for (const slot of [ROOT, L2, L3]) {
    const ipa = (RAM_BASE + slot).toString(16);
    t.deepEqual(hole(slot, ZERO), [`F_TRANSLATION s2 TT ${ipa}`]);
    t.deepEqual(hole(slot, leaf2(RAM_BASE + slot, 3, { clear: BIT_S2AP_READ })), [`F_PERMISSION s2 TT ${ipa}`]);
    t.deepEqual(hole(slot, leaf2(2 ** 30)), ['F_WALK_EABT TT']);
    t.deepEqual(hole(slot, ZERO, { S2R: 0 }), ['abort']);
  }
});

test('class IN: the output of stage 1; and stage-1 faults of a nested stream are stage-1 faults', (t) => {
  const rig = nestedRig();
  rig.put(L3, 2, leaf(0x12));
  t.deepEqual(rig.at(2), ['F_TRANSLATION s2 IN 12']);
  t.deepEqual(rig.at(3), [FAULT]);
  rig.put(L3, 4, leaf(0x10, 3, { set: BIT_READ_ONLY }));
  t.deepEqual(rig.ask({ frame: 4, write: true }), ['F_PERMISSION']);
});

test('nested two-level CD table: the L1CD is fetched through stage 2, and the CD', (t) => {
  const build = (gone: number): Rig => started({}, (r) => {
    r.l1cd(SPARE + 3, 0, SPARE + 4);
    r.structure((SPARE + 4) * 512 + 8, cd(ASID, ROOT));
    r.put(ROOT2, RAM_ENTRY, table(SPARE + 1));
    r.put(SPARE + 1, 0, table(SPARE + 2));
    for (let i = 0; i < 64; i += 1) r.put(SPARE + 2, i, i === gone ? ZERO : leaf2(RAM_BASE + i));
    r.ste(0, nested(0, ROOT2, [VMID, { S1Fmt: 1, S1CDMax: 7, S1ContextPtr: (RAM_BASE + SPARE + 3) * 64 }]));
  });
  t.deepEqual(build(-1).ask({ ssid: 1 }), ['ok 20']);
  t.deepEqual(build(-1).ask({ ssid: 64 }), ['C_BAD_SUBSTREAMID']);
  t.deepEqual(build(SPARE + 3).ask({ ssid: 1 }), [`F_TRANSLATION s2 CD ${(RAM_BASE + SPARE + 3).toString(16)}`]);
  t.deepEqual(build(SPARE + 4).ask({ ssid: 1 }), [`F_TRANSLATION s2 CD ${(RAM_BASE + SPARE + 4).toString(16)}`]);
});

test('a stage-1 block over stage-2 pages: each page has its own answer', (t) => {
  const rig = nestedRig();
  rig.put(L2, 3, leaf(0, 2));
  t.deepEqual(rig.at(3 * 512 + 0x10), ['ok 20']);
  t.deepEqual(rig.at(3 * 512 + 0x11), ['ok 21']);
  t.deepEqual(rig.at(3 * 512 + 0x12), ['F_TRANSLATION s2 IN 12']);
  rig.clear(L2, 3);
  rig.batch({ ...cmd({ op: OP.TLBI_NH_VA, asid: ASID, vmid: VMID, frame: 3 * 512 }) });
  t.deepEqual(rig.at(3 * 512 + 0x11), [FAULT], 'any address of the block removes every piece');
});

test('an S12_VMALL of the VMID removes what a stage-2 pointer led to', (t) => {
  const rig = guarded();
  rig.clear(ROOT2, 0);
  t.deepEqual(rig.at(0x10), ['F_TRANSLATION s2 IN 10', 'ok 20']);
  rig.batch(s12(VMID));
  t.deepEqual(rig.at(0x10), ['F_TRANSLATION s2 IN 10']);
});
