/** Stories: what made a fact stale, what each command since did to it, and what could rebuild it; told by a machine that keeps a trace. */
import test from 'ava';
import type { Fact } from '../../../src/reference/machine/facts.js';
import { describeCommand } from '../../../src/spec/command.js';
import { newAnswer, newCachedEntry, newTransaction } from '../../../src/stack/transaction.js';
import { ASID, cd, cfgiCd, cfgiSte, connected, guarded, L2, L3, L32, leaf, nestedRig, nhAll, nhAsid, nhVa, s12, s2Ipa, VMID, ABORT, ste, ROOT, type Rig } from './rig.js';

const at = (time: number): string => `t${time}`;

/** The story of the first answer with this frame, times left out. */
function told(rig: Rig, frame: number, out: number): { lines: string[]; remedies: string[] } {
  const found: (readonly Fact[])[] = [];
  rig.machine.permitted('access', { ...newTransaction(), sid: 0, frame }, (a, _, facts) => {
    if (a.kind === 0 && a.frame === out) found.push(facts);
    return false;
  });
  if (found[0] === undefined) return { lines: ['not permitted'], remedies: [] };
  const { lines, remedies } = rig.machine.tell(found[0], at, found.flat());
  return { lines: lines.map((l) => l.replaceAll(/\bt\d+\b/g, 't')), remedies: remedies.map((r) => r.map(describeCommand).join('; ')) };
}

function remembering(rig: Rig): Rig {
  rig.machine.remember();
  return rig;
}

const S1 = 'stage-1 leaf {EL1 vmid 0 asid 1 0x0 -> 0x10000 level 3}';
const S2 = 'stage-2 leaf {vmid 3 0x10000 -> 0x20000 level 3}';

test('nothing is kept, and nothing told, unless it is asked for', (t) => {
  const rig = connected();
  rig.clear(L3, 0);
  t.is(rig.machine.trace, null);
  t.deepEqual(told(rig, 0, 0x10), { lines: [], remedies: [] });
});

test('a command with another ASID', (t) => {
  const rig = remembering(connected());
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID + 1, 0));
  t.deepEqual(told(rig, 0, 0x10), {
    lines: [`t made the ${S1} stale: its descriptor changed`, 't TLBI_NH_VA vmid 0 asid 2 va 0x0: names asid 2, not 1', '1 CMD_SYNC completed since, and it does not retire it'],
    remedies: ['TLBI_NH_VA vmid 0 asid 1 va 0x0 leaf', 'TLBI_NH_ASID vmid 0 asid 1', 'TLBI_NH_ALL vmid 0'],
  });
});

test('no command at all, one without a SYNC, and one before the store', (t) => {
  const rig = remembering(connected());
  rig.clear(L3, 0);
  t.deepEqual(told(rig, 0, 0x10).lines.slice(1), ['no command that invalidates went out since', 'no CMD_SYNC completed since, so nothing is retired']);
  rig.publish(0, nhAsid(ASID));
  t.deepEqual(told(rig, 0, 0x10).lines.slice(1), ['t TLBI_NH_ASID vmid 0 asid 1: names it, but no CMD_SYNC of its queue completed behind it', 'no CMD_SYNC completed since, so nothing is retired']);
  const early = remembering(connected());
  early.batch(nhAsid(ASID));
  early.clear(L3, 0);
  t.deepEqual(told(early, 0, 0x10).lines.slice(1, 2), ['t TLBI_NH_ASID vmid 0 asid 1: names it too early: it was read again from memory until t']);
  const between = remembering(connected());
  between.publish(0, nhAsid(ASID));
  between.clear(L3, 0);
  between.batch();
  t.deepEqual(told(between, 0, 0x10).lines.slice(1), ['t TLBI_NH_ASID vmid 0 asid 1: names it too early: the SMMU could act on it before t, and then read the old word again', '1 CMD_SYNC completed since, and it does not retire it']);
});

test('both stages in one batch: the combined leaf is rebuilt from the stage-2 leaf', (t) => {
  const rig = remembering(nestedRig());
  rig.clear(L32, 0x10);
  rig.batch(s2Ipa(VMID, 0x10), nhAll(VMID));
  const { lines } = told(rig, 0, 0x20);
  t.is(lines[0], `t made the ${S2} stale: its descriptor changed`);
  t.regex(lines[1] ?? '', /^the combined leaf .* was derived from it$/);
  t.regex(lines[2] ?? '', /need not remove entries that combine both stages/);
  t.is(lines[3], 't TLBI_NH_ALL vmid 3: names it, but it can be rebuilt from that stage-2 leaf, which only TLBI_S2_IPA vmid 3 ipa 0x10000 of the same batch names: without a CMD_SYNC between the two may act in any order (§4.7.3)');
  t.is(lines.length, 5);
});

test('a premise that nothing names has a section of its own, and the remedies name both', (t) => {
  const rig = remembering(nestedRig());
  rig.clear(L32, 0x10);
  rig.batch(s2Ipa(VMID, 0x11), nhAll(VMID));
  const { lines, remedies } = told(rig, 0, 0x20);
  const text = lines.join('\n');
  t.regex(text, /need not touch stage-2 entries|which this command leaves/);
  t.regex(text, /names 0x11000, not 0x10000/);
  t.true(remedies.some((r) => r.startsWith('TLBI_S2_IPA vmid 3 ipa 0x10000 leaf; TLBI_NH_VA vmid 3')), remedies.join('\n'));
  t.true(lines.length <= 14);
});

