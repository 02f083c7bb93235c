/**
 * Endpoints: the devices behind the SMMU as ATS sees them (IHI 0070 §3.9.1). Each stream's endpoint may have ATS enabled,
 * may or may not answer invalidation requests, and keeps an address translation cache (ATC) of its own, keyed by StreamID
 * and PASID (-1: none). Only ATC_INV takes an entry away (§4.5.1), or another entry in want of room.
 *
 * The caches of all endpoints share one table, searched from end to end: a few dozen entries in typed arrays. Replacement
 * goes round.
 */
import { OP, type Command } from '../../spec/command.js';
import { POW2 } from '../../spec/bits.js';
import { resetCachedEntry, type CachedEntry } from '../../stack/transaction.js';

const CAPACITY = 64;
const NOTHING: Float64Array = new Float64Array(0);
/** ATC_INV.Size from which on the whole address space is meant (§4.5.1). */
const SIZE_ALL = 52;
/** Of an endpoint: ATS is enabled; requests are answered. */
const ATS = 1;
const RESPONDS = 2;
/** Of an entry. */
const READ = 1;
const WRITE = 2;

export class Endpoints {
  /** By StreamID; without an entry: ATS disabled, answers. */
  readonly #state = new Map<number, number>();
  /** StreamID, or -1 for an empty entry. */
  #sids = NOTHING;
  #ssids = NOTHING;
  #first = NOTHING;
  #frames = NOTHING;
  #targets = NOTHING;
  #rights = NOTHING;
  #turn = 0;

  /** Is ATS enabled at the endpoint of `sid`, and does it answer invalidation requests? */
  set(sid: number, ats: boolean, responds: boolean): void {
    this.#state.set(sid, (ats ? ATS : 0) | (responds ? RESPONDS : 0));
  }

  /** The endpoint emptied its ATC by itself. */
  empty(sid: number): void {
    for (let i = 0; i < this.#sids.length; i += 1) if (this.#sids[i] === sid) this.#sids[i] = -1;
  }

  ats(sid: number): boolean {
    return (this.#stateOf(sid) & ATS) !== 0;
  }

  #stateOf(sid: number): number {
    return this.#state.get(sid) ?? RESPONDS;
  }

  /**
   * A completed translation request. `frame` is any frame of the span, `frames` the span's length (a power of two), `target`
   * where that frame goes. An entry of the same key and span is replaced.
   */
  insert(sid: number, ssid: number, frame: number, frames: number, target: number, read: boolean, write: boolean): void {
    if (this.#sids.length === 0) this.#open();
    const first = frame - (frame % frames);
    const at = this.#place(sid, ssid, first, frames);
    this.#sids[at] = sid;
    this.#ssids[at] = ssid;
    this.#first[at] = first;
    this.#frames[at] = frames;
    this.#targets[at] = target - (frame - first);
    this.#rights[at] = (read ? READ : 0) | (write ? WRITE : 0);
  }

  /** The first entry: most machines never have one. */
  #open(): void {
    const array = (): Float64Array => new Float64Array(CAPACITY);
    this.#sids = array().fill(-1);
    this.#ssids = array();
    this.#first = array();
    this.#frames = array();
    this.#targets = array();
    this.#rights = array();
  }

  #place(sid: number, ssid: number, first: number, frames: number): number {
    let empty = -1;
    for (let i = 0; i < this.#sids.length; i += 1) {
      if (this.#sids[i] === sid && this.#ssids[i] === ssid && this.#first[i] === first && this.#frames[i] === frames) return i;
      if (empty < 0 && this.#sids[i] === -1) empty = i;
    }
    if (empty >= 0) return empty;
    const victim = this.#turn;
    this.#turn = (victim + 1) % CAPACITY;
    return victim;
  }

  /** An entry that lets this access to `frame` pass, or -1. */
  lookup(sid: number, ssid: number, frame: number, write: boolean): number {
    const right = write ? WRITE : READ;
    for (let i = 0; i < this.#sids.length; i += 1) {
      if (this.#sids[i] !== sid || this.#ssids[i] !== ssid || ((this.#rights[i] as number) & right) === 0) continue;
      const into = frame - (this.#first[i] as number);
      if (into >= 0 && into < (this.#frames[i] as number)) return i;
    }
    return -1;
  }

  /** Where `frame` goes, by an entry that `lookup` found for it. */
  target(entry: number, frame: number): number {
    return (this.#targets[entry] as number) + frame - (this.#first[entry] as number);
  }

  /**
   * Carries out ATC_INV; other commands do not concern endpoints. False: no answer came in time (§3.9.1.4). An endpoint
   * whose ATS is disabled answers Unsupported Request: the command completes and nothing need go (§3.9.1.5).
   */
  execute(c: Command): boolean {
    if (c.op !== OP.ATC_INV) return true;
    const state = this.#stateOf(c.sid);
    if ((state & RESPONDS) === 0) return false;
    if ((state & ATS) !== 0) this.#invalidate(c);
    return true;
  }

  /** The span is 2^Size frames, aligned down (§4.5.1). Without PASID everything in it goes, with one only that PASID's. */
  #invalidate(c: Command): void {
    const all = c.size >= SIZE_ALL;
    const length = POW2[all ? SIZE_ALL : c.size] as number;
    const first = all ? 0 : c.frame - (c.frame % length);
    for (let i = 0; i < this.#sids.length; i += 1) {
      if (this.#sids[i] !== c.sid || !this.#named(i, c)) continue;
      const start = this.#first[i] as number;
      if (start < first + length && start + (this.#frames[i] as number) > first) this.#sids[i] = -1;
    }
  }

  /** Does the command name the PASID of this entry? G: every PASID; never what has none. */
  #named(entry: number, c: Command): boolean {
    const ssid = this.#ssids[entry] as number;
    if (c.ssv === 0) return true;
    return c.global !== 0 ? ssid >= 0 : ssid === c.ssid;
  }

  /** Visits every entry with `out`, which is filled anew each time. */
  forEach(out: CachedEntry, visit: (entry: CachedEntry) => void): void {
    for (let i = 0; i < this.#sids.length; i += 1) {
      if (this.#sids[i] === -1) continue;
      resetCachedEntry(out, 'atc');
      out.sid = this.#sids[i] as number;
      out.ssid = this.#ssids[i] as number;
      out.frame = this.#first[i] as number;
      out.frames = this.#frames[i] as number;
      out.target = this.#targets[i] as number;
      out.canRead = ((this.#rights[i] as number) & READ) !== 0;
      out.canWrite = ((this.#rights[i] as number) & WRITE) !== 0;
      visit(out);
    }
  }
}
