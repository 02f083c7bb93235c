/** Break-before-make: which live changes the architecture convicts at which level of IDR3.BBML (IHI 0070 §3.21.1). */
import test from 'ava';
import { replayTables } from '../../src/lockstep/table-replay.js';
import { USUAL_TABLE_WORLD } from '../../src/operations/table-case.js';
import { TABLE_VARIANTS, type TableGeometry, type TableOperation, type TableWorld } from '../../src/stack/page-table.js';

const GEOMETRY: TableGeometry = { tg: 12, stage: 1, inputBits: 39, outputBits: 48, half: 'lower', ds: false, contiguous: true, dirty: false };
const MAPPED: readonly TableOperation[] = [
  { op: 'map', iova: 0x200000, pa: 0x240200000, pageSize: 0x200000, count: 1, prot: 'rw' },
  { op: 'map', iova: 0x400000, pa: 0x240400000, pageSize: 0x1000, count: 1, prot: 'rw' },
  { op: 'map', iova: 0x410000, pa: 0x240410000, pageSize: 0x10000, count: 1, prot: 'rw' },
];

/** Rule that breaks when the driver looks for written pages at `iova`, at each level; '-': none. */
function convicted(mutant: string, iova: number, change: Partial<TableGeometry> = {}): string[] {
  return ([0, 1, 2] as const).flatMap((bbml) => TABLE_VARIANTS.map((variant) => {
    const world: TableWorld = { ...USUAL_TABLE_WORLD, geometry: { ...GEOMETRY, ...change }, variant, bbml };
    const { violation } = replayTables(world, [...MAPPED, { op: 'read-dirty', iova, size: 0x1000, clear: false }], { mutant });
    return violation === null ? '-' : violation.rule;
  })).filter((_, i) => i % 2 === 0);
}

const BREAK = 'break-before-make';
const TABLE: readonly (readonly [string, number, readonly string[]])[] = [
  ['block-split-live', 0x200000, [BREAK, BREAK, '-']],
  ['block-split-nt', 0x200000, [BREAK, '-', '-']],
  ['table-merged-live', 0x200000, [BREAK, BREAK, '-']],
  ['moved-live', 0x400000, [BREAK, BREAK, BREAK]],
  ['run-unmarked-live', 0x410000, [BREAK, '-', '-']],
];

for (const [mutant, iova, expected] of TABLE) {
  test(`${mutant}: ${expected.map((rule, bbml) => `BBML ${bbml} ${rule}`).join(', ')}`, (t) => {
    t.deepEqual(convicted(mutant, iova), expected);
    t.deepEqual(convicted(mutant, iova, { stage: 2 }), expected);
  });
}

test('the library itself changes nothing live: blocks over emptied tables, at every level', (t) => {
  for (const variant of TABLE_VARIANTS) for (const bbml of [0, 1, 2] as const) for (const coherent of [false, true]) {
    const world: TableWorld = { ...USUAL_TABLE_WORLD, geometry: GEOMETRY, variant, bbml, coherent };
    const { violation } = replayTables(world, [
      { op: 'map', iova: 0x200000, pa: 0x240200000, pageSize: 0x1000, count: 16, prot: 'rw' }, { op: 'unmap', iova: 0x200000, pageSize: 0x1000, count: 16 }, { op: 'sync' },
      { op: 'map', iova: 0x200000, pa: 0x280200000, pageSize: 0x200000, count: 1, prot: 'rw' }, { op: 'sync-map', iova: 0x200000, size: 0x200000 }, { op: 'access', iova: 0x200000, write: true },
    ]);
    t.is(violation, null);
  }
});
