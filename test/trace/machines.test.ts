/**
 * The two machines hold each other: a recording that the stage-1 machine judges gets the same findings, line by line, on the whole one, whose facts, matching,
 * justification and duties are other code. Honest, sabotaged, and with commands taken out or changed in many places.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
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

async function verdicts(path: string, machine: MachineKind, o: { readonly lines?: readonly Recorded[]; readonly change?: Change } = {}): Promise<unknown> {
  const { result, needsWhole } = await onePass(path, { machine, ...o });
  return { needsWhole, verdict: result.verdict, accesses: result.accesses, findings: [...new Set(result.findings.map((f) => `${f.line} ${f.how} ${f.rule}`))], doubts: result.doubts.map((d) => d.line) };
}

async function agree(t: ExecutionContext, path: string, o: () => { readonly lines?: readonly Recorded[]; readonly change?: Change }, what: string): Promise<boolean> {
  const fast = await verdicts(path, 'stage1', o());
  t.deepEqual(await verdicts(path, 'whole', o()), fast, what);
  return (fast as { verdict: string }).verdict === 'violation';
}

/** Commands that do something, taken out; or with another ASID, VMID, address or Leaf. */
function damaged(lines: readonly Recorded[], c: Chooser): { readonly change: Change; readonly what: string } {
  const commands = lines.filter((r) => r.what.kind === 'cmd' && r.what.raw !== null && r.what.op !== 'SYNC');
  const target = commands[c.index(commands.length)] as Recorded;
  const how = c.index(4);
  const raw = target.what.kind === 'cmd' ? [...(target.what.raw ?? [])] : [];
  if (how === 1) raw[1] = ((raw[1] as number) ^ 0x10000) >>> 0;
  if (how === 2) raw[2] = ((raw[2] as number) ^ 1) >>> 0;
  if (how === 3) raw[3] = ((raw[3] as number) ^ 1) >>> 0;
  const legal = target.what.kind === 'cmd' && /^TLBI_NH_(VA|ASID)$/.test(target.what.op);
  const put = how === 0 || !legal ? noCommand(target) : { ...target, what: { ...target.what, raw } } as Recorded;
  let taken = false;
  return {
    what: `line ${target.line}, ${how}`,
    change: (r) => {
      if (r === target) return [put];
      if (put.what.kind === 'cmd' && put.what.op === 'PREFETCH_CONFIG' && !taken && r.line > target.line && r.what.kind === 'take' && target.what.kind === 'cmd' && r.what.idx === target.what.idx) { taken = true; return []; }
      return [r];
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
