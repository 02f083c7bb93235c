/** Permitted outcomes of one access, by raw words: each step of the translation procedure that can end it. */
import test from 'ava';
import { EVENT } from '../../../src/spec/event.js';
import { describeOutcome } from '../../../src/stack/outcome.js';
import { OAS } from '../../../src/stack/world.js';
import { cdWords, cfgiSte, connected, GB, L2, L3, leaf, page, Rig, ROOT, table, type Word } from './rig.js';

/** Every outcome that the access may have, in words, in order. */
function outcomes(rig: Rig, sid: number, frame: number, write = false): string[] {
  const found: string[] = [];
  rig.machine.permitted(sid, frame, write, (o) => {
    found.push(describeOutcome(o));
    return false;
  });
  return found;
}

function with1(word: Word, change: Partial<Word>): Word {
  return { ...word, ...change };
}

test('an SMMU that is not enabled passes everything', (t) => {
  t.deepEqual(outcomes(new Rig(), 7, 0x1234), ['0x1234000']);
});

test('a StreamID beyond the stream table is C_BAD_STREAMID', (t) => {
  t.deepEqual(outcomes(connected(), 4, 0x10), ['C_BAD_STREAMID']);
});

test('an abort STE is silent, an invalid one C_BAD_STE', (t) => {
  const rig = connected();
  t.deepEqual(outcomes(rig, 1, 0), ['abort']);
  rig.ste(2, 'invalid');
  rig.batch(cfgiSte(2));
  t.deepEqual(outcomes(rig, 2, 0), ['C_BAD_STE']);
});

test('bypass gives the address itself, and F_ADDR_SIZE beyond the output size', (t) => {
  const rig = connected();
  rig.ste(1, 'bypass');
  rig.batch(cfgiSte(1));
  t.deepEqual(outcomes(rig, 1, 0x77), ['0x77000']);
  t.deepEqual(outcomes(rig, 1, 2 ** (OAS - 12)), ['F_ADDR_SIZE']);
  t.deepEqual(outcomes(rig, 1, 2 ** (OAS - 12) - 1), [`0x${(2 ** OAS - 4096).toString(16)}`]);
});

test('an STE that was rewritten permits its old and its new effect until CFGI and SYNC', (t) => {
  const rig = connected();
  rig.ste(1, 'bypass');
  t.deepEqual(new Set(outcomes(rig, 1, 5)), new Set(['abort', '0x5000']));
  rig.batch(cfgiSte(1));
  t.deepEqual(outcomes(rig, 1, 5), ['0x5000']);
});

test('a CD that is not valid is C_BAD_CD', (t) => {
  const rig = connected();
  rig.cd(1, cdWords(2, ROOT, { v: 0 }));
  rig.ste(1, { cd: 1 });
  rig.batch(cfgiSte(1));
  t.deepEqual(outcomes(rig, 1, 0), ['C_BAD_CD']);
});

test('a mapped page translates, a write to a read-only one is F_PERMISSION', (t) => {
  const rig = connected();
  t.deepEqual(outcomes(rig, 0, 1), ['0x11000']);
  rig.put(L3, 2, with1(page(0x12), { lo: page(0x12).lo | 0x80 }));
  t.deepEqual(outcomes(rig, 0, 2, false), ['0x12000']);
  t.deepEqual(outcomes(rig, 0, 2, true), ['F_PERMISSION']);
});

test('an invalid descriptor at any level and an address beyond the input size are F_TRANSLATION', (t) => {
  const rig = connected();
  for (const frame of [9, 512 * 3, GB * 3, 2 ** 36]) t.deepEqual(outcomes(rig, 0, frame), ['F_TRANSLATION'], `frame ${frame}`);
});

test('AF = 0 is F_ACCESS, and is not cached: setting it needs no invalidation', (t) => {
  const rig = connected();
  const noAf = with1(page(0x12), { lo: page(0x12).lo & ~0x400 });
  rig.put(L3, 2, noAf);
  t.deepEqual(outcomes(rig, 0, 2), ['F_ACCESS']);
  t.false(rig.machine.holdsLeaf(1, 2, 3, noAf.lo, noAf.hi));
  rig.put(L3, 2, page(0x12));
  t.deepEqual(outcomes(rig, 0, 2), ['0x12000']);
});

test('an output or a next table beyond the output size is F_ADDR_SIZE', (t) => {
  const rig = connected();
  const beyond = 1 << (OAS - 32); // address bit 44
  rig.put(L3, 3, with1(page(0x12), { hi: beyond }));
  t.deepEqual(outcomes(rig, 0, 3), ['F_ADDR_SIZE']);
  rig.put(L2, 1, with1(table(L3), { hi: beyond }));
  t.deepEqual(outcomes(rig, 0, 512), ['F_ADDR_SIZE']);
});

test('permits says yes to each of the permitted outcomes and to no other', (t) => {
  const rig = connected();
  t.true(rig.machine.permits(0, 1, false, { kind: 0, event: 0, frame: 0x11 }));
  t.false(rig.machine.permits(0, 1, false, { kind: 0, event: 0, frame: 0x12 }));
  t.false(rig.machine.permits(0, 1, false, { kind: 1, event: EVENT.F_TRANSLATION, frame: 0 }));
});

test('a walk may still go through a table descriptor that was unlinked, and end in its own fault', (t) => {
  const rig = connected();
  rig.put(L3, 6, with1(page(0x16), { lo: page(0x16).lo & ~0x400 }));
  rig.clear(L2, 0);
  t.deepEqual(new Set(outcomes(rig, 0, 6)), new Set(['F_TRANSLATION', 'F_ACCESS']));
});

test('an address beyond the input size is not looked up in whatever lies behind the base table', (t) => {
  const rig = connected();
  rig.put(L2, 1, leaf(0, 1)); // the page behind the base: entry 513 of a base table of 512
  for (const frame of [2 ** 27 + GB, 2 ** 36 + 2 ** 27]) t.deepEqual(outcomes(rig, 0, frame), ['F_TRANSLATION'], `frame ${frame}`);
});
