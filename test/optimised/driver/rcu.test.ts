/** RCU: what was unpublished is freed when no section that may have seen it is open. */
import test from 'ava';
import { Journal } from '../../../src/memory/journal.js';
import { Memory } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { Rcu } from '../../../src/optimised/driver/rcu.js';

function scene(recording = false): { journal: Journal; pages: Pages; rcu: Rcu; object: number } {
  const journal = new Journal();
  journal.recording = recording;
  const pages = new Pages(new Memory(journal));
  return { journal, pages, rcu: new Rcu(pages, journal), object: pages.allocateObject(3) };
}

test('outside of all sections an object is freed at once', (t) => {
  const { pages, rcu, object } = scene();
  rcu.free(object);
  t.is(pages.objectsInUse, 0);
});

test('inside a section it is freed when the section ends', (t) => {
  const { pages, rcu, object } = scene();
  rcu.enter();
  rcu.free(object);
  t.is(pages.objectsInUse, 1);
  rcu.exit();
  t.is(pages.objectsInUse, 0);
});

test('the last of several readers frees', (t) => {
  const { pages, rcu, object } = scene();
  rcu.enter();
  rcu.enter();
  rcu.free(object);
  rcu.exit();
  t.is(pages.objectsInUse, 1);
  rcu.exit();
  t.is(pages.objectsInUse, 0);
});

test('an object that waits can still be read', (t) => {
  const { pages, rcu, object } = scene();
  rcu.enter();
  rcu.free(object);
  pages.touch(object, 'the object');
  t.is(pages.fault, null);
  rcu.exit();
  pages.touch(object, 'the object');
  t.is(pages.fault?.kind, 'use-after-free');
});

test('each object is freed once, however many sections follow', (t) => {
  const { pages, rcu, object } = scene();
  rcu.enter();
  rcu.free(object);
  rcu.exit();
  rcu.enter();
  rcu.exit();
  t.is(pages.fault, null);
});

test('undo brings readers and waiting objects back', (t) => {
  const { journal, pages, rcu, object } = scene(true);
  rcu.enter();
  rcu.free(object);
  const mark = journal.mark();
  rcu.exit();
  t.is(pages.objectsInUse, 0);
  journal.undo(mark);
  t.is(pages.objectsInUse, 1);
  rcu.exit();
  t.is(pages.objectsInUse, 0);
  t.is(pages.fault, null);
});

test('undo forgets an object that was given up inside a section', (t) => {
  const { journal, pages, rcu, object } = scene(true);
  rcu.enter();
  const mark = journal.mark();
  rcu.free(object);
  journal.undo(mark);
  rcu.exit();
  t.is(pages.objectsInUse, 1);
});
