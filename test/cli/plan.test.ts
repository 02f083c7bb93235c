/** plan: every planner's commands for one invalidation, and what is refused. */
import test from 'ava';
import { parseOptions } from '../../src/cli/options.js';
import { Output } from '../../src/cli/output.js';
import { UsageError } from '../../src/cli/exit.js';
import { verb } from '../../src/cli/plan.js';
import { PLANNERS } from '../../src/parts/planners.js';
import { document, run } from './program.js';

/** Prints nothing as long as the verb does not get as far as a result. */
const OUT = new Output(true);

const WRONG: readonly (readonly [string, RegExp])[] = [
  ['plan', /plan needs the first and the last byte/],
  ['plan 0', /plan needs the first and the last byte/],
  ['plan 0 0xfff 1', /plan takes at most 2 operands, but got 3/],
  ['plan zero 0xfff --leaf 1', /the start "zero" is not a 64-bit address/],
  ['plan 0 0x1ffffffffffffffff --leaf 1', /the last byte "0x1f+" is not a 64-bit address/],
  ['plan 0x800 0xfff --leaf 1', /the start 0x800 is not the first byte of a 4K granule/],
  ['plan 0 0x1000 --leaf 1', /the last byte 0x1000 is not the last of a 4K granule, such as 0x1fff: last is inclusive/],
  ['plan 0 0xfff --leaf 1 --tg 64K', /the last byte 0xfff is not the last of a 64K granule, such as 0xffff/],
  ['plan 0x2000 0x1fff --leaf 1', /the last byte 0x1fff lies before the start 0x2000/],
  ['plan 0 0xfff', /nothing was changed: give --leaf or --table/],
  ['plan 0 0xfff --leaf 3,2', /option --leaf must be a bitmap from 0 to 0b11111, in which bit n is level 3 - n, not "3,2"/],
  ['plan 0 0xfff --leaf 32', /option --leaf must be a bitmap/],
  ['plan 0 0xfff --leaf 0b1000', /option --leaf names level 0, at which 4K tables have no leaves \(without DS\)/],
  ['plan 0 0x3fff --leaf 0b100 --tg 16K', /option --leaf names level 1, at which 16K tables have no leaves \(without DS\)/],
  ['plan 0 0xfff --table 1', /option --table names level 3, at which 4K tables have no table descriptors/],
  ['plan 0 0xfff --table 0b10000', /option --table names level -1/],
  ['plan 0 0xffff --table 0b1000 --tg 64K', /option --table names level 0, at which 64K tables have no table descriptors/],
  ['plan 0 0xfff --leaf 1 --tg 8K', /option --tg must be 4K, 16K or 64K, not "8K"/],
  ['plan 0 0xfff --leaf 1 --range --no-range', /--range and --no-range exclude each other/],
];

test('what is no invalidation is refused in one sentence', async (t) => {
  for (const [line, message] of WRONG) {
    const error = await t.throwsAsync(async () => verb.run(parseOptions(verb.spec, line.split(' ').slice(1)), OUT), { message }, line);
    t.true(error instanceof UsageError, line);
  }
});

test('33 pages: one command that reaches one page too far, and the exact ones beside it', async (t) => {
  const e = await run(['plan', '0', '0x20fff', '--leaf', '0b1', '--range']);
  t.is(e.code, 0);
  t.deepEqual(e.stdout.trimEnd().split('\n'), [
    '0x0..0x20fff: 33 granules of 4K, leaves 0b1 (level 3), tables 0b0', '',
    'with range invalidation',
    '  planner             commands  of these                                                reach                      beyond      verdict',
    '  per-granule               33  va 0x0 leaf                                             entries at 0x0 .. 0x20000  0           ok',
    '                                va 0x1000 leaf',
    '                                va 0x2000 leaf',
    '                                va 0x3000 leaf',
    '                                … and 29 more commands',
    '  exact-ranges               2  va 0x0 tg 4K num 0 scale 0 ttl 3 (1 granules) leaf      0x0..0x20fff               0           ok',
    '                                va 0x1000 tg 4K num 0 scale 5 ttl 3 (32 granules) leaf',
    '  single-range               1  va 0x0 tg 4K num 16 scale 1 ttl 3 (34 granules) leaf    0x0..0x21fff               1 (3.03 %)  ok',
    '  double-range               2  va 0x0 tg 4K num 15 scale 1 ttl 3 (32 granules) leaf    0x0..0x20fff               0           ok',
    '                                va 0x20000 tg 4K num 0 scale 0 ttl 3 (1 granules) leaf',
    '  double-range-cont          2  as double-range                                         0x0..0x20fff               0           ok',
    '  whole-tag          whole tag  the tag’s own command                                   the whole tag              everything  ok',
  ]);
});

test('without the choice both kinds of SMMU are shown', async (t) => {
  const e = await run(['plan', '0x200000', '4194303', '--table', '2', '--json']);
  t.is(e.code, 0);
  const found = document(e) as { verdict: string; description: unknown; plans: { planner: string; range: boolean; count: number; whole: boolean; commands: unknown[] }[] };
  t.is(found.verdict, 'ok');
  t.deepEqual(found.description, { first: '0x200000', last: '0x3fffff', granules: 512, tg: 4096, leaves: 0, tables: 2 });
  t.deepEqual(found.plans.map((p) => [p.planner, p.range]), [true, false].flatMap((range) => PLANNERS.map((p) => [p.name, range])));
  t.deepEqual(found.plans.filter((p) => p.planner === 'single-range').map((p) => p.commands), [
    [{ address: '0x200000', tg: 1, num: 31, scale: 4, ttl: 3, leaf: 0, words: ['0x41f000', '0x200700'] }],
    [{ address: '0x200000', tg: 0, num: 0, scale: 0, ttl: 0, leaf: 0, words: ['0x0', '0x200000'] }],
  ]);
  t.deepEqual(found.plans.map((p) => p.count), [512, 1, 1, 1, 1, 0, 512, 0, 1, 1, 1, 0]);
});

test('DS makes longer ranges and level 0 leaves', async (t) => {
  const e = await run(['plan', '0', '0x1000000000fff', '--leaf', '1', '--ds', '--range', '--json']);
  const { plans } = document(e) as { plans: { planner: string; count: number; whole: boolean }[] };
  t.deepEqual(plans.filter((p) => p.planner === 'single-range').map((p) => [p.whole, p.count]), [[false, 1]]);
  t.is((await run(['plan', '0', '0x7fffffffff', '--leaf', '0b1000', '--ds'])).code, 0);
});

test('the whole 64-bit space is the whole tag for everyone', async (t) => {
  const e = await run(['plan', '0', '0xffffffffffffffff', '--leaf', '1', '--json']);
  t.is(e.code, 0);
  const { plans } = document(e) as { plans: { whole: boolean }[] };
  t.true(plans.every((p) => p.whole));
});

test('with the erratum two ranges that cut a run are wrong: exit 1, and said in their row', async (t) => {
  const e = await run(['plan', '0x1000', '0x2ffff', '--leaf', '1', '--range', '--whole-runs']);
  t.is(e.code, 1);
  const verdict = (planner: string): string | undefined => new RegExp(`^ {2}${planner} .*(ok|WRONG: .*)$`, 'm').exec(e.stdout)?.[1];
  t.deepEqual(['exact-ranges', 'single-range', 'double-range', 'double-range-cont'].map(verdict), [
    'ok', 'ok', 'WRONG: the level 3 run at 0x20000 is not whole in one range', 'ok',
  ]);
  t.is((await run(['plan', '0x1000', '0x2ffff', '--leaf', '1', '--range'])).code, 0);
});
