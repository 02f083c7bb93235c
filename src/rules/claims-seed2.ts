/**
 * Claims of seed 2, ".iotlb_sync_map": deferred cache maintenance of page tables, and of its reviewers. What is wrong with the walk as it was posted
 * is in corpus/tables/seed-2.md (rows S2-17 to S2-19 say what holds of it and what does not).
 */
import { by, line, type Claim } from './claim.js';

const CLEANERS_TEST = 'test/optimised/tables/cleaners/cleaners.test.ts';
const DEFERRED_TEST = 'test/optimised/tables/deferred.test.ts';
const INSTALL_TEST = 'test/optimised/tables/install.test.ts';
const LISTS_TEST = 'test/compare/cleaning/lists.test.ts';
const SEARCH_TEST = 'test/compare/cleaning/search.test.ts';
const COHERENCY_TEST = 'test/rules/coherency.test.ts';
const VIEW_TEST = 'test/memory/walker-view.test.ts';
const VIEW = 'src/memory/walker-view.ts';
const WALK = 'src/optimised/tables/walk.steps.ts';
const PARTS = 'src/optimised/tables/parts.steps.ts';
const TABLE = 'src/optimised/tables/page-table.ts';
const VISITOR = 'src/optimised/tables/visitor.ts';
const CLEANERS = 'src/optimised/tables/cleaners/cleaners.ts';
const EAGER = 'src/optimised/tables/cleaners/eager.ts';
const POSTED = 'src/optimised/tables/cleaners/posted-walk.ts';
const POSTED_INDEX = 'src/optimised/tables/cleaners/posted-index.ts';
const RANGE_VISITOR = 'src/optimised/tables/cleaners/range-visitor.ts';
const MAP_SG = 'src/optimised/tables/cleaners/map-sg.ts';
const RUNS = 'src/optimised/tables/cleaners/runs.ts';
const PERFORM = 'src/optimised/driver/perform.steps.ts';

