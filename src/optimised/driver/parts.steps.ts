/**
 * Parts: the optimised driver's own algorithm for each replaceable part.
 */
import { atsAfter, atsBefore, wantAts } from './ats.steps.js';
import { attachSequence, canShare, install } from './attach.steps.js';
import { cdTableInstalled } from './cd-tables.steps.js';
import { OWN_CLEANER } from './cleaners.js';
import { writeEntry } from './entry.steps.js';
import { notified } from './gather.steps.js';
import { guestCommand, physicalSte } from './guest.js';
import { invKeys } from './inv-list.js';
import { describeGather, fillEntry, flushGather, invalidate, releaseTag, splits } from './invalidate.steps.js';
import { attachNested } from './nested.steps.js';
import { SINGLE_RANGE } from './planners/single-range.js';
import { submit } from './queue.steps.js';
import { attachSubstream, detachSubstream, endProcess } from './substreams.steps.js';
import { find } from './tags.js';
import type { Parts, SystemParts } from './types.js';

const SYSTEM: SystemParts = {
  attachSubstream, detachSubstream, attachNested, endProcess, findTag: find, keys: invKeys, wantAts, atsBefore, atsAfter, install, cdTableInstalled, fillEntry,
  splits, physicalSte, guestCommand,
};

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
  cleaner: OWN_CLEANER,
  canShare,
  queueIova: (own, first, end) => own.ranges.queue(first, end),
  system: SYSTEM,
};
