/**
 * Solver: one question after the other to Z3, as SMT-LIB text, in a thread of its own (solver-worker.ts). A question that takes too long ends the
 * thread; the next one starts another. The thread lives until `end`: a process that does not call it never exits.
 */
import { Worker } from 'node:worker_threads';
import type { FromSolver } from './solver-worker.js';

/** What came out of one question: no model; a model (name → value); or nothing within the time. */
export type Answer =
  | { readonly kind: 'unsat' }
  | { readonly kind: 'sat'; readonly values: ReadonlyMap<string, bigint> }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface Solver {
  /**
   * `text` declares and asserts, without options and check-sat; `inputs`: the constants whose values a model gives. One question at a time. What was
   * answered is remembered.
   */
  ask(text: string, inputs: readonly string[], timeoutMs: number): Promise<Answer>;
  /** Ends the thread, whatever it is doing. No question after it. */
  end(): Promise<void>;
}

/** The solver, or why there is none. */
export type SolverState = Solver | { readonly missing: string };

/** `name`: of the package; a test asks for one that is not there. */
export async function startSolver(name = 'z3-solver'): Promise<SolverState> {
  const first = new Thread(name);
  const ready = await first.next();
  if (ready.kind === 'ready') return new Z3(name, first);
  await first.end();
  return { missing: ready.kind === 'missing' ? ready.why : `${name} does not start` };
}

export async function endSolver(s: SolverState): Promise<void> {
  if (!('missing' in s)) await s.end();
}

/** One thread, and the message that is awaited from it. */
class Thread {
  readonly #worker: Worker;
  #resolve: (message: FromSolver) => void = () => undefined;

  constructor(name: string) {
    this.#worker = new Worker(new URL('./solver-worker.js', import.meta.url), { workerData: { package: name } });
    this.#worker.on('message', (message: FromSolver) => { this.#resolve(message); });
    this.#worker.on('error', (error: Error) => { this.#resolve({ kind: 'missing', why: `the solver failed: ${error.message}` }); });
  }

  next(): Promise<FromSolver> {
    return new Promise((resolve) => { this.#resolve = resolve; });
  }

  send(text: string): Promise<FromSolver> {
    const answer = this.next();
    this.#worker.postMessage(text);
    return answer;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

class Z3 implements Solver {
  readonly #name: string;
  #thread: Thread | null;
  readonly #known = new Map<string, Answer>();

  constructor(name: string, thread: Thread) {
    this.#name = name;
    this.#thread = thread;
  }

  async ask(text: string, inputs: readonly string[], timeoutMs: number): Promise<Answer> {
    const whole = script(text, inputs);
    const before = this.#known.get(whole);
    if (before !== undefined) return before;
    const thread = this.#thread ?? await this.#another();
    if (thread === null) return { kind: 'unknown', reason: 'the solver does not start again' };
    const reply = await within(thread.send(whole), timeoutMs);
    if (reply === null || reply.kind !== 'answer') {
      await this.end();
      return { kind: 'unknown', reason: reply?.kind === 'missing' ? reply.why : `no answer of the solver within ${timeoutMs / 1000} s` };
    }
    const answer = read(reply.text, inputs);
    this.#known.set(whole, answer);
    return answer;
  }

  async end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.end();
  }

  async #another(): Promise<Thread | null> {
    const thread = new Thread(this.#name);
    if ((await thread.next()).kind !== 'ready') {
      await thread.end();
      return null;
    }
    this.#thread = thread;
    return thread;
  }
}

/** What was promised, or null after so long. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => { timer = setTimeout(() => { resolve(null); }, timeoutMs); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Fixed seeds: the same text gives the same model. */
function script(text: string, inputs: readonly string[]): string {
  return [
    '(set-option :produce-models true)', '(set-option :sat.random_seed 1)', '(set-option :smt.random_seed 1)', '(set-logic QF_BV)', text,
    '(check-sat)', `(get-value (${inputs.join(' ')}))`,
  ].join('\n');
}

function read(text: string, inputs: readonly string[]): Answer {
  const answer = text.trim();
  if (answer.startsWith('unsat')) return { kind: 'unsat' };
  if (answer.startsWith('unknown')) return { kind: 'unknown', reason: 'the solver cannot tell' };
  const values = answer.startsWith('sat') ? readModel(answer) : null;
  if (values === null || inputs.some((name) => !values.has(name))) throw new Error(`the solver answered ${answer.slice(0, 400)}`);
  return { kind: 'sat', values };
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
