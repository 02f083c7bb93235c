/**
 * compare --suite: a fixed set of figures in place of a comparison. The text is what corpus/tables holds, so that
 * `smmucheck compare --suite seed-0 > corpus/tables/seed-0.md` writes the table again.
 */
import { suiteSeed0 } from '../compare/suite-seed0.js';
import { suiteDocument, suiteMarkdown } from '../report/suite.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { now, type Output } from './output.js';

export const SUITES: readonly string[] = ['seed-0'];

export function runSuite(name: string, out: Output): ExitCode {
  if (!SUITES.includes(name)) throw new UsageError(`there is no suite "${name}": ${SUITES.join(', ')}`);
  const start = now();
  const suite = suiteSeed0();
  const ok = suite.scenes.every((r) => [...r.withRange, ...r.withoutRange].every((s) => s.wrong === null));
  out.raw(suiteMarkdown(suite));
  out.document({ schema: 1, verb: 'compare', verdict: ok ? 'ok' : 'violation', suite: name, ...suiteDocument(suite), timing: { elapsedMs: Math.round(now() - start) } });
  return ok ? EXIT.ok : EXIT.violation;
}
