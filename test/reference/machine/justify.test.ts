/**
 * The justification rule on its examples (IHI 0070 §3.21.1, §4.3.6, §4.7.3): what a SYNC leaves, seen through the answers that are permitted
 * afterwards. Each example stands beside the one in which the same commands, ordered by a SYNC or with another field, do work.
 */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import { OP, type Command } from '../../../src/spec/command.js';
import { firstMoment } from '../../../src/reference/machine/justify.js';
import {
  ABORT, ASID, atcInv, cd, CD_SLOT, cfgiCd, cfgiSte, cmd, connected, guarded, L2, L22, L3, L32, leaf, leaf2, nestedRig, nhAll, nhAsid, nhVa, RAM_ENTRY, ROOT, ROOT2, s12, s2Ipa, SPARE, stage1, STREAM_SLOT, SYNC, table, VMID, type Rig,
} from './rig.js';

const FAULT = 'F_TRANSLATION';

test('the first moment in segments', (t) => {
  t.is(firstMoment([2, 8], [5, Infinity], 0), 2);
  t.is(firstMoment([2, 8], [5, Infinity], 4), 4);
  t.is(firstMoment([2, 8], [5, Infinity], 5), 8);
  t.is(firstMoment([2, 8], [5, 9], 9), Infinity);
});

test('an unmapped page stays until TLBI and SYNC', (t) => {
  const rig = connected();
  t.deepEqual(rig.at(0), ['ok 10']);
  rig.clear(L3, 0);
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  rig.publish(0, nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT, 'ok 10'], 'consumed is not complete');
  rig.batch();
  t.deepEqual(rig.at(0), [FAULT]);
});

test('a new mapping needs nothing', (t) => {
  const rig = connected();
  t.deepEqual(rig.at(5), [FAULT]);
  rig.put(L3, 5, leaf(0x15));
  t.deepEqual(rig.at(5), ['ok 15']);
});

/** The table page L3 is unlinked while its leaves still stand in it. */
function unlinked(): Rig {
  const rig = connected();
  rig.clear(L2, 0);
  return rig;
}

test('Leaf = 0 frees a table and its leaves in one command; Leaf = 1 leaves the pointer, and the leaves come back', (t) => {
  const rig = unlinked();
  rig.batch(nhVa(ASID, 0, { leaf: 1 }));
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  t.regex(rig.machine.pointsTo(L3) ?? '', /table descriptor of stage 1, level 2/);
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT]);
  t.is(rig.machine.pointsTo(L3), null);
});

test('a range of leaves with one Leaf = 0 address: leaves elsewhere in the table that was not emptied come back before the pointer goes', (t) => {
  const rig = unlinked();
  rig.batch(nhVa(ASID, 0, { leaf: 1, tg: 1, num: 1 }), nhVa(ASID, 5));
  t.deepEqual(rig.at(0), [FAULT, 'ok 10'], 'the range may act first, the pointer rebuilds the leaf, then goes itself');
  t.is(rig.machine.pointsTo(L3), null);
  const emptied = connected();
  emptied.clear(L3, 0);
  emptied.clear(L3, 1);
  emptied.clear(L2, 0);
  emptied.batch(nhVa(ASID, 0, { leaf: 1, tg: 1, num: 1 }), nhVa(ASID, 5));
  t.deepEqual(emptied.at(0), [FAULT]);
});

test('stores into a page that a stale pointer still leads to are seen', (t) => {
  const rig = unlinked();
  rig.put(L3, 7, leaf(0x17));
  t.deepEqual(rig.at(7), [FAULT, 'ok 17']);
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(7), [FAULT, 'ok 17'], 'the leaf was cached under an address that the command did not name');
  rig.batch(nhVa(ASID, 7));
  t.deepEqual(rig.at(7), [FAULT]);
});

