/**
 * Claims about the invalidation array, for any history of merges, unrefs and purges: it is sorted; its
 * live entries are the users that a plain count says; unref undoes merge; purge drops trash and nothing else, and twice
 * is once; unref never cuts a live entry off; the trash count is the number of entries without users; the
 * kinds that it remembers are those of its entries, exactly so in a new array.
 */
import test from 'ava';
import fc from 'fast-check';
import { arrayHasAts, arrayKinds, arrayLength, arrayTrash, entryKey, entryUsers, merge, purge, unref } from '../../src/optimised/driver/invs.js';
import type { Context } from '../../src/optimised/driver/types.js';
import { InvalidationMultiset } from '../../src/reference/driver/invalidation-multiset.js';
import { compareInv, INV_TYPES, isAts, type InvKey } from '../../src/stack/invalidation-array.js';
import { smallWorld } from '../../src/stack/world.js';
import { DriverRig, smmu } from '../../test/optimised/driver/rig.js';

/** SMMUs of all kinds. */
const WORLD = smallWorld({ smmus: [smmu(), smmu({ range: false }), smmu({ ds: true }), smmu()], devices: [] });

/** What one master adds: a tag, and perhaps more behind it; ids repeat often, also within one list. */
const key: fc.Arbitrary<InvKey> = fc.record({ type: fc.constantFrom(...INV_TYPES), id: fc.integer({ min: 1, max: 4 }), ssid: fc.nat(1) })
  .map((k) => ({ smmu: 0, type: k.type, id: k.id, ssid: isAts(k.type) ? k.ssid : 0 }));
const list: fc.Arbitrary<readonly InvKey[]> = fc.tuple(fc.nat(3), fc.array(key, { minLength: 1, maxLength: 4 }))
  .map(([smmuOf, keys]) => keys.map((k) => ({ ...k, smmu: smmuOf })).sort(compareInv));

/** unref takes the list back that was merged so many merges ago. */
type Step = { readonly kind: 'merge'; readonly keys: readonly InvKey[] } | { readonly kind: 'unref'; readonly which: number } | { readonly kind: 'purge' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: list.map((keys): Step => ({ kind: 'merge', keys })) },
  { weight: 2, arbitrary: fc.nat(9).map((which): Step => ({ kind: 'unref', which })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'purge' }) },
);
/** Long ones: trash in front of live entries comes late. */
const history = fc.array(step, { maxLength: 30, size: 'max' });

interface Entry { readonly key: InvKey; readonly users: number }

function entries(ctx: Context, array: number): Entry[] {
  return Array.from({ length: arrayLength(ctx, array) }, (_, i) => ({ key: entryKey(ctx, array, i), users: entryUsers(ctx, array, i) }));
}

const nameOf = (k: InvKey): string => `${k.smmu} ${k.type} ${k.id} ${k.ssid}`;

/** Live users by key, whatever the number of entries that they stand in. */
function live(ctx: Context, array: number): string {
  const users = new Map<string, number>();
  for (const e of entries(ctx, array)) if (e.users > 0) users.set(nameOf(e.key), (users.get(nameOf(e.key)) ?? 0) + e.users);
  return [...users].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([k, n]) => `${k} x${n}`).join(', ');
}

function wanted(reference: InvalidationMultiset): string {
  return reference.contents().map((e) => `${nameOf(e.key)} x${e.users}`).join(', ');
}

/** Runs a history on both; `seen` looks at the array after each step. */
function run(ctx: Context, steps: readonly Step[], seen: (array: number, before: string, step: Step) => void = () => undefined): { array: number; reference: InvalidationMultiset } {
  let array = 0;
  const reference = new InvalidationMultiset();
  const merged: (readonly InvKey[])[] = [];
  for (const s of steps) {
    const before = live(ctx, array);
    if (s.kind === 'merge') {
      array = merge(ctx, array, s.keys);
      reference.add(s.keys);
      merged.push(s.keys);
    } else if (s.kind === 'unref' && merged.length > 0) {
      const [keys] = merged.splice(s.which % merged.length, 1) as [readonly InvKey[]];
      unref(ctx, array, keys);
      reference.remove(keys);
    } else if (s.kind === 'purge') {
      const purged = purge(ctx, array);
      if (purged >= 0) array = purged;
    }
    seen(array, before, s);
  }
  return { array, reference };
}

