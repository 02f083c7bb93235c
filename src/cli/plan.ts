/**
 * plan: the commands that every planner issues for one invalidation, decoded, side by side.
 */
import { planSheet, type PlanSheet } from '../compare/plan-sheet.js';
import { PLANNERS } from '../parts/planners.js';
import { planBlock, planDocument } from '../report/plan.js';
import { leafAllowed, type Tg } from '../spec/granule.js';
import { newDescription, type Description } from '../stack/description.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Parsed, VerbSpec } from './options.js';
import type { Output } from './output.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'plan', operands: 2,
  usage: ['plan <start> <last> --leaf BITS [--table BITS] [--tg 4K|16K|64K] [--ds] [--whole-runs] [--range|--no-range]'],
  about: [
    'What every planner makes of one invalidation: its commands without opcode and tag, what they reach, how many granules that is beyond the',
    'range, and the verdict: is every named leaf and table reached, every command legal, the planner’s promise kept.',
    'The first and last byte are hexadecimal (0x…) or decimal, last inclusive, whole granules. In both bitmaps bit n stands for level 3 - n.',
    'Exit 1 when a plan is wrong. Gathers hold whole entries; a range that cuts one may be more than the classic loop (exact-ranges) was made for.',
    'Text shows the first commands of a long list and counts the others; JSON holds up to 512 of each plan.',
  ],
  options: [
    { name: 'leaf', value: 'BITS', about: 'levels at which leaves were changed: 0b1 or 1 is level 3 (pages), 0b10 level 2, 0b11 both; default 0' },
    { name: 'table', value: 'BITS', about: 'levels at which a table descriptor was removed: 0b10 is level 2, which led to a table of pages; default 0' },
    { name: 'tg', value: 'SIZE', about: 'granule of the tables: 4K (default), 16K or 64K' },
    { name: 'ds', about: 'the SMMU has IDR5.DS: SCALE up to 39, TTL = 1 with 16K' },
    { name: 'whole-runs', about: 'the SMMU has the erratum by which a contiguous run goes only when one range covers all of it' },
    { name: 'range', about: 'only on an SMMU with range invalidation' },
    { name: 'no-range', about: 'only on an SMMU without it' },
  ],
};

const GRANULES: Readonly<Record<string, Tg>> = { '4K': 12, '16K': 14, '64K': 16 };
const TOP = 2n ** 64n - 1n;

function number(text: string): bigint | undefined {
  return /^(0x[0-9a-f]+|0b[01]+|\d+)$/i.test(text) && text.length <= 66 ? BigInt(text) : undefined;
}

function byteAddress(text: string, what: string): bigint {
  const value = number(text);
  if (value === undefined || value > TOP) throw new UsageError(`the ${what} "${text}" is not a 64-bit address such as 0x1000 or 4096`);
  return value;
}

function granule(p: Parsed): Tg {
  const text = p.values.get('tg') ?? '4K';
  const tg = GRANULES[text.toUpperCase()];
  if (tg === undefined) throw new UsageError(`option --tg must be 4K, 16K or 64K, not "${text}"`);
  return tg;
}

function bitmap(p: Parsed, name: 'leaf' | 'table'): number {
  const text = p.values.get(name) ?? '0';
  const value = number(text);
  if (value === undefined || value > 31n) throw new UsageError(`option --${name} must be a bitmap from 0 to 0b11111, in which bit n is level 3 - n, not "${text}"`);
  return Number(value);
}

/** Refuses levels at which the architecture has no such entry. */
function checkLevels(p: Parsed, d: Description): void {
  const ds = p.values.has('ds');
  const size = `${2 ** (d.tg - 10)}K`;
  const top = d.tg === 16 ? 1 : d.tg === 12 && ds ? -1 : 0;
  for (let n = 0; n <= 4; n += 1) {
    const level = 3 - n;
    if ((d.leaves & (1 << n)) !== 0 && !leafAllowed(d.tg, level, ds, true)) throw new UsageError(`option --leaf names level ${level}, at which ${size} tables have no leaves${ds ? '' : ' (without DS)'}`);
    if ((d.tables & (1 << n)) !== 0 && (n === 0 || level < top)) throw new UsageError(`option --table names level ${level}, at which ${size} tables have no table descriptors`);
  }
}

function description(p: Parsed): Description {
  const [startText, lastText] = p.operands;
  if (startText === undefined || lastText === undefined) throw new UsageError('plan needs the first and the last byte of the range, such as: plan 0x1000 0x20fff --leaf 1');
  const start = byteAddress(startText, 'start');
  const last = byteAddress(lastText, 'last byte');
  const tg = granule(p);
  const size = 1n << BigInt(tg);
  const unit = `${2 ** (tg - 10)}K`;
  if (start % size !== 0n) throw new UsageError(`the start ${startText} is not the first byte of a ${unit} granule`);
  if ((last + 1n) % size !== 0n) throw new UsageError(`the last byte ${lastText} is not the last of a ${unit} granule, such as 0x${(last - (last % size) + size - 1n).toString(16)}: last is inclusive`);
  if (last < start) throw new UsageError(`the last byte ${lastText} lies before the start ${startText}`);
  const d = { ...newDescription(), tg, first: Number(start / 4096n), last: Number(last / 4096n), leaves: bitmap(p, 'leaf'), tables: bitmap(p, 'table') };
  if (d.leaves === 0 && d.tables === 0) throw new UsageError('nothing was changed: give --leaf or --table, such as --leaf 0b1');
  checkLevels(p, d);
  return d;
}

function sheets(p: Parsed, d: Description): PlanSheet[] {
  if (p.values.has('range') && p.values.has('no-range')) throw new UsageError('options --range and --no-range exclude each other');
  const kinds = p.values.has('range') ? [true] : p.values.has('no-range') ? [false] : [true, false];
  return kinds.flatMap((range) => PLANNERS.map((planner) => planSheet(planner, d, { range, ds: p.values.has('ds') }, p.values.has('whole-runs'))));
}

function run(p: Parsed, out: Output): ExitCode {
  const d = description(p);
  const plans = sheets(p, d);
  const verdict = plans.every((s) => s.wrong === null) ? 'ok' : 'violation';
  out.print(planBlock(d, plans));
  out.document({ schema: 1, verb: 'plan', verdict, ...planDocument(d, plans), timing: {} });
  return verdict === 'ok' ? EXIT.ok : EXIT.violation;
}

export const verb: Verb = { spec, run };
