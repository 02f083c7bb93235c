/**
 * The text form of a table case (table-case.ts): one operation a line, usual values left out; read as hostile input. Judged here: types, known
 * keys, limits, and whether there can be such a table. Whether a call makes sense is the library's business: refused calls are part of the
 * alphabet.
 */
import { TGS } from '../spec/granule.js';
import { CLEANER_NAMES, TABLE_LIMITS, TABLE_VARIANTS, type Piece, type TableGeometry, type TableOperation, type TableProt, type TableWorld } from '../stack/page-table.js';
import { CASE_SCHEMA, expectJson, sorted, subjectJson, type Subject } from './case.js';
import { parseExpectation } from './codec.js';
import { lines, readDocument, readProvenance, type Node } from './node.js';
import { tableOperationJson, tableWorldJson, USUAL_GEOMETRY, USUAL_TABLE_WORLD, type TableCase } from './table-case.js';
import { tableWorldProblem } from './table-shape.js';

export const TABLE_KINDS = ['map', 'map-sg', 'sync-map', 'unmap', 'sync', 'read-dirty', 'access', 'evict', 'fail-next-allocation', 'together'] as const satisfies readonly TableOperation['op'][];
const PROTS: readonly TableProt[] = ['none', 'r', 'w', 'rw'];
const MAX_NAME = 64;

