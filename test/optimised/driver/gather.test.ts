/** The styles of gathers: what each says of an unmap, when it is flushed, and that tables are freed only after the flush that covers them. */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { describeDescription } from '../../../src/stack/description.js';
import { GATHER_STYLES, smallWorld, type GatherStyle, type World } from '../../../src/stack/world.js';
import { DriverRig, GB1, KB4, MB2, smmu } from './rig.js';

/** A driver with one domain of a style, and what it says it damaged, description by description. */
class Said {
  readonly descriptions: string[] = [];
  readonly rig: DriverRig;

  constructor(style: GatherStyle, change: Partial<World> = {}) {
    const world = smallWorld({ domains: [{ mode: 'strict', managed: false, gather: style }], ...change });
    this.rig = new DriverRig(world, { observer: {
      planned: (_smmu, d) => { this.descriptions.push(describeDescription(d)); },
      entrySynced: () => undefined, tagReleased: () => undefined,
    } });
    this.rig.attach();
    this.rig.forget();
  }

  take(): string[] {
    return this.descriptions.splice(0);
  }
}

/** Pages in a table of their own, whatever else is there: an output address that fits no block. */
const ODD = 4 * MB2 + KB4;

test('io-pgtable: pages of one call and of the next are one gather of one leaf bit', (t) => {
  const said = new Said('io-pgtable');
  const { rig } = said;
  rig.map(0x5000, 0x70000, 4 * KB4);
  rig.unmap(0x5000, KB4);
  rig.unmap(0x6000, 2 * KB4);
  t.deepEqual(said.take(), []);
  rig.sync();
  t.deepEqual(said.take(), ['0x5000..0x7fff leaves 0b1 tables 0b0']);
});

test('io-pgtable: another page size flushes what was gathered, iommupt takes both together', (t) => {
  const both = (style: GatherStyle): string[] => {
    const said = new Said(style);
    said.rig.map(MB2 - KB4, 8 * MB2 - KB4, MB2 + KB4);
    said.rig.unmap(MB2 - KB4, MB2 + KB4);
    said.rig.sync();
    return said.take();
  };
  t.deepEqual(both('io-pgtable'), ['0x1ff000..0x1fffff leaves 0b1 tables 0b0', '0x200000..0x3fffff leaves 0b10 tables 0b0']);
  t.deepEqual(both('iommupt'), ['0x1ff000..0x3fffff leaves 0b11 tables 0b0']);
});

test('io-pgtable: a range that does not touch the gather flushes it, one that does joins it', (t) => {
  const said = new Said('io-pgtable');
  const { rig } = said;
  rig.map(0x5000, 0x70000, 8 * KB4);
  rig.unmap(0x8000, KB4);
  rig.unmap(0x7000, KB4);
  rig.unmap(0x9000, KB4);
  t.deepEqual(said.take(), []);
  rig.unmap(0xb000, KB4);
  t.deepEqual(said.take(), ['0x7000..0x9fff leaves 0b1 tables 0b0']);
});

test('iommupt: one gather for everything that touches, flushed early by a range that does not', (t) => {
  const said = new Said('iommupt');
  const { rig } = said;
  rig.map(MB2 - 4 * KB4, 8 * MB2 - 4 * KB4, MB2 + 8 * KB4);
  rig.unmap(MB2, MB2);
  rig.unmap(MB2 - KB4, KB4);
  t.deepEqual(said.take(), []);
  rig.unmap(MB2 - 4 * KB4, KB4);
  t.deepEqual(said.take(), ['0x1ff000..0x3fffff leaves 0b11 tables 0b0']);
  rig.sync();
  t.deepEqual(said.take(), ['0x1fc000..0x1fcfff leaves 0b1 tables 0b0']);
});

test('iommupt: a table waits in the gather with its leaves', (t) => {
  const said = new Said('iommupt');
  const { rig } = said;
  rig.map(MB2 - KB4, ODD, MB2 + KB4);
  const tables = rig.tables();
  rig.unmap(MB2, MB2);
  rig.unmap(MB2 - KB4, KB4);
  t.deepEqual(said.take(), []);
  t.is(rig.tables(), tables);
  rig.sync();
  t.deepEqual(said.take(), ['0x1ff000..0x3fffff leaves 0b1 tables 0b10']);
  t.is(rig.tables(), tables - 1);
});

test('io-pgtable: a removed table is flushed and freed inside of the unmap, and the gather stays as it was', (t) => {
  const said = new Said('io-pgtable');
  const { rig } = said;
  rig.map(MB2 - KB4, ODD, KB4);
  rig.map(MB2, ODD, MB2);
  rig.unmap(MB2 - KB4, KB4);
  const tables = rig.tables();
  rig.unmap(MB2, MB2);
  t.deepEqual(said.take(), ['0x200000..0x3fffff leaves 0b1 tables 0b10']);
  t.is(rig.tables(), tables - 1);
  rig.sync();
  t.deepEqual(said.take(), ['0x1ff000..0x1fffff leaves 0b1 tables 0b0']);
});

test('io-pgtable: a populated table of tables names every level below it', (t) => {
  const said = new Said('io-pgtable');
  const { rig } = said;
  rig.map(GB1, 3 * GB1 + MB2, GB1 - MB2);
  rig.map(2 * GB1 - MB2, ODD, MB2);
  rig.unmap(GB1, GB1);
  t.deepEqual(said.take(), ['0x40000000..0x7fffffff leaves 0b11 tables 0b110']);
});

