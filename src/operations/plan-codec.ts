/**
 * The text form of a plan case (plan-case.ts): fixed key order, one command a line; read as hostile input. What is judged here is that
 * the description is one: whole granules in one half of the address space, levels that exist. Whether a planner of that name exists is
 * the reader's business.
 */
import { levelShift, TGS, type Tg } from '../spec/granule.js';
import type { Description } from '../stack/description.js';
import { CASE_SCHEMA, sorted } from './case.js';
import { lines, readDocument, readProvenance, type Node } from './node.js';
import {
  PAYLOADS_MAX, PLAN_RULES, planDescriptionJson, planExpectJson, planFeaturesJson, planSubjectJson, type PlanCase, type PlanExpectation, type PlanFeatures, type PlanSubject,
} from './plan-case.js';

/** The text of a plan case: equal cases give equal text. */
export function encodePlanCase(c: PlanCase): string {
  const payloads = 'payloads' in c.subject && c.subject.payloads !== 'whole-tag' ? planSubjectJson(c.subject) as { readonly parts: Readonly<Record<string, string>>; readonly payloads: readonly string[][] } : null;
  const subject = payloads === null ? JSON.stringify(planSubjectJson(c.subject)) : `{"parts":${JSON.stringify(payloads.parts)},"payloads":${lines(payloads.payloads)}}`;
  return `{\n${[
    `  "schema": ${c.schema}`,
    '  "kind": "plan"',
    `  "features": ${JSON.stringify(planFeaturesJson(c.features))}`,
    `  "description": ${JSON.stringify(planDescriptionJson(c.description))}`,
    `  "subject": ${subject}`,
    `  "expect": ${JSON.stringify(planExpectJson(c.expect))}`,
    `  "provenance": ${JSON.stringify(sorted(c.provenance))}`,
  ].join(',\n')}\n}\n`;
}

/** Reads a plan case; `name` starts every message. Throws CaseError. */
export function decodePlanCase(text: string, name: string): PlanCase {
  return parsePlanCase(readDocument(text, name));
}

/** A plan case from its document. */
export function parsePlanCase(n: Node): PlanCase {
  n.keys();
  if (n.has('schema')) n.child('schema').oneOf([CASE_SCHEMA]);
  n.object(['schema', 'kind', 'features', 'description', 'subject', 'expect', 'provenance']);
  const features = parseFeatures(n.child('features'));
  return {
    schema: CASE_SCHEMA, kind: n.child('kind').oneOf(['plan'] as const), features, description: parseDescription(n.child('description')),
    subject: parseSubject(n.child('subject')), expect: parseExpect(n.child('expect')), provenance: readProvenance(n.child('provenance')),
  };
}

function parseFeatures(n: Node): PlanFeatures {
  n.object(['range', 'ds', 'wholeRunOnly']);
  return { range: n.child('range').boolean(), ds: n.child('ds').boolean(), wholeRunOnly: n.child('wholeRunOnly').boolean() };
}

/** A byte address of 64 bits whose low 12 bits are `low`, as a frame. */
function frame(n: Node, low: number): number {
  const [lo, hi] = n.word();
  if (lo % 4096 !== low) n.fail(low === 0 ? 'must be the first byte of a 4 KiB frame' : 'must be the last byte of a 4 KiB frame');
  return hi * 2 ** 20 + Math.floor(lo / 4096);
}

/** A bitmap such as "0b101": bit n for level 3 - n, down to level -1. */
function bitmap(n: Node): number {
  const text = n.text(16);
  if (!/^0b[01]{1,5}$/.test(text)) n.fail('must be a bitmap of at most five levels such as "0b101"');
  return Number(text);
}

function parseDescription(n: Node): Description {
  n.object(['tg', 'first', 'last', 'leaves', 'tables'], ['all']);
  const tg: Tg = n.child('tg').oneOf(TGS);
  const d: Description = {
    tg, first: frame(n.child('first'), 0), last: frame(n.child('last'), 4095), leaves: bitmap(n.child('leaves')), tables: bitmap(n.child('tables')),
    all: n.has('all') && n.child('all').boolean(),
  };
  const granule = 2 ** (tg - 12);
  if (d.last < d.first) n.child('last').fail('must not be below first');
  if (d.first % granule !== 0 || (d.last + 1) % granule !== 0) n.fail(`must be whole granules of ${granule * 4}K`);
  if (Math.floor(d.first / 2 ** 43) !== Math.floor(d.last / 2 ** 43)) n.fail('must lie in one half of the address space: bit 55 of first and last differ');
  if (d.leaves === 0 && d.tables === 0 && !d.all) n.fail('must name a level in leaves or in tables');
  if ((d.tables & 1) !== 0) n.child('tables').fail('must not have bit 0: no table descriptor stands at level 3');
  if (levelShift(tg, 3 - (31 - Math.clz32(d.leaves | d.tables | 1))) > 55) n.fail('names a level that this granule does not have');
  return d;
}

function parseSubject(n: Node): PlanSubject {
  n.object(['parts'], ['payloads']);
  const parts = n.child('parts');
  if (!n.has('payloads')) {
    parts.object(['planner']);
    return { parts: { planner: parts.child('planner').text(256) } };
  }
  parts.object([], ['planner']);
  const promise = parts.has('planner') ? { planner: parts.child('planner').text(256) } : {};
  const payloads = n.child('payloads');
  if (payloads.value === 'whole-tag') return { parts: promise, payloads: 'whole-tag' };
  return { parts: promise, payloads: payloads.list(0, PAYLOADS_MAX, parsePayload) };
}

function parsePayload(n: Node): readonly [number, number, number, number] {
  const words = n.list(4, 4, (w) => {
    const [lo, hi] = w.word();
    if (hi !== 0) w.fail('must be a word of 32 bits');
    return lo;
  });
  return [words[0] as number, words[1] as number, words[2] as number, words[3] as number];
}

function parseExpect(n: Node): PlanExpectation {
  n.object(['verdict'], ['rule']);
  const verdict = n.child('verdict').oneOf(['ok', 'violation'] as const);
  if (!n.has('rule')) return { verdict };
  if (verdict === 'ok') n.child('rule').fail('must be absent when the verdict is "ok"');
  return { verdict, rule: n.child('rule').oneOf(PLAN_RULES) };
}
