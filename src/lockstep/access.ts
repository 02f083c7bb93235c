/**
 * Access: one device access judged. Everything the weakest machine may answer must be allowed by the owner's intent
 * (driver soundness); what the optimised machine answered must be among it (machine refinement).
 *
 * An access comes between calls, and there a walker that is not coherent sees what the CPUs see: a fault for a page that is mapped and not clean yet is
 * possible only while its map runs. What such a walker may take in during a call is judged as it comes into being (rule isolation).
 */
import { EVENT, isTranslationFault, type EventRecord } from '../spec/event.js';
import { describeOutcome, OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK, sameOutcome, type Outcome } from '../stack/outcome.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import type { Ledger } from '../rules/ledger.js';
import { at, type Scene } from '../rules/scene.js';

export function checkAccess(scene: Scene, device: number, sid: number, frame: number, write: boolean, actual: Outcome): void {
  const { ledger, intent } = scene;
  const dev = intent.devices[device];
  if (dev === undefined) return;
  const machine = scene.machines[dev.smmu] as Stage1Reference;
  ledger.judge('translation-equivalence');
  ledger.judge('machine-refinement');
  let found = false;
  machine.permitted(sid, frame, write, (o, reason) => {
    if (sameOutcome(o, actual)) found = true;
    if (intent.allows(device, frame, write, o)) return false;
    const stale = o.kind === OUTCOME_OK;
    return ledger.fail(stale ? 'stale-translation' : 'translation-equivalence', stale ? 'an access may still be translated' : `an access may end in ${describeOutcome(o)}`,
      `stream ${sid} at ${at(frame)}: ${intent.describeAllowed(device, frame, write)}`, `SMMU ${dev.smmu} may answer ${describeOutcome(o)} (${reason})`);
  });
  if (found) return;
  ledger.fail('machine-refinement', `an answer that the weakest machine does not allow: ${actual.kind === OUTCOME_OK ? 'a frame' : describeOutcome(actual)}`,
    `stream ${sid} at ${at(frame)}: ${intent.describeAllowed(device, frame, write)}`, `the optimised machine answers ${describeOutcome(actual)}`);
}

/** A fault leaves exactly one record that says so; everything else leaves none. */
export function checkEvents(ledger: Ledger, sid: number, frame: number, write: boolean, outcome: Outcome, events: readonly EventRecord[]): void {
  if (outcome.kind === OUTCOME_FAULT) {
    const e = events[0];
    const address = e !== undefined && isTranslationFault(e.type) && e.type !== EVENT.F_ADDR_SIZE ? e.inputFrame === frame && e.read === (write ? 0 : 1) : true;
    if (events.length === 1 && e !== undefined && e.type === outcome.event && e.sid === sid && address) return;
    ledger.fail('translation-equivalence', 'the event record is missing or wrong', `one ${describeOutcome(outcome)} of stream ${sid}`, `${events.length} event records`);
  }
  if (events.length === 0) return;
  ledger.fail('translation-equivalence', 'an event without a fault', outcome.kind === OUTCOME_ABORT ? 'no event for a silent abort' : 'no event', `${events.length} event records`);
}
