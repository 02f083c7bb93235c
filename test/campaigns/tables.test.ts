/**
 * Page tables against their flat map over every geometry there is. SMMUCHECK_TABLE_OPS=1000000 for the long form.
 */
import test from 'ava';
import { tableGeometries } from '../../src/operations/table-geometries.js';
import type { TableGeometry } from '../../src/stack/page-table.js';
import { drawWorld, runTwins } from '../optimised/tables/twins.js';

const OPERATIONS = Number(process.env['SMMUCHECK_TABLE_OPS'] ?? '20000');

test('both variants of the page table agree with the flat map in every geometry', (t) => {
  t.timeout(600_000);
  const all = tableGeometries();
  // Few operations a table, so that the short form has every geometry; the long form comes back to each with another draw.
  const each = Math.max(16, Math.min(100, Math.ceil(OPERATIONS / all.length)));
  const worlds = Math.max(all.length, Math.ceil(OPERATIONS / each));
  for (let i = 0; i < worlds; i += 1) {
    const geometry = all[i % all.length] as TableGeometry;
    const wrong = runTwins(drawWorld(geometry, i), i, each);
    if (wrong !== '') t.fail(`${JSON.stringify(geometry)}: ${wrong}`);
  }
  t.log(`${all.length} geometries, ${worlds} tables, ${each * worlds} operations`);
  t.pass();
});
