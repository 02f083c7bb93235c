/**
 * Planner: the part that turns one description of damage into invalidation commands. A planner is pure; it writes
 * payloads without opcode and tag (word 0: NUM, SCALE; words 2 and 3: Leaf, TTL, TG, address), which the driver
 * combines with each SMMU's opcode and ASID.
 */
import type { Description } from './description.js';

/** Commands one plan may need at most; more means a whole-tag flush. */
export const PLAN_MAX = 512;
/** What a planner returns for "invalidate everything of the tag". */
export const WHOLE_TAG = -1;

export interface PlannerFeatures {
  /** IDR3.RIL of the SMMU. */
  readonly range: boolean;
  readonly ds: boolean;
}

export interface Planner {
  readonly name: string;
  /** Writes 4 uint32 for each command to `out` (room for PLAN_MAX); returns their number, or WHOLE_TAG. */
  plan(d: Description, features: PlannerFeatures, out: Uint32Array): number;
}
