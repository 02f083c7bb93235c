/**
 * Corner carry: a corner case as an SMMU with other features and given devices can run it: its streams are those of devices, what is mapped
 * lies in memory, a freed page is used for something else and looked at, and queue entries stand where they stood. What software relies
 * on is always a claim about one access.
 */
import type { Features } from '../spec/features.js';
import { CR0_SMMUEN, REG } from '../spec/register.js';
import { CONFIG_NESTED } from '../spec/ste.js';
import type { Decided } from '../operations/corner/builder.js';
import { CDS, DATA, index, leaf, OTHER_DATA, page, QUEUES, SPARE, TABLE_A, type Word } from '../operations/corner/layout.js';
import { GUEST_FIRST } from '../qemu/ram.js';
import type { Allowed, MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { mapStreams, withStreams, type StreamMap } from './corner-streams.js';

const TWO32 = 2 ** 32;
const FRAME = 4096;
/** What the cases map to OTHER_DATA: that is behind the guest's memory. */
export const OTHER_CARRIED = 0x3_0000_0000;
/** What a freed page leads to when somebody else fills it. */
export const REUSED = 0x3_4000_0000;
/** No memory and no device is there: a fetch is aborted. */
export const HOLE_CARRIED = 0xf00_0000_0000;
/** Where untranslated traffic finds memory: that much above what the case has. */
const UNTRANSLATED_BY = 0x4000_0000;
/** Pages from here on hold translation tables. */
const TABLES_FROM = page(11);

/** To be filled in: whatever the right form permits at the same place. */
export const AS_IN_RIGHT: readonly Allowed[] = [];

export type Claim = Extract<MachineOperation, { op: 'claim' }>;

export interface Carried {
  readonly world: MachineWorld;
  readonly right: readonly MachineOperation[];
  readonly wrong: readonly MachineOperation[];
}

/** The case for an SMMU with these features; null: no device can stand in for its streams. */
export function carry(c: Decided, features: Features): Carried | null {
  const all = [...c.right, ...c.wrong];
  const map = mapStreams(all);
  if (map === null) return null;
  const world: MachineWorld = { ...c.world, judged: false, smmus: c.world.smmus.map((s) => ({ ...s, features })) };
  const form = (operations: readonly MachineOperation[]): MachineOperation[] => oneForm(c, operations, { map, all, features });
  return { world, right: form(c.right), wrong: form(c.wrong) };
}

interface Around {
  readonly map: StreamMap;
  /** Both forms as the case has them. */
  readonly all: readonly MachineOperation[];
  readonly features: Features;
}

function oneForm(c: Decided, operations: readonly MachineOperation[], around: Around): MachineOperation[] {
  const out: MachineOperation[] = [];
  const shorter = (c.world.smmus[0]?.features.hyp ?? false) && !around.features.hyp && countsEntries(around.all);
  let enabled = false;
  for (const o of operations) {
    enabled = enabledAfter(o, enabled);
    const carried = placed(withStreams(o, around.map, around.all), enabled);
    if (o.op === 'free') out.push(...reused(o, operations), ...looks(c, operations.map((one) => withStreams(one, around.map, around.all))));
    else out.push(carried);
    if (o.op === 'boot' && shorter) out.push({ op: 'sync', smmu: o.smmu, queue: 0, msi: 0 }); // in the place of TLBI_EL2_ALL: entries keep their numbers
  }
  return out;
}

/** Does the case write queue entries, or PROD, by number? */
function countsEntries(all: readonly MachineOperation[]): boolean {
  const queue = QUEUES[0] as number;
  return all.some((o) => (o.op === 'store' && o.at >= queue && o.at < queue + FRAME) || (o.op === 'register' && o.offset === REG.CMDQ_PROD));
}

function enabledAfter(o: MachineOperation, before: boolean): boolean {
  if (o.op === 'boot') return !o.boot.skip.includes('enable');
  return o.op === 'register' && o.offset === REG.CR0 ? (o.value & CR0_SMMUEN) !== 0 : before;
}

/** Leads to memory. */
function placed(o: MachineOperation, enabled: boolean): MachineOperation {
  switch (o.op) {
    case 'store': return { ...o, ...(o.at >= TABLES_FROM ? targetMoved(o) : {}) };
    case 'register': return o.offset === REG.CMDQ_BASE && o.value >= DATA ? { ...o, value: HOLE_CARRIED + (o.value % 32) } : o;
    case 'access': return { ...o, iova: untranslated(o.iova, enabled) };
    case 'claim': return {
      ...o, iova: untranslated(o.iova, enabled),
      allow: o.allow.map((a) => (a.pa === undefined || a.pa < OTHER_DATA || a.pa >= OTHER_DATA + TWO32 ? a : { ...a, pa: a.pa - OTHER_DATA + OTHER_CARRIED })),
    };
    default: return o;
  }
}

/** A descriptor that leads to OTHER_DATA. */
function targetMoved(word: Word): Word {
  const high = word.hi % 65536;
  return word.lo % 2 === 1 && high === OTHER_DATA / TWO32 ? { lo: word.lo, hi: word.hi - high + OTHER_CARRIED / TWO32 } : { lo: word.lo, hi: word.hi };
}

function untranslated(iova: number, enabled: boolean): number {
  return enabled || iova >= GUEST_FIRST * FRAME ? iova : iova + UNTRANSLATED_BY;
}

/** Level-3 tables of the cases, by page. */
const LAST_TABLES: readonly number[] = [TABLE_A.last, SPARE[0]];

/**
 * Somebody else gets the page: where translation tables were, its entries lead to REUSED now; where CDs were, there are none. Then every
 * place of the case is looked at. What is allowed is filled in from the right form. A guest's page keeps what it held: to go on
 * through it is bad enough.
 */
function reused(o: Extract<MachineOperation, { op: 'free' }>, operations: readonly MachineOperation[]): MachineOperation[] {
  const places = placesOf(operations);
  const stores: MachineOperation[] = [];
  const put = (at: number, word: Word): void => { stores.push({ op: 'store', at, ...word, held: false }); };
  if (LAST_TABLES.includes(o.at) && !isNested(operations)) for (const p of places) put(o.at + index(p.iova, 3) * 8, leaf(REUSED));
  if (o.at === CDS) for (const p of places) put(CDS + p.sid * 64, { lo: 0, hi: 0 });
  return stores;
}

function looks(c: Decided, operations: readonly MachineOperation[]): MachineOperation[] {
  return placesOf(operations).map((p) => ({ op: 'claim', rule: c.rule, translated: false, allow: AS_IN_RIGHT, ...p }));
}

function isNested(operations: readonly MachineOperation[]): boolean {
  return operations.some((o) => o.op === 'store' && o.at >= page(3) && o.at < page(6) && o.at % 64 === 0 && Math.floor(o.lo / 2) % 8 === CONFIG_NESTED);
}

export type Place = Pick<Claim, 'smmu' | 'sid' | 'ssid' | 'iova' | 'write' | 'privileged' | 'instruction'>;

/** Where somebody looks, each place once. */
export function placesOf(operations: readonly MachineOperation[]): Place[] {
  const found = new Map<string, Place>();
  for (const o of operations) {
    if (o.op !== 'access' && (o.op !== 'claim' || o.translated)) continue;
    const { smmu, sid, ssid, iova, write, privileged, instruction } = o;
    found.set(`${smmu} ${sid} ${ssid} ${iova} ${write} ${privileged} ${instruction}`, { smmu, sid, ssid, iova, write, privileged, instruction });
  }
  return [...found.values()];
}
