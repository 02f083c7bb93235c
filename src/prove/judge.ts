/**
 * Judge: is a plan complete, legal, and within what its planner promised? By interval arithmetic on the payload words (IHI 0070 §4.4.1.1),
 * for billions of plans: nothing is allocated, an address is a 4 KiB frame number. Its slow twin (literal.ts) goes entry by entry and asks the
 * reference for each; a property holds both together on small windows.
 *
 * A command of range [from, to) touches an entry of 2^k frames exactly when it touches it after both ends were widened to multiples of 2^k. What
 * touches a smaller entry touches every larger one around it. So when each command has a hint that fits all the damage, one pass at the size of
 * the deepest damaged level decides every level; where that pass finds a hole, each level is asked by itself with the commands that fit it.
 * With the contiguous erratum a run goes only with a range that spans it, or with a single address in it: then the ends are narrowed instead.
 * A command that is reserved, unpredictable or not supported need not remove anything.
 *
 * Single addresses at equal steps to the end of the plan are read as one run (singles.ts): every word is compared, and the run, whose commands are no
 * further apart than the smallest damaged entries, reaches everything from its first to its last.
 */
import { POW2 } from '../spec/bits.js';
import { rangeAlignment } from '../spec/command.js';
import { commandTg, contiguousEntries, levelFrames, type Tg } from '../spec/granule.js';
import { levelBit } from '../stack/description.js';
import { WHOLE_TAG, type PlannerFeatures, type PlannerPromise } from '../stack/planner.js';
import { tallyShape, tallySingles } from './shapes.js';
import { frameOf, Singles } from './singles.js';

/** What can be wrong with a plan: bits of the answer of `check`. */
export const BAD = { coverage: 1, contiguous: 2, legality: 4, bound: 8, over: 16 } as const;

export type EntryKind = 'leaf' | 'table' | 'run';

/** An entry that was damaged and that the plan leaves. */
export interface Hole {
  readonly kind: EntryKind;
  readonly level: number;
  /** First frame of the entry and its frames. */
  readonly frame: number;
  readonly frames: number;
}

const LEVELS: readonly number[] = [3, 2, 1, 0, -1];
/** Every level: bit n stands for level 3 - n. */
const ALL_LEVELS = 0x1f;
/** Halves of the address space, VA[55], in frames; bit 23 of word 3. A range need not reach from one half into the other. */
const PER_HALF = 1 / 2 ** 43;
const TOP = 2 ** 52;

/** Bits of the words that a payload may have set: NUM and SCALE; Leaf, TTL, TG and the address. */
const WORD0 = 0x03f1f000;
const WORD2_RES0 = 0xfe;
const WORD2_RANGE = 0x300;
const TG_FIELD = 0xc00;

/**
 * By TG * 4 + TTL: bits of the frame number that must be 0 in a range with them, the low 20 and those above. Only 16K with TTL = 1 depends on
 * DS, and without DS it is reserved.
 */
const ALIGN_LOW = new Uint32Array(16);
const ALIGN_HIGH = new Uint32Array(16);
for (const tg of [12, 14, 16] as const) {
  for (let ttl = 0; ttl < 4; ttl += 1) {
    const mask = (POW2[rangeAlignment(tg, ttl, true) - 12] as number) - 1;
    ALIGN_LOW[commandTg(tg) * 4 + ttl] = mask % 2 ** 20;
    ALIGN_HIGH[commandTg(tg) * 4 + ttl] = Math.floor(mask / 2 ** 20);
  }
}

