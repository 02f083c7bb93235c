/** Rule hitless: what may be read of an entry while it is rewritten. */
import test from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { HitlessRule } from '../../src/rules/hitless.js';
import { Ledger } from '../../src/rules/ledger.js';
import { ViolationError } from '../../src/stack/violation.js';

const BYPASS = [0x9, 0, 0, 0x1000]; // V, Config 4; SHCFG 1
const ABORT = [0x1, 0, 0, 0];

/** Stores of (word, lo, hi) while an entry goes from one form to another; the cause of what breaks. */
function rewrite(from: readonly number[], to: readonly number[], stores: readonly (readonly [number, number, number])[], gap = false): string | null {
  const memory = new Memory(new Journal());
  memory.watch(5);
  const rule = new HitlessRule(memory, new Ledger());
  const ref = 5 * 512 + 8;
  const words = (list: readonly number[]): Uint32Array => Uint32Array.from({ length: 16 }, (_, i) => list[i] ?? 0);
  for (let i = 0; i < 8; i += 1) memory.commit(ref + i, words(from)[2 * i] as number, words(from)[2 * i + 1] as number);
  try {
    rule.begin({ kind: 'ste', ref, target: words(to), gap, what: 'the STE' });
    for (const [word, lo, hi] of stores) memory.commit(ref + word, lo, hi);
    rule.end();
  } catch (error) {
    if (error instanceof ViolationError) return error.violation.cause;
    throw error;
  }
  return null;
}

test('ignored words first, the word that decides last', (t) => {
  t.is(rewrite(ABORT, BYPASS, [[1, 0, 0x1000], [0, 0x9, 0]]), null);
});

test('the word that decides first: neither entry', (t) => {
  t.is(rewrite(ABORT, BYPASS, [[0, 0x9, 0], [1, 0, 0x1000]]), 'STE: neither the old entry nor the new one');
});

test('V = 0 only where two words must change', (t) => {
  const stores = [[0, 0, 0], [1, 0, 0x1000], [0, 0x9, 0]] as const;
  t.is(rewrite(ABORT, BYPASS, stores), 'STE: V = 0 where one word decides');
  t.is(rewrite(ABORT, BYPASS, stores, true), null);
});

test('what is left over in the end', (t) => {
  t.is(rewrite(BYPASS, ABORT, [[0, 0x1, 0]]), 'STE: not what was to be written');
  t.is(rewrite(BYPASS, ABORT, [[0, 0x1, 0], [1, 0, 0]]), null);
});

test('stores elsewhere, and after the writer has returned, say nothing', (t) => {
  t.is(rewrite(ABORT, ABORT, [[8, 0x9, 0]]), null);
});
