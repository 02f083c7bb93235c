/** A small stream of numbers from a seed, for the twins of the page tables. */
import { mix } from '../../../src/memory/memory.js';

export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = mix(seed + 0x51ed270b);
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return Math.floor(((mix(this.#state) >>> 0) / 4294967296) * bound);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }
}
