/**
 * The text form of a system case (system-case.ts): one operation a line, usual values left out; read as hostile input. Only the structure is judged: whether a
 * call makes sense is the driver's business.
 */
import { OPERATION_KINDS } from '../stack/operation.js';
import { SYSTEM_LIMITS, type SystemDevice, type SystemDomain, type SystemOperation, type SystemSmmu, type SystemWorld, type VsmmuConfig } from '../stack/system.js';
import { CASE_SCHEMA, expectJson, sorted, subjectJson } from './case.js';
import { parseExpectation, parseOperation, parseSubject, parseWorld } from './codec.js';
import { lines, readDocument, readProvenance, type Node } from './node.js';
import { systemOperationJson, systemWorldJson, type SystemCase } from './system-case.js';

const MAX_INDEX = 2 ** 31;
/** Substreams that a device may name in a transaction: as many as a PASID has values. */
const MAX_SSID = 2 ** 20 - 1;
const OPERATIONS = 20_000;

export const SYSTEM_KINDS = ['attach-pasid', 'detach-pasid', 'mm-exit', 'vsmmu-open', 'vsmmu-close', 'attach-nested', 'guest-commands', 'guest-store', 'transact'] as const;
export const ALL_KINDS: readonly SystemOperation['op'][] = [...OPERATION_KINDS, ...SYSTEM_KINDS];

