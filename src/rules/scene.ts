/**
 * Scene: what the rules look at: the weakest machines, the intent, and who owns which page. Rules never look at the
 * optimised side's caches or tables, except through what it did to memory and to the machines.
 */
import type { Memory } from '../memory/memory.js';
import type { Pages } from '../memory/pages.js';
import type { Intent } from '../reference/driver/intent.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import type { Ledger } from './ledger.js';

export interface Scene {
  readonly memory: Memory;
  readonly pages: Pages;
  readonly machines: readonly Stage1Reference[];
  readonly intent: Intent;
  readonly ledger: Ledger;
}

export function at(frame: number): string {
  return `0x${(frame * 4096).toString(16)}`;
}
