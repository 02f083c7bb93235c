/** Choosers: the same seed on every machine, recording and replaying, and all sequences exactly once. */
import test from 'ava';
import { ExhaustiveChooser, RandomChooser, RecordingChooser, ReplayChooser } from '../../src/stack/chooser.js';

test('a seed gives the same choices, typed in here', (t) => {
  const c = new RandomChooser('smmucheck');
  const first = Array.from({ length: 8 }, () => c.index(100));
  const d = new RandomChooser('smmucheck');
  t.deepEqual(Array.from({ length: 8 }, () => d.index(100)), first);
  t.deepEqual(first, [46, 84, 63, 3, 68, 63, 14, 13]);
});

test('another seed gives others', (t) => {
  const draw = (seed: string): string => {
    const c = new RandomChooser(seed);
    return Array.from({ length: 8 }, () => c.index(1000)).join();
  };
  t.not(draw('1/0'), draw('1/1'));
  t.not(draw('1/10'), draw('11/0'));
});

test('choices are whole, within their bound, and reach both of its ends', (t) => {
  const c = new RandomChooser('bounds');
  for (const bound of [1, 2, 3, 7, 1000, 2 ** 31, 2 ** 32]) {
    for (let i = 0; i < 200; i += 1) {
      const n = c.index(bound);
      t.true(Number.isInteger(n) && n >= 0 && n < bound);
    }
  }
  const seen = new Set(Array.from({ length: 400 }, () => c.index(5)));
  t.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
});

test('a choice among one draws nothing', (t) => {
  const a = new RandomChooser('one');
  const b = new RandomChooser('one');
  a.index(1);
  t.is(a.index(1000), b.index(1000));
});

test('recorded choices are those that were given', (t) => {
  const recording = new RecordingChooser(new RandomChooser('r'));
  const given = [10, 3, 500].map((bound) => recording.index(bound));
  t.deepEqual(recording.choices, given);
});

test('replayed choices come in order, then zeros', (t) => {
  const c = new ReplayChooser([4, 1]);
  t.deepEqual([c.index(5), c.index(2), c.index(9), c.index(1)], [4, 1, 0, 0]);
});

test('a replayed choice that is not open any more is an error', (t) => {
  const c = new ReplayChooser([4]);
  t.throws(() => c.index(4), { instanceOf: RangeError, message: /not deterministic/ });
});

test('all sequences are made, each once, in order', (t) => {
  const c = new ExhaustiveChooser();
  const seen: string[] = [];
  do {
    const first = c.index(3);
    seen.push(first === 1 ? `${first}` : `${first}${c.index(2)}`);
  } while (c.next());
  t.deepEqual(seen, ['00', '01', '1', '20', '21']);
});

test('one sequence without choices is one', (t) => {
  t.false(new ExhaustiveChooser().next());
});

test('a bound that changes on the way is an error', (t) => {
  const c = new ExhaustiveChooser();
  c.index(3);
  c.next();
  t.throws(() => c.index(2), { instanceOf: RangeError, message: /not deterministic/ });
});
