/**
 * Scratch: the directory that found cases go to: the one the user named, or a fresh one below the system's own.
 */
import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { reason } from './cases.js';
import { UsageError } from './exit.js';

/** With the directories above it. Node's own way (`recursive`) tries for ever where nothing can be made, as in /proc. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

export class Scratch {
  readonly path: string;
  readonly #own: boolean;

  constructor(named: string | undefined) {
    this.#own = named === undefined;
    try {
      if (named !== undefined) makeFolder(resolve(named));
      if (named !== undefined && !statSync(named).isDirectory()) throw new UsageError(`${named}: not a directory`);
      this.path = named ?? mkdtempSync(join(tmpdir(), 'smmucheck-'));
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError(`${named ?? tmpdir()}: cases cannot be stored there: ${reason(error)}`);
    }
  }

  /** Takes a fresh directory away again when nothing was stored in it. */
  leave(): void {
    if (!this.#own) return;
    try {
      rmdirSync(this.path);
    } catch {
      // Not empty: something was stored.
    }
  }
}
