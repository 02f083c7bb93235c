/** Short raw sequences within a reach: what they never do, where they lead, and how often staleness is at stake. */
import test, { type ExecutionContext } from 'ava';
import { extract, getField } from '../../src/spec/bits.js';
import { commandVerdict, decodeCommand, encodeCommand, newCommand, OP } from '../../src/spec/command.js';
import { BIT_UNPRIVILEGED, BIT_VALID } from '../../src/spec/descriptor.js';
import { l1stdPointer, l1stdStreams } from '../../src/spec/level1.js';
import { CR0_SMMUEN, REG } from '../../src/spec/register.js';
import { CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, STE } from '../../src/spec/ste.js';
import { RAM_BASE } from '../../src/memory/memory.js';
import { MachineLockstep } from '../../src/lockstep/machine-lockstep.js';
import { answerName } from '../../src/lockstep/machine-words.js';
import { OWN_TWINS, type Twins, type WeakestMachine } from '../../src/lockstep/twins.js';
import { generateMachineRun, RUN_OPERATIONS, type MachineRun } from '../../src/operations/machine-generate.js';
import { PLACE, RAM } from '../../src/operations/machine-worlds.js';
import { REACH_OPERATIONS } from '../../src/operations/reach-generate.js';
import { allStreams, directions, isData, QEMU_NESTED_REACH, QEMU_STAGE1_REACH, type Reach } from '../../src/operations/reach.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { OUTCOME_OK } from '../../src/stack/outcome.js';
import { newTransaction } from '../../src/stack/transaction.js';

type Access = Extract<MachineOperation, { op: 'access' }>;
type Store = Extract<MachineOperation, { op: 'store' }>;

function draw(reach: Reach, k: number, most?: number): MachineRun {
  return generateMachineRun(new RandomChooser(`reach/${k}`), most, reach);
}

const REACHES = [['stage 1', QEMU_STAGE1_REACH], ['nested', QEMU_NESTED_REACH]] as const;
const SEEDS = 2000;
const RUNS = new Map<Reach, readonly MachineRun[]>(REACHES.map(([, reach]) => [reach, Array.from({ length: SEEDS }, (_, k) => draw(reach, k))]));

function runsOf(reach: Reach): readonly MachineRun[] {
  return RUNS.get(reach) as readonly MachineRun[];
}

function accesses(run: MachineRun): Access[] {
  return run.operations.filter((o) => o.op === 'access');
}

function booted(run: MachineRun): number {
  return run.operations.findIndex((o) => o.op === 'boot');
}

test('without a reach runs are what they were', (t) => {
  const run = (most?: number): MachineRun => generateMachineRun(new RandomChooser('plain'), most);
  t.deepEqual(run(), run(RUN_OPERATIONS));
  t.is(run().operations.length, RUN_OPERATIONS);
});

