/** Every decided claim of the seeds: its test is green, and turns red when its line is broken. */
import test from 'ava';
import { isDecidedClaim, type Decision } from '../../src/rules/claim.js';
import { CLAIMS } from '../../src/rules/claims.js';
import { brokenSource, tried, type Trial } from './breaks.js';

const DECISIONS: readonly Decision[] = CLAIMS.filter(isDecidedClaim).flatMap((c) => c.decidedBy);

function key(t: Trial): string {
  return JSON.stringify([t.test, t.title, t.broken ?? null]);
}

test('every test that decides a claim is green, and red with its break', async (t) => {
  t.timeout(600_000);
  const whole = DECISIONS.map(({ test: file, title }): Trial => ({ test: file, title }));
  const broken = DECISIONS.map(({ test: file, title, broken: b }): Trial => ({ test: file, title, broken: b }));
  const trials = [...new Map([...whole, ...broken].map((trial) => [key(trial), trial])).values()];
  const { outcomes, said } = await tried(trials);
  const wrong = trials.flatMap((trial, i) => {
    const wanted = trial.broken === undefined ? 'green' : 'red';
    return outcomes[i] === wanted ? [] : [`${trial.test}: ${trial.title}: ${outcomes[i] ?? ''}, not ${wanted}${trial.broken === undefined ? '' : `, with ${trial.broken.file}: ${trial.broken.replacement || 'nothing'} in place of ${trial.broken.line}`}`];
  });
  if (wrong.length > 0) t.log(said.split('\n').filter((line) => /^(not ok|# .*(error|exited|Couldn't))/i.test(line)).slice(0, 40).join('\n'));
  t.deepEqual(wrong, []);
});

test('a break that changes nothing is green, and one that keeps the file from loading is no red', async (t) => {
  const known = DECISIONS[0] as Decision;
  const { line, file } = known.broken;
  const unloadable = { file, line: "import { BIT_VALID } from '../../spec/descriptor.js';", replacement: "import { BIT_VALID } from '../../spec/no-such-file.js';" };
  const { outcomes } = await tried([
    { test: known.test, title: known.title, broken: { file, line, replacement: `${line} // the same` } },
    { test: known.test, title: known.title, broken: unloadable },
    { test: known.test, title: 'no such title' },
    { test: known.test, title: known.title },
  ]);
  t.deepEqual(outcomes, ['green', 'not run', 'not run', 'green']);
});

test('a line that is not there, or there twice, is refused', (t) => {
  const file = 'src/rules/claims.ts';
  t.throws(() => brokenSource({ file, line: 'no such line', replacement: '' }), { message: /stands there 0 times/ });
  t.throws(() => brokenSource({ file, line: '', replacement: '' }), { message: /stands there \d+ times/ });
});

test('a break that is no program is refused', async (t) => {
  const known = DECISIONS[0] as Decision;
  await t.throwsAsync(tried([{ ...known, broken: { ...known.broken, replacement: 'if (;' } }]), { message: /is no program/ });
});
