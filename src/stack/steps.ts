/**
 * Steps: driver code whose order matters is written as generators that yield, as a statement of its own, before each
 * action that another CPU or the SMMU can see. The build derives from each `x.steps.ts` a plain twin `x.plain.js`
 * (the generator marks blanked out), which fuzzing runs; the interleaving engine runs the generator form.
 */

/** A call in steps; what it yields names the step that comes next. */
export type Steps<T> = Generator<string, T, undefined>;

/** The module as its plain twin: every generator function is an ordinary one. */
export type Plain<M> = {
  [K in keyof M]: M[K] extends (...args: infer A) => Steps<infer R> ? (...args: A) => R : M[K];
};

/** Runs a call in steps to its end, alone. */
export function runSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const r = steps.next();
    if (r.done === true) return r.value;
  }
}
