/** Profiles: legal worlds and mixes from any seed, and what each is about. */
import test from 'ava';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import { findProfile, PLAIN_MIX, PROFILES, SIZE_CLASSES, type Mix, type Profile } from '../../src/operations/profiles.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { OPERATION_KINDS } from '../../src/stack/operation.js';
import { PLANNER_NAMES } from '../../src/stack/planner.js';
import { LIMITS, type World } from '../../src/stack/world.js';

interface Draw { readonly world: World; readonly mix: Mix; readonly operations: number }

function draws(profile: Profile, n = 200): Draw[] {
  return Array.from({ length: n }, (_, i) => profile.draw(new RandomChooser(`profile/${i}`)));
}

function get(name: string): Profile {
  return findProfile(name) as Profile;
}

test('profiles are found by name, each says what it is about', (t) => {
  t.deepEqual(PROFILES.map((p) => p.name), ['swarm', 's1-4k', 'shared', 'lazy', 'tables', 'gathers', 'noncoherent', 'errata']);
  for (const p of PROFILES) {
    t.is(findProfile(p.name), p);
    t.true(p.about.length > 10);
  }
  t.is(findProfile('nothing'), undefined);
});

for (const profile of PROFILES) {
  test(`${profile.name}: every world can be stored as a case and read again`, (t) => {
    for (const { world } of draws(profile)) {
      const c = { schema: 1 as const, kind: 'driver' as const, world, subject: { parts: {} }, operations: [], expect: { verdict: 'ok' as const }, provenance: {} };
      t.deepEqual(decodeCase(encodeCase(c), 'case').world, world);
    }
  });

  test(`${profile.name}: streams are there once on an SMMU, and everybody is behind an SMMU`, (t) => {
    for (const { world } of draws(profile)) {
      const streams = world.devices.flatMap((d) => d.streams.map((sid) => `${d.smmu}/${sid}`));
      t.is(new Set(streams).size, streams.length);
      t.true(world.devices.every((d) => d.smmu < world.smmus.length && d.streams.length > 0 && d.streams.every((sid) => sid < 2 ** LIMITS.streamLog2)));
      t.true(world.smmus.every((_, i) => world.devices.some((d) => d.smmu === i)));
      t.true(world.smmus.every((s) => s.asidMax < 2 ** s.asidBits));
      t.true(world.domains.length > 0 && world.domains.every((d) => d.mode === 'strict' || d.managed));
    }
  });

  test(`${profile.name}: weights and sizes are whole, and something can be drawn`, (t) => {
    for (const { mix, operations } of draws(profile)) {
      t.deepEqual(Object.keys(mix.weights).sort(), [...OPERATION_KINDS].sort());
      t.true(Object.values(mix.weights).every((w) => Number.isInteger(w) && w >= 0) && mix.weights.map > 0);
      t.is(mix.sizes.length, SIZE_CLASSES.length);
      t.true(mix.sizes.every((s) => Number.isInteger(s) && s >= 0) && mix.sizes.some((s) => s > 0));
      t.true(operations > 0 && operations <= LIMITS.operations);
    }
  });
}

test('swarm: from one to three SMMUs, with and without range support, mixes that differ', (t) => {
  const all = draws(get('swarm'));
  t.deepEqual([...new Set(all.map((d) => d.world.smmus.length))].sort(), [1, 2, 3]);
  t.is(new Set(all.flatMap((d) => d.world.smmus.map((s) => s.range))).size, 2);
  t.deepEqual([...new Set(all.map((d) => d.world.inputBits))].sort(), [39, 48]);
  t.deepEqual([...new Set(all.map((d) => d.world.storeOrder))].sort(), ['fifo', 'reverse']);
  t.true(new Set(all.map((d) => JSON.stringify(d.mix))).size > 150);
  t.true(all.some((d) => d.world.domains.some((x) => x.mode === 'lazy')) && all.some((d) => d.world.domains.some((x) => x.mode === 'strict' && !x.managed)) && all.some((d) => d.world.devices.some((x) => x.streams.length > 1)));
});

test('swarm and lazy: most gathers are the usual ones, some are others; an mm is always strict', (t) => {
  for (const [name, styles] of [['swarm', ['io-pgtable', 'sva']], ['lazy', ['io-pgtable']]] as const) {
    const domains = draws(get(name)).flatMap((d) => d.world.domains);
    t.deepEqual([...new Set(domains.flatMap((d) => (d.gather === undefined ? [] : [d.gather])))].sort(), [...styles]);
    t.true(domains.filter((d) => d.gather !== undefined).length < domains.length / 3);
  }
});

