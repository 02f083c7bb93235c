/**
 * Waivers: how what QEMU is known to do against the architecture (deviations.ts) is kept out of a campaign, so that it can go on looking for
 * something else. Each is narrow. Most name a change of the sequence under which QEMU's way would be the right one (no global entry, no
 * command that it should refuse, ...): a finding is waived only if it is gone when the sequence is run again with that change, so everything
 * else that is wrong in it would still be found. Where no change can do that, a predicate looks at the sequence and at what broke; and what
 * would end almost every sequence is left out of the comparison.
 */
import { isOurs } from '../lockstep/machine-checks.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Twins } from '../lockstep/twins.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import { isEnd } from '../qemu/machine.js';
import type { Features } from '../spec/features.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';

/** What may be left out of the comparison: the direction in records of faults of CD fetches. */
export type Looseness = 'direction-of-cd-fetch';

export interface Waiver {
  readonly id: string;
  /** First version known to do it, and the first known not to do it any more. */
  readonly from: string;
  readonly until?: string;
  readonly clause: string;
  /** What QEMU does. */
  readonly behaviour: string;
  /** What it would hide or break. */
  readonly hides: string;
  /** What the causes of its findings mostly say: it is tried first then. */
  readonly hint?: RegExp;
  /** Only for an SMMU with these features; left out: any. */
  readonly when?: (f: Features) => boolean;
  /** The sequence in which what QEMU does is what the architecture asks for. */
  readonly undo?: (operations: readonly MachineOperation[]) => readonly MachineOperation[];
  /** Another such sequence, where the first takes away more than what QEMU does: only what is gone in both is waived. */
  readonly undoToo?: (operations: readonly MachineOperation[]) => readonly MachineOperation[];
  /** Is it this, in a sequence that ends in the operation that shows it? */
  readonly shows?: (failing: MachineCandidate, violation: Violation) => boolean;
  readonly loosens?: Looseness;
}

/** A sequence that ends in the operation that broke a rule. */
export interface Failing extends MachineCandidate {
  readonly violation: Violation;
}

/** Numbers of a version: "7.2.22" is before "10.0". */
function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number));
  for (let i = 0; i < 3; i += 1) {
    const d = ((x as number[])[i] ?? 0) - ((y as number[])[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

export function applies(w: Waiver, version: string): boolean {
  return compareVersions(version, w.from) >= 0 && (w.until === undefined || compareVersions(version, w.until) < 0);
}

export function loosened(waivers: readonly Waiver[]): ReadonlySet<Looseness> {
  return new Set(waivers.flatMap((w) => (w.loosens === undefined ? [] : [w.loosens])));
}

/**
 * The fewest waivers (one, or all that are needed) under which a failing sequence does not fail; null: there are none. None is about a QEMU
 * that ends, nor about what the optimised machine beside it does: either may be gone from a changed sequence for any reason.
 */
export function waiversOf(waivers: readonly Waiver[], failing: Failing, twins: Twins): readonly Waiver[] | null {
  if (isEnd(failing.violation) || isOurs(failing.violation)) return null;
  const cleanWith = (some: readonly Waiver[], undo: (w: Waiver) => Waiver['undo']): boolean => {
    const operations = some.reduce<readonly MachineOperation[]>((ops, w) => undo(w)?.(ops) ?? ops, failing.operations);
    const { violation, unmodelled } = replayMachine(failing.world, operations, { twins });
    return violation === null && unmodelled === null;
  };
  const clean = (some: readonly Waiver[]): boolean => cleanWith(some, (w) => w.undo)
    && (some.every((w) => w.undoToo === undefined) || cleanWith(some, (w) => w.undoToo ?? w.undo));
  const features = failing.world.smmus[0]?.features;
  const fitting = waivers.filter((w) => w.when === undefined || (features !== undefined && w.when(features)));
  const shown = fitting.find((w) => w.shows?.(failing, failing.violation) === true);
  if (shown !== undefined) return [shown];
  const likely = (w: Waiver): boolean => w.hint?.test(failing.violation.cause) === true;
  const able = fitting.filter((w) => w.undo !== undefined);
  const undoing = [...able.filter(likely), ...able.filter((w) => !likely(w))];
  const one = undoing.find((w) => clean([w]));
  if (one !== undefined) return [one];
  if (undoing.length < 2 || !clean(undoing)) return null;
  let needed = undoing;
  for (const w of undoing) {
    const rest = needed.filter((x) => x !== w);
    if (clean(rest)) needed = rest;
  }
  return needed;
}
