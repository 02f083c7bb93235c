/**
 * Dirty: which pages were written. A leaf or a contiguous run counts as a whole, also where the range begins or ends inside of it: it is marked clean
 * as a whole, so what is not reported now would be lost. Marking clean is one atomic update of each written word; afterwards a cached
 * entry may still let writes pass that mark nothing, so the range is flushed before the call returns.
 *
 * io-pgtable stops at a hole; what was found before is reported. iommupt passes over holes.
 */
import { BIT_READ_ONLY, BIT_S2AP_WRITE } from '../../spec/descriptor.js';
import { levelBit } from '../../stack/description.js';
import type { Steps } from '../../stack/steps.js';
import { newTableGather, type TableRoom } from './room.js';
import { find, newFound, type Found } from './visitor.js';
import { widen } from './walk.steps.js';

export interface DirtyRange {
  readonly iova: number;
  readonly size: number;
}

export interface DirtyCall {
  readonly iova: number;
  readonly size: number;
  readonly clear: boolean;
}

/** The own algorithm of the part `markClean`. */
export function markClean(room: TableRoom, ref: number): void {
  if (room.geometry.stage === 1) room.cpu.setBits(ref, BIT_READ_ONLY, 0);
  else room.cpu.clearBits(ref, BIT_S2AP_WRITE, 0);
}

/** Written ranges, ascending and joined. `stop` says whether all of the range was looked at. */
export function* readDirty(room: TableRoom, call: DirtyCall): Steps<DirtyRange[]> {
  const ranges: { iova: number; size: number }[] = [];
  room.stop = 'invalid';
  if (!(call.size > 0) || call.size % room.shape.granule !== 0 || !(call.iova >= 0) || call.iova % room.shape.granule !== 0) return ranges;
  room.stop = 'out-of-range';
  if (room.parts.outside(room.shape, call.iova) || call.iova + call.size > room.shape.inputEnd) return ranges;
  room.stop = 'ok';
  const found = newFound();
  const gather = newTableGather();
  for (let at = call.iova; at < call.iova + call.size; at = found.iova + found.size) {
    find(room, at, found);
    if (found.ref < 0) {
      if (room.variant === 'iommupt') continue;
      room.stop = 'not-mapped';
      break;
    }
    if (!room.parts.anyDirty(room, found)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.iova + last.size === found.iova) last.size += found.size;
    else ranges.push({ iova: found.iova, size: found.size });
    if (!call.clear) continue;
    yield* markAllClean(room, found);
    gather.leaves |= levelBit(found.level);
    widen(gather, found.iova / 4096, (found.iova + found.size) / 4096);
  }
  if (gather.pending) {
    yield* room.parts.retire(room, gather, 'dirty');
  }
  return ranges;
}

/** The own algorithm of the part `anyDirty`: hardware marks the member that it wrote through, or any other of the run. */
export function anyDirty(room: TableRoom, found: Found): boolean {
  for (let i = 0; i < found.entries; i += 1) {
    if (room.parts.isDirty(room.geometry.stage, room.cpu.loadLo(found.ref + i), room.cpu.loadHi(found.ref + i))) return true;
  }
  return false;
}

function* markAllClean(room: TableRoom, found: Found): Steps<void> {
  for (let i = 0; i < found.entries; i += 1) {
    const ref = found.ref + i;
    if (!room.parts.isDirty(room.geometry.stage, room.cpu.loadLo(ref), room.cpu.loadHi(ref))) continue;
    yield 'mark a page clean';
    room.parts.markClean(room, ref);
  }
}
