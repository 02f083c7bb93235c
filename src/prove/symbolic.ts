/**
 * Symbolic claims: decided for all inputs at once by a solver. None yet.
 */
import type { SymbolicClaim } from './claims.js';

export const SYMBOLIC: readonly SymbolicClaim[] = [];
