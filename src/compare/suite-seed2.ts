/**
 * Suite seed-2: the figures behind the claims of seed 2 (".iotlb_sync_map", deferred cache maintenance) and of its reviewers: what four ways to clean leaves
 * cost on scatter lists, and what each leaves behind in every geometry of tables. Nothing is estimated, and nothing that a cleaner did is believed:
 * a page is stale when the walker's view of the way to it differs from the CPU's.
 */
import { CLEANER_NAMES, type CleanerName, type TableGeometry } from '../stack/page-table.js';
import { explain, type Explained } from './cleaning/explain.js';
import { ROOT_KINDS, walkGeometries, type RootKind, type WalkGeometry } from './cleaning/geometries.js';
import { LiteralGround } from './cleaning/ground.js';
import { listRow, LISTS, type ListRow } from './cleaning/lists.js';
import { rangesOf, type GranuleRange, type RangeLimits } from './cleaning/ranges.js';
import { DEFECTS, search, type Defect, type Example, type Finding, type Searched, type Seen } from './cleaning/search.js';
import { shrinkRange } from './cleaning/shrink.js';

/** Tables of one granule, start level, half and kind of root. */
export interface GeometryRow {
  readonly tg: number;
  readonly startLevel: number;
  readonly half: 'lower' | 'upper';
  readonly root: RootKind;
  readonly inputBits: readonly [least: number, most: number];
  readonly stages: readonly (1 | 2)[];
  readonly geometries: number;
  readonly ranges: number;
  readonly findings: Readonly<Record<Defect, Finding>>;
}

/** A kind of defect for one reason, at its smallest. */
export interface DefectExample {
  readonly defect: Defect;
  readonly why: string;
  readonly geometry: TableGeometry;
  readonly startLevel: number;
  readonly root: RootKind;
  readonly range: GranuleRange;
  readonly neighbours: boolean;
  readonly seen: Seen;
  readonly explained: Explained;
  /** Rows of geometries that show it for this reason. */
  readonly geometries: number;
}

/** What one cleaner leaves behind in all geometries together. */
export interface CleanerTotal {
  readonly cleaner: CleanerName;
  readonly ranges: number;
  readonly findings: Readonly<Record<Defect, Finding>>;
  /** Geometries in which nothing is stale, and all. */
  readonly sound: number;
  readonly geometries: number;
}

/** A geometry that real systems have. */
export interface EverydayRow {
  readonly geometry: TableGeometry;
  readonly root: RootKind;
  readonly findings: Readonly<Record<Defect, Finding>>;
  /** Smallest range of each kind, in granules. */
  readonly smallest: Readonly<Partial<Record<Defect, GranuleRange>>>;
}

export interface SuiteSeed2 {
  readonly lists: readonly ListRow[];
  readonly totals: readonly CleanerTotal[];
  readonly rows: readonly GeometryRow[];
  readonly everyday: readonly EverydayRow[];
  readonly examples: readonly DefectExample[];
}

export type Limits = Readonly<Record<'lower' | 'upper', RangeLimits>>;

/** Those of the posted walk, by half; the upper half differs in what is found of every range. The others are asked fewer, because nothing is found. */
export const POSTED_LIMITS: Limits = { lower: { leavesMax: 8, squareMax: 4200, thorough: false }, upper: { leavesMax: 2, squareMax: 4200, thorough: false } };
export const OTHER_LIMITS: Limits = { lower: { leavesMax: 2, squareMax: 8, thorough: false }, upper: { leavesMax: 2, squareMax: 8, thorough: false } };

const EVERYDAY: readonly (readonly [stage: 1 | 2, tg: number, inputBits: number])[] = [
  [1, 12, 39], [1, 12, 48], [1, 14, 36], [1, 14, 47], [1, 14, 48], [1, 16, 42], [1, 16, 48], [1, 16, 52],
  [2, 12, 40], [2, 12, 42], [2, 12, 44], [2, 12, 48], [2, 14, 40], [2, 14, 48], [2, 16, 40], [2, 16, 48],
];

