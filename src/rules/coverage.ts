/**
 * Rule `range-coverage`: the commands planned for one description reach every leaf of the named leaf levels and
 * every table descriptor of the named table levels in [first, last], by interval arithmetic: each command's reach is
 * widened to whole entries of the level in question (a hit anywhere in an entry removes it), and the union of the
 * reaches must have no hole.
 */
import { decodeCommand, describeCommand, newCommand, OP, rangeGranules, type Command } from '../spec/command.js';
import { levelFrames } from '../spec/granule.js';
import { describeDescription, levelBit, type Description } from '../stack/description.js';
import { WHOLE_TAG } from '../stack/planner.js';
import type { Ledger } from './ledger.js';

const scratch = newCommand();
const raw = new Uint32Array(4);

/** First frame that is not reached, or -1 when all are. `words`: `count` payloads of 4 uint32, addresses ascending. */
export function coverageHole(d: Description, words: Uint32Array, count: number): { level: number; kind: 'leaf' | 'table'; frame: number } | undefined {
  for (let level = 0; level <= 3; level += 1) {
    if ((d.leaves & levelBit(level)) !== 0) {
      const frame = firstHole(d, words, count, level, 'leaf');
      if (frame >= 0) return { level, kind: 'leaf', frame };
    }
    if ((d.tables & levelBit(level)) !== 0) {
      const frame = firstHole(d, words, count, level, 'table');
      if (frame >= 0) return { level, kind: 'table', frame };
    }
  }
  return undefined;
}

function firstHole(d: Description, words: Uint32Array, count: number, level: number, kind: 'leaf' | 'table'): number {
  const span = levelFrames(d.tg, level);
  let next = d.first - (d.first % span);
  for (let i = 0; i < count; i += 1) {
    raw[0] = (words[i * 4] as number) | OP.TLBI_NH_VA;
    raw[1] = 0;
    raw[2] = words[i * 4 + 2] as number;
    raw[3] = words[i * 4 + 3] as number;
    const c = decodeCommand(raw, 0, scratch);
    if (!reaches(c, level, kind)) continue;
    const from = c.frame - (c.frame % span);
    if (from > next) return next;
    const last = c.tg === 0 ? c.frame : c.frame + rangeGranules(c) * levelFrames(d.tg, 3) - 1;
    next = Math.max(next, last - (last % span) + span);
    if (next > d.last) return -1;
  }
  return next > d.last ? -1 : next;
}

function reaches(c: Command, level: number, kind: 'leaf' | 'table'): boolean {
  if (kind === 'leaf') return c.tg === 0 || c.ttl === 0 || c.ttl === level;
  return c.leaf === 0 && (c.tg === 0 || c.ttl === 0 || level < c.ttl);
}

const SHOWN = 4;

/** The planned commands, and what each reaches, for the reader. */
function story(d: Description, words: Uint32Array, count: number, hole: { level: number; kind: 'leaf' | 'table' }): string[] {
  const lines = [`the gather says ${describeDescription(d)}`];
  for (let i = 0; i < Math.min(count, SHOWN); i += 1) {
    raw[0] = (words[i * 4] as number) | OP.TLBI_NH_VA;
    raw[1] = 0;
    raw[2] = words[i * 4 + 2] as number;
    raw[3] = words[i * 4 + 3] as number;
    const c = decodeCommand(raw, 0, scratch);
    const why = reaches(c, hole.level, hole.kind) ? 'it reaches only the addresses it covers'
      : c.leaf !== 0 && hole.kind === 'table' ? 'Leaf = 1 asks for no table descriptor (§4.4.1.1)' : `TTL = ${c.ttl} does not ask for level ${hole.level} (§4.4.1.1)`;
    lines.push(`planned ${describeCommand(c)}: ${why}`);
  }
  if (count > SHOWN) lines.push(`… and ${count - SHOWN} more`);
  return lines;
}

export function judgeCoverage(ledger: Ledger, smmu: number, d: Description, words: Uint32Array, count: number): void {
  if (!d.all && d.leaves === 0 && d.tables === 0) return;
  ledger.judge('range-coverage');
  if (count === WHOLE_TAG) return;
  if (!d.all) {
    const hole = coverageHole(d, words, count);
    if (hole === undefined) return;
    ledger.fail('range-coverage', `a level ${hole.level} ${hole.kind} is not reached`, `commands that reach ${describeDescription(d)}`,
      `${count} command${count === 1 ? '' : 's'} for SMMU ${smmu}: the level ${hole.level} ${hole.kind} at 0x${(hole.frame * 4096).toString(16)} is not reached`,
      undefined, story(d, words, count, hole));
  }
  ledger.fail('range-coverage', 'everything was asked, a range was planned', 'a whole-tag command', `${count} commands for SMMU ${smmu}`);
}
