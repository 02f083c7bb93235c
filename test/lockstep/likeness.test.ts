/** A machine that is watched from outside: its answers and records count as far as they can be seen, and what else it did is judged as well. */
import test from 'ava';
import { RecordCheck } from '../../src/lockstep/record-check.js';
import type { Likeness } from '../../src/lockstep/twins.js';
import { Ledger } from '../../src/rules/ledger.js';
import { EVENT, isTranslationFault, newFault, type FaultRecord } from '../../src/spec/event.js';
import { REG } from '../../src/spec/register.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import { newAnswer, newTransaction, type Answer, type Answered, type Transaction } from '../../src/stack/transaction.js';
import { ViolationError, type Violation } from '../../src/stack/violation.js';
import { BOOT, FakeConcrete, rig, script, WHERE, type Other, type Script } from './fake-twins.js';

const boot: MachineOperation = { op: 'boot', smmu: 0, boot: BOOT };
const access: MachineOperation = { op: 'access', ...WHERE };
const FAULT: Partial<Answer> = { kind: OUTCOME_FAULT, event: EVENT.F_TRANSLATION };
const OK: Partial<Answer> = { kind: OUTCOME_OK, frame: 8 };

/** Pages look all the same; a record says what it is of and in which direction. */
const BLURRED: Likeness = {
  name: 'QEMU',
  answer: (permitted, seen) => permitted.kind === seen.kind && permitted.event === seen.event,
  record: (r, t, seen) => r.type === seen.event && r.sid === t.sid && (!isTranslationFault(r.type) || (r.read !== 0) !== t.write),
};

/** What a concrete machine does besides what a script says. */
interface Besides {
  readonly twice?: boolean;
  readonly expect?: (t: Transaction, answers: readonly Answer[]) => string | null;
  readonly besides?: (t: Transaction) => Answered | null;
  readonly beside?: Partial<Answer>;
}

class Watched extends FakeConcrete {
  asked = 0;
  expect?: (t: Transaction, answers: readonly Answer[]) => string | null;
  besides?: () => Answered | null;
  beside?: () => Answer;
  readonly #twice: boolean;
  #again = false;
  #t = newTransaction();

