/** Lazy domains: what was unmapped may be either until the flush that lets its range be handed out again, and not after. */
import test from 'ava';
import { newOutcome, setFault, setOk, type Outcome } from '../../src/stack/outcome.js';
import { EVENT } from '../../src/spec/event.js';
import { describeOutcome } from '../../src/stack/outcome.js';
import type { Lockstep } from '../../src/lockstep/lockstep.js';
import type { OptimisedMachine } from '../../src/optimised/machine/machine.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { access, after, alloc, attach, broken, counts, flush, free, KB4, map, sync, unmap } from '../rules/rig.js';

const LAZY: World = smallWorld({ domains: [{ mode: 'lazy', managed: true }], flushQueue: 2 });
const UNMAPPED = [attach(), alloc(0x5000), map(0x5000, 0x70000), access(0x5000), unmap(0x5000)];

function ok(frame: number): Outcome {
  const o = newOutcome();
  setOk(o, frame);
  return o;
}

function fault(): Outcome {
  const o = newOutcome();
  setFault(o, EVENT.F_TRANSLATION);
  return o;
}

function allowed(stack: Lockstep): boolean[] {
  return [ok(0x70), fault()].map((o) => stack.intent.allows(0, 5, false, o));
}

function answer(stack: Lockstep): string {
  const { outcome } = stack.step(access(0x5000));
  return describeOutcome(outcome as Outcome);
}

test('after unmap either answer is allowed, cached or not', (t) => {
  const stack = after(UNMAPPED, LAZY);
  t.deepEqual(allowed(stack), [true, true]);
  t.is(answer(stack), '0x70000');
  stack.driver.context.cpu.drainAll();
  (stack.machines[0] as OptimisedMachine).flushCaches();
  t.is(answer(stack), 'F_TRANSLATION');
});

test('sync promises nothing', (t) => {
  const stack = after([...UNMAPPED, sync()], LAZY);
  t.deepEqual(allowed(stack), [true, true]);
  t.is(answer(stack), '0x70000');
});

test('giving the range back promises nothing either, until the queue is full', (t) => {
  const stack = after([...UNMAPPED, free(0x5000)], LAZY);
  t.deepEqual(allowed(stack), [true, true]);
  t.is(answer(stack), '0x70000');
  stack.step(alloc(0x9000));
  stack.step(free(0x9000));
  t.deepEqual(allowed(stack), [false, true]);
  t.is(answer(stack), 'F_TRANSLATION');
});

test('after flush-all it is gone', (t) => {
  const stack = after([...UNMAPPED, flush()], LAZY);
  t.deepEqual(allowed(stack), [false, true]);
  t.is(answer(stack), 'F_TRANSLATION');
});

test('after flush-all and iova-alloc the range shows its new page and nothing else', (t) => {
  const stack = after([...UNMAPPED, free(0x5000), flush(), alloc(0x5000), map(0x5000, 0x90000)], LAZY);
  t.deepEqual(allowed(stack), [false, false]);
  t.true(stack.intent.allows(0, 5, false, ok(0x90)));
  t.is(answer(stack), '0x90000');
  stack.close();
});

test('the range cannot be handed out before the flush', (t) => {
  const stack = after([...UNMAPPED, free(0x5000)], LAZY);
  t.is(stack.step(alloc(0x5000)).result, 'iova-busy');
  stack.step(flush());
  t.is(stack.step(alloc(0x5000)).result, 'ok');
});

test('mapped again without a flush: the old page or the new one', (t) => {
  const stack = after([...UNMAPPED, map(0x5000, 0x90000)], LAZY);
  t.deepEqual([ok(0x70), ok(0x90), ok(0x80)].map((o) => stack.intent.allows(0, 5, false, o)), [true, true, false]);
  t.is(answer(stack), '0x70000');
  stack.step(flush());
  t.is(answer(stack), '0x90000');
});

test('a flush that leaves the entry is found at the flush', (t) => {
  const stack = after(UNMAPPED, LAZY, { mutant: 'sync-missing' });
  t.is(broken(() => { stack.step(flush()); })?.rule, 'stale-translation');
});

test('a flush by itself that leaves the entry is found at the call that caused it', (t) => {
  const stack = after([...UNMAPPED, free(0x5000), alloc(0x9000)], LAZY, { mutant: 'sync-missing' });
  t.is(broken(() => { stack.step(free(0x9000)); })?.rule, 'stale-translation');
});

test('strict and managed: due at the sync, before the range is given back', (t) => {
  const strict = smallWorld({ domains: [{ mode: 'strict', managed: true }] });
  const stack = after([...UNMAPPED, sync()], strict);
  t.is(counts(stack, 'stale-translation').decided, 1);
  t.is(answer(stack), 'F_TRANSLATION');
});

test('a range is flushed with the tables that waited for it', (t) => {
  const stack = after([attach(), alloc(0, 2 ** 21), map(0, 2 ** 23 + KB4, 2 ** 21), unmap(0, 2 ** 21)], LAZY);
  const pages = stack.pages.pagesInUse;
  stack.step(free(0, 2 ** 21));
  t.is(stack.pages.pagesInUse, pages);
  stack.step(flush());
  t.is(stack.pages.pagesInUse, pages - 1);
});
