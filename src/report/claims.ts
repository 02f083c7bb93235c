/**
 * Claims: the ledger of the seeds' claims as text and JSON. Pure.
 */
import { isDecidedClaim, type Claim } from '../rules/claim.js';
import { counted, labelled } from './words.js';

/** The claims of one seed, or all: id, claim, and what decides it. */
export function claimsBlock(claims: readonly Claim[]): string {
  const rows = claims.flatMap((c) => [`${c.id}  ${c.claim}`, ...decisionLines(c)]);
  const decided = claims.filter(isDecidedClaim).length;
  const documented = claims.filter((c) => 'documentation' in c).length;
  const open = claims.length - decided - documented;
  return [...rows, `${counted(claims.length, 'claim')}: ${decided} decided by tests that a broken line turns red, ${documented} documentation only, ${open} not built yet`].join('\n');
}

function decisionLines(c: Claim): string[] {
  if ('documentation' in c) return labelled('no test', [c.documentation]);
  if (!isDecidedClaim(c)) return ['  not built yet'];
  return c.decidedBy.flatMap((d) => [
    ...labelled('test', [`${d.test}: ${d.title}`]),
    ...labelled('broken', [`${d.broken.file}: ${d.broken.line}`, `→ ${d.broken.replacement === '' ? '(left out)' : d.broken.replacement}`]),
    ...(d.also === undefined ? [] : labelled('also', [d.also.join(', ')])),
  ]);
}

export function claimDocuments(claims: readonly Claim[]): Record<string, unknown>[] {
  return claims.map((c) => ({ ...c }));
}
