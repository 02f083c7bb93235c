/**
 * Claim: the arithmetic of the rule `range-coverage` finds a hole exactly when counting entries one by one does, and the
 * hole it names is one.
 */
import test from 'ava';
import fc from 'fast-check';
import { coverageHole } from '../../src/rules/coverage.js';
import { encodeCommand, newCommand, OP, rangeGranules, type Command } from '../../src/spec/command.js';
import { levelFrames } from '../../src/spec/granule.js';
import { levelBit, newDescription, type Description } from '../../src/stack/description.js';

/** Small addresses around the ends of 2 MB and 1 GB entries, so that entries can be counted. */
const place = fc.oneof(fc.nat(40), fc.integer({ min: 500, max: 530 }), fc.integer({ min: 1015, max: 1030 }), fc.integer({ min: 262140, max: 262150 }));

const single = fc.record({ frame: place, leaf: fc.nat(1) }).map((c): Command => ({ ...newCommand(), op: OP.TLBI_NH_VA, ...c }));
const ranged = fc
  .record({ frame: place, leaf: fc.nat(1), ttl: fc.nat(3), num: fc.nat(31), scale: fc.oneof(fc.nat(3), fc.constantFrom(4, 5, 9, 13)) })
  .map((c): Command => ({ ...newCommand(), op: OP.TLBI_NH_VA, tg: 1, ...c }));
const commands = fc.array(fc.oneof(single, ranged), { maxLength: 6 }).map((list) => [...list].sort((a, b) => a.frame - b.frame));

const description: fc.Arbitrary<Description> = fc
  .record({ first: place, n: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(512, 1024)), leaves: fc.nat(7), tables: fc.constantFrom(0, 2, 4, 6, 8) })
  .map((d) => ({ ...newDescription(), first: d.first, last: d.first + d.n - 1, leaves: d.leaves, tables: d.tables }));

interface Hole { level: number; kind: 'leaf' | 'table'; frame: number }

function hit(c: Command, kind: 'leaf' | 'table', level: number, from: number): boolean {
  const to = from + levelFrames(12, level) - 1;
  const last = c.tg === 0 ? c.frame : c.frame + rangeGranules(c) - 1;
  if (last < from || c.frame > to) return false;
  const hinted = c.tg !== 0 && c.ttl !== 0;
  if (kind === 'leaf') return !hinted || c.ttl === level;
  return c.leaf === 0 && (!hinted || level < c.ttl);
}

/** Every entry that no command reaches. */
function holes(d: Description, list: readonly Command[]): Hole[] {
  const found: Hole[] = [];
  for (let level = 0; level <= 3; level += 1) {
    const span = levelFrames(12, level);
    for (const kind of ['leaf', 'table'] as const) {
      if (((kind === 'leaf' ? d.leaves : d.tables) & levelBit(level)) === 0) continue;
      for (let from = d.first - (d.first % span); from <= d.last; from += span) {
        if (!list.some((c) => hit(c, kind, level, from))) found.push({ level, kind, frame: from });
      }
    }
  }
  return found;
}

function encoded(list: readonly Command[]): Uint32Array {
  const words = new Uint32Array(32);
  list.forEach((c, i) => {
    encodeCommand(c, words, i * 4);
    words[i * 4] = (words[i * 4] as number) & ~0xff; // a payload has no opcode
  });
  return words;
}

test('a hole is found exactly when there is one, and it is the first of its level and kind', (t) => {
  let some = 0;
  const property = fc.property(description, commands, (d, list) => {
    const found = coverageHole(d, encoded(list), list.length);
    const all = holes(d, list);
    if (found === undefined) return all.length === 0;
    some += 1;
    const first = all.find((h) => h.level === found.level && h.kind === found.kind);
    return first !== undefined && first.frame === found.frame;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 4000, seed: 61 }); });
  t.true(some > 500 && some < 3900, `${some} of 4000 had a hole: both cases were seen`);
});
