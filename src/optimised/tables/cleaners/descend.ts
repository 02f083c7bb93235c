/**
 * Descend: from a table descriptor to the words of the table, for walks over a table.
 */
import { POW2 } from '../../../spec/bits.js';
import type { TableRoom } from '../room.js';

/** Reference of the first entry of the table; -1: the address is outside of memory, and nothing can be read there. */
export function descend(room: TableRoom, lo: number, hi: number): number {
  const { shape } = room;
  let frame = (hi & (shape.ds ? 0x3ffff : 0xffff)) * (POW2[20] as number) + (lo >>> 12);
  if (shape.wide) frame = ((lo >>> 12) & 15) * (POW2[36] as number) + frame;
  if (shape.ds) frame += ((lo >>> 8) & 3) * (POW2[38] as number);
  const slot = room.cpu.memory.slotOf(frame - (frame % shape.frames));
  return slot < 0 ? -1 : slot * 512;
}
