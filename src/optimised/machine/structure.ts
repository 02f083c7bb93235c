/**
 * Structures in memory: 64-byte snapshots of STEs and CDs, and 8-byte level-1 descriptors (IHI 0070 §3.21.3). What is outside of modelled memory
 * is an external abort, which the caller reports.
 */
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';

/** Uint32 halves of an STE or a CD. */
export const HALVES = 16;

/** Reference of the word at a byte address, or -1. */
export function wordAt(memory: Memory, address: number): number {
  const frame = Math.floor(address / 4096);
  const slot = memory.slotOf(frame);
  return slot < 0 ? -1 : slot * WORDS_PER_FRAME + (address - frame * 4096) / 8;
}

/** Copies `count` 64-bit words from reference `ref` to `words` at `base`. */
export function copyWords(memory: Memory, ref: number, count: number, words: Uint32Array, base: number): void {
  for (let i = 0; i < count; i += 1) {
    words[base + 2 * i] = memory.lo[ref + i] as number;
    words[base + 2 * i + 1] = memory.hi[ref + i] as number;
  }
}
