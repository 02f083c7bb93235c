/**
 * Claims of seed 0.
 */
import type { Claim } from './claims.js';

export const SEED0: readonly Claim[] = [];
