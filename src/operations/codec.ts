/**
 * The text form of a case (case.ts): written compact with one operation a line and a fixed key order; read as
 * hostile input. Only the structure is judged here: types, kinds, known keys, ranges. Whether an operation makes
 * sense (alignment, overlap) is the driver's business: refused calls are part of the alphabet.
 *
 * Reading never trusts the text: one linear scan finds broken syntax and deep nesting (with line and column)
 * before JSON.parse sees it, and every value of the result is a fresh object made of checked fields.
 */
import { readFileSync, statSync } from 'node:fs';
import { EVENT } from '../spec/event.js';
import type { Operation, OperationKind, Target } from '../stack/operation.js';
import { OPERATION_KINDS } from '../stack/operation.js';
import { RULE_IDS } from '../stack/violation.js';
import type { DeviceConfig, DomainConfig, SmmuConfig, World } from '../stack/world.js';
import { LIMITS } from '../stack/world.js';
import type { Case, Expectation, Json, Observation, Subject } from './case.js';
import {
  CASE_SCHEMA, CaseError, expectJson, observationJson, operationJson, sorted, subjectJson, worldJson,
} from './case.js';

export const MAX_CASE_TEXT = 64 * 2 ** 20;
export const MAX_CASE_DEPTH = 32;
const MAX_INDEX = 2 ** 31;
const MAX_RECORD_KEYS = 64;
const MAX_RECORD_TEXT = 4096;
const MAX_KEY = 64;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

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

function lines(items: readonly Json[]): string {
  return items.length === 0 ? '[]' : `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
}

/** Read a case; `name` (a file name) starts every message. Throws CaseError. */
export function decodeCase(text: string, name: string): Case {
  if (text.length > MAX_CASE_TEXT) throw new CaseError(`${name}: the text is longer than 64 MiB, the limit for a case`);
  const bad = scanJson(text);
  if (bad !== undefined) throw new CaseError(`${name}: ${bad.what} at ${place(text, bad.at)}`);
  return parseCase(new Node(JSON.parse(text), '', name));
}

/** Read a case from a file. Throws CaseError for everything that can be wrong with it. */
export function readCaseFile(path: string): Case {
  return decodeCase(readText(path), path);
}

function readText(path: string): string {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new CaseError(`${path}: not a regular file, so it cannot be a case`);
    if (stat.size > MAX_CASE_TEXT) throw new CaseError(`${path}: the file is larger than 64 MiB, the limit for a case`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof CaseError) throw error;
    if (error instanceof TypeError) throw new CaseError(`${path}: not a case: the bytes are not UTF-8 text`);
    throw new CaseError(`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

// ---- The scan: JSON's grammar as a table of what may follow, without recursion.

const SCALAR = /-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,400})?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

type Expecting = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' | 'end of text';

/** The first place where the text is not JSON, ends too early or nests too deeply; undefined when it is fine. */
function scanJson(text: string): { at: number; what: string } | undefined {
  const open: string[] = [];
  let want: Expecting = 'value';
  for (let at = skipBlanks(text, 0); at < text.length; at = skipBlanks(text, at)) {
    const mark = text.charAt(at);
    const next = follow(want, mark, open);
    if (next === undefined) return { at, what: 'not JSON' };
    if (open.length > MAX_CASE_DEPTH) return { at, what: `nested deeper than ${MAX_CASE_DEPTH} levels` };
    const end = tokenEnd(text, at, mark);
    if (end > text.length) break;
    if (end < 0) return { at: -1 - end, what: 'not JSON' };
    want = next;
    at = end;
  }
  return want === 'end of text' ? undefined : { at: text.length, what: 'the text ends in the middle of the case' };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (let c = text.charCodeAt(at); c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = text.charCodeAt(at)) at++;
  return at;
}

