/**
 * Claims about what the driver says of its unmaps, for random sequences in worlds of every gather style: with io-pgtable leaves are said by
 * exactly one bit, a removed table is never pending and its flush names its own level; with sva nothing is pending and what is said lies
 * inside of the call's own range; a table is freed only in a call that has invalidated its span before.
 */
import test from 'ava';
import fc from 'fast-check';
import { Generator } from '../../src/operations/generate.js';
import { PLAIN_MIX, type Mix } from '../../src/operations/profiles.js';
import { Intent } from '../../src/reference/driver/intent.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { Description } from '../../src/stack/description.js';
import type { Operation } from '../../src/stack/operation.js';
import { GATHER_STYLES, smallWorld, type DomainConfig, type GatherStyle } from '../../src/stack/world.js';
import { DriverRig } from '../../test/optimised/driver/rig.js';

const MIX: Mix = { ...PLAIN_MIX, weights: { ...PLAIN_MIX.weights, attach: 0, detach: 0 }, sizes: [40, 30, 4, 1, 30, 20, 2, 1], invalid: 0, spread: 16 };

interface Call {
  readonly op: Operation;
  readonly said: readonly Description[];
  readonly freed: number;
  readonly pending: boolean;
  readonly queued: number;
}

/** What one domain of a style says in each call of a random sequence, attached throughout. */
function calls(style: GatherStyle, seed: number, mode: DomainConfig['mode'] = 'strict'): Call[] {
  const chooser = new RandomChooser(`gather/${seed}`);
  const world = smallWorld({ domains: [{ mode, managed: mode === 'lazy', gather: style }], inputBits: seed % 2 === 0 ? 39 : 48, flushQueue: 2 });
  let said: Description[] = [];
  const rig = new DriverRig(world, { observer: { planned: (_smmu, d) => { said.push({ ...d }); }, entrySynced: () => undefined, tagReleased: () => undefined } });
  let freed = 0;
  rig.pages.listeners.push({ freed: (_slot, owner) => { if (owner === 'table') freed += 1; } });
  const intent = new Intent(world);
  const generator = new Generator(world, MIX, chooser);
  const out: Call[] = [];
  for (let i = 0; i < 60; i += 1) {
    const op: Operation = i === 0 ? { op: 'attach', device: 0, to: 0 } : generator.next(intent);
    if (op.op === 'access') continue;
    const expected = intent.begin(op);
    said = [];
    freed = 0;
    const result = rig.run(op);
    if (expected === 'ok') intent.finish(op, result);
    const own = rig.driver.state.domains[0];
    out.push({ op, said, freed, pending: own?.gather.pending === true, queued: own?.gather.freed.length ?? 0 });
  }
  return out;
}

function holds(style: GatherStyle, claim: (c: Call) => boolean, mode: DomainConfig['mode'] = 'strict'): void {
  fc.assert(fc.property(fc.nat(), (seed) => calls(style, seed, mode).every(claim)), { numRuns: 120, seed: 51 });
}

function oneBit(bitmap: number): boolean {
  return bitmap !== 0 && (bitmap & (bitmap - 1)) === 0;
}

test('io-pgtable: leaves alone are one leaf bit, and no table waits in the gather', (t) => {
  t.notThrows(() => {
    holds('io-pgtable', (c) => c.queued === 0 && c.said.every((d) => d.all || d.tables !== 0 || oneBit(d.leaves)));
  });
});

test('io-pgtable: a sync says leaves only; tables were flushed in the call that removed them, by whole spans', (t) => {
  t.notThrows(() => {
    holds('io-pgtable', (c) => c.said.every((d) => d.all || d.tables === 0 || (c.op.op !== 'sync' && d.first % 512 === 0 && (d.last + 1) % 512 === 0)));
  });
});

test('sva: nothing is ever pending, and nothing is said but by map and unmap', (t) => {
  t.notThrows(() => { holds('sva', (c) => !c.pending && (c.said.length === 0 || c.op.op === 'unmap' || c.op.op === 'map')); });
});

test('sva: an unmap says exactly its own range, once, with leaves and tables', (t) => {
  t.notThrows(() => {
    holds('sva', ({ op, said }) => op.op !== 'unmap' || said.length === 0
      || (said.length === 1 && said.every((d) => d.first === op.iova / 4096 && d.last === (op.iova + op.size) / 4096 - 1 && d.leaves % 2 === 1 && d.tables !== 0)));
  });
});

for (const style of GATHER_STYLES) {
  test(`${style}: a table is freed only in a call that said that tables went`, (t) => {
    t.notThrows(() => { holds(style, (c) => c.freed === 0 || c.said.some((d) => d.all || d.tables !== 0)); });
  });
}

test('lazy: a table is freed only in a call that said that tables went, or everything', (t) => {
  for (const style of ['iommupt', 'io-pgtable'] as const) {
    t.notThrows(() => { holds(style, (c) => c.freed === 0 || c.said.some((d) => d.all || d.tables !== 0), 'lazy'); });
  }
});
