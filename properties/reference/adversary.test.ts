/**
 * Claims about the weakest legal SMMU of src/reference/machine, checked against random legal SMMUs (adversary.ts) that were written from the clauses alone:
 *  - sound: whatever any of them has cached, after every step of small random worlds, the reference lists; it never forgets what a legal SMMU may still have;
 *  - tight: in the scenes of adversary-scenes.ts each fact that a SYNC's commands named and that the reference lists all the same is one that some of them really has.
 * Seeded errors in the reference that were noticed. In scenes: S2_IPA removes combined entries; NH_ASID global leaves; ranges any granule; CFGI_CD_ALL STEs; CFGI_STE Leaf = 1 removes level-1 STDs; no run-sized facts; table pointers or table bases
 * not put together with a new stage-2 leaf; zero words of a structure not listed; premises ignored (never had). In random worlds: NH_VA removes table descriptors
 * of any ASID; NH_ALL removes stage-2 entries; a command visible too late; Leaf = 1 removes table descriptors; TTL = L those of level L; combined leaves missing for a new stage-2 leaf; ATC entries not recorded when what they rest on goes.
 * Not noticed in 40 worlds: CFGI_CD Leaf = 1 removes level-1 CDs; a fact that stands is not listed again after a SYNC;
 * a nested CD does not rest on its stage-2 leaf (too much is listed then).
 */
import test, { type ExecutionContext } from 'ava';
import { RandomChooser } from '../../src/stack/chooser.js';
import { Unmodelled } from '../../src/stack/violation.js';
import { TEMPERS, type Temper } from './adversary.js';
import { entriesOf, forgotten, namedAndListed, namesOfAdversary, namesOfReference } from './adversary-compare.js';
import { SCENES, type Scene } from './adversary-scenes.js';
import { randomShape, type Shape } from './adversary-shape.js';
import { AdversaryWorld } from './adversary-worlds.js';

const BATCHES = 4;
const WORLDS = 14;
const STEPS = 60;
const MINDS = 8;
const SCENE_MINDS = 150;
/** How often a scene is played before a fact that nobody has counts as never had. */
const REPEATS = 4;

type Mind = readonly [RandomChooser, Temper];

function minds(seed: string, count: number): Mind[] {
  return Array.from({ length: count }, (_, i) => [new RandomChooser(`${seed} mind ${i}`), TEMPERS[i % TEMPERS.length] as Temper] as const);
}

/** What some adversary has and the reference has not, in words; null: nothing. */
function unsound(w: AdversaryWorld, asked: boolean): string | null {
  const names = namesOfReference(w.reference);
  for (const [i, a] of w.adversaries.entries()) {
    const name = forgotten(w.reference, names, a);
    if (name !== null) return `adversary ${i} has ${name}`;
  }
  if (asked) {
    for (const [i, a] of w.adversaries.entries()) {
      for (const e of entriesOf(a)) if (!w.reference.holds(e)) return `adversary ${i} has ${e.kind} ${e.sid} ${e.ssid} ${e.frame}+${e.frames}>${e.target} ${e.words.join(' ')}`;
    }
  }
  return null;
}

interface Tally { steps: number; syncs: number; entries: number; effects: number; unmodelled: number }

function runWorld(t: ExecutionContext, seed: string, tally: Tally): boolean {
  const c = new RandomChooser(seed);
  const w = new AdversaryWorld(c, randomShape(c), minds(seed, MINDS));
  for (let i = 0; i < STEPS; i += 1) {
    const synced = w.step();
    w.moment();
    const wrong = unsound(w, synced || i % 8 === 0);
    if (wrong !== null) {
      t.fail(`${seed}, step ${i}: ${wrong}\n${JSON.stringify(w.shape)}\n${w.log.slice(-40).join('\n')}`);
      return false;
    }
    tally.steps += 1;
    for (const a of w.adversaries) tally.entries += a.translations.size + a.structures.length + a.atc.size;
  }
  tally.syncs += w.syncs;
  for (const a of w.adversaries) tally.effects += a.effects;
  return true;
}

for (let batch = 0; batch < BATCHES; batch += 1) {
  test(`what a legal SMMU has cached the reference lists, batch ${batch}`, (t) => {
    const tally: Tally = { steps: 0, syncs: 0, entries: 0, effects: 0, unmodelled: 0 };
    for (let n = 0; n < WORLDS; n += 1) {
      try {
        if (!runWorld(t, `adversary ${batch}.${n}`, tally)) return;
      } catch (e) {
        if (!(e instanceof Unmodelled)) throw e;
        tally.unmodelled += 1;
      }
    }
    t.log(JSON.stringify(tally));
    t.true(tally.syncs > WORLDS * 2 && tally.entries > WORLDS * 1000 && tally.effects > WORLDS * 50 && tally.unmodelled < WORLDS / 3);
  });
}

const PLAIN: Shape = { tg: 12, bits: 39, kinds: ['stage1'], vmids: [1], split: 0, twoLevelCds: false, ats: false, e2h: false, vmw: 0, bare: true };

/** Plays a scene once: facts that were named and stay, by SYNC, and which of them some adversary had. The first SYNC only prepares. */
function play(t: ExecutionContext, s: Scene, round: number): { listed: Set<string>; had: Set<string> } {
  const w = new AdversaryWorld(new RandomChooser(s.name), { ...PLAIN, ...s.shape }, minds(`${s.name} ${round}`, SCENE_MINDS));
  const listed = new Set<string>();
  const had = new Set<string>();
  const observe = w.observe.bind(w);
  w.observe = (count) => {
    observe(count);
    t.is(unsound(w, true), null, s.name);
    if (w.syncs === 1) return;
    for (const name of namedAndListed(w.reference, w.covered, w.setup.settings)) listed.add(`${name}, SYNC ${w.syncs}`);
    for (const a of w.adversaries) for (const name of namesOfAdversary(a)) had.add(`${name}, SYNC ${w.syncs}`);
  };
  w.moment();
  s.act(w, () => {
    w.moment();
    t.is(unsound(w, false), null, s.name);
  });
  return { listed, had };
}

for (const s of SCENES) {
  test(`some legal SMMU has what the reference lists: ${s.name}`, (t) => {
    let missing = new Set<string>();
    for (let round = 0; round < REPEATS; round += 1) {
      const { listed, had } = play(t, s, round);
      missing = new Set([...(round === 0 ? listed : missing)].filter((name) => !had.has(name)));
      if (missing.size === 0) break;
    }
    t.deepEqual([...missing], []);
  });
}
