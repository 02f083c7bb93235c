/**
 * compare --suite: a fixed set of figures in place of a comparison. The text is what corpus/tables holds, so that
 * `smmucheck compare --suite seed-0 > corpus/tables/seed-0.md` writes the table again.
 */
import { suiteSeed0 } from '../compare/suite-seed0.js';
import { suiteSeed2 } from '../compare/suite-seed2.js';
import { cleaningDocument, cleaningMarkdown } from '../report/cleaning.js';
import { suiteDocument, suiteMarkdown } from '../report/suite.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { now, type Output } from './output.js';

/** What a suite says. Nothing is wrong with it when all that is *recommended* holds: what a suite finds in what it compares is its product. */
interface Said {
  readonly ok: boolean;
  readonly text: string;
  readonly document: Record<string, unknown>;
}

function seed0(): Said {
  const suite = suiteSeed0();
  return { ok: suite.scenes.every((r) => [...r.withRange, ...r.withoutRange].every((s) => s.wrong === null)), text: suiteMarkdown(suite), document: suiteDocument(suite) };
}

function seed2(): Said {
  const suite = suiteSeed2();
  const ours = suite.totals.filter((t) => t.cleaner !== 'posted-walk');
  return { ok: ours.every((t) => t.sound === t.geometries), text: cleaningMarkdown(suite), document: cleaningDocument(suite) };
}

const MADE: Readonly<Record<string, () => Said>> = { 'seed-0': seed0, 'seed-2': seed2 };
export const SUITES: readonly string[] = Object.keys(MADE);

export function runSuite(name: string, out: Output): ExitCode {
  const make = SUITES.includes(name) ? MADE[name] : undefined;
  if (make === undefined) throw new UsageError(`there is no suite "${name}": ${SUITES.join(', ')}`);
  const start = now();
  const said = make();
  out.raw(said.text);
  out.document({ schema: 1, verb: 'compare', verdict: said.ok ? 'ok' : 'violation', suite: name, ...said.document, timing: { elapsedMs: Math.round(now() - start) } });
  return said.ok ? EXIT.ok : EXIT.violation;
}