test('a pointer that is unlinked and linked again has two segments: only a command visible in between retires nothing', (t) => {
  const rig = connected();
  rig.clear(L2, 0);
  rig.publish(0, nhVa(ASID, 0));
  rig.put(L2, 0, table(L3));
  rig.clear(L2, 0);
  rig.publish(0, SYNC);
  rig.finish();
  t.deepEqual(rig.at(0), [FAULT, 'ok 10'], 'it was there again after the command was visible');
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT]);
});

test('the same leaf by two ways is two facts: both must go', (t) => {
  const rig = connected();
  rig.put(SPARE, 0, leaf(0x10)); // another level-3 page with the same word
  rig.put(L2, 0, table(SPARE));
  rig.clear(SPARE, 0);
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT]);
});

test('S2_IPA and NH_ALL in one batch leave the combined entry; with a SYNC between they do not', (t) => {
  const rig = nestedRig();
  t.deepEqual(rig.at(0), ['ok 20']);
  rig.put(L32, 0x10, leaf2(0x30));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 30']);
  rig.batch(s2Ipa(VMID, 0x10), nhAll(VMID));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 30'], 'NH_ALL first, rebuilt from the stale stage-2 entry');
  rig.batch(nhAll(VMID));
  t.deepEqual(rig.at(0), ['ok 30']);
  const ordered = nestedRig();
  ordered.put(L32, 0x10, leaf2(0x30));
  ordered.batch(s2Ipa(VMID, 0x10));
  t.deepEqual(ordered.at(0), ['ok 20', 'ok 30'], 'S2_IPA alone leaves the combined entry');
  ordered.batch(nhAll(VMID));
  t.deepEqual(ordered.at(0), ['ok 30']);
});

test('S12_VMALL alone removes stage-2 and combined entries at once', (t) => {
  const rig = nestedRig();
  rig.put(L32, 0x10, leaf2(0x30));
  rig.batch(s12(VMID));
  t.deepEqual(rig.at(0), ['ok 30']);
});

test('NH_ALL alone leaves the stage-2 entry, which rebuilds the combined one', (t) => {
  const rig = nestedRig();
  rig.put(L32, 0x10, leaf2(0x30));
  rig.batch(nhAll(VMID));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 30']);
});

test('stage 2 alone: S2_IPA is enough, NH_ALL is nothing', (t) => {
  const rig = guarded();
  t.deepEqual(rig.at(0x10), ['ok 20']);
  rig.put(L32, 0x10, leaf2(0x30));
  rig.batch(nhAll(VMID));
  t.deepEqual(rig.at(0x10), ['ok 20', 'ok 30']);
  rig.batch(s2Ipa(VMID + 1, 0x10));
  t.deepEqual(rig.at(0x10), ['ok 20', 'ok 30']);
  rig.batch(s2Ipa(VMID, 0x10));
  t.deepEqual(rig.at(0x10), ['ok 30']);
});

test('a nested stage-1 table pointer holds a PA: after a stage-2 remap of the table page S2_IPA leaves it', (t) => {
  const rig = nestedRig();
  rig.put(SPARE, 0, leaf(0x11)); // the new home of the level-3 page
  rig.put(ROOT2, RAM_ENTRY, table(SPARE + 1));
  rig.put(SPARE + 1, 0, table(SPARE + 2));
  for (let i = 0; i < 64; i += 1) rig.put(SPARE + 2, i, leaf2(RAM_BASE + (i === L3 ? SPARE : i)));
  rig.batch(s2Ipa(VMID, RAM_BASE));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 21']);
  rig.batch(cfgiCd(0), s2Ipa(VMID, RAM_BASE));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 21']);
  rig.batch(nhAll(VMID));
  t.deepEqual(rig.at(0), ['ok 21']);
});

