/**
 * Paths: which pages of a range does a walker that is not coherent still find as they were before? Every descriptor on the way to each page is
 * compared, as the CPU and as the walker sees it; what a cleaner visited is not asked. A literal walk by the architecture's levels.
 */
import type { Memory } from '../../memory/memory.js';
import { POW2 } from '../../spec/bits.js';
import { descriptorKind, LEAF, TABLE, tableAddress } from '../../spec/descriptor.js';
import { levelFrames, stride } from '../../spec/granule.js';
import type { TableContext } from '../../spec/tables.js';

/** A descriptor that the walker does not see as the CPU does. Frames of 4 KiB. */
export interface StaleEntry {
  readonly level: number;
  /** Index in its table; in a concatenated root it may be beyond one table's entries. */
  readonly index: number;
  /** First frame below it, inside of the range. */
  readonly frame: number;
  readonly kind: 'leaf' | 'table';
}

export interface Staleness {
  /** Frames of the range whose way differs somewhere. */
  frames: number;
  first: StaleEntry | null;
  /** Lines that hold leaves of the range. */
  lines: number;
  /** Leaves of the range. */
  leaves: number;
}

interface Look {
  readonly cpu: Memory;
  readonly walker: Memory;
  readonly context: TableContext;
  readonly first: number;
  readonly end: number;
  readonly found: Staleness;
  /** Slots of the tables on the way to the range, by their first frame. */
  readonly tables: Set<number> | null;
}

/** `first` and `count` in frames; `tables` collects the first slot of each table on the way. */
export function staleness(views: { readonly cpu: Memory; readonly walker: Memory }, context: TableContext, range: { readonly first: number; readonly count: number }, tables: Set<number> | null = null): Staleness {
  const found: Staleness = { frames: 0, first: null, lines: 0, leaves: 0 };
  const look: Look = { ...views, context, first: range.first, end: range.first + range.count, found, tables };
  visit(look, context.startLevel, views.cpu.slotOf(context.rootFrame) * 512 + context.rootIndex, 0);
  return found;
}

/** The entries of one table whose first entry stands for `base`. */
function visit(look: Look, level: number, table: number, base: number): void {
  const { cpu, walker, context, found } = look;
  const span = levelFrames(context.tg, level);
  const entries = level === context.startLevel ? context.rootEntries : POW2[stride(context.tg)] as number;
  const from = Math.max(0, Math.floor((look.first - base) / span));
  const to = Math.min(entries - 1, Math.floor((look.end - 1 - base) / span));
  let line = -1;
  look.tables?.add(Math.floor(table / 512));
  for (let index = from; index <= to; index += 1) {
    const ref = table + index;
    const kind = descriptorKind(cpu.lo[ref] as number, level, context.tg, context.ds, context.wide);
    const differs = cpu.lo[ref] !== walker.lo[ref] || cpu.hi[ref] !== walker.hi[ref];
    const start = Math.max(look.first, base + index * span);
    const frames = Math.min(look.end, base + (index + 1) * span) - start;
    if (differs) {
      found.first ??= { level, index, frame: start, kind: kind === TABLE ? 'table' : 'leaf' };
      found.frames += frames;
    }
    if (kind === LEAF) {
      found.leaves += 1;
      const at = Math.floor(ref / 8);
      if (at !== line) found.lines += 1;
      line = at;
    }
    if (kind !== TABLE) continue;
    const before = found.frames;
    visit(look, level + 1, cpu.slotOf(tableAddress(cpu.lo[ref] as number, cpu.hi[ref] as number, context)) * 512, base + index * span);
    if (differs) found.frames = before;
  }
}
