/**
 * Rule `over-invalidation` for the tables of an mm: the notifier is given [start, end) of one call, so what is described lies inside of the
 * addresses of that call (the end is exclusive; kernel 95d4782c34a6). A planner cannot know this: it sees the description only.
 */
import { describeDescription, type Description } from '../stack/description.js';
import type { Operation } from '../stack/operation.js';
import type { World } from '../stack/world.js';
import { ruleIndex, type Ledger } from './ledger.js';

const OVER = ruleIndex('over-invalidation');

export function judgeNotified(ledger: Ledger, world: World, op: Operation, d: Description): void {
  if ((op.op !== 'map' && op.op !== 'unmap') || world.domains[op.domain]?.gather !== 'sva') return;
  ledger.judgeAt(OVER);
  const first = op.iova / 4096;
  const end = first + op.size / 4096;
  if (!d.all && first <= d.first && d.last < end) return;
  ledger.fail('over-invalidation', 'a notifier names more than what changed', `at most 0x${op.iova.toString(16)}..0x${(op.iova + op.size - 1).toString(16)}`, describeDescription(d));
}