test('a CD fetched through stage 2 is one more thing: CFGI_CD with S2_IPA leaves it, after S2_IPA it removes it', (t) => {
  /** The page of the CDs is mapped elsewhere: its new place holds a CD of ASID 2 on an empty root. */
  const moved = (): Rig => {
    const rig = nestedRig();
    const page = SPARE + 3;
    const words = cd(2, SPARE + 4);
    for (let i = 0; i < 8; i += 1) rig.word(page * 512, words, i);
    rig.put(ROOT2, RAM_ENTRY, table(SPARE + 1));
    rig.put(SPARE + 1, 0, table(SPARE + 2));
    for (let i = 0; i < 64; i += 1) rig.put(SPARE + 2, i, leaf2(RAM_BASE + (i === 4 ? page : i)));
    return rig;
  };
  const rig = moved();
  t.deepEqual(rig.at(0), [FAULT, 'ok 20']);
  rig.batch(cmd({ op: OP.CFGI_CD_ALL, sid: 0 }), s2Ipa(VMID, RAM_BASE));
  t.deepEqual(rig.at(0), [FAULT, 'ok 20'], 'the stale stage-2 leaf fetched the CD once more');
  rig.batch(cmd({ op: OP.CFGI_CD_ALL, sid: 0 }));
  t.deepEqual(rig.at(0), [FAULT]);
});

test('TLBI before CFGI when an ASID is swapped leaves entries of the old ASID; CFGI, SYNC, TLBI does not', (t) => {
  const back = (rig: Rig): string[] => { // the old ASID is used again for empty tables
    rig.cd(1, cd(ASID, SPARE));
    rig.ste(1, stage1(1));
    rig.batch(cfgiSte(1));
    return rig.at(0, 1);
  };
  const wrong = connected();
  wrong.word(4 * 512, cd(2, ROOT), 0);
  wrong.batch(nhAsid(ASID), cfgiCd(0));
  t.deepEqual(back(wrong), [FAULT, 'ok 10']);
  const right = connected();
  right.word(4 * 512, cd(2, ROOT), 0);
  right.batch(cfgiCd(0));
  right.batch(nhAsid(ASID));
  t.deepEqual(back(right), [FAULT]);
});

test('orphans: without support the facts of a tag stay, cannot come back, and are hit when the tag is used again', (t) => {
  const rig = connected();
  rig.ste(0, ABORT);
  rig.batch(cfgiSte(0));
  t.deepEqual(rig.at(0), ['abort']);
  rig.cd(1, cd(ASID, SPARE));
  rig.ste(1, stage1(1));
  rig.batch(cfgiSte(1));
  t.deepEqual(rig.at(0, 1), [FAULT, 'ok 10'], 'another stream with the tag hits them');
  rig.batch(nhVa(ASID, 1));
  t.deepEqual(rig.at(1, 1), [FAULT]);
  rig.batch(nhAsid(ASID));
  t.deepEqual(rig.at(0, 1), [FAULT]);
});

test('shared tags: while one stream supports them, the facts of a regime come back', (t) => {
  const rig = connected();
  rig.cd(1, cd(ASID, ROOT));
  rig.ste(1, stage1(1));
  rig.batch(cfgiSte(1));
  rig.ste(0, ABORT);
  rig.batch(cfgiSte(0));
  rig.batch(nhAsid(ASID));
  t.deepEqual(rig.at(0, 1), ['ok 10']);
  rig.ste(1, ABORT);
  rig.batch(nhAsid(ASID), cfgiSte(1));
  rig.cd(2, cd(ASID, SPARE));
  rig.ste(2, stage1(2));
  rig.batch(cfgiSte(2));
  t.deepEqual(rig.at(0, 2), [FAULT, 'ok 10'], 'the TLBI acted before the CFGI');
});

test('one CD table of two streams: each stream has its own copy', (t) => {
  const rig = connected();
  rig.ste(1, stage1(0));
  rig.batch(cfgiSte(1));
  rig.word(CD_SLOT * 512, cd(ASID, ROOT, { V: 0 }), 0);
  rig.batch(cfgiCd(0));
  t.deepEqual(rig.at(0, 0), ['C_BAD_CD']);
  t.deepEqual(rig.at(0, 1), ['C_BAD_CD', 'ok 10']);
  rig.batch(cfgiCd(1));
  t.deepEqual(rig.at(0, 1), ['C_BAD_CD']);
});

