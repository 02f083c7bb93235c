/**
 * Shorthand: structures and descriptors in a machine case by their fields; each stands for the stores that write it.
 * `ste` and `cd`: fields of spec tables, addresses in bytes; `words`: which 64-bit words are stored, in that order
 * (usual: 1 to 7, then 0, so that V comes last). `leaf` and `table`: one descriptor (VMSAv8-64, 48-bit addresses).
 */
import { setField, type Field } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import {
  ATTR_NORMAL_CACHED, BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_TABLE, BIT_UNPRIVILEGED, BIT_VALID, HI_APTABLE_PRIVILEGED, HI_APTABLE_READ_ONLY,
  HI_CONTIGUOUS, HI_DBM, HI_PXN, HI_PXNTABLE, HI_UXN, HI_UXNTABLE, SH_INNER,
} from '../spec/descriptor.js';
import { STE } from '../spec/ste.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Node } from './node.js';

type Store = Extract<MachineOperation, { op: 'store' }>;

export const SHORTHANDS = ['ste', 'cd', 'leaf', 'table'] as const;

/** Fields that hold an address: bytes in one unit. */
const UNITS: Readonly<Record<string, number>> = { S1ContextPtr: 64, S2TTB: 16, TTB0: 16, TTB1: 16 };
const ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 0];

/** The stores that an operation in shorthand stands for. */
export function expandShorthand(n: Node, op: (typeof SHORTHANDS)[number]): Store[] {
  if (op === 'ste') return structure(n, STE, 'sid');
  if (op === 'cd') return structure(n, CD, 'ssid');
  return [descriptor(n, op)];
}

function structure(n: Node, table: Readonly<Record<string, Field>>, index: 'sid' | 'ssid'): Store[] {
  n.object(['op', 'at', 'fields'], [index, 'words', 'held']);
  const first = n.child('at').address() + (n.has(index) ? n.child(index).integer(0, 2 ** 20) * 64 : 0);
  if (first % 64 !== 0) n.child('at').fail('must be a multiple of 64');
  const words = new Uint32Array(16);
  const fields = n.child('fields');
  for (const name of fields.keys()) {
    const f = Object.hasOwn(table, name) ? table[name] : undefined;
    if (f === undefined) fields.fail(`has the unknown key ${JSON.stringify(name.slice(0, 64))}`);
    const unit = UNITS[name] ?? 1;
    const v = fields.child(name);
    const value = v.address();
    if (value % unit !== 0) v.fail(`must be a multiple of ${unit}`);
    if (value / unit >= 2 ** (f as Field).width) v.fail(`does not fit ${(f as Field).width} bits`);
    setField(words, f as Field, value / unit);
  }
  const held = n.has('held') && n.child('held').boolean();
  const order = n.has('words') ? n.child('words').list(1, 8, (w) => w.integer(0, 7)) : ORDER;
  return order.map((w) => ({ op: 'store', at: first + 8 * w, lo: words[2 * w] as number, hi: words[2 * w + 1] as number, held }));
}

/** Flags of a descriptor: what each sets in the low and the high half when it differs from its usual value. */
interface Flag {
  readonly usual: boolean;
  readonly lo: number;
  readonly hi: number;
  /** The bits are set when the flag is false. */
  readonly inverted?: boolean;
}

const LEAF_1: Readonly<Record<string, Flag>> = {
  write: { usual: true, lo: BIT_READ_ONLY, hi: 0, inverted: true }, user: { usual: true, lo: BIT_UNPRIVILEGED, hi: 0 },
  af: { usual: true, lo: BIT_AF, hi: 0 }, global: { usual: false, lo: BIT_NG, hi: 0, inverted: true },
  dbm: { usual: false, lo: 0, hi: HI_DBM }, cont: { usual: false, lo: 0, hi: HI_CONTIGUOUS }, xn: { usual: false, lo: 0, hi: HI_UXN }, pxn: { usual: false, lo: 0, hi: HI_PXN },
};
const LEAF_2: Readonly<Record<string, Flag>> = {
  read: { usual: true, lo: BIT_S2AP_READ, hi: 0 }, write: { usual: true, lo: BIT_S2AP_WRITE, hi: 0 }, af: { usual: true, lo: BIT_AF, hi: 0 },
  dbm: { usual: false, lo: 0, hi: HI_DBM }, cont: { usual: false, lo: 0, hi: HI_CONTIGUOUS }, xn: { usual: false, lo: 0, hi: HI_UXN },
};
const TABLE: Readonly<Record<string, Flag>> = {
  readOnly: { usual: false, lo: 0, hi: HI_APTABLE_READ_ONLY }, privileged: { usual: false, lo: 0, hi: HI_APTABLE_PRIVILEGED },
  uxn: { usual: false, lo: 0, hi: HI_UXNTABLE }, pxn: { usual: false, lo: 0, hi: HI_PXNTABLE },
};

function descriptor(n: Node, op: 'leaf' | 'table'): Store {
  const stage = n.has('stage') ? n.child('stage').oneOf([1, 2]) : 1;
  const flags = op === 'table' ? TABLE : stage === 1 ? LEAF_1 : LEAF_2;
  n.object(op === 'leaf' ? ['op', 'at', 'level', 'pa'] : ['op', 'at', 'pa'], ['stage', 'level', 'held', ...Object.keys(flags)]);
  const at = n.child('at').address();
  if (at % 8 !== 0) n.child('at').fail('must be a multiple of 8');
  const level = n.has('level') ? n.child('level').integer(-1, 3) : 0;
  const pa = n.child('pa').address();
  if (pa % 4096 !== 0 || pa >= 2 ** 48) n.child('pa').fail('must be a multiple of 4096 below 2^48');
  let lo = (pa % 2 ** 32) + BIT_VALID + (op === 'table' || level === 3 ? BIT_TABLE : 0);
  let hi = Math.floor(pa / 2 ** 32);
  if (op === 'leaf') lo += SH_INNER + (stage === 1 ? ATTR_NORMAL_CACHED : 0xf << 2);
  for (const [key, f] of Object.entries(flags)) {
    const value = n.has(key) ? n.child(key).boolean() : f.usual;
    if (value === (f.inverted ?? false)) continue;
    lo += f.lo;
    hi += f.hi;
  }
  return { op: 'store', at, lo, hi, held: n.has('held') && n.child('held').boolean() };
}