/** The end of the token at `at`; beyond the text when it is cut off; -1 - p when it is wrong at p. */
function tokenEnd(text: string, at: number, mark: string): number {
  if ('{}[],:'.includes(mark)) return at + 1;
  if (mark !== '"') {
    SCALAR.lastIndex = at;
    return SCALAR.test(text) ? SCALAR.lastIndex : -1 - at;
  }
  for (let i = at + 1; i < text.length;) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c < 0x20) return -1 - i;
    if (c === BACKSLASH) {
      ESCAPE.lastIndex = i;
      if (!ESCAPE.test(text)) return /^\\(u[0-9a-fA-F]{0,3})?$/.test(text.slice(i, i + 7)) ? text.length + 1 : -1 - i;
      i = ESCAPE.lastIndex;
    } else i++;
  }
  return text.length + 1;
}

/** What must follow after a token that starts with `mark` where `want` was wanted; undefined: it may not stand here. */
function follow(want: Expecting, mark: string, open: string[]): Expecting | undefined {
  const value = want === 'value' || want === 'value or ]';
  switch (mark) {
    case '{': case '[':
      if (!value) return undefined;
      open.push(mark === '{' ? '}' : ']');
      return mark === '{' ? 'key or }' : 'value or ]';
    case '}': case ']':
      if (open.at(-1) !== mark || (want !== ', or end' && want !== (mark === '}' ? 'key or }' : 'value or ]'))) return undefined;
      open.pop();
      return open.length === 0 ? 'end of text' : ', or end';
    case ',':
      if (want !== ', or end') return undefined;
      return open.at(-1) === '}' ? 'key' : 'value';
    case ':':
      return want === ':' ? 'value' : undefined;
    default:
      if (mark === '"' && (want === 'key' || want === 'key or }')) return ':';
      if (!value) return undefined;
      return open.length === 0 ? 'end of text' : ', or end';
  }
}

function place(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  return `line ${line}, column ${at - (before.lastIndexOf('\n') + 1) + 1} (position ${at})`;
}

// ---- One value of the document and where it stands; each method checks and gives the plain value.

class Node {
  readonly value: unknown;
  private readonly path: string;
  private readonly name: string;

  constructor(value: unknown, path: string, name: string) {
    this.value = value;
    this.path = path;
    this.name = name;
  }

  fail(problem: string): never {
    throw new CaseError(`${this.name}: ${this.path === '' ? 'the case' : this.path} ${problem}`);
  }

  child(key: string): Node {
    const record = this.value as Readonly<Record<string, unknown>>;
    const step = /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    const path = this.path === '' ? key : this.path + step;
    return new Node(Object.hasOwn(record, key) ? record[key] : undefined, path, this.name);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.value as object, key);
  }

  keys(): readonly string[] {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) this.fail('must be an object');
    const keys = Object.keys(this.value as object);
    for (const key of keys) if (FORBIDDEN_KEYS.has(key)) this.fail(`must not have the key ${key}`);
    return keys;
  }

  /** An object with these keys and no other. */
  object(required: readonly string[], optional: readonly string[] = []): this {
    const keys = this.keys();
    for (const key of keys) {
      if (!required.includes(key) && !optional.includes(key)) this.fail(`has the unknown key ${JSON.stringify(key.slice(0, MAX_KEY))}`);
    }
    for (const key of required) if (!this.has(key)) this.fail(`lacks the key ${JSON.stringify(key)}`);
    return this;
  }

  list<T>(least: number, most: number, read: (item: Node, index: number) => T): T[] {
    if (!Array.isArray(this.value)) this.fail('must be an array');
    const items = this.value as readonly unknown[];
    if (items.length < least || items.length > most) this.fail(`must have ${least} to ${most} entries, not ${items.length}`);
    return items.map((item, index) => read(new Node(item, `${this.path}[${index}]`, this.name), index));
  }

  integer(least: number, most: number): number {
    const v = this.value;
    if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < least || v > most) {
      this.fail(`must be an integer from ${least} to ${most}`);
    }
    return (v as number) + 0; // -0 becomes 0
  }

  /** A byte address or size: "0x…" or an integer. */
  address(): number {
    const v = typeof this.value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(this.value) ? Number(this.value) : this.value;
    if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < 0) {
      this.fail('must be a hexadecimal string such as "0x4000" or an integer, from 0 to 2^53 - 1');
    }
    return (v as number) + 0;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') this.fail('must be true or false');
    return this.value as boolean;
  }

  text(most: number): string {
    if (typeof this.value !== 'string') this.fail('must be a string');
    const v = this.value as string;
    if (v.length > most) this.fail(`must not be longer than ${most} characters`);
    return v;
  }

  oneOf<T extends string | number>(choices: readonly T[]): T {
    const found = choices.find((choice) => choice === this.value);
    if (found === undefined) this.fail(`must be ${choices.map((choice) => JSON.stringify(choice)).join(' or ')}`);
    return found as T;
  }

  /** A small free record. */
  record<T>(read: (value: Node) => T): Record<string, T> {
    const keys = this.keys();
    if (keys.some((key) => key.length > MAX_KEY)) this.fail(`must not have a key longer than ${MAX_KEY} characters`);
    if (keys.length > MAX_RECORD_KEYS) this.fail(`must not have more than ${MAX_RECORD_KEYS} keys`);
    return Object.fromEntries(keys.map((key) => [key, read(this.child(key))]));
  }
}

