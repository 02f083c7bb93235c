/** The text form of a case: what is written, and what is said about text that is not a case. */
import { mkdtempSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CaseError, type Case } from '../../src/operations/case.js';
import { decodeCase, encodeCase, MAX_CASE_TEXT, readCaseFile } from '../../src/operations/codec.js';
import { smallWorld } from '../../src/stack/world.js';

const FULL: Case = {
  schema: 1,
  kind: 'driver',
  world: smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'lazy', managed: true }] }),
  subject: { parts: { planner: 'linux' }, mutant: 'no-sync' },
  operations: [
    { op: 'attach', device: 0, to: 0 },
    { op: 'map', domain: 0, iova: 0x4000, pa: 0x8000, size: 0x2000, prot: 'r' },
    { op: 'access', device: 0, stream: 0, iova: 0x4010, write: false },
    { op: 'access', device: 0, stream: 0, iova: 0, write: true },
    { op: 'unmap', domain: 0, iova: 0x4000, size: 0x2000 },
    { op: 'sync', domain: 0 },
    { op: 'iova-alloc', domain: 1, iova: 0, size: 0x1000 },
    { op: 'iova-free', domain: 1, iova: 0, size: 1 },
    { op: 'flush-all', domain: 1 },
    { op: 'fail-next-allocation' },
    { op: 'attach', device: 0, to: 'identity' },
    { op: 'access', device: 0, stream: 0, iova: 5, write: false },
    { op: 'attach', device: 7, to: 'blocked' },
    { op: 'detach', device: 0 },
  ],
  expect: { verdict: 'violation', rule: 'stale-translation' },
  observed: [{ at: 2, pa: 0x8010 }, { at: 3, fault: 'F_TRANSLATION' }, { at: 11, bypass: true }],
  provenance: { source: '../../etc/passwd', run: 3 },
};

const TEXT = encodeCase(FULL);

/** The message about FULL with one change to its JSON. */
function refused(t: ExecutionContext, change: (doc: Doc) => void): string {
  const doc = JSON.parse(TEXT) as Doc;
  change(doc);
  return message(t, JSON.stringify(doc));
}

function message(t: ExecutionContext, text: string): string {
  const e = t.throws(() => decodeCase(text, 'corpus/x.json'), { instanceOf: CaseError });
  t.true(e.message.startsWith('corpus/x.json: '), e.message);
  t.false(e.message.includes('\n'), e.message);
  t.true(e.message.length < 400, e.message);
  return e.message.slice('corpus/x.json: '.length);
}

interface Doc {
  [key: string]: unknown;
  world: { [key: string]: unknown; smmus: Record<string, unknown>[]; devices: Record<string, unknown>[]; domains: Record<string, unknown>[] };
  subject: Record<string, unknown>;
  operations: Record<string, unknown>[];
  expect: Record<string, unknown>;
  observed: Record<string, unknown>[];
  provenance: Record<string, unknown>;
}

test('a case survives its text, one operation a line', (t) => {
  t.deepEqual(decodeCase(TEXT, 'x'), FULL);
  t.is(encodeCase(decodeCase(TEXT, 'x')), TEXT);
  t.true(TEXT.endsWith('}\n'));
  t.true(TEXT.includes('\n    {"op":"unmap","domain":0,"iova":"0x4000","size":"0x2000"},\n'));
  t.is(TEXT.split('\n').filter((line) => line.includes('"op":')).length, FULL.operations.length);
});

test('empty lists and missing optional fields survive', (t) => {
  const bare: Case = {
    schema: 1, kind: 'driver', world: smallWorld({ devices: [], domains: [] }), subject: { parts: {} },
    operations: [], expect: { verdict: 'ok' }, provenance: {},
  };
  t.deepEqual(decodeCase(encodeCase(bare), 'x'), bare);
});

test('addresses may be hexadecimal strings or integers', (t) => {
  for (const iova of ['0x4000', '0X4000', '0x0000004000', 16384, 1.6384e4]) {
    const doc = JSON.parse(TEXT) as Doc;
    (doc.operations[1] as Record<string, unknown>)['iova'] = iova;
    t.deepEqual(decodeCase(JSON.stringify(doc), 'x'), FULL);
  }
});

