/**
 * Machine checks: what the concrete machine did, held against the weakest machine: the answer to one transaction, and
 * what is cached. Both are rule machine-refinement.
 */
import type { Violation } from '../stack/violation.js';
import { sameAnswer, type Answer, type CachedEntry, type Transaction, type WholeMachine } from '../stack/transaction.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { answerName, describeAnswer, describeEntry, describeTransaction } from './machine-words.js';
import { answerCause, queueCause, type Fetched } from './watched.js';
import { queuePointer, queueUsed } from '../spec/register.js';
import type { QueueView } from './software.js';
import type { Judged } from './telling.js';
import type { Likeness, TransactionKind, WeakestMachine } from './twins.js';

const REFINEMENT = ruleIndex('machine-refinement');
/** Permitted answers that are told. */
const TOLD = 6;

/** Every answer that the weakest machine permits, each once, in words. */
export function permittedTexts(weakest: WeakestMachine, kind: TransactionKind, t: Transaction): string[] {
  const found = new Set<string>();
  weakest.permitted(kind, t, (a) => {
    found.add(describeAnswer(a, kind));
    return false;
  });
  return [...found];
}

export function anyOf(texts: readonly string[]): string {
  if (texts.length === 0) return 'nothing at all';
  const shown = texts.slice(0, TOLD).join(' or ');
  return texts.length > TOLD ? `${shown} or ${texts.length - TOLD} more` : shown;
}

const NOT_ALLOWED = 'an answer that the weakest machine does not allow';

/** Of a machine with a likeness: did the machine beside it break the rule, and not it? It has a name in its causes. */
export function isOurs(v: Violation): boolean {
  return v.rule !== 'machine-refinement' || v.cause.startsWith(NOT_ALLOWED);
}

/** An answer that was given; `permitted`: what may be answered, if it has been asked for already. */
export interface Asked {
  readonly t: Transaction;
  readonly answer: Answer;
  readonly likeness?: Likeness | undefined;
  readonly permitted?: readonly Answer[] | null;
}

/** The answer is one that may be given, with the event that is recorded with it. */
export function checkAnswer(ledger: Ledger, { weakest, telling }: Judged, kind: TransactionKind, asked: Asked): void {
  const { t, answer, likeness, permitted } = asked;
  ledger.judgeAt(REFINEMENT);
  const fits = (a: Answer): boolean => (likeness === undefined ? sameAnswer(a, answer) : likeness.answer(a, answer));
  if (permitted == null ? weakest.permitted(kind, t, fits) : permitted.some(fits)) return;
  const cause = likeness === undefined ? `${NOT_ALLOWED}: ${kind} ${answerName(answer)}` : answerCause(likeness.name, weakest, kind, asked);
  ledger.fail('machine-refinement', cause, `${describeTransaction(t, kind)}: ${anyOf(permittedTexts(weakest, kind, t))}`,
    `${likeness?.name ?? 'the machine'} answers ${describeAnswer(answer, kind)}`, undefined,
    telling === null ? undefined : [...telling.answer(weakest, t, answer), ...(likeness === undefined ? [] : telling.permits(weakest, kind, t))]);
}

/** Everything that is cached may be cached. */
export function checkEntries(ledger: Ledger, smmu: number, { weakest, telling }: Judged, concrete: WholeMachine): void {
  concrete.forEachCached((e: CachedEntry) => {
    ledger.judgeAt(REFINEMENT);
    if (weakest.holds(e)) return;
    ledger.fail('machine-refinement', `a cached ${e.kind === 'leaf' || e.kind === 'table' ? `${e.stage === 3 ? 'combined' : `stage-${e.stage}`} ` : ''}${e.kind} that is no fact`,
      'only what memory justifies, or justified and no command had to remove', `SMMU ${smmu} has cached ${describeEntry(e)}`, undefined, telling?.entry(weakest, e));
  });
}

/** CONS is not ahead of what may be consumed, and an error is shown exactly where it must be. `fetched`: the command at a pointer, to name it. */
export function checkQueue(ledger: Ledger, { smmu, queue, fetched }: { readonly smmu: number; readonly queue: number; readonly fetched: (q: QueueView, pointer: number) => Fetched },
  side: { readonly weakest: WeakestMachine; readonly concrete: WholeMachine; readonly likeness?: Likeness | undefined }, q: QueueView): void {
  const raw = side.concrete.readRegister(q.registers.cons);
  const cons = queuePointer(raw);
  const must = side.weakest.consOf(queue);
  const failed = q.registers.failed(side.concrete);
  ledger.judgeAt(REFINEMENT);
  const ahead = queueUsed(must.cons, cons, q.log2) > queueUsed(must.cons, q.cons, q.log2);
  const code = failed ? q.registers.code(raw) : 0;
  if (!ahead && (failed ? code === must.error && cons === must.cons : must.error === 0 || cons !== must.cons)) return;
  const { likeness } = side;
  const cause = likeness === undefined ? (ahead ? 'CONS' : 'command error')
    : queueCause(likeness.name, { ahead, must: must.error, code, elsewhere: cons !== must.cons }, fetched(q, ahead || !failed ? must.cons : cons));
  ledger.fail('machine-refinement', cause, `queue ${queue} of SMMU ${smmu}: CONS at most 0x${must.cons.toString(16)}${must.error === 0 ? '' : ` with error ${must.error}`}`,
    `CONS 0x${cons.toString(16)}${failed ? ` with error ${code}` : ''}`);
}
