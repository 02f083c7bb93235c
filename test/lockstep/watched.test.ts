/** Causes for a machine that is watched from outside: stable, without addresses, and different for different deviations. */
import test from 'ava';
import { answerCause, fetchedAt, missingRecordCause, queueCause, recordCause } from '../../src/lockstep/watched.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';
import { encodeCommand, newCommand, OP } from '../../src/spec/command.js';
import { CLASS_CD, EVENT } from '../../src/spec/event.js';
import { FULL_FEATURES } from '../../src/spec/features.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import { newAnswer, newTransaction, type Answer } from '../../src/stack/transaction.js';

const ok = (frame: number): Answer => ({ ...newAnswer(), kind: OUTCOME_OK, frame });
const fault = (event: number, stage2 = 0): Answer => ({ ...newAnswer(), kind: OUTCOME_FAULT, event, stage2 });

function cause(seen: Answer, permitted: readonly Answer[]): string {
  const weakest = { permitted: (_kind: unknown, _t: unknown, visit: (a: Answer, reason: string) => boolean): boolean => permitted.some((a) => visit(a, 'so')) };
  return answerCause('QEMU', weakest, 'access', { t: newTransaction(), answer: seen });
}

test('an answer: what it is and what is permitted, sorted, each once', (t) => {
  t.is(cause(ok(7), [fault(EVENT.F_ACCESS)]), 'QEMU answers ok where only F_ACCESS is permitted');
  t.is(cause(ok(7), [fault(EVENT.F_PERMISSION), fault(EVENT.F_ACCESS), fault(EVENT.F_PERMISSION)]), 'QEMU answers ok where only F_ACCESS or F_PERMISSION is permitted');
  t.is(cause(ok(7), [ok(8), ok(9)]), 'QEMU answers ok with a wrong page where only ok is permitted');
  t.is(cause(fault(EVENT.F_TRANSLATION, 1), [fault(EVENT.F_TRANSLATION)]), 'QEMU answers F_TRANSLATION at stage 2 where only F_TRANSLATION is permitted');
  t.is(cause({ ...fault(EVENT.F_ACCESS, 1), class: CLASS_CD }, [ok(1)]), 'QEMU answers F_ACCESS at stage 2 for the CD where only ok is permitted');
  t.is(cause({ ...newAnswer(), kind: OUTCOME_ABORT }, []), 'QEMU answers abort where nothing is permitted');
});

test('a command: accepted, refused, or refused in another way', (t) => {
  const c = { name: 'TLBI_EL2_VA', wrong: 'IDR0.Hyp is 0 (§4.4.2.7)' };
  const legal = { name: 'CFGI_CD', wrong: '' };
  t.is(queueCause('QEMU', { ahead: true, must: 1, code: 0, elsewhere: true }, c), 'QEMU accepts TLBI_EL2_VA where CERROR_ILL is due: IDR0.Hyp is 0 (§4.4.2.7)');
  t.is(queueCause('QEMU', { ahead: true, must: 0, code: 0, elsewhere: true }, legal), 'QEMU consumes what is not published');
  t.is(queueCause('QEMU', { ahead: false, must: 1, code: 0, elsewhere: false }, c), 'QEMU shows no error at TLBI_EL2_VA where CERROR_ILL is due: IDR0.Hyp is 0 (§4.4.2.7)');
  t.is(queueCause('QEMU', { ahead: false, must: 0, code: 2, elsewhere: true }, legal), 'QEMU refuses CFGI_CD with CERROR_ABT where no error is due');
  t.is(queueCause('QEMU', { ahead: false, must: 1, code: 3, elsewhere: false }, c), 'QEMU refuses TLBI_EL2_VA with CERROR_ATC_INV_SYNC where CERROR_ILL is due: IDR0.Hyp is 0 (§4.4.2.7)');
});

test('the command at an address: its name and why it is wrong', (t) => {
  const memory = new Memory(new Journal(), 2);
  const put = (fields: Partial<ReturnType<typeof newCommand>>): void => {
    const words = new Uint32Array(4);
    encodeCommand({ ...newCommand(), ...fields }, words);
    memory.commit(2, words[0] as number, words[1] as number);
    memory.commit(3, words[2] as number, words[3] as number);
  };
  put({ op: OP.TLBI_EL2_ALL });
  t.deepEqual(fetchedAt(memory, RAM_BASE * 4096 + 16, FULL_FEATURES), { name: 'TLBI_EL2_ALL', wrong: '' });
  t.like(fetchedAt(memory, RAM_BASE * 4096 + 16, { ...FULL_FEATURES, hyp: false }), { wrong: 'IDR0.Hyp is 0 (§4.4.2.7)' });
  put({ op: 0x7f });
  t.like(fetchedAt(memory, RAM_BASE * 4096 + 16, FULL_FEATURES), { name: 'command 0x7f' });
  t.is(fetchedAt(memory, 0, FULL_FEATURES).name, 'a command outside of RAM');
});

test('a record: one too many, another one, none', (t) => {
  t.is(recordCause('QEMU', EVENT.F_ACCESS, []), 'QEMU leaves a record of F_ACCESS where none is due');
  t.is(recordCause('QEMU', EVENT.F_ACCESS, [fault(EVENT.F_TRANSLATION)]), 'QEMU leaves a record of F_ACCESS where one of F_TRANSLATION is due');
  t.is(recordCause('QEMU', EVENT.F_ACCESS, [fault(EVENT.F_ACCESS)]), 'QEMU leaves a record of F_ACCESS that says something else than its answer');
  t.is(missingRecordCause('QEMU', fault(EVENT.F_ACCESS)), 'QEMU leaves no record of F_ACCESS');
});