test('TLBI and ATC_INV in one batch leave the ATC entry; with a SYNC between they do not', (t) => {
  const go = (...batches: readonly (readonly Command[])[]): string[] => {
    const rig = connected({ atsChk: false });
    rig.ste(0, stage1(0, { EATS: 1 }));
    rig.batch(cfgiSte(0));
    rig.machine.setEndpoint(0, true, true);
    t.deepEqual(rig.ask({ frame: 0 }, 'translated'), ['none', 'ok 10']);
    rig.clear(L3, 0);
    for (const b of batches) rig.batch(...b);
    return rig.ask({ frame: 0 }, 'translated');
  };
  t.deepEqual(go([nhVa(ASID, 0)]), ['none', 'ok 10'], 'TLBI is nothing to an ATC');
  t.deepEqual(go([nhVa(ASID, 0), atcInv(0)]), ['none', 'ok 10']);
  t.deepEqual(go([atcInv(0)], [nhVa(ASID, 0)]), ['none', 'ok 10']);
  t.deepEqual(go([nhVa(ASID, 0)], [atcInv(0)]), ['none']);
  t.deepEqual(go([nhVa(ASID, 0)], [atcInv(0, { frame: 1, size: 0 })]), ['none', 'ok 10']);
});

test('a store that is visible only after the TLBI leaves the old leaf', (t) => {
  const rig = connected();
  rig.publish(0, nhVa(ASID, 0));
  rig.clear(L3, 0);
  rig.publish(0, SYNC);
  rig.finish();
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
});

test('a SYNC that software has not seen may already be complete: a TLBI behind it acts from its publication on', (t) => {
  const rig = connected();
  rig.publish(0, SYNC, nhVa(ASID, 0), SYNC);
  rig.clear(L3, 0);
  rig.finish();
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
});

test('two queues: a SYNC covers the commands of its own queue only', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  rig.publish(1, nhVa(ASID, 0));
  rig.batch();
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  rig.publish(1, SYNC);
  rig.finish(0);
  t.deepEqual(rig.at(0), [FAULT, 'ok 10']);
  rig.finish(1);
  t.deepEqual(rig.at(0), [FAULT]);
});

test('two queues: a TLBI that may act before the CFGI of the other queue does not retire what a stale STE rebuilt', (t) => {
  const rig = connected();
  rig.ste(0, ABORT);
  rig.publish(1, nhAsid(ASID)); // visible now
  rig.batch(cfgiSte(0)); // until its SYNC the STE may be used, and the leaf cached again
  rig.publish(1, SYNC);
  rig.finish(1);
  rig.cd(1, cd(ASID, SPARE));
  rig.ste(1, stage1(1));
  rig.batch(cfgiSte(1));
  t.deepEqual(rig.at(0, 1), [FAULT, 'ok 10']);
});

test('one queue: what its SYNC removed cannot have justified a command behind that SYNC, though both were published at once', (t) => {
  const rig = connected();
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.publish(0, cfgiSte(0), SYNC, nhAsid(ASID), SYNC);
  rig.finish();
  rig.cd(1, cd(ASID, SPARE));
  rig.ste(1, stage1(1));
  rig.batch(cfgiSte(1));
  t.deepEqual(rig.at(0, 1), [FAULT]);
});

test('one member of a contiguous run cleared: the others keep the run-sized fact', (t) => {
  const rig = connected();
  const CONTIGUOUS = { hi: 1 << 20 };
  for (let i = 16; i < 32; i += 1) rig.put(L3, i, leaf(0x100 + i, 3, CONTIGUOUS));
  rig.clear(L3, 20);
  rig.batch(nhVa(ASID, 20));
  t.deepEqual(rig.at(20), [FAULT, 'ok 114'], 'each neighbour derives the whole run');
  for (let i = 16; i < 32; i += 1) rig.put(L3, i, i === 20 ? { lo: 0, hi: 0 } : leaf(0x100 + i));
  rig.batch(nhVa(ASID, 16, { tg: 1, num: 15 }));
  t.deepEqual(rig.at(20), [FAULT]);
});