/** The text of a system case: equal cases give equal text. */
export function encodeSystemCase(c: SystemCase): string {
  const world = Object.entries(systemWorldJson(c.world)).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${[
    `  "schema": ${c.schema}`,
    `  "kind": "system"`,
    `  "world": {\n${world.join(',\n')}\n  }`,
    `  "subject": ${JSON.stringify(subjectJson(c.subject))}`,
    `  "operations": ${lines(c.operations.map(systemOperationJson))}`,
    `  "expect": ${JSON.stringify(expectJson(c.expect))}`,
    `  "provenance": ${JSON.stringify(sorted(c.provenance))}`,
  ].join(',\n')}\n}\n`;
}

/** Reads a system case; `name` starts every message. Throws CaseError. */
export function decodeSystemCase(text: string, name: string): SystemCase {
  return parseSystemCase(readDocument(text, name));
}

/** A system case from its document. */
export function parseSystemCase(n: Node): SystemCase {
  n.keys();
  if (n.has('schema')) n.child('schema').oneOf([CASE_SCHEMA]);
  n.object(['schema', 'kind', 'world', 'subject', 'operations', 'expect', 'provenance']);
  return {
    schema: CASE_SCHEMA,
    kind: n.child('kind').oneOf(['system'] as const),
    world: parseSystemWorld(n.child('world')),
    subject: parseSubject(n.child('subject')),
    operations: n.child('operations').list(0, OPERATIONS, parseSystemOperation),
    expect: parseExpectation(n.child('expect')),
    provenance: readProvenance(n.child('provenance')),
  };
}

function parseSystemWorld(n: Node): SystemWorld {
  const base = parseWorld(n, 'beyond');
  base.smmus.forEach((s, i) => { if (s.coherent === false) n.fail(`must not have SMMUs that do not look into the CPU caches (SMMU ${i}): such worlds are driver cases`); });
  const b = n.child('beyond').object(['smmus', 'devices', 'domains', 'vsmmus', 'guestFrames']);
  const many = <T>(key: string, count: number, read: (item: Node) => T): T[] => b.child(key).list(count, count, read);
  return {
    base,
    smmus: many('smmus', base.smmus.length, parseSmmu),
    devices: many('devices', base.devices.length, parseDevice),
    domains: b.child('domains').list(base.domains.length, base.domains.length, (d, i) => parseDomain(d, base.domains[i]?.gather === 'sva')),
    vsmmus: b.child('vsmmus').list(0, SYSTEM_LIMITS.vsmmus, (v) => parseVsmmu(v, base.smmus.length, base.domains.length)),
    guestFrames: b.child('guestFrames').integer(0, SYSTEM_LIMITS.guestFrames),
  };
}

function flag(n: Node, key: string): boolean {
  return n.has(key) && n.child(key).boolean();
}

function parseSmmu(n: Node): SystemSmmu {
  n.object([], ['stage2', 'ats', 'ssidBits', 'linearCds', 'forceWriteBack', 'oas', 'dirty']);
  return {
    ...(n.has('stage2') ? { stage2: parseStage2(n.child('stage2')) } : {}), ...(flag(n, 'ats') ? { ats: true as const } : {}),
    ...(n.has('ssidBits') ? { ssidBits: n.child('ssidBits').integer(0, SYSTEM_LIMITS.ssidBits) } : {}), ...(flag(n, 'linearCds') ? { linearCds: true as const } : {}),
    ...(flag(n, 'forceWriteBack') ? { forceWriteBack: true as const } : {}), ...(n.has('oas') ? { oas: n.child('oas').oneOf([40, 42, 44, 48] as const) } : {}),
    ...(flag(n, 'dirty') ? { dirty: true as const } : {}),
  };
}

function parseStage2(n: Node): NonNullable<SystemSmmu['stage2']> {
  n.object(['vmidBits', 'vmidMax']);
  const vmidBits = n.child('vmidBits').oneOf([8, 16] as const);
  return { vmidBits, vmidMax: n.child('vmidMax').integer(1, 2 ** vmidBits - 1) };
}

function parseDevice(n: Node): SystemDevice {
  n.object([], ['ats', 'ssidBits']);
  return { ...(flag(n, 'ats') ? { ats: true as const } : {}), ...(n.has('ssidBits') ? { ssidBits: n.child('ssidBits').integer(0, SYSTEM_LIMITS.ssidBits) } : {}) };
}

function parseDomain(n: Node, sva: boolean): SystemDomain {
  n.object([], ['stage', 'parent']);
  const stage2 = n.has('stage');
  if (stage2) n.child('stage').oneOf([2]);
  if (stage2 && sva) n.child('stage').fail('must be absent for a domain of gather style "sva": a process has stage 1');
  const parent = flag(n, 'parent');
  if (parent && !stage2) n.child('parent').fail('must be absent unless "stage" is 2');
  return { ...(stage2 ? { stage: 2 as const } : {}), ...(parent ? { parent: true as const } : {}) };
}

function parseVsmmu(n: Node, smmus: number, domains: number): VsmmuConfig {
  n.object(['smmu', 'parent']);
  return { smmu: n.child('smmu').integer(0, smmus - 1), parent: n.child('parent').integer(0, domains - 1) };
}

const KEYS: Readonly<Record<(typeof SYSTEM_KINDS)[number], readonly string[]>> = {
  'attach-pasid': ['device', 'ssid', 'to'], 'detach-pasid': ['device', 'ssid'], 'mm-exit': ['domain'], 'vsmmu-open': ['vsmmu'], 'vsmmu-close': ['vsmmu'],
  'attach-nested': ['device', 'vsmmu', 'ste'], 'guest-commands': ['vsmmu', 'words'], 'guest-store': ['vsmmu', 'ipa', 'value'],
  transact: ['device', 'stream', 'ssid', 'iova', 'write', 'ats'],
};

function parseSystemOperation(n: Node): SystemOperation {
  n.keys();
  if (!n.has('op')) n.fail('lacks the key "op"');
  const op = n.child('op').oneOf(ALL_KINDS);
  const special = SYSTEM_KINDS.find((kind) => kind === op);
  if (special === undefined) return parseOperation(n);
  n.object(['op', ...KEYS[special]]);
  const index = (key: string): number => n.child(key).integer(0, MAX_INDEX);
  const ssid = (least: number): number => n.child('ssid').integer(least, MAX_SSID);
  switch (special) {
    case 'attach-pasid': return { op: special, device: index('device'), ssid: ssid(0), to: index('to') };
    case 'detach-pasid': return { op: special, device: index('device'), ssid: ssid(0) };
    case 'mm-exit': return { op: special, domain: index('domain') };
    case 'vsmmu-open': case 'vsmmu-close': return { op: special, vsmmu: index('vsmmu') };
    case 'attach-nested': {
      const ste = n.child('ste').list(2, 2, (w) => w.word()).flat();
      return { op: special, device: index('device'), vsmmu: index('vsmmu'), ste: [ste[0] as number, ste[1] as number, ste[2] as number, ste[3] as number] };
    }
    case 'guest-commands': {
      const list = n.child('words');
      const words = list.list(0, SYSTEM_LIMITS.guestCommands * 2, (w) => w.word()).flat();
      if (words.length % 4 !== 0) list.fail('must have two 64-bit words for each command');
      return { op: special, vsmmu: index('vsmmu'), words };
    }
    case 'guest-store': {
      const [lo, hi] = n.child('value').word();
      return { op: special, vsmmu: index('vsmmu'), ipa: n.child('ipa').address(), lo, hi };
    }
    case 'transact': return {
      op: special, device: index('device'), stream: index('stream'), ssid: ssid(-1), iova: n.child('iova').address(), write: n.child('write').boolean(),
      ats: n.child('ats').oneOf(['no', 'request', 'translated'] as const),
    };
  }
}
