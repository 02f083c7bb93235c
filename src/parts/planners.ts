/**
 * The registry of planners: name → implementation. Worlds, `fuzz --planner`, `prove`, `compare` and `plan` name them; candidates from outside
 * are wrapped as planners by `compare` and never stand here.
 */
import { DOUBLE_RANGE_CONT } from '../optimised/driver/planners/double-range-cont.js';
import { DOUBLE_RANGE } from '../optimised/driver/planners/double-range.js';
import { EXACT_RANGES } from '../optimised/driver/planners/exact-ranges.js';
import { PER_GRANULE } from '../optimised/driver/planners/per-granule.js';
import { SINGLE_RANGE } from '../optimised/driver/planners/single-range.js';
import { WHOLE_TAG_PLANNER } from '../optimised/driver/planners/whole-tag.js';
import type { Planner } from '../stack/planner.js';

export const PLANNERS: readonly Planner[] = [PER_GRANULE, EXACT_RANGES, SINGLE_RANGE, DOUBLE_RANGE, DOUBLE_RANGE_CONT, WHOLE_TAG_PLANNER];
/** The planner of a world that names none. */
export const DEFAULT_PLANNER = SINGLE_RANGE.name;

export function findPlanner(name: string): Planner | undefined {
  return PLANNERS.find((p) => p.name === name);
}
