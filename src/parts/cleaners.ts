/**
 * The registry of the parts that clean leaf descriptors for walkers that are not coherent. Worlds name them; the optimised driver's own is `range-visitor`.
 */
import { EAGER, RANGE_VISITOR, type LeafCleaner } from '../optimised/driver/cleaners.js';
import type { Parts } from '../optimised/driver/types.js';
import { Unmodelled } from '../stack/violation.js';
import type { World } from '../stack/world.js';

export const CLEANERS: readonly LeafCleaner[] = [EAGER, RANGE_VISITOR];

/** The parts with the cleaner that the world names. */
export function withCleaner(own: Parts, world: World): Parts {
  if (world.cleaner === undefined || world.cleaner === own.cleaner.name) return own;
  const cleaner = CLEANERS.find((c) => c.name === world.cleaner);
  if (cleaner === undefined) throw new Unmodelled(`the cleaner ${world.cleaner} in the driver`);
  return { ...own, cleaner };
}
