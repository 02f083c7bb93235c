/**
 * Bit fields of in-memory structures. A structure is a `Uint32Array` of pairs, the low half of each
 * 64-bit word first. A field value is a number: every
 * field of a structure is at most 52 bits wide, so nothing is lost.
 */

/** A field `[shift + width - 1 : shift]` of 64-bit word `word` of a structure. */
export interface Field {
  readonly word: number;
  readonly shift: number;
  readonly width: number;
}

/** 2^n for n in 0..63, exact; arithmetic on addresses is done with these instead of 64-bit shifts. */
export const POW2: readonly number[] = Array.from({ length: 64 }, (_, n) => 2 ** n);

export const TWO32 = 4294967296;

/** A field from the absolute bit positions in which the architecture writes it: bits [`high`:`low`]. */
export function field(high: number, low: number): Field {
  return { word: Math.floor(low / 64), shift: low % 64, width: high - low + 1 };
}

/** Value of a field, as an unsigned number. `base` is the index of the structure's first uint32. */
export function getField(words: Uint32Array, f: Field, base = 0): number {
  const lo = words[base + f.word * 2] as number;
  const hi = words[base + f.word * 2 + 1] as number;
  return extract(lo, hi, f.shift, f.width);
}

/** Bits [shift+width-1:shift] of the 64-bit word hi:lo, as an unsigned number (exact below 2^53). */
export function extract(lo: number, hi: number, shift: number, width: number): number {
  if (shift >= 32) return (hi >>> (shift - 32)) % (POW2[width] as number);
  const low = lo >>> shift;
  const lowBits = 32 - shift;
  if (width <= lowBits) return low % (POW2[width] as number);
  // Only the bits that belong to the field: the whole high half times 2^lowBits may pass 2^53.
  return low + ((hi >>> 0) % (POW2[width - lowBits] as number)) * (POW2[lowBits] as number);
}

/** Stores `value` into a field; throws a RangeError when it does not fit (no silent truncation). */
export function setField(words: Uint32Array, f: Field, value: number, base = 0): void {
  if (!(value >= 0) || value >= (POW2[f.width] as number) || !Number.isInteger(value)) {
    throw new RangeError(`value ${value} does not fit a field of ${f.width} bits`);
  }
  const at = base + f.word * 2;
  const old = getField(words, f, base);
  // Work on the two halves apart: no sum may pass 2^53.
  const low = Math.min(f.width, Math.max(0, 32 - f.shift));
  if (low > 0) {
    const keep = (words[at] as number) - (old % (POW2[low] as number)) * (POW2[f.shift] as number);
    words[at] = keep + (value % (POW2[low] as number)) * (POW2[f.shift] as number);
  }
  if (f.shift + f.width > 32) {
    const shift = Math.max(0, f.shift - 32);
    const before = Math.floor(old / (POW2[low] as number));
    const after = Math.floor(value / (POW2[low] as number));
    words[at + 1] = (words[at + 1] as number) + (after - before) * (POW2[shift] as number);
  }
}

/** A 64-bit word as `0x…`, without leading zeros. */
export function hex64(lo: number, hi: number): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${(hi >>> 0).toString(16)}${low.padStart(8, '0')}`;
}

/** A number below 2^53 as `0x…`. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
