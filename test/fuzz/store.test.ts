/** The store: readable cases on disk at every stage, and files that are whole or not there. */
import test from 'ava';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureCase, failureRecord, type Origin } from '../../src/fuzz/failure.js';
import { shrink } from '../../src/fuzz/shrink.js';
import { FailureStore, writeWhole } from '../../src/fuzz/store.js';
import { replay } from '../../src/lockstep/replay.js';
import { caseId } from '../../src/operations/case.js';
import { readCaseFile } from '../../src/operations/codec.js';
import type { Violation } from '../../src/stack/violation.js';
import { smallWorld } from '../../src/stack/world.js';
import { access, attach, map, sync, unmap, verdict } from '../rules/rig.js';

const MUTANT = 'missing-tlbi';
const ORIGIN: Origin = { seed: 'abc', run: 7, profile: 'swarm' };
const world = smallWorld();
const operations = [attach(), map(0x5000, 0x70000), access(0x5000), map(0x9000, 0x90000), unmap(0x5000), sync()];
const violation = verdict(operations, world, MUTANT) as Violation;

/** Runs with a folder of its own that is gone afterwards. */
function inFolder<T>(act: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'smmucheck-store-'));
  try {
    return act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function files(folder: string): string[] {
  return (readdirSync(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile()).map((e) => e.name).sort();
}

test('a file is written whole, in folders that need not exist, over an older one', (t) => {
  inFolder((folder) => {
    const path = join(folder, 'a', 'b', 'c.json');
    writeWhole(path, 'one, and longer');
    writeWhole(path, 'two');
    t.is(readFileSync(path, 'utf8'), 'two');
    t.deepEqual(files(folder), ['c.json']);
  });
});

test('the original is a readable case before anything else happens', (t) => {
  inFolder((folder) => {
    const store = new FailureStore(folder, violation, MUTANT, ORIGIN);
    store.original({ world, operations }, violation);
    const [name] = files(folder);
    t.regex(name ?? '', /^[0-9a-f]{16}\.full\.json$/);
    const read = readCaseFile(join(folder, 'regressions', violation.rule, name ?? ''));
    t.deepEqual(read.operations, operations);
    t.deepEqual(read.world, world);
    t.is(read.subject.mutant, MUTANT);
    t.deepEqual(read.expect, { verdict: 'ok' });
    t.deepEqual(read.provenance, { rule: violation.rule, cause: violation.cause, seed: 'abc', run: 7, profile: 'swarm' });
  });
});

test('after each improvement a readable case stands there that still fails', (t) => {
  inFolder((folder) => {
    const store = new FailureStore(folder, violation, MUTANT, ORIGIN);
    store.original({ world, operations }, violation);
    let stages = 0;
    const r = shrink({ world, operations }, violation, {
      mutant: MUTANT,
      improved: (c, v) => {
        store.improved(c, v);
        const name = files(folder).find((f) => f.endsWith('.shrinking.json')) ?? '';
        const read = readCaseFile(join(folder, 'regressions', v.rule, name));
        t.deepEqual(read.operations, c.operations);
        t.is(replay(read.world, read.operations, { mutant: MUTANT }).violation?.cause, v.cause);
        t.is(files(folder).length, 2);
        stages += 1;
      },
    });
    t.is(stages, r.accepted);
    t.true(stages >= 2);
  });
});

test('at the end the smallest form and the original are there, and nothing else', (t) => {
  inFolder((folder) => {
    const store = new FailureStore(folder, violation, MUTANT, ORIGIN);
    store.original({ world, operations }, violation);
    const r = shrink({ world, operations }, violation, { mutant: MUTANT, improved: (c, v) => { store.improved(c, v); } });
    const { file, fullFile } = store.finish(r, r.violation);
    t.is(files(folder).length, 2);
    t.deepEqual(readCaseFile(file).operations, r.operations);
    t.deepEqual(readCaseFile(fullFile ?? '').operations, operations);
    t.true(file.endsWith(`${caseId(readCaseFile(file))}.json`));
  });
});

test('without a mutant or an origin the case says nothing of them', (t) => {
  const c = failureCase(world, operations, violation, null, null);
  t.false('mutant' in c.subject);
  t.deepEqual(Object.keys(c.provenance).sort(), ['cause', 'rule']);
});

test('where a case came from is not part of its name', (t) => {
  const a = failureCase(world, operations, violation, MUTANT, ORIGIN);
  const b = failureCase(world, operations, violation, MUTANT, { ...ORIGIN, run: 8 });
  t.is(caseId(a), caseId(b));
  t.not(caseId(a), caseId(failureCase(world, operations.slice(1), violation, MUTANT, ORIGIN)));
});

test('a failure record has the explanation, both sides of every operation, and its files', (t) => {
  const record = failureRecord(world, operations, violation, MUTANT, ORIGIN, null, { file: 'a.json', fullFile: null });
  t.is(record.rows.length, operations.length);
  t.deepEqual(record.rows.map((r) => r.differs), [false, false, false, false, false, true]);
  t.regex(record.explanation.verified ?? '', /TLBI_NH_VA/);
  t.is(record.file, 'a.json');
  t.is(record.id, caseId(failureCase(world, operations, violation, MUTANT, ORIGIN)));
});
