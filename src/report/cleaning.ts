/**
 * Cleaning: the tables of `compare --suite seed-2`, as Markdown (which corpus/tables/seed-2.md holds) and as JSON. Pure.
 */
import type { TableStep } from '../compare/cleaning/explain.js';
import type { ListRow } from '../compare/cleaning/lists.js';
import type { GranuleRange } from '../compare/cleaning/ranges.js';
import type { Defect, Finding } from '../compare/cleaning/search.js';
import type { DefectExample, EverydayRow, GeometryRow, SuiteSeed2 } from '../compare/suite-seed2.js';
import type { TableGeometry } from '../stack/page-table.js';
import { markdownTable } from './suite.js';
import { count } from './words.js';

/** A size in bytes in the largest unit that divides it. */
export function bytes(n: number): string {
  const units = ['', 'K', 'M', 'G', 'T', 'P'];
  let value = n;
  let unit = 0;
  while (value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${units[unit] ?? ''}`;
}

function address(n: number): string {
  return `0x${n.toString(16)}`;
}

/** A range of granules in bytes. */
export function rangeText(tg: number, r: GranuleRange): string {
  return `${address(r.first * 2 ** tg)} +${bytes(r.count * 2 ** tg)}`;
}

export function geometryText(g: TableGeometry): string {
  return `${bytes(2 ** g.tg)} granule, stage ${g.stage}, ${g.inputBits} bits${g.half === 'upper' ? ', upper half' : ''}${g.ds ? ', 52-bit form' : ''}`;
}

const DEFECT_WORDS: Readonly<Record<Defect, string>> = {
  stale: 'pages stay stale', over: 'lines too many', warnings: 'warnings', foreign: 'foreign tables entered', beyond: 'entries behind the table',
};

function listTable(rows: readonly ListRow[]): string[] {
  return markdownTable(
    ['list', 'lines touched', 'cleaner', 'verdict', 'line cleans', 'clean calls', 'descriptors looked at', 'walks', 'warnings'],
    rows.flatMap((r) => r.costs.map((c, i) => [
      i === 0 ? r.list.what : '', i === 0 ? count(r.touched) : '', c.cleaner, c.stale === 0 ? 'sound' : `**${count(c.stale)} pages stale**`,
      count(c.lines), count(c.calls), count(c.descriptors), count(c.walks), count(c.warnings),
    ])),
  );
}

function shown(f: Finding, unit = ''): string {
  return f.ranges === 0 ? '-' : `${count(f.ranges)} (${count(f.worst)}${unit})`;
}

function verdict(f: Readonly<Record<Defect, Finding>>): string {
  return f.stale.ranges > 0 ? '**stale**' : 'sound';
}

function totalTable(suite: SuiteSeed2): string[] {
  return markdownTable(
    ['cleaner', 'sound in', 'ranges asked', 'stale ranges', 'with lines too many', 'with warnings', 'with foreign tables', 'behind the table'],
    suite.totals.map((t) => [
      t.cleaner, `${count(t.sound)} of ${count(t.geometries)} geometries`, count(t.ranges), ...(['stale', 'over', 'warnings', 'foreign', 'beyond'] as const).map((d) => (t.findings[d].ranges === 0 ? '-' : count(t.findings[d].ranges))),
    ]),
  );
}

function geometryTable(rows: readonly GeometryRow[]): string[] {
  return markdownTable(
    ['granule', 'half', 'root', 'start level', 'input bits', 'stages', 'verdict', 'ranges', 'stale (pages of 4K)', 'too many (lines)', 'warned (times)', 'foreign (tables)', 'behind (entries)'],
    rows.map((r) => [
      bytes(2 ** r.tg), r.half, r.root, String(r.startLevel), r.inputBits[0] === r.inputBits[1] ? String(r.inputBits[0]) : `${r.inputBits[0]}..${r.inputBits[1]}`, r.stages.join(', '), verdict(r.findings),
      count(r.ranges), shown(r.findings.stale), shown(r.findings.over), shown(r.findings.warnings), shown(r.findings.foreign), shown(r.findings.beyond),
    ]),
  );
}

function everydayTable(rows: readonly EverydayRow[]): string[] {
  const smallest = (r: EverydayRow, d: Defect): string => {
    const range = r.smallest[d];
    return range === undefined ? '-' : rangeText(r.geometry.tg, range);
  };
  return markdownTable(
    ['granule', 'stage', 'input bits', 'root', 'verdict', 'smallest stale range', 'smallest range with lines too many', 'smallest range with warnings'],
    rows.map((r) => [
      bytes(2 ** r.geometry.tg), String(r.geometry.stage), String(r.geometry.inputBits), r.root, verdict(r.findings), smallest(r, 'stale'), smallest(r, 'over'), smallest(r, 'warnings'),
    ]),
  );
}

/** One table of the way, in the numbers of the walk. */
export function stepText(tg: number, s: TableStep): string {
  const unit = 2 ** tg;
  const offset = s.iova % 2 ** (s.kept - tg);
  const sum = `(${address(offset * unit)} + size + ${bytes(2 ** s.shift)} - ${bytes(unit)}) >> ${s.shift}`;
  const size = s.size >= 2 ** (63 - tg) ? `-${bytes((2 ** (64 - tg) - s.size) * unit)}, that is 2^64 less that,` : bytes(s.size * unit);
  const difference = s.end < s.first ? `${s.end} - ${s.first} wraps below 0` : `${s.end} - ${s.first} = ${s.end - s.first}`;
  return `level ${s.level}: size is ${size}; first entry ${s.first}, end ${sum} = ${s.end}, because ${s.kept} address bits are kept${s.kept === s.whole ? '' : ` where the table has ${s.whole}`}; `
    + `${difference}, ${s.left} are left in this table: ${s.count} taken, ${s.needed} needed`;
}

/** What an example shows, in one sentence. */
export function outcome(e: DefectExample): string {
  const { seen } = e;
  switch (e.defect) {
    case 'stale': return `${count(seen.staleFrames)} ${seen.staleFrames === 1 ? 'page' : 'pages'} of 4K cannot be seen by the walker, from ${address((seen.stale?.frame ?? 0) * 4096)} on; ${count(seen.lines)} of ${count(seen.touched)} lines were cleaned`;
    case 'over': return `${count(seen.lines)} lines are cleaned where ${count(seen.touched)} hold leaves of the range`;
    case 'warnings': return `${count(seen.warnings)} ${seen.warnings === 1 ? 'warning' : 'warnings'}, and nothing is wrong with the range`;
    case 'foreign': return `${count(seen.foreign)} ${seen.foreign === 1 ? 'table' : 'tables'} in which nothing of the range stands ${seen.foreign === 1 ? 'is' : 'are'} entered (a page is mapped on both sides of the range)`;
    case 'beyond': return `${count(seen.beyond)} entries behind the last one of the root are read and cleaned: other memory`;
  }
}

export function reason(e: DefectExample): string {
  switch (e.explained.cause) {
    case 'clipped': return 'the root is several tables side by side, and the walk stops at the end of the first one that it comes to';
    case 'mask-short': return 'the end is computed from fewer address bits than the first entry, and comes out too low';
    case 'mask-long': return e.explained.steps.at(-1)?.count === e.explained.steps.at(-1)?.left ? 'the end comes out before the first entry or behind the table, and all entries up to the end of the table are taken' : 'the end is computed from more address bits than the first entry, and comes out too high';
    case 'right': return e.geometry.half === 'upper' ? 'the wrapper wants no address bit above the input size, and in the upper half all of them are set' : 'the walk takes what is needed';
  }
}

function exampleBlock(e: DefectExample): string[] {
  const { tg } = e.geometry;
  return [
    `### ${DEFECT_WORDS[e.defect]}: ${e.geometry.half} half, ${e.root} root${e.explained.cause === 'right' ? '' : `, level ${(e.explained.steps.at(-1)?.level ?? 0) - e.startLevel} below it`}`, '',
    `${geometryText(e.geometry)}, start level ${e.startLevel}: map ${rangeText(tg, e.range)} (${count(e.range.leaves)} ${e.range.leaves === 1 ? 'leaf' : 'leaves'}), then sync-map of the same: ${outcome(e)}.`,
    `Why: ${reason(e)}. So it is in ${count(e.geometries)} geometries.`, '',
    ...e.explained.steps.map((s) => `* ${stepText(tg, s)}`), '',
  ];
}

