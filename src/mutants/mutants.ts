/**
 * Mutants: deliberately broken variants of the optimised driver, each one rule of it inverted. Only lockstep loads
 * them, only by name. A mutant replaces parts of the driver (for both of its forms) or filters barriers. Those of the bug zoo's class C are in
 * ranges.ts, those of cleans in cleans.ts.
 */
import { hasAddress, OP } from '../spec/command.js';
import { WHOLE_TAG, type Planner } from '../stack/planner.js';
import type { Parts } from '../optimised/driver/types.js';
import { CLEAN_MUTANTS } from './cleans.js';
import { LAZY_MUTANTS } from './lazy.js';
import { changed, filterCommands, onBatch, onPlan, type Mutant } from './mutant.js';
import { RANGE_MUTANTS } from './ranges.js';
import { SYSTEM_MUTANTS } from './systems.js';
import * as lateSteps from './sequences.steps.js';
import type { Plain } from '../stack/steps.js';

const latePlain = (await import(new URL('./sequences.plain.js', import.meta.url).href)) as Plain<typeof lateSteps>;

/** Without range support: so many single commands, where the whole tag should go. */
const UNBOUNDED = 8192;

function singlesInsteadOfAll(planner: Planner): Planner['plan'] {
  return (d, features, out) => {
    const n = planner.plan(d, features, out);
    const pages = d.last - d.first + 1;
    if (n !== WHOLE_TAG || features.range || d.all || pages > UNBOUNDED) return n;
    for (let i = 0; i < pages; i += 1) {
      const frame = d.first + i;
      out.set([0, 0, ((frame % 2 ** 20) * 4096) | (d.tables === 0 ? 1 : 0), Math.floor(frame / 2 ** 20)], i * 4);
    }
    return pages;
  };
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'missing-tlbi', found: 'fuzz', about: 'the invalidation of unmapped leaves is never issued',
    parts: onBatch((b) => { if (b.purpose === 'invalidate') filterCommands(b, (op) => op !== OP.TLBI_NH_VA); }),
  },
  {
    name: 'wrong-asid', found: 'fuzz', about: 'address invalidations carry the next ASID',
    parts: onBatch((b) => {
      for (let i = 0; i < b.count; i += 1) {
        if (!hasAddress((b.words[i * 4] as number) & 0xff)) continue;
        const asid = ((b.words[i * 4 + 1] as number) >>> 16) + 1;
        b.words[i * 4 + 1] = (asid % 256) << 16;
      }
    }),
  },
  {
    name: 'last-page-dropped', found: 'fuzz', about: 'the last page of a range of several is not invalidated (inclusive and exclusive end mixed up)',
    parts: onPlan('last page dropped', (planner) => (d, features, out) => {
      Object.assign(changed, d);
      if (changed.last > changed.first) changed.last -= 1;
      return planner.plan(changed, features, out);
    }),
  },
  {
    name: 'leaf-only-for-freed-table', found: 'fuzz', zoo: ['C17'], about: 'Leaf = 1 although a table is freed: its cached descriptor stays',
    parts: onPlan('leaf only', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      for (let i = 0; i < n; i += 1) out[i * 4 + 2] = (out[i * 4 + 2] as number) | 1;
      return n;
    }),
  },
  {
    name: 'sync-missing', found: 'fuzz', about: 'invalidations are issued without CMD_SYNC',
    parts: onBatch((b) => { if (b.purpose === 'invalidate') b.sync = false; }),
  },
  {
    name: 'tlbi-before-store', found: 'fuzz', about: 'commands overtake the stores they are about: no barrier before the TLBI',
    barriers: (site, cpu, isTable) => {
      if (site === 'before-invs') return false;
      if (site !== 'command-published') return true;
      cpu.drainOnly((slot) => !isTable(slot)); // descriptors wait, everything else goes ahead
      return false;
    },
  },
  {
    name: 'one-smmu-forgotten', found: 'fuzz', about: 'the last SMMU of a domain that several share is not told',
    parts: onBatch((b, world) => {
      if (b.purpose === 'invalidate' && world.smmus.length > 1 && b.smmu === world.smmus.length - 1) {
        b.count = 0;
        b.sync = false;
      }
    }),
  },
  {
    name: 'cfgi-missing-after-cd', found: 'fuzz', about: 'no CFGI_CD after a CD was written',
    parts: onBatch((b) => { filterCommands(b, (op) => op !== OP.CFGI_CD); }),
  },
  {
    name: 'asid-reused-without-flush', found: 'fuzz', about: 'a tag is free again without its whole-tag invalidation',
    parts: onBatch((b) => { if (b.purpose === 'tag-flush') b.count = 0; }),
  },
  {
    name: 'cfgi-missing-after-ste', found: 'fuzz', about: 'no CFGI_STE after an STE was written',
    parts: onBatch((b) => { filterCommands(b, (op) => op !== OP.CFGI_STE); }),
  },
  {
    name: 'walk-level-from-size', found: 'fuzz', about: 'a removed table is described by one table bit taken from the size of its span, as the bridge of seed 0 describes it: what hangs below it is not named',
    parts: (own) => ({
      ...own,
      describe: (gather, d) => {
        own.describe(gather, d);
        if (gather.style !== 'iommupt' || d.tables === 0) return;
        d.tables = 1 << (31 - Math.clz32(d.tables));
        d.leaves = 0;
      },
    }),
  },
  {
    name: 'table-freed-before-sync', found: 'fuzz', about: 'tables go back to the allocator before their invalidation',
    parts: (own, _world, form) => ({ ...own, flushGather: (form === 'plain' ? latePlain : lateSteps).freeBeforeFlush as Parts['flushGather'] }),
  },
  {
    name: 'single-for-populated-table', found: 'fuzz', about: 'without range support one command per removed table, although leaves were cached below it (seed 0, "only one single invalidation")',
    parts: onPlan('one single per table', (planner) => (d, features, out) => {
      if (features.range || d.tables === 0 || d.all) return planner.plan(d, features, out);
      Object.assign(changed, d);
      changed.leaves = 0;
      return planner.plan(changed, features, out);
    }),
  },
  {
    name: 'reset-without-cfgi-all', found: 'fuzz', about: 'SMMUEN is set without CFGI_ALL before it',
    parts: onBatch((b) => { if (b.purpose === 'reset') filterCommands(b, (op) => op !== OP.CFGI_STE_RANGE); }),
  },
  {
    name: 'range-without-support', found: 'fuzz', about: 'range commands go to an SMMU without range invalidation',
    parts: onPlan('range always', (planner) => (d, _features, out) => planner.plan(d, { range: true, ds: false }, out)),
  },
  {
    name: 'scale-too-large', found: 'fuzz', about: 'the bit length of n / 16, and not of (n - 1) / 32, is taken for SCALE: ranges reach twice as far',
    parts: onPlan('SCALE too large', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      for (let i = 0; i < n; i += 1) if (((out[i * 4 + 2] as number) & 0xc00) !== 0) out[i * 4] = (out[i * 4] as number) + (1 << 20);
      return n;
    }),
  },
  {
    name: 'singles-without-bound', found: 'fuzz', about: 'without range support every page has its command, however many there are',
    parts: (own) => ({ ...own, planner: { ...own.planner, name: `${own.planner.name} (no bound)`, room: Math.max(own.planner.room, UNBOUNDED), plan: singlesInsteadOfAll(own.planner) } }),
  },
  {
    name: 'flush-all-by-range', found: 'fuzz', about: 'the flush of everything is planned as a range from 0 to the first 2 MB',
    parts: onPlan('flush as range', (planner) => (d, features, out) => {
      if (!d.all) return planner.plan(d, features, out);
      Object.assign(changed, { first: 0, last: 511, leaves: 1, tables: 0, all: false });
      const n = planner.plan(changed, { range: false, ds: false }, out);
      return n === WHOLE_TAG ? n : Math.min(n, 1);
    }),
  },
  {
    name: 'entry-written-live', found: 'fuzz', about: 'a live CD gets the tables and the ASID of another domain word by word, without V = 0 between',
    parts: (own, _world, form) => ({ ...own, writeEntry: (form === 'plain' ? latePlain : lateSteps).writeLive as Parts['writeEntry'] }),
  },
  {
    name: 'sync-not-waited', found: 'fuzz', about: 'CMD_SYNC is issued, and the call returns without waiting for it',
    parts: (own, _world, form) => ({ ...own, submit: (form === 'plain' ? latePlain : lateSteps).submitWithoutWaiting as Parts['submit'] }),
  },
  {
    name: 'sync-first', found: 'fuzz', about: 'the SYNC stands in front of the commands that it should cover',
    parts: (own, _world, form) => ({ ...own, submit: (form === 'plain' ? latePlain : lateSteps).submitSyncFirst as Parts['submit'] }),
  },
  {
    name: 'wrap-bit-lost', found: 'fuzz', about: 'PROD goes back to 0 at the end of the queue without toggling its wrap bit',
    parts: (own, _world, form) => ({ ...own, submit: (form === 'plain' ? latePlain : lateSteps).submitWithoutWrap as Parts['submit'] }),
  },
  {
    name: 'full-queue-overwritten', found: 'fuzz', about: 'commands are inserted without looking for space',
    parts: (own, _world, form) => ({ ...own, submit: (form === 'plain' ? latePlain : lateSteps).submitIntoFullQueue as Parts['submit'] }),
  },
  {
    name: 'prod-before-commands', found: 'fuzz', about: 'PROD is written before the commands are visible: no barrier between them',
    barriers: (site) => site !== 'command-published',
  },
  {
    name: 'force-sync-ignored', found: 'fuzz', profile: 'errata', about: 'more than 63 commands without a SYNC on an SMMU that loses such lists',
    parts: (own, world, form) => (world.smmus.some((s) => s.forceSync === true) ? { ...own, submit: (form === 'plain' ? latePlain : lateSteps).submitLongLists as Parts['submit'] } : own),
  },
  {
    name: 'publish-after-ste', found: 'interleaving', zoo: ['A12'], about: 'the array with the new SMMU is published only after the STE',
    parts: (own, _world, form) => ({ ...own, attachSequence: (form === 'plain' ? latePlain : lateSteps).publishAfterSte as Parts['attachSequence'] }),
  },
  {
    name: 'no-barrier-before-array', found: 'interleaving', zoo: ['A13', 'D2'], about: 'no full barrier between clearing descriptors and reading the array',
    barriers: (site) => site !== 'before-invs',
  },
  ...RANGE_MUTANTS,
  ...CLEAN_MUTANTS, ...LAZY_MUTANTS,
  ...SYSTEM_MUTANTS,
];

export function findMutant(name: string): Mutant | undefined {
  return MUTANTS.find((m) => m.name === name);
}
