/**
 * Planner: the part that turns one description of damage into invalidation commands (seed 0: "pre-compute into the tlbi the single and
 * range commands"). A planner is pure; it writes payloads without opcode and tag (word 0: NUM, SCALE; words 2 and 3: Leaf, TTL, TG,
 * address), which the driver combines with each SMMU's opcode and ASID or VMID. What a planner promises is checked by the rules
 * `range-coverage`, `illegal-command`, `over-invalidation` and `command-bound`, and proved by `smmucheck prove`.
 */
import type { Description } from './description.js';

/** Single-address commands that the new planners put into one plan at most; more means a whole-tag flush (seed 0). */
export const PLAN_MAX = 512;
/** Uint32 words of one payload. */
export const PAYLOAD_WORDS = 4;
/** What a planner returns for "invalidate everything of the tag". */
export const WHOLE_TAG = -1;

/** The planners that a world may name; the first is what it has when it names none. Implementations: src/parts/planners.ts. */
export const PLANNER_NAMES = ['single-range', 'per-granule', 'exact-ranges', 'double-range', 'double-range-cont', 'whole-tag'] as const;
export type PlannerName = (typeof PLANNER_NAMES)[number];

export interface PlannerFeatures {
  /** IDR3.RIL of the SMMU. */
  readonly range: boolean;
  /** IDR5.DS: SCALE up to 39, TTL = 1 with 16K granules. */
  readonly ds: boolean;
}

/** What a planner promises of every plan. */
export interface PlannerPromise {
  /** Commands of one plan at most, with range support and without. A whole-tag flush counts as none. */
  readonly range: number;
  readonly single: number;
  /** Granules beyond [first, last] that a plan over n granules reaches at most, with range support. Without it always 0. */
  readonly over: (n: number) => number;
}

export interface Planner {
  readonly name: string;
  /** One line for tables and help. */
  readonly about: string;
  /** Payloads that `out` must have room for. */
  readonly room: number;
  /** Missing: a candidate, which promises nothing but to be right. */
  readonly promise?: PlannerPromise;
  /** Writes PAYLOAD_WORDS uint32 for each command to `out`, ascending addresses not required; returns their number, or WHOLE_TAG. Allocates nothing. */
  plan(d: Description, features: PlannerFeatures, out: Uint32Array): number;
}

/** Is this the name that a case gives to a candidate from outside, `mine.wasm#` and the beginning of its SHA-256? No planner of the house has a `#`. */
export function isCandidatePart(part: string): boolean {
  return part.includes('#');
}
