/**
 * check: every interleaving of a scenario, through the real driver code.
 */
import { explore } from '../check/explore.js';
import { findScenario, SCENARIOS } from '../check/scenarios.js';
import { findMutant, MUTANTS } from '../mutants/mutants.js';
import { checkBlock, checkJson, type CheckRecord } from '../report/check.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { wholeNumber, type Parsed, type VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'check', operands: 0,
  usage: ['check [--scenario NAME] [--mutant NAME] [--states N]'],
  about: [
    'Takes every order of the steps of a few driver calls, of the drains of their store buffers, and of the completion of SYNCs.',
    '', 'Scenarios:', ...SCENARIOS.map((s) => `  ${s.id.padEnd(14)}${s.about}`),
  ],
  options: [
    { name: 'scenario', value: 'NAME', about: 'only this one' },
    { name: 'mutant', value: 'NAME', about: 'load a deliberately broken driver' },
    { name: 'states', value: 'N', about: 'stop after so many transitions; the result is then not complete' },
  ],
  unbuilt: ['bound', 'memory-model'],
};

function run(p: Parsed, out: Output): ExitCode {
  const name = p.values.get('scenario');
  const only = name === undefined ? undefined : findScenario(name);
  if (name !== undefined && only === undefined) throw new UsageError(`there is no scenario "${name}": use one of ${SCENARIOS.map((s) => s.id).join(', ')}`);
  const mutant = p.values.get('mutant');
  if (mutant !== undefined && findMutant(mutant) === undefined) throw new UsageError(`there is no mutant "${mutant}": use one of ${MUTANTS.map((m) => m.name).join(', ')}`);
  const statesMax = wholeNumber(p, 'states', 1);
  const start = now();
  const records: CheckRecord[] = (only === undefined ? SCENARIOS : [only]).map((scenario) => {
    const options = { ...(mutant === undefined ? {} : { mutant }), ...(statesMax === undefined ? {} : { statesMax }) };
    const record = { scenario, explored: explore(scenario, options), mutant: mutant ?? null };
    out.print(checkBlock(record));
    return record;
  });
  const code = worst(records.map(({ explored }) => (explored.violation !== null ? EXIT.violation : explored.complete ? EXIT.ok : EXIT.inconclusive)));
  out.document({
    schema: 1, verb: 'check', verdict: code === EXIT.ok ? 'ok' : code === EXIT.violation ? 'violation' : 'inconclusive',
    ...(mutant === undefined ? {} : { mutant }), scenarios: records.map(checkJson), timing: { elapsedMs: Math.round(now() - start) },
  });
  return code;
}

export const verb: Verb = { spec, run };
