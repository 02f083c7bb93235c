/**
 * Show: one stored case as text and as the source of a test. Pure.
 */
import { caseId, type Case } from '../operations/case.js';
import { encodeCase } from '../operations/codec.js';
import type { Replayed } from '../lockstep/replay.js';
import { subjectText, violationLines } from './failure.js';
import { describeWorld, operationTable } from './operations.js';
import { counted, labelled, visible } from './words.js';

/** Header of a case: what it is and what it expects. */
export function caseLines(c: Case): string[] {
  const provenance = Object.entries(c.provenance).map(([key, value]) => `${visible(key)} ${visible(String(value))}`);
  const observed = c.observed === undefined ? [] : labelled('recorded', [`${counted(c.observed.length, 'answer')} of a real device`]);
  return [
    `case ${caseId(c)}  ${counted(c.operations.length, 'op')}`,
    ...labelled('expects', [expectation(c)]),
    ...labelled('subject', [subjectText(c.subject.mutant ?? null)]),
    ...observed,
    ...labelled('from', provenance),
    ...labelled('world', describeWorld(c.world)),
  ];
}

export function expectation(c: Case): string {
  return c.expect.verdict === 'ok' ? 'no violation of a right subject' : `a violation${c.expect.rule === undefined ? '' : ` of ${c.expect.rule}`} of a right subject`;
}

/** The case with both sides of every operation. */
export function caseText(c: Case, replayed: Replayed): string {
  return [...caseLines(c), '', ...operationTable(replayed.rows, { outside: outsideOf(replayed) }), ...verdictLines(replayed)].join('\n');
}

/** The name of the place in which it broke, when that is no operation. */
export function outsideOf(r: Replayed): string | null {
  if (r.violation === null || r.rows.some((row) => row.differs)) return null;
  return r.failedAt < 0 ? 'reset' : 'end of the run';
}

export function verdictLines(r: Replayed): string[] {
  if (r.violation !== null) return ['', `[violation] ${r.violation.rule}`, ...violationLines(r.violation)];
  if (r.unmodelled !== null) return ['', `[inconclusive] not modelled: ${visible(r.unmodelled)}`];
  return ['', '[ok] no violation'];
}

/** A test that replays the case, valid as TypeScript and as JavaScript; its place is test/regressions/. */
export function testSource(c: Case): string {
  const id = caseId(c);
  const mutant = c.subject.mutant;
  const right = { ...c, subject: { parts: c.subject.parts } };
  const text = encodeCase(right).replaceAll('`', '\\u0060').replaceAll('${', '\\u0024{');
  const lines = [
    `/** Case ${id}: ${mutant === undefined ? expectation(c) : 'found with a seeded bug, which must still be found'}. Put it in test/regressions/${id}.test.ts. */`,
    'import test from \'ava\';',
    'import { replay } from \'../../src/lockstep/replay.js\';',
    'import { decodeCase } from \'../../src/operations/codec.js\';',
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
