/**
 * Outcome: what one access may return. On hot paths a caller passes an Outcome to be filled, so nothing is
 * allocated per access.
 */
import { eventName } from '../spec/event.js';
import { hex } from '../spec/bits.js';

export const OUTCOME_OK = 0;
/** A fault that records an event (its number in `event`). */
export const OUTCOME_FAULT = 1;
/** Terminated without an event (STE.Config = abort). */
export const OUTCOME_ABORT = 2;

export interface Outcome {
  kind: 0 | 1 | 2;
  /** Event type when `kind` is OUTCOME_FAULT, else 0. */
  event: number;
  /** Output frame (4 KiB) when `kind` is OUTCOME_OK, else 0. */
  frame: number;
}

export function newOutcome(): Outcome {
  return { kind: OUTCOME_ABORT, event: 0, frame: 0 };
}

export function setOk(out: Outcome, frame: number): void {
  out.kind = OUTCOME_OK; out.event = 0; out.frame = frame;
}

export function setFault(out: Outcome, event: number): void {
  out.kind = OUTCOME_FAULT; out.event = event; out.frame = 0;
}

export function setAbort(out: Outcome): void {
  out.kind = OUTCOME_ABORT; out.event = 0; out.frame = 0;
}

export function sameOutcome(a: Outcome, b: Outcome): boolean {
  return a.kind === b.kind && a.event === b.event && a.frame === b.frame;
}

export function describeOutcome(o: Outcome): string {
  if (o.kind === OUTCOME_OK) return hex(o.frame * 4096);
  return o.kind === OUTCOME_ABORT ? 'abort' : (eventName(o.event) ?? `event ${hex(o.event)}`);
}
