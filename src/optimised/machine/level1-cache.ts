/**
 * Level1Cache: level-1 descriptors of two-level stream tables (L1STD) and CD tables (L1CD), valid or not, as they were read
 * (IHI 0070 §3.21.3). Each serves `count` indices from `first` on; L1CDs belong to the stream that fetched them. A few
 * entries, searched from end to end; replacement goes round.
 */
import { Arrays } from './arrays.js';
import { POW2 } from '../../spec/bits.js';

const ENTRIES = 8;

export class Level1Cache {
  /** Owner, or -1 for an empty entry. */
  readonly #arrays = new Arrays(1024);
  readonly #owners = this.#arrays.f64(ENTRIES).fill(-1);
  readonly #first = this.#arrays.f64(ENTRIES);
  readonly #counts = this.#arrays.f64(ENTRIES);
  /** Two uint32 for each entry. */
  readonly words = this.#arrays.u32(ENTRIES * 2);
  #turn = 0;

  /** The descriptor of `owner` that serves `index` in a table where each serves 2^log2, or -1. */
  find(owner: number, index: number, log2: number): number {
    const count = POW2[log2] as number;
    const first = index - (index % count);
    for (let i = 0; i < ENTRIES; i += 1) if (this.#owners[i] === owner && this.#first[i] === first && this.#counts[i] === count) return i;
    return -1;
  }

  /** A place for that descriptor; the caller fills `words`. */
  claim(owner: number, index: number, log2: number): number {
    const at = this.#turn;
    this.#turn = (at + 1) % ENTRIES;
    this.#owners[at] = owner;
    this.#first[at] = index - (index % (POW2[log2] as number));
    this.#counts[at] = POW2[log2] as number;
    return at;
  }

  /** Drops descriptors of `owner` that serve an index between `first` and `last`. */
  drop(owner: number, first: number, last: number): void {
    for (let i = 0; i < ENTRIES; i += 1) {
      if (this.#owners[i] !== owner) continue;
      const start = this.#first[i] as number;
      if (start <= last && start + (this.#counts[i] as number) > first) this.#owners[i] = -1;
    }
  }

  /** Drops everything of the owners between `first` and `last`. */
  dropOwners(first: number, last: number): void {
    for (let i = 0; i < ENTRIES; i += 1) {
      const owner = this.#owners[i] as number;
      if (owner >= first && owner <= last) this.#owners[i] = -1;
    }
  }

  clear(): void {
    this.#owners.fill(-1);
  }

  forEach(visit: (owner: number, first: number, base: number) => void): void {
    for (let i = 0; i < ENTRIES; i += 1) if (this.#owners[i] !== -1) visit(this.#owners[i] as number, this.#first[i] as number, i * 2);
  }
}