/** The text of a table case: equal cases give equal text. */
export function encodeTableCase(c: TableCase): string {
  const world = Object.entries(tableWorldJson(c.world)).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${[
    `  "schema": ${c.schema}`,
    '  "kind": "tables"',
    `  "world": {\n${world.join(',\n')}\n  }`,
    `  "subject": ${JSON.stringify(subjectJson(c.subject))}`,
    `  "operations": ${lines(c.operations.map(tableOperationJson))}`,
    `  "expect": ${JSON.stringify(expectJson(c.expect))}`,
    `  "provenance": ${JSON.stringify(sorted(c.provenance))}`,
  ].join(',\n')}\n}\n`;
}

/** Reads a table case; `name` starts every message. Throws CaseError. */
export function decodeTableCase(text: string, name: string): TableCase {
  return parseTableCase(readDocument(text, name));
}

/** A table case from its document. */
export function parseTableCase(n: Node): TableCase {
  n.keys();
  if (n.has('schema')) n.child('schema').oneOf([CASE_SCHEMA]);
  n.object(['schema', 'kind', 'world', 'operations', 'expect', 'provenance'], ['subject']);
  const kind = n.child('kind').oneOf(['tables'] as const);
  const world = parseWorld(n.child('world'));
  return {
    schema: CASE_SCHEMA, kind, world, subject: n.has('subject') ? parseSubject(n.child('subject')) : { parts: {} },
    operations: n.child('operations').list(0, TABLE_LIMITS.operations, (o) => parseOperation(o, TABLE_KINDS)),
    expect: parseExpectation(n.child('expect')), provenance: readProvenance(n.child('provenance')),
  };
}

/** The cleaner and the variant are the world's; the library's other parts are its own, or those of a mutant. */
function parseSubject(n: Node): Subject {
  n.object(['parts'], ['mutant']);
  n.child('parts').object([]);
  return { parts: {}, ...(n.has('mutant') ? { mutant: n.child('mutant').text(MAX_NAME) } : {}) };
}

function parseWorld(n: Node): TableWorld {
  n.object(['geometry'], Object.keys(USUAL_TABLE_WORLD));
  const usual = USUAL_TABLE_WORLD;
  const world: TableWorld = {
    geometry: parseGeometry(n.child('geometry')),
    variant: n.has('variant') ? n.child('variant').oneOf(TABLE_VARIANTS) : usual.variant,
    coherent: n.has('coherent') ? n.child('coherent').boolean() : usual.coherent,
    cleaner: n.has('cleaner') ? n.child('cleaner').oneOf(CLEANER_NAMES) : usual.cleaner,
    eviction: n.has('eviction') ? parseEviction(n.child('eviction')) : usual.eviction,
    bbml: n.has('bbml') ? n.child('bbml').oneOf([0, 1, 2] as const) : usual.bbml,
    mergeRuns: n.has('mergeRuns') ? n.child('mergeRuns').boolean() : usual.mergeRuns,
    storeOrder: n.has('storeOrder') ? n.child('storeOrder').oneOf(['fifo', 'reverse'] as const) : usual.storeOrder,
  };
  const problem = tableWorldProblem(world);
  if (problem !== null) n.fail(`is no world: ${problem}`);
  return world;
}

function parseGeometry(n: Node): TableGeometry {
  n.object(['tg', 'stage', 'inputBits', 'outputBits'], Object.keys(USUAL_GEOMETRY));
  const flag = (key: 'ds' | 'contiguous' | 'dirty'): boolean => (n.has(key) ? n.child(key).boolean() : USUAL_GEOMETRY[key]);
  return {
    tg: n.child('tg').oneOf(TGS), stage: n.child('stage').oneOf([1, 2] as const), inputBits: n.child('inputBits').integer(1, 64), outputBits: n.child('outputBits').integer(1, 64),
    half: n.has('half') ? n.child('half').oneOf(['lower', 'upper'] as const) : USUAL_GEOMETRY.half, ds: flag('ds'), contiguous: flag('contiguous'), dirty: flag('dirty'),
  };
}

function parseEviction(n: Node): TableWorld['eviction'] {
  n.object(['oneIn', 'seed']);
  return { oneIn: n.child('oneIn').integer(0, 1_000_000), seed: n.child('seed').integer(0, 2 ** 32 - 1) };
}

const KEYS: Readonly<Record<TableOperation['op'], { readonly required: readonly string[]; readonly optional?: readonly string[] }>> = {
  map: { required: ['iova', 'pa', 'pageSize', 'count', 'prot'] },
  'map-sg': { required: ['iova', 'pieces', 'prot'] },
  'sync-map': { required: ['iova', 'size'] },
  unmap: { required: ['iova', 'pageSize', 'count'] },
  sync: { required: [] },
  'read-dirty': { required: ['iova', 'size'], optional: ['clear'] },
  access: { required: ['iova'], optional: ['write'] },
  evict: { required: ['line'] },
  'fail-next-allocation': { required: [] },
  together: { required: ['calls', 'order'] },
};

const ALONE: readonly TableOperation['op'][] = TABLE_KINDS.filter((k) => k !== 'together');

function parseOperation(n: Node, kinds: readonly TableOperation['op'][]): TableOperation {
  n.keys();
  if (!n.has('op')) n.fail('lacks the key "op"');
  const op = n.child('op').oneOf(kinds);
  const { required, optional } = KEYS[op];
  n.object(['op', ...required], optional);
  const at = (key: string): number => n.child(key).address();
  const flag = (key: string): boolean => n.has(key) && n.child(key).boolean();
  const count = (): number => n.child('count').integer(0, TABLE_LIMITS.entries);
  switch (op) {
    case 'map': return { op, iova: at('iova'), pa: at('pa'), pageSize: at('pageSize'), count: count(), prot: n.child('prot').oneOf(PROTS) };
    case 'map-sg': return { op, iova: at('iova'), pieces: n.child('pieces').list(0, TABLE_LIMITS.pieces, parsePiece), prot: n.child('prot').oneOf(PROTS) };
    case 'sync-map': return { op, iova: at('iova'), size: at('size') };
    case 'unmap': return { op, iova: at('iova'), pageSize: at('pageSize'), count: count() };
    case 'read-dirty': return { op, iova: at('iova'), size: at('size'), clear: flag('clear') };
    case 'access': return { op, iova: at('iova'), write: flag('write') };
    case 'evict': return { op, line: n.child('line').integer(0, 2 ** 32 - 1) };
    case 'sync': case 'fail-next-allocation': return { op };
    case 'together': return parseTogether(n);
  }
}

function parsePiece(n: Node): Piece {
  const [pa, size] = n.list(2, 2, (v) => v.address());
  return { pa: pa as number, size: size as number };
}

function parseTogether(n: Node): TableOperation {
  const [first, second] = n.child('calls').list(2, 2, (c) => parseOperation(c, ALONE));
  const order = n.child('order').text(TABLE_LIMITS.order);
  if (!/^[01]*$/.test(order)) n.child('order').fail('must be a text of the digits 0 and 1, one for each step');
  return { op: 'together', calls: [first as TableOperation, second as TableOperation], order: [...order].map((digit) => (digit === '0' ? 0 : 1)) };
}