export function cleaningMarkdown(suite: SuiteSeed2): string {
  return [
    '# Seed 2 in figures', '',
    'What `smmucheck compare --suite seed-2` prints; a test compares this file with it. Seed 2 puts cache cleaning of leaves off until a whole scatter list is mapped and',
    'then walks the range once (`posted-walk`, with every index as the patch computes it). `eager` is what stood before, `range-visitor` and `map-sg` are what reviewers asked for. Lines have',
    '64 bytes, eight descriptors. *Sound*: for each page of the range the walker sees every descriptor on the way as the CPU does; only its view of memory is asked.', '',
    '## Scatter lists', '',
    'Mapped in one call, piece after piece, each piece elsewhere in memory; then the range is synced. Lines of new tables and pointers are the same for all and not counted. Walks are those from the root, of map and sync together.', '',
    ...listTable(suite.lists), '',
    'Where pages come one by one, eager cleans each line eight times, once for each page in it; every deferred way cleans it once. The posted walk keeps that promise and looks at hardly any descriptor, because it',
    'does not look at level 3 at all; but maps still walk from the root for each piece. map-sg walks once for each table and looks at none again. A caller that syncs after each page has nothing from deferring.', '',
    '## Every geometry', '',
    'Each range is mapped into an empty table (and once more with a page mapped on both sides of it) and synced: at each level the first entry, the second, powers of two, the last; lengths of one entry, two, as many as the',
    'start’s index, to the end of the table and beyond; exactly, and a page further out on both sides. Found is only what these ranges show.', '',
    ...totalTable(suite), '',
    '## The posted walk, geometry by geometry', '',
    'A root is *full* when it has as many entries as any table, *short* with fewer, *concatenated* with more (stage 2: several tables side by side). In brackets the most that one range shows.', '',
    ...geometryTable(suite.rows), '',
    'It is right where the root is full and addresses are those of the lower half: there it leaves nothing behind, cleans no line too many, never warns and never leaves the range. It is right as well where a short root is the only table.', '',
    '### Tables that systems have', '',
    ...everydayTable(suite.everyday), '',
    '## What is wrong with it', '',
    'Of each kind and reason the smallest range of all geometries, made smaller until nothing can be left out. Each step is a table on the way, with the numbers of the patch.', '',
    ...suite.examples.flatMap(exampleBlock),
  ].join('\n');
}

export function cleaningDocument(suite: SuiteSeed2): Record<string, unknown> {
  return {
    lists: suite.lists.map((r) => ({ what: r.list.what, pieces: r.list.sizes.length, touched: r.touched, leaves: r.leaves, upkeep: r.upkeep, costs: r.costs })),
    totals: suite.totals, geometries: suite.rows, everyday: suite.everyday,
    examples: suite.examples.map((e) => ({ defect: e.defect, geometry: e.geometry, startLevel: e.startLevel, root: e.root, range: { iova: e.range.first * 2 ** e.geometry.tg, size: e.range.count * 2 ** e.geometry.tg, leaves: e.range.leaves }, cause: e.explained.cause, steps: e.explained.steps, seen: e.seen, geometries: e.geometries })),
  };
}
