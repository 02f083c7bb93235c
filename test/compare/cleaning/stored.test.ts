/** The smallest ranges that the posted walk leaves stale, or cleans too many lines of, as cases: broken with it, right with every other cleaner. */
import test from 'ava';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../../src/compare/cleaning/explain.js';
import { cleaningCase, mapRange } from '../../../src/compare/cleaning/stored.js';
import { rangeShape } from '../../../src/compare/cleaning/ground.js';
import { replayTables } from '../../../src/lockstep/table-replay.js';
import { shapeOf } from '../../../src/optimised/tables/geometry.js';
import { readStoredFile } from '../../../src/operations/stored.js';
import { tableCaseId, type TableCase } from '../../../src/operations/table-case.js';
import { CLEANER_NAMES } from '../../../src/stack/page-table.js';
import { ROOT } from '../../cli/program.js';

const FOLDER = join(ROOT, 'corpus/regressions');

function cases(): TableCase[] {
  return ['table-coherency', 'clean-bound'].flatMap((rule) => readdirSync(join(FOLDER, rule)).map((file) => readStoredFile(join(FOLDER, rule, file))))
    .filter((c): c is TableCase => c.kind === 'tables' && c.world.cleaner === 'posted-walk' && c.subject.mutant === undefined);
}

test('the posted walk breaks each of them as they say, and no other cleaner does', (t) => {
  const found = cases();
  t.is(found.length, 9);
  for (const c of found) {
    t.is(replayTables(c.world, c.operations).violation?.rule, c.expect.rule, tableCaseId(c));
    for (const cleaner of CLEANER_NAMES.filter((name) => name !== 'posted-walk')) t.is(replayTables({ ...c.world, cleaner }, c.operations).violation, null, `${tableCaseId(c)} ${cleaner}`);
  }
});

test('the arithmetic of the patch says of each why', (t) => {
  for (const c of cases()) {
    const [op] = c.operations;
    if (op?.op !== 'map-sg') throw new Error('a list of one piece');
    const size = op.pieces.reduce((sum, p) => sum + p.size, 0);
    const unit = 2 ** c.world.geometry.tg;
    const range = { first: op.iova / unit, count: size / unit };
    const shape = rangeShape(shapeOf(c.world.geometry));
    const causes = [range.first, range.first + range.count - 1].map((page) => explain(c.world.geometry, shape, { ...range, page }).cause);
    t.true(causes.some((cause) => cause !== 'right'), tableCaseId(c));
    t.is(tableCaseId(cleaningCase(c.world.geometry, 'posted-walk', [mapRange(c.world.geometry, { ...range, leaves: 0 })], c.expect.rule ?? null)), tableCaseId(c));
  }
});
