/** Classes A, B, D, E, H and N of the bug zoo: every row has a mutant or says where it is decided instead, and not both. */
import test from 'ava';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { SYSTEM_MUTANTS } from '../../src/mutants/systems.js';
import { SYSTEM_ZOO_ELSEWHERE } from '../../src/mutants/zoo.js';
import { findSystemProfile } from '../../src/operations/system-profiles.js';

const rows = (prefix: string, ...numbers: number[]): string[] => numbers.map((n) => `${prefix}${n}`);

const ROWS = [
  ...rows('A', 1, 3, 4, 5, 7, 9, 10, 11, 12, 13, 15, 16, 17, 19), ...rows('B', 1, 2, 3, 4, 5, 7, 9, 10, 11), ...rows('D', 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13),
  ...rows('E', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18), ...rows('H', 1, 2, 3, 4, 6), ...rows('N', 1, 2, 4, 5, 6, 7, 8, 9),
];

test('every row of classes A, B, D, E, H and N is there, as a mutant or elsewhere and not both', (t) => {
  const mutants = new Set(MUTANTS.flatMap((m) => m.zoo ?? []).filter((id) => 'ABDEHN'.includes(id.charAt(0))));
  t.deepEqual([...mutants, ...SYSTEM_ZOO_ELSEWHERE.map((z) => z.id)].sort(), [...ROWS].sort());
});

test('mutants of systems that random sequences find name a profile of systems', (t) => {
  for (const m of SYSTEM_MUTANTS.filter((s) => s.found === 'fuzz')) t.not(findSystemProfile(m.profile ?? ''), undefined, m.name);
});
