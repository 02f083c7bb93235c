/**
 * Watched: causes for a machine that is watched from outside and has a name of its own. They tell its deviations apart by what it does
 * where something else is due, without addresses: two sequences with one cause are one finding.
 */
import { commandVerdict } from '../spec/command-verdict.js';
import { commandName, decodeCommand, newCommand, WORDS_PER_COMMAND } from '../spec/command.js';
import { CLASS_CD, CLASS_TT, eventName, isTranslationFault } from '../spec/event.js';
import type { Features } from '../spec/features.js';
import { hex } from '../spec/bits.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import { OUTCOME_FAULT } from '../stack/outcome.js';
import type { Answer, Transaction } from '../stack/transaction.js';
import { answerName } from './machine-words.js';
import type { TransactionKind, WeakestMachine } from './twins.js';

/** A command in memory: its name, and what an SMMU must say to it. */
export interface Fetched {
  readonly name: string;
  /** Why it is illegal or has reserved bits set; the empty string when neither. */
  readonly wrong: string;
}

export function fetchedAt(memory: Memory, address: number, features: Features): Fetched {
  const slot = memory.slotOf(Math.floor(address / 4096));
  if (slot < 0) return { name: 'a command outside of RAM', wrong: '' };
  const ref = slot * WORDS_PER_FRAME + (address % 4096) / 8;
  const words = Uint32Array.from({ length: WORDS_PER_COMMAND }, (_, i) => (i % 2 === 0 ? memory.lo : memory.hi)[ref + Math.floor(i / 2)] as number);
  const command = decodeCommand(words, 0, newCommand());
  const { verdict, why } = commandVerdict(command, words, 0, features);
  return { name: commandName(command.op) ?? `command ${hex(command.op)}`, wrong: verdict === 'illegal' || verdict === 'reserved' ? why : '' };
}

function label(a: Answer): string {
  return `${answerName(a)}${a.kind === OUTCOME_FAULT && a.stage2 !== 0 && isTranslationFault(a.event) ? ` at stage 2${a.class === CLASS_CD ? ' for the CD' : a.class === CLASS_TT ? ' for a table' : ''}` : ''}`;
}

function listed(names: Iterable<string>): string {
  return [...new Set(names)].sort().join(' or ');
}

/** As `QEMU answers ok where only F_ACCESS is permitted`. */
export function answerCause(name: string, weakest: Pick<WeakestMachine, 'permitted'>, kind: TransactionKind, asked: { readonly t: Transaction; readonly answer: Answer }): string {
  const permitted = new Set<string>();
  weakest.permitted(kind, asked.t, (a) => {
    permitted.add(label(a));
    return false;
  });
  const seen = label(asked.answer);
  const how = permitted.has(seen) ? ' with a wrong page' : '';
  return `${name} answers ${seen}${how} where ${permitted.size === 0 ? 'nothing' : `only ${listed(permitted)}`} is permitted`;
}

const ERRORS: readonly string[] = ['no error', 'CERROR_ILL', 'CERROR_ABT', 'CERROR_ATC_INV_SYNC'];

function error(code: number): string {
  return ERRORS[code] ?? `error ${code}`;
}

/** `ahead`: CONS is behind what had to stop it; `code`: the error that the machine shows, 0 for none; `elsewhere`: not where one is due. */
export function queueCause(name: string, seen: { readonly ahead: boolean; readonly must: number; readonly code: number; readonly elsewhere: boolean }, c: Fetched): string {
  const { must, code } = seen;
  const why = c.wrong === '' ? '' : `: ${c.wrong}`;
  if (seen.ahead) return must === 0 ? `${name} consumes what is not published` : `${name} accepts ${c.name} where ${error(must)} is due${why}`;
  if (code === 0) return `${name} shows no error at ${c.name} where ${error(must)} is due${why}`;
  if (must === 0 || seen.elsewhere) return `${name} refuses ${c.name} with ${error(code)} where no error is due${why}`;
  return `${name} refuses ${c.name} with ${error(code)} where ${error(must)} is due${why}`;
}

/** Of a record that nobody asked for. */
export function recordCause(name: string, type: number, owed: readonly Answer[]): string {
  const text = eventName(type) ?? `event ${hex(type)}`;
  const due = listed(owed.map(answerName));
  if (owed.some((a) => a.event === type)) return `${name} leaves a record of ${text} that says something else than its answer`;
  return `${name} leaves a record of ${text} where ${due === '' ? 'none' : `one of ${due}`} is due`;
}

export function missingRecordCause(name: string, a: Answer): string {
  return `${name} leaves no record of ${answerName(a)}`;
}
