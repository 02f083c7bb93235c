/**
 * The text form of a case (case.ts): written compact with one operation a line and a fixed key order; read as
 * hostile input. Only the structure is judged here: types, kinds, known keys, ranges. Whether an operation makes
 * sense (alignment, overlap) is the driver's business: refused calls are part of the alphabet.
 */
import { EVENT } from '../spec/event.js';
import type { Operation, OperationKind, Target } from '../stack/operation.js';
import { OPERATION_KINDS } from '../stack/operation.js';
import { RULE_IDS } from '../stack/violation.js';
import type { DeviceConfig, DomainConfig, SmmuConfig, World } from '../stack/world.js';
import { CLEANER_NAMES } from '../stack/page-table.js';
import { PLANNER_NAMES } from '../stack/planner.js';
import { GATHER_STYLES, LIMITS } from '../stack/world.js';
import type { Case, Expectation, Observation, Subject } from './case.js';
import {
  CASE_SCHEMA, expectJson, observationJson, operationJson, sorted, subjectJson, worldJson,
} from './case.js';
import { lines, readCaseText, readDocument, readProvenance, type Node } from './node.js';

export { MAX_CASE_DEPTH, MAX_CASE_TEXT } from './node.js';
const MAX_INDEX = 2 ** 31;

/** The text of a case: equal cases give equal text. Throws CaseError when a number cannot be stored. */
export function encodeCase(c: Case): string {
  const world = Object.entries(worldJson(c.world)).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const fields = [
    `  "schema": ${c.schema}`,
    `  "kind": ${JSON.stringify(c.kind)}`,
    `  "world": {\n${world.join(',\n')}\n  }`,
    `  "subject": ${JSON.stringify(subjectJson(c.subject))}`,
    `  "operations": ${lines(c.operations.map(operationJson))}`,
    `  "expect": ${JSON.stringify(expectJson(c.expect))}`,
  ];
  if (c.observed !== undefined) fields.push(`  "observed": ${lines(c.observed.map(observationJson))}`);
  fields.push(`  "provenance": ${JSON.stringify(sorted(c.provenance))}`);
  return `{\n${fields.join(',\n')}\n}\n`;
}

/** Read a case; `name` (a file name) starts every message. Throws CaseError. */
export function decodeCase(text: string, name: string): Case {
  return parseCase(readDocument(text, name));
}

/** Read a case from a file. Throws CaseError for everything that can be wrong with it. */
export function readCaseFile(path: string): Case {
  return decodeCase(readCaseText(path), path);
}

// ---- The parts of a case.

/** A driver case from its document. */
export function parseCase(n: Node): Case {
  n.keys();
  if (n.has('schema')) n.child('schema').oneOf([CASE_SCHEMA]); // another schema may have other keys: say that first
  n.object(['schema', 'kind', 'world', 'subject', 'operations', 'expect', 'provenance'], ['observed']);
  const operations = n.child('operations').list(0, LIMITS.operations, parseOperation);
  const base: Case = {
    schema: CASE_SCHEMA,
    kind: n.child('kind').oneOf(['driver']),
    world: parseWorld(n.child('world')),
    subject: parseSubject(n.child('subject')),
    operations,
    expect: parseExpectation(n.child('expect')),
    provenance: readProvenance(n.child('provenance')),
  };
  return n.has('observed') ? { ...base, observed: parseObserved(n.child('observed'), operations) } : base;
}

/** `beyond`: a further key that the world must have. A device may then name a StreamID twice. */
export function parseWorld(n: Node, beyond?: string): World {
  n.object(['smmus', 'devices', 'domains', 'inputBits', 'flushQueue', 'storeOrder', ...(beyond === undefined ? [] : [beyond])], ['planner', 'cleaner', 'eviction']);
  const smmus = n.child('smmus').list(1, LIMITS.smmus, parseSmmu);
  const used = new Set<number>();
  return {
    smmus,
    devices: n.child('devices').list(0, LIMITS.devices, (d) => parseDevice(d, smmus.length, used, beyond !== undefined)),
    domains: n.child('domains').list(0, LIMITS.domains, parseDomain),
    inputBits: n.child('inputBits').oneOf([39, 48]),
    flushQueue: n.child('flushQueue').integer(1, LIMITS.flushQueue),
    storeOrder: n.child('storeOrder').oneOf(['fifo', 'reverse']),
    ...(n.has('planner') ? { planner: n.child('planner').oneOf(PLANNER_NAMES) } : {}),
    ...(n.has('cleaner') ? { cleaner: n.child('cleaner').oneOf(CLEANER_NAMES) } : {}),
    ...(n.has('eviction') ? { eviction: parseEviction(n.child('eviction')) } : {}),
  };
}

function parseEviction(n: Node): NonNullable<World['eviction']> {
  n.object(['oneIn', 'seed']);
  return { oneIn: n.child('oneIn').integer(1, LIMITS.evictionOneIn), seed: n.child('seed').integer(0, LIMITS.evictionSeed) };
}

/** `coherent` is said only where it is false. */
function parseCoherent(n: Node): { readonly coherent?: false } {
  return n.has('coherent') && !n.child('coherent').boolean() ? { coherent: false } : {};
}

