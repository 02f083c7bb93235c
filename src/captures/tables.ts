/**
 * What a recorded driver has stored in the stream table and the context descriptors, as far as it decides what a
 * stream uses: word 0 of every STE (V, Config, S1ContextPtr), words 0 and 1 of every CD (V, T0SZ, TTB0), and the
 * level-1 stream table that says which STE belongs to which StreamID (IHI 0070 §3.3.1, §5.1, §5.2, §5.4).
 */
import { CONFIG_BYPASS, CONFIG_S1, STE_BYTES } from '../spec/ste.js';
import { CD_BYTES } from '../spec/cd.js';
import type { CaptureEvent } from './read.js';

/** What an STE makes of its stream's accesses; `root`: address of the start-level table; `bits`: input size. */
export type Installed =
  | { readonly use: 'identity' | 'blocked' | 'unsupported' }
  | { readonly use: 'stage1'; readonly root: number; readonly bits: number };

const MAX_INIT_ENTRIES = 65536;
const WORD = 8;

export class Tables {
  /** SMMUEN, as last written to CR0; undefined: not recorded. */
  enabled: boolean | undefined;
  idr0: number | undefined;
  idr3: number | undefined;
  /** Something that decides what a stream uses was stored since this was last cleared. */
  changed = false;
  private base = 0;
  private twoLevel = false;
  private split = 0;
  private readonly level1 = new Map<number, number>();
  private readonly ste = new Map<number, bigint>();
  private readonly cd = new Map<number, bigint>();
  private readonly sids = new Map<number, number>();

  register(e: CaptureEvent): void {
    const value = e.word('v');
    switch (e.text('reg')) {
      case 'IDR0': this.idr0 = Number(value); break;
      case 'IDR3': this.idr3 = Number(value); break;
      case 'CR0': this.enabled = (value & 1n) !== 0n; break;
      case 'STRTAB_BASE': this.base = bits(value, 51, 6) * 64; break;
      case 'STRTAB_BASE_CFG':
        this.twoLevel = bits(value, 17, 16) === 1;
        this.split = bits(value, 10, 6);
        break;
      default: break;
    }
  }

  /** `wr`: consecutive 64-bit stores. */
  store(e: CaptureEvent): void {
    const pa = e.number('pa');
    const to = e.text('to');
    e.words('v').forEach((word, i) => this.storeWord(to, pa + i * WORD, word));
  }

  /** `fill`: a memset with one byte. */
  fill(e: CaptureEvent): void {
    const to = e.text('to');
    if (to !== 'ste' && to !== 'cd' && to !== 'l1') return;
    const length = e.number('len');
    if (length > MAX_INIT_ENTRIES * STE_BYTES) e.fail('"len" is larger than any stream table');
    const word = BigInt.asUintN(64, e.word('v') * 0x0101010101010101n);
    for (let at = 0; at < length; at += WORD) this.storeWord(to, e.number('pa') + at, word);
  }

  /** `ste.init`: `count` entries with one content. */
  init(e: CaptureEvent): void {
    const count = e.number('count');
    if (count > MAX_INIT_ENTRIES) e.fail(`"count" is larger than ${MAX_INIT_ENTRIES}`);
    const word = e.words('v')[0] ?? 0n;
    const pa = e.number('pa');
    for (let i = 0; i < count; i++) this.ste.set(pa + i * STE_BYTES, word);
    this.changed = true;
  }

  /** The StreamIDs whose STE was stored on its own so far, in that order. */
  streams(): readonly number[] {
    return [...this.sids.keys()];
  }

  installed(sid: number): Installed {
    const pa = this.sids.get(sid);
    const word = pa === undefined ? 0n : this.ste.get(pa) ?? 0n;
    const config = bits(word, 3, 1);
    if (bits(word, 0, 0) === 0 || config < CONFIG_BYPASS) return { use: 'blocked' };
    if (config === CONFIG_BYPASS) return { use: 'identity' };
    if (config !== CONFIG_S1) return { use: 'unsupported' };
    const cd = bits(word, 51, 6) * 64;
    const first = this.cd.get(cd) ?? 0n;
    if (bits(first, 31, 31) === 0) return { use: 'blocked' };
    return { use: 'stage1', root: bits(this.cd.get(cd + WORD) ?? 0n, 51, 4) * 16, bits: 64 - bits(first, 5, 0) };
  }

  private storeWord(to: string, pa: number, word: bigint): void {
    if (to === 'l1') {
      this.level1.set((pa - this.base) / WORD, bits(word, 51, 6) * 64);
    } else if (to === 'ste' && pa % STE_BYTES === 0) {
      this.ste.set(pa, word);
      const sid = this.sidOf(pa);
      if (sid !== undefined) this.sids.set(sid, pa);
      this.changed = true;
    } else if (to === 'cd' && pa % CD_BYTES <= WORD) {
      this.cd.set(pa, word);
      this.changed = true;
    }
  }

  private sidOf(pa: number): number | undefined {
    if (!this.twoLevel) return pa < this.base ? undefined : (pa - this.base) / STE_BYTES;
    for (const [index, table] of this.level1) {
      const entry = (pa - table) / STE_BYTES;
      if (table !== 0 && entry >= 0 && entry < 2 ** this.split) return index * 2 ** this.split + entry;
    }
    return undefined;
  }
}

function bits(word: bigint, high: number, low: number): number {
  return Number((word >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
}
