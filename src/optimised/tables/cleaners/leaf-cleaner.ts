/**
 * Leaf cleaner: a cleaner that needs of a table's room only what it says here, so that it can be given tables that the library did not make.
 */
import type { Cleaner, TableCpu, TableParts, TableRoom } from '../room.js';

/** It reads and cleans, and writes nothing. */
export type CleanCpu = Pick<TableCpu, 'memory' | 'loadLo' | 'loadHi' | 'clean'>;

export interface CleanRoom extends Pick<TableRoom, 'geometry' | 'shape' | 'root'> {
  readonly cpu: CleanCpu;
  readonly parts: Pick<TableParts, 'isTable'>;
}

export interface LeafCleaner extends Pick<Cleaner, 'name' | 'about' | 'deferred' | 'oneWalk' | 'cost'> {
  leavesWritten(room: CleanRoom, ref: number, count: number): void;
  callDone(room: CleanRoom): void;
  syncMap(room: CleanRoom, iova: number, size: number): void;
}
