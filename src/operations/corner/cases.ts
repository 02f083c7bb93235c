/**
 * The corner cases, all of them by number: most as a pair of sequences, one right and one that is one command, bit or
 * order away; the rest with the reason why they are not decided.
 */
import { ATS } from './ats.js';
import { BREAKING } from './breaking.js';
import type { CornerCase, Decided } from './builder.js';
import { CONFIGURATION } from './configuration.js';
import { ENABLING } from './enabling.js';
import { NESTING } from './nesting.js';
import { QUEUE_CASES } from './queues.js';
import { RANGES } from './ranges.js';
import { TAGS } from './tags.js';
import { WALKS } from './walks.js';

export const CORNER_CASES: readonly CornerCase[] = [
  ...RANGES, ...TAGS, ...NESTING, ...WALKS, ...CONFIGURATION, ...QUEUE_CASES, ...ATS, ...BREAKING, ...ENABLING,
];

export function isDecided(c: CornerCase): c is Decided {
  return 'right' in c;
}

export const DECIDED: readonly Decided[] = CORNER_CASES.filter(isDecided);
