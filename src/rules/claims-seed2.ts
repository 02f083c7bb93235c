/**
 * Claims of seed 2, ".iotlb_sync_map": deferred cache maintenance of page tables. Rows that later work decides are not built yet.
 */
import type { Claim } from './claim.js';

export const SEED2: readonly Claim[] = [
  { id: 'S2-1', claim: 'without cache maintenance a non-coherent walker reads descriptors that are not there any more', unbuilt: true },
  { id: 'S2-2', claim: 'eager cleaning cleans a line once for each PTE in it', unbuilt: true },
  { id: 'S2-3', claim: 'deferred cleaning: map cleans no leaf, sync_map cleans about every touched line once', unbuilt: true },
  { id: 'S2-4', claim: 'a flag of the configuration asks for deferral', unbuilt: true },
  { id: 'S2-5', claim: 'sync_map is called for the whole range after a series of maps', unbuilt: true },
  { id: 'S2-6', claim: 'its walk cleans every changed leaf, blocks as well', unbuilt: true },
  { id: 'S2-7', claim: 'publishing a table stays eager', unbuilt: true },
  { id: 'S2-8', claim: 'unmapping stays eager', unbuilt: true },
  { id: 'S2-9', claim: 'coherent tables have no such operation', unbuilt: true },
  { id: 'S2-10', claim: 'without the operation the wrapper succeeds; its errors are not lost', unbuilt: true },
  { id: 'S2-11', claim: 'coherent domains are given a table of operations without it when they are made', unbuilt: true },
  { id: 'S2-12', claim: 'coherent and non-coherent SMMUs work in one system', unbuilt: true },
  { id: 'S2-13', claim: 'a recursive walk must not bury errors', documentation: 'a style of C; lost errors would be differences of api-result' },
  { id: 'S2-14', claim: 'a generic visitor of one PTE a call cannot batch; one of ranges can', unbuilt: true },
  { id: 'S2-15', claim: 'map_sg as the alternative: one walk over a scatter list', unbuilt: true },
  { id: 'S2-16', claim: 'the overhead of each call may add up in scatter lists', unbuilt: true },
  { id: 'S2-17', claim: 'the walk is complete for every geometry of tables', unbuilt: true },
  { id: 'S2-18', claim: 'the walk touches nothing outside of its range and is not disturbed by holes', unbuilt: true },
  { id: 'S2-19', claim: 'addresses of the upper half are taken', unbuilt: true },
  { id: 'S2-20', claim: 'hardware may use a mapping after sync_map only; before, it may fault and never mistranslate', unbuilt: true },
  { id: 'S2-21', claim: 'a map that failed and was undone leaves no PTE that reached memory', unbuilt: true },
  { id: 'S2-22', claim: 'concurrent maps that share a line or a fresh table stay right', unbuilt: true },
];
