/**
 * RecordCheck: every fault leaves exactly the event record that its answer says (rule machine-refinement). A record may
 * come as late as the next CMD_SYNC (IHI 0070 §4.7.3), if the machine at hand has that freedom; one that appears after it
 * breaks rule stale-event. Records are lost only when the queue is full, off or aborted (§7.2, §7.4).
 */
import { describeFault, EVENT, isTranslationFault, type FaultRecord } from '../spec/event.js';
import { ANSWER_CA, type Answer, type Transaction } from '../stack/transaction.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { describeAnswer } from './machine-words.js';
import type { Likeness } from './twins.js';
import { missingRecordCause, recordCause } from './watched.js';

const REFINEMENT = ruleIndex('machine-refinement');
const LATE = ruleIndex('stale-event');
/** Records that are remembered after they came. */
const REMEMBERED = 8;

/** A record that must come. */
interface Owed {
  readonly t: Transaction;
  readonly a: Answer;
  readonly translated: boolean;
  /** It may have been lost. */
  optional: boolean;
  /** A CMD_SYNC has completed since. */
  overdue: boolean;
  /** It was there. */
  came: boolean;
}

/** Does the record say what the answer says? */
function fits(r: FaultRecord, { t, a, translated }: Owed): boolean {
  const address = translated || r.inputFrame === t.frame;
  if (r.type !== a.event || r.sid !== t.sid) return false;
  if (a.kind === ANSWER_CA) return r.ssid === Math.max(0, t.ssid); // the answer says no more about it
  if (a.event === EVENT.C_BAD_SUBSTREAMID) return r.ssid === Math.max(0, t.ssid); // always valid, without SSV (§7.3.9)
  if (r.ssv !== (t.ssid < 0 ? 0 : 1) || r.ssid !== Math.max(0, t.ssid)) return false;
  if (a.event === EVENT.F_TRANSL_FORBIDDEN || a.event === EVENT.F_BAD_ATS_TREQ) return address;
  const walk = a.event === EVENT.F_WALK_EABT;
  if (!isTranslationFault(a.event) && !walk) return true;
  if (!address || r.read !== (t.write ? 0 : 1) || r.stage2 !== a.stage2 || r.class !== a.class) return false;
  return walk || r.ipa === a.ipa;
}

export class RecordCheck {
  readonly #ledger: Ledger;
  readonly #late: boolean;
  readonly #likeness: Likeness | undefined;
  #owed: Owed[] = [];
  #came: { readonly text: string; synced: boolean }[] = [];
  #open = 0;

  /** `late`: records may come as late as the next CMD_SYNC. `likeness`: only so much of a record counts, and it may come several times. */
  constructor(ledger: Ledger, late: boolean, likeness?: Likeness) {
    this.#ledger = ledger;
    this.#late = late;
    this.#likeness = likeness;
  }

  /**
   * An answer was given. `writable`: the event queue could take a record then; `translated`: what was sent is an address from the ATC, which
   * only the machine knows.
   */
  answered(t: Transaction, a: Answer, how: { readonly writable: boolean; readonly translated: boolean }): void {
    const { writable, translated } = how;
    const owed = { t: { ...t }, a: { ...a }, translated, overdue: false, came: false };
    if (a.event === 0) return;
    this.#ledger.judgeAt(REFINEMENT);
    this.#open += 1;
    if (writable || this.#late) this.#owed.push({ ...owed, optional: !writable });
  }

  /** Records that software finds. */
  found(records: readonly FaultRecord[]): void {
    for (const r of records) {
      const likeness = this.#likeness;
      if (likeness !== undefined) {
        const some = this.#owed.filter((o) => likeness.record(r, o.t, o.a));
        if (some.length === 0) this.#unexpected(describeFault(r), recordCause(likeness.name, r.type, this.#owed.map((o) => o.a)));
        for (const o of some) o.came = true;
        continue;
      }
      const at = this.#owed.findIndex((o) => fits(r, o));
      const owed = this.#owed[at];
      const text = describeFault(r);
      if (owed === undefined) this.#unexpected(text);
      if (owed?.overdue === true) this.#ledger.fail('stale-event', 'a record comes after a CMD_SYNC', 'the record before that CMD_SYNC completes, or never', text);
      this.#owed.splice(at, 1);
      this.#came = [...this.#came.slice(1 - REMEMBERED), { text, synced: false }];
    }
  }

  #unexpected(text: string, cause = 'event record'): void {
    const old = this.#came.some((c) => c.synced && c.text === text);
    if (old) this.#ledger.fail('stale-event', 'a record comes again after a CMD_SYNC', 'no record of what came before the CMD_SYNC', text);
    const expected = this.#owed.map((o) => describeAnswer(o.a)).join(' or ');
    this.#ledger.fail('machine-refinement', cause, expected === '' ? 'no event record' : `a record of ${expected}`, text);
  }

  /** Whatever has not come may have been lost. */
  lost(): void {
    for (const o of this.#owed) o.optional = true;
  }

  /** The operation is over: what may not be late has come. */
  settle(): void {
    if (this.#late || this.#owed.length === 0) return;
    this.#complain(this.#owed.find((o) => !o.optional && !o.came));
    this.#owed = [];
  }

  /** A CMD_SYNC is complete, and every record that was there has been found. */
  synced(): void {
    this.#complain(this.#owed.find((o) => o.overdue && !o.optional && !o.came));
    for (const o of this.#owed) o.overdue = true;
    for (const c of this.#came) c.synced = true;
    if (this.#open > 0) this.#ledger.judgeAt(LATE, this.#open);
    this.#open = 0;
  }

  #complain(missing: Owed | undefined): void {
    if (missing === undefined) return;
    const cause = this.#likeness === undefined ? 'event record' : missingRecordCause(this.#likeness.name, missing.a);
    this.#ledger.fail('machine-refinement', cause, `a record of ${describeAnswer(missing.a)} of stream ${missing.t.sid}`, 'none comes');
  }
}