test('tables to which no CD leads any more: the CD is named, and the command that came before its CFGI', (t) => {
  const rig = remembering(connected());
  rig.word(4 * 512, cd(ASID + 1, ROOT), 0);
  rig.batch(nhAsid(ASID));
  rig.batch(cfgiCd(0));
  rig.word(4 * 512, cd(ASID, ROOT), 0);
  rig.batch(cfgiCd(0));
  rig.clear(L2, 0);
  const { lines } = told(rig, 0, 0x10);
  t.regex(lines.join('\n'), /CFGI need not touch the TLB/);
  const guest = remembering(guarded());
  guest.ste(1, ste({ V: 1, Config: 6, S2VMID: VMID, S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2AA64: 1, S2R: 1, S2TTB: 0x100020 * 256 }));
  guest.ste(0, ABORT);
  guest.batch(cfgiSte(0), cfgiSte(1));
  const facts = guest.machine.tables.translations.filter((f) => f.kind === 'leaf' && f.va === 0x10);
  const story = guest.machine.tell(facts, at).lines.map((l) => l.replaceAll(/\bt\d+\b/g, 't'));
  t.regex(story[0] ?? '', /^t changed the STE of stream 0 \(word \d = 0x[0-9a-f]+\), and the CMD_SYNC of t retired it$/);
  t.is(story[1], `the ${S2} was read by way of it, and stays until it is itself invalidated`);
  t.is(story[2], 't CFGI_STE sid 0 leaf: CFGI need not touch the TLB (§4.3.1)');
});

test('SYNCs before the store do not count, and a long story is cut', (t) => {
  const rig = remembering(connected());
  rig.batch(cfgiSte(3));
  rig.clear(L3, 0);
  for (let i = 0; i < 12; i += 1) rig.batch(nhAsid(ASID + 1 + i));
  const { lines } = told(rig, 0, 0x10);
  t.is(lines.at(-1), '12 CMD_SYNC completed since, and none of them retires it');
  t.is(lines.at(-2), '… and 4 more commands that leave it');
  t.is(lines.length, 11);
  rig.clear(L3, 1);
  rig.batch(nhAsid(ASID + 20), nhAsid(ASID + 21));
  const facts = rig.machine.tables.translations.filter((f) => f.kind === 'leaf' && (f.va === 0 || f.va === 1));
  const long = rig.machine.tell(facts, at).lines;
  t.is(long.length, 14);
  t.regex(long.at(-1) ?? '', /^… and \d+ more$/);
});

test('memory still says so', (t) => {
  const rig = remembering(connected());
  rig.put(L3, 0, leaf(0x30));
  rig.batch(nhVa(ASID, 0));
  t.deepEqual(told(rig, 0, 0x30).lines, ['nothing stale is needed for it: memory shows the stage-1 leaf {EL1 vmid 0 asid 1 0x0 -> 0x30000 level 3} since t, and everything that leads to it']);
});

test('an answer and an entry for which there is no fact: what went, and what is near', (t) => {
  const rig = remembering(connected());
  rig.clear(L3, 0);
  rig.batch(nhVa(ASID, 0));
  const asked = { ...newTransaction(), sid: 0, frame: 0 };
  const gone = /^the stage-1 leaf \{EL1 vmid 0 asid 1 0x0 -> 0x10000 level 3\} went at the CMD_SYNC of t\d+: t\d+ TLBI_NH_VA vmid 0 asid 1 va 0x0 names it$/;
  t.regex(rig.machine.tellAnswer(asked, { ...newAnswer(), kind: 0, frame: 0x10 }, at)[0] ?? '', gone);
  const entry = { ...newCachedEntry(), asid: ASID, frame: 0, target: 0x10, canRead: true, canWrite: true };
  t.regex(rig.machine.tellEntry(entry, at)[0] ?? '', gone);
  t.regex(rig.machine.tellEntry({ ...entry, frame: 1, target: 0x99 }, at)[0] ?? '', /^there is the stage-1 leaf .*0x1000 -> 0x11000 level 3\}: another output address$/);
  t.regex(rig.machine.tellEntry({ ...entry, frame: 1, target: 0x11, asid: 9 }, at)[0] ?? '', /another ASID/);
  t.deepEqual(rig.machine.tellEntry({ ...entry, vmid: 9 }, at), ['no fact of its kind, tag and address is there, nor was there one']);
  const words = new Uint32Array(16);
  t.regex(rig.machine.tellEntry({ ...newCachedEntry(), kind: 'ste', sid: 0, words }, at)[0] ?? '', /^its word 0 is 0x0; what may be cached is 0x/);
  rig.ste(0, ABORT);
  rig.batch(cfgiSte(0));
  t.regex(rig.machine.tellAnswer(asked, { ...newAnswer(), kind: 0, frame: 0x77 }, at)[0] ?? '', /^the STE of stream 0 \(word \d = 0x[0-9a-f]+\) went at the CMD_SYNC/);
});

test('the facts behind a page that is pointed to', (t) => {
  const rig = remembering(connected());
  rig.clear(L2, 0);
  rig.batch(nhVa(ASID, 0, { leaf: 1 }));
  const { lines } = rig.machine.tell(rig.machine.pointerFacts(L3), at);
  t.regex(lines[0] ?? '', /made the stage-1 table descriptor .* stale/);
  t.regex(lines[1] ?? '', /Leaf = 1 asks for no table descriptor/);
  t.deepEqual(rig.machine.pointerFacts(60), []);
});

test('a trace changes nothing that is permitted', (t) => {
  const play = (rig: Rig): string[] => {
    rig.clear(L32, 0x10);
    rig.batch(s2Ipa(VMID, 0x10), nhAll(VMID));
    rig.batch(nhAll(VMID), cfgiSte(0));
    rig.batch(s12(VMID));
    return rig.at(0);
  };
  t.deepEqual(play(remembering(nestedRig())), play(nestedRig()));
});
