/**
 * Claims: from here on software relies on what an access may do. Every answer that the weakest machine may give is one of
 * those that the claim allows, or the claim's rule is broken.
 */
import { eventName } from '../spec/event.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, type Answer, type Transaction } from '../stack/transaction.js';
import type { Allowed, MachineOperation } from '../stack/machine-world.js';
import type { Ledger } from '../rules/ledger.js';
import { anyOf } from './machine-checks.js';
import { answerName, describeAnswer, describeTransaction } from './machine-words.js';
import type { Judged } from './telling.js';
import type { TransactionKind, WeakestMachine } from './twins.js';

type Claim = Extract<MachineOperation, { op: 'claim' }>;

export function checkClaim(ledger: Ledger, { weakest, telling }: Judged, claim: Claim, t: Transaction): void {
  const kind: TransactionKind = claim.translated ? 'translated' : 'access';
  const allowed = (a: Answer): boolean => claimAllows(claim, a);
  ledger.judge(claim.rule);
  weakest.permitted(kind, t, (a, reason, facts) => {
    if (allowed(a)) return false;
    return ledger.fail(claim.rule, `${claim.translated ? 'a translated access' : 'an access'} may still end in ${answerName(a)}: ${reason.replace(/0x[0-9a-f]+|\d+/g, '#')}`,
      `${describeTransaction(t, kind)}: ${anyOf(claim.allow.map(describeAllowed))}`, `SMMU ${claim.smmu} may answer ${describeAnswer(a)} (${reason})`,
      undefined, telling?.facts(weakest, facts ?? [], restOf(weakest, kind, t, allowed)));
  });
}

/** Is this answer one that the claim allows? That nothing is sent always is. */
export function claimAllows(claim: Claim, a: Answer): boolean {
  return a.kind === ANSWER_NONE || claim.allow.some((one) => matches(one, a));
}

/** The facts of every answer that the claim does not allow. */
function restOf(weakest: WeakestMachine, kind: TransactionKind, t: Transaction, allowed: (a: Answer) => boolean): readonly unknown[] {
  const found = new Set<unknown>();
  weakest.permitted(kind, t, (a, _, facts) => {
    if (!allowed(a)) for (const f of facts ?? []) found.add(f);
    return false;
  });
  return [...found];
}

function matches(allowed: Allowed, a: Answer): boolean {
  switch (allowed.answer) {
    case 'ok': return a.kind === OUTCOME_OK && a.frame >= 0 && (allowed.pa === undefined || Math.floor(allowed.pa / 4096) === a.frame);
    case 'abort': return a.kind === OUTCOME_ABORT;
    case 'ur': return a.kind === ANSWER_UR;
    case 'ca': return a.kind === ANSWER_CA;
    default:
      return a.kind === OUTCOME_FAULT && (allowed.answer === 'any-fault' || eventName(a.event) === allowed.answer)
        && (allowed.stage2 === undefined || allowed.stage2 === (a.stage2 !== 0));
  }
}

/** As `0x9000`, `any page`, `F_TRANSLATION of stage 2`. */
export function describeAllowed(allowed: Allowed): string {
  const what = allowed.answer === 'ok' ? (allowed.pa === undefined ? 'any page' : `0x${allowed.pa.toString(16)}`) : allowed.answer;
  return allowed.stage2 === undefined ? what : `${what} of stage ${allowed.stage2 ? 2 : 1}`;
}