test('a run goes without the member that made it, and comes back with its word although that member stayed', (t) => {
  const rig = connected();
  const word = leaf(0x110, 3, { hi: 1 << 20 });
  rig.put(L3, 16, word);
  t.deepEqual(rig.at(20), [FAULT, 'ok 114']);
  rig.clear(L3, 16);
  rig.batch(nhVa(ASID, 17));
  t.deepEqual(rig.at(20), [FAULT], 'the run covers page 17');
  t.deepEqual(rig.at(16), [FAULT, 'ok 110'], 'its member does not');
  rig.put(L3, 16, word);
  t.deepEqual(rig.at(16), ['ok 110']);
  t.deepEqual(rig.at(20), [FAULT, 'ok 114']);
});

test('break-before-make: a table in the place of a block; both may be cached until one TLBI removes both', (t) => {
  const rig = connected();
  rig.put(L2, 1, leaf(0x400, 2));
  rig.put(SPARE, 3, leaf(0x999));
  rig.put(L2, 1, table(SPARE));
  t.deepEqual(rig.at(0x203), ['ok 403', 'ok 999']);
  rig.batch(nhVa(ASID, 0x200, { tg: 1, ttl: 3, num: 3 }));
  t.deepEqual(rig.at(0x203), ['ok 403', 'ok 999'], 'a hint of level 3 spares the block');
  rig.batch(nhVa(ASID, 0x200));
  t.deepEqual(rig.at(0x203), ['ok 999']);
});

test('stage-2 tables: Leaf = 1 leaves the pointer to a freed table', (t) => {
  const rig = guarded();
  rig.clear(L22, 0);
  rig.batch(s2Ipa(VMID, 0x10, { leaf: 1 }));
  t.deepEqual(rig.at(0x10), ['F_TRANSLATION s2 IN 10', 'ok 20']);
  rig.batch(s2Ipa(VMID, 0x10));
  t.deepEqual(rig.at(0x10), ['F_TRANSLATION s2 IN 10']);
});

test('a root entry of stage 1 cleared: NH_VA of one address leaves what other addresses cached below', (t) => {
  const rig = connected();
  rig.clear(ROOT, 0);
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(rig.at(0), [FAULT]);
  t.deepEqual(rig.at(1), [FAULT, 'ok 11']);
});

test('a VMID is compared: commands of another leave everything', (t) => {
  const rig = nestedRig();
  rig.put(L3, 0, leaf(0x11));
  rig.batch(nhAll(0), nhAsid(ASID, 0), nhVa(ASID, 0));
  t.deepEqual(rig.at(0), ['ok 20', 'ok 21']);
  rig.batch(nhAll(VMID));
  t.deepEqual(rig.at(0), ['ok 21']);
});

test('the support of a nested stream is an STE and a CD: TLBI without CFGI of a detached stream rebuilds everything', (t) => {
  const rig = nestedRig();
  rig.word(STREAM_SLOT * 512, ABORT, 0);
  rig.batch(s12(VMID));
  t.deepEqual(rig.at(0), ['abort', 'ok 20']);
  rig.batch(cfgiSte(0));
  t.deepEqual(rig.at(0), ['abort']);
});

test('the tables of the streams stay as they are: no page outside of them is pointed to', (t) => {
  const rig = connected();
  t.is(rig.machine.pointsTo(SPARE), null);
  t.regex(rig.machine.pointsTo(ROOT) ?? '', /base of the tables of asid 1/);
  t.regex(rig.machine.pointsTo(L2) ?? '', /level 1/);
  t.truthy(rig.machine.pointsTo(4));
});

test('a level-2 block freed in pieces: each TLBI of one of its addresses removes the block', (t) => {
  const rig = connected();
  rig.put(L2, 2, leaf(0x800, 2));
  rig.clear(L2, 2);
  rig.batch(nhVa(ASID, 0x5ff, { leaf: 1 }));
  t.deepEqual(rig.at(0x400), [FAULT]);
});
