/**
 * The text form of a machine case (machine-case.ts): one operation a line, fields by name, usual values left out; read
 * as hostile input. Structures and descriptors may be written in shorthand (machine-shorthand.ts): what counts is the
 * stores that they stand for.
 */
import { EVENT } from '../spec/event.js';
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { MACHINE_LIMITS, type Allowed, type Boot, type MachineConfig, type MachineOperation, type MachineWorld } from '../stack/machine-world.js';
import { RULE_IDS } from '../stack/violation.js';
import { CASE_SCHEMA, expectJson, sorted } from './case.js';
import { parseExpectation } from './codec.js';
import { machineOperationJson, machineWorldJson, USUAL_CONFIG, USUAL_WORLD, type MachineCase } from './machine-case.js';
import { BOOT_FIELDS, BOOT_STEPS, MACHINE_KINDS, OPERATION_FIELDS, readCommand, readFields, readRegister, type Fields } from './machine-fields.js';
import { expandShorthand, SHORTHANDS } from './machine-shorthand.js';
import { lines, readDocument, readProvenance, type Node } from './node.js';

/** The text of a machine case: equal cases give equal text. */
export function encodeMachineCase(c: MachineCase): string {
  const world = Object.entries(machineWorldJson(c.world)).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${[
    `  "schema": ${c.schema}`,
    `  "kind": "machine"`,
    `  "world": {\n${world.join(',\n')}\n  }`,
    `  "operations": ${lines(c.operations.map(machineOperationJson))}`,
    `  "expect": ${JSON.stringify(expectJson(c.expect))}`,
    `  "provenance": ${JSON.stringify(sorted(c.provenance))}`,
  ].join(',\n')}\n}\n`;
}

/** Reads a machine case; `name` starts every message. Throws CaseError. */
export function decodeMachineCase(text: string, name: string): MachineCase {
  return parseMachineCase(readDocument(text, name));
}

/** A machine case from its document. */
export function parseMachineCase(n: Node): MachineCase {
  n.keys();
  if (n.has('schema')) n.child('schema').oneOf([CASE_SCHEMA]);
  n.object(['schema', 'kind', 'world', 'operations', 'expect', 'provenance']);
  const kind = n.child('kind').oneOf(['machine'] as const);
  const world = parseWorld(n.child('world'));
  const list = n.child('operations');
  const operations = list.list(0, MACHINE_LIMITS.operations, (o) => parseOperation(o, world.smmus.length)).flat();
  if (operations.length > MACHINE_LIMITS.operations) list.fail(`must stand for at most ${MACHINE_LIMITS.operations} operations, not ${operations.length}`);
  return { schema: CASE_SCHEMA, kind, world, operations, expect: parseExpectation(n.child('expect')), provenance: readProvenance(n.child('provenance')) };
}

function parseWorld(n: Node): MachineWorld {
  n.object(['smmus'], ['frames', 'judged']);
  return {
    smmus: n.child('smmus').list(1, MACHINE_LIMITS.smmus, parseConfig),
    frames: n.has('frames') ? n.child('frames').integer(16, MACHINE_LIMITS.frames) : USUAL_WORLD.frames,
    judged: n.has('judged') ? n.child('judged').boolean() : USUAL_WORLD.judged,
  };
}

function parseConfig(n: Node): MachineConfig {
  n.object([], ['features', 'tlbEntries', 'mergeRuns', 'strictReserved']);
  const tlbEntries = n.has('tlbEntries') ? n.child('tlbEntries').integer(4, MACHINE_LIMITS.tlbEntries) : USUAL_CONFIG.tlbEntries;
  if ((tlbEntries & (tlbEntries - 1)) !== 0) n.child('tlbEntries').fail('must be a power of two');
  return {
    features: n.has('features') ? parseFeatures(n.child('features')) : FULL_FEATURES,
    tlbEntries,
    mergeRuns: n.has('mergeRuns') ? n.child('mergeRuns').boolean() : USUAL_CONFIG.mergeRuns,
    strictReserved: n.has('strictReserved') ? n.child('strictReserved').boolean() : USUAL_CONFIG.strictReserved,
  };
}

/** The numbers that each numeric feature may be. */
const CHOICES: Readonly<Record<string, readonly number[]>> = {
  httu: [0, 1, 2], asidBits: [8, 16], vmidBits: [8, 16], bbml: [0, 1, 2], oas: [32, 36, 40, 42, 44, 48, 52], extraQueues: [0, 1, 2, 4, 8],
};
const MOST: Readonly<Record<string, number>> = { sidBits: 32, ssidBits: 20, commandLog2: 19, eventLog2: 19 };

function parseFeatures(n: Node): Features {
  const keys = Object.keys(FULL_FEATURES);
  n.object([], keys);
  const out: Record<string, number | boolean> = { ...FULL_FEATURES };
  for (const key of keys) {
    if (!n.has(key)) continue;
    const v = n.child(key);
    const choices = CHOICES[key];
    out[key] = typeof FULL_FEATURES[key as keyof Features] === 'boolean' ? v.boolean() : choices === undefined ? v.integer(0, MOST[key] ?? 0) : v.oneOf(choices);
  }
  return out as unknown as Features;
}

/** One operation of the text: one of the world, or several when it is in shorthand. */
function parseOperation(n: Node, smmus: number): MachineOperation[] {
  n.keys();
  if (!n.has('op')) n.fail('lacks the key "op"');
  const op = n.child('op').oneOf([...MACHINE_KINDS, ...SHORTHANDS]);
  const short = SHORTHANDS.find((s) => s === op);
  if (short !== undefined) return expandShorthand(n, short);
  const kind = op as MachineOperation['op'];
  const plain = OPERATION_FIELDS[kind];
  n.object(['op'], [...plain.map((f) => f.key), ...(MORE[kind] ?? [])]);
  const fields = readFields(plain, n);
  if (typeof fields['smmu'] === 'number' && fields['smmu'] >= smmus) n.child('smmu').fail(`must be below ${smmus}, the number of SMMUs`);
  return [{ op: kind, ...fields, ...parseRest(n, kind, fields) } as unknown as MachineOperation];
}

/** Keys besides the plain fields. */
const MORE: Readonly<Partial<Record<MachineOperation['op'], readonly string[]>>> = {
  store: ['value', 'held'], boot: [...BOOT_FIELDS.map((f) => f.key), 'skip'], register: ['register', 'value'], command: ['command'], raw: ['words'], claim: ['rule', 'allow'],
};

function required(n: Node, key: string): Node {
  if (!n.has(key)) n.fail(`lacks the key ${JSON.stringify(key)}`);
  return n.child(key);
}

function parseRest(n: Node, op: MachineOperation['op'], fields: Fields): object {
  switch (op) {
    case 'store': {
      if ((fields['at'] as number) % 8 !== 0) n.child('at').fail('must be a multiple of 8');
      const [lo, hi] = required(n, 'value').word();
      return { lo, hi, held: n.has('held') && n.child('held').boolean() };
    }
    case 'boot': return { boot: parseBoot(n) };
    case 'register': return { offset: readRegister(required(n, 'register')), value: required(n, 'value').address() };
    case 'command': return { command: readCommand(required(n, 'command')) };
    case 'raw': return { words: required(n, 'words').list(2, 2, (w) => w.word()).flat() };
    case 'claim': return { rule: required(n, 'rule').oneOf(RULE_IDS), allow: required(n, 'allow').list(0, 16, parseAllowed) };
    default: return {};
  }
}

function parseBoot(n: Node): Boot {
  const boot = readFields(BOOT_FIELDS, n);
  if (![0, 6, 8, 10].includes(boot['split'] as number)) n.child('split').fail('must be 0 or 6 or 8 or 10');
  return { ...boot, skip: n.has('skip') ? n.child('skip').list(0, 4, (s) => s.oneOf(BOOT_STEPS)) : [] } as unknown as Boot;
}

const ANSWERS: readonly string[] = ['ok', 'abort', 'ur', 'ca', 'any-fault', ...Object.keys(EVENT)];

function parseAllowed(n: Node): Allowed {
  n.object(['answer'], ['pa', 'stage2']);
  const answer = n.child('answer').oneOf(ANSWERS);
  if (n.has('pa') && answer !== 'ok') n.child('pa').fail('must be absent unless the answer is "ok"');
  if (n.has('stage2') && !(answer === 'any-fault' || answer in EVENT)) n.child('stage2').fail('must be absent unless the answer is a fault');
  return { answer, ...(n.has('pa') ? { pa: n.child('pa').address() } : {}), ...(n.has('stage2') ? { stage2: n.child('stage2').boolean() } : {}) };
}
