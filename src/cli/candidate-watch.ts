/**
 * The watch over a candidate: it runs in a thread of its own (candidate-thread.ts), and this one sees to it that it comes back. Time is counted in
 * naps and not read off a clock: a program that was stopped for an hour has not waited an hour. A thread that is given up is ended; nothing
 * else of the program is harmed by it.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FILE_MAX, type Fault } from '../compare/candidate.js';
import { partName } from '../compare/failure.js';
import type { CandidateSource, CompareJob, ReplayJob, Told, WhatIfJob } from '../compare/job.js';
import { Pulse, PULSE_BYTES } from '../compare/pulse.js';
import { findPlanner, PLANNERS } from '../parts/planners.js';
import { reason } from './cases.js';
import { UsageError } from './exit.js';

/** A candidate as the user named it. */
export interface Named {
  readonly source: CandidateSource;
  /** As it was given. */
  readonly path: string;
  /** SHA-256 of its file; null for a planner of the house. */
  readonly hash: string | null;
  /** As cases name it. */
  readonly part: string;
}

const LANGUAGES = 'a candidate is a .wasm, .js or .mjs file, or the name of a planner';

/** Throws UsageError, one sentence. */
export function nameCandidate(path: string): Named {
  const own = findPlanner(path);
  if (own !== undefined) return { source: { kind: 'own', name: own.name }, path, hash: null, part: own.name };
  const kind = /\.wasm$/i.test(path) ? 'wasm' : /\.m?js$/i.test(path) ? 'js' : null;
  if (kind === null) {
    const c = /\.c$/i.test(path) ? ' (compile C first: `compare --header` has the command line)' : '';
    throw new UsageError(`${path}: ${LANGUAGES} (${PLANNERS.map((p) => p.name).join(', ')})${c}`);
  }
  const bytes = readCandidate(path);
  const name = basename(path);
  const hash = createHash('sha256').update(bytes).digest('hex');
  const source: CandidateSource = kind === 'wasm' ? { kind, name, bytes } : { kind, name, url: pathToFileURL(resolve(path)).href };
  return { source, path, hash, part: partName(name, hash) };
}

function readCandidate(path: string): Uint8Array {
  let size: number;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new UsageError(`${path}: not a regular file`);
    size = stat.size;
    if (size <= FILE_MAX) return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${path}: ${reason(error)}`);
  }
  throw new UsageError(`${path}: ${size} bytes, and ${FILE_MAX} is the limit for a candidate`);
}

/** How the thread ended: with its last word, given up, or by itself. */
export type Ended = Extract<Told, { type: 'compared' | 'replayed' | 'replanned' }> | { readonly type: 'fault'; readonly fault: Fault };

const NAP_MS = 25;
const MEMORY_MB = 1024;

export interface WatchOptions {
  /** Longest time without an answer, milliseconds. */
  readonly timeoutMs: number;
  readonly heard?: (told: Told) => void;
  /** Asked between naps: should it come to an end? */
  readonly stop?: () => boolean;
}

export function watch(job: CompareJob | ReplayJob | WhatIfJob, options: WatchOptions): Promise<Ended> {
  const memory = new SharedArrayBuffer(PULSE_BYTES);
  const pulse = new Pulse(memory);
  const worker = new Worker(new URL('./candidate-thread.js', import.meta.url), {
    workerData: { job, memory }, execArgv: [], stdin: false, stdout: true, stderr: true, resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  });
  for (const stream of [worker.stdout, worker.stderr]) stream.on('data', (text: Uint8Array) => { process.stderr.write(text); });
  return new Promise<Ended>((resolveEnd, reject) => {
    let seen = -1;
    let waited = 0;
    const end = (ended: Ended | Error): void => {
      clearInterval(timer);
      void worker.terminate();
      if (ended instanceof Error) reject(ended);
      else resolveEnd(ended);
    };
    const gaveUp = (kind: Fault['kind'], text: string): void => { end(whatHappened(job, pulse, kind, text)); };
    const timer = setInterval(() => {
      if (options.stop?.() === true) pulse.stop();
      const { count } = pulse;
      waited = pulse.busy && count === seen ? waited + NAP_MS : 0;
      seen = count;
      if (waited >= options.timeoutMs) gaveUp('loops', `it gave no answer within ${options.timeoutMs / 1000} s`);
    }, NAP_MS);
    worker.on('message', (told: Told) => {
      if (told.type === 'refused') end(new UsageError(told.text));
      else if (told.type === 'internal') end(new Error(told.text));
      else if (told.type === 'compared' || told.type === 'replayed' || told.type === 'replanned') end(told);
      else options.heard?.(told);
    });
    worker.on('error', (error: Error & { code?: string }) => {
      gaveUp('throws', error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? `it used up the memory of its thread (${MEMORY_MB} MiB)` : `it threw ${error.name}: ${error.message.slice(0, 200)} outside of plan()`);
    });
    worker.on('exit', () => { gaveUp('throws', 'it ended its thread'); });
  });
}

/** Before it was loaded it is no candidate; afterwards it is a finding about it. */
function whatHappened(job: { readonly candidate: CandidateSource }, pulse: Pulse, kind: Fault['kind'], text: string): Ended | Error {
  if (!pulse.planning) return new UsageError(`${job.candidate.name}: it could not be loaded: ${text}`);
  return { type: 'fault', fault: { kind, text, question: pulse.busy ? pulse.question : null } };
}