test('what is wrong with a number is said with its place', (t) => {
  const wrong = [2 ** 53, -1, 0.5, '4000', '0x', '0xzz', '0x20000000000000', '0x11111111111111111', '16384', null, true, [], {}];
  for (const size of wrong) {
    t.is(refused(t, (d) => { (d.operations[1] as Record<string, unknown>)['size'] = size; }),
      'operations[1].size must be a hexadecimal string such as "0x4000" or an integer, from 0 to 2^53 - 1');
  }
  for (const domain of [-1, 2 ** 31 + 1, 1.5, '0', null]) {
    t.is(refused(t, (d) => { (d.operations[1] as Record<string, unknown>)['domain'] = domain; }),
      'operations[1].domain must be an integer from 0 to 2147483648');
  }
});

test('invalid calls are not the codec’s business', (t) => {
  const odd: Case = {
    ...FULL,
    operations: [
      { op: 'map', domain: 2 ** 31, iova: 1, pa: Number.MAX_SAFE_INTEGER, size: 0, prot: 'rw' },
      { op: 'access', device: 99, stream: 99, iova: 3, write: true },
      { op: 'attach', device: 99, to: 99 },
    ],
    observed: [],
  };
  t.deepEqual(decodeCase(encodeCase(odd), 'x'), odd);
});

test('text that is not JSON is refused with line and column', (t) => {
  t.is(message(t, ''), 'the text ends in the middle of the case at line 1, column 1 (position 0)');
  t.is(message(t, TEXT.slice(0, 40)), 'the text ends in the middle of the case at line 4, column 4 (position 40)');
  t.is(message(t, '{"schema":'), 'the text ends in the middle of the case at line 1, column 11 (position 10)');
  t.is(message(t, '{"schema'), 'the text ends in the middle of the case at line 1, column 9 (position 8)');
  t.is(message(t, '{"schema\\u00'), 'the text ends in the middle of the case at line 1, column 13 (position 12)');
  t.is(message(t, '{\n  "schema": NaN}'), 'not JSON at line 2, column 13 (position 14)');
  for (const text of ['{}{}', '{"a" 1}', '{"a":1,}', '[1,]', '{,}', '[1 2]', '{1:2}', '[}', '}', 'Infinity', '01', '1.', '+1', "'a'", '"\n"', '"\\x"', '"\\u00g0"', 'tru', '[1,,2]', '{"a":1]', ':', '-']) {
    t.regex(message(t, text), /^not JSON at line/, text);
  }
  t.regex(message(t, TEXT.slice(0, -3)), /ends in the middle/);
});

test('what JSON.parse accepts passes the scan and the other way round', (t) => {
  const texts = ['null', ' 1 ', '-0.5e+10', '"\\u00e9\\n\u2028"', '[]', '[[],{}]', '{"a":{"b":[1,"x",null,true,false]}}', '\t[1 ,\r\n2]', '{"":0}'];
  for (const text of texts) {
    t.notThrows(() => JSON.parse(text) as unknown);
    t.notRegex(message(t, text), /not JSON|middle/, text);
  }
});

test('deep nesting is refused before it is parsed', (t) => {
  t.is(message(t, '['.repeat(1_000_000)), 'nested deeper than 32 levels at line 1, column 33 (position 32)');
  t.regex(message(t, '{"a":'.repeat(1000)), /^nested deeper than 32 levels/);
  t.is(message(t, '['.repeat(32) + ']'.repeat(32)), 'the case must be an object');
  t.regex(message(t, `{"a":"${'['.repeat(100)}"}`), /^the case has the unknown key/);
});

test('too much text is refused', (t) => {
  t.is(message(t, ' '.repeat(MAX_CASE_TEXT + 1)), 'the text is longer than 64 MiB, the limit for a case');
  t.regex(message(t, `{"provenance":"${'x'.repeat(4_000_000)}"}`), /^the case lacks the key/);
  t.regex(message(t, `{"${'k'.repeat(1_000_000)}":1}`), /^the case has the unknown key "k{64}"$/);
});

