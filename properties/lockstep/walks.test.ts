/**
 * Claim: on tables that stand still the two whole machines translate alike: whatever the concrete one answers, warm or cold, is among what the
 * weakest may answer, and mostly that is one answer only (streams that share tags over different tables may have more). Random layouts over all granules,
 * both stages, nested, every start level, 52-bit forms, both halves, contiguous runs, permissions, hardware updates, substreams and two-level tables;
 * hundreds of thousands of transactions.
 */
import test from 'ava';
import { MachineLockstep } from '../../src/lockstep/machine-lockstep.js';
import { answerName } from '../../src/lockstep/machine-words.js';
import { Layout, type Stream } from '../../src/operations/machine-layout.js';
import type { Entry } from '../../src/operations/machine-trees.js';
import { drawBoot, drawConfigs, machineWorld } from '../../src/operations/machine-worlds.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { MachineOperation, MachineWorld } from '../../src/stack/machine-world.js';
import { newAnswer, newTransaction, sameAnswer, type Answer, type Transaction } from '../../src/stack/transaction.js';

const BATCHES = 4;
const WORLDS = 125;
const TRANSACTIONS = 500;

interface Tally {
  transactions: number;
  single: number;
  readonly answers: Map<string, number>;
  readonly granules: Set<string>;
}

interface Drawn {
  readonly both: MachineLockstep;
  readonly layout: Layout;
}

/** A layout in memory and both machines booted on it. */
function draw(c: RandomChooser): Drawn {
  const configs = drawConfigs(c).slice(0, 1);
  const features = (configs[0] as MachineWorld['smmus'][number]).features;
  const stores: MachineOperation[] = [];
  const layout = new Layout(c, features, drawBoot(c, features), (at, lo, hi) => { stores.push({ op: 'store', at, lo: lo >>> 0, hi: hi >>> 0, held: false }); });
  const both = new MachineLockstep(machineWorld(configs, Math.max(16, layout.pool.end)));
  for (const s of stores) both.step(s);
  both.step({ op: 'boot', smmu: 0, boot: { ...layout.boot, commandsLog2: Math.min(layout.boot.commandsLog2, 6) } });
  return { both, layout };
}

/** Mostly an address that some descriptor of the stream serves, at its ends or inside; else a neighbour, or anything. */
function aim(c: RandomChooser, layout: Layout, t: Transaction): void {
  const stream = layout.streams[c.index(layout.streams.length)] as Stream;
  t.sid = c.index(30) === 0 ? c.index(100) : stream.sid;
  t.ssid = stream.ssids.length > 0 && c.index(4) > 0 ? (stream.ssids[c.index(stream.ssids.length)] as number) : c.index(12) === 0 ? c.index(8) : -1;
  const trees = stream.trees.length > 0 && c.index(8) > 0 ? stream.trees : layout.trees;
  const tree = trees[c.index(trees.length)];
  const leaves = (tree?.entries ?? []).filter((e) => !e.table);
  const entry = leaves.length > 0 ? (leaves[c.index(leaves.length)] as Entry) : undefined;
  const span = tree?.span(entry?.level ?? 3) ?? 1;
  const into = [0, span - 1, c.index(Math.min(span, 2 ** 31)), span, -1][c.index(5)] as number;
  t.frame = c.index(40) === 0 || tree === undefined || entry === undefined ? c.index(2 ** 20) * 2 ** c.index(32) : Math.max(0, tree.base + entry.frame + into);
  if (t.frame >= 2 ** 52) t.frame -= 2 ** 52;
  t.write = c.index(3) === 0;
  t.privileged = c.index(4) === 0;
  t.instruction = c.index(5) === 0;
}

function compare({ both, layout }: Drawn, c: RandomChooser, tally: Tally): string | null {
  const side = both.sides[0];
  if (side === undefined) return 'no SMMU';
  const t = newTransaction();
  const answer = newAnswer();
  for (let i = 0; i < TRANSACTIONS; i += 1) {
    aim(c, layout, t);
    if (c.index(50) === 0) side.concrete.flushCaches();
    // Asked first: the access itself may set an access flag or mark a descriptor dirty.
    const may: Answer[] = [];
    side.weakest.permitted('access', t, (a) => { if (!may.some((m) => sameAnswer(m, a))) may.push({ ...a }); return false; });
    side.concrete.transact(t, answer);
    tally.transactions += 1;
    if (may.length === 1) tally.single += 1;
    const name = answerName(answer);
    tally.answers.set(name, (tally.answers.get(name) ?? 0) + 1);
    if (!may.some((a) => sameAnswer(a, answer))) return `${JSON.stringify(t)}: ${JSON.stringify(answer)} is none of ${JSON.stringify(may)}`;
  }
  for (const tree of layout.trees) tally.granules.add(`${tree.stage}:${tree.tg}:${tree.context.startLevel}`);
  return null;
}

for (let batch = 0; batch < BATCHES; batch += 1) {
  test(`walks of both whole machines agree, batch ${batch}`, (t) => {
    const tally: Tally = { transactions: 0, single: 0, answers: new Map(), granules: new Set() };
    for (let k = 0; k < WORLDS; k += 1) {
      const c = new RandomChooser(`walks ${batch}.${k}`);
      const wrong = compare(draw(c), c, tally);
      if (wrong !== null) return t.fail(`world ${batch}.${k}: ${wrong}`);
    }
    t.log(`${tally.transactions} transactions, ${tally.single} with one permitted answer, ${tally.granules.size} kinds of tables`, JSON.stringify(Object.fromEntries(tally.answers)));
    t.is(tally.transactions, WORLDS * TRANSACTIONS);
    t.true(tally.single > tally.transactions * 0.6);
    for (const name of ['ok', 'F_TRANSLATION', 'F_PERMISSION', 'F_ADDR_SIZE']) t.true((tally.answers.get(name) ?? 0) > 50, name);
    t.true(tally.granules.size >= 12);
  });
}
