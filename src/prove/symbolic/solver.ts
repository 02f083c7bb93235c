/**
 * Solver: one question after the other to Z3, as SMT-LIB text. z3-solver (npm, MIT) is an optional dependency, and only this file loads it, by
 * a name that the compiler does not follow: without the package everything else builds and works. Text alone is used, because the package's
 * high-level interface races with its own threads. The threads live until `end`; a process that does not call it never exits.
 */

/** What is used of z3-solver. */
interface Z3Module {
  readonly Z3: {
    mk_config(): unknown;
    mk_context(config: unknown): unknown;
    del_context(context: unknown): void;
    eval_smtlib2_string(context: unknown, text: string): Promise<string>;
  };
  readonly em: { readonly PThread: { terminateAllThreads(): void } };
}

/** Loads the package: the real one, or a test's. */
export type Loader = () => Promise<unknown>;

const PACKAGE: string = 'z3-solver';

export const loadZ3: Loader = async () => {
  const module: { init(): Promise<unknown> } = await import(PACKAGE);
  return module.init();
};

/** What came out of one question: no model; a model (name → value); or nothing within the time. */
export type Answer =
  | { readonly kind: 'unsat' }
  | { readonly kind: 'sat'; readonly values: ReadonlyMap<string, bigint> }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface Solver {
  /** `text` declares and asserts, without options and check-sat; `inputs`: the constants whose values a model gives. One question at a time. What was answered is remembered. */
  ask(text: string, inputs: readonly string[], timeoutMs: number): Promise<Answer>;
  /** Ends the threads. No question after it. */
  end(): void;
}

/** The solver, or why there is none. */
export type SolverState = Solver | { readonly missing: string };

export async function startSolver(load: Loader = loadZ3): Promise<SolverState> {
  let z3: Z3Module;
  try {
    z3 = await load() as Z3Module;
  } catch (error) {
    const absent = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
    return { missing: absent ? 'z3-solver is not installed: npm install z3-solver' : `z3-solver cannot be loaded: ${error instanceof Error ? error.message : String(error)}` };
  }
  const context = z3.Z3.mk_context(z3.Z3.mk_config());
  const known = new Map<string, Answer>();
  return {
    ask: async (text, inputs, timeoutMs) => {
      const whole = script(text, inputs, timeoutMs);
      const before = known.get(whole);
      if (before !== undefined) return before;
      const answer = await ask(z3, context, whole);
      if (answer.kind !== 'unknown') known.set(whole, answer);
      return answer;
    },
    end: () => { z3.em.PThread.terminateAllThreads(); },
  };
}

export function endSolver(s: SolverState): void {
  if (!('missing' in s)) s.end();
}

/** Fixed seeds: the same text gives the same model. `(reset)` forgets the question before. */
function script(text: string, inputs: readonly string[], timeoutMs: number): string {
  return [
    '(reset)', '(set-option :produce-models true)', `(set-option :timeout ${timeoutMs})`, '(set-option :sat.random_seed 1)', '(set-option :smt.random_seed 1)',
    '(set-logic QF_BV)', text, '(check-sat)', `(get-value (${inputs.join(' ')}))`,
  ].join('\n');
}

async function ask(z3: Z3Module, context: unknown, text: string): Promise<Answer> {
  const answer = (await z3.Z3.eval_smtlib2_string(context, text)).trim();
  if (answer.startsWith('unsat')) return { kind: 'unsat' };
  if (answer.startsWith('sat')) return { kind: 'sat', values: readModel(answer) };
  if (answer.startsWith('unknown') || answer.startsWith('timeout')) return { kind: 'unknown', reason: 'the solver found no answer within its time' };
  throw new Error(`the solver answered ${answer.slice(0, 200)}`);
}

/** `((first #x0001) (ds true) ...)` */
function readModel(answer: string): Map<string, bigint> {
  const values = new Map<string, bigint>();
  for (const m of answer.matchAll(/\(([a-z][\w-]*)\s+(true|false|#[xb][0-9a-fA-F]+)\)/g)) {
    const [, name, value] = m as unknown as readonly [string, string, string];
    values.set(name, value === 'true' ? 1n : value === 'false' ? 0n : BigInt(value.replace('#', '0')));
  }
  return values;
}
