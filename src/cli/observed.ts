/**
 * Observed: what a recorded device really got, held against both sides. Every recorded answer must be one that the
 * weakest machine may give at that moment; where it may give only one, the optimised machine must have given it.
 * While stores of the driver are still on their way, what the intent allows is right as well: on the real system they
 * may have arrived already, here they have not.
 */
import { EVENT } from '../spec/event.js';
import type { Lockstep } from '../lockstep/lockstep.js';
import type { Observation } from '../operations/case.js';
import type { Operation } from '../stack/operation.js';
import { describeOutcome, newOutcome, OUTCOME_FAULT, OUTCOME_OK, sameOutcome, setFault, setOk, type Outcome } from '../stack/outcome.js';

type Access = Extract<Operation, { op: 'access' }>;

/** Outcomes that the weakest machine permits for an access, each once. Ask before the step. */
export function permittedFor(stack: Lockstep, op: Access): Outcome[] {
  const device = stack.world.devices[op.device];
  const sid = device?.streams[op.stream];
  const reference = device === undefined ? undefined : stack.references[device.smmu];
  const found: Outcome[] = [];
  if (sid === undefined || reference === undefined) return found;
  reference.permitted(sid, Math.floor(op.iova / 4096), op.write, (o) => {
    if (!found.some((f) => sameOutcome(f, o))) found.push({ kind: o.kind, event: o.event, frame: o.frame });
    return false;
  });
  return found;
}

function matches(o: Outcome, seen: Observation, iova: number): boolean {
  if ('pa' in seen) return o.kind === OUTCOME_OK && o.frame === Math.floor(seen.pa / 4096) && seen.pa % 4096 === iova % 4096;
  if ('fault' in seen) return o.kind === OUTCOME_FAULT && o.event === EVENT[seen.fault as keyof typeof EVENT];
  return o.kind === OUTCOME_OK && o.frame === Math.floor(iova / 4096);
}

export function describeObservation(seen: Observation): string {
  if ('pa' in seen) return `0x${seen.pa.toString(16)}`;
  return 'fault' in seen ? seen.fault : 'untranslated';
}

/** What the owner of the device allows beyond that while stores are on their way: called after the step. */
export function allowedMeanwhile(stack: Lockstep, op: Access, seen: Observation): boolean {
  if (stack.driver.context.cpu.pending === 0) return false;
  const frame = Math.floor(op.iova / 4096);
  const outcome = newOutcome();
  if ('fault' in seen) setFault(outcome, EVENT[seen.fault as keyof typeof EVENT]);
  else setOk(outcome, 'pa' in seen ? Math.floor(seen.pa / 4096) : frame);
  return stack.intent.devices[op.device] !== undefined && matches(outcome, seen, op.iova) && stack.intent.allows(op.device, frame, op.write, outcome);
}

/** One sentence on how the recorded answer differs; null when it agrees. `answer`: of the optimised machine. */
export function observedProblem(seen: Observation, op: Access, permitted: readonly Outcome[], answer: Outcome | null): string | null {
  const where = `op ${seen.at + 1}: the recorded device got ${describeObservation(seen)}`;
  if (!permitted.some((o) => matches(o, seen, op.iova))) {
    return `${where}, but the weakest machine may only answer ${permitted.length === 0 ? 'nothing' : permitted.map(describeOutcome).join(' or ')}`;
  }
  if (permitted.length > 1 || (answer !== null && matches(answer, seen, op.iova))) return null;
  return `${where}, but the optimised machine answers ${answer === null ? 'nothing' : describeOutcome(answer)}`;
}
