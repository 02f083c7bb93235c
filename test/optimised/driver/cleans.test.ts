/** What the driver cleans, when, and for whom: the order of stores, cleans and commands. */
import test from 'ava';
import type { CleanSite } from '../../../src/memory/cpu.js';
import { WalkerView } from '../../../src/memory/walker-view.js';
import type { Form } from '../../../src/optimised/driver/driver.js';
import { CLEANERS } from '../../../src/parts/cleaners.js';
import { CLEANER_NAMES, type CleanerName } from '../../../src/stack/page-table.js';
import type { Operation } from '../../../src/stack/operation.js';
import { smallWorld, type GatherStyle, type World } from '../../../src/stack/world.js';
import { DriverRig, KB4, MB2, smmu } from './rig.js';

function world(gather?: GatherStyle, coherent?: false): World {
  return smallWorld({ smmus: [smmu(coherent === false ? { coherent } : {})], domains: [{ mode: 'strict', managed: false, ...(gather === undefined ? {} : { gather }), ...(coherent === false ? { coherent } : {}) }] });
}

interface Rig {
  readonly rig: DriverRig;
  /** Stores to tables that became visible, cleans with their lines, commands. */
  readonly seen: string[];
}

function rigOf(w: World, cleaner: CleanerName = 'range-visitor', form: Form = 'plain'): Rig {
  const part = CLEANERS.find((c) => c.name === cleaner);
  const rig = new DriverRig(w, { form, boot: false, parts: (own) => (part === undefined ? own : { ...own, cleaner: part }) });
  const seen: string[] = [];
  const view = new WalkerView(rig.memory, (slot) => rig.pages.ownerOf(slot) === 'table' || rig.pages.ownerOf(slot) === null);
  rig.pages.observer = view;
  view.listener = {
    stored: (ref) => { seen.push((rig.memory.lo[ref] as number) === 0 ? 'clear' : ((rig.memory.lo[ref] as number) & 0xffc) === 0 ? 'pointer' : 'leaf'); },
    allocated: () => { seen.push('allocated'); },
    cleanedLines: () => undefined,
  };
  const { cpu } = rig.ctx;
  const clean = cpu.clean.bind(cpu);
  cpu.clean = (ref: number, words: number, site: CleanSite) => {
    const lines = clean(ref, words, site);
    seen.push(`clean ${site} ${lines}`);
    return lines;
  };
  for (const s of rig.smmus) s.seen = (c) => { seen.push(`command ${c.op.toString(16)}`); };
  rig.driver.boot();
  return { rig, seen };
}

/** What happens in these operations, equal neighbours counted. */
function story({ rig, seen }: Rig, ...operations: readonly Operation[]): string[] {
  seen.length = 0;
  for (const op of operations) if (rig.run(op) !== 'ok') throw new Error(op.op);
  const out: [string, number][] = [];
  for (const s of seen) {
    const last = out.at(-1);
    if (last?.[0] === s) last[1] += 1;
    else out.push([s, 1]);
  }
  return out.map(([s, n]) => (n === 1 ? s : `${n} ${s}`));
}

const map = (iova: number, pa: number, size = KB4): Operation => ({ op: 'map', domain: 0, iova, pa, size, prot: 'rw' });
const unmap = (iova: number, size = KB4): Operation => ({ op: 'unmap', domain: 0, iova, size });
const SYNC: Operation = { op: 'sync', domain: 0 };
const ATTACH: Operation = { op: 'attach', device: 0, to: 0 };

for (const form of ['plain', 'steps'] as const) {
  test(`${form}: contents, clean, pointer, clean; and the leaves at the end of the call`, (t) => {
    const r = rigOf(world(undefined, false), 'range-visitor', form);
    const table = ['allocated', 'clean new-table 64', 'pointer', 'clean table-pointer 1'];
    t.deepEqual(story(r, map(0x5000, 0x70000, 9 * KB4)), [...table, ...table, ...table, '9 leaf', 'clean sync-map 2']);
    t.deepEqual(story(r, map(0x20000, 0x70000)), ['leaf', 'clean sync-map 1']);
  });

  test(`${form}: each cleared descriptor is cleaned before the commands`, (t) => {
    for (const gather of ['iommupt', 'io-pgtable'] as const) {
      const r = rigOf(world(gather, false), 'range-visitor', form);
      story(r, ATTACH, map(0x5000, 0x70000, 3 * KB4));
      t.deepEqual(story(r, unmap(0x5000, 3 * KB4), SYNC), ['3 clear', 'clean cleared 1', 'command 12', 'command 46'], gather);
    }
    const mm = rigOf(world('sva', false), 'range-visitor', form);
    story(mm, ATTACH, map(0x5000, 0x70000, 3 * KB4), map(0x9000, 0x90000));
    t.deepEqual(story(mm, unmap(0x5000, 3 * KB4)), ['3 clear', 'clean cleared 1', 'command 12', 'command 46']);
  });
}

test('io-pgtable: a table that is taken out is cleaned before its walk flush, then the next thing happens', (t) => {
  const r = rigOf(world('io-pgtable', false));
  story(r, ATTACH, map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2 - KB4), SYNC);
  const taken = story(r, unmap(MB2 - KB4), SYNC, map(0, 8 * MB2, MB2));
  t.deepEqual(taken, ['clear', 'clean cleared 1', 'command 12', 'command 46', 'clear', 'clean cleared 1', 'command 12', 'command 46', 'leaf', 'clean sync-map 1']);
});

test('a block over an emptied table is cleaned before the table is flushed and freed', (t) => {
  const r = rigOf(world(undefined, false));
  story(r, ATTACH, map(0x5000, 0x70000), unmap(0x5000), SYNC);
  t.deepEqual(story(r, map(0, 8 * MB2, MB2)), ['leaf', 'clean sync-map 1', 'command 12', 'command 46']);
});

test('the root of each cleaned domain is cleaned before an SMMU is enabled, and no other', (t) => {
  const two = smallWorld({ smmus: [smmu({ coherent: false }), smmu()], domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false, coherent: false }] });
  t.deepEqual(rigOf(two).seen.filter((s) => s.startsWith('clean')), ['clean root-table 64']);
});

for (const cleaner of CLEANER_NAMES) {
  test(`${cleaner}: nine pages and a block cost their lines, once each`, (t) => {
    const r = rigOf(world(undefined, false), cleaner);
    story(r, map(0, 0x70000, KB4), map(MB2, 8 * MB2, MB2));
    const lines = (s: readonly string[]): number => s.filter((x) => x.startsWith('clean')).reduce((sum, x) => sum + Number(x.split(' ')[2]), 0);
    t.is(lines(story(r, map(0x5000, 0x70000, 9 * KB4))), 2);
    t.is(lines(story(r, map(2 * MB2, 16 * MB2, 2 * MB2))), 1);
    t.is(lines(story(r, map(MB2 / 2, 0x70000, MB2 / 2))), 32);
  });

  test(`${cleaner}: a coherent domain pays neither a clean nor a call`, (t) => {
    for (const gather of ['iommupt', 'io-pgtable', 'sva'] as const) {
      const r = rigOf(world(gather), cleaner);
      story(r, ATTACH, map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), SYNC, map(0, 8 * MB2, MB2), unmap(0, MB2), SYNC, { op: 'detach', device: 0 });
      t.is(r.rig.ctx.cpu.cleanCalls, 0, gather);
    }
  });
}
