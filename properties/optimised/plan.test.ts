/**
 * Claims: whatever the description, the default planner's commands are legal for the SMMU they are for, reach every
 * leaf and table that the description names (counted entry by entry here, not by the rule's arithmetic), need no more
 * room than there is, and over-invalidate by no more than an eighth and one command.
 */
import test from 'ava';
import fc from 'fast-check';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { commandError, decodeCommand, newCommand, OP, rangeGranules, type Command } from '../../src/spec/command.js';
import { levelFrames } from '../../src/spec/granule.js';
import { levelBit, newDescription, type Description } from '../../src/stack/description.js';
import { commandFeatures } from '../../src/stack/machine.js';
import { PLAN_MAX, WHOLE_TAG } from '../../src/stack/planner.js';
import { DEFAULT_SMMU } from '../../src/stack/world.js';

const out = new Uint32Array(PLAN_MAX * 4);

const start = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 36 }),
  fc.integer({ min: 0, max: 2 ** 16 }),
  fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 2 }), fc.constantFrom(512, 512 * 512)).map(([n, off, unit]) => Math.max(0, n * unit + off)),
);
const length = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 }), fc.constantFrom(511, 512, 513, 1024, 512 * 512, 512 * 512 + 1, 3 * 512 * 512));

const description: fc.Arbitrary<Description> = fc
  .record({ first: start, n: length, leaves: fc.constantFrom(0, 1, 2, 4, 3, 5, 6, 7), tables: fc.constantFrom(0, 2, 4, 6, 8, 12, 14) })
  .filter((d) => d.leaves !== 0 || d.tables !== 0)
  .map((d) => ({ ...newDescription(), first: d.first, last: d.first + d.n - 1, leaves: d.leaves, tables: d.tables }));

function planned(d: Description, range: boolean): Command[] | 'all' {
  out.fill(0xffffffff);
  const n = SINGLE_RANGE.plan(d, { range, ds: false }, out);
  if (n === WHOLE_TAG) return 'all';
  return Array.from({ length: n }, (_, i) => {
    out[i * 4] = (out[i * 4] as number) | OP.TLBI_NH_VA;
    return decodeCommand(out, i * 4, newCommand());
  });
}

function last(c: Command): number {
  return c.tg === 0 ? c.frame : c.frame + rangeGranules(c) - 1;
}

/** Must the command remove an entry of this kind and level in [from, to]? (§4.4.1.1) */
function removes(c: Command, kind: 'leaf' | 'table', level: number, from: number, to: number): boolean {
  if (last(c) < from || c.frame > to) return false;
  if (kind === 'table') return c.leaf === 0 && (c.ttl === 0 || level < c.ttl);
  return c.ttl === 0 || c.ttl === level;
}

/** The first entry that no command removes, in words. */
function missed(d: Description, commands: readonly Command[]): string | undefined {
  for (let level = 0; level <= 3; level += 1) {
    for (const kind of ['leaf', 'table'] as const) {
      if (((kind === 'leaf' ? d.leaves : d.tables) & levelBit(level)) === 0) continue;
      const span = levelFrames(12, level);
      const entries = Math.floor(d.last / span) - Math.floor(d.first / span) + 1;
      const step = Math.max(1, Math.floor(entries / 600)); // all of them, or 600 of them and the last
      for (let i = 0; i < entries; i = i + step >= entries && i < entries - 1 ? entries - 1 : i + step) {
        const from = (Math.floor(d.first / span) + i) * span;
        if (!commands.some((c) => removes(c, kind, level, from, from + span - 1))) return `level ${level} ${kind} at frame ${from}`;
      }
    }
  }
  return undefined;
}

for (const range of [true, false]) {
  const name = range ? 'with range support' : 'without range support';

  test(`${name}: every named entry is reached`, (t) => {
    t.notThrows(() => {
      fc.assert(fc.property(description, (d) => {
        const commands = planned(d, range);
        const hole = commands === 'all' ? undefined : missed(d, commands);
        if (hole !== undefined) throw new Error(hole);
      }), { numRuns: 600, seed: 11 });
    });
  });

  test(`${name}: every command is legal`, (t) => {
    t.notThrows(() => {
      fc.assert(fc.property(description, (d) => {
        const commands = planned(d, range);
        if (commands === 'all') return;
        for (const c of commands) {
          const error = commandError(c, commandFeatures({ ...DEFAULT_SMMU, range }));
          if (error !== undefined) throw new Error(error);
        }
      }), { numRuns: 2000, seed: 12 });
    });
  });
}

test('with range support one command is enough, and reaches less than a sixteenth too far', (t) => {
  t.notThrows(() => {
    fc.assert(fc.property(description, (d) => {
      const commands = planned(d, true);
      const n = d.last - d.first + 1;
      return commands !== 'all' && commands.length === 1 && last(commands[0] as Command) - d.last <= n / 16;
    }), { numRuns: 2000, seed: 13 });
  });
});

test('without range support there are at most 512 commands, addresses ascending, inside of the range', (t) => {
  t.notThrows(() => {
    fc.assert(fc.property(description, (d) => {
      const commands = planned(d, false);
      if (commands === 'all') return true;
      return commands.length <= PLAN_MAX && commands.every((c, i) => c.frame >= d.first && c.frame <= d.last && (i === 0 || c.frame > (commands[i - 1] as Command).frame));
    }), { numRuns: 2000, seed: 14 });
  });
});
