/**
 * Table reads: what the driver finds in a domain's tables without changing them. Frames are 4 KiB; ends exclusive.
 * Descriptors are read through the CPU, so its own pending stores are seen.
 */
import { BIT_TABLE, BIT_VALID } from '../../spec/descriptor.js';
import { levelFrames } from '../../spec/granule.js';
import { slotOfTable } from '../tables/format.js';
import type { Context, DomainState } from './types.js';

export { slotOfTable } from '../tables/format.js';

/** Entry frames by level (4 KB granule), index level. */
export const SPAN: readonly number[] = [levelFrames(12, 0), levelFrames(12, 1), levelFrames(12, 2), 1];

export function isTable(lo: number, level: number): boolean {
  return level < 3 && (lo & (BIT_VALID | BIT_TABLE)) === (BIT_VALID | BIT_TABLE);
}

/** Is any frame of [first, end) mapped? Goes table by table, not page by page, where nothing is. */
export function anyMapped(ctx: Context, own: DomainState, first: number, end: number): boolean {
  return scanFree(ctx, own.rootSlot, own.startLevel, 0, first, end);
}

function scanFree(ctx: Context, slot: number, level: number, base: number, first: number, end: number): boolean {
  const span = SPAN[level] as number;
  const from = Math.max(0, Math.floor((first - base) / span));
  const to = Math.min(511, Math.floor((end - 1 - base) / span));
  for (let i = from; i <= to; i += 1) {
    const ref = slot * 512 + i;
    const lo = ctx.cpu.loadLo(ref);
    if ((lo & BIT_VALID) === 0) continue;
    if (!isTable(lo, level)) return true;
    if (scanFree(ctx, slotOfTable(lo, ctx.cpu.loadHi(ref)), level + 1, base + i * span, first, end)) return true;
  }
  return false;
}

export type RangeState = 'mapped' | 'hole' | 'cut';

/** Is all of [first, end) mapped, by whole entries? A hole outranks a cut block. */
export function rangeState(ctx: Context, own: DomainState, first: number, end: number): RangeState {
  let cut = false;
  let frame = first;
  while (frame < end) {
    let slot = own.rootSlot;
    for (let level = own.startLevel; ; level += 1) {
      const span = SPAN[level] as number;
      const index = Math.floor(frame / span) % 512;
      const lo = ctx.cpu.loadLo(slot * 512 + index);
      if ((lo & BIT_VALID) === 0) return 'hole';
      if (isTable(lo, level)) {
        slot = slotOfTable(lo, ctx.cpu.loadHi(slot * 512 + index));
        continue;
      }
      if (level === 3) { // the rest of this page of leaves in one go
        const stop = Math.min(end, frame + 512 - index);
        for (let i = index, f = frame; f < stop; i += 1, f += 1) if ((ctx.cpu.loadLo(slot * 512 + i) & BIT_VALID) === 0) return 'hole';
        frame = stop;
        break;
      }
      const start = frame - (frame % span);
      if (start < first || start + span > end) cut = true;
      frame = start + span;
      break;
    }
  }
  return cut ? 'cut' : 'mapped';
}