export interface Asked {
  readonly w: WalkGeometry;
  readonly searched: Searched;
}

function pageOf(w: WalkGeometry, range: GranuleRange, seen: Seen): number {
  return seen.stale === null ? range.first : Math.floor(seen.stale.frame / 2 ** (w.shape.tg - 12));
}

/** The way to the first stale page; to what else is wrong the way to the first page of the range, or to the last if nothing is wrong on the first. */
function explained(w: WalkGeometry, range: GranuleRange, seen: Seen, defect: Defect): Explained {
  const at = (page: number): Explained => explain(w.geometry, w.shape, { first: range.first, count: range.count, page });
  if (defect === 'stale') return at(pageOf(w, range, seen));
  const first = at(range.first);
  return first.cause === 'right' ? at(range.first + range.count - 1) : first;
}

/** Reasons: which kind of root, at which level below it, and what is wrong there. */
function whyOf(w: WalkGeometry): (range: GranuleRange, seen: Seen, defect: Defect) => string {
  return (range, seen, defect) => {
    const e = explained(w, range, seen, defect);
    const below = e.cause === 'right' ? '' : ` ${(e.steps.at(-1)?.level ?? 0) - w.shape.startLevel}`;
    return `${w.geometry.half} ${w.root} ${e.cause}${below}`;
  };
}

function ask(name: CleanerName, limits: Limits, all: readonly WalkGeometry[]): Asked[] {
  return all.map((w) => ({ w, searched: search(new LiteralGround(w.geometry, name), rangesOf(w.shape, limits[w.geometry.half]), name === 'posted-walk' ? whyOf(w) : undefined) }));
}

function sum(asked: readonly Asked[]): Readonly<Record<Defect, Finding>> {
  const of = (defect: Defect): Finding => ({
    ranges: asked.reduce((n, a) => n + a.searched.findings[defect].ranges, 0), worst: asked.reduce((most, a) => Math.max(most, a.searched.findings[defect].worst), 0),
  });
  return Object.fromEntries(DEFECTS.map((d) => [d, of(d)])) as Record<Defect, Finding>;
}

function ranges(asked: readonly Asked[]): number {
  return asked.reduce((n, a) => n + a.searched.ranges, 0);
}

export function total(cleaner: CleanerName, asked: readonly Asked[]): CleanerTotal {
  return {
    cleaner, ranges: ranges(asked), findings: sum(asked), geometries: asked.reduce((n, a) => n + a.w.standsFor, 0),
    sound: asked.filter((a) => a.searched.findings.stale.ranges === 0).reduce((n, a) => n + a.w.standsFor, 0),
  };
}

function rowsOf(asked: readonly Asked[]): GeometryRow[] {
  const groups = new Map<string, Asked[]>();
  for (const half of ['lower', 'upper'] as const) for (const root of ROOT_KINDS) for (const a of asked) {
    const { geometry: g, shape } = a.w;
    if (g.half !== half || a.w.root !== root) continue;
    const key = `${half} ${root} ${g.tg} ${shape.startLevel}`;
    groups.set(key, [...(groups.get(key) ?? []), a]);
  }
  return [...groups.values()].map((group) => {
    const [{ w }] = group as [Asked];
    const bits = group.map((a) => a.w.geometry.inputBits);
    return {
      tg: w.shape.tg, startLevel: w.shape.startLevel, half: w.geometry.half, root: w.root, inputBits: [Math.min(...bits), Math.max(...bits)],
      stages: ([1, 2] as const).filter((s) => group.some((a) => a.w.stages.includes(s))), geometries: group.reduce((n, a) => n + a.w.standsFor, 0),
      ranges: ranges(group), findings: sum(group),
    };
  });
}

