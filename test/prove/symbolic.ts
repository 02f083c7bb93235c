/** Running symbolic claims in tests: with the solver where it is installed; else the test says so. */
import type { ExecutionContext } from 'ava';
import type { ClaimResult, SymbolicClaim } from '../../src/prove/claims.js';
import { endSolver, startSolver, type Solver } from '../../src/prove/symbolic/solver.js';

/** Does something with a solver of its own, whose threads are ended. */
export async function withSolver(t: ExecutionContext, work: (solver: Solver) => Promise<void>): Promise<void> {
  const solver = await startSolver();
  if ('missing' in solver) {
    t.log('not tested: z3-solver is not installed');
    t.pass();
    return;
  }
  try {
    await work(solver);
  } finally {
    await endSolver(solver);
  }
}

/** One line for each claim that did not come out as it is expected to. */
export async function others(solver: Solver, claims: readonly SymbolicClaim[]): Promise<string[]> {
  const lines: string[] = [];
  for (const claim of claims) {
    const r = await claim.run({ solver, stopped: () => false });
    if (r.verdict !== r.expected) lines.push(`${r.id}: ${r.verdict} ${r.why ?? ''}`);
  }
  return lines;
}

export function ran(claim: SymbolicClaim | undefined, solver: Solver): Promise<ClaimResult> {
  if (claim === undefined) throw new Error('there is no such claim');
  return claim.run({ solver, stopped: () => false });
}
