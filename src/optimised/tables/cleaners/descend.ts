/**
 * Descend: from a table descriptor to the words of the table, for a walk that may come where it should not.
 */
import { slotOfTable } from '../format.js';
import type { CleanRoom } from './leaf-cleaner.js';

/** Reference of the first entry of the table; -1: the address is outside of memory, and nothing can be read there. */
export function descend(room: CleanRoom, lo: number, hi: number): number {
  const slot = slotOfTable(lo, hi);
  return slot < 0 || slot + room.shape.frames > room.cpu.memory.slots ? -1 : slot * 512;
}
