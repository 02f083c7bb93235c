/**
 * Solver worker: the thread in which Z3 runs. z3-solver (npm, MIT) is an optional dependency, and only this file loads it, by a name that the
 * compiler does not follow: without the package everything else builds and works. It is told SMT-LIB text and answers text, through the one
 * function of Z3 that needs no thread of its own: the package's asynchronous and high-level interfaces leave threads that race with their own
 * end, or keep the process alive. Whoever started this thread ends it.
 */
import { parentPort, workerData } from 'node:worker_threads';

/** What is used of z3-solver. */
interface Z3Module {
  readonly Z3: { mk_config(): unknown; mk_context(config: unknown): unknown; del_context(context: unknown): void };
  readonly em: { ccall(name: string, result: 'string', types: readonly string[], values: readonly unknown[]): string };
}

export type FromSolver = { readonly kind: 'ready' } | { readonly kind: 'missing'; readonly why: string } | { readonly kind: 'answer'; readonly text: string };

async function load(name: string): Promise<Z3Module | string> {
  try {
    const module: { init(): Promise<Z3Module> } = await import(name);
    return await module.init();
  } catch (error) {
    const absent = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
    return absent ? `${name} is not installed: npm install ${name}` : `${name} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Each question has a context of its own: what was asked before in one, forgotten or not, changes the model. */
function answer({ Z3, em }: Z3Module, config: unknown, text: string): string {
  const context = Z3.mk_context(config);
  try {
    return em.ccall('Z3_eval_smtlib2_string', 'string', ['number', 'string'], [context, text]);
  } finally {
    Z3.del_context(context);
  }
}

const tell = (message: FromSolver): void => { parentPort?.postMessage(message); };
const z3 = await load((workerData as { readonly package: string }).package);
if (typeof z3 === 'string') {
  tell({ kind: 'missing', why: z3 });
} else {
  const config = z3.Z3.mk_config();
  parentPort?.on('message', (text: string) => { tell({ kind: 'answer', text: answer(z3, config, text) }); });
  tell({ kind: 'ready' });
}
