/**
 * Machine checks: what the concrete machine did, held against the weakest machine: the answer to one transaction, and
 * what is cached. Both are rule machine-refinement.
 */
import { ANSWER_CA, ANSWER_UR, sameAnswer, type Answer, type CachedEntry, type Transaction, type WholeMachine } from '../stack/transaction.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { answerName, describeAnswer, describeEntry, describeTransaction } from './machine-words.js';
import type { TransactionKind, WeakestMachine } from './twins.js';

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

/**
 * The answer is one that may be given. An ATS completion does not say what was recorded with it: where the machine leaves
 * that open, the weakest one says it. Returns whether the answer says all now.
 */
export function checkAnswer(ledger: Ledger, weakest: WeakestMachine, kind: TransactionKind, asked: { t: Transaction; answer: Answer }): boolean {
  const { t, answer } = asked;
  const open = answer.event === 0 && (answer.kind === ANSWER_UR || answer.kind === ANSWER_CA);
  let said = !open;
  ledger.judgeAt(REFINEMENT);
  const found = weakest.permitted(kind, t, (a) => {
    if (!sameAnswer(a, answer) && !(open && a.kind === answer.kind)) return false;
    answer.event = a.event;
    said = true;
    return true;
  });
  if (found) return said;
  return ledger.fail('machine-refinement', `an answer that the weakest machine does not allow: ${kind} ${answerName(answer)}`,
    `${describeTransaction(t, kind)}: ${anyOf(permittedTexts(weakest, kind, t))}`, `the machine answers ${describeAnswer(answer, kind)}`);
}

/** Everything that is cached may be cached. */
export function checkEntries(ledger: Ledger, smmu: number, weakest: WeakestMachine, concrete: WholeMachine): void {
  concrete.forEachCached((e: CachedEntry) => {
    ledger.judgeAt(REFINEMENT);
    if (weakest.holds(e)) return;
    ledger.fail('machine-refinement', `a cached ${e.kind === 'leaf' || e.kind === 'table' ? `stage-${e.stage} ` : ''}${e.kind} that is no fact`,
      'only what memory justifies, or justified and no command had to remove', `SMMU ${smmu} has cached ${describeEntry(e)}`);
  });
}
