/**
 * Table mutants: deliberately broken variants of the page-table library, each one rule of it inverted: a part replaced, a clean or a barrier left
 * out, a live change without a break. Only lockstep loads them, only by name.
 */
import type { BarrierSite, CleanSite } from '../memory/cpu.js';
import type { TableForm } from '../optimised/tables/page-table.js';
import type { FlushReason, TableGather, TableParts, TableRoom } from '../optimised/tables/room.js';
import { stage1StartLevel } from '../spec/granule.js';
import type { TableOperation } from '../stack/page-table.js';
import type { Plain, Steps } from '../stack/steps.js';
import { mergeLive, moveLive, splitLive, unmarkLive } from './table-live.js';
import * as inSteps from './table-sequences.steps.js';

const inPlain = (await import(new URL('./table-sequences.plain.js', import.meta.url).href)) as Plain<typeof inSteps>;

type CleanFilter = (site: CleanSite, ref: number, words: number) => 'whole' | 'none' | 'early' | 'short';

export interface TableMutant {
  readonly name: string;
  readonly about: string;
  /** The family of worlds that shows it soonest, when that is not `any`. */
  readonly profile?: string;
  /** Rows of the bug zoo (bugs that real drivers had) that it stands for. */
  readonly zoo?: readonly string[];
  readonly parts?: (own: TableParts, form: TableForm) => Partial<TableParts>;
  /** Made anew for each CPU. */
  readonly cleans?: () => CleanFilter;
  readonly barriers?: (site: BarrierSite) => boolean;
  /** Done in front of each call that runs alone. */
  readonly before?: (room: TableRoom, op: TableOperation) => void;
}

const LEAVES: readonly CleanSite[] = ['leaves', 'sync-map'];

function without(...sites: readonly CleanSite[]): NonNullable<TableMutant['cleans']> {
  return () => (site) => (sites.includes(site) ? 'none' : 'whole');
}

/** The parts of both forms; those of the plain form return what they return, at once. */
function sequence<K extends keyof TableParts>(part: K, name: keyof typeof inSteps): NonNullable<TableMutant['parts']> {
  return (_own, form) => ({ [part]: (form === 'plain' ? inPlain : inSteps)[name] });
}

function* nothing(): Steps<void> {
  // in steps: none
}

/** Flushes for which `not` says so are left out, tables and all. */
function unflushed(not: (why: FlushReason, gather: TableGather) => boolean): NonNullable<TableMutant['parts']> {
  return (own, form) => ({
    retire: (room, gather, why) => {
      if (!not(why, gather)) return own.retire(room, gather, why);
      const { neverFlushed } = form === 'plain' ? inPlain : inSteps;
      return neverFlushed(room, gather) as Steps<void>;
    },
  });
}

/** The root is clean, tables below it are not. */
function belowTheRoot(): CleanFilter {
  let root = true;
  return (site) => {
    if (site !== 'new-table') return 'whole';
    const how = root ? 'whole' : 'none';
    root = false;
    return how;
  };
}

/** Only what a CPU installs itself is cleaned: a pointer that it finds is taken for clean. */
function foundPointersUnclean(): CleanFilter {
  let last: CleanSite = 'leaves';
  return (site) => {
    const own = site !== 'table-pointer' || last === 'new-table';
    last = site;
    return own ? 'whole' : 'none';
  };
}

function live(change: (room: TableRoom, iova: number) => void): NonNullable<TableMutant['before']> {
  return (room, op) => { if (op.op === 'read-dirty') change(room, op.iova); };
}