for (const [name, reach] of REACHES) {
  test(`${name}: one SMMU with the features of the reach, short runs, the same again from the same seed`, (t) => {
    t.deepEqual(draw(reach, 3), runsOf(reach)[3]);
    t.notDeepEqual(runsOf(reach)[3], runsOf(reach)[4]);
    t.is(draw(reach, 3, 20).operations.length, 20);
    for (const run of runsOf(reach)) {
      t.deepEqual(run.world.smmus, [{ features: reach.features, tlbEntries: 64, mergeRuns: false, strictReserved: false }]);
      t.false(run.world.judged);
      t.true(run.world.frames >= 16 && run.world.frames <= 512);
      const after = run.operations.length - 1 - booted(run);
      t.true(run.operations.length <= REACH_OPERATIONS && booted(run) > 0 && after <= 32);
      t.true(after >= 6 || run.operations.length === REACH_OPERATIONS);
    }
  });

  test(`${name}: queues and stream tables are as large as they must be`, (t) => {
    const boots = runsOf(reach).flatMap((r) => r.operations.flatMap((o) => (o.op === 'boot' ? [o.boot] : [])));
    for (const b of boots) {
      t.is(b.eventsLog2, 7);
      t.true(b.commandsLog2 >= 4 && b.commandsLog2 <= 6 && b.extra === 0 && b.vmw === 0 && !b.e2h && !b.atsChk);
    }
    const shapes = new Set(boots.map((b) => `${b.split} ${b.streamsLog2}`));
    t.deepEqual([...shapes].sort(), ['0 5', '0 7', '6 8'], 'linear with 32 or 128 streams, or two levels of 64');
    t.true(boots.filter((b) => b.recordUnknown).length > boots.length * 0.8 && boots.some((b) => !b.recordUnknown));
  });

  test(`${name}: a linear stream table has 32 entries where every stream is below 32, else 128`, (t) => {
    for (const run of runsOf(reach)) {
      const boot = run.operations[booted(run)];
      if (boot?.op !== 'boot' || boot.boot.split > 0) continue;
      const sids = layoutStores(run).filter((o) => o.at < RAM + 2 * 4096).map((o) => Math.floor((o.at - boot.boot.streams) / 64));
      t.true(sids.length > 0);
      t.is(boot.boot.streamsLog2, sids.every((sid) => sid < 32) ? 5 : 7, `${sids}`);
    }
  });

  const entries = (span: number): number => (span === 0 || reach.both.includes(80) ? 32 : 16);

  test(`${name}: of two levels, each table has as few entries as the streams of the reach need`, (t) => {
    for (const run of runsOf(reach)) {
      const boot = run.operations[booted(run)];
      if (boot?.op !== 'boot' || boot.boot.split === 0) continue;
      const first = layoutStores(run).filter((o) => o.at < RAM + 4096);
      t.true(first.length > 0);
      for (const o of first) {
        const span = (o.at - boot.boot.streams) / 8;
        t.deepEqual([l1stdStreams(o.lo, 6), l1stdPointer(o.lo, o.hi)], [entries(span), RAM + (1 + span) * 4096], `span ${span}`);
      }
      for (const o of layoutStores(run).filter((s) => s.at >= RAM + 4096 && s.at < RAM + 3 * 4096)) {
        const span = Math.floor((o.at - RAM) / 4096) - 1;
        t.true((o.at % 4096) / 64 < entries(span) && first.some((l) => (l.at - boot.boot.streams) / 8 === span));
      }
    }
  });

  test(`${name}: registers that say where tables and queues stand are written by boot alone`, (t) => {
    const written = new Set(runsOf(reach).flatMap((r) => r.operations.flatMap((o) => (o.op === 'register' ? [o.offset] : []))));
    t.deepEqual([...written].sort((a, b) => a - b), [REG.CR0, REG.GBPA]);
  });

  test(`${name}: transactions are what the devices can do`, (t) => {
    const seen = new Set<number>();
    for (const run of runsOf(reach)) {
      for (const o of run.operations) t.true(['store', 'barrier', 'boot', 'register', 'command', 'raw', 'sync', 'acknowledge', 'access'].includes(o.op), o.op);
      for (const o of run.operations) if (o.op === 'sync') t.is(o.msi, 0);
      for (const a of accesses(run)) {
        const can = directions(reach, a.sid);
        seen.add(a.sid);
        t.true(a.write ? can.writes : can.reads, `${a.write ? 'write' : 'read'} of stream ${a.sid}`);
        t.true(!a.privileged && !a.instruction && a.ssid === -1 && a.smmu === 0);
        t.true(a.iova % 4096 === 0 && a.iova / 4096 < reach.inputFrames);
      }
    }
    t.deepEqual([...seen].sort((a, b) => a - b), [...allStreams(reach)].sort((a, b) => a - b));
  });

  test(`${name}: no transaction is aimed at the tables, and none but at memory while SMMUEN is 0`, (t) => {
    let off = 0;
    for (const run of runsOf(reach)) {
      let enabled = false;
      for (const o of run.operations) {
        if (o.op === 'boot') enabled = true;
        if (o.op === 'register' && o.offset === REG.CR0) enabled = (o.value & CR0_SMMUEN) !== 0;
        if (o.op !== 'access') continue;
        t.false(o.iova / 4096 >= RAM_BASE && o.iova / 4096 < RAM_BASE + 0x8000);
        if (enabled) continue;
        off += 1;
        t.true(isData(reach, o.iova / 4096));
      }
    }
    t.true(off > SEEDS / 200);
  });

  test(`${name}: where an STE may say bypass, every transaction is aimed at memory`, (t) => {
    const open = runsOf(reach).filter((run) => run.operations.some((o) => o.op === 'store' && o.at < RAM + 3 * 4096 && o.at % 64 === 0 && extract(o.lo, 0, 1, 3) === CONFIG_BYPASS && run.operations.some((b) => b.op === 'boot' && (b.boot.split === 0 || o.at >= RAM + 4096))));
    t.true(open.length > SEEDS / 10);
    for (const run of open) for (const a of accesses(run)) t.true(isData(reach, a.iova / 4096), `0x${a.iova.toString(16)}`);
  });

  test(`${name}: every descriptor that is valid leads to memory, or to the tables where it is one`, (t) => {
    for (const run of runsOf(reach)) {
      for (const o of run.operations) {
        if (o.op !== 'store' || o.at < RAM + PLACE.pool * 4096 || (o.lo & BIT_VALID) === 0) continue;
        const frame = (o.hi & 0xffff) * 2 ** 20 + (o.lo >>> 12);
        const table = frame >= RAM_BASE + PLACE.pool && frame < RAM_BASE + run.world.frames && (o.lo & 2) !== 0;
        const own = frame === RAM_BASE && (o.lo & 2) === 0 || frame - (frame % 0x40000) === RAM_BASE && (o.lo & 2) === 0;
        t.true(isData(reach, frame) || table || own && reach.features.stage2, `0x${frame.toString(16)}`);
      }
    }
  });

  test(`${name}: commands of every kind, most of them legal, no messages`, (t) => {
    const { legal, all, ops } = commandsOf(t, reach);
    t.true(legal > all * 0.9 && legal < all, `${legal} of ${all}`);
    const wanted = [OP.TLBI_NH_ALL, OP.TLBI_NH_ASID, OP.TLBI_NH_VA, OP.TLBI_NH_VAA, OP.TLBI_NSNH_ALL, OP.CFGI_STE, OP.CFGI_STE_RANGE, OP.CFGI_CD, OP.CFGI_CD_ALL];
    for (const op of reach.features.stage2 ? [...wanted, OP.TLBI_S12_VMALL, OP.TLBI_S2_IPA] : wanted) t.true(ops.has(op), `0x${op.toString(16)}`);
  });

  test(`${name}: rare attributes are rare, and structures are shared`, (t) => {
    let leaves = 0;
    let closed = 0;
    let shared = 0;
    for (const run of runsOf(reach)) {
      const before = run.operations.slice(0, booted(run)).filter((o) => o.op === 'store');
      for (const o of before) {
        if (!(o.at >= RAM + PLACE.pool * 4096 && (o.lo & 0x1f) === 7)) continue; // stage-1 pages: AttrIndx 1
        leaves += 1;
        if ((o.lo & BIT_UNPRIVILEGED) === 0) closed += 1;
      }
      const pointers = before.filter((o) => o.at < RAM + 3 * 4096 && [CONFIG_S1, CONFIG_NESTED].includes(extract(o.lo, 0, 1, 3))).map((o) => getField(Uint32Array.of(o.lo, o.hi), STE.S1ContextPtr));
      if (new Set(pointers).size < pointers.length) shared += 1;
    }
    t.true(closed > 0 && closed < leaves / 12, `${closed} of ${leaves}`);
    t.true(shared > SEEDS / 3, `${shared}`);
  });

  test(`${name}: whatever combination of old and new is read, translations end in memory; answers of every kind; staleness is at stake`, (t) => {
    const found = { accesses: 0, stakes: 0, answers: new Map<string, number>() };
    const some = runsOf(reach).slice(0, 500);
    for (const run of some) asked(t, reach, run, found);
    t.true(found.stakes >= some.length * 0.6, `${found.stakes} of ${some.length}`);
    t.true(found.accesses > some.length * 5);
    const share = (answer: string): number => (found.answers.get(answer) ?? 0) / found.accesses;
    t.true(share('ok') > 0.35 && share('ok') < 0.8, `${share('ok')}`);
    t.true(share('F_ACCESS') > 0.004, `${share('F_ACCESS')}`); // odd layouts only
    for (const answer of ['F_TRANSLATION', 'F_PERMISSION', 'abort', 'C_BAD_STE', 'C_BAD_CD']) t.true(share(answer) > 0.01, `${answer} ${share(answer)}`);
  });
}

