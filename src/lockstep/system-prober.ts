/**
 * Prober: at which addresses the streams are asked after an operation: the ends, the middle and the neighbours of what the call was about, and of what fell due
 * lately; for every stream and substream that the call concerned. And iova-to-phys on both sides there.
 */
import { getField } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { EATS_OFF, S1DSS_SSID0, STE, steCdMax } from '../spec/ste.js';
import type { SystemOperation } from '../stack/system.js';
import { newTransaction } from '../stack/transaction.js';
import { domainSizes } from '../stack/system.js';
import { stands } from '../reference/machine/facts.js';
import { probe } from './system-probes.js';
import type { SystemLockstep } from './system-lockstep.js';
import type { SystemSide } from './system-sides.js';

/** Frames that are remembered for each domain. */
const REMEMBERED = 6;
/** Users of a domain that are asked after a change of its map; the others have their turn later. */
const USERS = 3;

export class Prober {
  readonly #run: SystemLockstep;
  /** By domain: frames that somebody cared about lately. */
  readonly #frames: number[][];
  readonly #t = newTransaction();
  #turn = 0;

  constructor(run: SystemLockstep) {
    this.#run = run;
    this.#frames = run.world.base.domains.map(() => []);
  }

  #see(domain: number, frame: number): void {
    const list = this.#frames[domain];
    if (list === undefined || frame < 0 || list.includes(frame)) return;
    list.push(frame);
    if (list.length > REMEMBERED) list.shift();
  }

  /** Before the intent closes the call. */
  remember(op: SystemOperation): void {
    if (op.op === 'map' || op.op === 'unmap') {
      this.#see(op.domain, Math.floor(op.iova / 4096));
      this.#see(op.domain, Math.floor((op.iova + op.size) / 4096) - 1);
    }
    if (op.op === 'mm-exit' || op.op === 'flush-all') for (const r of this.#run.intent.domains[op.domain]?.limbo ?? []) this.#see(op.domain, r.first);
  }

  /** PCI ATS was switched on: the STE must have it already. */
  atsOn(side: SystemSide, sid: number): void {
    const old = side.weakest.contexts.elements('ste', sid).flatMap((e) => e.words.flat()).find((f) => !stands(f));
    this.#run.ledger.judge('stale-configuration');
    const refused = side.weakest.contexts.steVectors(sid).some((ste) => ste.action === 'abort' || ste.action === 'bypass' || getField(ste.words, STE.EATS) === EATS_OFF);
    if (old === undefined && !refused) return;
    this.#run.ledger.fail('stale-configuration', 'ATS is switched on at the endpoint before its STE has it', 'STE.EATS, CFGI_STE and CMD_SYNC first', `the endpoint of stream ${sid} may send requests that its STE refuses`);
  }

  /** An STE was written and synced: an endpoint whose ATS is on may ask through it, and where it leads to a CD there is one. Guests' STEs are theirs. */
  steWritten(side: SystemSide, sid: number): void {
    for (const ste of side.weakest.contexts.steVectors(sid)) {
      if (ste.action === 'nested') continue;
      this.#run.ledger.judge('stale-configuration');
      const refuses = ste.action === 'abort' || ste.action === 'bypass' || getField(ste.words, STE.EATS) === EATS_OFF;
      if (side.weakest.atc.endpoint(sid).ats && refuses) {
        this.#run.ledger.fail('stale-configuration', 'an STE without ATS while ATS is on at the endpoint', 'ATS off at the endpoint first', `the endpoint of stream ${sid} may send requests that its STE refuses`);
      }
      if (ste.action !== 'stage1' || (steCdMax(ste.words, 0, side.config.features) > 0 && getField(ste.words, STE.S1DSS) !== S1DSS_SSID0)) continue;
      if (side.weakest.contexts.cdVectors(sid, 0).every((cd) => getField(cd.words, CD.V) !== 0)) continue;
      this.#run.ledger.fail('stale-configuration', 'an STE leads to a CD that is not there', 'the CD, CFGI_CD and CMD_SYNC before the STE', `what stream ${sid} sends may end in C_BAD_CD`);
    }
  }

  after(op: SystemOperation): void {
    switch (op.op) {
      case 'map': case 'unmap': this.#lookups(op.domain, Math.floor(op.iova / 4096), Math.floor(op.size / 4096)); this.#domain(op.domain, USERS); break;
      case 'sync': case 'flush-all': case 'iova-free': this.#domain(op.domain, USERS); break;
      case 'mm-exit': this.#domain(op.domain, Infinity); break;
      case 'attach': case 'detach': case 'attach-nested': this.#device(op.device, -2); break;
      case 'attach-pasid': case 'detach-pasid': this.#device(op.device, op.ssid); break;
      case 'guest-commands': case 'guest-store':
        this.#run.intent.devices.forEach((d, device) => { if (typeof d.seat === 'object' && d.seat.vsmmu === op.vsmmu) this.#device(device, -2); });
        break;
      default: break;
    }
  }

  /** Streams and substreams that use a domain, at the frames that were seen in it. */
  #domain(domain: number, most: number): void {
    const users: { device: number; ssid: number }[] = [];
    this.#run.intent.devices.forEach((d, device) => {
      if (d.seat === domain) users.push({ device, ssid: -1 });
      for (const [ssid, used] of d.substreams) if (used === domain) users.push({ device, ssid });
    });
    this.#turn += 1;
    for (let i = 0; i < Math.min(most, users.length); i += 1) {
      const { device, ssid } = users[(i + this.#turn) % users.length] as { device: number; ssid: number };
      this.#ask(device, ssid, this.#around(domain));
    }
  }

  /** A few frames of a domain, the latest last, with neighbours. */
  #around(domain: number): readonly number[] {
    const list = this.#frames[domain] ?? [];
    const out = new Set<number>(list.slice(-4));
    const last = list[list.length - 1];
    if (last !== undefined) out.add(last + 1);
    const run = this.#run.intent.domains[domain]?.mapped.runs[0];
    if (run !== undefined) out.add(run.first);
    return [...out];
  }

  /** A device as a whole: every stream of it, without a substream, with those in use, and with one that is not. `ssid`: one more. */
  #device(device: number, ssid: number): void {
    const dev = this.#run.intent.devices[device];
    if (dev === undefined) return;
    const ssids = new Set<number>([-1, ...dev.substreams.keys()]);
    if (ssid >= -1) ssids.add(ssid);
    if (this.#run.intent.ssidBits(device) > 0) ssids.add(1);
    const all = this.#run.world.base.domains.map((_, domain) => this.#around(domain));
    for (const s of ssids) {
      const e = this.#run.intent.entitled(device, s);
      const own = e.kind === 'domain' ? e.domain : e.kind === 'guest' ? e.parent : -1;
      const frames = new Set<number>(own >= 0 ? all[own] : []);
      this.#turn += 1;
      const other = all.length === 0 ? [] : (all[this.#turn % all.length] as readonly number[]);
      for (const f of other.slice(-2)) frames.add(f);
      if (frames.size === 0) frames.add(1);
      this.#ask(device, s, [...frames]);
    }
  }

  #ask(device: number, ssid: number, frames: readonly number[]): void {
    const dev = this.#run.intent.devices[device];
    if (dev === undefined) return;
    const sid = dev.streams[this.#turn % dev.streams.length] as number;
    const ats = this.#run.intent.atsOn(device);
    const t = this.#t;
    t.sid = sid;
    t.ssid = ssid;
    frames.forEach((frame, i) => {
      t.frame = frame;
      t.write = (i + this.#turn) % 2 === 0;
      probe(this.#run, device, 'access', t);
      if (ats && i < 2) probe(this.#run, device, 'ats-request', t);
    });
  }

  #lookups(domain: number, first: number, frames: number): void {
    if (this.#run.world.base.domains[domain] === undefined || !Number.isSafeInteger(first)) return;
    const last = first + frames - 1;
    const end = 2 ** (domainSizes(this.#run.world, domain).inputBits - 12);
    for (const frame of new Set([first - 1, first, Math.floor((first + last) / 2), last, last + 1])) {
      if (frame < 0 || frame >= end) continue;
      const expected = this.#run.intent.lookup(domain, frame);
      const actual = this.#run.driver.lookup(domain, frame);
      this.#run.ledger.judge('api-result');
      if (expected !== actual) this.#run.ledger.fail('api-result', 'iova-to-phys differs', `0x${(frame * 4096).toString(16)} -> ${expected}`, `${actual}`);
    }
  }
}
