/** Windows of 64 entries: what the interval judge and the literal check say about every range in them, for planners right and wrong. */
import type { ExecutionContext } from 'ava';
import { PLANNERS } from '../../src/parts/planners.js';
import { BAD, Judge } from '../../src/prove/judge.js';
import { literal } from '../../src/prove/literal.js';
import { allStrata, type Stratum } from '../../src/prove/strata.js';
import { levelFrames, type Tg } from '../../src/spec/granule.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import type { Planner, PlannerFeatures } from '../../src/stack/planner.js';
import { BROKEN } from './broken.js';

/** Units of a window. */
export const WINDOW = 64;
export const judge = new Judge();
/** Judges that read two singles as a run, and none: they must say the same. */
const others = [new Judge(null, 2), new Judge(null, Infinity)];

export function prepare(...what: Parameters<Judge['prepare']>): void {
  for (const j of [judge, ...others]) j.prepare(...what);
}

/** What both say, or where they differ. `bad`: of the judge. */
export function both(d: Description, s: Pick<Stratum, 'features'>, words: Uint32Array, count: number, over: number): { readonly bad: number; readonly slow: number } {
  const f = { ...s.features, wholeRunOnly: false };
  const bad = judge.check(d.first, d.last, words, count);
  for (const other of others) if (other.check(d.first, d.last, words, count) !== bad) throw new Error(`runs of singles: judges differ about ${JSON.stringify(d)}`);
  const l = literal(d, f, words, count);
  const hole = l.hole !== null ? BAD.coverage : 0;
  const run = l.run !== null ? BAD.contiguous : 0;
  return { bad: bad & ~BAD.bound, slow: hole | run | (l.illegal >= 0 ? BAD.legality : 0) | (l.beyond > over ? BAD.over : 0) };
}

/** Every range of a window (every `step`th), one planner after the other; `seen`: how often the judge said what. */
export function window(t: ExecutionContext, s: Stratum, step: number, seen: Map<number, number>): void {
  const d = newDescription();
  const count = Math.min(WINDOW, s.count);
  let turn = s.leaves * 7 + s.tables;
  for (let units = 1; units <= count; units += 1) {
    for (let at = 0; at + units <= count; at += 1) {
      turn += 1;
      if (turn % step !== 0) continue;
      const p = ALL[Math.floor(turn / step) % ALL.length] as Planner;
      Object.assign(d, { tg: s.tg, first: s.base + at * s.unit, last: s.base + (at + units) * s.unit - 1, leaves: s.leaves, tables: s.tables });
      const words = buffer(p);
      const made = p.plan(d, s.features, words);
      const granules = (d.last - d.first + 1) / levelFrames(s.tg, 3);
      prepare(s.features, s.tg, s, p.promise);
      const { bad, slow } = both(d, s, words, made, s.features.range ? (p.promise?.over(granules) ?? Infinity) : 0);
      seen.set(bad, (seen.get(bad) ?? 0) + 1);
      if (bad !== slow) t.is(bad, slow, `${p.name} ${JSON.stringify(d)} ${JSON.stringify(s.features)}`);
    }
  }
}

const buffers = new Map<Planner, Uint32Array>();
function buffer(p: Planner): Uint32Array {
  const words = buffers.get(p) ?? new Uint32Array(Math.max(1, p.room) * 4);
  buffers.set(p, words);
  return words;
}

const ALL: readonly Planner[] = [...PLANNERS.filter((p) => p.name !== 'per-granule' && p.name !== 'whole-tag'), ...BROKEN.map((b) => b.planner)];

/** All the damaged levels of one granule and one kind of SMMU, in the first window. */
export function everyWindow(t: ExecutionContext, tg: Tg, features: PlannerFeatures, step: number): void {
  const seen = new Map<number, number>();
  for (const s of allStrata(undefined)) {
    if (s.tg === tg && s.features === features && s.place === 'low') window(t, { ...s, count: WINDOW }, step, seen);
  }
  t.true((seen.get(0) ?? 0) > 1000 / step, 'plans that are right');
  t.true([...seen].some(([bad]) => (bad & (features.range ? BAD.coverage : BAD.legality)) !== 0), 'plans that are wrong');
  if (features.range) t.true([...seen].some(([bad]) => (bad & BAD.coverage) === 0 && (bad & BAD.contiguous) !== 0), 'plans that leave a run');
}
