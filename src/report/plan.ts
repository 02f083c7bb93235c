/**
 * Plan: the sheets of several planners for one invalidation, side by side, as text and as JSON. Pure. Long lists of commands are cut with
 * their number, in both forms.
 */
import { granulesOf, type PlanSheet, type Span } from '../compare/plan-sheet.js';
import { hex64 } from '../spec/bits.js';
import { describeCommand, encodeCommand, type Command } from '../spec/command.js';
import type { Description } from '../stack/description.js';
import { bytes, columns, count, counted } from './words.js';

/** Commands of one plan that the text shows. */
const SHOWN = 4;

/** A frame as an address, `last`: of its last byte. */
function address(frame: number, last = false): string {
  return `0x${(BigInt(frame) * 4096n + (last ? 4095n : 0n)).toString(16)}`;
}

function spanText(s: Span): string {
  return `${address(s.first)}..${address(s.last, true)}`;
}

/** The levels of a bitmap, deepest first: bit n is level 3 - n. */
function levels(bitmap: number): number[] {
  return [0, 1, 2, 3, 4].filter((n) => (bitmap & (1 << n)) !== 0).map((n) => 3 - n);
}

function bitmapText(name: string, bitmap: number): string {
  const named = levels(bitmap);
  return `${name} 0b${bitmap.toString(2)}${named.length === 0 ? '' : ` (level ${named.join(', ')})`}`;
}

/** A command without opcode and tag, which every SMMU has its own of. */
function payloadText(c: Command): string {
  const text = describeCommand(c);
  return text.slice(text.indexOf(' va ') + 1);
}

function reachText(s: PlanSheet): string {
  if (s.whole) return 'the whole tag';
  return s.reach === null ? 'nothing' : s.commands.every((c) => c.tg === 0) ? `entries at ${s.count === 1 ? address(s.reach.first) : `${address(s.reach.first)} .. ${address(s.reach.last)}`}` : spanText(s.reach);
}

/** What is invalidated too much, as a share of what was asked. */
function beyondText(s: PlanSheet, granules: number): string {
  if (s.whole) return 'everything';
  return s.beyond === 0 ? '0' : `${count(s.beyond)} (${((s.beyond / granules) * 100).toFixed(2)} %)`;
}

function sameCommands(a: PlanSheet, b: PlanSheet): boolean {
  return a.whole === b.whole && a.count === b.count && a.reach?.last === b.reach?.last && a.commands.every((c, i) => payloadText(c) === payloadText(b.commands[i] as Command));
}

/** The commands of one plan, or the planner above that plans the same. */
function commandLines(s: PlanSheet, above: readonly PlanSheet[]): string[] {
  if (s.whole) return ['the tag’s own command'];
  const twin = above.find((a) => sameCommands(a, s));
  if (twin !== undefined) return [`as ${twin.planner}`];
  const shown = s.commands.length > SHOWN + 1 ? s.commands.slice(0, SHOWN) : s.commands;
  return [...shown.map(payloadText), ...(shown.length < s.count ? [`… and ${counted(s.count - shown.length, 'more command', 'more commands')}`] : [])];
}

/** The lines of one plan: the first carries all columns, the others one command each. */
function sheetRows(s: PlanSheet, above: readonly PlanSheet[], granules: number): string[][] {
  const lines = commandLines(s, above);
  const first = [s.planner, s.whole ? 'whole tag' : count(s.count), lines[0] ?? '-', reachText(s), beyondText(s, granules), s.wrong === null ? 'ok' : `WRONG: ${s.wrong}`];
  return [first, ...lines.slice(1).map((line) => ['', '', line])];
}

/** One table for each kind of SMMU that was asked for. */
export function planBlock(d: Description, sheets: readonly PlanSheet[]): string {
  const granules = granulesOf(d);
  const title = `${spanText(d)}: ${counted(granules, 'granule')} of ${bytes(2 ** d.tg)}, ${bitmapText('leaves', d.leaves)}, ${bitmapText('tables', d.tables)}`;
  const kinds = [true, false].filter((range) => sheets.some((s) => s.range === range));
  return [title, ...kinds.flatMap((range) => {
    const own = sheets.filter((s) => s.range === range);
    const rows = [['planner', 'commands', 'of these', 'reach', 'beyond', 'verdict'], ...own.flatMap((s, i) => sheetRows(s, own.slice(0, i), granules))];
    return ['', `${range ? 'with' : 'without'} range invalidation${own[0]?.ds === true && range ? ' and DS' : ''}`, ...columns(rows, [1]).map((l) => `  ${l}`)];
  })].join('\n');
}

function commandDocument(c: Command): Record<string, unknown> {
  const words = new Uint32Array(4);
  encodeCommand(c, words);
  return {
    address: address(c.frame), tg: c.tg, num: c.num, scale: c.scale, ttl: c.ttl, leaf: c.leaf,
    words: [hex64((words[0] as number) & ~0xff, words[1] as number), hex64(words[2] as number, words[3] as number)],
  };
}

/** `words`: the payload without opcode and tag. `commands` holds the first LISTED of `count`. */
export function planDocument(d: Description, sheets: readonly PlanSheet[]): Record<string, unknown> {
  return {
    description: { first: address(d.first), last: address(d.last, true), granules: granulesOf(d), tg: 2 ** d.tg, leaves: d.leaves, tables: d.tables },
    plans: sheets.map((s) => ({
      planner: s.planner, range: s.range, ds: s.ds, whole: s.whole, count: s.count,
      reach: s.reach === null ? null : { first: address(s.reach.first), last: address(s.reach.last, true) },
      beyond: s.whole ? null : s.beyond, wrong: s.wrong, commands: s.commands.map(commandDocument),
    })),
  };
}
