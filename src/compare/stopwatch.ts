/**
 * Stopwatch: nanoseconds per plan over the questions that a workload asked. The clock is given from outside. The best of a few rounds counts; both
 * planners take turns, so that both see the same machine.
 */
import type { Candidate } from './candidate.js';
import type { Pulse, Question } from './pulse.js';

/** Milliseconds, as they pass. */
export type Clock = () => number;

const ROUNDS = 4;
/** One round goes on for so long, milliseconds. */
const ROUND_MS = 8;

/** Nanoseconds per plan of each; null without questions. */
export function stopwatch(samples: readonly Question[], planners: readonly Candidate[], clock: Clock, pulse: Pulse): number[] | null {
  if (samples.length === 0) return null;
  const best = planners.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round += 1) {
    planners.forEach((p, i) => { best[i] = Math.min(best[i] as number, once(samples, p, clock, pulse)); });
  }
  return best.map((ms) => Math.round(ms * 1e7) / 10);
}

/** Milliseconds per plan. */
function once(samples: readonly Question[], p: Candidate, clock: Clock, pulse: Pulse): number {
  const start = clock();
  let asked = 0;
  let now = start;
  do {
    pulse.begin(true);
    for (const q of samples) p.bare(q.description, q.features);
    pulse.end();
    asked += samples.length;
    now = clock();
  } while (now - start < ROUND_MS);
  return (now - start) / asked;
}
