/**
 * RepeatedList: the defect of an SMMU whose second of two equal command lists has no effect. A list is what one queue
 * consumed between two CMD_SYNCs. Whether a list repeats the one before is known at its CMD_SYNC only, so commands wait
 * here until then, which any SMMU may do (IHI 0070 §4.1.4: effect at any time until the CMD_SYNC completes).
 *
 * A list of more than LIST_MAX commands equals no other; its commands take effect when the room is used up.
 */
import { WORDS_PER_COMMAND } from '../../spec/command.js';

const LIST_MAX = 512;

export class RepeatedList {
  #now = new Uint32Array(LIST_MAX * WORDS_PER_COMMAND);
  #before = new Uint32Array(LIST_MAX * WORDS_PER_COMMAND);
  /** Is this command one that does something? */
  readonly #effective = new Uint8Array(LIST_MAX);
  #count = 0;
  #countBefore = 0;
  /** Did this list run over? */
  #long = false;
  readonly #carryOut: (words: Uint32Array, at: number) => void;

  /** `carryOut`: one command that waited takes effect. */
  constructor(carryOut: (words: Uint32Array, at: number) => void) {
    this.#carryOut = carryOut;
  }

  /** Does no command wait? */
  get empty(): boolean { return this.#count === 0 && !this.#long; }

  /** One consumed command, in its four words. */
  add(words: Uint32Array, effective: boolean): void {
    if (this.#count === LIST_MAX) {
      this.#long = true;
      this.#release();
      this.#count = 0;
    }
    this.#now.set(words, this.#count * WORDS_PER_COMMAND);
    this.#effective[this.#count] = effective ? 1 : 0;
    this.#count += 1;
  }

  /** A CMD_SYNC: what waits takes effect, unless it repeats the list before. */
  end(): void {
    if (!this.#equal()) this.#release();
    const before = this.#before;
    this.#before = this.#now;
    this.#now = before;
    this.#countBefore = this.#long ? -1 : this.#count;
    this.#count = 0;
    this.#long = false;
  }

  #equal(): boolean {
    if (this.#long || this.#count !== this.#countBefore) return false;
    for (let i = 0; i < this.#count * WORDS_PER_COMMAND; i += 1) if (this.#now[i] !== this.#before[i]) return false;
    return true;
  }

  #release(): void {
    for (let i = 0; i < this.#count; i += 1) if (this.#effective[i] !== 0) this.#carryOut(this.#now, i * WORDS_PER_COMMAND);
  }
}
