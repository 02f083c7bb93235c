/**
 * Recorded: one line of a recording as data that an engine can judge, for both vocabularies: the full recording and what
 * tracing alone gives. Fields are checked here; what they mean together is the engine's business. Addresses and sizes are in bytes, 64-bit words are
 * pairs of uint32, low first. Beyond the events of the recordings that there are: `clean {pa,size}`, the lines of a range of memory cleaned to where a
 * walker sees them (`"clean":1` in `meta`: they are recorded from the beginning), and `ssid` of a translation or fault, its PASID. `line` is the line in the file, `cpu` the CPU that did it, -1 for the SMMU and its devices.
 */
import { EVENT } from '../spec/event.js';
import type { CaptureEvent } from './read.js';

/** Where a store of the recording went. */
export type StoreTo = 'pt' | 'ste' | 'cd' | 'l1';

/** `kind` in the recording's own names, but for those that differ only in a detail. */
export type RecordedWhat =
  | { readonly kind: 'meta'; readonly tracing: boolean; readonly cleans: boolean; readonly name: string; readonly roles: readonly Role[] }
  | { readonly kind: 'mark'; readonly text: string }
  /** A register was written, or read (`read`). `value`: bits [51:0]. */
  | { readonly kind: 'register'; readonly name: string; readonly value: number; readonly read: boolean }
  | { readonly kind: 'store'; readonly to: StoreTo; readonly pa: number; readonly words: readonly number[] }
  | { readonly kind: 'fill'; readonly to: StoreTo; readonly pa: number; readonly size: number; readonly byte: number }
  /** Lines of the CPU caches were cleaned. */
  | { readonly kind: 'clean'; readonly pa: number; readonly size: number }
  | { readonly kind: 'init'; readonly pa: number; readonly count: number; readonly words: readonly number[] }
  /** A table page; `pa` is -1 where only its kernel address is recorded. */
  | { readonly kind: 'page'; readonly what: 'alloc' | 'free'; readonly va: string; readonly pa: number; readonly size: number }
  /** Tracing only: a whole STE or CD that is about to be installed, at a kernel address. */
  | { readonly kind: 'entry'; readonly va: string; readonly words: readonly number[] }
  | { readonly kind: 'map'; readonly pt: string; readonly dom: string | null; readonly iova: number; readonly pa: number; readonly pgsize: number; readonly count: number; readonly write: boolean }
  | { readonly kind: 'map.ret'; readonly ok: boolean }
  | { readonly kind: 'unmap'; readonly pt: string; readonly iova: number; readonly pgsize: number; readonly count: number }
  | { readonly kind: 'unmap.ret'; readonly size: number }
  /** An address range is handed out or given back. */
  | { readonly kind: 'range'; readonly what: 'alloc' | 'free'; readonly iovad: string; readonly dom: string | null; readonly iova: number; readonly size: number }
  | { readonly kind: 'call'; readonly f: string; readonly a0: string | null; readonly dom: string | null }
  | { readonly kind: 'ret'; readonly f: string }
  | { readonly kind: 'inv'; readonly dom: string; readonly pt: string | null; readonly iova: number; readonly size: number; readonly leaf: boolean; readonly stage: 1 | 2; readonly id: number }
  | { readonly kind: 'issue'; readonly count: number; readonly sync: boolean }
  | { readonly kind: 'issue.ret' }
  /** `raw`: four uint32; null: tracing does not see the SYNC that it implies. */
  | { readonly kind: 'cmd'; readonly idx: number; readonly op: string; readonly raw: readonly number[] | null }
  /** Tracing only: commands that the probe did not fetch. */
  | { readonly kind: 'unseen'; readonly commands: number }
  | { readonly kind: 'prod'; readonly value: number }
  | { readonly kind: 'take'; readonly idx: number; readonly op: string }
  | { readonly kind: 'cons'; readonly value: number }
  /** `ssid`: the PASID, -1 without. */
  | { readonly kind: 'xlat'; readonly sid: number; readonly ssid: number; readonly iova: number; readonly pa: number; readonly hit: boolean; readonly walk: readonly WalkStep[] }
  | { readonly kind: 'bypass'; readonly sid: number; readonly ssid: number; readonly iova: number }
  | { readonly kind: 'fault'; readonly sid: number; readonly ssid: number; readonly type: string; readonly iova: number; readonly walk: readonly WalkStep[] }
  | { readonly kind: 'attached'; readonly text: string }
  /** Never read: a reconstruction cannot place something. */
  | { readonly kind: 'unplaced'; readonly what: string }
  | { readonly kind: 'selfcheck'; readonly mismatch: number }
  /** Known, and nothing to judge. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'unknown' };

export interface WalkStep {
  readonly at: number;
  readonly lo: number;
  readonly hi: number;
}

/** A range of physical addresses and what lies there. */
export interface Role {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

export interface Recorded {
  readonly line: number;
  readonly cpu: number;
  /** The event's own name, with the function of a call. */
  readonly name: string;
  readonly what: RecordedWhat;
}

const IGNORED: ReadonlySet<string> = new Set([
  'invs', 'dev.inval', 'dev.iotlb_inv_all', 'dev.iotlb_inv_asid_vmid', 'dev.iotlb_inv_iova', 'dev.iotlb_inv_vmid', 'dev.iotlb_inv_ipa', 'dev.cfginv', 'dev.cfgmiss', 'dev.ste', 'dev.cd',
]);
const IOMMU_WRITE = 2;
/** Bytes of a memset and entries of an initialised table, at the most. */
const MAX_FILL = 2 ** 22;
const MAX_ENTRIES = 65_536;
const MAX_WORDS = 4096;
const MAX_WALK = 16;
const MAX_CPU = 65_535;
/** Pages or blocks of one call. */
export const MAX_PAGES = 2 ** 22;

export function recordedOf(e: CaptureEvent): Recorded {
  const what = whatOf(e);
  const call = what.kind === 'call' || what.kind === 'ret';
  return { line: e.line, cpu: e.has('cpu') ? small(e, 'cpu', MAX_CPU) : -1, name: call ? `${e.kind} ${what.f}` : e.kind, what };
}

function whatOf(e: CaptureEvent): RecordedWhat {
  switch (e.kind) {
    case 'wr': return { kind: 'store', to: storeTo(e), pa: word(e, 'pa'), words: someWords(e) };
    case 'fill': return { kind: 'fill', to: storeTo(e), pa: word(e, 'pa'), size: size(e), byte: small(e, 'v', 255) };
    case 'map': case 'map.ret': case 'unmap': case 'unmap.ret': return mapping(e);
    case 'call': return { kind: 'call', f: name(e, 'f'), a0: e.has('a0') ? e.text('a0') : null, dom: e.has('dom') ? e.text('dom') : null };
    case 'ret': return { kind: 'ret', f: name(e, 'f') };
    case 'xlat': case 'xlat.bypass': case 'fault': return access(e);
    case 'issue': case 'issue.ret': case 'cmd': case 'prod': case 'take': case 'cons': return queue(e);
    case 'iova.alloc': case 'iova.free': return {
      kind: 'range', what: e.kind === 'iova.alloc' ? 'alloc' : 'free', iovad: e.text('iovad'), dom: e.has('dom') ? e.text('dom') : null, iova: e.number('iova'), size: e.number('size'),
    };
    default: return IGNORED.has(e.kind) ? { kind: 'ignored' } : seldom(e);
  }
}

function seldom(e: CaptureEvent): RecordedWhat {
  switch (e.kind) {
    case 'meta': return { kind: 'meta', tracing: e.value('source') === 'ftrace', cleans: e.numberOr('clean', 0) !== 0, name: e.has('name') ? e.text('name').slice(0, 80) : '', roles: roles(e) };
    case 'mark': return { kind: 'mark', text: e.text('text').slice(0, 200) };
    case 'reg': case 'reg.r': return { kind: 'register', name: name(e, 'reg'), value: Number(e.word('v') & 0xfffffffffffffn), read: e.kind === 'reg.r' };
    case 'ste.init': return { kind: 'init', pa: word(e, 'pa'), count: small(e, 'count', MAX_ENTRIES), words: eight(e) };
    case 'pt.alloc': case 'pt.free': return {
      kind: 'page', what: e.kind === 'pt.alloc' ? 'alloc' : 'free', va: e.text('va'), pa: e.has('pa') ? word(e, 'pa') : -1, size: e.has('size') ? small(e, 'size', MAX_FILL) : 4096,
    };
    case 'clean': return { kind: 'clean', pa: e.number('pa'), size: small(e, 'size', MAX_FILL) };
    case 'entry': return { kind: 'entry', va: e.text('va'), words: eight(e) };
    case 'inv': return {
      kind: 'inv', dom: e.has('dom') ? e.text('dom') : '', pt: e.has('pt') ? e.text('pt') : null, iova: e.number('iova'), size: e.number('size'), leaf: e.has('leaf') && e.number('leaf') !== 0, stage: e.numberOr('stage', 1) === 2 ? 2 : 1, id: e.numberOr('id', -1),
    };
    case 'attach': return { kind: 'attached', text: e.has('text') ? e.text('text').slice(0, 200) : '' };
    case 'selfcheck': return { kind: 'selfcheck', mismatch: e.numberOr('mismatch', 0) + e.numberOr('cmd_mismatch', 0) };
    default: return { kind: 'unknown' };
  }
}

function mapping(e: CaptureEvent): RecordedWhat {
  switch (e.kind) {
    case 'map.ret': return { kind: 'map.ret', ok: e.value('ret') === 0 };
    case 'unmap.ret': return { kind: 'unmap.ret', size: e.number('size') };
    default: {
      const at = { pt: e.text('pt'), iova: e.number('iova'), pgsize: e.number('pgsize'), count: e.number('count') };
      if (at.iova % 4096 !== 0 || at.pgsize % 4096 !== 0 || at.pgsize === 0) e.fail('"iova" and "pgsize" must be multiples of 4096');
      if (at.count > MAX_PAGES) e.fail(`"count" is larger than ${MAX_PAGES}`);
      if (!Number.isSafeInteger(at.iova + at.pgsize * at.count)) e.fail('the range is beyond 2^53');
      if (e.kind === 'unmap') return { kind: 'unmap', ...at };
      return { kind: 'map', ...at, dom: e.has('dom') ? e.text('dom') : null, pa: e.number('pa'), write: (e.numberOr('prot', IOMMU_WRITE) & IOMMU_WRITE) !== 0 };
    }
  }
}

function queue(e: CaptureEvent): RecordedWhat {
  switch (e.kind) {
    case 'issue': return { kind: 'issue', count: e.number('count'), sync: e.number('sync') !== 0 };
    case 'issue.ret': return { kind: 'issue.ret' };
    case 'prod': return { kind: 'prod', value: small(e, 'v', 2 ** 21) };
    case 'cons': return { kind: 'cons', value: small(e, 'v', 2 ** 31) };
    case 'take': return { kind: 'take', idx: small(e, 'idx', 2 ** 20), op: name(e, 'op') };
    default: {
      const raw = e.has('raw') ? e.halves('raw') : null;
      if (raw !== null && raw.length !== 4) e.fail('"raw" must be two 64-bit words');
      return { kind: 'cmd', idx: small(e, 'idx', 2 ** 20), op: name(e, 'op'), raw };
    }
  }
}

function access(e: CaptureEvent): RecordedWhat {
  const sid = small(e, 'sid', 2 ** 32);
  const ssid = e.has('ssid') ? small(e, 'ssid', 2 ** 20 - 1) : -1;
  if (e.kind === 'xlat.bypass') return { kind: 'bypass', sid, ssid, iova: e.numberOr('iova', 0) };
  const walk = e.has('walk') ? walkOf(e) : [];
  if (e.kind === 'xlat') return { kind: 'xlat', sid, ssid, iova: e.number('iova'), pa: e.number('pa'), hit: e.numberOr('hit', 0) !== 0, walk };
  const type = e.text('type');
  if (!Object.hasOwn(EVENT, type)) e.fail('"type" must be the name of an SMMU event such as F_TRANSLATION');
  return { kind: 'fault', sid, ssid, type, iova: e.has('iova') ? e.number('iova') : -1, walk };
}

function walkOf(e: CaptureEvent): WalkStep[] {
  const v = e.value('walk');
  if (!Array.isArray(v) || v.length > MAX_WALK) e.fail(`"walk" must be at most ${MAX_WALK} pairs of hexadecimal strings`);
  return (v as readonly unknown[]).map((pair) => {
    const [at, value] = Array.isArray(pair) ? pair as readonly unknown[] : [];
    const step = typeof at === 'string' && typeof value === 'string' ? { at: Number(at), word: Number(value) } : { at: NaN, word: NaN };
    if (!Number.isSafeInteger(step.at) || step.at < 0 || step.at % 8 !== 0 || Number.isNaN(step.word)) e.fail('"walk" must be pairs of hexadecimal strings, one for a level');
    const text = (value as string).slice(2).padStart(16, '0');
    return { at: step.at, lo: parseInt(text.slice(-8), 16), hi: parseInt(text.slice(0, -8), 16) };
  });
}

function storeTo(e: CaptureEvent): StoreTo {
  const to = e.text('to');
  if (to !== 'pt' && to !== 'ste' && to !== 'cd' && to !== 'l1') e.fail('"to" must be one of pt, ste, cd and l1');
  return to as StoreTo;
}

/** The address of a 64-bit word. */
function word(e: CaptureEvent, key: string): number {
  const at = e.number(key);
  if (at % 8 !== 0) e.fail(`"${key}" must be a multiple of 8`);
  return at;
}

function size(e: CaptureEvent): number {
  const n = small(e, 'len', MAX_FILL);
  if (n % 8 !== 0) e.fail('"len" must be a multiple of 8');
  return n;
}

function small(e: CaptureEvent, key: string, most: number): number {
  const n = e.number(key);
  if (n > most) e.fail(`"${key}" is larger than ${most}`);
  return n;
}

function someWords(e: CaptureEvent): number[] {
  const words = e.halves('v');
  if (words.length > 2 * MAX_WORDS) e.fail(`"v" has more than ${MAX_WORDS} words`);
  return words;
}

function eight(e: CaptureEvent): number[] {
  const words = e.halves('v');
  if (words.length !== 16) e.fail('"v" must be the eight words of an entry');
  return words;
}

/** A name without surprises for those who print it. */
function name(e: CaptureEvent, key: string): string {
  const text = e.text(key);
  if (!/^[\w.$-]{1,64}$/.test(text)) e.fail(`"${key}" must be a short name`);
  return text;
}

function roles(e: CaptureEvent): Role[] {
  const v = e.has('roles') ? e.value('roles') : [];
  if (!Array.isArray(v) || v.length > 4096) e.fail('"roles" must be an array');
  return (v as readonly unknown[]).map((role) => {
    const [from, to, what] = Array.isArray(role) ? role as readonly unknown[] : [];
    if (typeof from !== 'string' || typeof to !== 'string' || typeof what !== 'string') e.fail('"roles" must be triples of two addresses and a name');
    return { from: Number(from), to: Number(to), what: what as string };
  });
}
