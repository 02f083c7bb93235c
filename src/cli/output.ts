/**
 * Output: results to stdout, everything else to stderr. With --json, stdout gets exactly one document. A reader that
 * goes away (EPIPE) is no error of this program: it stops writing, goes on, and exits with its verdict.
 */
import { basename, relative } from 'node:path';
import { performance } from 'node:perf_hooks';

export class Output {
  readonly json: boolean;
  /** How this program is called, for the commands that a report suggests. */
  readonly program: string;
  /** The reader of stdout is gone. */
  #closed = false;
  #documents = 0;

  constructor(json: boolean) {
    this.json = json;
    this.program = programName(process.argv[1] ?? 'smmucheck', process.cwd());
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#closed = true;
    });
    process.stderr.on('error', () => undefined);
  }

  /** A result in text; nothing with --json. */
  print(text: string): void {
    if (!this.json) this.#write(`${text}\n`);
  }

  /** Text that is the result as it is, without a newline of its own. */
  raw(text: string): void {
    if (!this.json) this.#write(text);
  }

  /** The one document of --json; nothing otherwise. */
  document(value: unknown): void {
    if (!this.json || this.#documents > 0) return;
    this.#documents += 1;
    this.#write(`${JSON.stringify(value, null, 2)}\n`);
  }

  get documents(): number {
    return this.#documents;
  }

  /** What is no result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  #write(text: string): void {
    if (!this.#closed) process.stdout.write(text);
  }
}

export function programName(script: string, cwd: string): string {
  return basename(script) === 'smmucheck' ? 'smmucheck' : `node ${relative(cwd, script) || script}`;
}

/** Milliseconds since the process began; the only clock there is. */
export function now(): number {
  return performance.now();
}

/** Lets signals and other callbacks in. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
