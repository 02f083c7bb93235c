/**
 * Whole tag: everything of the ASID or VMID goes, whatever was damaged. Always right, and what the others are measured against.
 */
import { WHOLE_TAG as ALL, type Planner } from '../../../stack/planner.js';

export const WHOLE_TAG_PLANNER: Planner = {
  name: 'whole-tag',
  about: 'everything of the tag, always',
  room: 0,
  promise: { range: 0, single: 0, over: () => 0 },
  plan: () => ALL,
};
