/**
 * The symbolic claims about double ranges that cut no contiguous run. The formula as a whole is too much for a solver, so it is asked in parts: where
 * no run is cut the plan is that of `double-range`; where one is, the facts that the search for it establishes (`found`) stand for the search, with
 * the run anywhere; and for the runs themselves the two ranges may be any that begin and end with the description and leave no hole.
 */
import { ask, CONT, coverage, DOUBLE, EACH, ERRATUM, exactlyWithin, LATER, legality, COVERAGE, LEGALITY, COMPLETE, LEGAL, RUNS, WIDEST, type Recipes, type SymbolicText } from './claims.js';
import { COUNT, cutRun, DS, FIRST, isBitmaps, granuleBits, LEAVES, longerPlan, restAndTrail, runs, type Scope } from './planners.js';
import { asks, OFFSET, reached, within, beginsInside } from './properties.js';
import type { Question } from './question.js';
import { add, and, bitsVar, boolVar, eq, hasBit, isAligned, le, lt, not, num, or, shl, TRUE, when, type Bool } from './terms.js';

/** Granules from the start of the description to the run that is cut. */
const CUT = bitsVar('cut');
/** Granule numbers: the end of the description and of the first range, the start of the second and of one that is longer, and of any run. */
const END = bitsVar('end');
const RUN = bitsVar('run');
const SEAM = bitsVar('seam');
const SECOND = bitsVar('second');
const LONGER = bitsVar('longer');
const FITS = boolVar('fits');

/** A plan of three whose run is anywhere before the end of the first range: what `found` says, and that the second begins no later than there. */
function withCut(r: Recipes, goal: (part: ReturnType<typeof longerPlan>) => Bool): Question {
  const part = longerPlan(r.ranges, WIDEST, CUT);
  return ask(WIDEST, and(lt(OFFSET, COUNT), lt(CUT, part.covered), lt(part.covered, COUNT), part.fits), goal(part));
}

/** The second range is as long as the rest or longer: it begins where the first ends or before. */
function noHole(r: Recipes): Question {
  const { rest, size } = restAndTrail(r.ranges, WIDEST);
  return ask(WIDEST, not(eq(rest, num(0))), or(CONT(r, WIDEST).plan.whole, le(rest, size)));
}

/** Any two ranges of one description [first, end) without a hole: [first, seam) and [second, end). */
function anyTwo(s: Scope): Bool {
  return and(lt(FIRST, SECOND), le(SECOND, SEAM), lt(SEAM, END), le(END, num(1n << BigInt(granuleBits(s)))), isBitmaps(s));
}

/** What the search says of a run that it found. */
function foundFacts(r: Recipes, s: Scope): Question {
  const { found, start, log2 } = cutRun(r.ranges, s, END, SEAM, SECOND);
  return { scope: s, assume: and(anyTwo(s), found), goal: and(le(FIRST, start), lt(start, SECOND), le(add(start, shl(num(1), log2)), END)) };
}

/** Every damaged run of one level in the description lies in the first range, in the second, or is in the run that the third covers. */
function runsWhole(r: Recipes, s: Scope): readonly Question[] {
  const { found, start, log2 } = cutRun(r.ranges, s, END, SEAM, SECOND);
  const begins = when(and(found, FITS), LONGER, SECOND);
  const third = and(found, not(FITS));
  return runs(s.tg).map((run) => {
    const to = add(RUN, num(1n << BigInt(run.bits)));
    const damaged = and(hasBit(LEAVES, 3 - run.level), run.withDs ? DS : TRUE, isAligned(RUN, run.bits), le(FIRST, RUN), lt(RUN, END), le(to, END));
    const whole = or(le(to, SEAM), le(begins, RUN), and(third, le(start, RUN), le(to, add(start, shl(num(1), log2)))));
    return { scope: s, assume: and(anyTwo(s), le(LONGER, start), damaged), goal: whole };
  });
}

/** The third range is within the description; the longer second one as well. */
const inside = (r: Recipes): readonly Question[] => [withCut(r, ({ plan }) => within(plan, num(0))), ...EACH.map((s) => foundFacts(r, s))];

function complete(r: Recipes): readonly Question[] {
  return [
    ...coverage(DOUBLE)(r), noHole(r), withCut(r, ({ plan }) => and(reached(plan), beginsInside(plan))), ...EACH.map((s) => foundFacts(r, s)),
    ...EACH.map((s) => ask(s, TRUE, asks(CONT(r, s).plan, s))),
  ];
}

const exact = exactlyWithin('double-range-cont', CONT);

export const CONT_TEXTS: readonly SymbolicText[] = [
  { what: 'coverage', planner: 'double-range-cont', sentence: COVERAGE, source: LATER, expected: 'proved', rule: 'range-coverage', formula: CONT, questions: complete, broken: COMPLETE },
  { what: 'legality', planner: 'double-range-cont', sentence: LEGALITY, source: LATER, expected: 'proved', rule: 'illegal-command', formula: CONT, questions: legality(CONT), broken: LEGAL },
  { ...exact, questions: (r) => [...exactlyWithin('double-range', DOUBLE).questions(r), noHole(r), ...inside(r)] },
  {
    what: 'contiguous', planner: 'double-range-cont', sentence: ERRATUM, source: 'contiguous erratum (84c6089a365f)', expected: 'proved', rule: 'range-coverage', wholeRunOnly: true, formula: CONT,
    questions: (r) => [noHole(r), ...EACH.flatMap((s) => runsWhole(r, s)), ...EACH.map((s) => ask(s, TRUE, asks(CONT(r, s).plan, s)))], broken: RUNS,
  },
];

