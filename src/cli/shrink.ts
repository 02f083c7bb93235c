/**
 * shrink: a stored case minimised again.
 */
import type { Origin } from '../fuzz/failure.js';
import type { Case } from '../operations/case.js';
import type { MachineCase } from '../operations/machine-case.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import { MachineStore, SystemStore, TableStore } from '../fuzz/store.js';
import { replay, type Replayed } from '../lockstep/replay.js';
import { replaySystem } from '../lockstep/system-replay.js';
import { replayTables } from '../lockstep/table-replay.js';
import type { SequenceCase } from '../operations/stored.js';
import type { SystemCase } from '../operations/system-case.js';
import type { TableCase } from '../operations/table-case.js';
import type { FailureLine } from '../report/fuzz.js';
import { failureBlock } from '../report/failure.js';
import { visible } from '../report/words.js';
import type { Violation } from '../stack/violation.js';
import { candidateOf, mutantOf, oneCase, sequenceOf } from './cases.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { failureLine, storeOriginal, workUp, type Found } from './found.js';
import { duration, type Parsed, type VerbSpec } from './options.js';
import { machineLine, workUpMachine, type MachineFound } from './machine-found.js';
import { now, type Output } from './output.js';
import { systemLine, workUpSystem, type SystemFound } from './system-found.js';
import { Scratch } from './scratch.js';
import { tableLine, workUpTables, type TableFound } from './tables-found.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'shrink', operands: 1,
  usage: ['shrink <case|-> [--time TIME] [--corpus DIR]'],
  about: [
    'Looks for the smallest sequence that breaks the same rule with the same cause, stores it and prints it. The given file is not changed.',
    'Exit 1: what is printed is a violation. A case without a violation: exit 64.',
  ],
  options: [
    { name: 'time', value: 'TIME', about: 'so long at most, roughly: 30s, 2m, 1h (default: until the shrink budget is spent)' },
    { name: 'corpus', value: 'DIR', about: 'store in DIR (default: a fresh directory, printed)' },
  ],
};

function originOf(c: Case | TableCase | SystemCase): Origin | null {
  const { seed, run, profile, planner } = c.provenance;
  return typeof seed === 'string' && typeof run === 'number' && typeof profile === 'string' ? { seed, run, profile, ...(typeof planner === 'string' ? { planner } : {}) } : null;
}

function workDriver(c: Case, violation: Violation, corpus: string, timeMs: number | undefined): Found {
  const options = { mutant: mutantOf(c), origin: originOf(c), corpus, shrink: true, ...(timeMs === undefined ? {} : { timeMs }) };
  return workUp(c, violation, options, storeOriginal(c, violation, options));
}

function workMachine(c: MachineCase, violation: Violation, corpus: string, timeMs: number | undefined): MachineFound {
  const { seed, run: drawn } = c.provenance;
  const origin = typeof seed === 'string' && typeof drawn === 'number' ? { seed, run: drawn } : null;
  const store = new MachineStore(corpus, violation, origin, c);
  store.original(c, violation);
  return workUpMachine({ ...c, violation }, { store, shrink: true, origin, ...(timeMs === undefined ? {} : { timeMs }) });
}

function workTables(c: TableCase, violation: Violation, corpus: string, timeMs: number | undefined): TableFound {
  const source = { mutant: mutantOf(c), origin: originOf(c), like: c };
  const store = new TableStore(corpus, violation, source);
  store.original(c, violation);
  return workUpTables({ ...c, violation }, { store, shrink: true, source, ...(timeMs === undefined ? {} : { timeMs }) });
}

function workSystem(c: SystemCase, violation: Violation, corpus: string, timeMs: number | undefined): SystemFound {
  const about = { mutant: mutantOf(c), origin: originOf(c) };
  const store = new SystemStore(corpus, violation, about, c);
  store.original(c, violation);
  return workUpSystem(c, violation, { store, shrink: true, ...about, ...(timeMs === undefined ? {} : { timeMs }) });
}

type AnyFound = Found | MachineFound | TableFound | SystemFound;

/** Shrunk and stored. */
function workAny(c: SequenceCase, violation: Violation, corpus: string, timeMs: number | undefined): AnyFound {
  switch (c.kind) {
    case 'machine': return workMachine(c, violation, corpus, timeMs);
    case 'tables': return workTables(c, violation, corpus, timeMs);
    case 'system': return workSystem(c, violation, corpus, timeMs);
    case 'driver': return workDriver(c, violation, corpus, timeMs);
  }
}

/** What the case shows as it is stored. */
function shownBy(c: SequenceCase, mutant: string | null): Pick<Replayed, 'violation' | 'unmodelled'> {
  const loaded = mutant === null ? {} : { mutant };
  switch (c.kind) {
    case 'machine': return replayMachine(c.world, c.operations);
    case 'tables': return replayTables(c.world, c.operations, loaded);
    case 'system': return replaySystem(c.world, c.operations, loaded);
    case 'driver': return replay(c.world, c.operations, loaded);
  }
}

function lineOf(record: AnyFound['record']): FailureLine {
  if (!('kind' in record)) return failureLine(record);
  switch (record.kind) {
    case 'machine': return machineLine(record);
    case 'tables': return tableLine(record);
    case 'system': return systemLine(record);
  }
}

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  const timeMs = duration(p, 'time');
  const named = await oneCase(p.operands, 'shrink');
  const part = candidateOf(named.case);
  if (part !== null) throw new UsageError(`${named.file}: the case is about the candidate ${visible(part)}, and compare has shrunk it already`);
  const stored = sequenceOf(named, 'shrink');
  const start = now();
  const c = stored.case;
  const mutant = mutantOf(c);
  const before = shownBy(c, mutant);
  if (before.unmodelled !== null) {
    out.print(`[inconclusive] not modelled: ${visible(before.unmodelled)}`);
    out.document({ schema: 1, verb: 'shrink', verdict: 'inconclusive', failures: [], unmodelled: [before.unmodelled], timing: { elapsedMs: Math.round(now() - start) } });
    return EXIT.inconclusive;
  }
  if (before.violation === null) throw new UsageError(`${stored.file}: the case shows no violation, so there is nothing to shrink`);
  const scratch = new Scratch(p.values.get('corpus'));
  if (!out.json) out.print(`cases are stored in ${visible(scratch.path)}`);
  const { record, repeatable } = workAny(c, before.violation, scratch.path, timeMs);
  out.print(`${c.operations.length} -> ${record.operations.length} operations\n\n${failureBlock(record, { program: out.program })}`);
  out.document({
    schema: 1, verb: 'shrink', verdict: 'violation', from: c.operations.length, to: record.operations.length, minimal: record.shrunk?.minimal ?? false,
    failures: [lineOf(record)], timing: { elapsedMs: Math.round(now() - start) },
  });
  return worst([EXIT.violation, repeatable ? EXIT.ok : EXIT.nondeterministic]);
}

export const verb: Verb = { spec, run };
