/**
 * Table path: how a walk goes from the root to the entry of one address, read literally from memory: for comparing the walker's view with the
 * CPU's, and for naming an entry by table and index in explanations. `root`: slot of its first page.
 */
import { hex64, POW2 } from '../spec/bits.js';
import { descriptorKind, LEAF, leafAddress, TABLE, tableAddress } from '../spec/descriptor.js';
import { levelFrames, stride } from '../spec/granule.js';
import type { TableContext } from '../spec/tables.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import { frameAddress } from './machine-words.js';

/** Software bits [58:55] of the high half: walkers ignore them, and the library keeps one after its line was cleaned. */
const HI_SOFTWARE = 15 << 23;

/** Where a walk came to. */
export interface End {
  ref: number;
  level: number;
  /** 4 KiB frames that the last entry serves, and the first of them. */
  frames: number;
  first: number;
  leaf: boolean;
  /** Of a leaf: where its first frame goes. */
  target: number;
}

export function newEnd(): End {
  return { ref: -1, level: 3, frames: 1, first: 0, leaf: false, target: 0 };
}

/** Index of `frame` in the table at `level`; that of the root is as wide as the root. */
function indexOf(c: TableContext, level: number, frame: number): number {
  const index = Math.floor(frame / levelFrames(c.tg, level));
  return level === c.startLevel ? index : index % (POW2[stride(c.tg)] as number);
}

/** Walks `memory` for `frame`; `each` is told every entry on the way. */
export function walkPath(memory: Memory, c: TableContext, frame: number, out: End, each?: (ref: number, level: number) => void): End {
  let slot = memory.slotOf(c.rootFrame);
  for (let level = c.startLevel; ; level += 1) {
    const ref = slot * WORDS_PER_FRAME + indexOf(c, level, frame);
    const lo = memory.lo[ref] as number;
    const hi = memory.hi[ref] as number;
    each?.(ref, level);
    const kind = descriptorKind(lo, level, c.tg, c.ds, c.wide);
    out.ref = ref;
    out.level = level;
    out.frames = levelFrames(c.tg, level);
    out.first = frame - (frame % out.frames);
    out.leaf = kind === LEAF;
    out.target = out.leaf ? leafAddress(lo, hi, level, c) : 0;
    if (kind !== TABLE) return out;
    slot = memory.slotOf(tableAddress(lo, hi, c));
    if (slot < 0) return out;
  }
}

/** Is the word the same for a walker? */
export function sameForWalkers(a: Memory, b: Memory, ref: number): boolean {
  return a.lo[ref] === b.lo[ref] && (((a.hi[ref] as number) ^ (b.hi[ref] as number)) & ~HI_SOFTWARE) === 0;
}

/** As `entry 5 of the level-3 table at 0x100003000`. */
export function entryName(memory: Memory, c: TableContext, frame: number, { level, ref }: { readonly level: number; readonly ref: number }): string {
  const index = indexOf(c, level, frame);
  const table = memory.frameOf(Math.floor((ref - index) / WORDS_PER_FRAME));
  const entries = POW2[stride(c.tg)] as number;
  const sub = level === c.startLevel && c.rootEntries > entries ? `, which is entry ${index % entries} of concatenated table ${Math.floor(index / entries)}` : '';
  return `entry ${index}${sub} of the level-${level} ${level === c.startLevel ? 'root' : 'table'} at ${frameAddress(table)}`;
}

/** The way to an address, one line a level; where the walker sees another word than the CPU, both are named. */
export function tellPath(cpu: Memory, walker: Memory, c: TableContext, frame: number): string[] {
  const lines: string[] = [];
  walkPath(cpu, c, frame, newEnd(), (ref, level) => {
    const word = (m: Memory): string => hex64(m.lo[ref] as number, m.hi[ref] as number);
    const seen = cpu === walker || sameForWalkers(cpu, walker, ref) ? '' : `, but the walker sees ${word(walker)}: the line was not cleaned since`;
    lines.push(`${entryName(cpu, c, frame, { level, ref })} holds ${word(cpu)}${seen}`);
  });
  return lines;
}