test('io-pgtable: an emptied table is one table bit, and one command with and without range support', (t) => {
  for (const range of [true, false]) {
    const said = new Said('io-pgtable', { smmus: [smmu({ range })] });
    const { rig } = said;
    rig.map(MB2, 0x70000, KB4);
    rig.unmap(MB2, KB4);
    rig.sync();
    said.take();
    rig.forget();
    rig.map(MB2, 8 * MB2, MB2);
    t.deepEqual(said.take(), ['0x200000..0x3fffff leaves 0b0 tables 0b10']);
    t.deepEqual(rig.said().length, 2);
    t.is(rig.lookup(MB2), 8 * MB2);
  }
});

test('io-pgtable: what is replaced is gone before the block is written', (t) => {
  const said = new Said('io-pgtable');
  const { rig } = said;
  rig.map(MB2, 0x70000, KB4);
  rig.unmap(MB2, KB4);
  rig.sync();
  const seen: number[] = [];
  (rig.smmus[0] as { seen: unknown }).seen = () => { seen.push(rig.lookup(MB2)); };
  rig.map(MB2, 8 * MB2, MB2);
  t.deepEqual(seen, [-1, -1]);
});

test('io-pgtable: tables above 1 GB stay: no page size is as large', (t) => {
  const whole = (style: GatherStyle): number => {
    const { rig } = new Said(style);
    rig.map(0, 512 * GB1, 512 * GB1);
    rig.unmap(0, 512 * GB1);
    rig.sync();
    return rig.tables();
  };
  t.is(whole('io-pgtable'), 2);
  t.is(whole('iommupt'), 1);
});

test('io-pgtable, lazy: leaves wait for the flush of everything, a removed table does not', (t) => {
  const said = new Said('io-pgtable', { domains: [{ mode: 'lazy', managed: true, gather: 'io-pgtable' }] });
  const { rig } = said;
  rig.run({ op: 'iova-alloc', domain: 0, iova: 0, size: 2 * MB2 });
  rig.map(0, ODD, MB2 + KB4);
  rig.unmap(MB2, KB4);
  rig.sync();
  t.deepEqual(said.take(), []);
  const tables = rig.tables();
  rig.unmap(0, MB2);
  t.deepEqual(said.take(), ['0x0..0x1fffff leaves 0b1 tables 0b10']);
  t.is(rig.tables(), tables - 1);
  rig.run({ op: 'flush-all', domain: 0 });
  t.deepEqual(said.take(), ['everything']);
});

test('sva: one invalidation inside of the unmap, with the end exclusive; sync has nothing to do', (t) => {
  const said = new Said('sva');
  const { rig } = said;
  rig.map(0x5000, 0x70000, 4 * KB4);
  rig.unmap(0x6000, 2 * KB4);
  t.deepEqual(said.take(), ['0x6000..0x7fff leaves 0b1 tables 0b1110']);
  t.is(rig.said().filter((c) => c === 'SYNC').length, 1);
  rig.forget();
  t.is(rig.sync(), 'ok');
  t.deepEqual(rig.said(), []);
});

/** First page, pages → the leaf levels that can have been in there. */
const RANGES: readonly [what: string, first: number, frames: number, leaves: string, ttl: number][] = [
  ['511 pages of an aligned 2 MB', 512, 511, '0b1', 3],
  ['2 MB that is not aligned', 513, 512, '0b1', 3],
  ['an aligned 2 MB', 512, 512, '0b11', 0],
  ['an aligned 2 MB and a page on each side', 511, 514, '0b11', 0],
  ['1 GB that is not aligned', 512, 262144, '0b11', 0],
  ['an aligned 1 GB', 262144, 262144, '0b111', 0],
];

for (const [what, first, frames, leaves, ttl] of RANGES) {
  test(`sva: ${what}: TTL ${ttl}`, (t) => {
    const said = new Said('sva', { inputBits: 39 });
    const { rig } = said;
    t.is(rig.map(first * KB4, ODD + first * KB4, frames * KB4), 'ok');
    rig.forget();
    t.is(rig.unmap(first * KB4, frames * KB4), 'ok');
    t.deepEqual(said.take().map((d) => d.replace(/^.*leaves/, '')), [` ${leaves} tables 0b110`]);
    const tlbi = rig.smmus[0]?.commands.find((c) => c.op === OP.TLBI_NH_VA);
    t.is(tlbi?.ttl, ttl);
    t.is(tlbi?.leaf, 0);
  });
}

test('sva: the last page of a table takes its tables along, at the unmap', (t) => {
  const { rig } = new Said('sva');
  rig.map(0x5000, 0x70000, 2 * KB4);
  t.is(rig.tables(), 4);
  rig.unmap(0x5000, KB4);
  t.is(rig.tables(), 4);
  rig.unmap(0x6000, KB4);
  t.is(rig.tables(), 1);
  t.is(rig.lookup(0x6000), -1);
});

for (const style of GATHER_STYLES) {
  test(`${style}: a table is freed after the SYNC of the commands that cover it`, (t) => {
    const said = new Said(style);
    const { rig } = said;
    rig.map(0, ODD, MB2);
    const events: string[] = [];
    (rig.smmus[0] as { seen: unknown }).seen = (c: { op: number }) => { events.push(c.op === OP.SYNC ? 'sync' : 'tlbi'); };
    rig.pages.listeners.push({ freed: () => { events.push('freed'); } });
    rig.unmap(0, MB2);
    rig.sync();
    t.deepEqual([...new Set(events)], ['tlbi', 'sync', 'freed']);
  });

  test(`${style}: a refused unmap flushes nothing`, (t) => {
    const said = new Said(style);
    said.rig.map(0x5000, 0x70000, KB4);
    said.rig.forget();
    t.is(said.rig.unmap(0x5000, 2 * KB4), 'not-mapped');
    t.deepEqual(said.rig.said(), []);
    t.is(said.rig.lookup(0x5000), 0x70000);
  });
}
