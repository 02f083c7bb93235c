/**
 * Shapes: functional coverage: which kinds of commands the plans had: granule, SCALE, class of NUM, TTL, Leaf, alignment of the address, DS.
 * One counter for each combination. Holes are combinations that can be reached and were not: the command is legal, covers at least one
 * entry of the level that its hint names, and fits into addresses of 52 bits. One unit of a larger SCALE with a hint and Leaf = 0 counts as out
 * of reach: sizing gives 15 units or more there, and the loop that gives one has no hint when tables were removed.
 */
import { POW2 } from '../spec/bits.js';
import { levelFrames, type Tg } from '../spec/granule.js';
import { multiples } from './singles.js';

const SCALES = 40;
const NUM_CLASSES = ['0', '1..30', '31'] as const;
const TTLS = 4;
/** Where the address stands: at an entry of level 1, of level 2 only, of level 3 only. */
const ALIGNMENTS = ['level 3', 'level 2', 'level 1'] as const;
const TGS = 4;

export const SHAPES = 2 * TGS * SCALES * NUM_CLASSES.length * TTLS * 2 * ALIGNMENTS.length;

/** Masks of the frame number below an entry of level 2 and of level 1, in the low 20 bits and above; by TG field. */
const MASKS: readonly (readonly [number, number, number, number])[] = ([12, 12, 14, 16] as const).map((tg) => {
  const two = levelFrames(tg, 2) - 1;
  const one = levelFrames(tg, 1) - 1;
  return [two % 2 ** 20, Math.floor(two / 2 ** 20), one % 2 ** 20, Math.floor(one / 2 ** 20)] as const;
});

/** Counts the command whose payload is at `at`. `tg`: the granule of the description, which says what is aligned for a single address. */
export function tallyShape(shapes: Float64Array, ds: boolean, tg: Tg, words: Uint32Array, at: number): void {
  const w0 = words[at] as number;
  const w2 = words[at + 2] as number;
  const high = words[at + 3] as number;
  const field = (w2 >>> 10) & 3;
  const mask = MASKS[field === 0 ? (tg - 10) >> 1 : field] as readonly [number, number, number, number];
  const low = w2 >>> 12;
  const aligned = (low & mask[0]) !== 0 || (high & mask[1]) !== 0 ? 0 : (low & mask[2]) !== 0 || (high & mask[3]) !== 0 ? 1 : 2;
  const num = (w0 >>> 12) & 31;
  const scale = Math.min((w0 >>> 20) & 63, SCALES - 1);
  const index = (((((((ds ? TGS : 0) + field) * SCALES + scale) * 3 + (num === 0 ? 0 : num === 31 ? 2 : 1)) * TTLS + ((w2 >>> 8) & 3)) * 2 + (w2 & 1)) * 3 + aligned);
  shapes[index] = (shapes[index] as number) + 1;
}

/** Counts `n` single addresses, `step` frames apart from `first` on, as `tallyShape` would count each. */
export function tallySingles(shapes: Float64Array, kind: { readonly ds: boolean; readonly tg: Tg; readonly leaf: number }, run: { readonly first: number; readonly step: number; readonly n: number }): void {
  const two = multiples(run.first, run.step, run.n, levelFrames(kind.tg, 2));
  const one = multiples(run.first, run.step, run.n, levelFrames(kind.tg, 1));
  const index = ((kind.ds ? TGS : 0) * SCALES * 3 * TTLS * 2 + kind.leaf) * 3;
  shapes[index] = (shapes[index] as number) + run.n - two;
  shapes[index + 1] = (shapes[index + 1] as number) + two - one;
  shapes[index + 2] = (shapes[index + 2] as number) + one;
}

export interface Shape {
  readonly ds: boolean;
  /** log2 of the granule; 0: a single address. */
  readonly tg: Tg | 0;
  readonly scale: number;
  /** Index of NUM_CLASSES. */
  readonly num: number;
  readonly ttl: number;
  readonly leaf: number;
  /** Level of the entries to which the address is aligned: 3, 2 or 1. */
  readonly aligned: number;
}

export function shapeOf(index: number): Shape {
  let rest = index;
  const digit = (base: number): number => {
    const d = rest % base;
    rest = Math.floor(rest / base);
    return d;
  };
  const aligned = 3 - digit(3);
  const leaf = digit(2);
  const ttl = digit(TTLS);
  const num = digit(3);
  const scale = digit(SCALES);
  const field = digit(TGS);
  return { ds: rest === 1, tg: field === 0 ? 0 : ((field * 2 + 10) as Tg), scale, num, ttl, leaf, aligned };
}

const NUM_LEAST: readonly number[] = [1, 2, 32];
const NUM_MOST: readonly number[] = [1, 31, 32];
/** Frames of a 52-bit address space. */
const SPACE = 2 ** 40;

/** Can a plan have a command of this shape? */
export function reachable(s: Shape): boolean {
  if (s.tg === 0) return s.scale === 0 && s.num === 0 && s.ttl === 0;
  if (s.scale > (s.ds ? 39 : 31)) return false;
  const granule = POW2[s.tg - 12] as number;
  const unit = (POW2[s.scale] as number) * granule;
  if ((NUM_LEAST[s.num] as number) * unit > SPACE) return false;
  if (s.ttl === 0) return s.scale > 0 || s.num > 0;
  if (s.num === 0 && s.scale > 0 && s.leaf === 0) return false;
  if (s.ttl === 1 && s.tg === 14 && !s.ds) return false;
  return s.aligned <= s.ttl && (NUM_MOST[s.num] as number) * unit >= levelFrames(s.tg, s.ttl);
}

export interface ShapeCounts {
  readonly exercised: number;
  readonly reachable: number;
  readonly holes: readonly string[];
}

/** What of `shapes` can be reached and was; holes that differ only in SCALE or alignment are one line. */
export function shapeCounts(shapes: Float64Array, wanted: (s: Shape) => boolean = () => true): ShapeCounts {
  let exercised = 0;
  let all = 0;
  const holes = new Map<string, Set<number>>();
  for (let i = 0; i < SHAPES; i += 1) {
    const s = shapeOf(i);
    if (!reachable(s) || !wanted(s)) continue;
    all += 1;
    if (shapes[i] !== 0) {
      exercised += 1;
      continue;
    }
    const key = `${s.tg === 0 ? 'single address' : `${POW2[s.tg - 10] as number}K`}${s.ds ? ' with DS' : ''}  TTL ${s.ttl}  Leaf ${s.leaf}  NUM ${NUM_CLASSES[s.num] as string}  aligned to ${ALIGNMENTS[3 - s.aligned] as string}`;
    const scales = holes.get(key) ?? new Set<number>();
    scales.add(s.scale);
    holes.set(key, scales);
  }
  return { exercised, reachable: all, holes: [...holes].map(([key, scales]) => `${key}  SCALE ${runs([...scales])}`) };
}

/** Ascending numbers as `0..3, 7`. */
function runs(list: readonly number[]): string {
  const out: string[] = [];
  for (let i = 0; i < list.length;) {
    let end = i;
    while (end + 1 < list.length && list[end + 1] === (list[end] as number) + 1) end += 1;
    out.push(end === i ? String(list[i]) : `${list[i]}..${list[end]}`);
    i = end + 1;
  }
  return out.join(', ');
}
