/**
 * Planned: the commands that a planner made of one description, read once for all rules about them: which frames each reaches, and with
 * which hint (IHI 0070 §4.4.1.1). A range does not wrap, and one that begins in the lower half of the space need not reach the upper.
 */
import { tgOfCommand } from '../spec/granule.js';
import { POW2 } from '../spec/bits.js';
import { PAYLOAD_WORDS } from '../stack/planner.js';

const TWO20 = 2 ** 20;
/** Frames of one half: VA[55] and what is below. */
const HALF = 2 ** 43;

/** Columns of the commands, by index in the order of their starts. */
export interface PlannedCommands {
  count: number;
  /** First and last frame that a command covers. */
  starts: Float64Array;
  ends: Float64Array;
  /** The lower 12 bits of word 2: Leaf, TTL, TG. */
  hints: Uint16Array;
}

function columns(room: number): PlannedCommands {
  return { count: 0, starts: new Float64Array(room), ends: new Float64Array(room), hints: new Uint16Array(room) };
}

let scratch = columns(1024);

/** The columns of `count` payloads; valid until the next call. */
export function readPlan(words: Uint32Array, count: number): PlannedCommands {
  if (count > scratch.starts.length) scratch = columns(count);
  const p = scratch;
  p.count = count;
  let ascending = true;
  for (let i = 0; i < count; i += 1) {
    const at = i * PAYLOAD_WORDS;
    const low = words[at + 2] as number;
    const start = (low >>> 12) + (words[at + 3] as number) * TWO20;
    p.starts[i] = start;
    p.hints[i] = low & 0xfff;
    p.ends[i] = (low & 0xc00) === 0 ? start : lastFrame(start, words[at] as number, low);
    if (i > 0 && start < (p.starts[i - 1] as number)) ascending = false;
  }
  if (!ascending) sort(p);
  return p;
}

function lastFrame(start: number, word0: number, low: number): number {
  const tg = tgOfCommand((low >>> 10) & 3);
  const granules = (((word0 >>> 12) & 31) + 1) * (POW2[(word0 >>> 20) & 63] as number);
  const top = start - (start % HALF) + HALF - 1;
  return Math.min(top, start + granules * (POW2[(tg === 0 ? 12 : tg) - 12] as number) - 1);
}

function sort(p: PlannedCommands): void {
  const order = Array.from({ length: p.count }, (_, i) => i).sort((a, b) => (p.starts[a] as number) - (p.starts[b] as number));
  const { starts, ends, hints } = { starts: p.starts.slice(0, p.count), ends: p.ends.slice(0, p.count), hints: p.hints.slice(0, p.count) };
  order.forEach((from, to) => {
    p.starts[to] = starts[from] as number;
    p.ends[to] = ends[from] as number;
    p.hints[to] = hints[from] as number;
  });
}
