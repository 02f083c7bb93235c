/** Numbers, times and columns as the reports print them. */
import test from 'ava';
import { bytes, clock, columns, count, counted, percent, seconds, shares, shell, short, visible, wrap } from '../../src/report/words.js';

test('numbers', (t) => {
  t.deepEqual([0, 999, 1000, 1234567].map(count), ['0', '999', '1,000', '1,234,567']);
  t.deepEqual([counted(1, 'op'), counted(2, 'op'), counted(2, 'leaf', 'leaves')], ['1 op', '2 ops', '2 leaves']);
  t.deepEqual([950, 31_449, 2_400_000, 165_000, 3e9].map(short), ['950', '31.4k', '2.4M', '165k', '3.0G']);
  t.deepEqual([0, 512, 4096, 6144, 2 ** 21, 2 ** 30].map(bytes), ['0', '512', '4K', '6K', '2M', '1G']);
});

test('times', (t) => {
  t.deepEqual([420, 18_400, 125_000].map(seconds), ['0.42 s', '18.4 s', '2 min 05 s']);
  t.deepEqual([12_000, 3_612_000].map(clock), ['00:12', '1:00:12']);
});

test('shares', (t) => {
  t.deepEqual([percent(18, 100), percent(41, 1000), percent(1, 100_000), percent(0, 5), percent(0, 0)], ['18 %', '4.1 %', '<0.1 %', '0 %', '0 %']);
  t.is(shares({ b: 1, none: 0, a: 1, most: 2 }), 'most 50 %  a 25 %  b 25 %');
});

test('columns align, and no line ends in blanks', (t) => {
  t.deepEqual(columns([['a', 'bb', ''], ['ccc', 'd', 'e']], [1]), ['a    bb', 'ccc   d  e']);
});

test('wrap keeps every word', (t) => {
  t.deepEqual(wrap(['aaa', 'bbb', 'ccc'], 8), ['aaa  bbb', 'ccc']);
});

test('shell quotes what a shell would read', (t) => {
  t.deepEqual(['a/b-1.json', 'a b', 'it\'s', '$(x)', ''].map(shell), ['a/b-1.json', '\'a b\'', '\'it\'\\\'\'s\'', '\'$(x)\'', '\'\'']);
});

test('control characters cannot reach a terminal', (t) => {
  t.is(visible('a\u001b[2Jb\nc\u202ed'), 'a\\u001b[2Jb\\u000ac\\u202ed');
});
