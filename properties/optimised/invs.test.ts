/**
 * Claims about the invalidation array, for any history of merges, unrefs and purges: it is sorted; its
 * live entries are the users that a plain count says; unref undoes merge; purge drops trash and nothing else, and twice
 * is once; unref never cuts a live entry off; the trash count is the number of entries without users; the
 * kinds that it remembers are those of its entries, exactly so in a new array.
 */
import test from 'ava';
import fc from 'fast-check';
import { arrayKinds, arrayLength, arrayTrash, entryId, entrySmmu, entryUsers, merge, purge, unref } from '../../src/optimised/driver/invs.js';
import type { Context, Tag } from '../../src/optimised/driver/types.js';
import { smallWorld } from '../../src/stack/world.js';
import { DriverRig, smmu } from '../../test/optimised/driver/rig.js';

/** SMMUs of all kinds. */
const WORLD = smallWorld({ smmus: [smmu(), smmu({ range: false }), smmu({ ds: true }), smmu()], devices: [] });

type Step = readonly ['merge' | 'unref' | 'purge', smmu: number, asid: number];

const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom('merge' as const, 'merge' as const, 'unref' as const, 'unref' as const, 'purge' as const), fc.nat(3), fc.integer({ min: 1, max: 4 }));
/** Long ones: trash in front of live entries comes late. */
const history = fc.array(step, { maxLength: 40, size: 'max' });

interface Entry { smmu: number; asid: number; users: number }

function entries(ctx: Context, array: number): Entry[] {
  return Array.from({ length: arrayLength(ctx, array) }, (_, i) => ({ smmu: entrySmmu(ctx, array, i), asid: entryId(ctx, array, i), users: entryUsers(ctx, array, i) }));
}

function live(ctx: Context, array: number): string {
  return entries(ctx, array).filter((e) => e.users > 0).map((e) => `${e.smmu}/${e.asid}x${e.users}`).join(' ');
}

/** Runs a history; `seen` looks at the array after each step. Returns the array and the plain count. */
function run(ctx: Context, steps: readonly Step[], seen: (array: number, before: string, step: Step) => void = () => undefined): { array: number; users: Map<number, number> } {
  let array = 0;
  const users = new Map<number, number>();
  for (const s of steps) {
    const [kind, smmu, asid] = s;
    const key = smmu * 100 + asid;
    const tag: Tag = { smmu, asid, fresh: false };
    const before = live(ctx, array);
    const n = users.get(key) ?? 0;
    if (kind === 'merge') {
      array = merge(ctx, array, tag);
      users.set(key, n + 1);
    } else if (kind === 'unref' && n > 0) {
      unref(ctx, array, tag);
      users.set(key, n - 1);
    } else if (kind === 'purge') {
      const purged = purge(ctx, array);
      if (purged >= 0) array = purged;
    }
    seen(array, before, s);
  }
  return { array, users };
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

test('live entries are the plain count, sorted by SMMU and id', (t) => {
  t.notThrows(holds((ctx, steps) => {
    const { array, users } = run(ctx, steps);
    const wanted = [...users].filter(([, n]) => n > 0).sort((a, b) => a[0] - b[0]).map(([key, n]) => `${Math.floor(key / 100)}/${key % 100}x${n}`);
    return live(ctx, array) === wanted.join(' ');
  }));
});

test('trash among them keeps the order, and is counted', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array) => {
      const all = entries(ctx, array);
      ok &&= all.every((e, i) => i === 0 || (all[i - 1] as Entry).smmu * 100 + (all[i - 1] as Entry).asid < e.smmu * 100 + e.asid);
      ok &&= all.filter((e) => e.users === 0).length === arrayTrash(ctx, array);
    });
    return ok;
  }));
});

test('unref takes back what merge gave', (t) => {
  t.notThrows(holds((ctx, steps) => {
    const { array } = run(ctx, steps);
    const before = live(ctx, array);
    const tag: Tag = { smmu: 1, asid: 2, fresh: false };
    const merged = merge(ctx, array, tag);
    unref(ctx, merged, tag);
    return live(ctx, merged) === before && live(ctx, array) === before;
  }));
});

test('merge and purge leave no trash, and purge loses nobody', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, before, [kind]) => {
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
    run(ctx, steps, (array, _before, [kind]) => { if (kind === 'unref') ok &&= arrayLength(ctx, array) === 0 || (entries(ctx, array).at(-1) as Entry).users > 0; });
    return ok;
  }));
});

test('the kinds are those of the live entries, and after unref perhaps of some that were', (t) => {
  t.notThrows(holds((ctx, steps) => {
    let ok = true;
    run(ctx, steps, (array, _before, [kind]) => {
      const kinds = entries(ctx, array).filter((e) => e.users > 0).reduce((bits, e) => bits | (1 << (ctx.state.smmus[e.smmu]?.kind ?? 0)), 0);
      const known = arrayKinds(ctx, array);
      ok &&= kind === 'merge' ? known === kinds : (known & kinds) === kinds;
    });
    return ok;
  }));
});
