/**
 * Mutant: what a deliberately broken variant of the optimised driver is, and the usual ways to break one: its batches, its plans, what it
 * says of a gather.
 */
import type { BarrierSite, CleanSite, Cpu } from '../memory/cpu.js';
import type { Batch, Gather, Parts } from '../optimised/driver/types.js';
import { newDescription } from '../stack/description.js';
import type { Planner } from '../stack/planner.js';
import type { World } from '../stack/world.js';

export interface Mutant {
  readonly name: string;
  readonly about: string;
  /** Found by random sequences, or only by exploring interleavings. */
  readonly found: 'fuzz' | 'interleaving';
  /** The family of worlds that can show it, when that is not the default one. */
  readonly profile?: string;
  /** Rows of the bug zoo (bugs that real drivers had) that it stands for. */
  readonly zoo?: readonly string[];
  readonly parts?: (own: Parts, world: World, form: 'plain' | 'steps') => Parts;
  /** Which barriers still work. */
  /** What becomes of cleans. */
  readonly cleans?: (site: CleanSite, ref: number, words: number) => 'whole' | 'none' | 'early' | 'short';
  readonly barriers?: (site: BarrierSite, cpu: Cpu, isTable: (slot: number) => boolean) => boolean;
}

/** Keeps the commands for which `keep` says so. */
export function filterCommands(batch: Batch, keep: (op: number, at: number) => boolean): void {
  let n = 0;
  for (let i = 0; i < batch.count; i += 1) {
    if (!keep((batch.words[i * 4] as number) & 0xff, i * 4)) continue;
    batch.words.copyWithin(n * 4, i * 4, i * 4 + 4);
    n += 1;
  }
  batch.count = n;
}

export function onBatch(change: (batch: Batch, world: World) => void): NonNullable<Mutant['parts']> {
  return (own, world) => ({
    ...own,
    emit: (batch) => {
      own.emit(batch);
      change(batch, world);
    },
  });
}

export function onPlan(name: string, wrap: (planner: Planner) => Planner['plan']): NonNullable<Mutant['parts']> {
  return (own) => ({ ...own, planner: { ...own.planner, name: `${own.planner.name} (${name})`, plan: wrap(own.planner) } });
}

/** Plans changed with a look at the gather that they are for; a flush of everything, which is for none, stays as it is. */
export function onGatherPlan(name: string, wrap: (planner: Planner, gather: () => Gather | null) => Planner['plan'], room = 0): NonNullable<Mutant['parts']> {
  return (own) => {
    let last: Gather | null = null;
    const broken = wrap(own.planner, () => last);
    return {
      ...own,
      describe: (gather, d) => {
        last = gather;
        own.describe(gather, d);
      },
      planner: {
        ...own.planner, name: `${own.planner.name} (${name})`, room: Math.max(own.planner.room, room),
        plan: (d, features, out) => (d.all ? own.planner.plan(d, features, out) : broken(d, features, out)),
      },
    };
  };
}

/** A description to change, for mutants of plans. */
export const changed = newDescription();