test('long lists are refused by their length', (t) => {
  const many = Array.from({ length: 1_000_000 }, () => 0);
  t.is(refused(t, (d) => { d['operations'] = many as never; }), 'operations must have 0 to 200000 entries, not 1000000');
  t.is(refused(t, (d) => { d.world['devices'] = many as never; }), 'world.devices must have 0 to 64 entries, not 1000000');
  t.is(refused(t, (d) => { d.world['smmus'] = []; }), 'world.smmus must have 1 to 8 entries, not 0');
  t.is(refused(t, (d) => { d.world['domains'] = many as never; }), 'world.domains must have 0 to 32 entries, not 1000000');
  t.is(refused(t, (d) => { (d.world.devices[0] as Record<string, unknown>)['streams'] = many; }), 'world.devices[0].streams must have 1 to 4 entries, not 1000000');
  t.is(refused(t, (d) => { d['observed'] = many as never; }), 'observed must have 0 to 14 entries, not 1000000');
});

test('keys that name a prototype are refused everywhere and change nothing', (t) => {
  const before = Object.getOwnPropertyNames(Object.prototype).length;
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    const at = (place: string): string => TEXT.replace(place, `${place}"${key}":{"polluted":1},`);
    t.is(message(t, at('{\n')), `the case must not have the key ${key}`);
    t.is(message(t, at('"world": {')), `world must not have the key ${key}`);
    t.is(message(t, at('"smmus": [{')), `world.smmus[0] must not have the key ${key}`);
    t.is(message(t, at('"parts":{')), `subject.parts must not have the key ${key}`);
    t.is(message(t, at('"provenance": {')), `provenance must not have the key ${key}`);
    t.is(message(t, at('\n    {')), `operations[0] must not have the key ${key}`);
  }
  t.is(Object.getOwnPropertyNames(Object.prototype).length, before);
  t.false('polluted' in {});
});

test('unknown and missing keys are refused at every level', (t) => {
  const levels: [string, (d: Doc) => Record<string, unknown>, string][] = [
    ['the case', (d) => d, 'kind'],
    ['world', (d) => d.world, 'storeOrder'],
    ['world.smmus[0]', (d) => d.world.smmus[0] as Record<string, unknown>, 'range'],
    ['world.devices[0]', (d) => d.world.devices[0] as Record<string, unknown>, 'smmu'],
    ['world.domains[1]', (d) => d.world.domains[1] as Record<string, unknown>, 'managed'],
    ['subject', (d) => d.subject, 'parts'],
    ['operations[1]', (d) => d.operations[1] as Record<string, unknown>, 'prot'],
    ['operations[5]', (d) => d.operations[5] as Record<string, unknown>, 'op'],
    ['expect', (d) => d.expect, 'verdict'],
    ['observed[0]', (d) => d.observed[0] as Record<string, unknown>, 'at'],
  ];
  for (const [place, level, key] of levels) {
    t.is(refused(t, (d) => { level(d)['extra'] = 1; }), `${place} has the unknown key "extra"`);
    t.is(refused(t, (d) => { delete level(d)[key]; }), `${place} lacks the key "${key}"`);
  }
});

