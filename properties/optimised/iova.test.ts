/** Claim: the IOVA ranges (sorted arrays, binary search) answer as a plain list of ranges does, whatever happens. */
import test from 'ava';
import fc from 'fast-check';
import { Ranges } from '../../src/optimised/driver/iova.js';

interface Range { readonly first: number; readonly end: number }

/** The slow twin. */
class Naive {
  out: Range[] = [];
  waiting: Range[] = [];
  busy(first: number, end: number): boolean {
    return [...this.out, ...this.waiting].some((r) => r.first < end && first < r.end);
  }
  covers(first: number, end: number): boolean {
    for (let f = first; f < end; f += 1) if (!this.out.some((r) => r.first <= f && f < r.end)) return false;
    return true;
  }
  is(first: number, end: number): boolean {
    return this.out.some((r) => r.first === first && r.end === end);
  }
}

const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 })).map(([first, n]): Range => ({ first, end: first + n }));
const step = fc.tuple(fc.constantFrom('take' as const, 'release' as const, 'queue' as const, 'flush' as const), range, fc.nat(20));

function apply(fast: Ranges, slow: Naive, [kind, r, pick]: readonly ['take' | 'release' | 'queue' | 'flush', Range, number]): boolean {
  if (kind === 'take') {
    if (slow.busy(r.first, r.end)) return true;
    fast.take(r.first, r.end);
    slow.out.push(r);
    return true;
  }
  if (kind === 'flush') {
    fast.flushed();
    slow.waiting = [];
    return true;
  }
  const given = slow.out[pick % Math.max(1, slow.out.length)];
  if (given === undefined) return true;
  slow.out = slow.out.filter((o) => o !== given);
  if (kind === 'release') {
    fast.release(given.first);
    return true;
  }
  slow.waiting.push(given);
  return fast.queue(given.first, given.end) === slow.waiting.length;
}

test('busy, covers and is: the same as a list', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 30 }), fc.array(range, { minLength: 1, maxLength: 10 }), (steps, questions) => {
    const fast = new Ranges();
    const slow = new Naive();
    for (const s of steps) {
      if (!apply(fast, slow, s)) return false;
      for (const q of [...questions, s[1], ...slow.out]) {
        if (fast.busy(q.first, q.end) !== slow.busy(q.first, q.end)) return false;
        if (fast.covers(q.first, q.end) !== slow.covers(q.first, q.end)) return false;
        if (fast.is(q.first, q.end) !== slow.is(q.first, q.end)) return false;
      }
    }
    return true;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 500, seed: 31 }); });
});
