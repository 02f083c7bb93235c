/**
 * Rcu: readers mark their sections; what a writer unpublished is freed when no section that may have seen it is
 * open (kfree_rcu). With one CPU running at a time nothing is ever deferred.
 */
import type { Journal } from '../../memory/journal.js';
import type { Pages } from '../../memory/pages.js';

/** What driver code may ask of it. */
export interface RcuPort {
  enter(): void;
  exit(): void;
  free(ref: number): void;
}

export class Rcu implements RcuPort {
  readonly #pages: Pages;
  readonly #journal: Journal;
  #readers = 0;
  #deferred: number[] = [];

  constructor(pages: Pages, journal: Journal) {
    this.#pages = pages;
    this.#journal = journal;
  }

  enter(): void {
    this.#readers += 1;
    if (this.#journal.recording) this.#journal.push(() => { this.#readers -= 1; });
  }

  exit(): void {
    this.#readers -= 1;
    if (this.#journal.recording) this.#journal.push(() => { this.#readers += 1; });
    if (this.#readers === 0) this.#flush();
  }

  /** Frees the object once every open section has ended. */
  free(ref: number): void {
    if (this.#readers === 0) {
      this.#pages.releaseObject(ref);
      return;
    }
    this.#deferred.push(ref);
    if (this.#journal.recording) this.#journal.push(() => { this.#deferred.pop(); });
  }

  #flush(): void {
    if (this.#deferred.length === 0) return;
    const list = this.#deferred;
    this.#deferred = [];
    if (this.#journal.recording) this.#journal.push(() => { this.#deferred = list; });
    for (const ref of list) this.#pages.releaseObject(ref);
  }
}
