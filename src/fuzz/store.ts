/**
 * Store: cases on disk, so that what was found survives whatever happens next: written to a temporary name, synced,
 * renamed. A failing sequence is stored before it is shrunk and again after each improvement.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { caseId, type Case } from '../operations/case.js';
import { encodeCase } from '../operations/codec.js';
import type { Candidate } from './shrink.js';
import { failureCase, type Origin } from './failure.js';
import type { Violation } from '../stack/violation.js';

/** Writes a file so that a reader sees the old text or the new one, and never half of it. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w');
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** One failing sequence on its way through shrinking: `<rule>/<id>.full.json`, `<id>.shrinking.json`, then `<id>.json`. */
export class FailureStore {
  readonly #folder: string;
  readonly #mutant: string | null;
  readonly #origin: Origin | null;
  #full: string | null = null;
  #working: string | null = null;

  constructor(corpus: string, violation: Violation, mutant: string | null, origin: Origin | null) {
    this.#folder = join(corpus, 'regressions', violation.rule);
    this.#mutant = mutant;
    this.#origin = origin;
  }

  #case(c: Candidate, violation: Violation): Case {
    return failureCase(c.world, c.operations, violation, this.#mutant, this.#origin);
  }

  /** The sequence as it was found. */
  original(c: Candidate, violation: Violation): void {
    const stored = this.#case(c, violation);
    this.#full = join(this.#folder, `${caseId(stored)}.full.json`);
    this.#working = join(this.#folder, `${caseId(stored)}.shrinking.json`);
    writeWhole(this.#full, encodeCase(stored));
  }

  improved(c: Candidate, violation: Violation): void {
    if (this.#working !== null) writeWhole(this.#working, encodeCase(this.#case(c, violation)));
  }

  /** The smallest form; returns where both are. */
  finish(c: Candidate, violation: Violation): { file: string; fullFile: string | null } {
    const stored = this.#case(c, violation);
    const file = join(this.#folder, `${caseId(stored)}.json`);
    writeWhole(file, encodeCase(stored));
    if (this.#working !== null) rmSync(this.#working, { force: true });
    return { file, fullFile: this.#full };
  }
}
