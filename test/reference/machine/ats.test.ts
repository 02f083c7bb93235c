/**
 * ATS (IHI 0070 §3.9, §4.5.1): the table of outcomes of a Translation Request, what an endpoint's ATC may hold and for how long, and Translated
 * traffic with and without CR0.ATSCHK. And hardware updates of descriptors (§3.13), which Translation Requests make as well.
 */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { BIT_AF, BIT_READ_ONLY, BIT_S2AP_WRITE, BIT_UNPRIVILEGED, HI_APTABLE_READ_ONLY, HI_DBM } from '../../../src/spec/descriptor.js';
import { newCachedEntry } from '../../../src/stack/transaction.js';
import {
  ABORT, ASID, atcInv, BYPASS, cd, CD_SLOT, cfgiCd, cfgiSte, L2, L3, L32, leaf, leaf2, nested, nhAll, nhVa, RAM_ENTRY, Rig, ROOT, ROOT2, s12, s2Ipa, SPARE, stage1, stage2, started, STREAM_SLOT, SYNC, table, tables1, VMID, ZERO, type Setup, type Word,
} from './rig.js';

const FAULT = 'F_TRANSLATION';
const SPLIT = 2;

function made(setup: Setup, build: (rig: Rig) => void): Rig {
  const rig = started(setup, build);
  for (let sid = 0; sid < 8; sid += 1) rig.machine.setEndpoint(sid, true, true);
  return rig;
}

function ats(words: Uint32Array, setup: Setup = {}): Rig {
  return made(setup, (r) => { r.ste(0, words); });
}

function request(rig: Rig, frame: number, write = false): string[] {
  return rig.ask({ frame, write }, 'ats-request');
}

function use(rig: Rig, frame: number, write = false): string[] {
  return rig.ask({ frame, write }, 'translated');
}

test('requests that are refused: UR, with F_BAD_ATS_TREQ unless the STE aborts', (t) => {
  t.deepEqual(request(ats(ABORT), 0), ['ur']);
  t.deepEqual(request(ats(BYPASS), 0), ['ur F_BAD_ATS_TREQ']);
  t.deepEqual(request(ats(stage1(0)), 0), ['ur F_BAD_ATS_TREQ']);
  t.deepEqual(request(ats(stage1(0, { EATS: 3 })), 0), ['ur F_BAD_ATS_TREQ']);
  const off = ats(stage1(0, { EATS: 1 }));
  off.machine.setEndpoint(0, false, true);
  t.deepEqual(request(off, 0), ['none']);
});

test('configuration errors: CA, recorded with REC_CFG_ATS only', (t) => {
  const bad = stage1(0, { EATS: 1, STRW: 1 });
  t.deepEqual(request(ats(bad), 0), ['ca']);
  t.deepEqual(request(ats(bad, { recordAts: true }), 0), ['ca C_BAD_STE']);
  const two = stage1(0, { EATS: 1, S1CDMax: 1 });
  t.deepEqual(request(ats(two, { recordAts: true }), 0), ['ca F_STREAM_DISABLED']);
  t.deepEqual(ats(two, { recordAts: true }).ask({ ssid: 2 }, 'ats-request'), ['ca C_BAD_SUBSTREAMID']);
  t.deepEqual(ats(two, { recordAts: true }).ask({ sid: 9 }, 'ats-request'), ['none'], 'there is no such endpoint');
  const walk = made({ recordAts: true }, (r) => {
    r.cd(0, cd(ASID, 4096));
    r.ste(0, stage1(0, { EATS: 1 }));
  });
  t.deepEqual(request(walk, 0), ['ca F_WALK_EABT']);
});

test('a request beyond the stream table: CA, recorded with both bits', (t) => {
  for (const recordUnknown of [true, false]) {
    const rig = ats(stage1(0, { EATS: 1 }), { recordAts: true, recordUnknown });
    rig.machine.setEndpoint(9, true, true);
    t.deepEqual(rig.ask({ sid: 9 }, 'ats-request'), [recordUnknown ? 'ca C_BAD_STREAMID' : 'ca']);
  }
});

test('translation faults: Success without permissions and without a record', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }));
  t.deepEqual(request(rig, 9), ['ok 0 ']);
  t.deepEqual(request(rig, 2 ** 30), ['ok 0 ']);
  t.deepEqual(request(ats(stage2(ROOT2, VMID, { EATS: 1 })), 5), ['ok 0 ']);
  t.deepEqual(request(ats(nested(0, SPARE, [VMID, { EATS: 1 }])), 0), ['ok 0 '], 'the CD faults at stage 2');
});

