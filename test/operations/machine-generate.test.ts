/** Random raw sequences: repeatable, storable, of every kind, mostly plausible, with few words of structures open at a time. */
import test from 'ava';
import { commandVerdict, decodeCommand, encodeCommand, newCommand, OP } from '../../src/spec/command.js';
import { extract, getField } from '../../src/spec/bits.js';
import { FULL_FEATURES } from '../../src/spec/features.js';
import { STE, steVerdict } from '../../src/spec/ste.js';
import { MACHINE_KINDS } from '../../src/operations/machine-fields.js';
import { generateMachineRun, RUN_OPERATIONS, type MachineRun } from '../../src/operations/machine-generate.js';
import { decodeMachineCase, encodeMachineCase } from '../../src/operations/machine-codec.js';
import { PLACE, RAM } from '../../src/operations/machine-worlds.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { MACHINE_LIMITS } from '../../src/stack/machine-world.js';

function draw(k: number): MachineRun {
  return generateMachineRun(new RandomChooser(`test/${k}`));
}

const RUNS = Array.from({ length: 250 }, (_, k) => draw(k));

test('the same seed draws the same run, another one another', (t) => {
  t.deepEqual(draw(3), RUNS[3]);
  t.notDeepEqual(RUNS[3], RUNS[4]);
  t.is(generateMachineRun(new RandomChooser('x'), 50).operations.length, 50);
});

test('runs are short, within the limits, and survive their text', (t) => {
  for (const { world, operations } of RUNS) {
    t.true(operations.length <= RUN_OPERATIONS);
    t.true(world.frames >= 16 && world.frames <= MACHINE_LIMITS.frames);
    t.false(world.judged);
    const stored = { schema: 1, kind: 'machine', world, operations, expect: { verdict: 'ok' }, provenance: {} } as const;
    t.deepEqual(decodeMachineCase(encodeMachineCase(stored), 'x'), stored);
  }
});

test('every kind of operation but claims and frees, and every feature both ways', (t) => {
  const kinds = new Set(RUNS.flatMap((r) => r.operations.map((o) => o.op)));
  t.deepEqual(MACHINE_KINDS.filter((k) => !kinds.has(k)), ['claim', 'free']);
  const fixed = new Set(['stage1', 'coherent', 'msi', 'sev', 'forceSync', 'commandLog2', 'eventLog2']);
  for (const key of Object.keys(FULL_FEATURES) as (keyof typeof FULL_FEATURES)[]) {
    if (fixed.has(key)) continue;
    t.true(new Set(RUNS.map((r) => r.world.smmus[0]?.features[key])).size > 1, key);
  }
  t.true(RUNS.some((r) => r.world.smmus.length === 2));
});

/** The words of a structure as the stores before boot leave them. */
function wordsAt(run: MachineRun, at: number): Uint32Array {
  const words = new Uint32Array(16);
  for (const op of run.operations) {
    if (op.op === 'boot') break;
    if (op.op !== 'store' || op.at < at || op.at >= at + 64) continue;
    words[(op.at - at) / 4] = op.lo;
    words[(op.at - at) / 4 + 1] = op.hi;
  }
  return words;
}

test('stream table entries are mostly legal, of every configuration', (t) => {
  const verdicts = new Map<string, number>();
  for (const run of RUNS) {
    for (let at = RAM; at < RAM + 3 * 4096; at += 64) {
      const words = wordsAt(run, at);
      if (getField(words, STE.V) === 0 || extract(words[0] as number, 0, 1, 3) === 0 || at < RAM + 64 && run.operations.some((o) => o.op === 'boot' && o.boot.split > 0)) continue;
      const verdict = steVerdict(words, 0, (run.world.smmus[0] as MachineRun['world']['smmus'][number]).features);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
  }
  for (const v of ['bypass', 'stage1', 'stage2', 'nested']) t.true((verdicts.get(v) ?? 0) > 20, v);
  t.true((verdicts.get('illegal') ?? 0) < [...verdicts.values()].reduce((a, b) => a + b, 0) / 5, JSON.stringify([...verdicts]));
});

test('commands: every one there is, most of them legal, some not', (t) => {
  const verdicts = new Map<string, number>();
  const names = new Set<number>();
  const words = new Uint32Array(4);
  for (const { world, operations } of RUNS) {
    for (const op of operations) {
      if (op.op === 'raw') words.set(op.words);
      else if (op.op === 'command') encodeCommand(op.command, words);
      else continue;
      const c = decodeCommand(words, 0, newCommand());
      names.add(c.op);
      const { verdict } = commandVerdict(c, words, 0, (world.smmus[0] as MachineRun['world']['smmus'][number]).features);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
  }
  const all = [...verdicts.values()].reduce((a, b) => a + b, 0);
  t.true((verdicts.get('legal') ?? 0) > all * 0.8, JSON.stringify([...verdicts]));
  for (const v of ['illegal', 'reserved'] as const) t.true((verdicts.get(v) ?? 0) > 0, v);
  for (const op of [OP.TLBI_NH_VA, OP.TLBI_S2_IPA, OP.TLBI_EL2_VA, OP.TLBI_S12_VMALL, OP.CFGI_STE, OP.CFGI_CD, OP.ATC_INV, OP.PREFETCH_ADDR, OP.SYNC]) t.true(names.has(op), `0x${op.toString(16)}`);
});

test('few words of STEs and CDs change before everything of the configuration is invalidated', (t) => {
  const structures = [PLACE.streams, PLACE.streams2, PLACE.streams2 + 1, PLACE.cds, PLACE.cdTable, PLACE.cds2].map((f) => RAM + f * 4096);
  for (const { operations } of RUNS) {
    let open = 0;
    const booted = operations.findIndex((o) => o.op === 'boot');
    for (const op of operations.slice(booted)) {
      if (op.op === 'command' && op.command.op === OP.CFGI_STE_RANGE && op.command.range === 31) open = 0;
      if (op.op === 'store' && structures.some((at) => op.at >= at && op.at < at + 4096)) open += 1;
      t.true(open <= 4);
    }
  }
});
