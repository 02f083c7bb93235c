/**
 * rules: the ledger: what every rule claims, from which clause, and what it costs; the seeded bugs; the corner cases.
 */
import { campaign, newResult } from '../fuzz/campaign.js';
import { MUTANTS } from '../mutants/mutants.js';
import { TABLE_ZOO_ELSEWHERE } from '../mutants/lazy.js';
import { ZOO_ELSEWHERE } from '../mutants/ranges.js';
import { TABLE_MUTANTS } from '../mutants/table-mutants.js';
import { SYSTEM_ZOO_ELSEWHERE } from '../mutants/zoo.js';
import { CORNER_CASES, DECIDED, isDecided } from '../operations/corner/cases.js';
import { cornerFileName } from '../operations/corner/files.js';
import { PROFILES, type Profile } from '../operations/profiles.js';
import { claimDocuments, claimsBlock } from '../report/claims.js';
import { cornerCasesBlock, mutantsBlock, rulesBlock, zooBlock } from '../report/tables.js';
import { counted } from '../report/words.js';
import { CLAIMS, CLAIMS_BY_SEED } from '../rules/claims.js';
import { RULES } from '../rules/ledger.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { wholeNumber, type Parsed, type VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import type { Verb } from './verb.js';

const SEED = 'rules';

const spec: VerbSpec = {
  name: 'rules', operands: 0,
  usage: ['rules [--run-ops N]', 'rules --mutants', 'rules --corner-cases', 'rules --claims [--seed N]'],
  about: ['Every rule: what it claims, from which clause or source, and what asking it costs. Armed: something existed that it could have condemned; decided: it was then judged.'],
  options: [
    { name: 'run-ops', value: 'N', about: `count how often each rule is armed and decided in N operations of seed "${SEED}"` },
    { name: 'mutants', about: 'the deliberately broken drivers instead: name, how each is found, which rows of the bug zoo it stands for, what is wrong' },
    { name: 'corner-cases', about: 'the corner cases of the architecture instead: number, the rule that the wrong form breaks, scenario; or why it is not decided' },
    { name: 'claims', about: 'the claims of the seed documents instead: the test that decides each and the line whose break turns it red; or why it has none' },
    { name: 'seed', value: 'N', about: `with --claims: those of seed N, 0 to ${CLAIMS_BY_SEED.length - 1}` },
  ],
};

function printMutants(out: Output): void {
  const tables = TABLE_MUTANTS.map((m) => ({ ...m, found: 'fuzz --tables-only' }));
  const mutants = [...MUTANTS, ...tables].map(({ name, found, zoo, about }) => ({ name, found, ...(zoo === undefined ? {} : { zoo }), about }));
  out.print(mutantsBlock(mutants));
  const elsewhere = [...ZOO_ELSEWHERE, ...SYSTEM_ZOO_ELSEWHERE, ...TABLE_ZOO_ELSEWHERE];
  out.print(`\nRows of the bug zoo that are no mutants:\n${zooBlock(elsewhere)}`);
  out.document({ schema: 1, verb: 'rules', verdict: 'ok', mutants, zooElsewhere: elsewhere, timing: {} });
}

function printCornerCases(out: Output): void {
  const cornerCases = CORNER_CASES.map((c) => (isDecided(c) ? { number: c.number, scenario: c.scenario, rule: c.rule, right: cornerFileName(c, 'right'), wrong: cornerFileName(c, 'wrong') } : { number: c.number, outOfScope: c.outOfScope }));
  out.print(cornerCasesBlock(cornerCases));
  out.print(`${counted(DECIDED.length, 'corner case')} of ${CORNER_CASES.length} decided, each by a right and a wrong form: corpus/corner-cases/NNN-*-right.json and -wrong.json`);
  out.document({ schema: 1, verb: 'rules', verdict: 'ok', cornerCases, timing: {} });
}

function printClaims(out: Output, p: Parsed): void {
  const seed = wholeNumber(p, 'seed', 0, CLAIMS_BY_SEED.length - 1);
  const claims = seed === undefined ? CLAIMS : CLAIMS_BY_SEED[seed] ?? [];
  out.print(claimsBlock(claims));
  out.document({ schema: 1, verb: 'rules', verdict: 'ok', claims: claimDocuments(claims), timing: {} });
}

/** The lists that are printed in place of the rules. */
const LISTS = { mutants: printMutants, 'corner-cases': printCornerCases, claims: printClaims } as const;

function run(p: Parsed, out: Output): ExitCode {
  const operations = wholeNumber(p, 'run-ops', 1);
  const asked = [...(Object.keys(LISTS) as (keyof typeof LISTS)[]), 'run-ops' as const].filter((name) => p.values.has(name));
  if (asked.length > 1) throw new UsageError(`options --${asked[0]} and --${asked[1]} exclude each other`);
  if (p.values.has('seed') && !p.values.has('claims')) throw new UsageError('option --seed goes with --claims');
  const [list] = asked;
  if (list !== undefined && list !== 'run-ops') {
    LISTS[list](out, p);
    return EXIT.ok;
  }
  const start = now();
  const result = newResult();
  if (operations !== undefined) for (const run of campaign({ seed: SEED, profile: PROFILES[0] as Profile, operations }, result)) void run;
  const counts = operations === undefined ? null : result.ledger.counts();
  out.print(rulesBlock(RULES, counts));
  if (counts !== null) out.print(`counted in ${counted(result.operations, 'op')} of seed "${SEED}"${result.failures.length > 0 ? ', which end in a violation: see `fuzz`' : ''}`);
  out.document({
    schema: 1, verb: 'rules', verdict: result.failures.length > 0 ? 'violation' : 'ok',
    rules: RULES.map((r) => ({ ...r, ...(counts === null ? {} : counts[r.id]) })), timing: { elapsedMs: Math.round(now() - start) },
  });
  return result.failures.length > 0 ? EXIT.violation : EXIT.ok;
}

export const verb: Verb = { spec, run };
