/**
 * Mutants of the formulas: each replaces one step of the calculation, and breaks one claim. A claim that no mutant can break says nothing.
 * `length-bits` is complete and legal all the same (bit length of n instead of n - 1: a unit larger than needed where n is 32 times a power of two,
 * and then 16 units, not one granule more): what it breaks is when the whole tag goes.
 */
import { LOOP, type LoopRecipe } from './exact.js';
import type { Recipes } from './claims.js';
import { isSingle, LEAVES, lowest, RECIPE, scaleMax, TABLES, ttlOfBit, type Recipe } from './planners.js';
import { add, and, bitLength, eq, FALSE, le, lt, mask, not, num, or, shr, sub, TRUE, when } from './terms.js';

export interface Mutant {
  readonly name: string;
  /** What was replaced by what. */
  readonly about: string;
  readonly planner: string;
  /** The claims (`what`) that it breaks. */
  readonly breaks: readonly string[];
  readonly recipes: Recipes;
}

const ranges = (change: Partial<Recipe>): Recipes => ({ ranges: { ...RECIPE, ...change }, loop: LOOP });
const loop = (change: Partial<LoopRecipe>): Recipes => ({ ranges: RECIPE, loop: { ...LOOP, ...change } });

type Row = readonly [name: string, about: string, breaks: readonly string[], recipes: Recipes];

/** Steps that single and double ranges share. */
const SHARED: readonly Row[] = [
  ['scale-too-small', 'SCALE is one too small', ['coverage', 'legality'], ranges({ scale: (n, s) => when(lt(num(32), n), sub(RECIPE.scale(n, s), num(1)), num(0)) })],
  ['num-not-minus-one', 'NUM is the number of units, not one less', ['coverage', 'legality'], ranges({ num: (units) => units })],
  ['last-exclusive', 'the length is last - first', ['coverage'], ranges({ length: (first, last) => when(eq(first, last), num(1), sub(last, first)) })],
  ['guard-dropped', 'SCALE is not compared with what the SMMU has', ['legality'], ranges({ tooLarge: () => FALSE })],
  ['guard-ds', 'SCALE up to 39 without DS', ['legality'], ranges({ tooLarge: (scale) => lt(num(39), scale) })],
  ['guard-early', 'the largest SCALE is not used', ['fallback'], ranges({ tooLarge: (scale, ds) => le(scaleMax(ds), scale) })],
  ['length-bits', 'bit length of n / 32 instead of (n - 1) / 32', ['fallback'], ranges({ scale: (n, s) => bitLength(shr(n, num(5)), s.addressBits - s.tg) })],
  ['hint-not-aligned', 'the hint is kept whatever the address', ['legality'], ranges({ keepsHint: (_start, ttl) => not(eq(ttl, num(0))) })],
  ['tg-always', 'TG is named although NUM, SCALE and TTL are 0', ['legality'], ranges({ ranged: () => TRUE })],
  ['hint-16k', 'TTL = 1 with 16K granules without DS', ['legality'], ranges({ hint: (s) => RECIPE.hint({ ...s, tg: s.tg === 14 ? 12 : s.tg }) })],
  ['hint-mixed', 'with leaves of several levels the hint is the deepest', ['coverage'], ranges({ hint: (s) => when(or(eq(LEAVES, num(0)), isSingle(LEAVES)), RECIPE.hint(s), ttlOfBit(lowest(LEAVES))) })],
  ['hint-no-tables', 'the hint for leaves does not look at the tables', ['coverage'], ranges({ hint: (s) => when(isSingle(LEAVES), ttlOfBit(lowest(LEAVES)), RECIPE.hint(s)) })],
  ['hint-of-table', 'the hint for a table is its own level', ['coverage'], ranges({ hint: (s) => when(eq(LEAVES, num(0)), ttlOfBit(lowest(TABLES)), RECIPE.hint(s)) })],
  ['leaf-always', 'Leaf = 1 although tables were removed', ['coverage'], ranges({ leaf: TRUE })],
];

const SINGLE: readonly Row[] = [
  ['rounds-down', 'units are rounded down', ['coverage', 'contiguous'], ranges({ unitsUp: RECIPE.unitsDown })],
  ['one-unit-more', 'one unit more than needed', ['over-invalidation'], ranges({ unitsUp: (n, scale) => when(lt(RECIPE.unitsUp(n, scale), num(32)), add(RECIPE.unitsUp(n, scale), num(1)), num(32)) })],
];

const DOUBLE: readonly Row[] = [
  ['trail-late', 'the second range starts and ends one granule late', ['coverage', 'over-invalidation'], ranges({ trailStart: (end, size) => add(sub(end, size), num(1)) })],
  ['trail-early', 'the second range starts and ends one granule early', ['coverage'], ranges({ trailStart: (end, size) => sub(sub(end, size), num(1)) })],
  ['trail-rounds-down', 'the second range is rounded down', ['coverage'], ranges({ unitsUp: RECIPE.unitsDown })],
  ['trail-from-seam', 'the second range begins where the first ends', ['over-invalidation'], ranges({ trailStart: (_end, _size, seam) => seam })],
  ['first-rounds-up', 'the first range is rounded up', ['over-invalidation'], ranges({ unitsDown: RECIPE.unitsUp })],
];

const CONT: readonly Row[] = [
  ['never-cut', 'no run is looked for', ['contiguous'], ranges({ cut: () => FALSE })],
  ['cut-by-one', 'a run of which one granule is left to the second range is not looked for', ['contiguous'], ranges({ cut: (start, granules, firstEnd) => and(lt(start, firstEnd), lt(add(firstEnd, num(1)), add(start, granules))) })],
];

const EXACT: readonly Row[] = [
  ['num-not-minus-one', 'NUM is the number of units, not one less', ['over-invalidation'], loop({ num: (units) => units })],
  ['no-rounding', 'one granule of 32 without a hint is not rounded up', ['legality'], loop({ start: (n) => n })],
  ['two-more', 'every length is two granules more', ['over-invalidation'], loop({ start: (n) => add(n, num(2)) })],
  ['guard-dropped', 'SCALE is not compared with what the SMMU has', ['legality'], loop({ tooLarge: () => FALSE })],
  ['guard-ds', 'SCALE above 31 is refused although the SMMU has DS', ['fallback'], loop({ tooLarge: (scale) => lt(num(31), scale) })],
  ['advance-short', 'the address goes on by one granule too little', ['coverage'], loop({ advance: (covered) => sub(covered, num(1)) })],
  ['hint-mixed', 'with leaves of several levels the hint is the deepest', ['coverage'], loop({ hint: (s) => when(and(eq(TABLES, num(0)), not(eq(LEAVES, num(0)))), ttlOfBit(lowest(LEAVES)), LOOP.hint(s)) })],
  ['three-bits', 'groups of three bits', ['command-bound'], loop({ units: (n, scale) => mask(shr(n, scale), num(7)) })],
];

const of = (planner: string, rows: readonly Row[]): readonly Mutant[] => rows.map(([name, about, breaks, recipes]) => ({ name, about, planner, breaks, recipes }));

export const MUTANTS: readonly Mutant[] = [
  ...of('single-range', [...SHARED, ...SINGLE]), ...of('double-range', [...SHARED.filter(([, , breaks]) => !breaks.includes('fallback')), ...DOUBLE]), ...of('double-range-cont', CONT), ...of('exact-ranges', EXACT),
];
