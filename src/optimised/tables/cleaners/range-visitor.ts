/**
 * Range visitor: what the reviewers of seed 2 ask for in place of a walk of its own. The range is clipped to each table before the table is entered, so
 * that an index is never computed from an address beyond it, and each table of a concatenated root is a table like the others. Leaves are gathered
 * into runs, and a run is cleaned once: exactly the lines that hold leaves of the range. Holes are passed over and no warning.
 *
 * A run goes on over a hole when the next leaf is in the same line or the next one: the lines are the same, and no line is cleaned twice.
 */
import { newCleanCost, type CleanCost, type Cleaner, type TableRoom } from '../room.js';
import { descend } from './descend.js';

const LINE_WORDS = 8;

/** One call: bytes, end exclusive. */
interface Visit {
  readonly room: TableRoom;
  readonly cost: CleanCost;
  readonly from: number;
  readonly end: number;
}

export function rangeVisitor(): Cleaner {
  const cost = newCleanCost();
  return {
    name: 'range-visitor', about: 'one walk after the last map that clips the range to each table', deferred: true, cost,
    leavesWritten() { /* deferred */ },
    callDone() { /* deferred */ },
    syncMap(room, iova, size) {
      if (size === 0) return;
      cost.walks += 1;
      table({ room, cost, from: iova, end: iova + size }, room.shape.startLevel, room.root * 512, 0);
    },
  };
}

/** The table whose first entry stands for address `base`. */
function table(v: Visit, level: number, ref: number, base: number): void {
  const { shape } = v.room;
  const span = shape.span[level + 1] as number;
  const entries = level === shape.startLevel ? shape.rootEntries : shape.entries;
  const last = Math.min(entries - 1, Math.floor((v.end - 1 - base) / span));
  let run = -1;
  let runEnd = -1;
  for (let i = Math.max(0, Math.floor((v.from - base) / span)); i <= last; i += 1) {
    const lo = v.room.cpu.loadLo(ref + i);
    v.cost.descriptors += 1;
    if ((lo & 1) === 0) continue;
    if (level < 3 && (lo & 2) !== 0) {
      const below = descend(v.room, lo, v.room.cpu.loadHi(ref + i));
      if (below >= 0) table(v, level + 1, below, base + i * span);
      continue;
    }
    if (run >= 0 && line(ref + i) - line(ref + runEnd - 1) > 1) {
      clean(v, ref + run, runEnd - run);
      run = -1;
    }
    if (run < 0) run = i;
    runEnd = i + 1;
  }
  if (run >= 0) clean(v, ref + run, runEnd - run);
}

function line(ref: number): number {
  return Math.floor(ref / LINE_WORDS);
}

function clean(v: Visit, ref: number, words: number): void {
  v.cost.calls += 1;
  v.cost.lines += v.room.cpu.clean(ref, words, 'sync-map');
}
