/**
 * Claims: whatever is unmapped in one gather, in whatever order, its description names every removed leaf and table, levels and addresses,
 * and no level more; and each of these entries lies whole in [first, last]. So hardware that removes only what lies whole in a range (the
 * contract of other IOMMUs) is told enough as well.
 */
import test from 'ava';
import fc from 'fast-check';
import { levelFrames } from '../../src/spec/granule.js';
import { levelBit, type Description } from '../../src/stack/description.js';
import { smallWorld } from '../../src/stack/world.js';
import { DriverRig, KB4, MB2 } from '../../test/optimised/driver/rig.js';

interface Entry {
  readonly kind: 'leaf' | 'table';
  readonly level: number;
  readonly first: number;
}

const UNIT = MB2 / KB4;
/** Units of 2 MB; the last eight of 1 GB and the first four of the next. */
const BASE = 512 * UNIT - 8 * UNIT;
const UNITS = 12;
/** First frame of a whole 1 GB behind it: 512 pages, then blocks. */
const GB_FIRST = 2 * 512 * UNIT;

type Act =
  | { readonly act: 'map'; readonly unit: number; readonly pages: number }
  | { readonly act: 'unmap'; readonly from: number; readonly to: number }
  | { readonly act: 'gb' }
  | { readonly act: 'sync' };

/** What is mapped, and which table descriptors stand: all that an unmap can remove. */
class Model {
  readonly leaves = new Map<number, Entry>();
  readonly tables = new Map<string, Entry>();

  map(level: number, first: number): void {
    this.leaves.set(first, { kind: 'leaf', level, first });
    for (let at = 0; at < level; at += 1) {
      const start = first - (first % levelFrames(12, at));
      this.tables.set(`${at} ${start}`, { kind: 'table', level: at, first: start });
    }
  }

  /** Every entry that goes with [first, end): leaves in it, tables whose span it covers. */
  unmap(first: number, end: number): Entry[] {
    const gone: Entry[] = [];
    for (const [key, e] of this.leaves) if (e.first >= first && e.first < end && this.leaves.delete(key)) gone.push(e);
    for (const [key, e] of this.tables) if (e.first >= first && e.first + levelFrames(12, e.level) <= end && this.tables.delete(key)) gone.push(e);
    return gone;
  }

  /** Is [first, end) mapped without a hole and without cutting a leaf? */
  whole(first: number, end: number): boolean {
    let at = first;
    while (at < end) {
      const e = this.leaves.get(at);
      if (e === undefined) return false;
      at += levelFrames(12, e.level);
    }
    return at === end;
  }

  any(first: number, end: number): boolean {
    for (const e of this.leaves.values()) if (e.first < end && e.first + levelFrames(12, e.level) > first) return true;
    return false;
  }
}

function union(entries: readonly Entry[], kind: Entry['kind']): number {
  return entries.filter((e) => e.kind === kind).reduce((bits, e) => bits | levelBit(e.level), 0);
}

/** Why the description is not the one of these entries. */
function mistake(d: Description, gone: readonly Entry[]): string | undefined {
  if (d.leaves !== union(gone, 'leaf')) return `leaves ${d.leaves}, not ${union(gone, 'leaf')}`;
  if (d.tables !== union(gone, 'table')) return `tables ${d.tables}, not ${union(gone, 'table')}`;
  const outside = gone.find((e) => e.first < d.first || e.first + levelFrames(12, e.level) - 1 > d.last);
  return outside === undefined ? undefined : `a level ${outside.level} ${outside.kind} at ${outside.first} is not whole in ${d.first}..${d.last}`;
}

/** Runs the acts; throws at the first description that is not right. Returns how many were judged. */
function judge(acts: readonly Act[]): { described: number; mixed: number } {
  const model = new Model();
  const counts = { described: 0, mixed: 0 };
  let pending: Entry[] = [];
  const rig = new DriverRig(smallWorld(), { observer: {
    planned: (_smmu, d) => {
      const wrong = mistake(d, pending);
      if (wrong !== undefined) throw new Error(wrong);
      counts.described += 1;
      if ((d.leaves & (d.leaves - 1)) !== 0 && d.tables !== 0) counts.mixed += 1;
      pending = [];
    },
    entrySynced: () => undefined, tagReleased: () => undefined,
  } });
  rig.attach();
  const unmap = (first: number, end: number): void => {
    if (!model.whole(first, end)) return;
    if (rig.unmap(first * KB4, (end - first) * KB4) !== 'ok') throw new Error('an unmap was refused');
    pending.push(...model.unmap(first, end));
  };
  for (const a of acts) {
    if (a.act === 'sync') rig.sync();
    else if (a.act === 'unmap') {
      unmap(BASE + a.from * UNIT, BASE + a.to * UNIT + UNIT);
      unmap(BASE + a.from * UNIT, BASE + a.from * UNIT + 3);
    }
    else if (a.act === 'gb') {
      if (!model.whole(GB_FIRST, GB_FIRST + 512 * UNIT)) {
        if (rig.map(GB_FIRST * KB4, 2 ** 33 + KB4, MB2) !== 'ok' || rig.map((GB_FIRST + UNIT) * KB4, 2 ** 34 + MB2, 511 * MB2) !== 'ok') throw new Error('a map was refused');
        for (let i = 0; i < UNIT; i += 1) model.map(3, GB_FIRST + i);
        for (let i = 1; i < 512; i += 1) model.map(2, GB_FIRST + i * UNIT);
      } else unmap(GB_FIRST, GB_FIRST + 512 * UNIT);
    } else {
      const first = BASE + a.unit * UNIT;
      const block = a.pages === 0 && !model.tables.has(`2 ${first}`); // a block over a table is a flush of its own: another test
      const frames = block ? UNIT : a.pages;
      if (frames === 0 || model.any(first, first + frames)) continue;
      if (rig.map(first * KB4, 2 ** 32 + a.unit * MB2 + (block ? 0 : KB4), frames * KB4) !== 'ok') throw new Error('a map was refused');
      if (block) model.map(2, first);
      else for (let i = 0; i < frames; i += 1) model.map(3, first + i);
    }
  }
  rig.sync();
  return counts;
}

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ act: fc.constant('map' as const), unit: fc.nat({ max: UNITS - 1 }), pages: fc.constantFrom(0, 0, UNIT, UNIT, UNIT, 3) }) },
  { weight: 7, arbitrary: fc.tuple(fc.nat({ max: UNITS - 1 }), fc.nat({ max: 3 })).map(([from, n]) => ({ act: 'unmap' as const, from, to: from + n })) },
  { weight: 1, arbitrary: fc.constant({ act: 'gb' as const }) },
  { weight: 3, arbitrary: fc.constant({ act: 'sync' as const }) },
);

test('the description of a gather names every removed leaf and table, and no level more', (t) => {
  const all = { described: 0, mixed: 0 };
  t.notThrows(() => {
    fc.assert(fc.property(fc.array(act, { minLength: 20, maxLength: 80 }), (acts) => {
      const n = judge(acts);
      all.described += n.described;
      all.mixed += n.mixed;
    }), { numRuns: 150, seed: 35 });
  });
  t.true(all.described > 200, String(all.described));
  t.true(all.mixed > 10, String(all.mixed));
});
