/**
 * Rule `hitless`: while an STE or CD that a stream reaches is rewritten, the SMMU may read the old entry, the new one, or, where no single word decides, an
 * entry with V = 0; never a mixture that means something else (IHI 0070 §3.21.3). Judged by what entries mean, at every store that becomes visible.
 */
import { WORDS_PER_FRAME, type Memory, type MemoryWatcher } from '../memory/memory.js';
import { atsOf, GONE, translationOf, type EntryKind } from '../spec/meaning.js';
import { ruleIndex, type Ledger } from './ledger.js';

const RULE = ruleIndex('hitless');
const WORDS = 8;

export interface Rewrite {
  readonly kind: EntryKind;
  /** Reference of its first word. */
  readonly ref: number;
  readonly target: Uint32Array;
  /** May it go through V = 0? */
  readonly gap: boolean;
  readonly what: string;
}

export class HitlessRule implements MemoryWatcher {
  readonly #memory: Memory;
  readonly #ledger: Ledger;
  #now: Rewrite | null = null;
  #old = '';
  #new = '';
  #oldAts = 0;
  #newAts = 0;
  readonly #seen = new Uint32Array(2 * WORDS);

  constructor(memory: Memory, ledger: Ledger) {
    this.#memory = memory;
    this.#ledger = ledger;
    memory.watchers.push(this);
  }

  /** The entry as it stands. */
  entry(ref: number): Uint32Array {
    for (let i = 0; i < WORDS; i += 1) {
      this.#seen[2 * i] = this.#memory.lo[ref + i] as number;
      this.#seen[2 * i + 1] = this.#memory.hi[ref + i] as number;
    }
    return this.#seen;
  }

  begin(rewrite: Rewrite): void {
    this.#now = rewrite;
    const { kind, target } = rewrite;
    const old = this.entry(rewrite.ref);
    this.#old = translationOf(kind, old);
    this.#oldAts = atsOf(kind, old);
    this.#new = translationOf(kind, target);
    this.#newAts = atsOf(kind, target);
  }

  /** The writer has returned: the entry is what was asked for. */
  end(): void {
    const r = this.#now;
    this.#now = null;
    if (r === null) return;
    this.#ledger.judgeAt(RULE);
    const found = this.entry(r.ref);
    if (found.every((w, i) => w === r.target[i])) return;
    this.#ledger.fail('hitless', `${r.kind.toUpperCase()}: not what was to be written`, `${r.what} as it was asked for, every bit of it`, `it reads as ${translationOf(r.kind, found)}`);
  }

  /** A call failed in between: nothing is to be said of the entry. */
  forget(): void {
    this.#now = null;
  }

  stored(slot: number, index: number): void {
    const r = this.#now;
    if (r === null) return;
    const word = slot * WORDS_PER_FRAME + index - r.ref;
    if (word < 0 || word >= WORDS) return;
    this.#ledger.judgeAt(RULE);
    const seen = this.entry(r.ref);
    const meaning = translationOf(r.kind, seen);
    const ats = atsOf(r.kind, seen);
    if (meaning === GONE && (r.gap || this.#old === GONE || this.#new === GONE)) return;
    if ((meaning === this.#old || meaning === this.#new) && (ats === this.#oldAts || ats === this.#newAts)) return;
    this.#ledger.fail('hitless', `${r.kind.toUpperCase()}: ${meaning === GONE ? 'V = 0 where one word decides' : 'neither the old entry nor the new one'}`,
      'the old entry or the new one at every store', `${r.what} reads as ${meaning} after the store of word ${word}`);
  }
}
