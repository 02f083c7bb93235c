/**
 * Show: one stored case as text and as the source of a test. Pure.
 */
import type { MachineCase } from '../operations/machine-case.js';
import type { TableCase } from '../operations/table-case.js';
import type { TableOperation } from '../stack/page-table.js';
import { encodeStored, storedId, type SequenceCase } from '../operations/stored.js';
import type { Case } from '../operations/case.js';
import type { SystemCase } from '../operations/system-case.js';
import type { SystemOperation } from '../stack/system.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Replayed } from '../lockstep/replay.js';
import { MACHINES, subjectText, tablesText, violationLines } from './failure.js';
import { describeMachineOperation, describeMachineWorld } from './machine-operations.js';
import { describeWorld, operationTable } from './operations.js';
import { describeTableOperation, describeTableWorld } from './table-operations.js';
import { describeSystemOperation, describeSystemWorld } from './system-operations.js';
import { counted, labelled, visible } from './words.js';

/** Header of a case: what it is and what it expects. */
export function caseLines(c: SequenceCase): string[] {
  const provenance = Object.entries(c.provenance).map(([key, value]) => `${visible(key)} ${visible(String(value))}`);
  const observed = c.kind !== 'driver' || c.observed === undefined ? [] : labelled('recorded', [`${counted(c.observed.length, 'answer')} of a real device`]);
  return [
    `case ${storedId(c)}  ${counted(c.operations.length, 'op')}`,
    ...labelled('expects', [expectation(c)]),
    ...labelled('subject', [subjectOf(c)]),
    ...observed,
    ...labelled('from', provenance),
    ...labelled('world', worldOf(c)),
  ];
}

function subjectOf(c: SequenceCase): string {
  if (c.kind === 'machine') return MACHINES;
  const mutant = c.subject.mutant ?? null;
  return c.kind === 'tables' ? tablesText(mutant) : subjectText(mutant, c.subject.parts['planner']);
}

function worldOf(c: SequenceCase): string[] {
  switch (c.kind) {
    case 'machine': return describeMachineWorld(c.world);
    case 'tables': return describeTableWorld(c.world);
    case 'system': return describeSystemWorld(c.world);
    case 'driver': return describeWorld(c.world);
  }
}

export function expectation(c: SequenceCase): string {
  return c.expect.verdict === 'ok' ? 'no violation of a right subject' : `a violation${c.expect.rule === undefined ? '' : ` of ${c.expect.rule}`} of a right subject`;
}

/** The case with both sides of every operation. */
export function caseText(c: Case, replayed: Replayed): string {
  return [...caseLines(c), '', ...operationTable(replayed.rows, { outside: outsideOf(replayed) }), ...verdictLines(replayed)].join('\n');
}

/** The same of a raw machine sequence. */
export function machineText(c: MachineCase, replayed: Replayed<MachineOperation>): string {
  return [...caseLines(c), '', ...operationTable(replayed.rows, { outside: outsideOf(replayed), describe: describeMachineOperation }), ...verdictLines(replayed)].join('\n');
}

/** The same of a sequence on a page table. */
export function tableText(c: TableCase, replayed: Replayed<TableOperation>): string {
  return [...caseLines(c), '', ...operationTable(replayed.rows, { outside: outsideOf(replayed), describe: describeTableOperation }), ...verdictLines(replayed)].join('\n');
}

/** The same of a system. */
export function systemText(c: SystemCase, replayed: Replayed<SystemOperation>): string {
  return [...caseLines(c), '', ...operationTable(replayed.rows, { outside: outsideOf(replayed), describe: describeSystemOperation }), ...verdictLines(replayed)].join('\n');
}

/** The name of the place in which it broke, when that is no operation. */
export function outsideOf<O>(r: Replayed<O>): string | null {
  if (r.violation === null || r.rows.some((row) => row.differs)) return null;
  return r.failedAt < 0 ? 'reset' : 'end of the run';
}

export function verdictLines<O>(r: Replayed<O>): string[] {
  if (r.violation !== null) return ['', `[violation] ${r.violation.rule}`, ...violationLines(r.violation)];
  if (r.unmodelled !== null) return ['', `[inconclusive] not modelled: ${visible(r.unmodelled)}`];
  return ['', '[ok] no violation'];
}

const TEST_IMPORTS: Readonly<Record<SequenceCase['kind'], readonly string[]>> = {
  machine: ['import { replayMachine as replay } from \'../../src/lockstep/machine-replay.js\';', 'import { decodeMachineCase as decodeCase } from \'../../src/operations/machine-codec.js\';'],
  tables: ['import { replayTables as replay } from \'../../src/lockstep/table-replay.js\';', 'import { decodeTableCase as decodeCase } from \'../../src/operations/table-codec.js\';'],
  system: ['import { replaySystem as replay } from \'../../src/lockstep/system-replay.js\';', 'import { decodeSystemCase as decodeCase } from \'../../src/operations/system-codec.js\';'],
  driver: ['import { replay } from \'../../src/lockstep/replay.js\';', 'import { decodeCase } from \'../../src/operations/codec.js\';'],
};

/** A test that replays the case, valid as TypeScript and as JavaScript; its place is test/regressions/. */
export function testSource(c: SequenceCase): string {
  const id = storedId(c);
  const mutant = c.kind === 'machine' ? undefined : c.subject.mutant;
  const text = encodeStored(c.kind === 'machine' ? c : { ...c, subject: { parts: c.subject.parts } }).replaceAll('`', '\\u0060').replaceAll('${', '\\u0024{');
  const lines = [
    `/** Case ${id}: ${mutant === undefined ? expectation(c) : 'found with a seeded bug, which must still be found'}. Put it in test/regressions/${id}.test.ts. */`,
    'import test from \'ava\';',
    ...TEST_IMPORTS[c.kind],
    '',
    `const stored = decodeCase(String.raw\`${text}\`, '${id}');`,
    '',
    `test('case ${id}: ${expectation(c)}', (t) => {`,
    '  const result = replay(stored.world, stored.operations);',
    '  t.is(result.unmodelled, null);',
    `  t.is(result.violation?.rule, ${c.expect.verdict === 'ok' ? 'undefined' : c.expect.rule === undefined ? 'result.violation?.rule' : JSON.stringify(c.expect.rule)});`,
    ...(c.expect.verdict === 'ok' ? [] : ['  t.not(result.violation, null);']),
    '});',
  ];
  if (mutant !== undefined) {
    const rule = c.provenance['rule'];
    lines.push(
      '', `test('case ${id}: mutant ${mutant.replaceAll(/[^\w-]/g, '')} is found', (t) => {`,
      `  const result = replay(stored.world, stored.operations, { mutant: ${JSON.stringify(mutant)} });`,
      typeof rule === 'string' ? `  t.is(result.violation?.rule, ${JSON.stringify(rule)});` : '  t.not(result.violation, null);',
      '});',
    );
  }
  return `${lines.join('\n')}\n`;
}