function parseSmmu(n: Node): SmmuConfig {
  n.object(['range', 'asidBits', 'asidMax', 'queueLog2', 'eventLog2', 'tlbEntries'], ['forceSync', 'ds', 'coherent']);
  const asidBits = n.child('asidBits').oneOf([8, 16]);
  const tlb = n.child('tlbEntries');
  const tlbEntries = tlb.integer(4, 4096);
  if ((tlbEntries & (tlbEntries - 1)) !== 0) tlb.fail('must be a power of two');
  return {
    range: n.child('range').boolean(),
    asidBits,
    asidMax: n.child('asidMax').integer(1, 2 ** asidBits - 1),
    queueLog2: n.child('queueLog2').integer(3, 8),
    eventLog2: n.child('eventLog2').integer(1, 7),
    tlbEntries,
    ...(n.has('ds') && n.child('ds').boolean() ? { ds: true as const } : {}),
    ...(n.has('forceSync') && n.child('forceSync').boolean() ? { forceSync: true as const } : {}),
    ...parseCoherent(n),
  };
}

function parseDevice(n: Node, smmus: number, used: Set<number>, twice: boolean): DeviceConfig {
  n.object(['smmu', 'streams']);
  const smmu = n.child('smmu').integer(0, smmus - 1);
  const most = 2 ** LIMITS.streamLog2;
  const own = new Set<number>();
  const streams = n.child('streams').list(1, LIMITS.streamsPerDevice, (s) => {
    const sid = s.integer(0, most - 1);
    if (used.has(smmu * most + sid) && !(twice && own.has(sid))) s.fail(`is a StreamID that is used twice on SMMU ${smmu}`);
    used.add(smmu * most + sid);
    own.add(sid);
    return sid;
  });
  return { smmu, streams };
}

function parseDomain(n: Node): DomainConfig {
  n.object(['mode', 'managed'], ['gather', 'coherent']);
  const mode = n.child('mode').oneOf(['strict', 'lazy']);
  const managed = n.child('managed').boolean();
  if (mode === 'lazy' && !managed) n.child('managed').fail('must be true for a lazy domain');
  if (!n.has('gather')) return { mode, managed, ...parseCoherent(n) };
  const gather = n.child('gather').oneOf(GATHER_STYLES);
  if (gather === 'sva' && (mode !== 'strict' || managed)) n.child('gather').fail('must not be "sva" for a lazy or managed domain');
  return { mode, managed, gather, ...parseCoherent(n) };
}

export function parseSubject(n: Node): Subject {
  n.object(['parts'], ['mutant']);
  const parts = n.child('parts').record((v) => v.text(256));
  return n.has('mutant') ? { parts, mutant: n.child('mutant').text(256) } : { parts };
}

export function parseExpectation(n: Node): Expectation {
  n.object(['verdict'], ['rule']);
  const verdict = n.child('verdict').oneOf(['ok', 'violation']);
  if (!n.has('rule')) return { verdict };
  if (verdict === 'ok') n.child('rule').fail('must be absent when the verdict is "ok"');
  return { verdict, rule: n.child('rule').oneOf(RULE_IDS) };
}

const KEYS: Readonly<Record<OperationKind, readonly string[]>> = {
  map: ['op', 'domain', 'iova', 'pa', 'size', 'prot'],
  unmap: ['op', 'domain', 'iova', 'size'],
  sync: ['op', 'domain'],
  attach: ['op', 'device', 'to'],
  detach: ['op', 'device'],
  access: ['op', 'device', 'stream', 'iova', 'write'],
  'iova-alloc': ['op', 'domain', 'iova', 'size'],
  'iova-free': ['op', 'domain', 'iova', 'size'],
  'flush-all': ['op', 'domain'],
  'fail-next-allocation': ['op'],
  evict: ['op', 'line'],
};

export function parseOperation(n: Node): Operation {
  n.keys();
  if (!n.has('op')) n.fail('lacks the key "op"');
  const op = n.child('op').oneOf(OPERATION_KINDS);
  n.object(KEYS[op]);
  const index = (key: string): number => n.child(key).integer(0, MAX_INDEX);
  const bytes = (key: string): number => n.child(key).address();
  switch (op) {
    case 'map':
      return { op, domain: index('domain'), iova: bytes('iova'), pa: bytes('pa'), size: bytes('size'), prot: n.child('prot').oneOf(['r', 'rw']) };
    case 'unmap': case 'iova-alloc': case 'iova-free':
      return { op, domain: index('domain'), iova: bytes('iova'), size: bytes('size') };
    case 'sync': case 'flush-all':
      return { op, domain: index('domain') };
    case 'attach':
      return { op, device: index('device'), to: parseTarget(n.child('to')) };
    case 'detach':
      return { op, device: index('device') };
    case 'access':
      return { op, device: index('device'), stream: index('stream'), iova: bytes('iova'), write: n.child('write').boolean() };
    case 'fail-next-allocation':
      return { op };
    case 'evict':
      return { op, line: index('line') };
  }
}

function parseTarget(n: Node): Target {
  if (n.value === 'identity' || n.value === 'blocked') return n.value;
  if (typeof n.value === 'string') n.fail('must be a domain number, "identity" or "blocked"');
  return n.integer(0, MAX_INDEX);
}

function parseObserved(n: Node, operations: readonly Operation[]): Observation[] {
  let last = -1;
  return n.list(0, operations.length, (item) => {
    item.object(['at'], ['pa', 'fault', 'bypass']);
    const at = item.child('at').integer(0, operations.length - 1);
    if (at <= last) item.child('at').fail('must be greater than that of the entry before');
    if (operations[at]?.op !== 'access') item.child('at').fail('must be the index of an access operation');
    last = at;
    if (['pa', 'fault', 'bypass'].filter((key) => item.has(key)).length !== 1) item.fail('must have exactly one of "pa", "fault" and "bypass"');
    if (item.has('pa')) return { at, pa: item.child('pa').address() };
    if (item.has('fault')) return { at, fault: item.child('fault').oneOf(Object.keys(EVENT)) };
    if (!item.child('bypass').boolean()) item.child('bypass').fail('must be true');
    return { at, bypass: true as const };
  });
}