test('wrong types are refused at every level', (t) => {
  const cases: [(d: Doc) => void, string][] = [
    [(d) => { d['schema'] = 2; }, 'schema must be 1'],
    [(d) => { d['schema'] = '1'; }, 'schema must be 1'],
    [(d) => { d['kind'] = 'machine'; }, 'kind must be "driver"'],
    [(d) => { d['world'] = [] as never; }, 'world must be an object'],
    [(d) => { d['subject'] = null as never; }, 'subject must be an object'],
    [(d) => { d['operations'] = {} as never; }, 'operations must be an array'],
    [(d) => { d.operations[0] = 1 as never; }, 'operations[0] must be an object'],
    [(d) => { d.operations[0] = { op: 'toString' }; }, 'operations[0].op must be "map" or "unmap" or'],
    [(d) => { d.operations[0] = { op: 'attach', device: 0, to: 'nowhere' }; }, 'operations[0].to must be a domain number, "identity" or "blocked"'],
    [(d) => { d.operations[0] = { op: 'attach', device: 0, to: null }; }, 'operations[0].to must be an integer'],
    [(d) => { (d.operations[1] as Record<string, unknown>)['prot'] = 'w'; }, 'operations[1].prot must be "r" or "rw"'],
    [(d) => { (d.operations[2] as Record<string, unknown>)['write'] = 1; }, 'operations[2].write must be true or false'],
    [(d) => { d.world['inputBits'] = 40; }, 'world.inputBits must be 39 or 48'],
    [(d) => { d.world['flushQueue'] = 4097; }, 'world.flushQueue must be an integer from 1 to 4096'],
    [(d) => { d.world['storeOrder'] = 'random'; }, 'world.storeOrder must be "fifo" or "reverse"'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { range: 'yes' }); }, 'world.smmus[0].range must be true or false'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { asidBits: 8 }); }, 'world.smmus[0].asidMax must be an integer from 1 to 255'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { queueLog2: 9 }); }, 'world.smmus[0].queueLog2 must be an integer from 3 to 8'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { eventLog2: 0 }); }, 'world.smmus[0].eventLog2 must be an integer from 1 to 7'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { tlbEntries: 48 }); }, 'world.smmus[0].tlbEntries must be a power of two'],
    [(d) => { Object.assign(d.world.devices[0] as object, { smmu: 1 }); }, 'world.devices[0].smmu must be an integer from 0 to 0'],
    [(d) => { Object.assign(d.world.devices[0] as object, { streams: [64] }); }, 'world.devices[0].streams[0] must be an integer from 0 to 63'],
    [(d) => { Object.assign(d.world.devices[0] as object, { streams: [2, 2] }); }, 'world.devices[0].streams[1] is a StreamID that is used twice on SMMU 0'],
    [(d) => { Object.assign(d.world.domains[1] as object, { managed: false }); }, 'world.domains[1].managed must be true for a lazy domain'],
    [(d) => { Object.assign(d.world.domains[0] as object, { gather: 'mm' }); }, 'world.domains[0].gather must be "iommupt" or "io-pgtable" or "sva"'],
    [(d) => { Object.assign(d.world.domains[1] as object, { gather: 'sva' }); }, 'world.domains[1].gather must not be "sva" for a lazy or managed domain'],
    [(d) => { Object.assign(d.world.domains[0] as object, { gather: 'sva', managed: true }); }, 'world.domains[0].gather must not be "sva" for a lazy or managed domain'],
    [(d) => { Object.assign(d.world.domains[0] as object, { coherent: 0 }); }, 'world.domains[0].coherent must be true or false'],
    [(d) => { Object.assign(d.world.smmus[0] as object, { coherent: 'no' }); }, 'world.smmus[0].coherent must be true or false'],
    [(d) => { d.world['cleaner'] = 'lazy'; }, 'world.cleaner must be "eager" or "posted-walk" or "range-visitor" or "map-sg"'],
    [(d) => { d.world['eviction'] = { oneIn: 0, seed: 1 }; }, 'world.eviction.oneIn must be an integer from 1 to 65536'],
    [(d) => { d.world['eviction'] = { oneIn: 1, seed: -1 }; }, 'world.eviction.seed must be an integer from 0 to 2147483647'],
    [(d) => { d.world['eviction'] = { oneIn: 1, seed: 1, from: 2 }; }, 'world.eviction has the unknown key "from"'],
    [(d) => { d.subject['mutant'] = 3; }, 'subject.mutant must be a string'],
    [(d) => { d.subject['parts'] = { planner: 3 }; }, 'subject.parts.planner must be a string'],
    [(d) => { d['expect'] = { verdict: 'maybe' }; }, 'expect.verdict must be "ok" or "violation"'],
    [(d) => { d['expect'] = { verdict: 'ok', rule: 'isolation' }; }, 'expect.rule must be absent when the verdict is "ok"'],
    [(d) => { d['expect'] = { verdict: 'violation', rule: 'none' }; }, 'expect.rule must be "stale-translation" or'],
    [(d) => { d['provenance'] = { a: [1] }; }, 'provenance.a must be a string or a number'],
    [(d) => { d['provenance'] = { 'a b\n': true }; }, 'provenance["a b\\n"] must be a string or a number'],
    [(d) => { d['provenance'] = { a: 'x'.repeat(4097) }; }, 'provenance.a must not be longer than 4096 characters'],
    [(d) => { d['provenance'] = { ['a'.repeat(65)]: 1 }; }, 'provenance must not have a key longer than 64 characters'],
    [(d) => { d['provenance'] = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, i])); }, 'provenance must not have more than 64 keys'],
  ];
  for (const [change, start] of cases) {
    const got = refused(t, change);
    t.true(got.startsWith(start), `${got} should start with: ${start}`);
  }
  t.regex(message(t, TEXT.replace('"run":3', '"run":1e999')), /^provenance\.run must be a string or a number/);
});