test('gathers: every style is drawn, often beside others', (t) => {
  const all = draws(get('gathers'));
  const styles = (d: Draw): Set<string> => new Set(d.world.domains.map((x) => x.gather ?? 'iommupt'));
  t.is(new Set(all.flatMap((d) => [...styles(d)])).size, 3);
  t.true(all.filter((d) => styles(d).size > 1).length > 60);
});

for (const name of ['swarm', 'tables']) {
  test(`${name}: every planner is drawn, mostly none; DS only with ranges`, (t) => {
    const all = draws(get(name), 600);
    t.deepEqual([...new Set(all.map((d) => d.world.planner ?? 'none'))].sort(), ['none', ...PLANNER_NAMES.filter((p) => p !== 'single-range')].sort());
    t.true(all.filter((d) => d.world.planner === undefined).length > all.length / 2);
    const smmus = all.flatMap((d) => d.world.smmus);
    t.true(smmus.some((s) => s.ds === true) && smmus.every((s) => s.ds !== true || s.range));
  });

  test(`${name}: one command per page does not come along with 1 GB and more`, (t) => {
    const slow = draws(get(name), 600).filter((d) => d.world.planner === 'per-granule');
    t.true(slow.length > 5 && slow.every((d) => d.mix.sizes.slice(6).every((s) => s === 0)));
  });
}

test('noncoherent: some SMMU does not look into the caches, in half of the larger worlds beside one that does; some domain serves it', (t) => {
  const all = draws(get('noncoherent'));
  const kinds = (d: Draw): Set<boolean> => new Set(d.world.smmus.map((s) => s.coherent === false));
  t.true(all.every((d) => kinds(d).has(true) && d.world.domains[0]?.coherent === false && d.mix.weights.evict > 0));
  t.true(all.filter((d) => kinds(d).size === 2).length > 30);
  t.true(all.some((d) => d.world.domains.some((x) => x.coherent !== false)));
  t.deepEqual([...new Set(all.map((d) => d.world.eviction?.oneIn ?? 0))].sort((a, b) => a - b), [0, 1, 3, 16, 100]);
  t.is(new Set(all.map((d) => d.world.cleaner)).size, 3);
});

test('swarm: one world in eight is not coherent, and only those write lines back', (t) => {
  const all = draws(get('swarm'), 800);
  const without = all.filter((d) => d.world.smmus.some((s) => s.coherent === false));
  t.true(without.length > 60 && without.length < 140);
  t.true(all.every((d) => (d.mix.weights.evict > 0) === without.includes(d)));
});

test('the other profiles have the default planner', (t) => {
  for (const name of ['s1-4k', 'shared', 'lazy', 'gathers', 'errata']) t.true(draws(get(name)).every((d) => d.world.planner === undefined), name);
});

test('s1-4k: one SMMU with ranges, nine tenths small and one tenth blocks', (t) => {
  const { world, mix } = get('s1-4k').draw(new RandomChooser('any'));
  t.is(world.smmus.length, 1);
  t.true(world.smmus[0]?.range);
  const total = mix.sizes.reduce((a, b) => a + b, 0);
  t.is(((mix.sizes[0] ?? 0) + (mix.sizes[1] ?? 0)) / total, 0.9);
  t.is((mix.sizes[4] ?? 0) / total, 0.1);
});

test('shared: several SMMUs and few ASIDs', (t) => {
  for (const { world } of draws(get('shared'))) {
    t.true(world.smmus.length >= 2 && world.smmus.length <= 4);
    t.true(world.smmus.every((s) => s.asidMax <= 3));
  }
});

test('lazy: every domain is lazy and managed', (t) => {
  for (const { world } of draws(get('lazy'))) t.true(world.domains.every((d) => d.mode === 'lazy' && d.managed));
});

test('tables: more blocks and whole tables than usual', (t) => {
  const { mix } = get('tables').draw(new RandomChooser('any'));
  t.true((mix.sizes[4] ?? 0) > (PLAIN_MIX.sizes[4] ?? 0) && (mix.sizes[5] ?? 0) > (PLAIN_MIX.sizes[5] ?? 0));
});
