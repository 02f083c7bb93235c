/**
 * The recordings of real kernels: honest ones show no violation and only permitted answers, the sabotaged one is convicted with the right unmap named.
 * Three small ones stand beside this file (56 KB); the large ones are judged where they are to be had.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { traceRecording } from '../../src/trace/run.js';
import { ROOT } from '../cli/program.js';

const HERE = join(ROOT, 'test/trace/recordings');
const SHARED = join(ROOT, '../shared/captures');

async function honest(t: ExecutionContext, path: string, accesses: number): Promise<void> {
  const { result, choices } = await traceRecording(path);
  t.deepEqual(result.findings, []);
  t.deepEqual(result.doubts, []);
  t.deepEqual(result.unknown, {});
  t.deepEqual(result.accesses, { seen: accesses, permitted: accesses, reordered: 0, skipped: 0 });
  t.is(choices, 0);
}

test('mini and vfio are clean, and every translation is permitted', async (t) => {
  await honest(t, join(HERE, 'linux-mini-7.2.jsonl.gz'), 839);
  await honest(t, join(HERE, 'linux-vfio-7.2.jsonl.gz'), 35);
});

test('the driver with a patched-out invalidation is convicted: the first unmap that lacks it is named, and its TLBI', async (t) => {
  const { result, explained } = await traceRecording(join(HERE, 'linux-bug-no-tlbi-7.2.jsonl.gz'));
  t.is(result.verdict, 'violation');
  const [first] = result.findings;
  t.is(first?.rule, 'stale-translation');
  t.is(first?.line, 283);
  t.is(first?.at, 'return of arm_smmu_iotlb_sync (called at line 282)');
  t.deepEqual(first?.from, { line: 278, text: 'unmap of 0x200000 +0x200000' });
  t.is(explained[0]?.verified, 'TLBI_NH_VA vmid 0 asid 3 va 0x200000 leaf and a CMD_SYNC in front of line 283');
  t.deepEqual(explained[0]?.steps.map((s) => s.line), [278, 279]);
  t.deepEqual(result.findings.filter((f) => f.how === 'proof').map((f) => f.line), [287, 288, 347, 348, 349, 620 + 1]);
});

for (const [name, accesses] of [['linux-full-6.12', 3495], ['linux-lazy-7.2', 3454]] as const) {
  const path = join(SHARED, `${name}.jsonl.gz`);
  (existsSync(path) ? test : test.skip)(`${name} is clean`, (t) => honest(t, path, accesses));
}
