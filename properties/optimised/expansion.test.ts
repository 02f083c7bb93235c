/**
 * Claims: what reaches an SMMU's queue depends on the description and the array alone: for each live entry, in order, the planned payloads
 * with that SMMU's opcode and tag, or the one command for its whole tag, and a CMD_SYNC. Expanded here directly, without a batch: the batch
 * of the driver changes nothing in content or order.
 */
import test from 'ava';
import fc from 'fast-check';
import { PLANNERS } from '../../src/parts/planners.js';
import { OP } from '../../src/spec/command.js';
import { queueIndex, queueNext, REG } from '../../src/spec/register.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../../src/stack/planner.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { DriverRig, KB4, smmu } from '../../test/optimised/driver/rig.js';

const SMMUS = 3;
/** Short enough for a plan of the oldest planner to be written out. */
const PAGES_MAX = 600;

function world(ranges: readonly boolean[]): World {
  return smallWorld({ smmus: ranges.map((range) => smmu({ range })), devices: ranges.map((_, i) => ({ smmu: i, streams: [1] })) });
}

function rigOf(ranges: readonly boolean[], planner: Planner): DriverRig {
  return new DriverRig(world(ranges), { parts: (own) => ({ ...own, planner }) });
}

/** The raw words of every command that is published while `act` runs, one list an SMMU. */
function published(rig: DriverRig, act: () => void): number[][][] {
  const before = rig.smmus.map((s) => s.readRaw(REG.CMDQ_PROD));
  const raw: number[][][] = rig.smmus.map(() => []);
  rig.smmus.forEach((s, i) => {
    const state = rig.ctx.state.smmus[i] as (typeof rig.ctx.state.smmus)[number];
    let at = before[i] as number;
    s.seen = () => {
      const ref = state.queueSlot * 512 + queueIndex(at, state.queueLog2) * 2;
      const { lo, hi } = rig.memory;
      (raw[i] as number[][]).push([lo[ref] as number, hi[ref] as number, lo[ref + 1] as number, hi[ref + 1] as number]);
      at = queueNext(at, state.queueLog2);
    };
  });
  act();
  return raw;
}

const SYNC = [OP.SYNC, 0, 0, 0];

/** The direct expansion for one entry. */
function expanded(planner: Planner, d: Description, range: boolean, asid: number): number[][] {
  const words = new Uint32Array(planner.room * PAYLOAD_WORDS);
  const n = planner.plan(d, { range, ds: false }, words);
  if (n === WHOLE_TAG) return [[OP.TLBI_NH_ASID, asid * 65536, 0, 0], SYNC];
  const own = Array.from({ length: n }, (_, i) => [((words[i * 4] as number) | OP.TLBI_NH_VA) >>> 0, asid * 65536, words[i * 4 + 2] as number, words[i * 4 + 3] as number]);
  return [...own, SYNC];
}

const description = fc
  .record({ first: fc.integer({ min: 0, max: 2 ** 36 - PAGES_MAX }), n: fc.integer({ min: 1, max: PAGES_MAX }), leaves: fc.constantFrom(0, 1, 2, 4, 3, 7), tables: fc.constantFrom(0, 2, 4, 14), all: fc.boolean() })
  .filter((d) => d.leaves !== 0 || d.tables !== 0)
  .map((d): Description => ({ ...newDescription(), first: d.first, last: d.first + d.n - 1, leaves: d.leaves, tables: d.tables, all: d.all && d.n === 1 }));

const CASE = fc.record({
  d: description, planner: fc.constantFrom(...PLANNERS), ranges: fc.array(fc.boolean(), { minLength: SMMUS, maxLength: SMMUS }),
  attached: fc.uniqueArray(fc.nat({ max: SMMUS - 1 }), { maxLength: SMMUS }),
});

function invalidate(rig: DriverRig, d: Description): number[][][] {
  return published(rig, () => { void rig.ctx.parts.invalidate(rig.ctx, 0, d); });
}

test('every queue gets what a direct expansion of the array gives, word by word', (t) => {
  t.notThrows(() => {
    fc.assert(fc.property(CASE, ({ d, planner, ranges, attached }) => {
      const rig = rigOf(ranges, planner);
      for (const device of attached) rig.attach(0, device);
      const wanted = ranges.map((range, i) => (attached.includes(i) ? expanded(planner, d, range, 1) : []));
      const found = invalidate(rig, d);
      if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${planner.name}: ${JSON.stringify(found).slice(0, 200)} in place of ${JSON.stringify(wanted).slice(0, 200)}`);
    }), { numRuns: 150, seed: 31 });
  });
});

test('an SMMU with ranges gets one command and its SYNC', (t) => {
  const planner = PLANNERS.find((p) => p.name === 'single-range') as Planner;
  t.notThrows(() => {
    fc.assert(fc.property(description, (d) => {
      const rig = rigOf([true], planner);
      rig.attach(0, 0);
      return invalidate(rig, d)[0]?.length === 2;
    }), { numRuns: 150, seed: 32 });
  });
});

test('a range and a whole tag never go out together', (t) => {
  t.notThrows(() => {
    fc.assert(fc.property(CASE, ({ d, planner, ranges, attached }) => {
      const rig = rigOf(ranges, planner);
      for (const device of attached) rig.attach(0, device);
      return invalidate(rig, d).every((list) => {
        const ops = new Set(list.map((c) => (c[0] as number) & 0xff));
        return list.length === 0 || (ops.size === 2 && ops.has(OP.SYNC) && list.filter((c) => c[0] === OP.SYNC).length === 1 && (ops.has(OP.TLBI_NH_VA) || list.length === 2));
      });
    }), { numRuns: 150, seed: 33 });
  });
});

test('commands are raw words: NUM, SCALE and opcode in the first, the tag above bit 48, the rest as planned', (t) => {
  const rig = rigOf([true, false, true], PLANNERS.find((p) => p.name === 'single-range') as Planner);
  rig.attach(0, 0);
  rig.attach(0, 1);
  t.deepEqual(invalidate(rig, { ...newDescription(), first: 0x7f0000001, last: 0x7f0000001 + 32, leaves: 1, tables: 2 })[0], [
    [0x12 | (16 << 12) | (1 << 20), 1 << 16, (0x00001 << 12) | (1 << 10) | (3 << 8), 0x7f00], SYNC,
  ]);
});

test('whoever gathered it: equal descriptions, equal commands', (t) => {
  for (const gather of ['iommupt', 'io-pgtable'] as const) {
    const rig = new DriverRig(smallWorld({ domains: [{ mode: 'strict', managed: false, gather }] }));
    rig.attach();
    rig.map(0x5000, 0x70000, 5 * KB4);
    rig.unmap(0x5000, 5 * KB4);
    const gathered = published(rig, () => { rig.sync(); });
    t.deepEqual(gathered, invalidate(rig, { ...newDescription(), first: 5, last: 9, leaves: 1 }), gather);
  }
});