function holds(claim: (ctx: Context, steps: readonly Step[]) => boolean): () => void {
  const { ctx } = new DriverRig(WORLD);
  return () => {
    fc.assert(fc.property(history, (steps) => {
      const mark = ctx.state.pages.memory.journal.mark();
      ctx.state.pages.memory.journal.recording = true;
      const ok = claim(ctx, steps);
      ctx.cpu.drainAll();
      ctx.state.pages.memory.journal.undo(mark); // the heap is small: start over for each history
      return ok;
    }), { numRuns: 150, seed: 21 });
  };
}

test('the array and the multiset tell the same, after every step', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    const same: string[] = [];
    const { array, reference } = run(ctx, steps, (now) => { same.push(live(ctx, now)); });
    ok &&= live(ctx, array) === wanted(reference);
    for (let n = 1; n <= steps.length; n += 7) ok &&= wanted(run(ctx, steps.slice(0, n)).reference) === same[n - 1];
    return ok;
  }));
});

test('entries are sorted, trash among them, and trash is counted', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array) => {
      const all = entries(ctx, array);
      ok &&= all.every((e, i) => i === 0 || compareInv((all[i - 1] as Entry).key, e.key) <= 0);
      ok &&= all.filter((e) => e.users === 0).length === arrayTrash(ctx, array);
    });
    return ok;
  }));
});

test('unref takes back what merge gave', (t) => {
  t.notThrows(holds((ctx, steps) => {
    const { array } = run(ctx, steps);
    const before = live(ctx, array);
    const keys: readonly InvKey[] = [{ smmu: 1, type: 's1-tag', id: 2, ssid: 0 }, { smmu: 1, type: 'ats', id: 2, ssid: 1 }, { smmu: 1, type: 'ats', id: 2, ssid: 1 }];
    const merged = merge(ctx, array, keys);
    unref(ctx, merged, keys);
    return live(ctx, merged) === before && live(ctx, array) === before;
  }));
});

test('ATCs are told exactly when somebody has one, in an array as it is published', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, _before, s) => {
      const has = entries(ctx, array).some((e) => e.users > 0 && isAts(e.key.type));
      ok &&= s.kind === 'merge' ? arrayHasAts(ctx, array) === has : !has || arrayHasAts(ctx, array);
    });
    return ok;
  }));
});

test('merge and purge leave no trash, and purge loses nobody', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, before, { kind }) => {
      if (kind === 'merge') ok &&= arrayTrash(ctx, array) === 0;
      if (kind === 'purge') ok &&= arrayTrash(ctx, array) === 0 && live(ctx, array) === before;
    });
    return ok;
  }));
});

test('purging twice is purging once', (t) => {
  t.notThrows(holds((ctx, steps) => {
    const { array } = run(ctx, steps);
    const purged = purge(ctx, array);
    return purged < 0 ? arrayTrash(ctx, array) === 0 || arrayLength(ctx, array) === 0 : purge(ctx, purged) < 0;
  }));
});

test('an array ends with a live entry, or is empty', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, _before, { kind }) => { if (kind === 'unref') ok &&= arrayLength(ctx, array) === 0 || (entries(ctx, array).at(-1) as Entry).users > 0; });
    return ok;
  }));
});

test('the kinds are those of the live entries, and after unref perhaps of some that were', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, _before, { kind }) => {
      const kinds = entries(ctx, array).filter((e) => e.users > 0).reduce((bits, e) => bits | (1 << (ctx.state.smmus[e.key.smmu]?.kind ?? 0)), 0);
      const known = arrayKinds(ctx, array);
      ok &&= kind === 'merge' ? known === kinds : (known & kinds) === kinds;
    });
    return ok;
  }));
});
