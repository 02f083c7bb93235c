/**
 * A stored plan case: one description of damage, one SMMU, and either the planner that is asked or the commands themselves; what the plan is
 * judged by are the rules of planned invalidations. No world and no operations: a claim of `prove` that came out wrong is such a case.
 */
import { createHash } from 'node:crypto';
import type { Tg } from '../spec/granule.js';
import type { Description } from '../stack/description.js';
import { canonicalJson, sorted, type CASE_SCHEMA, type Json } from './case.js';

/** The rules by which a plan is judged. */
export const PLAN_RULES = ['range-coverage', 'illegal-command', 'over-invalidation', 'command-bound'] as const;
export type PlanRule = (typeof PLAN_RULES)[number];

/** What a plan depends on, and the erratum on which its completeness depends. */
export interface PlanFeatures {
  /** IDR3.RIL. */
  readonly range: boolean;
  /** IDR5.DS. */
  readonly ds: boolean;
  /** Erratum: a merged contiguous run goes only when one range command spans it whole. */
  readonly wholeRunOnly: boolean;
}

/**
 * A planner by name, or the payloads that an outside formula gave: four uint32 each (stack/planner.ts), or 'whole-tag'; with a planner as well they are
 * held to what that one promises.
 */
export type PlanSubject =
  | { readonly parts: { readonly planner: string } }
  | { readonly parts: { readonly planner?: string }; readonly payloads: readonly (readonly [number, number, number, number])[] | 'whole-tag' };

export interface PlanExpectation {
  readonly verdict: 'ok' | 'violation';
  readonly rule?: PlanRule;
}

export interface PlanCase {
  readonly schema: typeof CASE_SCHEMA;
  readonly kind: 'plan';
  readonly features: PlanFeatures;
  readonly description: Readonly<Description>;
  readonly subject: PlanSubject;
  readonly expect: PlanExpectation;
  readonly provenance: Readonly<Record<string, string | number>>;
}

/** Commands that a case may carry. */
export const PAYLOADS_MAX = 4096;

/** First and last byte of whole 4 KiB frames, exact over 64 bits. */
function bytesOf(frame: number, end: '000' | 'fff'): string {
  return end === '000' && frame === 0 ? '0x0' : `0x${frame === 0 ? '' : frame.toString(16)}${end}`;
}

export function planFeaturesJson(f: PlanFeatures): Json {
  return { range: f.range, ds: f.ds, wholeRunOnly: f.wholeRunOnly };
}

/** Byte addresses, the last one inclusive; bitmaps as binary text, bit n for level 3 - n. */
export function planDescriptionJson(d: Readonly<Description>): Json {
  const tg: Tg = d.tg;
  return {
    tg, first: bytesOf(d.first, '000'), last: bytesOf(d.last, 'fff'), leaves: `0b${d.leaves.toString(2)}`, tables: `0b${d.tables.toString(2)}`,
    ...(d.all ? { all: true } : {}),
  };
}

export function planSubjectJson(s: PlanSubject): Json {
  if ('payloads' in s) return { parts: sorted({ ...s.parts }), payloads: s.payloads === 'whole-tag' ? s.payloads : s.payloads.map((p) => p.map((w) => `0x${(w >>> 0).toString(16)}`)) };
  return { parts: sorted(s.parts) };
}

export function planExpectJson(e: PlanExpectation): Json {
  return e.rule === undefined ? { verdict: e.verdict } : { verdict: e.verdict, rule: e.rule };
}

/** The case's name: the first 16 hexadecimal digits of the SHA-256 of everything but `provenance`. */
export function planCaseId(c: PlanCase): string {
  const identity: Record<string, Json> = {
    schema: c.schema, kind: c.kind, features: planFeaturesJson(c.features), description: planDescriptionJson(c.description),
    subject: planSubjectJson(c.subject), expect: planExpectJson(c.expect),
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 16);
}
