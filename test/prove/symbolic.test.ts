/** Symbolic claims: each comes out as expected; what is missing, too slow or stopped is undecided; the threads of the solver are ended. */
import test from 'ava';
import { judgePlanCase } from '../../src/prove/plan.js';
import { BROKEN, SYMBOLIC } from '../../src/prove/symbolic.js';
import { exactRanges, LOOP } from '../../src/prove/symbolic/exact.js';
import { COUNT, doubleRange, doubleRangeCont, DS, FIRST, LEAVES, RECIPE, singleRange, TABLES, widthOf, type Scope } from '../../src/prove/symbolic/planners.js';
import { add, bitLength, eq, Evaluation, join, le, lt, mask, shl, shr, smtText, sub, trailingZeros, type Term } from '../../src/prove/symbolic/terms.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { endSolver, startSolver, type Answer, type Solver } from '../../src/prove/symbolic/solver.js';
import { document, run } from '../cli/program.js';
import { others, ran, withSolver } from './symbolic.js';

const TIME = 600_000;

test('every symbolic claim comes out as expected', async (t) => {
  t.timeout(TIME);
  await withSolver(t, async (solver) => { t.deepEqual(await others(solver, SYMBOLIC), []); });
});

test('the ids are unique, and every planner with ranges has its claims', (t) => {
  const ids = [...SYMBOLIC, ...BROKEN].map((c) => c.id);
  t.is(new Set(ids).size, ids.length);
  for (const planner of ['single-range', 'double-range', 'double-range-cont', 'exact-ranges']) {
    for (const what of ['coverage', 'legality', 'over-invalidation', 'fallback']) t.true(ids.includes(`symbolic-${what}/${planner}`), `${what}/${planner}`);
  }
});

test('without the package every claim is undecided, and says what to install', async (t) => {
  const solver = await startSolver('no-such-solver');
  t.deepEqual(solver, { missing: 'no-such-solver is not installed: npm install no-such-solver' });
  for (const claim of [...SYMBOLIC, ...BROKEN]) {
    const r = await claim.run({ solver, stopped: () => false });
    t.is(r.verdict, 'undecided');
    t.regex(r.why ?? '', /is not installed/);
  }
  await endSolver(solver);
});

test('a package that is something else says why it cannot be loaded', async (t) => {
  const solver = await startSolver('seedrandom');
  t.regex('missing' in solver ? solver.missing : '', /^seedrandom cannot be loaded: /);
});

/** A solver that always gives one answer. */
function says(answer: Answer): Solver {
  return { ask: () => Promise.resolve(answer), end: () => Promise.resolve() };
}

test('no answer in time is undecided', async (t) => {
  for (const claim of [...SYMBOLIC, ...BROKEN]) {
    const r = await ran(claim, says({ kind: 'unknown', reason: 'too slow' }));
    t.is(r.verdict, 'undecided');
    t.is(r.why, 'too slow');
  }
});

