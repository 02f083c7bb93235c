/**
 * Explain: why a fact was still there when it was due, in the driver's words: the recorded lines. Then commands that must remove such a fact are
 * inserted, each with a CMD_SYNC, in front of the line where it fell due, narrowest first, and the recording is judged again up to there: what makes the
 * finding go away is *verified* as the missing command.
 */
import { describeCommand, type Command } from '../spec/command.js';
import { remedies } from '../lockstep/place.js';
import { onePass, sameFinding, type PassOptions } from './run.js';
import type { Finding } from './types.js';
import { Watch, type Step } from './watch.js';

export interface Explained {
  readonly finding: Finding;
  readonly steps: readonly Step[];
  /** What the whole machine tells, oldest first. */
  readonly story: readonly string[];
  readonly rest: string;
  /** The command, or commands, whose insertion removes the finding; null when none of those tried does. */
  readonly verified: string | null;
  readonly tried: number;
}

/** Lines in front of a finding that are kept for its story where no call says when it began. */
const STORY_LINES = 2000;
const TRIED_MOST = 12;

/** `o` makes the options of each pass anew: what changes the recording may remember what it did. */
export async function explain(path: string, f: Finding, o: () => Pick<PassOptions, 'limits' | 'change' | 'before' | 'machine'>): Promise<Explained> {
  if (o().machine === 'whole') return explainWhole(path, f, o);
  const place = f.place;
  if (place === null) return { finding: f, steps: [], story: [], rest: '', verified: null, tried: 0 };
  const watch = new Watch(place);
  await onePass(path, { ...o(), watch, until: f.line });
  const found = await verified(path, f, o, remedies(place).map((c) => [c]));
  return { finding: f, ...watch.story(), story: [], ...found };
}

/** The machine itself remembers, from a little before on, and tells it from the fact. */
async function explainWhole(path: string, f: Finding, o: () => Pick<PassOptions, 'limits' | 'change' | 'before' | 'machine'>): Promise<Explained> {
  const pass = await onePass(path, { ...o(), tell: Math.max(0, (f.from?.line ?? f.line - STORY_LINES) - 1), until: f.line });
  const index = pass.result.findings.findIndex((g) => sameFinding(f, g));
  const told = pass.told.get(index);
  const found = await verified(path, f, o, (told?.remedies ?? []).slice(0, TRIED_MOST));
  return { finding: f, steps: [], story: told?.lines ?? [], rest: '', ...found };
}

async function verified(path: string, f: Finding, o: () => PassOptions, lists: readonly (readonly Command[])[]): Promise<Pick<Explained, 'verified' | 'tried'>> {
  let tried = 0;
  for (const commands of lists) {
    tried += 1;
    const { result } = await onePass(path, { ...o(), until: f.line, insertion: { before: f.line, commands } });
    if (result.findings.some((g) => sameFinding(f, g))) continue;
    return { verified: `${commands.map((c) => `${describeCommand(c)} and a CMD_SYNC`).join(', then ')} in front of line ${f.line}`, tried };
  }
  return { verified: null, tried };
}