// ---- The parts of a case.

function parseCase(n: Node): Case {
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
    provenance: n.child('provenance').record((v) => {
      if (typeof v.value === 'number' && Number.isFinite(v.value)) return v.value + 0;
      return typeof v.value === 'string' ? v.text(MAX_RECORD_TEXT) : v.fail('must be a string or a number');
    }),
  };
  return n.has('observed') ? { ...base, observed: parseObserved(n.child('observed'), operations) } : base;
}

function parseWorld(n: Node): World {
  n.object(['smmus', 'devices', 'domains', 'inputBits', 'flushQueue', 'storeOrder']);
  const smmus = n.child('smmus').list(1, LIMITS.smmus, parseSmmu);
  const used = new Set<number>();
  return {
    smmus,
    devices: n.child('devices').list(0, LIMITS.devices, (d) => parseDevice(d, smmus.length, used)),
    domains: n.child('domains').list(0, LIMITS.domains, parseDomain),
    inputBits: n.child('inputBits').oneOf([39, 48]),
    flushQueue: n.child('flushQueue').integer(1, LIMITS.flushQueue),
    storeOrder: n.child('storeOrder').oneOf(['fifo', 'reverse']),
  };
}

function parseSmmu(n: Node): SmmuConfig {
  n.object(['range', 'asidBits', 'asidMax', 'queueLog2', 'eventLog2', 'tlbEntries'], ['forceSync']);
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
    ...(n.has('forceSync') && n.child('forceSync').boolean() ? { forceSync: true as const } : {}),
  };
}

function parseDevice(n: Node, smmus: number, used: Set<number>): DeviceConfig {
  n.object(['smmu', 'streams']);
  const smmu = n.child('smmu').integer(0, smmus - 1);
  const most = 2 ** LIMITS.streamLog2;
  const streams = n.child('streams').list(1, LIMITS.streamsPerDevice, (s) => {
    const sid = s.integer(0, most - 1);
    if (used.has(smmu * most + sid)) s.fail(`is a StreamID that is used twice on SMMU ${smmu}`);
    used.add(smmu * most + sid);
    return sid;
  });
  return { smmu, streams };
}

function parseDomain(n: Node): DomainConfig {
  n.object(['mode', 'managed']);
  const mode = n.child('mode').oneOf(['strict', 'lazy']);
  const managed = n.child('managed').boolean();
  if (mode === 'lazy' && !managed) n.child('managed').fail('must be true for a lazy domain');
  return { mode, managed };
}

function parseSubject(n: Node): Subject {
  n.object(['parts'], ['mutant']);
  const parts = n.child('parts').record((v) => v.text(256));
  return n.has('mutant') ? { parts, mutant: n.child('mutant').text(256) } : { parts };
}

function parseExpectation(n: Node): Expectation {
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
};

function parseOperation(n: Node): Operation {
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
