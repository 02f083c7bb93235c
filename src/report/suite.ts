/**
 * Suite: the tables of `compare --suite seed-0`, as Markdown (which corpus/tables/seed-0.md holds) and as JSON. Pure.
 */
import type { PlanSheet } from '../compare/plan-sheet.js';
import { SUITE_PLANNERS, type Excess, type ExcessFigures, type SceneRow, type SuiteSeed0 } from '../compare/suite-seed0.js';
import { count } from './words.js';

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`, ...rows.map(line)];
}

/** A share in per cent, cut off and not rounded: what stays below a bound is not printed as the bound. From ten on as a factor. */
function share(x: number): string {
  return x >= 10 ? `${count(x)} times` : `${(Math.floor(x * 1e5) / 1e3).toFixed(3)} %`;
}

/** Commands, the hint when there is one, and what is removed too much. */
function cell(s: PlanSheet): string {
  if (s.whole) return 'whole tag';
  const hint = s.commands.length > 0 && s.commands.every((c) => c.tg !== 0 && c.ttl === s.commands[0]?.ttl) ? s.commands[0]?.ttl ?? 0 : 0;
  return `${count(s.count)}${hint === 0 ? '' : `, TTL ${hint}`}${s.beyond === 0 ? '' : `, +${count(s.beyond)}`}`;
}

function sceneTable(rows: readonly SceneRow[], pick: (r: SceneRow) => readonly PlanSheet[], power: boolean): string[] {
  const head = ['invalidation', 'granules', ...SUITE_PLANNERS.map((name, i) => `${name} (${i < 2 ? 'old' : 'new'})`), ...(power ? ['one aligned power of two'] : [])];
  return markdownTable(head, rows.map((r) => [
    r.what, count(r.granules), ...pick(r).map(cell), ...(power ? [r.powerBeyond === 0 ? '1' : `1, +${count(r.powerBeyond)}`] : []),
  ]));
}

function worst(f: ExcessFigures): string {
  return `${share(f.worst)} (${count(f.worstAt[1])} from ${count(f.worstAt[0])})`;
}

function excessTable(rows: readonly Excess[]): string[] {
  return markdownTable(
    ['ranges', 'number', 'single-range: of all', 'single-range: worst', 'power of two: of all', 'power of two: worst'],
    rows.map((r) => [r.what, count(r.ranges), share(r.single.overall), worst(r.single), share(r.power.overall), worst(r.power)]),
  );
}

export function suiteMarkdown(suite: SuiteSeed0): string {
  return [
    '# Seed 0 in figures', '',
    'What `smmucheck compare --suite seed-0` prints; a test compares this file with it. 4K granules. A cell counts the commands of one invalidation for',
    'one tag, without its CMD_SYNC; `TTL n` is the level hint that all of them carry; `+n` the granules that are invalidated beyond the range.',
    '`per-granule` and `exact-ranges` are the expansions before seed 0, `single-range` is seed 0, `double-range` its later revision.', '',
    '## Commands, with range invalidation', '',
    ...sceneTable(suite.scenes, (r) => r.withRange, true), '',
    'A cover of one aligned power of two is what AMD and VT-d commands can say.', '',
    '## Commands, without range invalidation', '',
    ...sceneTable(suite.scenes, (r) => r.withoutRange, false), '',
    'A command without TG removes every entry that holds its address: one is enough for an emptied table, not for a table whose leaves were still there.', '',
    '## Invalidated too much, by one command', '',
    'As a share of what was asked for: all ranges together, and the worst of them with its length and start in granules.', '',
    ...excessTable(suite.excess), '',
    'Single-range cannot do worse for any other length: its unit is 2^SCALE granules, it is used from 16 units and one granule on (below 32 granules the',
    'unit is one granule), and it reaches at most a unit less one granule too far: always less than a sixteenth, 6.25 %. Alignment does not matter to it.',
    'A power of two has no bound: two granules on both sides of a large boundary cost everything around it.', '',
  ].join('\n');
}

function sheetDocument(s: PlanSheet): Record<string, unknown> {
  return { planner: s.planner, whole: s.whole, commands: s.count, beyond: s.whole ? null : s.beyond };
}

export function suiteDocument(suite: SuiteSeed0): Record<string, unknown> {
  return {
    scenes: suite.scenes.map((r) => ({ what: r.what, granules: r.granules, withRange: r.withRange.map(sheetDocument), withoutRange: r.withoutRange.map(sheetDocument), powerBeyond: r.powerBeyond })),
    excess: suite.excess,
  };
}
