/**
 * Claims about the intent, for any operations: a refused call leaves it as it was; what a device is allowed at a page is
 * what a plain map of pages says, with what was taken away and is not due yet as the only addition; after a sync
 * (strict) or a flush (lazy) that addition is gone.
 */
import test from 'ava';
import fc from 'fast-check';
import { EVENT } from '../../src/spec/event.js';
import { Intent } from '../../src/reference/driver/intent.js';
import { newOutcome } from '../../src/stack/outcome.js';
import type { Operation } from '../../src/stack/operation.js';
import { operation, operations as sequences, world } from '../lockstep/operations.js';
import { fault, ok } from '../../test/rules/rig.js';

const sequence = sequences(40);

/** Everything an intent knows, as text. */
function state(i: Intent): string {
  return JSON.stringify([i.domains.map((d) => [d.mapped.runs, d.limbo, d.handedOut, d.waiting]), i.devices.map((d) => [d.target, d.before ?? null])]);
}

function apply(i: Intent, op: Operation): string {
  const result = i.begin(op);
  if (result === 'ok') i.finish(op, 'ok');
  return result;
}

/** Pages of each domain: what is mapped, and what else may still be seen. */
class Plain {
  readonly mapped: Map<number, { pa: number; writable: boolean }>[] = [new Map(), new Map()];

  apply(op: Operation): void {
    if (op.op === 'map') {
      for (let f = 0; f < op.size / 4096; f += 1) this.mapped[op.domain]?.set(op.iova / 4096 + f, { pa: op.pa / 4096 + f, writable: op.prot === 'rw' });
    }
    if (op.op === 'unmap') for (let f = 0; f < op.size / 4096; f += 1) this.mapped[op.domain]?.delete(op.iova / 4096 + f);
  }
}

const small = sequence.map((list) => list.filter((o) => !('size' in o) || o.size <= 1536 * 4096));

test('a refused call leaves the intent as it was', (t) => {
  const property = fc.property(world, sequence, (w, operations) => {
    const intent = new Intent(w);
    return operations.every((op) => {
      const before = state(intent);
      return apply(intent, op) === 'ok' || state(intent) === before;
    });
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 300, seed: 81 }); });
});

test('a call that runs out of memory leaves the intent as it was', (t) => {
  const property = fc.property(world, sequence, operation, (w, operations, last) => {
    const intent = new Intent(w);
    for (const op of operations) apply(intent, op);
    if (last.op !== 'map' && last.op !== 'attach') return true; // the calls that allocate and must not fail half-way
    const before = state(intent);
    if (intent.begin(last) !== 'ok') return true;
    intent.finish(last, 'no-memory');
    return state(intent) === before;
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 600, seed: 82 }); });
});

test('a page leads where the plain map says', (t) => {
  const property = fc.property(world, small, (w, operations) => {
    const intent = new Intent(w);
    const plain = new Plain();
    for (const op of operations) if (apply(intent, op) === 'ok') plain.apply(op);
    return [0, 1].every((d) => [0, 510, 511, 512, 513, 600, 1023, 1024, 1535, 1536].every((f) => intent.lookup(d, f) === (plain.mapped[d]?.get(f)?.pa ?? -1)));
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 300, seed: 83 }); });
});

test('after everything is due a device is allowed what the plain map says, and nothing else', (t) => {
  const property = fc.property(world, small, fc.nat(1), fc.boolean(), (w, operations, domain, write) => {
    const intent = new Intent(w);
    const plain = new Plain();
    for (const op of operations) if (apply(intent, op) === 'ok') plain.apply(op);
    for (const d of [0, 1]) apply(intent, w.domains[d]?.mode === 'lazy' ? { op: 'flush-all', domain: d } : { op: 'sync', domain: d });
    apply(intent, { op: 'detach', device: 0 });
    if (apply(intent, { op: 'attach', device: 0, to: domain }) !== 'ok') return true;
    return [0, 510, 511, 512, 513, 1023, 1024].every((f) => {
      const page = plain.mapped[domain]?.get(f);
      const wanted = page === undefined ? fault(EVENT.F_TRANSLATION) : write && !page.writable ? fault(EVENT.F_PERMISSION) : ok(page.pa);
      const others = [ok((page?.pa ?? 0) + 1), newOutcome(), fault(EVENT.F_ADDR_SIZE), page === undefined ? ok(0x400000) : fault(EVENT.F_TRANSLATION)];
      return intent.allows(0, f, write, wanted) && !others.some((o) => intent.allows(0, f, write, o));
    });
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 400, seed: 84 }); });
});