test('a Success grants what the leaf allows', (t) => {
  const grant = (word: Word, privileged = false): string[] => made({}, (r) => {
    r.put(L3, 0, word);
    r.ste(0, stage1(0, { EATS: 1 }));
  }).ask({ privileged }, 'ats-request');
  t.deepEqual(grant(leaf(0x10)), ['ok 10 r', 'ok 10 rw'], 'a request for reading may get write access as well, or not');
  t.deepEqual(grant(leaf(0x10, 3, { set: BIT_READ_ONLY })), ['ok 10 r']);
  t.deepEqual(grant(leaf(0x10, 3, { clear: BIT_UNPRIVILEGED })), ['ok 0 ']);
  t.deepEqual(grant(leaf(0x10, 3, { clear: BIT_UNPRIVILEGED }), true), ['ok 10 r', 'ok 10 rw']);
  t.deepEqual(request(ats(stage1(0, { EATS: 1, S1CDMax: 1, S1DSS: 1 })), 0x77), ['ok 77 rw'], 'stage 1 bypassed: identity');
});

test('nested: full ATS gives the PA, split-stage ATS the IPA', (t) => {
  t.deepEqual(request(ats(nested(0, ROOT2, [VMID, { EATS: 1 }])), 0), ['ok 20 r', 'ok 20 rw']);
  t.deepEqual(request(ats(nested(0, ROOT2, [VMID, { EATS: SPLIT }])), 0), ['ok 10 r', 'ok 10 rw']);
});

test('Translated traffic: nothing in the ATC, ATSCHK = 0 unchecked, SMMUEN = 0 aborts', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }));
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  t.deepEqual(use(rig, 9), ['none']);
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 0), ['none', 'ok 10'], 'a stale ATC entry is direct access');
  rig.enable(false);
  t.deepEqual(use(rig, 0), ['abort', 'none']);
});

test('ATSCHK = 0 lets the IPA of a split-stage entry out as a PA', (t) => {
  t.deepEqual(use(ats(nested(0, ROOT2, [VMID, { EATS: SPLIT }])), 0), ['none', 'ok 10']);
});

test('ATSCHK = 1: the STE decides', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }), { atsChk: true });
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.word(STREAM_SLOT * 512, new Uint32Array(16), 1); // EATS = 0
  t.deepEqual(use(rig, 0), ['F_TRANSL_FORBIDDEN', 'none', 'ok 10']);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 0), ['F_TRANSL_FORBIDDEN', 'none']);
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 0), ['abort', 'none']);
  rig.word(STREAM_SLOT * 512, BYPASS, 0);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 0), ['F_TRANSL_FORBIDDEN', 'none']);
  rig.word(STREAM_SLOT * 512, new Uint32Array(16), 0);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 0), ['C_BAD_STE', 'none']);
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 0), ['none']);
});

test('ATSCHK = 1, split stage: the entry goes through stage 2', (t) => {
  const rig = ats(nested(0, ROOT2, [VMID, { EATS: SPLIT }]), { atsChk: true });
  t.deepEqual(use(rig, 0), ['none', 'ok 20']);
  rig.clear(L32, 0x10);
  rig.batch(s12(VMID));
  t.deepEqual(use(rig, 0), ['F_TRANSLATION s2 IN 10', 'none']);
});

test('ATSCHK = 1, two-level table moved away: what the lookup of the STE may end in', (t) => {
  const rig = new Rig({ split: 6, streamsLog2: 7, atsChk: true });
  tables1(rig);
  rig.cd(0, cd(ASID, ROOT));
  rig.l1std(STREAM_SLOT, 0, [SPARE, 7]);
  rig.structure(SPARE * 512, stage1(0, { EATS: 1 }));
  rig.start();
  rig.machine.setEndpoint(0, true, true);
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.clear(STREAM_SLOT, 0);
  rig.batch(cfgiSte(0, 0));
  t.deepEqual(use(rig, 0), ['C_BAD_STREAMID', 'none']);
  rig.l1std(STREAM_SLOT, 0, [4096, 7]);
  rig.batch(cfgiSte(0, 0));
  t.deepEqual(use(rig, 0), ['F_STE_FETCH', 'none']);
});

