/** The same recording planned by another planner: verdict and cost. */
import { join } from 'node:path';
import test from 'ava';
import { OP, newCommand, type Command } from '../../src/spec/command.js';
import { PLANNERS } from '../../src/parts/planners.js';
import { WHOLE_TAG, type Planner } from '../../src/stack/planner.js';
import { described, whatIf } from '../../src/trace/what-if.js';
import { ROOT } from '../cli/program.js';

const MINI = join(ROOT, 'test/trace/recordings/linux-mini-7.2.jsonl.gz');
const VFIO = join(ROOT, 'test/trace/recordings/linux-vfio-7.2.jsonl.gz');

function planner(name: string): Planner {
  return PLANNERS.find((p) => p.name === name) as Planner;
}

test('every planner is right on real workloads, with and without range invalidation', async (t) => {
  for (const p of PLANNERS) for (const range of [true, false]) for (const path of [MINI, VFIO]) t.is((await whatIf(path, p, range)).verdict, 'ok', `${p.name} ${range}`);
});

test('what it would have cost', async (t) => {
  const recorded = await whatIf(MINI, null, true);
  t.deepEqual([recorded.commands, recorded.pages, recorded.most, recorded.batches], [46, 162, 1, 46]);
  const single = await whatIf(MINI, planner('single-range'), true);
  t.deepEqual([single.commands, single.pages], [46, 162]);
  const each = await whatIf(MINI, planner('per-granule'), true);
  t.deepEqual([each.commands, each.pages, each.most], [162, 162, 32]);
  const whole = await whatIf(MINI, planner('whole-tag'), true);
  t.deepEqual([whole.commands, whole.wholeTag], [0, 46]);
});

test('a wrong planner is convicted by the recording', async (t) => {
  const half: Planner = { name: 'half', about: '', room: 512, plan: (d, f, out) => {
    const n = planner('per-granule').plan({ ...d, last: d.first + Math.floor((d.last - d.first) / 2) }, f, out);
    return n === WHOLE_TAG ? 0 : n;
  } };
  const r = await whatIf(MINI, half, true);
  t.is(r.verdict, 'violation');
  t.regex(r.first, /^line \d+: the SMMU may still hold/);
});

test('what a batch was for', (t) => {
  const c = (x: Partial<Command>): Command => ({ ...newCommand(), op: OP.TLBI_NH_VA, asid: 1, ...x });
  const of = (...commands: Command[]): unknown => { const d = described(commands); return [d.first, d.last, d.leaves, d.tables]; };
  t.deepEqual(of(c({ frame: 4, leaf: 1, tg: 1, num: 3, ttl: 3 })), [4, 7, 1, 0]);
  t.deepEqual(of(c({ frame: 512, leaf: 1, tg: 1, scale: 9, ttl: 2 })), [512, 1023, 2, 0]);
  t.deepEqual(of(c({ frame: 512, tg: 1, scale: 9 })), [512, 1023, 0, 2]);
  t.deepEqual(of(c({ frame: 0, tg: 1, scale: 18 })), [0, 262143, 0, 4]);
  t.deepEqual(of(c({ frame: 512, leaf: 1 })), [512, 512, 7, 0]);
  t.deepEqual(of(c({ frame: 512 })), [512, 1023, 0, 2]);
});