/** Tables and gathers. */
const TABLES: readonly TableMutant[] = [
  {
    name: 'gather-from-zero-lost', zoo: ['G5'], about: 'a gather that begins at address 0 counts as empty: what it held is not invalidated',
    parts: (own) => ({ widen: (gather, first, end) => { if (gather.first === 0) gather.pending = false; own.widen(gather, first, end); } }),
  },
  {
    name: 'gather-without-last-page', zoo: ['G3'], about: 'the end of a gather, exclusive, is taken for inclusive twice: its last granule is missing',
    parts: (own) => ({ widen: (gather, first, end) => { own.widen(gather, first, end); if (gather.last - 16 > gather.first) gather.last -= 16; else gather.last = gather.first; } }),
  },
  { name: 'gather-never-flushed', zoo: ['G1'], about: 'what unmap took away is never invalidated', parts: unflushed((why) => why === 'gather') },
  { name: 'block-over-table', zoo: ['G6'], about: 'a block is written over a table that is neither flushed nor freed (io-pgtable)', parts: sequence('takeTable', 'leftInPlace') },
  { name: 'replaced-table-unflushed', zoo: ['G6'], about: 'a block is written over an emptied table, which is freed without a flush (iommupt)', parts: unflushed((why) => why === 'replaced') },
  { name: 'walk-flush-missing', about: 'a table is taken out and freed without its walk flush (io-pgtable)', parts: unflushed((why) => why === 'walk') },
  { name: 'table-freed-before-flush', zoo: ['G11'], about: 'tables go back to the allocator before their flush', parts: sequence('retire', 'freedBeforeFlush') },
  { name: 'leaf-taken-for-table', zoo: ['G8'], about: 'a block is followed as if it were a table', parts: () => ({ isTable: (_lo, level) => level < 3 }) },
  {
    name: 'entries-from-root-start', zoo: ['G9'],
    about: 'entries left in a table are counted from the start of a concatenated root: beyond its first table none are left',
    parts: () => ({ entriesLeft: (shape, index) => shape.entries - index }),
  },
  { name: 'not-concatenated', zoo: ['G10'], about: 'no concatenation, not even where it is mandatory', parts: () => ({ startLevel: (g) => stage1StartLevel(g.tg, g.inputBits) }) },
  { name: 'run-cut', profile: 'runs', zoo: ['G19'], about: 'a part of a contiguous run is taken away, and the rest keeps its mark', parts: () => ({ cutsRun: () => false }) },
  { name: 'lookup-outside', zoo: ['G21'], about: 'addresses outside of the table are not refused', parts: () => ({ outside: () => false }) },
  { name: 'full-table-empty', about: 'a table with pages in it counts as empty, and a block is written over it (iommupt)', parts: () => ({ isEmpty: () => true }) },
  { name: 'flush-without-barrier', about: 'the invalidation overtakes the stores that it is about', barriers: (site) => site !== 'before-invs' },
  { name: 'map-without-barrier', profile: 'coherent', about: 'map returns while its leaves wait in the store buffer', barriers: (site) => site !== 'map-done' },
];

/** Walkers that do not see the CPU's cache. */
const CLEANS: readonly TableMutant[] = [
  { name: 'pointer-not-cleaned', profile: 'noncoherent', about: 'the pointer to a new table is not cleaned', cleans: without('table-pointer') },
  { name: 'contents-not-cleaned', profile: 'noncoherent', zoo: ['G16'], about: 'a new table is not cleaned before its pointer is stored', cleans: belowTheRoot },
  { name: 'cleared-not-cleaned', profile: 'noncoherent', about: 'what is cleared is not cleaned: the walker still reads it', cleans: without('cleared') },
  { name: 'leaves-not-cleaned', profile: 'noncoherent', about: 'leaves are never cleaned', cleans: without(...LEAVES) },
  { name: 'leaves-clean-short', profile: 'noncoherent', about: 'the clean of leaves leaves out its last line', cleans: () => (site) => (LEAVES.includes(site) ? 'short' : 'whole') },
  { name: 'cleaned-too-early', profile: 'noncoherent', about: 'lines are cleaned before the stores to them have left the store buffer', cleans: () => () => 'early' },
  { name: 'marked-before-clean', profile: 'together', zoo: ['G16'], about: 'SW_SYNC is set before the pointer is clean: another CPU relies on it', parts: sequence('install', 'markedBeforeClean') },
  { name: 'loser-keeps-table', profile: 'together', about: 'who loses the compare-exchange goes on with a table that nobody points to', parts: sequence('install', 'loserKeepsTable') },
  { name: 'pointer-by-store', profile: 'together', about: 'the pointer to a new table is stored without compare-exchange: the table of another CPU is lost', parts: sequence('install', 'installByStore') },
  { name: 'found-pointer-unclean', profile: 'together', zoo: ['G16'], about: 'a pointer without SW_SYNC is used and not cleaned: the CPU that made it may not have come to it', cleans: foundPointersUnclean },
];

