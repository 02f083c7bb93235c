/**
 * Claims: what the seed documents claim, row by row (their ids: S<seed>-<n>), and what decides each row here: a test or property by file and
 * title, with the one-line break of a source file that must turn it red (test/campaigns/claims.test.ts does every one of them); or why a row
 * is documentation only; or that it is not built yet. Data of each seed: claims-seed<n>.ts.
 */
import type { Claim } from './claim.js';
import { SEED0 } from './claims-seed0.js';
import { SEED1 } from './claims-seed1.js';
import { SEED2 } from './claims-seed2.js';
import { SEED3 } from './claims-seed3.js';
import { SEED4 } from './claims-seed4.js';

/** Seed documents, first to last. */
export const CLAIMS_BY_SEED: readonly (readonly Claim[])[] = [SEED0, SEED1, SEED2, SEED3, SEED4];
export const CLAIMS: readonly Claim[] = CLAIMS_BY_SEED.flat();
