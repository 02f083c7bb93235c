/**
 * Cleaning: an SMMU that does not see the CPU caches (IDR0.COHACC = 0) and a recording that shows what was cleaned (`clean` events, or `"clean":1` in the first
 * line). A store to a page table may stay in the cache until its line of 64 bytes is cleaned: until then the walker may read the word as it was, so a
 * clear that is not cleaned before its TLBI can be read again. It may as well have been written back at any moment: a pointer to a table whose own
 * lines are not clean must not be stored at all. STEs and CDs lie in memory that is not cached.
 */
import { MemoryFull } from '../memory/scattered.js';
import { at } from '../rules/scene.js';
import type { Breach } from './weakest.js';

const LINE = 64;
/** Lines that wait to be cleaned, at the most. */
const LINES_MAX = 500_000;

interface Waiting {
  lo: number;
  hi: number;
  readonly line: number;
}

/** Something that a walker does not see. `address`: bytes. */
interface Unclean {
  readonly address: number;
  /** Where it was stored, -1: the page was obtained and never cleaned. */
  readonly line: number;
}

export class Cleaning {
  on = false;
  /** Words by address, by line of the cache. */
  readonly #lines = new Map<number, Map<number, Waiting>>();
  /** Lines of fresh pages that were never cleaned. */
  readonly #fresh = new Set<number>();

  /** Does anything wait? */
  get waiting(): boolean {
    return this.#lines.size > 0;
  }

  /** A word stored to a table. Gives what the walker would find unclean behind it, if it is a pointer to a table. */
  store(pa: number, lo: number, hi: number, line: number): Unclean | null {
    const key = Math.floor(pa / LINE);
    let words = this.#lines.get(key);
    if (words === undefined) {
      if (this.#lines.size >= LINES_MAX) throw new MemoryFull();
      words = new Map();
      this.#lines.set(key, words);
    }
    words.set(pa, { lo, hi, line });
    return (lo & 3) === 3 ? this.#behind((hi & 0xffff) * 2 ** 32 + lo - (lo % 4096)) : null;
  }

  #behind(page: number): Unclean | null {
    for (let key = page / LINE; key < (page + 4096) / LINE; key += 1) {
      if (this.#fresh.has(key)) return { address: key * LINE, line: -1 };
    }
    return null;
  }

  /** A zeroed page was obtained. */
  fresh(pa: number, size: number): void {
    this.forget(pa, size);
    if (this.#fresh.size + size / LINE > LINES_MAX) throw new MemoryFull();
    for (let key = Math.floor(pa / LINE); key < (pa + size) / LINE; key += 1) this.#fresh.add(key);
  }

  /** The page is given back. */
  forget(pa: number, size: number): void {
    for (let key = Math.floor(pa / LINE); key < (pa + size) / LINE; key += 1) {
      this.#lines.delete(key);
      this.#fresh.delete(key);
    }
  }

  /** The words that the walker sees from now on. */
  clean(pa: number, size: number, visible: (pa: number, lo: number, hi: number) => void): void {
    for (let key = Math.floor(pa / LINE); key < (pa + size) / LINE; key += 1) {
      this.#fresh.delete(key);
      const words = this.#lines.get(key);
      if (words === undefined) continue;
      this.#lines.delete(key);
      for (const [address, w] of words) visible(address, w.lo, w.hi);
    }
  }

  /** Stores to a table: rule publication. `into`: of the map that makes them. Words are pairs of halves. */
  hide(w: { readonly pa: number; readonly words: readonly number[] }, line: number, into: number[] | null): Breach | null {
    let found: Unclean | null = null;
    for (let i = 0; i < w.words.length; i += 2) {
      const behind = this.store(w.pa + i * 4, w.words[i] as number, w.words[i + 1] as number, line);
      found ??= behind;
      into?.push(w.pa + i * 4);
    }
    return found === null ? null : {
      rule: 'publication', cause: 'a pointer to a table that was not cleaned', expected: 'every line of a table cleaned before the pointer to it is stored', actual: uncleanText(found), place: null, from: null,
    };
  }

  /** A map that stored these words is done: rule table-coherency. */
  mapped(addresses: readonly number[]): Breach | null {
    for (const address of addresses) {
      const w = this.#lines.get(Math.floor(address / LINE))?.get(address);
      if (w === undefined) continue;
      return {
        rule: 'table-coherency', cause: 'a descriptor of a map is not cleaned when it returns', expected: 'the walker sees every descriptor of the range', actual: uncleanText({ address, line: w.line }), place: null,
        from: { line: w.line, text: 'store of the descriptor' },
      };
    }
    return null;
  }
}

function uncleanText(u: Unclean): string {
  return `the line of the descriptor at ${at(Math.floor(u.address / 4096)).replace(/000$/, '')}${(u.address % 4096).toString(16).padStart(3, '0')} was ${u.line < 0 ? 'never cleaned since its page was obtained' : `not cleaned since line ${u.line} stored it`}`;
}