  constructor(memory: FakeConcrete['memory'], s: Script, b: Besides) {
    super(memory, s);
    this.#twice = b.twice === true;
    if (b.expect !== undefined) this.expect = b.expect;
    const { besides, beside } = b;
    if (besides !== undefined) this.besides = () => besides(this.#t);
    if (beside !== undefined) this.beside = () => ({ ...newAnswer(), ...beside });
  }

  override transact(t: Transaction, out: Answer): void {
    this.asked += 1;
    this.#t = { ...t };
    super.transact(t, out);
    this.#again = this.#twice;
  }

  /** As QEMU's, its records come to light when somebody looks. */
  override readRegister(offset: number): number {
    if (offset === REG.EVENTQ_PROD && this.#again) {
      this.#again = false;
      super.transact(this.#t, newAnswer());
    }
    return super.readRegister(offset);
  }
}

function watched(s: Partial<Script>, b: Besides = {}, likeness: Likeness | null = BLURRED): { breaks(...operations: readonly MachineOperation[]): Violation | null; readonly run: ReturnType<typeof rig>['run']; readonly machine: Watched } {
  const other: Other = { ...(likeness === null ? {} : { likeness }), concrete: (memory, of) => new Watched(memory, of, b) };
  const r = rig(script(s), { judged: false }, other);
  return { breaks: r.breaks, run: r.run, machine: r.concrete as Watched };
}

test('an answer: what looks like a permitted one passes', (t) => {
  const page: Partial<Script> = { answer: { ...OK, frame: 9 }, permitted: [OK] };
  t.is(watched(page).breaks(boot, access), null);
  t.is(watched(page, {}, null).breaks(boot, access)?.rule, 'machine-refinement');
});

test('an answer that looks like none is told in the name of the machine', (t) => {
  const v = watched({ answer: OK, permitted: [FAULT] }).breaks(boot, access);
  t.deepEqual([v?.rule, v?.cause, v?.actual], ['machine-refinement', 'QEMU answers ok where only F_TRANSLATION is permitted', 'QEMU answers 0x8000']);
});

test('a record may come several times', (t) => {
  const fault = { answer: FAULT, permitted: [FAULT] };
  t.is(watched(fault, { twice: true }).breaks(boot, access, access), null);
  t.is(watched(fault, { twice: true }, null).breaks(boot, access)?.cause, 'event record');
});

for (const [what, record, cause] of [
  ['in the wrong direction', { read: 0 }, 'QEMU leaves a record of F_TRANSLATION that says something else than its answer'],
  ['of another stream', { sid: 2 }, 'QEMU leaves a record of F_TRANSLATION that says something else than its answer'],
  ['of another type', { type: EVENT.F_ACCESS }, 'QEMU leaves a record of F_ACCESS where one of F_TRANSLATION is due'],
] as const) {
  test(`a record ${what}`, (t) => {
    const v = watched({ answer: FAULT, permitted: [FAULT], record: (e) => ({ ...e, ...record }) }).breaks(boot, access);
    t.deepEqual([v?.rule, v?.cause], ['machine-refinement', cause]);
  });
}

test('what does not count in a record may be anything', (t) => {
  t.is(watched({ answer: FAULT, permitted: [FAULT], record: (e) => ({ ...e, stage2: 1, class: 1, inputFrame: 77 }) }).breaks(boot, access), null);
});

test('a record that does not come', (t) => {
  const v = watched({ answer: FAULT, permitted: [FAULT], record: () => null }).breaks(boot, access);
  t.deepEqual([v?.rule, v?.cause, v?.actual], ['machine-refinement', 'QEMU leaves no record of F_TRANSLATION', 'none comes']);
});

test('a record of an access that has ended is not of the next one', (t) => {
  const s = script({ answer: FAULT, permitted: [FAULT, OK] });
  const r = rig(s, { judged: false }, { likeness: BLURRED });
  t.is(r.breaks(boot, access), null);
  s.answer = OK;
  t.is(r.breaks(access), null);
  r.concrete.late = { ...newFault(), type: EVENT.F_TRANSLATION, sid: 1, read: 1 };
  t.is(r.breaks({ op: 'sync', smmu: 0, queue: 0, msi: 0 })?.cause, 'QEMU leaves a record of F_TRANSLATION where none is due');
});

const other = (answer: Partial<Answer>): Besides => ({ besides: (t) => ({ t: { ...t, write: !t.write }, answer: { ...newAnswer(), ...answer } }) });

test('what a device did besides is judged as well', (t) => {
  t.is(watched({}, other(OK)).breaks(boot, access), null);
  const { breaks, run } = watched({}, other(FAULT));
  const v = breaks(boot, access);
  t.is(v?.cause, 'QEMU answers F_TRANSLATION where only ok is permitted');
  t.regex(v?.expected ?? '', /stream 1 at 0x4000, write: 0x8000/);
  t.deepEqual([run.said?.t.write, run.said?.answer.event], [true, EVENT.F_TRANSLATION]);
});

test('what a device did besides owes its record', (t) => {
  t.is(watched({ permitted: [OK, FAULT] }, other(FAULT)).breaks(boot, access)?.cause, 'QEMU leaves no record of F_TRANSLATION');
  const both = { answer: FAULT, permitted: [FAULT] };
  const once = watched(both, other(FAULT));
  t.is(once.breaks(boot, access)?.cause, 'QEMU leaves no record of F_TRANSLATION', 'the one that comes is of the other direction');
  t.is(once.run.said?.t.write, false);
});

test('where it did nothing besides, nothing is judged', (t) => {
  const { breaks, run } = watched({}, { besides: () => null });
  t.is(breaks(boot, access), null);
  t.is(run.said?.t.write, false);
});

test('what the machine beside it answers is told, and held to everything', (t) => {
  const good = watched({ answer: { kind: OUTCOME_OK, frame: 9 } }, { beside: OK });
  t.is(good.breaks(boot), null);
  const step = good.run.step(access);
  t.deepEqual([step.answer?.frame, step.beside?.frame, good.run.said?.beside?.frame], [9, 8, 8]);
  const v = watched({}, { beside: { ...OK, frame: 9 } }).breaks(boot, access);
  t.deepEqual([v?.cause, v?.actual], ['an answer that the weakest machine does not allow: access ok', 'the machine answers 0x9000'], 'likeness is not for it');
  t.is(watched({ answer: FAULT, permitted: [FAULT] }, { beside: FAULT }).breaks(boot, access), null, 'its records are nobody\'s business');
});

test('without a machine beside it there is no answer of one', (t) => {
  const { breaks, run } = watched({});
  t.is(breaks(boot), null);
  t.is(run.step(access).beside, null);
});

test('expect: told of everything that may be answered, and nothing is sent that it refuses', (t) => {
  const heard: (readonly Answer[])[] = [];
  const permitted = [OK, FAULT];
  const { breaks, run, machine } = watched({ answer: { kind: OUTCOME_OK, frame: 9 }, permitted }, {
    expect: (w, answers) => {
      heard.push(answers);
      return w.write ? 'it only reads' : null;
    },
  });
  t.is(breaks(boot, access), null);
  t.deepEqual(heard, [permitted.map((a) => ({ ...newAnswer(), ...a }))]);
  const step = run.step({ op: 'access', ...WHERE, write: true });
  t.deepEqual([step.note, step.answer, machine.asked, run.said], ['it only reads', null, 1, null]);
});

test('expect: what follows a refusal is judged all the same', (t) => {
  const { breaks, machine } = watched({}, { expect: () => 'not now' });
  t.is(breaks(boot), null);
  machine.late = { ...newFault(), type: EVENT.C_BAD_CD, sid: 1 };
  machine.writeRegister(REG.CMDQ_PROD, machine.get(REG.CMDQ_PROD));
  t.is(breaks(access)?.cause, 'QEMU leaves a record of C_BAD_CD where none is due');
});

/** The violation of a few steps of a RecordCheck. */
function checked(act: (check: RecordCheck) => void, late = false): Violation | null {
  try {
    act(new RecordCheck(new Ledger(), late, BLURRED));
    return null;
  } catch (error) {
    if (error instanceof ViolationError) return error.violation;
    throw error;
  }
}

const READ = { ...newTransaction(), sid: 1 };
const WRITE = { ...READ, write: true };
const fault = { ...newAnswer(), ...FAULT };
const HOW = { writable: true, translated: false };
const record = (read: number): FaultRecord => ({ ...newFault(), type: EVENT.F_TRANSLATION, sid: 1, read });

test('records: one for each of two answers, in any number and order', (t) => {
  t.is(checked((c) => {
    c.answered(READ, fault, HOW);
    c.answered(WRITE, fault, HOW);
    c.found([record(0), record(1), record(0), record(1)]);
    c.settle();
  }), null);
  t.is(checked((c) => {
    c.answered(READ, fault, HOW);
    c.answered(WRITE, fault, HOW);
    c.found([record(0), record(0)]);
    c.settle();
  })?.expected, 'a record of F_TRANSLATION of stream 1');
});

test('records: one is enough for two answers that it is like', (t) => {
  t.is(checked((c) => {
    c.answered(READ, fault, HOW);
    c.answered(READ, fault, HOW);
    c.found([record(1)]);
    c.settle();
  }), null);
});

test('records: what may have been lost need not come', (t) => {
  const answered = (writable: boolean, lost: boolean): Violation | null => checked((c) => {
    c.answered(READ, fault, { ...HOW, writable });
    if (lost) c.lost();
    c.settle();
  });
  t.is(answered(true, true), null);
  t.is(answered(false, false), null);
  t.is(answered(true, false)?.cause, 'QEMU leaves no record of F_TRANSLATION');
});

test('records: where none can be written none may come', (t) => {
  t.is(checked((c) => {
    c.answered(READ, fault, { ...HOW, writable: false });
    c.found([record(1)]);
  })?.cause, 'QEMU leaves a record of F_TRANSLATION where none is due');
});

test('records: a machine that may be late owes them until the second CMD_SYNC', (t) => {
  const late = (syncs: number, comes: boolean): Violation | null => checked((c) => {
    c.answered(READ, fault, HOW);
    c.settle();
    if (comes) c.found([record(1)]);
    for (let i = 0; i < syncs; i += 1) c.synced();
  }, true);
  t.is(late(1, false), null);
  t.is(late(2, false)?.cause, 'QEMU leaves no record of F_TRANSLATION');
  t.is(late(2, true), null);
});
