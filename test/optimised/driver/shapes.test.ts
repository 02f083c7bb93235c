/** Domains as geometries of the page-table library: stage and sizes are the domain's, and so is the start level, which its STE says. */
import test from 'ava';
import { geometryOf, shapeFor } from '../../../src/optimised/driver/shapes.js';
import { startLevelOf } from '../../../src/optimised/tables/geometry.js';

const PARENT = { stage: 2, inputBits: 40, outputBits: 44, startLevel: 0 } as const;

test('the root begins where the domain says, also where the library would put tables together', (t) => {
  t.is(startLevelOf(geometryOf(PARENT)), 1, 'the library alone');
  const shape = shapeFor(PARENT);
  t.is(shape.startLevel, 0);
  t.is(shape.concatenated, 1);
  t.is(shape.rootEntries, 2);
});

test('stage and sizes are those of the domain, and domains alike have one shape', (t) => {
  const stage1 = { ...PARENT, stage: 1 } as const;
  t.deepEqual([geometryOf(PARENT).stage, geometryOf(stage1).stage], [2, 1]);
  t.deepEqual([shapeFor(PARENT).inputEnd, shapeFor(PARENT).outputEnd], [2 ** 40, 2 ** 44]);
  t.is(shapeFor({ ...PARENT }), shapeFor(PARENT));
  t.not(shapeFor(stage1), shapeFor(PARENT));
  t.not(shapeFor({ ...PARENT, outputBits: 40 }), shapeFor(PARENT));
});
