/**
 * prove: claims about planners: over every description that can occur, or a sample of them, and for all inputs with a solver.
 */
import { availableParallelism } from 'node:os';
import { EXHAUSTIVE } from '../prove/exhaustive.js';
import { HITLESS, MINIMAL } from '../prove/hitless.js';
import { BROKEN, SYMBOLIC } from '../prove/symbolic.js';
import { SAMPLE } from '../prove/work.js';
import { PLANNER_NAMES } from '../stack/planner.js';
import { UsageError, type ExitCode } from './exit.js';
import { duration, oneOf, wholeNumber, type Parsed, type VerbSpec } from './options.js';
import type { Output } from './output.js';
import { ProveSession } from './prove-session.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'prove', operands: 0,
  usage: ['prove [--planner NAME] [--claim ID] [--seed TEXT] [--cases N]', 'prove --all [--state FILE] [--workers N] [--time T]'],
  about: [
    'Decides what is claimed of each planner: that every damaged entry is removed, on ordinary hardware and with the contiguous erratum,',
    'that no command is illegal, and that commands and over-invalidation stay within what the planner promises. Every range in windows of',
    '4096 entries (256 where each of them is hundreds of commands), all damaged levels, all granules, with and without range commands and',
    'DS: with --all each of them, else a sample of every kind. Claims for all inputs at once (method symbolic) are decided by a solver.',
    'Exit 0: each claim came out as expected (some are known not to hold, and must be refuted); 1: one did not, its smallest',
    'counterexample is stored as a case; 2: one is undecided.',
    'The claim hitless is about the writer of STEs and CDs instead: every pair of configurations when it is asked for by name or with --all.',
  ],
  options: [
    { name: 'planner', value: 'NAME', about: `only claims about this one: ${PLANNER_NAMES.join(', ')}` },
    { name: 'claim', value: 'ID', about: 'only this claim, as coverage/single-range' },
    { name: 'method', value: 'METHOD', about: 'only claims decided by this: exhaustive (cases, or a sample of them) or symbolic (a solver)' },
    { name: 'mutants', about: 'also the symbolic claims about formulas that are broken on purpose: each must be refuted' },
    { name: 'all', about: 'every description (billions: hours)' },
    { name: 'state', value: 'FILE', about: '--all: keep what is done in a file, and continue from it' },
    { name: 'cases', value: 'N', about: `size of the sample (default ${SAMPLE})` },
    { name: 'seed', value: 'TEXT', about: 'seed of the sample (default: 1)' },
    { name: 'workers', value: 'N', about: 'threads (default: one a core); the result is the same for any number' },
    { name: 'time', value: 'T', about: 'end after so long, as 30s, 2m or 1h; what is not done is undecided' },
    { name: 'corpus', value: 'DIR', about: 'store counterexamples there, known ones as well (default: a scratch directory, only what is not expected)' },
  ],
};

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  const planner = oneOf(p, 'planner', PLANNER_NAMES);
  const method = oneOf(p, 'method', ['exhaustive', 'symbolic'] as const);
  const id = p.values.get('claim');
  const all = p.values.has('all');
  const every = [...EXHAUSTIVE, ...SYMBOLIC, ...BROKEN, HITLESS, MINIMAL];
  if (id !== undefined && !every.some((c) => c.id === id)) throw new UsageError(`there is no claim "${id}": use one of ${every.map((c) => c.id).join(', ')}`);
  const asked = p.values.has('mutants') || id !== undefined ? every : [...EXHAUSTIVE, ...SYMBOLIC, HITLESS, MINIMAL];
  const wanted = asked.filter((c) => (planner === undefined || c.planner === planner) && (method === undefined || c.method === method) && (id === undefined || c.id === id || (id === HITLESS.id && c.id === MINIMAL.id)));
  if (wanted.length === 0) throw new UsageError(`no claim is left: ${[id, planner, method].filter((x) => x !== undefined).join(', ')} do not go together`);
  if (p.values.has('state') && !all) throw new UsageError('option --state needs --all');
  for (const option of ['cases', 'seed']) if (all && p.values.has(option)) throw new UsageError(`options --all and --${option} exclude each other`);
  const session = new ProveSession({
    claims: new Set(wanted.map((c) => c.id)), all, seed: p.values.get('seed') ?? '1', cases: wholeNumber(p, 'cases', 1, 2 ** 40) ?? SAMPLE,
    workers: wholeNumber(p, 'workers', 1, 256) ?? availableParallelism(), timeMs: duration(p, 'time'), state: p.values.get('state'), corpus: p.values.get('corpus'),
  }, out);
  return session.run();
}

export const verb: Verb = { spec, run };