/** May this SMMU be given the payload at `at`: nothing reserved, unsupported or unpredictable (§4.1.5, §4.4.1.1)? */
export function legalPayload(words: Uint32Array, at: number, f: PlannerFeatures): boolean {
  const w0 = words[at] as number;
  const w2 = words[at + 2] as number;
  if ((w0 & ~WORD0) !== 0 || words[at + 1] !== 0 || (w2 & WORD2_RES0) !== 0) return false;
  const tg = (w2 >>> 10) & 3;
  if (tg === 0) return w0 === 0 && (w2 & WORD2_RANGE) === 0;
  const ttl = (w2 >>> 8) & 3;
  if (!f.range || (tg === 2 && ttl === 1 && !f.ds) || (w0 === 0 && ttl === 0)) return false;
  if (w0 >>> 20 > (f.ds ? 39 : 31)) return false;
  const kind = tg * 4 + ttl;
  return ((w2 >>> 12) & (ALIGN_LOW[kind] as number)) === 0 && ((words[at + 3] as number) & (ALIGN_HIGH[kind] as number)) === 0;
}

export class Judge {
  /** How often a command of this shape was seen: see shapes.ts. */
  readonly shapes: Float64Array | null;
  readonly #singles: Singles;
  /** What `tallySingles` is told, made once. */
  readonly #run = { first: 0, step: 0, n: 0 };
  readonly #kind: { ds: boolean; tg: Tg; leaf: number } = { ds: false, tg: 12, leaf: 0 };
  #features: PlannerFeatures = { range: false, ds: false };
  #tg: Tg = 12;
  #tgField = 1;
  #granule = 1;
  #leaves = 0;
  #tables = 0;
  /** Frames of an entry of the deepest damaged level, and one over it. */
  #entry = 1;
  #perEntry = 1;
  /** By TTL + 4 * Leaf: does a command with them ask for all that was damaged? */
  readonly #full = new Uint8Array(8);
  /** Damaged leaf levels that have runs, and the frames of a run of each. */
  #runs = 0;
  readonly #runLevel = new Int8Array(LEVELS.length);
  readonly #runFrames = new Float64Array(LEVELS.length);
  #bound = Infinity;
  #over: (n: number) => number = () => Infinity;

  /** `leastRun`: commands of the shortest run of singles that is read as one. */
  constructor(shapes: Float64Array | null = null, leastRun?: number) {
    this.shapes = shapes;
    this.#singles = new Singles(leastRun);
  }

  /** What the following plans are for. */
  prepare(f: PlannerFeatures, tg: Tg, levels: { readonly leaves: number; readonly tables: number }, promise: PlannerPromise | undefined): void {
    this.#features = f;
    this.#tg = tg;
    this.#kind.ds = f.ds;
    this.#kind.tg = tg;
    this.#tgField = commandTg(tg);
    this.#granule = POW2[tg - 12] as number;
    this.#leaves = levels.leaves;
    this.#tables = levels.tables;
    const damage = levels.leaves | levels.tables;
    this.#entry = damage === 0 ? this.#granule : levelFrames(tg, 3 - (31 - Math.clz32(damage & -damage)));
    this.#perEntry = 1 / this.#entry;
    for (let i = 0; i < 8; i += 1) {
      const hint = i & 3;
      this.#full[i] = (levels.leaves & ~leafReach(hint)) === 0 && (levels.tables & ~tableReach(hint, i >> 2)) === 0 ? 1 : 0;
    }
    this.#runs = 0;
    for (const level of LEVELS) {
      const members = contiguousEntries(tg, level, f.ds);
      if ((levels.leaves & levelBit(level)) === 0 || members === 1) continue;
      this.#runLevel[this.#runs] = level;
      this.#runFrames[this.#runs] = members * levelFrames(tg, level);
      this.#runs += 1;
    }
    this.#bound = promise === undefined ? Infinity : f.range ? promise.range : promise.single;
    this.#over = promise === undefined ? () => Infinity : f.range ? promise.over : () => 0;
  }

