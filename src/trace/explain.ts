/**
 * Explain: why a fact was still there when it was due, in the driver's words: the recorded lines. Then commands that must remove such a fact are
 * inserted, each with a CMD_SYNC, in front of the line where it fell due, narrowest first, and the recording is judged again up to there: what makes the
 * finding go away is *verified* as the missing command.
 */
import { describeCommand } from '../spec/command.js';
import { remedies } from '../lockstep/place.js';
import { onePass, sameFinding, type PassOptions } from './run.js';
import type { Finding } from './types.js';
import { Watch, type Step } from './watch.js';

export interface Explained {
  readonly finding: Finding;
  readonly steps: readonly Step[];
  readonly rest: string;
  /** The command whose insertion removes the finding; null when no single one does. */
  readonly verified: string | null;
  readonly tried: number;
}

/** `o` makes the options of each pass anew: what changes the recording may remember what it did. */
export async function explain(path: string, f: Finding, o: () => Pick<PassOptions, 'limits' | 'change' | 'before'>): Promise<Explained> {
  const place = f.place;
  if (place === null) return { finding: f, steps: [], rest: '', verified: null, tried: 0 };
  const watch = new Watch(place);
  await onePass(path, { ...o(), watch, until: f.line });
  let tried = 0;
  for (const command of remedies(place)) {
    tried += 1;
    const { result } = await onePass(path, { ...o(), until: f.line, insertion: { before: f.line, commands: [command] } });
    if (result.findings.some((g) => sameFinding(f, g))) continue;
    return { finding: f, ...watch.story(), verified: `${describeCommand(command)} and a CMD_SYNC in front of line ${f.line}`, tried };
  }
  return { finding: f, ...watch.story(), verified: null, tried };
}
