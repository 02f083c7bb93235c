/**
 * The threads of prove: each gets the next task when it is done with the last.
 */
import { Worker } from 'node:worker_threads';
import type { WorkOptions } from '../prove/work.js';
import type { Done, Task } from './prove-worker.js';

const SCRIPT = new URL('./prove-worker.js', import.meta.url);

export class Pool {
  readonly #workers: readonly Worker[];

  constructor(options: WorkOptions, threads: number) {
    this.#workers = Array.from({ length: threads }, () => new Worker(SCRIPT, { workerData: options }));
  }

  /** Runs tasks until `next` has none, and calls `done` with each result; after `stop()` says true no further task begins. */
  async run(next: () => Task | null, done: (d: Done) => void, stop: () => boolean): Promise<void> {
    const ended = this.#workers.map((worker) => new Promise<void>((resolve, reject) => {
      const give = (): void => {
        const task = stop() ? null : next();
        if (task === null) settle(resolve);
        else worker.postMessage(task);
      };
      const taken = (d: Done): void => {
        done(d);
        give();
      };
      const broken = (error: Error): void => { settle(() => { reject(error); }); };
      const gone = (): void => { settle(resolve); };
      const settle = (how: () => void): void => {
        worker.off('message', taken);
        worker.off('error', broken);
        worker.off('exit', gone);
        how();
      };
      worker.on('message', taken);
      worker.on('error', broken);
      worker.on('exit', gone);
      give();
    }));
    await Promise.all(ended);
  }

  /** Ends every thread, whatever it does. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((w) => w.terminate()));
  }
}
