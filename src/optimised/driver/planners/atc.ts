/**
 * Atc: the range of an ATC_INV (IHI 0070 §4.5.1; kernel: arm_smmu_atc_inv_to_cmd). An ATC is told an aligned power of two of 4 KiB pages, so
 * the smallest one that has both ends: the bits in which they differ become the size. Size 52 is everything.
 */
import { POW2, TWO32 } from '../../../spec/bits.js';
import { bitLength } from './payload.js';

/** What an ATC_INV carries: first frame (4 KiB) and log2 of the frames. */
export interface AtcRange {
  readonly frame: number;
  readonly size: number;
}

/** Everything, whatever the address. */
export const ATC_ALL: AtcRange = { frame: 0, size: 52 };

/** The range that has all frames from `first` to `last` (inclusive; from 0 to 2^52 - 1). */
export function atcRange(first: number, last: number): AtcRange {
  const upper = Math.floor(first / TWO32) ^ Math.floor(last / TWO32); // 20 bits
  const size = upper !== 0 ? 32 + bitLength(upper) : bitLength((first ^ last) >>> 0);
  const frames = POW2[size] as number;
  return { frame: first - (first % frames), size };
}
