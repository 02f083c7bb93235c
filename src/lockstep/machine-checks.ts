/**
 * Machine checks: what the concrete machine did with one transaction, held against the weakest machine: its answer,
 * its event record, what it has cached, what it stored. All of them are rule machine-refinement, but for records that
 * come too late.
 */
import { EVENT, isTranslationFault, describeEvent, type EventRecord } from '../spec/event.js';
import { OUTCOME_FAULT } from '../stack/outcome.js';
import { sameAnswer, type Answer, type CachedEntry, type Transaction, type WholeMachine } from '../stack/transaction.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { answerName, describeAnswer, describeEntry, describeTransaction } from './machine-words.js';
import type { TransactionKind, WeakestMachine } from './twins.js';

const REFINEMENT = ruleIndex('machine-refinement');
const LATE = ruleIndex('stale-event');
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

/** The answer is one that may be given. */
export function checkAnswer(ledger: Ledger, weakest: WeakestMachine, kind: TransactionKind, asked: { t: Transaction; answer: Answer }): void {
  const { t, answer } = asked;
  ledger.judgeAt(REFINEMENT);
  if (weakest.permitted(kind, t, (a) => sameAnswer(a, answer))) return;
  ledger.fail('machine-refinement', `an answer that the weakest machine does not allow: ${kind} ${answerName(answer)}`,
    `${describeTransaction(t, kind)}: ${anyOf(permittedTexts(weakest, kind, t))}`, `the machine answers ${describeAnswer(answer, kind)}`);
}

/** Does the record say what the answer says? */
function recordFits(r: EventRecord, t: Transaction, a: Answer): boolean {
  if (r.type !== a.event || r.sid !== t.sid) return false;
  if (r.ssv !== 0 && r.ssid !== t.ssid) return false;
  const walk = a.event === EVENT.F_WALK_EABT;
  if (!isTranslationFault(a.event) && !walk) return true;
  if (r.ssv !== (t.ssid < 0 ? 0 : 1) || r.inputFrame !== t.frame || r.stage2 !== a.stage2 || r.class !== a.class) return false;
  return walk || (r.read === (t.write ? 0 : 1) && (a.stage2 === 0 || ipaOf(r) === a.ipa));
}

function ipaOf(r: EventRecord): number {
  return (r as EventRecord & { ipa?: number }).ipa ?? 0;
}

function recordText(r: EventRecord): string {
  return `${describeEvent(r)}${r.ssv === 0 ? '' : ` substream ${r.ssid}`}${isTranslationFault(r.type) ? ` S2 ${r.stage2} CLASS ${r.class}${r.stage2 === 0 ? '' : ` ipa frame 0x${ipaOf(r).toString(16)}`}` : ''}`;
}

/** Faults whose records were seen, and whether a CMD_SYNC has completed since. */
export class RecordCheck {
  readonly #ledger: Ledger;
  #seen: { readonly text: string; synced: boolean }[] = [];
  #open = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** A CMD_SYNC is complete: records of what came before it are in the queue (§4.7.3). */
  synced(): void {
    if (this.#open === 0) return;
    this.#ledger.judgeAt(LATE, this.#open);
    this.#open = 0;
    for (const s of this.#seen) s.synced = true;
  }

  /** After a transaction; `writable`: the event queue could take a record. */
  check(t: Transaction, a: Answer, writable: boolean, records: readonly EventRecord[]): void {
    const expected = a.event !== 0 && writable ? 1 : 0;
    for (const r of records) if (!recordFits(r, t, a)) this.#unexpected(r, a);
    if (a.kind === OUTCOME_FAULT || a.event !== 0) this.#ledger.judgeAt(REFINEMENT);
    if (records.length !== expected) {
      this.#ledger.fail('machine-refinement', 'event record', expected === 0 ? 'no event record' : `one record of ${describeAnswer(a)}`,
        `${records.length} records: ${records.map(recordText).join('; ')}`);
    }
    for (const r of records) this.#remember(recordText(r));
  }

  /** Records that no transaction of this operation caused. */
  late(records: readonly EventRecord[]): void {
    const first = records[0];
    if (first !== undefined) this.#unexpected(first, null);
  }

  #unexpected(r: EventRecord, a: Answer | null): never {
    const text = recordText(r);
    if (this.#seen.some((s) => s.synced && s.text === text)) {
      this.#ledger.fail('stale-event', `${a === null ? 'a record appears by itself' : 'a record of an earlier transaction'} after a CMD_SYNC`, 'no record of what came before the CMD_SYNC', text);
    }
    this.#ledger.fail('machine-refinement', 'event record', a === null ? 'no event record' : `a record of ${describeAnswer(a)}`, text);
  }

  #remember(text: string): void {
    this.#seen = [...this.#seen.filter((s) => s.text !== text).slice(-7), { text, synced: false }];
    this.#open += 1;
  }
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
