/**
 * Judge: one sequence on QEMU, alone: what a candidate of the shrinker breaks, and a stored case run again. A case that was made for another
 * SMMU runs as a sequence for the one that is there: with its features.
 */
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Replayed } from '../lockstep/replay.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { Pool } from '../qemu/pool.js';
import type { Features } from '../spec/features.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
import { twinsFor } from './campaign.js';
import { waiversOf, type Failing, type Waiver } from './waivers.js';

/** The violation of a candidate on QEMU; null: there is none, it is not like `like`, or it is waived. */
export function judgeLike(pool: Pool, waivers: readonly Waiver[], c: MachineCandidate, like: Violation): Violation | null {
  const twins = twinsFor(pool, c.operations, { waivers });
  const { violation, failedAt } = replayMachine(c.world, c.operations, { twins });
  if (violation === null || violation.rule !== like.rule || violation.cause !== like.cause) return null;
  return waived(waivers, { ...c, violation }, failedAt, pool) === null ? violation : null;
}

function waived(waivers: readonly Waiver[], c: Failing, failedAt: number, pool: Pool): readonly Waiver[] | null {
  if (waivers.length === 0) return null;
  const operations = c.operations.slice(0, failedAt + 1);
  return waiversOf(waivers, { ...c, operations }, twinsFor(pool, operations, { waivers }));
}

/** Why a sequence says nothing about an SMMU in front of which devices without ATS stand; null: it may. */
export function notForQemu(c: MachineCandidate): string | null {
  if (c.world.smmus.length !== 1) return 'the board has one SMMU';
  if (c.operations.some((op) => op.op === 'ats-request' || op.op === 'translated')) return 'no device of the board has ATS';
  if (c.operations.some((op) => op.op === 'claim')) return 'its claims are about every legal SMMU';
  return null;
}

/** The world of a sequence with the SMMU that is there, and the features in which that is another one. */
export function worldOn(world: MachineWorld, features: Features): { readonly world: MachineWorld; readonly changed: readonly (keyof Features)[] } {
  const keys = Object.keys(features) as (keyof Features)[];
  const changed = keys.filter((key) => world.smmus.some((s) => s.features[key] !== features[key]));
  return { world: { ...world, smmus: world.smmus.map((s) => ({ ...s, features })), judged: false }, changed };
}

export interface OnQemu extends Replayed<MachineOperation> {
  readonly world: MachineWorld;
  readonly changed: readonly (keyof Features)[];
  /** Known deviations that the violation is; null: it is none. */
  readonly waived: readonly Waiver[] | null;
  /** Accesses that QEMU was asked for. */
  readonly asked: number;
  /** Accesses that it could not be asked for, by why. */
  readonly notAsked: Readonly<Record<string, number>>;
}

/** A stored sequence on QEMU, with all sides of every operation. */
export function replayOnQemu(pool: Pool, waivers: readonly Waiver[], c: MachineCandidate): OnQemu {
  const { world, changed } = worldOn(c.world, pool.features);
  const done = replayMachine(world, c.operations, { twins: twinsFor(pool, c.operations, { waivers }) }, true);
  const notAsked: Record<string, number> = {};
  let asked = 0;
  for (const row of done.rows) {
    if (row.operation.op !== 'access') continue;
    if (row.beside !== undefined || row.differs) asked += 1;
    else notAsked[row.optimised] = (notAsked[row.optimised] ?? 0) + 1;
  }
  const known = done.violation === null ? null : waived(waivers, { world, operations: c.operations, violation: done.violation }, done.failedAt, pool);
  return { ...done, world, changed, waived: known, asked, notAsked };
}
