/** What of QEMU's answers and records is compared: tables of what is permitted and what was seen. */
import test from 'ava';
import { looksLike, qemuTwins, type Watched } from '../../src/conform/twins.js';
import type { Looseness } from '../../src/conform/waivers.js';
import { OWN_TWINS, type Likeness } from '../../src/lockstep/twins.js';
import { CLASS_CD, CLASS_TT, EVENT, newFault, type FaultRecord } from '../../src/spec/event.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import { FRAME_UNSEEN, newAnswer, newTransaction, type Answer } from '../../src/stack/transaction.js';

const RAM: Watched = { isRam: (frame) => frame >= 0x40000 && frame < 0x440000, deaf: () => false };
const DEAF: Watched = { ...RAM, deaf: () => true };

const ok = (frame: number): Answer => ({ ...newAnswer(), kind: OUTCOME_OK, frame });
const abort: Answer = { ...newAnswer(), kind: OUTCOME_ABORT };
const fault = (event: number, change: Partial<Answer> = {}): Answer => ({ ...newAnswer(), kind: OUTCOME_FAULT, event, ...change });
const PAGE = ok(0x90000);
const NOWHERE = ok(2 ** 28);
const ANY = ok(-1);
const UNSEEN = ok(FRAME_UNSEEN);
const { F_TRANSLATION, F_PERMISSION, C_BAD_CD } = EVENT;

/** What: permitted, seen, whether they may be the same, and whether they may where a fault leaves no record. */
const ANSWERS: readonly (readonly [string, Answer, Answer, boolean, boolean])[] = [
  ['the page', PAGE, PAGE, true, true],
  ['another page', PAGE, ok(0x90001), false, false],
  ['any page', ANY, PAGE, true, true],
  ['a page for a fault', fault(F_TRANSLATION), PAGE, false, false],
  ['a page for an abort', abort, PAGE, false, false],
  ['a read that is not seen', PAGE, UNSEEN, true, true],
  ['a read that is not seen, of any page', ANY, UNSEEN, true, true],
  ['a read that is not seen, for an abort', abort, UNSEEN, true, true],
  ['a read that is not seen, for a fault', fault(F_TRANSLATION), UNSEEN, false, true],
  ['nothing, for an abort', abort, abort, true, true],
  ['nothing, for a page of memory', PAGE, abort, false, false],
  ['nothing, for a page behind memory', NOWHERE, abort, true, true],
  ['nothing, for any page', ANY, abort, true, true],
  ['nothing, for a fault', fault(F_TRANSLATION), abort, false, true],
  ['the fault', fault(F_TRANSLATION), fault(F_TRANSLATION), true, true],
  ['another fault', fault(F_TRANSLATION), fault(F_PERMISSION), false, false],
  ['a fault for a page', PAGE, fault(F_TRANSLATION), false, false],
  ['a fault for an abort', abort, fault(F_TRANSLATION), false, false],
  ['the fault of stage 2', fault(F_TRANSLATION, { stage2: 1 }), fault(F_TRANSLATION, { stage2: 1 }), true, true],
  ['the fault of the other stage', fault(F_TRANSLATION, { stage2: 1 }), fault(F_TRANSLATION), false, false],
  ['the fault of the other stage of a walk', fault(F_TRANSLATION, { stage2: 1, class: CLASS_TT }), fault(F_TRANSLATION, { class: CLASS_TT }), true, true],
  ['the fault of the other stage of a CD fetch', fault(F_TRANSLATION, { stage2: 1, class: CLASS_CD }), fault(F_TRANSLATION), true, true],
  ['another CLASS', fault(F_TRANSLATION, { stage2: 1 }), fault(F_TRANSLATION, { stage2: 1, class: CLASS_TT }), true, true],
  ['another IPA', fault(F_TRANSLATION, { stage2: 1, ipa: 5 }), fault(F_TRANSLATION, { stage2: 1, ipa: 6 }), true, true],
  ['a fault of the configuration', fault(C_BAD_CD), fault(C_BAD_CD), true, true],
];

for (const [what, permitted, seen, usually, deaf] of ANSWERS) {
  test(`an answer: ${what}`, (t) => {
    t.deepEqual([looksLike(permitted, seen, RAM), looksLike(permitted, seen, DEAF)], [usually, deaf]);
  });
}

function likeness(...looseness: readonly Looseness[]): Likeness {
  const twins = qemuTwins(() => { throw new Error('no QEMU is needed for that'); }, { weakest: OWN_TWINS.weakest, looseness: new Set(looseness) });
  if (twins.likeness === undefined) throw new Error('QEMU is like nothing');
  return twins.likeness;
}

const t0 = { ...newTransaction(), sid: 9, frame: 0x10, write: true };
const record = (change: Partial<FaultRecord> = {}): FaultRecord => ({ ...newFault(), type: F_TRANSLATION, sid: 9, inputFrame: 0x10, read: 0, stage2: 0, class: 2, ...change });

const RECORDS: readonly (readonly [string, Partial<FaultRecord>, Answer, boolean])[] = [
  ['what the answer says', {}, fault(F_TRANSLATION), true],
  ['another type', { type: F_PERMISSION }, fault(F_TRANSLATION), false],
  ['another stream', { sid: 8 }, fault(F_TRANSLATION), false],
  ['another page', { inputFrame: 0x11 }, fault(F_TRANSLATION), false],
  ['the other direction', { read: 1 }, fault(F_TRANSLATION), false],
  ['the other direction of a CD fetch', { read: 1, class: CLASS_CD }, fault(F_TRANSLATION), false],
  ['the other stage', { stage2: 1 }, fault(F_TRANSLATION), false],
  ['stage 2', { stage2: 1 }, fault(F_TRANSLATION, { stage2: 1 }), true],
  ['another CLASS', { class: CLASS_TT }, fault(F_TRANSLATION), true],
  ['another IPA and another place in the page', { ipa: 5, inputOffset: 0xff4 }, fault(F_TRANSLATION, { ipa: 7 }), true],
  ['a type without page and direction', { type: C_BAD_CD, inputFrame: 0, read: 1 }, fault(C_BAD_CD), true],
  ['a type without page and direction, of another stream', { type: C_BAD_CD, sid: 8 }, fault(C_BAD_CD), false],
  ['a record of an abort', {}, { ...abort, event: F_TRANSLATION }, false],
  ['a record of a page', {}, PAGE, false],
];

for (const [what, change, answer, fits] of RECORDS) {
  test(`a record: ${what}`, (t) => {
    t.is(likeness().record(record(change), t0, answer), fits);
  });
}

test('loosened: the direction in records of CD fetches, and of nothing else', (t) => {
  const loose = likeness('direction-of-cd-fetch');
  const seen = fault(F_TRANSLATION);
  t.true(loose.record(record({ read: 1, class: CLASS_CD }), t0, seen));
  t.false(loose.record(record({ read: 1, class: CLASS_TT }), t0, seen));
  t.false(loose.record(record({ read: 1, class: CLASS_CD, inputFrame: 0x11 }), t0, seen));
});

test('QEMU has a name, and is looked at seldom', (t) => {
  const twins = qemuTwins(() => { throw new Error('not yet'); }, { weakest: OWN_TWINS.weakest, looseness: new Set() });
  t.deepEqual([twins.likeness?.name, twins.seldom, twins.lateEvents, twins.last], ['QEMU', true, undefined, null]);
});
