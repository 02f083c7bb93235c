/**
 * Ats: Translation Requests and Translated transactions (IHI 0070 §3.9.1). A request is the translation procedure with other answers: what
 * software may repair at leisure is a Success without permissions, a wrong configuration is Completer Abort, and ATS that is not allowed
 * Unsupported Request. A Success with permissions goes into the endpoint's ATC, which nothing but ATC_INV empties.
 *
 * Why it equals its slow twin: the answer is the procedure's own; asked for a write that is not permitted, it is put the question again for a
 * read, which is the subset that is granted.
 */
import { EVENT } from '../../spec/event.js';
import { EATS_OFF, EATS_SPLIT } from '../../spec/ste.js';
import { OUTCOME_OK } from '../../stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, type Answer, type AnswerKind, type Transaction } from '../../stack/transaction.js';
import type { Endpoints } from './endpoint.js';
import { FAULTED, type Fault } from './fault.js';
import { KIND_READ, KIND_WRITE, kindOf } from './permissions.js';
import { STE_ABORT, STE_BYPASS, STE_ILLEGAL, STE_STAGE1, type StreamCache } from './stream-cache.js';
import type { Tlb } from './tlb.js';
import { IDENTITY, type Translator } from './translate.js';

/** What ATS needs of the machine around it. */
export interface AtsParts {
  readonly translator: Translator;
  readonly streams: StreamCache;
  readonly tlb: Tlb;
  readonly fault: Fault;
  readonly endpoints: Endpoints;
}

/** What software may repair at leisure: a Success without permissions (§3.9.1.2). */
const REPAIRABLE = new Set<number>([EVENT.F_TRANSLATION, EVENT.F_ADDR_SIZE, EVENT.F_ACCESS, EVENT.F_PERMISSION]);

/** An answer without address, event or permissions. */
export function setAnswer(out: Answer, kind: AnswerKind): void {
  out.kind = kind;
  out.event = 0;
  out.frame = 0;
  out.stage2 = 0;
  out.class = 2;
  out.ipa = 0;
  out.canRead = false;
  out.canWrite = false;
}

export function answerOk(out: Answer, frame: number): void {
  setAnswer(out, OUTCOME_OK);
  out.frame = frame;
}

export class Ats {
  readonly #translator: Translator;
  readonly #streams: StreamCache;
  readonly #tlb: Tlb;
  readonly #fault: Fault;
  readonly #endpoints: Endpoints;
  /** SMMUEN, CR0.ATSCHK, CR2.REC_CFG_ATS. */
  enabled = false;
  check = false;
  recordConfiguration = false;
  /** Frame that the last Translated transaction had. */
  sent = 0;

  constructor(parts: AtsParts) {
    this.#translator = parts.translator;
    this.#streams = parts.streams;
    this.#tlb = parts.tlb;
    this.#fault = parts.fault;
    this.#endpoints = parts.endpoints;
  }

  /** Answers a Translation Request. True: the fault at hand is to be recorded. */
  request(t: Transaction, out: Answer): boolean {
    setAnswer(out, ANSWER_NONE);
    if (!this.#endpoints.ats(t.sid)) return false;
    if (!this.enabled) return this.#unsupported(out);
    const ste = this.#streams.find(t.sid);
    if (ste < 0) return this.#failed(out);
    const action = this.#streams.action[ste] as number;
    if (action === STE_ABORT) {
      out.kind = ANSWER_UR;
      return false;
    }
    if (action !== STE_ILLEGAL && (action === STE_BYPASS || this.#streams.eats[ste] === EATS_OFF)) return this.#unsupported(out);
    if (this.#ask(t) === FAULTED) return this.#failed(out);
    this.#complete(t, ste, out);
    return false;
  }

  #unsupported(out: Answer): boolean {
    this.#fault.plain(EVENT.F_BAD_ATS_TREQ);
    out.kind = ANSWER_UR;
    return true;
  }

  /** F_TRANSLATION and the like: a Success without permissions and without a record. Everything else: Completer Abort. */
  #failed(out: Answer): boolean {
    if (REPAIRABLE.has(this.#fault.event)) {
      out.kind = OUTCOME_OK;
      return false;
    }
    out.kind = ANSWER_CA;
    return this.recordConfiguration && !this.#fault.silent;
  }

  /** The most of what was asked for that is permitted; FAULTED for nothing. */
  #ask(t: Transaction): number {
    let frame = this.#translator.resolve(t.sid, t.ssid, t.frame, kindOf(t.write, t.privileged, t.instruction));
    if (frame === FAULTED && this.#fault.event === EVENT.F_PERMISSION && (t.write || t.instruction)) {
      frame = this.#translator.resolve(t.sid, t.ssid, t.frame, kindOf(false, t.privileged, false));
    }
    return frame;
  }

  /** Fills the answer and the ATC from what the translator found. */
  #complete(t: Transaction, ste: number, out: Answer): void {
    const { entry, input, stage1 } = this.#translator;
    out.kind = OUTCOME_OK;
    let frames = 1;
    if (entry === IDENTITY) {
      out.canRead = true;
      out.canWrite = true;
      out.frame = input;
    } else {
      const permissions = this.#tlb.permissions[entry] as number;
      const level = t.privileged ? 1 : 0;
      out.canRead = ((permissions >> this.#streams.kindOf(ste, KIND_READ + level)) & 1) !== 0;
      out.canWrite = t.write && ((permissions >> this.#streams.kindOf(ste, KIND_WRITE + level)) & 1) !== 0;
      out.frame = this.#streams.eats[ste] !== EATS_SPLIT ? this.#tlb.translate(entry, input) : stage1 ? this.#tlb.ipaOf(entry, input) : input;
      frames = this.#tlb.framesOf(entry);
    }
    if (out.canRead || out.canWrite) this.#endpoints.insert(t.sid, t.ssid, t.frame, frames, out.frame, out.canRead, out.canWrite);
    else out.frame = 0;
  }

  /** The endpoint uses its ATC. Fills `out`; true: the fault at hand is the answer. */
  translated(t: Transaction, out: Answer): boolean {
    setAnswer(out, ANSWER_NONE);
    if (!this.#endpoints.ats(t.sid)) return false;
    const entry = this.#endpoints.lookup(t.sid, t.ssid, t.frame, t.write);
    if (entry < 0) return false;
    this.sent = this.#endpoints.target(entry, t.frame);
    const frame = this.#forward(t);
    if (frame === FAULTED) return true;
    answerOk(out, frame);
    return false;
  }

  /** §3.9.1.3: with ATSCHK = 0 the address is taken as a PA, whatever the STE says. */
  #forward(t: Transaction): number {
    if (!this.enabled) return this.#fault.abort();
    if (!this.check) return this.sent < this.#translator.physicalFrames ? this.sent : this.#fault.abort();
    const ste = this.#streams.find(t.sid);
    if (ste < 0) return FAULTED;
    const action = this.#streams.action[ste] as number;
    if (action === STE_ILLEGAL) return this.#fault.plain(EVENT.C_BAD_STE);
    if (action === STE_ABORT) return this.#fault.abort();
    const eats = this.#streams.eats[ste];
    if (action === STE_BYPASS || eats === EATS_OFF) return this.#fault.plain(EVENT.F_TRANSL_FORBIDDEN);
    if (eats !== EATS_SPLIT || action === STE_STAGE1) return this.sent;
    return this.#translator.throughStage2(ste, this.sent, kindOf(t.write, t.privileged, t.instruction));
  }
}
