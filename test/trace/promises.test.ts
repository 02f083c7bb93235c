/** The second bookkeeping of what was promised says of every stale leaf, at every return, what the judge's own says; and it notices what the judge forgets. */
import { join } from 'node:path';
import test from 'ava';
import { leafFrame, leafWritable } from '../../src/spec/descriptor.js';
import { entryFrames } from '../../src/reference/stage1/facts.js';
import type { Judge } from '../../src/trace/judge.js';
import { Life } from '../../src/trace/intent.js';
import { linesOf, mutate } from '../../src/trace/mutate.js';
import { Promises } from '../../src/trace/promises.js';
import { overdue } from '../../src/trace/pursue.js';
import { onePass } from '../../src/trace/run.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { ROOT } from '../cli/program.js';

const HERE = join(ROOT, 'test/trace/recordings');
const PAGE = 4096;

for (const name of ['mini', 'vfio', 'bug-no-tlbi']) {
  test(`${name}: both say the same of every stale leaf`, async (t) => {
    const promises = new Promises();
    let asked = 0;
    let due = 0;
    const compare = (judge: Judge, line: number): void => {
      for (const regime of judge.machine.reference?.regimes ?? []) {
        const life = judge.lives.numbered(regime.domain);
        if (life === undefined || !life.alive || regime.supports.length === 0) continue;
        for (const leaf of regime.leafRecs) {
          asked += 1;
          const own = !life.permits(leaf.va * PAGE, entryFrames(leaf.level) * PAGE, leafFrame(leaf.lo, leaf.hi, leaf.level) * PAGE, leafWritable(leaf.lo));
          if (own) due += 1;
          t.is(overdue(promises, regime, leaf), own, `line ${line}, 0x${(leaf.va * PAGE).toString(16)}`);
        }
      }
    };
    await onePass(join(HERE, `linux-${name}-7.2.jsonl.gz`), { before: (judge, r) => {
      if (r.what.kind === 'ret' || r.what.kind === 'issue') compare(judge, r.line);
      promises.line(r);
    } });
    t.true(asked > 20, `${asked}`);
    t.is(due > 0, name === 'bug-no-tlbi');
  });
}

test.serial('a judge that forgets what is due is noticed by the campaign', async (t) => {
  const path = join(HERE, 'linux-vfio-7.2.jsonl.gz');
  const lines = await linesOf(path);
  const { due } = Life.prototype;
  const fates = async (): Promise<string[]> => {
    const out: string[] = [];
    for (let i = 0; i < 6; i += 1) out.push((await mutate(path, lines, 'drop-tlbi', new RandomChooser(`forgets ${i}`)))?.fate ?? '');
    return out;
  };
  t.false((await fates()).includes('not noticed'));
  // What was taken away stays allowed for ever: nothing is ever due for the judge.
  Life.prototype.due = (): void => undefined;
  try {
    t.true((await fates()).includes('not noticed'));
  } finally {
    Life.prototype.due = due;
  }
});
