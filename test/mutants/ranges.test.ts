/** Classes C and G of the bug zoo: every row has a mutant or says where it is decided instead; mutants of ranges leave alone what they are not about. */
import test from 'ava';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { TABLE_ZOO_ELSEWHERE } from '../../src/mutants/lazy.js';
import { TABLE_MUTANTS } from '../../src/mutants/table-mutants.js';
import { RANGE_MUTANTS, ZOO_ELSEWHERE } from '../../src/mutants/ranges.js';
import { GATHER_STYLES, smallWorld, type GatherStyle } from '../../src/stack/world.js';
import { attach, map, MB2, smmu, sync, unmap, verdict } from '../rules/rig.js';

/** The rows of the class. */
const CLASS_C = ['C1', 'C2', 'C3', 'C4', 'C6', 'C7', 'C8', 'C11', 'C12', 'C15', 'C16', 'C17', 'C20', 'C21', 'C22'];

test('every row of class C is there, as a mutant or elsewhere and not both', (t) => {
  const mutants = new Set(MUTANTS.flatMap((m) => m.zoo ?? []).filter((id) => id.startsWith('C')));
  const elsewhere = ZOO_ELSEWHERE.map((z) => z.id);
  t.deepEqual([...mutants, ...elsewhere].sort(), [...CLASS_C].sort());
});

const CLASS_G = ['G1', 'G3', 'G5', 'G6', 'G7', 'G8', 'G9', 'G10', 'G11', 'G12', 'G13', 'G16', 'G19', 'G21'];

test('every row of class G is there, as a mutant of the driver or the page-table library, or elsewhere', (t) => {
  const mutants = new Set([...MUTANTS, ...TABLE_MUTANTS].flatMap((m) => m.zoo ?? []).filter((id) => id.startsWith('G')));
  t.deepEqual([...mutants, ...TABLE_ZOO_ELSEWHERE.map((z) => z.id)].sort(), [...CLASS_G].sort());
});

test('names are there once, and every mutant says what it is about', (t) => {
  t.is(new Set(MUTANTS.map((m) => m.name)).size, MUTANTS.length);
  for (const m of MUTANTS) t.true(m.about.length > 20, m.name);
});

/** What the mutants that are about an mm, or io-pgtable, must not change: domains of another style. */
const ABOUT: readonly (readonly [mutant: string, style: GatherStyle])[] = [
  ['mm-page-size-zero', 'sva'], ['mm-page-by-page', 'sva'], ['mm-end-too-early', 'sva'], ['mm-end-too-late', 'sva'], ['io-pgtable-one-bit', 'io-pgtable'],
];

for (const [mutant, about] of ABOUT) {
  test(`${mutant} shows with ${about} only`, (t) => {
    for (const gather of GATHER_STYLES.filter((s) => s !== about)) {
      for (const range of [true, false]) {
        const world = smallWorld({ smmus: [smmu({ range })], domains: [{ mode: 'strict', managed: false, gather }] });
        t.is(verdict([attach(), map(0, 4 * MB2 + 4096, 3 * MB2), unmap(0, 3 * MB2), sync(), map(0, 0x70000), unmap(0), sync()], world, mutant), null);
      }
    }
  });
}

test('plans that have no range are left alone by mutants of TTL and TG', (t) => {
  for (const { name } of RANGE_MUTANTS.filter((m) => ['C2', 'C3', 'C4', 'C11', 'C16'].some((id) => m.zoo?.includes(id)))) {
    const world = smallWorld({ smmus: [smmu({ range: false })], domains: [{ mode: 'strict', managed: false, gather: 'sva' }] });
    t.is(verdict([attach(), map(0x5000, 0x70000, 8192), unmap(0x5000), unmap(0x6000)], world, name), null, name);
  }
});