test('the ATC respects permissions and PASIDs', (t) => {
  const rig = made({}, (r) => {
    r.put(L3, 0, leaf(0x10, 3, { set: BIT_READ_ONLY }));
    r.cd(1, cd(2, ROOT));
    r.ste(0, stage1(0, { EATS: 1, S1CDMax: 1, S1DSS: 2 }));
  });
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  t.deepEqual(use(rig, 0, true), ['none']);
  t.deepEqual(rig.ask({ ssid: 1 }, 'translated'), ['none', 'ok 10']);
  t.deepEqual(rig.ask({ ssid: 0 }, 'translated'), ['none']);
  rig.clear(L3, 0);
  rig.batch(nhAll());
  rig.batch(atcInv(0, { ssv: 1, ssid: 1 }));
  t.deepEqual(rig.ask({ ssid: 1 }, 'translated'), ['none']);
  t.deepEqual(use(rig, 0), ['none', 'ok 10'], 'the entry without PASID stays');
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 0), ['none']);
});

test('an identity entry of S1DSS = 1 ends at the output size, and survives until ATC_INV', (t) => {
  const rig = ats(stage1(0, { EATS: 1, S1CDMax: 1, S1DSS: 1 }));
  t.deepEqual(use(rig, 2 ** 36 - 1), ['none', 'ok fffffffff']);
  t.deepEqual(use(rig, 2 ** 36), ['none']);
  rig.word(STREAM_SLOT * 512, stage1(0, { EATS: 1, S1CDMax: 1 }), 1);
  rig.batch(cfgiSte(0));
  t.deepEqual(use(rig, 5), ['none', 'ok 5']);
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 5), ['none']);
});

test('split stage with stage 1 bypassed: the entry holds the IPA', (t) => {
  const rig = ats(nested(0, ROOT2, [VMID, { EATS: SPLIT, S1CDMax: 1, S1DSS: 1 }]));
  t.deepEqual(request(rig, 0x10, true), ['ok 10 rw']);
  t.deepEqual(use(rig, 0x10), ['none', 'ok 10']);
  const full = ats(nested(0, ROOT2, [VMID, { EATS: 1, S1CDMax: 1, S1DSS: 1 }]));
  t.deepEqual(use(full, 0x10), ['none', 'ok 20']);
});

test('stage 2 changes under split-stage ATS need ATC_INV too', (t) => {
  const rig = ats(nested(0, ROOT2, [VMID, { EATS: SPLIT }]));
  rig.clear(L32, 0x10);
  rig.batch(s12(VMID));
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 0), ['none']);
});

test('stage 2 alone with ATS', (t) => {
  const rig = ats(stage2(ROOT2, VMID, { EATS: 1 }));
  t.deepEqual(request(rig, 0x10, true), ['ok 20 rw']);
  rig.clear(L32, 0x10);
  rig.batch(s2Ipa(VMID, 0x10));
  t.deepEqual(use(rig, 0x10), ['none', 'ok 20']);
  rig.batch(atcInv(0, { frame: 0x10, size: 0 }));
  t.deepEqual(use(rig, 0x10), ['none']);
});

test('ATC_INV while it can be asked for again, while SMMUEN is 0, while ATS is off: nothing goes', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }));
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  rig.enable(false);
  rig.batch(atcInv(0));
  rig.enable();
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.machine.setEndpoint(0, false, true);
  t.deepEqual(use(rig, 0), ['none'], 'it sends nothing');
  rig.batch(atcInv(0));
  rig.machine.setEndpoint(0, true, true);
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
  rig.batch(atcInv(0));
  t.deepEqual(use(rig, 0), ['none']);
});

test('ATS goes off while an ATC_INV is outstanding: it need not remove anything', (t) => {
  for (const off of [false, true]) {
    const rig = ats(stage1(0, { EATS: 1 }));
    rig.clear(L3, 0);
    rig.batch(nhVa(ASID, 0));
    t.deepEqual(use(rig, 0), ['none', 'ok 10']);
    rig.publish(0, atcInv(0));
    if (off) rig.machine.setEndpoint(0, false, true);
    rig.publish(0, SYNC);
    rig.finish();
    rig.machine.setEndpoint(0, true, true);
    t.deepEqual(use(rig, 0), off ? ['none', 'ok 10'] : ['none']);
  }
});

test('ATS off and on at the endpoint: what it held stays, though it could be asked for no more', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }));
  rig.machine.setEndpoint(0, false, true);
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  rig.machine.setEndpoint(0, true, true);
  t.deepEqual(use(rig, 0), ['none', 'ok 10']);
});

test('a concrete ATC entry is held while it may be', (t) => {
  const rig = ats(stage1(0, { EATS: 1 }));
  const entry = { ...newCachedEntry(), kind: 'atc' as const, sid: 0, ssid: -1, frame: 0, frames: 1, target: 0x10, canRead: true, canWrite: true };
  t.true(rig.machine.holds(entry));
  t.false(rig.machine.holds({ ...entry, target: 0x11 }));
  t.false(rig.machine.holds({ ...entry, ssid: 1 }));
  t.false(rig.machine.holds({ ...entry, frames: 2 }));
  t.false(rig.machine.holds({ ...entry, sid: 1 }));
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  t.true(rig.machine.holds(entry));
  rig.batch(atcInv(0));
  t.false(rig.machine.holds(entry));
});

