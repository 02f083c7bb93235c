/**
 * A thread of prove: does the items it is told to and sends back what they showed. Which thread does what makes no difference to the result.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { EXHAUSTIVE } from '../prove/exhaustive.js';
import type { Found } from '../prove/sweep.js';
import { smallest, Work, type ResultsData, type WorkOptions } from '../prove/work.js';
import { now } from './output.js';

/** Items [from, to) of the work; or the smallest range that refutes a claim. */
export type Task =
  | { readonly kind: 'items'; readonly from: number; readonly to: number }
  | { readonly kind: 'smallest'; readonly claim: string; readonly found: Found; readonly covered: boolean };

export type Done =
  | { readonly kind: 'items'; readonly from: number; readonly to: number; readonly results: ResultsData; readonly elapsedMs: number }
  | { readonly kind: 'smallest'; readonly claim: string; readonly found: Found; readonly exact: boolean };

function answer(work: Work, task: Task): Done {
  if (task.kind === 'smallest') {
    const claim = EXHAUSTIVE.find((c) => c.id === task.claim);
    if (claim === undefined) throw new Error(`there is no claim ${task.claim}`);
    return { kind: 'smallest', claim: task.claim, ...smallest(claim, task.found, task.covered) };
  }
  const start = now();
  const { parts, shapes } = work.run(task.from, task.to);
  return { kind: 'items', from: task.from, to: task.to, results: { parts, shapes }, elapsedMs: now() - start };
}

const port = parentPort;
if (port !== null) {
  const work = new Work(workerData as WorkOptions);
  port.on('message', (task: Task) => { port.postMessage(answer(work, task)); });
}
