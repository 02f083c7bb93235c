/**
 * Level-1 descriptors, 8 bytes each: of two-level stream tables (L1STD, IHI 0070 §5.1) and of two-level CD tables (L1CD, §5.3). A
 * descriptor is passed as its two halves; addresses are in bytes, exact below 2^53.
 */
import { extract, POW2 } from './bits.js';

export const L1_BYTES = 8;
/** The largest Span with a meaning; 12..31 are reserved and behave as 0. */
const SPAN_MOST = 11;

/**
 * STEs of the level-2 table: 2^(Span-1). 0 when the L1STD is invalid (Span 0), reserved, or larger than the split allows: all of them are
 * C_BAD_STREAMID (§5.1.1, §7.3.3). `split`: 6, 8 or 10.
 */
export function l1stdStreams(lo: number, split: number): number {
  const span = lo & 31;
  if (span === 0 || span > SPAN_MOST || span > split + 1) return 0;
  return POW2[span - 1] as number;
}

/** Address of the level-2 table, L2Ptr [55:6]; bits below its size, 64 bytes for each STE, are treated as zero. */
export function l1stdPointer(lo: number, hi: number): number {
  const span = lo & 31;
  const size = span === 0 || span > SPAN_MOST ? 6 : 5 + span;
  return pointer(lo, hi, size);
}

/** Low half of an L1STD: the level-2 table at `address` has 2^(span-1) STEs. */
export function l1stdLow(address: number, span: number): number {
  return address % (POW2[32] as number) + span;
}

/** V: without it, C_BAD_SUBSTREAMID (§5.3.1). */
export function l1cdValid(lo: number): boolean {
  return (lo & 1) !== 0;
}

/** Address of the level-2 CD table, L2Ptr [55:12], an IPA when nested. S1Fmt 1: 4 KB, 64 CDs; 2: 64 KB, 1024 CDs, aligned to it. */
export function l1cdPointer(lo: number, hi: number, fmt: 1 | 2): number {
  return pointer(lo, hi, fmt === 1 ? 12 : 16);
}

/** Low half of a valid L1CD for the level-2 table at `address`. */
export function l1cdLow(address: number): number {
  return address % (POW2[32] as number) + 1;
}

/** High half of an L1STD or L1CD that points to `address`. */
export function l1High(address: number): number {
  return Math.floor(address / (POW2[32] as number));
}

/** Index of the L1CD of a substream; 0 while S1CDMax is 6 (S1Fmt 1) or 10 (S1Fmt 2) or less, as the SubstreamID is below 2^S1CDMax. */
export function cdIndex1(ssid: number, fmt: 1 | 2): number {
  return ssid >>> (fmt === 1 ? 6 : 10);
}

/** Index of the CD of a substream within its level-2 table. */
export function cdIndex2(ssid: number, fmt: 1 | 2): number {
  return ssid & (fmt === 1 ? 63 : 1023);
}

/** Bits [55:low] of a descriptor, as an address. */
function pointer(lo: number, hi: number, low: number): number {
  return extract(lo, hi, low, 56 - low) * (POW2[low] as number);
}
