/** Driver sequences within a reach: worlds of what the SMMU has, and operations that stay in the window. */
import test from 'ava';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import { Generator } from '../../src/operations/generate.js';
import { drawReachDriver, type ReachDriver } from '../../src/operations/reach-driver.js';
import { allStreams, BEHIND_RAM, directions, isData, QEMU_NESTED_REACH, QEMU_STAGE1_REACH, type Reach } from '../../src/operations/reach.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { OPERATION_KINDS, type Operation, type Result } from '../../src/stack/operation.js';

const REACHES = [['stage 1', QEMU_STAGE1_REACH], ['nested', QEMU_NESTED_REACH]] as const;
const RUNS = 1000;

interface Done {
  readonly drawn: ReachDriver;
  readonly operations: readonly { readonly op: Operation; readonly result: Result; readonly target: number | 'identity' | 'blocked' | 'none' | undefined }[];
}

/** Runs on our own twins: no violation may come. */
function done(reach: Reach, k: number): Done {
  const chooser = new RandomChooser(`reach-driver/${k}`);
  const drawn = drawReachDriver(chooser, reach);
  const stack = new Lockstep(drawn.world);
  const generator = new Generator(drawn.world, drawn.mix, chooser, drawn.window);
  const operations = Array.from({ length: drawn.operations }, () => {
    const op = generator.next(stack.intent);
    const target = op.op === 'access' ? stack.intent.devices[op.device]?.target : undefined;
    return { op, result: stack.step(op).result, target };
  });
  stack.close();
  return { drawn, operations };
}

const ALL = new Map<Reach, readonly Done[]>(REACHES.map(([, reach]) => [reach, Array.from({ length: RUNS }, (_, k) => done(reach, k))]));

for (const [name, reach] of REACHES) {
  const runs = ALL.get(reach) as readonly Done[];

  test(`${name}: one SMMU with what the reach has, small worlds, short runs`, (t) => {
    const again = done(reach, 5);
    t.deepEqual([again.drawn.world, again.operations], [runs[5]?.drawn.world, runs[5]?.operations]);
    const sids = new Set(allStreams(reach).filter((sid) => sid < 64));
    for (const { drawn: { world, operations } } of runs) {
      const [smmu] = world.smmus;
      t.is(world.smmus.length, 1);
      t.true(smmu !== undefined && smmu.range === reach.features.range && smmu.asidBits === reach.features.asidBits && smmu.asidMax <= 15 && smmu.queueLog2 >= 3 && smmu.queueLog2 <= 8 && smmu.eventLog2 === 7 && smmu.tlbEntries === 64);
      t.true(world.domains.length >= 1 && world.domains.length <= 3 && world.devices.length >= 1 && world.devices.length <= 3 && operations >= 10 && operations <= 20);
      const streams = world.devices.flatMap((d) => d.streams);
      t.true(streams.every((sid) => sids.has(sid)) && new Set(streams).size === streams.length);
    }
    t.deepEqual([...new Set(runs.map((r) => r.drawn.operations))].sort((a, b) => a - b), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    for (const bits of [39, 48]) t.true(runs.some((r) => r.drawn.world.inputBits === bits));
    for (const mode of ['strict', 'lazy']) t.true(runs.some((r) => r.drawn.world.domains.some((d) => d.mode === mode)));
  });

  test(`${name}: accesses are what the devices can do, below the end of the input`, (t) => {
    let count = 0;
    for (const { drawn, operations } of runs) {
      for (const { op, target } of operations) {
        if (op.op !== 'access') continue;
        const sid = drawn.world.devices[op.device]?.streams[op.stream];
        if (sid === undefined) continue;
        count += 1;
        t.true(op.write ? directions(reach, sid).writes : directions(reach, sid).reads);
        t.true(op.iova / 4096 < reach.inputFrames);
        if (target === 'identity') t.true(isData(reach, op.iova / 4096));
      }
    }
    t.true(count > RUNS * 5);
  });

  test(`${name}: where devices pass untranslated every access is aimed at memory, elsewhere none passes`, (t) => {
    t.true(runs.some((r) => r.drawn.window.identity && r.operations.some(({ op }) => op.op === 'attach' && op.to === 'identity')));
    for (const { drawn, operations } of runs) {
      for (const { op } of operations) {
        if (op.op === 'attach') t.true(drawn.window.identity || op.to !== 'identity');
        if (op.op === 'access' && drawn.window.identity) t.true(isData(reach, op.iova / 4096), `0x${op.iova.toString(16)}`);
      }
    }
  });

  test(`${name}: everything that is mapped is memory behind the tables`, (t) => {
    let maps = 0;
    for (const { operations } of runs) {
      for (const { op, result } of operations) {
        if (op.op !== 'map' || result !== 'ok') continue;
        maps += 1;
        t.true(op.pa / 4096 >= BEHIND_RAM && (op.pa + op.size) / 4096 <= reach.endFrame, `0x${op.pa.toString(16)} + 0x${op.size.toString(16)}`);
        t.true((op.iova + op.size) / 4096 <= reach.inputFrames);
      }
    }
    t.true(maps > RUNS * 2);
  });

  test(`${name}: operations of every kind, blocks among small pages`, (t) => {
    const kinds = new Set(runs.flatMap((r) => r.operations.map(({ op }) => op.op)));
    t.deepEqual([...kinds].sort(), OPERATION_KINDS.filter((kind) => kind !== 'evict').sort());
    const sizes = runs.flatMap((r) => r.operations.flatMap(({ op, result }) => (op.op === 'map' && result === 'ok' ? [op.size / 4096] : [])));
    t.true(sizes.filter((n) => n <= 16).length > sizes.length * 0.7);
    t.true(sizes.some((n) => n >= 512 && n % 512 === 0));
    for (const n of sizes) t.true(n <= 16 || n % 512 === 0, `${n} pages, nothing between a few and blocks`);
  });

  test(`${name}: somebody looks more often than anything else is done`, (t) => {
    for (const { drawn: { mix } } of runs) {
      t.true(mix.weights.access >= 44, 'never fewer than the usual looks');
      t.deepEqual([2, 3, 5, 6].map((i) => mix.sizes[i]), [0, 0, 0, 0], 'no long runs of pages, no gigabytes');
    }
    t.true(runs.some((r) => r.drawn.mix.weights.access > 44));
  });
}
