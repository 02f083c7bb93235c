/**
 * Corner run: one form of a carried case on QEMU. Where it makes a claim, the device looks. QEMU caches what was used only, so the form is
 * run under several kinds of traffic: accesses take nothing away from the weakest machine, which knows everything without them.
 */
import { ViolationError, Unmodelled, type Violation } from '../stack/violation.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { FRAME_UNSEEN, type Answer } from '../stack/transaction.js';
import { OUTCOME_OK } from '../stack/outcome.js';
import { claimAllows } from '../lockstep/claims.js';
import { MachineLockstep } from '../lockstep/machine-lockstep.js';
import { describeAnswer } from '../lockstep/machine-words.js';
import type { Twins } from '../lockstep/twins.js';
import type { Pool } from '../qemu/pool.js';
import { twinsFor } from './campaign.js';
import { placesOf, type Claim, type Place } from './corner-carry.js';
import { forbidden, permittedAt } from './corner-decide.js';

/** What devices do besides what the case says. */
export type Traffic = 'as written' | 'after each CMD_SYNC' | 'all the time' | { readonly onlyAfter: number };

/** One claim as it was looked at. */
export interface Look {
  readonly claim: Claim;
  /** QEMU's answer in words; null: it could not be asked, for this reason. */
  readonly answer: string | null;
  readonly notAsked: string | null;
  /** The weakest machine permits something here that the claim does not allow. */
  readonly mayBreak: boolean;
  /** QEMU's answer is such a thing. */
  readonly breaks: boolean;
}

export interface CornerRun {
  readonly looks: readonly Look[];
  /** QEMU did what no SMMU may: what, and the operations up to there, the accesses included. */
  readonly violation: Violation | null;
  readonly operations: readonly MachineOperation[];
  readonly unmodelled: string | null;
}

function accessOf(p: Place): MachineOperation {
  const { smmu, sid, ssid, iova, write, privileged, instruction } = p;
  return { op: 'access', smmu, sid, ssid, iova, write, privileged, instruction };
}

function busyAfter(traffic: Traffic, o: MachineOperation, at: number): boolean {
  if (typeof traffic !== 'string') return at === traffic.onlyAfter;
  if (traffic === 'as written') return false;
  return traffic === 'all the time' ? o.op !== 'access' && o.op !== 'claim' : o.op === 'sync' || o.op === 'boot';
}

/** The sequence with the accesses of a kind of traffic. Nobody asks before the SMMU is set up, and claims stay as they are. */
export function withTraffic(operations: readonly MachineOperation[], traffic: Traffic): MachineOperation[] {
  const places = placesOf(operations).map(accessOf);
  const booted = operations.findIndex((o) => o.op === 'boot');
  const own = (o: MachineOperation): boolean => typeof traffic === 'string' || o.op !== 'access';
  return operations.flatMap((o, at) => [...(own(o) ? [o] : []), ...(at >= booted && busyAfter(traffic, o, at) ? places : [])]);
}

/** Every kind of traffic of a form that is worth a run. */
export function traffics(operations: readonly MachineOperation[]): Traffic[] {
  const booted = operations.findIndex((o) => o.op === 'boot');
  const places = operations.flatMap((o, at) => (at >= booted && o.op !== 'claim' && o.op !== 'access' ? [{ onlyAfter: at }] : []));
  return ['as written', 'after each CMD_SYNC', 'all the time', ...places];
}

function unseen(a: Answer): boolean {
  return a.kind === OUTCOME_OK && a.frame === FRAME_UNSEEN;
}

function look(both: MachineLockstep, claim: Claim, done: MachineOperation[]): Look {
  const mayBreak = forbidden({ claim, answers: permittedAt(both, claim) }).length > 0;
  const nothing = { claim, answer: null, mayBreak, breaks: false };
  if (claim.translated) return { ...nothing, notAsked: 'no endpoint here has ATS' };
  const op = accessOf(claim);
  done.push(op);
  const step = both.step(op);
  if (step.answer === null) return { ...nothing, notAsked: step.note ?? 'it cannot be asked' };
  const answer = { ...step.answer };
  const breaks = mayBreak && (unseen(answer) ? !claim.allow.some((a) => a.answer === 'ok') : !claimAllows(claim, answer));
  return { claim, answer: describeAnswer(answer), notAsked: null, mayBreak, breaks };
}

/** Runs a sequence on QEMU; nothing is claimed, but looked at. */
export function runOnQemu(pool: Pool, world: MachineWorld, operations: readonly MachineOperation[], weakest?: Twins['weakest']): CornerRun {
  const looks: Look[] = [];
  const done: MachineOperation[] = [];
  try {
    const both = new MachineLockstep(world, { twins: twinsFor(pool, operations, weakest === undefined ? {} : { weakest }) });
    for (const o of operations) {
      if (o.op === 'claim') {
        looks.push(look(both, o, done));
        continue;
      }
      done.push(o);
      both.step(o);
    }
    both.close();
  } catch (error) {
    if (error instanceof Unmodelled) return { looks, violation: null, operations: done, unmodelled: error.what };
    if (error instanceof ViolationError) return { looks, violation: error.violation, operations: done, unmodelled: null };
    throw error;
  }
  return { looks, violation: null, operations: done, unmodelled: null };
}
