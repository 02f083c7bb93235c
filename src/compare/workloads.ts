/**
 * Workloads: where the sequences come from that both planners are given. Random ones are drawn from the text `seed/workload/k` alone; recorded
 * ones are given as they are.
 */
import { Generator } from '../operations/generate.js';
import { findProfile } from '../operations/profiles.js';
import { RandomChooser, type Chooser } from '../stack/chooser.js';
import type { Operation } from '../stack/operation.js';
import { smallWorld, type World } from '../stack/world.js';
import { fixed, type Source } from './measure.js';

export interface Drawn {
  readonly world: World;
  readonly source: Source;
}

export interface Workload {
  readonly name: string;
  readonly about: string;
  /** Runs that there are; Infinity: as many as wanted. */
  readonly runs: number;
  draw(seed: string, run: number): Drawn;
}

/** A recording of a real driver: its world and its operations. */
export interface Recording {
  readonly name: string;
  readonly world: World;
  readonly operations: readonly Operation[];
}

/** Every recording, by one name. */
export const RECORDED = 'recorded';

/** Operations of the longest recording that is run without being asked for: a longer one costs seconds for each planner. */
export const RECORDED_MAX = 4000;

/** Plans alone, without a driver: questions.ts. */
export const PLANS = 'plans';

function random(name: string, about: string, draw: (c: Chooser) => Drawn): Workload {
  return { name, about, runs: Infinity, draw: (seed, run) => draw(new RandomChooser(`${seed}/${name}/${run}`)) };
}

/** A profile of `fuzz`, with the planner that is asked about in place of the one that its worlds name. */
function ofProfile(name: string, about: string): Workload {
  return random(name, about, (c) => {
    const profile = findProfile(name);
    if (profile === undefined) throw new RangeError(`no profile is called ${name}`);
    const { world, mix, operations } = profile.draw(c);
    const generator = new Generator(world, mix, c);
    return { world, source: (view, at) => (at < operations ? generator.next(view) : undefined) };
  });
}

const MB2 = 2 ** 21;
const GB = 2 ** 30;
/** Output addresses start here; this far off a block, so that pages are mapped. */
const PA = 2 ** 35;
const OFF_BLOCK = 4096;

function pick<T>(c: Chooser, list: readonly T[]): T {
  return list[c.index(list.length)] as T;
}

function oneDevice(c: Chooser, gather: 'iommupt' | 'io-pgtable' | 'sva'): World {
  const plain = smallWorld();
  const smmu = { ...(plain.smmus[0] as World['smmus'][number]), range: c.index(2) === 0, tlbEntries: pick(c, [64, 256, 1024]) };
  return { ...plain, smmus: [smmu], domains: [{ mode: 'strict', managed: false, ...(gather === 'iommupt' ? {} : { gather }) }] };
}

function map(iova: number, size: number, pages: boolean): Operation {
  return { op: 'map', domain: 0, iova, pa: PA + iova + (pages ? OFF_BLOCK : 0), size, prot: 'rw' };
}

function read(iova: number): Operation {
  return { op: 'access', device: 0, stream: 0, iova, write: false };
}

/** Size of what goes, and whether it is mapped by pages. */
const VICTIMS: readonly (readonly [number, boolean])[] = [[MB2, true], [MB2, true], [2 * MB2, true], [8 * MB2, true], [GB, false], [64 * MB2, false], [MB2 + 64 * 4096, true]];

/** A region goes as a whole, with its tables, between neighbours that stay and are in use. */
function teardown(c: Chooser): Drawn {
  const world = oneDevice(c, pick(c, ['iommupt', 'io-pgtable']));
  const operations: Operation[] = [{ op: 'attach', device: 0, to: 0 }];
  for (let round = 0; round < 4; round += 1) {
    const [size, pages] = pick(c, VICTIMS);
    const base = GB * (4 + c.index(8) * 4);
    const beside = [base - MB2, base + Math.ceil(size / MB2) * MB2];
    for (const iova of beside) operations.push(map(iova, MB2, true));
    operations.push(map(base, size, pages));
    for (let i = 0; i < 24; i += 1) operations.push(read(pick(c, beside) + 4096 * c.index(512)));
    for (let i = 0; i < 8; i += 1) operations.push(read(base + 4096 * c.index(size / 4096)));
    operations.push({ op: 'unmap', domain: 0, iova: base, size }, { op: 'sync', domain: 0 });
    for (let i = 0; i < 8; i += 1) operations.push(read(pick(c, beside) + 4096 * c.index(512)));
    for (const iova of beside) operations.push({ op: 'unmap', domain: 0, iova, size: MB2 });
    operations.push({ op: 'sync', domain: 0 });
  }
  return { world, source: fixed(operations) };
}

/** A process: regions of 4K pages, few huge pages; parts of them go, and what is left is in use. */
function sva(c: Chooser): Drawn {
  const world = oneDevice(c, 'sva');
  const operations: Operation[] = [{ op: 'attach', device: 0, to: 0 }];
  const regions = Array.from({ length: 6 }, (_, i) => ({ base: GB * 16 + i * 64 * MB2 + 4096 * c.index(512), pages: pick(c, [3, 16, 40, 200, 512, 700]) }));
  regions.forEach((r) => operations.push(map(r.base, r.pages * 4096, true)));
  const huge = GB * 32;
  operations.push(map(huge, 4 * MB2, false));
  const use = (): void => {
    for (let i = 0; i < 16; i += 1) {
      const r = pick(c, regions);
      if (r.pages > 0) operations.push(read(r.base + 4096 * c.index(r.pages)));
    }
    operations.push(read(huge + MB2 * c.index(4)));
  };
  for (let round = 0; round < 12; round += 1) {
    use();
    const r = pick(c, regions);
    if (r.pages === 0) continue;
    const n = c.index(4) === 0 ? r.pages : Math.min(r.pages, pick(c, [1, 1, 2, 8, 33, 100]));
    operations.push({ op: 'unmap', domain: 0, iova: r.base + (r.pages - n) * 4096, size: n * 4096 });
    r.pages -= n;
  }
  operations.push({ op: 'unmap', domain: 0, iova: huge, size: 4 * MB2 });
  return { world, source: fixed(operations) };
}

export const RANDOM: readonly Workload[] = [
  ofProfile('swarm', 'random calls on random worlds (profile swarm)'),
  ofProfile('tables', 'tables freed and replaced by blocks (profile tables)'),
  random('teardown', 'regions that go as a whole, with their tables, between neighbours in use', teardown),
  random('sva', 'an mm unmaps parts of its regions', sva),
];

export function recorded(r: Recording): Workload {
  return { name: r.name, about: 'a recording of a real driver', runs: 1, draw: () => ({ world: r.world, source: fixed(r.operations) }) };
}