test('observations must fit their operations', (t) => {
  const cases: [unknown, string][] = [
    [[{ at: 0, pa: 0 }], 'observed[0].at must be the index of an access operation'],
    [[{ at: 14, pa: 0 }], 'observed[0].at must be an integer from 0 to 13'],
    [[{ at: 3, pa: 0 }, { at: 2, pa: 0 }], 'observed[1].at must be greater than that of the entry before'],
    [[{ at: 2 }], 'observed[0] must have exactly one of "pa", "fault" and "bypass"'],
    [[{ at: 2, pa: 0, bypass: true }], 'observed[0] must have exactly one of "pa", "fault" and "bypass"'],
    [[{ at: 2, bypass: false }], 'observed[0].bypass must be true'],
    [[{ at: 2, pa: -1 }], 'observed[0].pa must be a hexadecimal string'],
    [[{ at: 2, fault: 'F_NONE' }], 'observed[0].fault must be "F_UUT" or'],
  ];
  for (const [observed, start] of cases) {
    const got = refused(t, (d) => { d['observed'] = observed as never; });
    t.true(got.startsWith(start), got);
  }
});

test('a case is read from a file, and everything wrong with the file is a CaseError', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'smmucheck-codec-'));
  const file = (name: string, bytes: string | Uint8Array): string => {
    const path = join(dir, name);
    writeFileSync(path, bytes);
    return path;
  };
  const failure = (path: string): string => t.throws(() => readCaseFile(path), { instanceOf: CaseError }).message;
  t.deepEqual(readCaseFile(file('good.json', TEXT)), FULL);
  t.regex(failure(file('cut.json', TEXT.slice(0, 100))), /cut\.json: the text ends in the middle of the case at line/);
  t.regex(failure(file('bytes.json', new Uint8Array([0x7b, 0xff, 0xfe]))), /bytes\.json: not a case: the bytes are not UTF-8 text$/);
  t.regex(failure(join(dir, 'missing.json')), /missing\.json: cannot be read: ENOENT/);
  mkdirSync(join(dir, 'dir.json'));
  t.regex(failure(join(dir, 'dir.json')), /dir\.json: not a regular file/);
  t.regex(failure('/dev/zero'), /\/dev\/zero: not a regular file/);
  const large = file('large.json', '');
  truncateSync(large, MAX_CASE_TEXT + 1);
  t.regex(failure(large), /large\.json: the file is larger than 64 MiB/);
});

test('the planner of a world and DS of an SMMU: kept when they are there, and nothing is written when they are not', (t) => {
  const world = smallWorld({ planner: 'double-range' });
  const c: Case = { ...FULL, world: { ...world, smmus: world.smmus.map((s) => ({ ...s, ds: true as const })) }, observed: [] };
  t.deepEqual(decodeCase(encodeCase(c), 'x').world, c.world);
  t.false(TEXT.includes('"planner": ') || TEXT.includes('"ds"'));
  t.regex(refused(t, (d) => { d.world['planner'] = 'triple-range'; }), /^world\.planner must be "single-range" or/);
  t.regex(refused(t, (d) => { (d.world.smmus[0] as Record<string, unknown>)['ds'] = 1; }), /^world\.smmus\[0\]\.ds must be/);
});

test('what is not coherent, its cleaner, its evictions and an evict: kept when they are there, and nothing is written when they are not', (t) => {
  const world = smallWorld({ cleaner: 'eager', eviction: { oneIn: 3, seed: 7 }, domains: [{ mode: 'strict', managed: false, coherent: false }, { mode: 'strict', managed: false, gather: 'sva', coherent: false }] });
  const c: Case = { ...FULL, world: { ...world, smmus: world.smmus.map((s) => ({ ...s, coherent: false as const })) }, operations: [{ op: 'evict', line: 9 }], observed: [] };
  const read = decodeCase(encodeCase(c), 'x');
  t.deepEqual([read.world, read.operations], [c.world, c.operations]);
  t.false(/"coherent"|"cleaner"|"eviction"/.test(TEXT));
  const said = decodeCase(encodeCase(c).replaceAll('"coherent":false', '"coherent":true'), 'x').world;
  t.false('coherent' in (said.smmus[0] as object) || 'coherent' in (said.domains[0] as object));
});
