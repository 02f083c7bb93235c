/**
 * The two machines hold each other: a recording that the stage-1 machine judges gets the same findings, line by line, on the whole one, whose facts, matching,
 * justification and duties are other code. Honest, sabotaged, and with commands taken out or changed in many places.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CaptureError } from '../../src/captures/read.js';
import type { Recorded } from '../../src/captures/recorded.js';
import { RandomChooser, type Chooser } from '../../src/stack/chooser.js';
import { noCommand } from '../../src/trace/damage.js';
import { linesOf } from '../../src/trace/mutate.js';
import { onePass } from '../../src/trace/run.js';
import type { MachineKind } from '../../src/trace/weakest.js';
import { ROOT } from '../cli/program.js';

const HERE = join(ROOT, 'test/trace/recordings');
const SHARED = join(ROOT, '../shared/captures');

type Change = (r: Recorded) => readonly Recorded[];

/** What contradicts itself does so on both. */
async function verdicts(path: string, machine: MachineKind, o: { readonly lines?: readonly Recorded[]; readonly change?: Change } = {}): Promise<unknown> {
  try {
    return await judged(path, machine, o);
  } catch (error) {
    if (error instanceof CaptureError) return error.message;
    throw error;
  }
}

async function judged(path: string, machine: MachineKind, o: { readonly lines?: readonly Recorded[]; readonly change?: Change } = {}): Promise<unknown> {
  const { result, needsWhole } = await onePass(path, { machine, ...o });
  return { needsWhole, verdict: result.verdict, accesses: result.accesses, findings: [...new Set(result.findings.map((f) => `${f.line} ${f.how} ${f.rule}`))], doubts: result.doubts.map((d) => d.line) };
}

async function agree(t: ExecutionContext, path: string, o: () => { readonly lines?: readonly Recorded[]; readonly change?: Change }, what: string): Promise<boolean> {
  const fast = await verdicts(path, 'stage1', o());
  if ((fast as { needsWhole?: boolean }).needsWhole === true) return false; // the whole machine alone
  t.deepEqual(await verdicts(path, 'whole', o()), fast, what);
  return (fast as { verdict: string }).verdict === 'violation';
}

/** One thing taken out or changed: a command, one bit of a command, or a store. */
function damaged(lines: readonly Recorded[], c: Chooser): { readonly change: Change; readonly what: string } {
  const how = c.index(5);
  const stores = how === 4;
  const all = lines.filter((r) => (stores ? r.what.kind === 'store' || r.what.kind === 'fill' : r.what.kind === 'cmd' && r.what.raw !== null));
  const target = all[c.index(all.length)] as Recorded;
  const what = `line ${target.line} (${target.name}), ${how}`;
  if (target.what.kind !== 'cmd' || target.what.raw === null) return { what, change: (r) => (r === target ? [] : [r]) };
  const { idx } = target.what;
  const raw = [...target.what.raw];
  const half = c.index(4);
  raw[half] = ((raw[half] as number) ^ 2 ** c.index(32)) >>> 0;
  const put: Recorded = how < 2 ? { ...target, what: { ...target.what, raw, op: 'changed' } } : noCommand(target);
  let taken = false;
  return {
    what,
    change: (r) => {
      if (r === target) return [put];
      if (taken || r.line < target.line || r.what.kind !== 'take' || r.what.idx !== idx) return [r];
      taken = true;
      return [];
    },
  };
}

for (const name of ['mini', 'vfio', 'bug-no-tlbi']) {
  test(`${name}: the same on both machines`, async (t) => { await agree(t, join(HERE, `linux-${name}-7.2.jsonl.gz`), () => ({}), name); });
}

for (const name of ['linux-full-6.12', 'linux-lazy-7.2', 'linux-ftrace-7.2']) {
  const path = join(SHARED, `${name}.jsonl.gz`);
  (existsSync(path) ? test : test.skip)(`${name}: the same on both machines`, async (t) => { await agree(t, path, () => ({}), name); });
}

test('damaged in many places: the same findings at the same lines', async (t) => {
  let convicted = 0;
  for (const [name, runs] of [['vfio', 40], ['mini', 4]] as const) {
    const path = join(HERE, `linux-${name}-7.2.jsonl.gz`);
    const lines = await linesOf(path);
    for (let i = 0; i < runs; i += 1) {
      const { what } = damaged(lines, new RandomChooser(`${name} ${i}`));
      if (await agree(t, path, () => ({ lines, change: damaged(lines, new RandomChooser(`${name} ${i}`)).change }), `${name} ${i}: ${what}`)) convicted += 1;
    }
  }
  t.true(convicted > 20, `${convicted}`);
});
