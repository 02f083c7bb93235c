/**
 * Claims about page tables, for any sequence of maps, unmaps and syncs in a small corner of the address space: a page
 * is found exactly when a plain map of pages has it; a refused call changes no word of memory; after unmapping
 * everything and a sync, only tables that were emptied in parts are left, and they hold nothing.
 */
import test from 'ava';
import fc from 'fast-check';
import type { Operation, Result } from '../../src/stack/operation.js';
import { smallWorld } from '../../src/stack/world.js';
import { DriverRig, KB4 } from '../../test/optimised/driver/rig.js';

/** Addresses around the ends of 2 MB tables; sizes around them, and 2 MB itself. */
const frame = fc.oneof(fc.integer({ min: 500, max: 530 }), fc.integer({ min: 1010, max: 1040 }), fc.constantFrom(0, 512, 1024, 1536));
const frames = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(512, 512, 1024, 513, 511));
const output = fc.oneof(fc.constantFrom(4096, 8192, 4096 + 512), fc.integer({ min: 4096, max: 5000 }));

type Step = readonly [kind: 'map' | 'unmap' | 'sync', first: number, n: number, pa: number];
const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom('map' as const, 'map' as const, 'unmap' as const, 'unmap' as const, 'sync' as const), frame, frames, output);
const steps = fc.array(step, { maxLength: 25 });

function operation([kind, first, n, pa]: Step): Operation {
  if (kind === 'map') return { op: 'map', domain: 0, iova: first * KB4, pa: pa * KB4, size: n * KB4, prot: 'rw' };
  if (kind === 'unmap') return { op: 'unmap', domain: 0, iova: first * KB4, size: n * KB4 };
  return { op: 'sync', domain: 0 };
}

/** Keeps a plain map of pages beside the driver. */
class Twin {
  readonly rig = new DriverRig(smallWorld({ inputBits: 39 }));
  readonly pages = new Map<number, number>();

  constructor() {
    this.rig.attach();
  }

  run(s: Step): Result {
    const [kind, first, n, pa] = s;
    const result = this.rig.run(operation(s));
    for (let i = 0; i < n && result === 'ok'; i += 1) {
      if (kind === 'map') this.pages.set(first + i, pa + i);
      if (kind === 'unmap') this.pages.delete(first + i);
    }
    return result;
  }

  agrees(): boolean {
    for (let f = 0; f < 2100; f += 1) if (this.rig.driver.lookup(0, f) !== (this.pages.get(f) ?? -1)) return false;
    return true;
  }
}

test('what is found is what was mapped', (t) => {
  const property = fc.property(steps, (list) => {
    const twin = new Twin();
    for (const s of list) twin.run(s);
    return twin.agrees();
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 150, seed: 41 }); });
});

test('map is refused exactly when a page of the range is mapped, unmap when one is not or a block is cut', (t) => {
  const property = fc.property(steps, (list) => {
    const twin = new Twin();
    for (const s of list) {
      const [kind, first, n] = s;
      const mapped = Array.from({ length: n }, (_, i) => twin.pages.has(first + i));
      const result = twin.run(s);
      if (kind === 'map' && (result === 'already-mapped') !== mapped.includes(true)) return false;
      if (kind === 'unmap' && (result === 'not-mapped') !== mapped.includes(false)) return false;
      if (kind === 'unmap' && result !== 'ok' && result !== 'not-mapped' && result !== 'partial-block') return false;
    }
    return true;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 150, seed: 42 }); });
});

test('a refused call changes no word', (t) => {
  const property = fc.property(steps, (list) => {
    const twin = new Twin();
    for (const s of list) {
      twin.rig.ctx.cpu.drainAll();
      const before = twin.rig.snapshot();
      if (twin.run(s) === 'ok') continue;
      twin.rig.ctx.cpu.drainAll();
      if (twin.rig.changedSince(before).length > 0) return false;
    }
    return true;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 40, seed: 43 }); });
});

test('after everything is unmapped one call at a time, the tables are empty', (t) => {
  const property = fc.property(steps, (list) => {
    const twin = new Twin();
    for (const s of list) twin.run(s);
    const left = [...twin.pages.keys()].sort((a, b) => a - b);
    while (left.length > 0) {
      const first = left[0] as number;
      const n = [1, 512, 1024].find((size) => twin.run(['unmap', first, size, 0]) === 'ok');
      if (n === undefined) return false;
      left.splice(0, left.length, ...[...twin.pages.keys()].sort((a, b) => a - b));
    }
    twin.rig.sync();
    return twin.agrees() && twin.rig.pages.fault === null && twin.rig.map(0, 2 ** 30, 2 ** 30) === 'ok' && twin.rig.tables() === 1;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 60, seed: 44 }); });
});
