/**
 * Corner decide: what the weakest machine permits where a carried case makes a claim; with that, whether the wrong form breaks its rule on
 * an SMMU with given features at all, and if not, which feature is missing.
 */
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import type { Allowed, MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { newTransaction, type Answer } from '../stack/transaction.js';
import { Unmodelled } from '../stack/violation.js';
import { eventName } from '../spec/event.js';
import { claimAllows } from '../lockstep/claims.js';
import { MachineLockstep } from '../lockstep/machine-lockstep.js';
import { answerName } from '../lockstep/machine-words.js';
import type { Decided } from '../operations/corner/builder.js';
import { AS_IN_RIGHT, carry, type Carried, type Claim, type Place } from './corner-carry.js';

/** One claim and every answer that the weakest machine permits there. */
export interface Permission {
  readonly claim: Claim;
  readonly answers: readonly Answer[];
}

export function transactionOf(p: Place): ReturnType<typeof newTransaction> {
  return { ...newTransaction(), sid: p.sid, ssid: p.ssid, frame: Math.floor(p.iova / 4096), write: p.write, privileged: p.privileged, instruction: p.instruction };
}

/** What the weakest machine of a run permits at a claim, now. */
export function permittedAt(both: MachineLockstep, claim: Claim): Answer[] {
  const answers: Answer[] = [];
  both.sides[claim.smmu]?.weakest.permitted(claim.translated ? 'translated' : 'access', transactionOf(claim), (a) => {
    answers.push({ ...a });
    return false;
  });
  return answers;
}

/** The answers that a claim does not allow. */
export function forbidden(p: Permission): Answer[] {
  return p.answers.filter((a) => !claimAllows(p.claim, a));
}

/** Runs on our own two machines; a text: what is not modelled. */
export function decide(world: MachineWorld, operations: readonly MachineOperation[]): Permission[] | string {
  const found: Permission[] = [];
  try {
    const both = new MachineLockstep(world);
    for (const o of operations) {
      if (o.op === 'claim') found.push({ claim: o, answers: permittedAt(both, o) });
      else both.step(o);
    }
  } catch (error) {
    if (error instanceof Unmodelled) return error.what;
    throw error;
  }
  return found;
}

function allowedOf(a: Answer): Allowed {
  if (a.kind === OUTCOME_OK) return { answer: 'ok', pa: a.frame * 4096 };
  if (a.kind !== OUTCOME_FAULT) return { answer: answerName(a) };
  return { answer: eventName(a.event) ?? 'any-fault', stage2: a.stage2 !== 0 };
}

/** Claims that say "as in the right form" get their answers from it. */
export function filled(c: Carried): Carried {
  if (!c.right.some((o) => o.op === 'claim' && o.allow === AS_IN_RIGHT)) return c;
  const permissions = decide(c.world, c.right);
  if (typeof permissions === 'string') return c;
  const allow = permissions.filter((p) => p.claim.allow === AS_IN_RIGHT).map((p) => p.answers.map(allowedOf));
  const fill = (operations: readonly MachineOperation[]): MachineOperation[] => {
    let next = 0;
    return operations.map((o) => {
      if (o.op !== 'claim' || o.allow !== AS_IN_RIGHT) return o;
      next += 1;
      return { ...o, allow: allow[next - 1] ?? [] };
    });
  };
  return { world: c.world, right: fill(c.right), wrong: fill(c.wrong) };
}

/** The case for an SMMU with these features, ready to run; null: no device can stand in for its streams. */
export function carriedFor(c: Decided, features: Features): Carried | null {
  const carried = carry(c, features);
  return carried === null ? null : filled(carried);
}

export interface Difference {
  /** Claims of the wrong form that its bug breaks. */
  readonly broken: readonly Claim[];
  /** The right form breaks a claim here. */
  readonly rightToo: boolean;
  readonly unmodelled: string | null;
}

const NO_DIFFERENCE: Difference = { broken: [], rightToo: false, unmodelled: null };

/** What the bug of a case changes on an SMMU with these features. */
export function difference(c: Decided, features: Features): Difference {
  const carried = carriedFor(c, features);
  if (carried === null) return NO_DIFFERENCE;
  const right = decide(carried.world, carried.right);
  const wrong = decide(carried.world, carried.wrong);
  if (typeof right === 'string' || typeof wrong === 'string') return { ...NO_DIFFERENCE, unmodelled: [right, wrong].find((one) => typeof one === 'string') as string };
  return { broken: wrong.filter((p) => forbidden(p).length > 0).map((p) => p.claim), rightToo: right.some((p) => forbidden(p).length > 0), unmodelled: null };
}

/** Does the case show its bug, and only its bug? */
function tells(d: Difference): boolean {
  return d.broken.length > 0 && !d.rightToo;
}

const FEATURE_KEYS = Object.keys(FULL_FEATURES) as (keyof Features)[];

/** `features` with one feature of `other`. */
function withOne(features: Features, other: Features, key: keyof Features): Features {
  return { ...features, [key]: other[key] };
}

/** Features of the case without which it shows nothing; those that only matter together are all named. */
export function missing(c: Decided, features: Features): (keyof Features)[] {
  const own = c.world.smmus[0]?.features ?? FULL_FEATURES;
  if (!tells(difference(c, own))) return [];
  const differ = FEATURE_KEYS.filter((key) => own[key] !== features[key]);
  const alone = differ.filter((key) => !tells(difference(c, withOne(own, features, key))));
  if (alone.length > 0) return alone;
  let have = own; // only together: taken away one after the other, for as long as it still shows
  const needed: (keyof Features)[] = [];
  for (const key of differ) {
    const less = withOne(have, features, key);
    if (tells(difference(c, less))) have = less;
    else needed.push(key);
  }
  return needed;
}
