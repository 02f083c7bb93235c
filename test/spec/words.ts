/**
 * Helpers of the spec tests: raw 64-bit words as hex text, worked out with BigInt so that nothing here shares
 * arithmetic with the source under test.
 */

/** The uint32 pairs (low half first) of 64-bit words given as hex. */
export function rawWords(...hexWords: string[]): Uint32Array {
  const out = new Uint32Array(hexWords.length * 2);
  hexWords.forEach((text, index) => {
    const value = BigInt(text);
    out[index * 2] = Number(value & 0xffffffffn);
    out[index * 2 + 1] = Number(value >> 32n);
  });
  return out;
}

/** 64-bit words of a structure as hex, the zero ones left out: `w0 0xe, w3 0xff`. */
export function shownWords(words: Uint32Array): string {
  const parts: string[] = [];
  for (let index = 0; index < words.length / 2; index += 1) {
    const value = (BigInt(words[index * 2 + 1] ?? 0) << 32n) | BigInt(words[index * 2] ?? 0);
    if (value !== 0n) parts.push(`w${index} 0x${value.toString(16)}`);
  }
  return parts.join(', ');
}

/** The largest value of a field of `width` bits. */
export function allOnes(width: number): number {
  return Number((1n << BigInt(width)) - 1n);
}
