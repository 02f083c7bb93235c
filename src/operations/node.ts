/**
 * Node: reading JSON text as hostile input, shared by every kind of case. One linear scan finds broken syntax and deep
 * nesting (with line and column) before JSON.parse sees it, and every value of the result is a fresh object made of
 * checked fields. Everything that is wrong is a CaseError: one sentence with the place.
 */
import { readFileSync, statSync } from 'node:fs';
import { CaseError, type Json } from './case.js';

export const MAX_CASE_TEXT = 64 * 2 ** 20;
export const MAX_CASE_DEPTH = 32;
const MAX_RECORD_KEYS = 64;
const MAX_RECORD_TEXT = 4096;
const MAX_KEY = 64;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** The document of a text; `name` starts every message. */
export function readDocument(text: string, name: string): Node {
  if (text.length > MAX_CASE_TEXT) throw new CaseError(`${name}: the text is longer than 64 MiB, the limit for a case`);
  const bad = scanJson(text);
  if (bad !== undefined) throw new CaseError(`${name}: ${bad.what} at ${place(text, bad.at)}`);
  return new Node(JSON.parse(text), '', name);
}

/** The text of a case file. */
export function readCaseText(path: string): string {
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

/** One item a line. */
export function lines(items: readonly Json[]): string {
  return items.length === 0 ? '[]' : `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
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

export class Node {
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

  /** A 64-bit word, "0x…" or an integer, as two uint32: low, high. */
  word(): [number, number] {
    const v = this.value;
    if (typeof v === 'number' && Number.isSafeInteger(v) && v >= 0) return [v % 2 ** 32, Math.floor(v / 2 ** 32)];
    if (typeof v !== 'string' || !/^0x[0-9a-f]{1,16}$/i.test(v)) this.fail('must be a hexadecimal string of at most 64 bits such as "0x4000", or an integer from 0 to 2^53 - 1');
    const digits = (v as string).slice(2).padStart(16, '0');
    return [Number(`0x${digits.slice(8)}`), Number(`0x${digits.slice(0, 8)}`)];
  }

  /** A byte address of up to 64 bits: exact, so above 2^53 it must be a multiple of 4096. */
  wideAddress(): number {
    const [lo, hi] = this.word();
    if (hi >= 2 ** 21 && lo % 4096 !== 0) this.fail('must be a multiple of 4096 when it is 2^53 or more');
    return hi * 2 ** 32 + lo;
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
    if (found === undefined) this.fail(`must be ${oneOfText(choices)}`);
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

/** Choices that are named in a message. */
const NAMED = 12;

function oneOfText(choices: readonly (string | number)[]): string {
  const names = choices.slice(0, NAMED).map((choice) => JSON.stringify(choice)).join(' or ');
  return choices.length <= NAMED ? names : `${names}, or another of ${choices.length}`;
}

/** Where a case came from: a small free record. */
export function readProvenance(n: Node): Record<string, string | number> {
  return n.record((v) => {
    if (typeof v.value === 'number' && Number.isFinite(v.value)) return v.value + 0;
    return typeof v.value === 'string' ? v.text(MAX_RECORD_TEXT) : v.fail('must be a string or a number');
  });
}