export const SEED2: readonly Claim[] = [
  {
    id: 'S2-1', claim: 'without cache maintenance a non-coherent walker reads descriptors that are not there any more',
    decidedBy: [
      by([VIEW_TEST, 'a store to a table reaches the walker when its line is cleaned, and not before'], line(VIEW, 'this.#soil(Math.floor(ref / LINE_WORDS), false);', 'this.#writeBack(Math.floor(ref / LINE_WORDS));'), ['rule table-coherency', 'mutant clear-not-cleaned']),
      by([COHERENCY_TEST, 'the other rules judge what the walker sees'], line(VIEW, 'this.#soil(Math.floor(ref / LINE_WORDS), false);', 'this.#writeBack(Math.floor(ref / LINE_WORDS));')),
    ],
  },
  {
    id: 'S2-2', claim: 'eager cleaning cleans a line once for each PTE in it',
    decidedBy: [
      by([LISTS_TEST, '512 pages: eager cleans each line eight times, every other way once'], line(EAGER, 'cost.lines += room.cpu.clean(ref, count, \'leaves\');', 'if (ref % 8 === 0) cost.lines += room.cpu.clean(ref, count, \'leaves\');')),
    ],
  },
  {
    id: 'S2-3', claim: 'deferred cleaning: map cleans no leaf, sync_map cleans about every touched line once',
    decidedBy: [
      by([CLEANERS_TEST, 'deferred cleaners clean nothing before the range is synced'], line(POSTED, 'clean(w, ref + first + done, count - done);', 'for (let i = done; i < count; i += 1) clean(w, ref + first + i, 1);')),
      by([LISTS_TEST, '512 pages: eager cleans each line eight times, every other way once'], line(POSTED, 'clean(w, ref + first + done, count - done);', 'for (let i = done; i < count; i += 1) clean(w, ref + first + i, 1);'), ['rule clean-bound']),
    ],
  },
  {
    id: 'S2-4', claim: 'a flag of the configuration asks for deferral',
    decidedBy: [
      by([DEFERRED_TEST, 'each name makes the cleaner of that name, deferred or not'], line(CLEANERS, 'return MADE[name]();', 'return MADE.eager();')),
    ],
  },
  {
    id: 'S2-5', claim: 'sync_map is called for the whole range after a series of maps',
    decidedBy: [
      by([DEFERRED_TEST, 'a list syncs all that was mapped of it, at its end'], line(PARTS, 'yield* syncMap(room, op.iova, done);', 'yield* syncMap(room, op.iova, done - room.shape.granule);'), ['rule table-coherency', 'mutant sync-map-without-last-page']),
    ],
  },
  {
    id: 'S2-6', claim: 'its walk cleans every changed leaf, blocks as well',
    decidedBy: [
      by([CLEANERS_TEST, 'leaves of every level are cleaned'], line(POSTED, 'clean(w, ref + first + done, count - done);', 'if (level === 3) clean(w, ref + first + done, count - done);')),
    ],
  },
  {
    id: 'S2-7', claim: 'publishing a table stays eager',
    decidedBy: [
      by([DEFERRED_TEST, 'new tables and pointers to them are visible before anything is synced'], line(WALK, 'cleanUpkeep(room, fresh * 512, room.shape.entries, \'new-table\');'), ['rule publication', 'mutant table-pointer-not-cleaned', 'mutant new-table-not-cleaned']),
    ],
  },
  {
    id: 'S2-8', claim: 'unmapping stays eager',
    decidedBy: [
      by([DEFERRED_TEST, 'what unmap clears is gone for the walker when it returns, whoever cleans leaves'], line(WALK, 'cleanUpkeep(room, ref, count, \'cleared\');'), ['rule table-coherency', 'mutant clear-not-cleaned']),
    ],
  },
  {
    id: 'S2-9', claim: 'coherent tables have no such operation',
    decidedBy: [
      by([DEFERRED_TEST, 'a coherent table has no sync, and its cleaner is never called'], line(TABLE, 'if (this.room.coherent) return null;')),
    ],
  },
  {
    id: 'S2-10', claim: 'without the operation the wrapper succeeds; its errors are not lost',
    decidedBy: [
      by([DEFERRED_TEST, 'sync-map of a coherent table succeeds and does nothing; what is wrong with a range is told'], line(PARTS, 'room.stop = iova + size > inputEnd ? \'out-of-range\' : \'ok\';', 'room.stop = \'ok\';')),
    ],
  },
  {
    id: 'S2-11', claim: 'coherent domains are given a table of operations without it when they are made',
    decidedBy: [
      by([DEFERRED_TEST, 'a coherent table has no sync, and its cleaner is never called'], line(PARTS, 'if (room.coherent) return;')),
    ],
  },
  {
    id: 'S2-12', claim: 'coherent and non-coherent SMMUs work in one system',
    decidedBy: [
      by([COHERENCY_TEST, 'mixed: what is cleaned serves both kinds of SMMU; what is not, coherent ones alone'], line(PERFORM, 'if (!ctx.parts.canShare(ctx, dev, to)) return \'incompatible\';', ''), ['mutant coherent-domain-shared']),
    ],
  },
  { id: 'S2-13', claim: 'a recursive walk must not bury errors', documentation: 'a style of C; lost errors would be differences of api-result' },
  {
    id: 'S2-14', claim: 'a generic visitor of one PTE a call cannot batch; one of ranges can',
    decidedBy: [
      by([LISTS_TEST, 'the posted walk and the visitor give the same lines in as many calls where the walk is right'], line(RANGE_VISITOR, 'cost.descriptors += visitLeaves(room, iova, size, (ref, count) => { runs.add(room, ref, count, clean); });', 'cost.descriptors += visitLeaves(room, iova, size, (ref, count) => { for (let i = 0; i < count; i += 1) clean(ref + i, 1); });')),
      by([CLEANERS_TEST, 'blocks between tables: the visitor and map-sg clean the line of the blocks once, the posted walk once for each run'], line(RUNS, 'if (ref >= end && Math.floor(ref / LINE_WORDS) - Math.floor((end - 1) / LINE_WORDS) <= 1) from = run;', 'if (ref === end) from = run;')),
    ],
  },
  {
    id: 'S2-15', claim: 'map_sg as the alternative: one walk over a scatter list',
    decidedBy: [
      by([LISTS_TEST, 'walks add up with the pieces, except for map-sg, which walks once for each table'], line(MAP_SG, 'name: \'map-sg\', about: \'each run of leaves in one table once, at the end of the run or of the call\', deferred: false, oneWalk: true, cost,', 'name: \'map-sg\', about: \'\', deferred: false, oneWalk: false, cost,')),
    ],
  },
  {
    id: 'S2-16', claim: 'the overhead of each call may add up in scatter lists',
    decidedBy: [
      by([LISTS_TEST, 'walks add up with the pieces, except for map-sg, which walks once for each table'], line(WALK, 'room.cleaner.cost.walks += 1;')),
    ],
  },
  {
    id: 'S2-17', claim: 'the walk is complete for every geometry of tables: true of the reviewers’ two, not of the walk as posted, which is complete where the root has as many entries as any table',
    decidedBy: [
      by([SEARCH_TEST, 'in every kind of geometry the visitor, map-sg and eager leave nothing stale'], line(VISITOR, 'const to = Math.min(entries, Math.ceil((v.end - page.base) / span));', 'const to = Math.min(shape.entries, Math.ceil((v.end - page.base) / span));')),
      by([SEARCH_TEST, 'the posted walk, concatenated root: what lies behind the first table is not cleaned'], line(POSTED_INDEX, 'return end >= first && end - first < left ? end - first : left;', 'return end >= first ? end - first : left;')),
      by([SEARCH_TEST, 'the posted walk, short root: stale pages, lines too many, warnings, foreign tables'], line(POSTED_INDEX, 'return entryBits(s.tg, level - 1) + rootExcess(s, level - 1);', 'return entryBits(s.tg, level - 1) + rootExcess(s, level);')),
      by([SEARCH_TEST, 'the posted walk is right where the root is full'], line(POSTED, 'passed = span;', 'passed = 0;')),
    ],
  },
  {
    id: 'S2-18', claim: 'the walk touches nothing outside of its range and is not disturbed by holes: true of the visitor; the walk as posted warns of holes, and enters foreign tables where the root is short or concatenated',
    decidedBy: [
      by([SEARCH_TEST, 'the visitor touches nothing outside of its range, cleans no line too many, and never warns'], line(VISITOR, 'const from = Math.max(0, Math.floor((v.first - page.base) / span));', 'const from = 0;')),
      by([CLEANERS_TEST, 'the posted walk warns of holes above level 3, of empty ranges, and of every address of the upper half'], line(POSTED, 'if (lo === 0 && hi === 0) w.cost.warnings += 1;')),
    ],
  },
  {
    id: 'S2-19', claim: 'addresses of the upper half are taken: true of the visitor; the walk as posted warns of each, and leaves a short root',
    decidedBy: [
      by([SEARCH_TEST, 'the posted walk, upper half: it warns of every address, and leaves a short root'], line(POSTED, 'if (iova >= room.shape.inputEnd || room.geometry.half === \'upper\') cost.warnings += 1;')),
    ],
  },
  {
    id: 'S2-20', claim: 'hardware may use a mapping after sync_map only; before, it may fault and never mistranslate',
    decidedBy: [
      by([DEFERRED_TEST, 'before its sync a page is seen right or not at all, also where a table lies in a page that was one before'], line(WALK, 'cleanUpkeep(room, fresh * 512, room.shape.entries, \'new-table\');'), ['rule publication', 'rule translation-equivalence', 'mutant new-table-not-cleaned']),
    ],
  },
  {
    id: 'S2-21', claim: 'a map that failed and was undone leaves no PTE that reached memory',
    decidedBy: [
      by([DEFERRED_TEST, 'a list that fails half-way leaves visible what it mapped, and after its unmap nothing that is valid'], line(WALK, 'cleanUpkeep(room, ref, count, \'cleared\');'), ['rule table-coherency']),
    ],
  },
  {
    id: 'S2-22', claim: 'concurrent maps that share a line or a fresh table stay right',
    decidedBy: [
      by([INSTALL_TEST, 'io-pgtable: both pages are there, the walker sees them, and no table is lost, in every order'], line(WALK, 'const won = room.cpu.compareExchange(ref, 0, 0, tableLow(fresh), tableHigh(fresh));', 'room.cpu.store(ref, tableLow(fresh), tableHigh(fresh)); const won = true;'), ['rule publication']),
      by([DEFERRED_TEST, 'two maps that share a line: each leaves its own page visible when it is synced, and a stale neighbour cleans nothing away'], line(VIEW, 'for (let ref = line * LINE_WORDS; ref < (line + 1) * LINE_WORDS; ref += 1) this.memory.commit(ref, this.#cpu.lo[ref] as number, this.#cpu.hi[ref] as number);', 'this.memory.commit(line * LINE_WORDS, this.#cpu.lo[line * LINE_WORDS] as number, this.#cpu.hi[line * LINE_WORDS] as number);')),
    ],
  },
];