  /** BAD bits of a plan of `count` payloads in `words` for [first, last]; 0: nothing is wrong with it. */
  check(first: number, last: number, words: Uint32Array, count: number): number {
    if (count === WHOLE_TAG) return 0;
    if (!(count >= 0 && count * 4 <= words.length)) return BAD.coverage | BAD.contiguous | BAD.bound;
    const entry = this.#entry;
    const perEntry = this.#perEntry;
    const half = Math.floor(first * PER_HALF) & 1;
    let bad = count > this.#bound ? BAD.bound : 0;
    let next = Math.floor(first * perEntry) * entry; // the first frame that no command has reached
    let low = first;
    let high = last + 1;
    let ranges = 0;
    let spanned = false;
    let plain = true; // every command is legal, fits all the damage, and begins where the one before does or behind
    let before = 0;
    const run = this.#runFrom(words, count);
    for (let i = 0, at = 0; i < run; i += 1, at += 4) {
      const w2 = words[at + 2] as number;
      if (this.shapes !== null) tallyShape(this.shapes, this.#features.ds, this.#tg, words, at);
      if (!legalPayload(words, at, this.#features)) {
        bad |= BAD.legality;
        plain = false;
        continue;
      }
      const from = (words[at + 3] as number) * 1048576 + (w2 >>> 12);
      let to = from + 1;
      const tg = (w2 >>> 10) & 3;
      if (tg !== 0) {
        const w0 = words[at] as number;
        ranges += 1;
        to = from + (((w0 >>> 12) & 31) + 1) * (POW2[w0 >>> 20] as number) * (POW2[tg * 2 - 2] as number);
      }
      if (from < low) low = from;
      if (to > high) high = to;
      if (this.#full[((w2 >>> 8) & 3) + (w2 & 1) * 4] === 0 || (tg !== 0 && (tg !== this.#tgField || (((words[at + 3] as number) >>> 23) & 1) !== half))) {
        plain = false;
        continue;
      }
      if (from < before) plain = false;
      before = from;
      if (tg !== 0 && from <= first && to > last) spanned = true;
      if (to > next && Math.floor(from * perEntry) * entry <= next) next = Math.ceil(to * perEntry) * entry;
    }
    if (run < count) {
      const from = frameOf(words, run * 4);
      const to = frameOf(words, count * 4 - 4) + 1;
      if (from < low) low = from;
      if (to > high) high = to;
      const full = this.#full[((words[run * 4 + 2] as number) & 1) * 4] !== 0;
      if (from < before || !full) plain = false;
      if (full && to > next && Math.floor(from * perEntry) * entry <= next) next = Math.ceil(to * perEntry) * entry;
    }
    const beyond = first - low + high - last - 1;
    if (beyond > 0 && beyond / this.#granule > this.#over((last - first + 1) / this.#granule)) bad |= BAD.over;
    if (next <= last && this.firstHole(first, last, words, count) !== null) return bad | BAD.coverage | BAD.contiguous;
    if (spanned || ranges === 0 || this.#runs === 0) return bad;
    const go = plain ? this.#runsGo(first, last, words, count) : this.firstRun(first, last, words, count) === null;
    return go ? bad : bad | BAD.contiguous;
  }

  /** Where a run of singles begins that lasts to the end of the plan and leaves no damaged entry between two of them; `count`: nowhere. */
  #runFrom(words: Uint32Array, count: number): number {
    const begin = this.#singles.begin(words, count);
    const run = this.#run;
    run.step = this.#singles.step;
    if (begin === count || run.step > this.#entry) return count;
    if (this.shapes === null) return begin;
    run.first = frameOf(words, begin * 4);
    run.n = count - begin;
    this.#kind.leaf = (words[begin * 4 + 2] as number) & 1;
    tallySingles(this.shapes, this.#kind, run);
    return begin;
  }

  /** From now on `check` says nothing about the erratum, until the next `prepare`. */
  ignoreRuns(): void {
    this.#runs = 0;
  }

  /** The first entry (on ordinary hardware) that was damaged and that no command removes, deepest level first; null: there is none. */
  firstHole(first: number, last: number, words: Uint32Array, count: number): Hole | null {
    for (const level of LEVELS) {
      const frames = levelFrames(this.#tg, level);
      for (const kind of ['leaf', 'table'] as const) {
        if (((kind === 'leaf' ? this.#leaves : this.#tables) & levelBit(level)) === 0) continue;
        const end = (Math.floor(last / frames) + 1) * frames;
        const next = this.#reached(words, count, { kind, level, frames, from: Math.floor(first / frames) * frames, end }, first);
        if (next < end) return { kind, level, frame: next, frames };
      }
    }
    return null;
  }

  /** The first run inside of [first, last] that hardware with the erratum would keep; null: there is none. */
  firstRun(first: number, last: number, words: Uint32Array, count: number): Hole | null {
    for (let i = 0; i < this.#runs; i += 1) {
      const frames = this.#runFrames[i] as number;
      const level = this.#runLevel[i] as number;
      const end = Math.floor((last + 1) / frames) * frames;
      const next = this.#reached(words, count, { kind: 'run', level, frames, from: Math.ceil(first / frames) * frames, end }, first);
      if (next < end) return { kind: 'run', level, frame: next, frames };
    }
    return null;
  }

  /** `firstRun` as a question, for plans whose commands are all legal, fit all the damage, and are in order. */
  #runsGo(first: number, last: number, words: Uint32Array, count: number): boolean {
    for (let i = 0; i < this.#runs; i += 1) {
      const frames = this.#runFrames[i] as number;
      const per = 1 / frames;
      const end = Math.floor((last + 1) * per) * frames;
      let next = Math.ceil(first * per) * frames;
      for (let at = 0; at < count * 4 && next < end; at += 4) {
        const w0 = words[at] as number;
        const w2 = words[at + 2] as number;
        const from = (words[at + 3] as number) * 1048576 + (w2 >>> 12);
        if ((w2 & TG_FIELD) === 0) {
          if (from >= next && from < next + frames) next += frames;
          continue;
        }
        const to = from + (((w0 >>> 12) & 31) + 1) * (POW2[w0 >>> 20] as number) * this.#granule;
        if (from <= next && to > next) next = Math.max(next, Math.floor(to * per) * frames);
      }
      if (next < end) return false;
    }
    return true;
  }

  /**
   * How far entries of one kind, from `from` to `end`, are removed without a hole. Commands need not be in order: as long as one pass over them
   * gets further, there is another.
   */
  #reached(words: Uint32Array, count: number, e: { readonly kind: EntryKind; readonly level: number; readonly frames: number; readonly from: number; readonly end: number }, first: number): number {
    const half = Math.floor(first * PER_HALF) & 1;
    let next = e.from;
    for (let before = -1; next < e.end && next > before;) {
      before = next;
      for (let at = 0; at < count * 4; at += 4) {
        const w0 = words[at] as number;
        const w2 = words[at + 2] as number;
        const tg = (w2 >>> 10) & 3;
        const hint = (w2 >>> 8) & 3;
        if (((e.kind === 'table' ? tableReach(hint, w2 & 1) : leafReach(hint)) & levelBit(e.level)) === 0 || !legalPayload(words, at, this.#features)) continue;
        const from = (words[at + 3] as number) * 1048576 + (w2 >>> 12);
        if (tg === 0) {
          if (from >= next && from < next + e.frames) next += e.frames;
          continue;
        }
        if (tg !== this.#tgField || (((words[at + 3] as number) >>> 23) & 1) !== half) continue;
        const to = Math.min(from + (((w0 >>> 12) & 31) + 1) * (POW2[w0 >>> 20] as number) * this.#granule, TOP);
        const whole = e.kind === 'run';
        const begin = whole ? from : Math.floor(from / e.frames) * e.frames;
        if (begin <= next) next = Math.max(next, (whole ? Math.floor(to / e.frames) : Math.ceil(to / e.frames)) * e.frames);
      }
    }
    return next;
  }
}

/** Leaf levels that a command with this hint asks for. */
function leafReach(hint: number): number {
  return hint === 0 ? ALL_LEVELS : 1 << (3 - hint);
}

/** Table levels: none with Leaf = 1; with a hint those above its level. */
function tableReach(hint: number, leaf: number): number {
  if (leaf !== 0) return 0;
  return hint === 0 ? ALL_LEVELS : ALL_LEVELS & ~((1 << (4 - hint)) - 1);
}