// ---- hardware updates (§3.13) -------------------------------------------------------------------------------------------------------------

/** Stage 1 with hardware update and a clean writable leaf. */
function clean(fields: Parameters<typeof cd>[2], tableBits = 0): Rig {
  return made({}, (r) => {
    r.put(L2, 0, table(L3, tableBits));
    r.put(L3, 0, leaf(0x10, 3, { set: BIT_READ_ONLY, hi: HI_DBM }));
    r.cd(0, cd(ASID, ROOT, fields));
    r.ste(0, stage1(0, { EATS: 1 }));
  });
}

test('a write through DBM: allowed with HA and HD only, and not under APTable', (t) => {
  t.deepEqual(clean({ HA: 1, HD: 1 }).ask({ write: true }), ['ok 10']);
  t.deepEqual(clean({ HA: 1 }).ask({ write: true }), ['F_PERMISSION']);
  t.deepEqual(clean({ HD: 1 }).ask({ write: true }), ['F_PERMISSION']);
  t.deepEqual(clean({ HA: 1, HD: 1 }, HI_APTABLE_READ_ONLY).ask({ write: true }), ['F_PERMISSION']);
  t.deepEqual(clean({ HA: 1, HD: 1 }).ask({}), ['ok 10']);
});

test('a clean leaf that changed cannot be marked: the write walks again', (t) => {
  const rig = clean({ HA: 1, HD: 1 });
  rig.clear(L3, 0);
  t.deepEqual(rig.ask({ write: true }), [FAULT]);
  t.deepEqual(rig.ask({}), [FAULT, 'ok 10']);
});

test('ATS and clean pages: write only when it is asked for', (t) => {
  const rig = clean({ HA: 1, HD: 1 });
  t.deepEqual(request(rig, 0), ['ok 10 r']);
  t.deepEqual(request(rig, 0, true), ['ok 10 rw']);
  rig.clear(L3, 0);
  t.deepEqual(request(rig, 0, true), ['ok 0 ']);
});

test('stage 2 hardware update', (t) => {
  const rig = (more: Parameters<typeof stage2>[2]): Rig => made({}, (r) => {
    r.put(L32, 0x10, leaf2(0x20, 3, { clear: BIT_S2AP_WRITE, hi: HI_DBM }));
    r.ste(0, stage2(ROOT2, VMID, more));
  });
  t.deepEqual(rig({ S2HA: 1, S2HD: 1 }).ask({ frame: 0x10, write: true }), ['ok 20']);
  t.deepEqual(rig({}).ask({ frame: 0x10, write: true }), ['F_PERMISSION s2 IN 10']);
  const stale = rig({ S2HA: 1, S2HD: 1 });
  stale.clear(L32, 0x10);
  t.deepEqual(stale.ask({ frame: 0x10, write: true }), ['F_TRANSLATION s2 IN 10']);
});

/** Nested, HA and HD; the page of the last stage-1 table is read-only at stage 2; `word` stands there for VA 0. */
function sealed(word: Word): Rig {
  return made({}, (r) => {
    r.put(L3, 0, word);
    r.put(ROOT2, RAM_ENTRY, table(SPARE + 1));
    r.put(SPARE + 1, 0, table(SPARE + 2));
    for (let i = 0; i < 64; i += 1) r.put(SPARE + 2, i, leaf2(RAM_BASE + i, 3, i === L3 ? { clear: BIT_S2AP_WRITE } : {}));
    r.cd(0, cd(ASID, ROOT, { HA: 1, HD: 1 }));
    r.ste(0, nested(0, ROOT2, [VMID, {}]));
  });
}

test('nested: stage 2 must let the SMMU write to the descriptor', (t) => {
  const ipa = (RAM_BASE + L3).toString(16);
  t.deepEqual(sealed(leaf(0x10)).ask({ write: true }), ['ok 20']);
  t.deepEqual(sealed(leaf(0x10, 3, { clear: BIT_AF })).ask({}), [`F_PERMISSION s2 TT ${ipa}`]);
  t.deepEqual(sealed(leaf(0x10, 3, { set: BIT_READ_ONLY, hi: HI_DBM })).ask({ write: true }), [`F_PERMISSION s2 TT ${ipa}`]);
  t.deepEqual(sealed(leaf(0x10, 3, { set: BIT_READ_ONLY, hi: HI_DBM })).ask({}), ['ok 20']);
});

