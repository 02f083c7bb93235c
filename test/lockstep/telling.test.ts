/** Telling: moments become operations, held stores are named, and the runner asks only when a log is there; then all wrong corner cases in words. */
import test from 'ava';
import { Log } from '../../src/lockstep/log.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { Telling } from '../../src/lockstep/telling.js';
import { DECIDED } from '../../src/operations/corner/cases.js';
import { newCommand, OP } from '../../src/spec/command.js';
import { BOOT, FakeWeakest, rig, script, WHERE } from './fake-twins.js';

function numbered(n: number): (typeof DECIDED)[number] {
  return DECIDED.find((c) => c.number === n) as (typeof DECIDED)[number];
}

function story(n: number): readonly string[] {
  const c = numbered(n);
  return replayMachine(c.world, c.wrong, { log: new Log() }).violation?.because ?? [];
}

test('a moment belongs to the operation that began before it', (t) => {
  const clock = { now: 0 };
  const telling = new Telling(new Log(), clock);
  telling.begin();
  clock.now = 3;
  telling.begin();
  clock.now = 5;
  t.deepEqual([0, 1, 3, 4, 5].map(telling.op), ['the start', 'op 1', 'op 1', 'op 2', 'op 2']);
});

test('held stores are named until they are visible; remedies reach the log', (t) => {
  const log = new Log();
  const telling = new Telling(log, { now: 0 });
  const { weakest } = rig(script());
  const able = Object.assign(weakest, { tell: () => ({ lines: ['told'], remedies: [[newCommand()]] }) });
  telling.begin();
  telling.held(0x1000);
  telling.held(0x2000);
  telling.visible(0x2000);
  t.deepEqual(telling.facts(able, []), ["op 1 stores to 0x1000, but no barrier followed: the store may still wait in the CPU's store buffer", 'told']);
  t.is(log.remedies.length, 1);
  telling.visible();
  t.deepEqual(telling.facts(able, []), ['told']);
});

test('a machine that cannot tell is not asked, and nothing is told without a log', (t) => {
  const r = rig(script({ held: false, pointsTo: 'table of a test' }));
  t.true(r.weakest instanceof FakeWeakest);
  t.deepEqual(r.breaks({ op: 'boot', smmu: 0, boot: BOOT }, { op: 'free', at: 0x100000000, frames: 1 })?.because, []);
  t.deepEqual(r.breaks({ op: 'claim', ...WHERE, rule: 'isolation', translated: false, allow: [] })?.because, []);
  const c = numbered(38);
  t.deepEqual(replayMachine(c.world, c.wrong).violation?.because, []);
});

test('both stages in one batch', (t) => {
  const lines = story(38);
  t.is(lines.length, 5);
  t.regex(lines[0] ?? '', /^op \d+ made the stage-2 leaf \{vmid 5 0x20100000 -> 0x400000000 level 3\} stale: its descriptor changed$/);
  t.regex(lines[3] ?? '', /TLBI_NH_ALL vmid 5: names it, but it can be rebuilt from that stage-2 leaf, which only TLBI_S2_IPA .* of the same batch names/);
});

test('a claim, a freed page, a replaced leaf: each tells what is behind it', (t) => {
  t.regex(story(26).join('\n'), /names asid 1, not 2/);
  t.regex(story(17).join('\n'), /table descriptor .* stale: its descriptor changed\n.*Leaf = 1 asks for no table descriptor/);
  t.regex(story(59).join('\n'), /STE of stream 1 .* stale/);
  t.regex(story(89).join('\n'), /made the stage-1 leaf .* level 2\} stale/);
  t.regex(story(49).join('\n'), /no barrier followed/);
  t.notRegex(story(45).join('\n'), /no barrier followed/, 'it came, too late');
  t.regex(story(82).join('\n'), /was not carried out/);
  t.regex(story(101).join('\n'), /while SMMUEN is 1 is ignored/);
  t.regex(story(70).join('\n'), /command queue 0 has stopped with CERROR_ABT/);
});

test('remedies end every answer that the claim does not allow, not only the one that is told', (t) => {
  const c = numbered(37);
  const log = new Log();
  const wrong = c.wrong.filter((o) => o.op !== 'command');
  t.truthy(replayMachine(c.world, wrong, { log }).violation);
  t.true(log.remedies.some((r) => r.length > 1 && r[0]?.op === OP.TLBI_S2_IPA), JSON.stringify(log.remedies.map((r) => r.map((k) => k.op))));
});

test('every wrong corner case that breaks a claim or frees a page has a story of at most 16 lines, without holes in its words', (t) => {
  for (const c of DECIDED) {
    const { violation, failedAt } = replayMachine(c.world, c.wrong, { log: new Log() });
    const op = c.wrong[failedAt]?.op;
    const reset = violation?.actual.includes('before reset') === true || violation?.actual.includes('not enabled') === true;
    if ((op !== 'claim' && op !== 'free') || reset) continue;
    const text = violation?.because.join('\n') ?? '';
    t.true(text.length > 40, `${c.number}: ${text}`);
    t.true((violation?.because.length ?? 0) <= 16, `${c.number}`);
    t.notRegex(text, /undefined|NaN|does not match it|the start|Infinity/, `${c.number}: ${text}`);
  }
});

test('the story changes nothing of the verdict', (t) => {
  for (const c of DECIDED) {
    const plain = replayMachine(c.world, c.wrong);
    const told = replayMachine(c.world, c.wrong, { log: new Log() });
    t.deepEqual([told.violation?.rule, told.violation?.cause, told.violation?.actual, told.failedAt], [plain.violation?.rule, plain.violation?.cause, plain.violation?.actual, plain.failedAt]);
    t.is(replayMachine(c.world, c.right, { log: new Log() }).violation, null);
  }
});
