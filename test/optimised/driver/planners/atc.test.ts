/** ATC_INV: the aligned power of two that has a range (IHI 0070 §4.5.1). */
import test from 'ava';
import { ATC_ALL, atcRange } from '../../../../src/optimised/driver/planners/atc.js';

/** First byte, bytes → address, Size. */
const ROWS: readonly [start: number, bytes: number, address: number, size: number][] = [
  [0x1000, 0x1000, 0x1000, 0], [0x8000, 0x4000, 0x8000, 2], [0x7000, 0x4000, 0, 4], [0, 0x200000, 0, 9], [0x1ff000, 0x2000, 0, 10],
  [0xfff, 2, 0, 1], [0, 2 ** 48, 0, 36], [2 ** 44 - 4096, 8192, 0, 33], [2 ** 47, 2 ** 40, 2 ** 47, 28],
];

for (const [start, bytes, address, size] of ROWS) {
  test(`0x${bytes.toString(16)} bytes from 0x${start.toString(16)} on are Size ${size} at 0x${address.toString(16)}`, (t) => {
    const found = atcRange(Math.floor(start / 4096), Math.floor((start + bytes - 1) / 4096));
    t.deepEqual(found, { frame: address / 4096, size });
  });
}

test('the whole space is Size 52, as everything is', (t) => {
  t.deepEqual(atcRange(0, 2 ** 52 - 1), ATC_ALL);
  t.deepEqual(atcRange(2 ** 51 - 1, 2 ** 51), ATC_ALL);
});