test('with HA the access flag is no part of the fact: set and clear are one leaf', (t) => {
  const rig = clean({ HA: 1 });
  rig.put(L3, 0, leaf(0x10, 3, { set: BIT_READ_ONLY, clear: BIT_AF, hi: HI_DBM }));
  rig.put(L3, 0, leaf(0x10, 3, { set: BIT_READ_ONLY, hi: HI_DBM }));
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT]);
});

test('what the SMMU may itself write', (t) => {
  const may = (rig: Rig, old: Word, now: Word, slot = L3): boolean => rig.machine.mayUpdate(slot * 512, [old.lo, old.hi], [now.lo, now.hi]);
  const dbm = (bits: Parameters<typeof leaf>[2]): Word => leaf(0x10, 3, { hi: HI_DBM, ...bits });
  const both = clean({ HA: 1, HD: 1 });
  const cleanLeaf = dbm({ set: BIT_READ_ONLY });
  t.true(may(both, leaf(0x10, 3, { clear: BIT_AF }), leaf(0x10)));
  t.false(may(both, leaf(0x10), leaf(0x10, 3, { clear: BIT_AF })), 'AF is never cleared');
  t.true(may(both, cleanLeaf, dbm({})));
  t.true(may(both, dbm({ set: BIT_READ_ONLY, clear: BIT_AF }), dbm({})));
  t.false(may(both, dbm({ set: BIT_READ_ONLY, clear: BIT_AF }), dbm({ clear: BIT_AF })), 'dirty without accessed');
  t.false(may(both, leaf(0x10, 3, { set: BIT_READ_ONLY }), leaf(0x10)), 'no DBM');
  t.false(may(both, cleanLeaf, leaf(0x10)), 'DBM is never touched');
  t.false(may(both, cleanLeaf, dbm({}), SPARE), 'not a table');
  t.false(may(both, ZERO, leaf(0x10)));
  t.false(may(clean({ HA: 1 }), cleanLeaf, dbm({})), 'HD = 0');
  t.false(may(clean({}), leaf(0x10, 3, { clear: BIT_AF }), leaf(0x10)), 'HA = 0');
  t.false(may(clean({ HA: 1, HD: 1 }, HI_APTABLE_READ_ONLY), cleanLeaf, dbm({})), 'APTable took the write away');
  t.false(may(sealed(leaf(0x10, 3, { clear: BIT_AF })), leaf(0x10, 3, { clear: BIT_AF }), leaf(0x10)), 'stage 2 forbids it');
  both.enable(false);
  t.false(may(both, cleanLeaf, dbm({})), 'SMMUEN = 0');
});

test('what the SMMU may itself write at stage 2, and no more when nothing leads there', (t) => {
  const rig = made({}, (r) => { r.ste(0, stage2(ROOT2, VMID, { S2HA: 1, S2HD: 1 })); });
  const old = leaf2(0x20, 3, { clear: BIT_S2AP_WRITE, hi: HI_DBM });
  const now = leaf2(0x20, 3, { hi: HI_DBM });
  const ref = L32 * 512 + 0x10;
  t.true(rig.machine.mayUpdate(ref, [old.lo, old.hi], [now.lo, now.hi]));
  t.false(rig.machine.mayUpdate(ref, [now.lo, now.hi], [old.lo, old.hi]));
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(cfgiSte(0));
  t.true(rig.machine.mayUpdate(ref, [old.lo, old.hi], [now.lo, now.hi]), 'cached pointers still lead there');
  rig.batch(s12(VMID));
  t.false(rig.machine.mayUpdate(ref, [old.lo, old.hi], [now.lo, now.hi]));
});

test('the root of a regime that nothing supports is not written to', (t) => {
  const rig = made({}, (r) => {
    r.put(ROOT, 1, leaf(2 ** 18, 1, { clear: BIT_AF }));
    r.cd(0, cd(ASID, ROOT, { HA: 1 }));
    r.ste(0, stage1(0));
  });
  const [old, now] = [leaf(2 ** 18, 1, { clear: BIT_AF }), leaf(2 ** 18, 1)];
  t.true(rig.machine.mayUpdate(ROOT * 512 + 1, [old.lo, old.hi], [now.lo, now.hi]));
  rig.word(CD_SLOT * 512, cd(ASID, ROOT, { V: 0 }), 0);
  rig.batch(cfgiCd(0));
  t.false(rig.machine.mayUpdate(ROOT * 512 + 1, [old.lo, old.hi], [now.lo, now.hi]));
});
