/**
 * Store: cases on disk, so that what was found survives whatever happens next: written to a temporary name, synced,
 * renamed. A failing sequence is stored before it is shrunk and again after each improvement.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MachineCase } from '../operations/machine-case.js';
import { encodeStored, storedId, type StoredCase } from '../operations/stored.js';
import type { Candidate } from './shrink.js';
import { failureCase, type Origin } from './failure.js';
import { machineFailureCase, type MachineOrigin } from './machine-failure.js';
import type { MachineCandidate } from './machine-shrink.js';
import { tableFailureCase, type TableSource } from './table-failure.js';
import type { TableCandidate } from './table-shrink.js';
import type { SystemCase } from '../operations/system-case.js';
import { systemFailureCase } from './system-failure.js';
import type { SystemCandidate } from './system-shrink.js';
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
export class SequenceStore<C> {
  readonly #folder: string;
  readonly #case: (c: C, violation: Violation) => StoredCase;
  #full: string | null = null;
  #working: string | null = null;

  constructor(corpus: string, rule: string, make: (c: C, violation: Violation) => StoredCase) {
    this.#folder = join(corpus, 'regressions', rule);
    this.#case = make;
  }

  /** The sequence as it was found. */
  original(c: C, violation: Violation): void {
    const stored = this.#case(c, violation);
    this.#full = join(this.#folder, `${storedId(stored)}.full.json`);
    this.#working = join(this.#folder, `${storedId(stored)}.shrinking.json`);
    writeWhole(this.#full, encodeStored(stored));
  }

  improved(c: C, violation: Violation): void {
    if (this.#working !== null) writeWhole(this.#working, encodeStored(this.#case(c, violation)));
  }

  /** The smallest form; returns where both are. */
  finish(c: C, violation: Violation): { file: string; fullFile: string | null } {
    const stored = this.#case(c, violation);
    const file = join(this.#folder, `${storedId(stored)}.json`);
    writeWhole(file, encodeStored(stored));
    if (this.#working !== null) rmSync(this.#working, { force: true });
    return { file, fullFile: this.#full };
  }
}

/** Of the driver's sequences. */
export class FailureStore extends SequenceStore<Candidate> {
  constructor(corpus: string, violation: Violation, mutant: string | null, origin: Origin | null) {
    super(corpus, violation.rule, (c, v) => failureCase(c.world, c.operations, v, mutant, origin));
  }
}

/** Of raw machine sequences. */
export class MachineStore extends SequenceStore<MachineCandidate> {
  /** `like`: the case that is shrunk: what it expects, and where it is from, stays. */
  constructor(corpus: string, violation: Violation, origin: MachineOrigin | null, like?: Pick<MachineCase, 'expect' | 'provenance'>) {
    super(corpus, violation.rule, (c, v) => machineFailureCase(c, v, origin, like));
  }
}

/** Of table sequences. */
export class TableStore extends SequenceStore<TableCandidate> {
  constructor(corpus: string, violation: Violation, source: TableSource) {
    super(corpus, violation.rule, (c, v) => tableFailureCase(c, v, source));
  }
}

/** Of systems. */
export class SystemStore extends SequenceStore<SystemCandidate> {
  /** `like`: the case that is shrunk: what it expects, and where it is from, stays. */
  constructor(corpus: string, violation: Violation, about: { readonly mutant: string | null; readonly origin: Origin | null }, like?: Pick<SystemCase, 'expect' | 'provenance'>) {
    super(corpus, violation.rule, (c, v) => systemFailureCase(c, v, about, like));
  }
}
