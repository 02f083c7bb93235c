/** From a violation to a case: the operations of its domain, which a right driver passes and the same mistake in ours does not. */
import { join } from 'node:path';
import test from 'ava';
import { extractCase } from '../../src/captures/extract.js';
import { importCapture } from '../../src/captures/to-case.js';
import { replay } from '../../src/lockstep/replay.js';
import { decodeStored, encodeStored } from '../../src/operations/stored.js';
import { ROOT } from '../cli/program.js';

const BUG = join(ROOT, 'test/trace/recordings/linux-bug-no-tlbi-7.2.jsonl.gz');
const V = { rule: 'stale-translation' as const, cause: 'a level 2 leaf outlives its unmap', line: 283 };

test('the part around the violation: one domain, up to the call that should have completed it', async (t) => {
  const { case: whole } = await importCapture(BUG, {}, V.line);
  const c = extractCase(whole, V);
  t.deepEqual(c?.operations.map((o) => o.op), ['attach', 'attach', 'attach', 'map', 'unmap', 'sync']);
  t.deepEqual(c?.operations[4], { op: 'unmap', domain: 0, iova: 0x200000, size: 0x200000 });
  t.is(c?.provenance['line'], 283);
  t.false(c !== null && 'observed' in c);
  if (c === null) return;
  t.deepEqual(decodeStored(encodeStored(c), 'x'), c);
  t.is(replay(c.world, c.operations, {}).violation, null);
  const wrong = replay(c.world, c.operations, { mutant: 'missing-tlbi' }).violation;
  t.is(wrong?.rule, V.rule);
  t.is(wrong?.cause, V.cause);
});

test('a beginning that asks nothing of a domain is no case', async (t) => {
  const { case: whole } = await importCapture(BUG, {}, 34);
  t.is(extractCase(whole, V), null);
});
