/**
 * Words for whole-machine sequences: answers, cached entries, event records and transactions as sentences of a
 * violation name them. Pure.
 */
import { hex } from '../spec/bits.js';
import { eventName } from '../spec/event.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, FRAME_UNSEEN, type Answer, type CachedEntry, type Transaction } from '../stack/transaction.js';
import type { TransactionKind } from './twins.js';

const CLASSES: readonly string[] = ['CD', 'TT', 'IN', '3'];

/** A byte address of any size that a frame can have. */
export function frameAddress(frame: number): string {
  if (frame < 0) return 'an unknown page';
  return frame === 0 ? '0x0' : `0x${frame.toString(16)}000`;
}

/** An answer by its kind alone: ok, abort, none, ur, ca or the event's name. Stable: part of a cause. */
export function answerName(a: Answer): string {
  switch (a.kind) {
    case OUTCOME_OK: return a.frame === FRAME_UNSEEN ? 'without a record' : 'ok';
    case OUTCOME_ABORT: return 'abort';
    case OUTCOME_FAULT: return eventName(a.event) ?? `event ${hex(a.event)}`;
    case ANSWER_NONE: return 'none';
    case ANSWER_UR: return 'ur';
    case ANSWER_CA: return 'ca';
  }
}

/** As `0x9000`, `F_TRANSLATION stage 2 CLASS TT ipa 0x4000`, `success 0x9000 rw`. */
export function describeAnswer(a: Answer, kind: TransactionKind = 'access'): string {
  if (a.kind === OUTCOME_OK && kind === 'ats-request') {
    return a.canRead || a.canWrite ? `success ${frameAddress(a.frame)} ${a.canRead ? 'r' : ''}${a.canWrite ? 'w' : ''}` : 'success without permission';
  }
  if (a.kind === OUTCOME_OK) return a.frame === FRAME_UNSEEN ? 'without a record (what it read is not seen)' : frameAddress(a.frame);
  if (a.kind !== OUTCOME_FAULT) return a.kind === ANSWER_NONE ? 'nothing is sent' : `${answerName(a)}${a.event === 0 ? '' : ` and ${eventName(a.event) ?? hex(a.event)}`}`;
  const stage = a.stage2 === 0 ? '' : ` stage 2 CLASS ${CLASSES[a.class] ?? ''} ipa ${frameAddress(a.ipa)}`;
  return `${answerName(a)}${stage}`;
}

export function describeTransaction(t: Transaction, kind: TransactionKind): string {
  const verb = kind === 'access' ? '' : kind === 'translated' ? 'translated ' : 'ATS request to ';
  const how = `${t.privileged ? 'privileged ' : ''}${t.instruction ? 'fetch' : t.write ? 'write' : 'read'}`;
  return `stream ${t.sid}${t.ssid < 0 ? '' : ` substream ${t.ssid}`} at ${frameAddress(t.frame)}, ${verb}${how}`;
}

const WORLDS: readonly string[] = ['EL1', 'EL2', 'EL2-E2H'];

/** One cached entry, as `stage-1 leaf {EL1 vmid 0 asid 5 0x4000 -> 0x8000 level 3}`. */
export function describeEntry(e: CachedEntry): string {
  const first = e.words[e.base];
  switch (e.kind) {
    case 'l1std': case 'ste': return `${e.kind === 'ste' ? 'STE' : 'L1STD'} of stream ${e.sid} with word 0 ${first === undefined ? '?' : hex(first)}`;
    case 'l1cd': case 'cd': return `${e.kind === 'cd' ? 'CD' : 'L1CD'} ${e.ssid} of stream ${e.sid} with word 0 ${first === undefined ? '?' : hex(first)}`;
    case 'atc': return `ATC entry {stream ${e.sid}${e.ssid < 0 ? '' : ` PASID ${e.ssid}`} ${span(e)}}`;
    default: {
      const stage = e.stage === 3 ? 'combined' : `stage-${e.stage}`;
      const tag = e.stage === 2 ? `vmid ${e.vmid}` : `${WORLDS[e.world] ?? ''} vmid ${e.vmid} ${e.asid < 0 ? 'global' : `asid ${e.asid}`}`;
      return `${stage} ${e.kind} {${tag} ${2 ** (e.tg - 10)}K level ${e.level} ${span(e)}}`;
    }
  }
}

function span(e: CachedEntry): string {
  const rights = e.kind === 'table' ? '' : ` ${e.canRead ? 'r' : ''}${e.canWrite ? 'w' : ''}`;
  return `${frameAddress(e.frame)}${e.frames > 1 ? ` +${e.frames} pages` : ''} -> ${frameAddress(e.target)}${rights}`;
}
