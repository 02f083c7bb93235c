/**
 * Runs: which leaves are cleaned together.
 */
import type { TableShape } from '../geometry.js';

const LINE_WORDS = 8;

/** Leaves of one table, [ref, end). */
export interface Run {
  readonly ref: number;
  readonly end: number;
}

/**
 * Are leaves that begin at `ref` in the same table as the run, behind it, and in the line that it ends in or the next one? Cleaning all at once then cleans
 * no line that cleaning each would not. Tables are as large as they are aligned; a concatenated root counts as one.
 */
export function joins(room: { readonly shape: TableShape; readonly root: number }, run: Run, ref: number): boolean {
  const root = room.root * 512;
  const inRoot = run.ref >= root && run.ref < root + room.shape.rootEntries;
  const words = inRoot ? room.shape.rootEntries : room.shape.frames * 512;
  const table = inRoot ? root : run.ref - (run.ref % words);
  if (ref < run.end || ref >= table + words) return false;
  return Math.floor(ref / LINE_WORDS) - Math.floor((run.end - 1) / LINE_WORDS) <= 1;
}
