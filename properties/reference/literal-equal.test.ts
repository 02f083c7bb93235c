/**
 * Claim: the incremental form of the justification rule (src/reference/stage1) caches exactly what the literal form
 * (test/reference/stage1/literal.ts) caches: after every step the same leaves and table descriptors by regime, level,
 * address and value, the same STEs and CDs by value and derivation; the questions that rules ask (`leavesAt`,
 * `holds…`) agree with the list; and what the journal takes back leaves no trace.
 */
import test, { type ExecutionContext } from 'ava';
import { RandomChooser } from '../../src/stack/chooser.js';
import { listEntries, listHits, listTlb } from '../../test/reference/stage1/listing.js';
import { GRID, SmallWorld } from './small-worlds.js';

const BATCHES = 8;
/** Of one batch. SMMUCHECK_LITERAL_WORLDS=750 is the long form. */
const WORLDS = Number(process.env['SMMUCHECK_LITERAL_WORLDS'] ?? '400');
const STEPS = 50;

interface Tally {
  steps: number;
  syncs: number;
  removed: number;
  rebuilt: number;
  excursions: number;
  /** Steps after which facts hung under a regime that nothing supports. */
  frozen: number;
}

/** What one set has and the other has not, in words; empty when they are equal. */
function difference(incremental: Set<string>, literal: Set<string>): string {
  const extra = [...incremental].filter((n) => !literal.has(n));
  const missing = [...literal].filter((n) => !incremental.has(n));
  return [...extra.map((n) => `only incremental: ${n}`), ...missing.map((n) => `only literal: ${n}`)].join('\n');
}

/** The rules' questions, for everything that ever was a fact here: yes exactly for what is one now. */
function wrongAnswers(w: SmallWorld): string {
  const { machine } = w.rig;
  const wrong: string[] = [];
  // The questions leave the tables of a regime out: two facts that differ in nothing else are one to them.
  const asked = (f: { kind: string; regime: { asid: number } | null; level: number; va: number; own: readonly { lo: number; hi: number }[] }): string =>
    `${f.kind} ${f.regime?.asid} ${f.level} ${f.va} ${f.own[0]?.lo} ${f.own[0]?.hi}`;
  const now = new Set([...w.literal.facts.values()].map((f) => (f.kind === 'ste' || f.kind === 'cd' ? `${f.kind} ${f.sid} ${f.words.join()}` : asked(f))));
  for (const f of w.literal.ever.values()) {
    const word = f.own[0] as { lo: number; hi: number };
    const asid = f.regime?.asid ?? -1;
    const [name, answer] = f.kind === 'ste' ? [`ste ${f.sid} ${f.words.join()}`, machine.holdsSte(f.sid, f.words)]
      : f.kind === 'cd' ? [`cd ${f.sid} ${f.words.join()}`, machine.holdsCd(f.sid, f.words)]
        : f.kind === 'leaf' ? [asked(f), machine.holdsLeaf(asid, f.va, f.level, word.lo, word.hi)]
          : [asked(f), machine.holdsTable(asid, f.va, f.level, word.lo, word.hi)];
    if (answer !== now.has(name)) wrong.push(`asked for ${f.name}: ${answer}`);
  }
  return wrong.join('\n');
}

function compare(w: SmallWorld, synced: boolean): string {
  const { machine } = w.rig;
  const tlb = difference(listTlb(machine), w.literal.names(['leaf', 'table']));
  if (tlb !== '') return tlb;
  const entries = difference(listEntries(machine, 4), w.literal.names(['ste', 'cd']));
  if (entries !== '' || !synced) return entries;
  const hits = difference(listHits(machine, GRID), w.literal.names(['leaf']));
  return hits !== '' ? `leavesAt: ${hits}` : wrongAnswers(w);
}

function runWorld(t: ExecutionContext, seed: string, recording: boolean, tally: Tally): void {
  const w = new SmallWorld(new RandomChooser(seed), recording);
  for (let i = 0; i < STEPS; i += 1) {
    const synced = w.step();
    const wrong = w.lost ?? compare(w, synced);
    if (wrong !== '') t.fail(`world ${seed}, after step ${i}:\n${wrong}`);
    tally.steps += 1;
    if (w.rig.machine.regimes.some((r) => r.supports.length === 0)) tally.frozen += 1;
    if (wrong !== '') return;
  }
  tally.syncs += w.literal.syncs;
  tally.removed += w.literal.removed;
  tally.rebuilt += w.literal.rebuilt;
  tally.excursions += w.excursions;
}

for (let batch = 0; batch < BATCHES; batch += 1) {
  test(`incremental and literal machine cache the same, batch ${batch}`, (t) => {
    const tally: Tally = { steps: 0, syncs: 0, removed: 0, rebuilt: 0, excursions: 0, frozen: 0 };
    for (let n = 0; n < WORLDS; n += 1) {
      runWorld(t, `literal ${batch}.${n}`, n % 4 === 0, tally);
      if (!t.passed) return;
    }
    t.log(JSON.stringify(tally));
    // The comparison means something only if SYNCs remove much, and if much that they name comes back all the same.
    t.true(tally.syncs > WORLDS * 2 && tally.removed > WORLDS * 2 && tally.rebuilt > WORLDS / 10);
    t.true(tally.excursions > WORLDS / 10 && tally.frozen > WORLDS / 4);
  });
}