function everyday(asked: readonly Asked[]): EverydayRow[] {
  return EVERYDAY.map(([stage, tg, inputBits]) => {
    const group = asked.filter((a) => a.w.geometry.tg === tg && a.w.geometry.inputBits === inputBits && a.w.geometry.half === 'lower' && a.w.stages.includes(stage)
      && (stage === 1 || a.w.root === 'concatenated' || !asked.some((b) => b.w.geometry.tg === tg && b.w.geometry.inputBits === inputBits && b.w.root === 'concatenated')));
    const first = group[0];
    if (first === undefined) throw new Error(`no geometry of stage ${stage} with 2^${tg} and ${inputBits} bits`);
    const smallest: Partial<Record<Defect, GranuleRange>> = {};
    for (const a of group) for (const e of a.searched.examples) {
      const known = smallest[e.defect];
      if (known === undefined || e.range.leaves < known.leaves) smallest[e.defect] = e.range;
    }
    return { geometry: { ...first.w.geometry, stage }, root: first.w.root, findings: sum(group), smallest };
  });
}

/** Reasons that are shown: of the upper half only what the lower does not have. */
function isShown(e: Example): boolean {
  if (!e.why.startsWith('upper')) return e.defect !== 'beyond';
  return e.defect === 'beyond' || (e.defect === 'warnings' && e.why.includes('full'));
}

/** The smallest example of each kind and reason over all geometries, made smaller still. */
export function examplesOf(asked: readonly Asked[], name: CleanerName = 'posted-walk'): DefectExample[] {
  const best = new Map<string, { a: Asked; e: Example; geometries: number }>();
  for (const a of asked) for (const e of a.searched.examples) {
    if (!isShown(e)) continue;
    const key = `${e.defect} ${e.why}`;
    const known = best.get(key);
    const geometries = (known?.geometries ?? 0) + a.w.standsFor;
    const better = known === undefined || e.range.leaves < known.e.range.leaves;
    best.set(key, better ? { a, e, geometries } : { ...known, geometries });
  }
  return [...best.values()].map(({ a, e, geometries }) => shrunk(name, a.w, { ...e, geometries })).sort((x, y) => DEFECTS.indexOf(x.defect) - DEFECTS.indexOf(y.defect));
}

function shrunk(name: CleanerName, w: WalkGeometry, e: Example & { readonly geometries: number }): DefectExample {
  const ground = new LiteralGround(w.geometry, name);
  const why = name === 'posted-walk' ? whyOf(w) : (): string => '';
  const total = 2 ** (w.geometry.inputBits - w.shape.tg);
  const shows = (r: GranuleRange): boolean => {
    if (r.first + r.count > total) return false;
    const seen = ground.ask(r, e.neighbours);
    const { defect } = e;
    const much = defect === 'stale' ? seen.staleFrames : defect === 'over' ? seen.lines - seen.touched : seen[defect];
    return much > 0 && why(r, seen, defect) === e.why;
  };
  const range = shrinkRange(w.shape, e.range, shows);
  const seen = ground.ask(range, e.neighbours);
  return { defect: e.defect, why: e.why, geometry: w.geometry, startLevel: w.shape.startLevel, root: w.root, range, neighbours: e.neighbours, seen, explained: explained(w, range, seen, e.defect), geometries: e.geometries };
}

/** What one cleaner leaves behind in these geometries. */
export function askCleaner(name: CleanerName, all: readonly WalkGeometry[]): Asked[] {
  return ask(name, name === 'posted-walk' ? POSTED_LIMITS : OTHER_LIMITS, all);
}

/** All figures, measured now: about ten seconds. */
export function suiteSeed2(): SuiteSeed2 {
  const all = walkGeometries();
  const asked = askCleaner('posted-walk', all);
  const totals = CLEANER_NAMES.map((name) => total(name, name === 'posted-walk' ? asked : askCleaner(name, all)));
  return { lists: LISTS.map((l) => listRow(l)), totals, rows: rowsOf(asked), everyday: everyday(asked), examples: examplesOf(asked) };
}