test('a model that breaks no rule refutes nothing', async (t) => {
  const values = new Map([['first', 0n], ['count', 1n], ['leaves', 1n], ['tables', 0n], ['ds', 0n], ['offset', 0n]]);
  for (const claim of SYMBOLIC.filter((c) => /-(coverage|legality|contiguous|over-invalidation)\//.test(c.id))) {
    const r = await ran(claim, says({ kind: 'sat', values }));
    t.is(r.verdict, 'undecided', claim.id);
    t.regex(r.why ?? '', /breaks no rule/);
  }
});

test('a mutant that the solver cannot break comes out as proved, not as refuted', async (t) => {
  t.is((await ran(BROKEN[0], says({ kind: 'unsat' }))).verdict, 'proved');
});

test('a run that is stopped leaves the claim undecided while the solver is at work', async (t) => {
  let asked = false;
  const solver: Solver = { ask: () => { asked = true; return new Promise(() => undefined); }, end: () => Promise.resolve() };
  const r = await (SYMBOLIC[0] as (typeof SYMBOLIC)[number]).run({ solver, stopped: () => asked });
  t.is(r.why, 'ended while the solver was at work');
});

test('the solver reads a formula as the evaluation does', async (t) => {
  t.timeout(TIME);
  const s: Scope = { tg: 14, addressBits: 64 };
  const { plan } = exactRanges(LOOP, s);
  const operations = [add, sub, shl, shr, mask, join, eq, lt, le].map((f): Term => f(FIRST, COUNT));
  const terms: readonly Term[] = [...operations, trailingZeros(COUNT, 52), bitLength(FIRST, 52), ...[singleRange(RECIPE, s), doubleRange(RECIPE, s), doubleRangeCont(RECIPE, s), plan].flatMap((p) => [p.whole, ...p.commands.flatMap((c) => [c.there, c.start, c.num, c.scale, c.ttl, c.ranged, c.leaf])])];
  await withSolver(t, async (solver) => {
    const c = new RandomChooser('readings');
    for (let i = 0; i < 20; i += 1) {
      const first = BigInt(c.index(2 ** (1 + c.index(31))));
      const count = i % 3 === 0 && first > 0n ? first : BigInt(1 + c.index(2 ** (1 + c.index(31))));
      const values = new Map<string, bigint>([['first', first], ['count', count], ['leaves', BigInt(c.index(16))], ['tables', BigInt(c.index(8) * 2)], ['ds', BigInt(c.index(2))]]);
      const e = new Evaluation(values, widthOf(s));
      const { text, names } = smtText([FIRST, COUNT, LEAVES, TABLES, DS, ...terms], widthOf(s));
      const literal = (x: Term, value: bigint): string => (x.sort === 'bool' ? (value === 0n ? 'false' : 'true') : `(_ bv${value} ${widthOf(s)})`);
      const inputs = [...values].map(([name, value]) => `(assert (= ${name} ${name === 'ds' ? (value === 0n ? 'false' : 'true') : `(_ bv${value} ${widthOf(s)})`}))`);
      const same = terms.map((x, k) => `(= ${names[k + 5] as string} ${literal(x, e.of(x))})`);
      t.is((await solver.ask(`${text}\n${inputs.join('\n')}\n(assert (not (and ${same.join(' ')})))`, [...values.keys()], TIME)).kind, 'unsat', [...values].join(' '));
    }
  });
});

test('the time of a question is kept', async (t) => {
  t.timeout(TIME);
  await withSolver(t, async (solver) => {
    const hard = '(declare-const a (_ BitVec 64))(declare-const b (_ BitVec 64))(assert (= (bvmul a b) #x7fffffffffffffe7))(assert (bvult #x0000000000000001 a))(assert (bvult #x0000000000000001 b))(assert (bvult a #x00000000ffffffff))(assert (bvult b #x00000000ffffffff))';
    t.deepEqual(await solver.ask(hard, ['a', 'b'], 300), { kind: 'unknown', reason: 'no answer of the solver within 0.3 s' });
    t.is((await solver.ask('(declare-const a Bool)(assert (and a (not a)))', ['a'], TIME)).kind, 'unsat');
  });
});

test('the same question gives the same counterexample, whatever was asked before', async (t) => {
  t.timeout(TIME);
  const claim = SYMBOLIC.find((c) => c.id === 'symbolic-contiguous/double-range');
  await withSolver(t, async (solver) => {
    const first = await ran(claim, solver);
    t.truthy(first.counterexample);
    await withSolver(t, async (another) => {
      await ran(BROKEN[0], another);
      t.deepEqual(await ran(claim, another), first);
    });
  });
});

test('the known counterexample of double-range is a run that neither range holds whole', async (t) => {
  await withSolver(t, async (solver) => {
    const r = await ran(SYMBOLIC.find((c) => c.id === 'symbolic-contiguous/double-range'), solver);
    t.deepEqual(r.counterexample?.subject, { parts: { planner: 'double-range' } });
    t.regex(r.counterexample?.actual ?? '', /contiguous run .* stays/);
    if (r.counterexample === undefined) return;
    const { rule, features, description, subject } = r.counterexample;
    const judged = judgePlanCase({ schema: 1, kind: 'plan', features, description, subject, expect: { verdict: 'violation', rule }, provenance: {} });
    t.deepEqual(judged.violations.map((v) => v.rule), ['range-coverage']);
  });
});

test('the process exits after a symbolic claim: its threads are ended', async (t) => {
  t.timeout(TIME);
  const solver = await startSolver();
  await endSolver(solver);
  const ended = await run(['prove', '--claim', 'symbolic-legality/single-range', '--json']);
  const [claim] = document(ended)['claims'] as { readonly verdict: string; readonly why?: string }[];
  if ('missing' in solver) {
    t.log('not tested: z3-solver is not installed');
    t.is(ended.code, 2);
    t.deepEqual([claim?.verdict, claim?.why], ['undecided', solver.missing]);
  } else {
    t.is(ended.code, 0, ended.stderr);
    t.is(claim?.verdict, 'proved');
  }
});