/** What stands in memory when the SMMU boots. */
function layoutStores(run: MachineRun): Store[] {
  return run.operations.slice(0, booted(run)).filter((o) => o.op === 'store');
}

function commandsOf(t: ExecutionContext, reach: Reach): { legal: number; all: number; ops: Set<number> } {
  const words = new Uint32Array(4);
  const ops = new Set<number>();
  let legal = 0;
  let all = 0;
  for (const run of runsOf(reach)) {
    for (const o of run.operations) {
      if (o.op === 'raw') words.set(o.words);
      else if (o.op === 'command') encodeCommand(o.command, words);
      else continue;
      const c = decodeCommand(words, 0, newCommand());
      t.false(c.op === OP.SYNC && c.cs === 1);
      all += 1;
      if (commandVerdict(c, words, 0, reach.features).verdict !== 'legal') continue;
      legal += 1;
      ops.add(c.op);
    }
  }
  return { legal, all, ops };
}

/** One run on our own twins; before each access all answers that the weakest machine permits. No violation and nothing that is not modelled may come. */
function asked(t: ExecutionContext, reach: Reach, run: MachineRun, found: { accesses: number; stakes: number; readonly answers: Map<string, number> }): void {
  let weakest: WeakestMachine | undefined;
  const twins: Twins = { weakest: (memory, config) => (weakest = OWN_TWINS.weakest(memory, config)), concrete: OWN_TWINS.concrete };
  const both = new MachineLockstep(run.world, { twins });
  let stake = false;
  for (const o of run.operations) {
    if (o.op === 'access') {
      const answers = new Set<string>();
      weakest?.permitted('access', { ...newTransaction(), sid: o.sid, ssid: -1, frame: o.iova / 4096, write: o.write }, (a) => {
        answers.add(`${a.kind} ${a.event} ${a.frame}`);
        if (a.kind === OUTCOME_OK) t.true(isData(reach, a.frame), `0x${o.iova.toString(16)} to frame 0x${a.frame.toString(16)}`);
        return false;
      });
      stake ||= answers.size > 1;
    }
    const { answer } = both.step(o);
    if (answer === null) continue;
    found.accesses += 1;
    const name = answerName(answer);
    found.answers.set(name, (found.answers.get(name) ?? 0) + 1);
  }
  both.close();
  if (stake) found.stakes += 1;
}