/** Written pages. */
const DIRTY: readonly TableMutant[] = [
  { name: 'dirty-not-flushed', profile: 'dirty', about: 'pages are marked clean and nothing is flushed: a cached entry lets writes pass that mark nothing', parts: (own, form) => ({
    retire: (room, gather, why) => (why !== 'dirty' ? own.retire(room, gather, why) : (form === 'plain' ? undefined : nothing()) as Steps<void>),
  }) },
  { name: 'cleared-before-read', profile: 'dirty', about: 'pages are marked clean, and only then looked at', parts: (own) => ({
    anyDirty: (room, found) => {
      for (let i = 0; i < found.entries; i += 1) own.markClean(room, found.ref + i);
      return own.anyDirty(room, found);
    },
  }) },
  { name: 'stage-1-dirty-bit', profile: 'dirty', about: 'stage 2 is asked for the dirty bit of stage 1 (AP[2] for S2AP[1])', parts: (own) => ({ isDirty: (_stage, lo, hi) => own.isDirty(1, lo, hi) }) },
  { name: 'first-member-only', profile: 'dirty', about: 'of a contiguous run only the first member is asked whether it was written', parts: (own) => ({
    anyDirty: (room, found) => own.anyDirty(room, { ...found, entries: 1 }),
  }) },
  { name: 'last-member-missing', profile: 'dirty', about: 'the last member of a contiguous run is not asked (inclusive and exclusive end mixed up)', parts: (own) => ({
    anyDirty: (room, found) => own.anyDirty(room, { ...found, entries: Math.max(1, found.entries - 1) }),
  }) },
  { name: 'dbm-lost', profile: 'dirty', about: 'the attributes of a leaf are derived without DBM: it is read-only for good', parts: (own) => ({ leafHigh: (g, prot, run) => own.leafHigh({ ...g, dirty: false }, prot, run) }) },
  { name: 'never-marked-clean', profile: 'dirty', about: 'written pages are reported and not marked clean', parts: () => ({ markClean: () => undefined }) },
];

/** Break-before-make. */
const LIVE: readonly TableMutant[] = [
  { name: 'block-split-live', profile: 'live', about: 'a block that is in use becomes a table without a break (allowed at BBML 2)', before: live((room, iova) => { splitLive(room, iova, false); }) },
  { name: 'block-split-nt', profile: 'live', about: 'the same with nT set before (allowed at BBML 1 and 2)', before: live((room, iova) => { splitLive(room, iova, true); }) },
  { name: 'table-merged-live', profile: 'live', about: 'a table that is in use becomes a block without a break (allowed at BBML 2)', before: live(mergeLive) },
  { name: 'moved-live', profile: 'live', about: 'the output address of a leaf changes without a break (never allowed)', before: live(moveLive) },
  { name: 'run-unmarked-live', profile: 'live', about: 'the Contiguous bit of one member of a run changes without a break (allowed at BBML 1 and 2)', before: live(unmarkLive) },
];

export const TABLE_MUTANTS: readonly TableMutant[] = [...TABLES, ...CLEANS, ...DIRTY, ...LIVE];

export function findTableMutant(name: string): TableMutant | undefined {
  return TABLE_MUTANTS.find((m) => m.name === name);
}
