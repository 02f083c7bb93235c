/**
 * Parts: the optimised driver's own algorithm for each replaceable part.
 */
import { attachSequence, canShare } from './attach.steps.js';
import { RANGE_VISITOR } from './cleaners.js';
import { writeEntry } from './entry.steps.js';
import { notified } from './gather.steps.js';
import { describeGather, flushGather, invalidate, releaseTag } from './invalidate.steps.js';
import { SINGLE_RANGE } from './planners/single-range.js';
import { submit } from './queue.steps.js';
import type { Parts } from './types.js';

export const LIST_OF_PARTS: Parts = {
  planner: SINGLE_RANGE,
  describe: describeGather,
  notified,
  emit: () => undefined,
  submit,
  invalidate,
  flushGather,
  writeEntry,
  attachSequence,
  releaseTag,
  cleaner: RANGE_VISITOR,
  canShare,
};
