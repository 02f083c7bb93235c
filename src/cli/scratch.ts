/**
 * Scratch: the directory that found cases go to: the one the user named, or a fresh one below the system's own.
 */
import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reason } from './cases.js';
import { UsageError } from './exit.js';

export class Scratch {
  readonly path: string;
  readonly #own: boolean;

  constructor(named: string | undefined) {
    this.#own = named === undefined;
    try {
      if (named !== undefined) mkdirSync(named, { recursive: true });
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
