/** The QEMUs of a campaign: which one a sequence gets, when another one is started, and that none is left. */
import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { Pool } from '../../src/qemu/pool.js';
import type { QemuBinary } from '../../src/qemu/find.js';
import { ViolationError } from '../../src/stack/violation.js';
import { Board, PAGE, READER } from './board.js';
import { withQemu } from './rig.js';

/** Runs with a pool that is empty afterwards. */
function withPool(binary: QemuBinary, act: (pool: Pool) => void, patienceMs?: number): void {
  const pool = new Pool(binary, patienceMs);
  try {
    act(pool);
  } finally {
    pool.end();
  }
}

function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') !== '';
}

/** Boots with two levels. */
function twoLevels(pool: Pool, twoLevel: boolean): void {
  new Board(pool.rig(twoLevel), { split: 6, streamsLog2: 8 });
}

withQemu('linear and two-level sequences have a QEMU of their own, for as long as it may be used', (t, binary) => {
  withPool(binary, (pool) => {
    t.is(pool.started, 0, 'none before one is asked for');
    const [linear, twoLevel] = [pool.rig(false), pool.rig(true)];
    t.not(linear, twoLevel);
    twoLevels(pool, true);
    new Board(pool.rig(false));
    t.is(pool.rig(false), linear);
    t.is(pool.rig(true), twoLevel);
    t.is(pool.started, 2);
  });
});

withQemu('one that has seen two levels is replaced before a linear sequence', (t, binary) => {
  withPool(binary, (pool) => {
    const first = pool.rig(false);
    t.false(first.twoLevelSeen);
    twoLevels(pool, false);
    t.true(first.twoLevelSeen);
    const second = pool.rig(false);
    t.not(second, first);
    t.false(runs(first.process.pid));
    t.deepEqual([second.twoLevelSeen, pool.started], [false, 2]);
  });
});

withQemu('one that is killed is replaced, for either kind', (t, binary) => {
  withPool(binary, (pool) => {
    for (const twoLevel of [false, true]) {
      const rig = pool.rig(twoLevel);
      const board = new Board(rig);
      process.kill(rig.process.pid, 'SIGKILL');
      t.throws(() => board.access(READER, 0x10), { instanceOf: ViolationError });
      const next = pool.rig(twoLevel);
      t.not(next, rig);
      const again = new Board(next);
      again.map(0x10, PAGE);
      t.is(again.access(READER, 0x10, false, [PAGE]).answer.frame, PAGE);
    }
    t.is(pool.started, 4);
  });
});

withQemu('features and identification are those of the SMMU, and the features are kept', (t, binary) => {
  withPool(binary, (pool) => {
    const { features } = pool;
    t.deepEqual(features, pool.rig(false).features);
    t.deepEqual(pool.identification, pool.rig(false).identification);
    pool.rig(false).end();
    t.is(pool.features, features);
    t.is(pool.started, 1, 'nothing is started for them again');
  });
});

withQemu('end leaves nothing, and may be asked for again', (t, binary) => {
  const pool = new Pool(binary);
  const pids = [pool.rig(false), pool.rig(true)].map((rig) => rig.process.pid);
  t.deepEqual(pids.map(runs), [true, true]);
  pool.end();
  t.deepEqual(pids.map(runs), [false, false]);
  pool.end();
  t.is(pool.started, 2);
});

withQemu('after an end it starts again where it is asked to', (t, binary) => {
  withPool(binary, (pool) => {
    const first = pool.rig(false);
    pool.end();
    t.not(pool.rig(false), first);
    t.true(runs(pool.rig(false).process.pid));
  });
});

test('a pool starts nothing by itself', (t) => {
  const pool = new Pool({ path: '/nowhere/qemu', version: '0', banner: '' });
  pool.end();
  t.is(pool.started, 0);
});
