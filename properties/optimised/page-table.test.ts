/** Page tables: any table agrees with its flat map, and the plain form with the form in steps. */
import test from 'ava';
import fc from 'fast-check';
import { ownTableParts } from '../../src/optimised/tables/page-table.js';
import { tableGeometries } from '../../src/operations/table-geometries.js';
import { TABLE_VARIANTS } from '../../src/stack/page-table.js';
import { runTwins, Twins, type TwinWorld } from '../../test/optimised/tables/twins.js';
import { anchors, drawOperation } from '../../test/optimised/tables/twin-operations.js';
import { Draw } from '../../test/optimised/tables/draw.js';

const worlds: fc.Arbitrary<TwinWorld> = fc.record({
  geometry: fc.record({ base: fc.constantFrom(...tableGeometries()), contiguous: fc.boolean(), dirty: fc.boolean() }).map((g) => ({ ...g.base, contiguous: g.contiguous, dirty: g.dirty })),
  variant: fc.constantFrom(...TABLE_VARIANTS), coherent: fc.boolean(), cleaner: fc.constantFrom('eager' as const, 'range-visitor' as const, 'map-sg' as const),
}).map((w) => ({ ...w, coherent: w.coherent || w.geometry.dirty }));

test('a table and its flat map agree', (t) => {
  fc.assert(fc.property(worlds, fc.nat(), (world, seed) => {
    const wrong = runTwins(world, seed, 30);
    if (wrong !== '') throw new Error(wrong);
  }), { numRuns: 60 });
  t.pass();
});

test('both forms do the same', (t) => {
  fc.assert(fc.property(worlds, fc.nat(), (world, seed) => {
    const plain = new Twins(world);
    const steps = new Twins({ ...world, parts: ownTableParts('steps') });
    const { shape } = plain.table.room;
    const draw = new Draw(seed);
    const places = anchors(shape, draw);
    for (let i = 0; i < 12; i += 1) {
      const op = drawOperation(shape, places, draw);
      const wrong = plain.step(op) || steps.step(op);
      if (wrong !== '') throw new Error(wrong);
      if (JSON.stringify(plain.last) !== JSON.stringify(steps.last)) throw new Error(`${op.op}: the forms return different things`);
    }
    if (plain.memory.lo.some((word, at) => word !== steps.memory.lo[at]) || plain.memory.hi.some((word, at) => word !== steps.memory.hi[at])) throw new Error('the forms leave different words');
  }), { numRuns: 25 });
  t.pass();
});
