/**
 * The comparison of adversaries with the reference: names of what either has cached, by value and tags, structures word by word.
 */
import { newCachedEntry, type CachedEntry } from '../../src/stack/transaction.js';
import type { ReferenceMachine } from '../../src/reference/machine/machine.js';
import { OP, type Command } from '../../src/spec/command.js';
import { mustRemoveAtc, mustRemoveStructure, mustRemoveTranslation, type Settings } from './adversary-match.js';
import { complete } from './adversary-config.js';
import { nameOfAnswer, nameOfTranslation, nameOfWord, type Adversary, type CachedStructure, type CachedTranslation } from './adversary.js';

export function namesOfReference(r: ReferenceMachine): Set<string> {
  const out = new Set<string>();
  for (const f of r.tables.translations) out.add(nameOfTranslation({ ...f, second: f.kind === 'leaf' ? f.second : null }));
  for (const a of r.contexts.store.arrays) {
    for (const e of a.elements.values()) {
      const i = (e.index - a.first) / a.span;
      e.words.forEach((list, word) => { for (const f of list) out.add(nameOfWord({ kind: a.kind, sid: a.sid, index: e.index, span: a.span, address: a.address + i * a.stride }, word, f.lo, f.hi)); });
    }
  }
  return out;
}

/** An element of which nothing changed since its array is in reach, and whose first word is zero, is not listed: it is as memory says. */
function implied(r: ReferenceMachine, s: CachedStructure, word: number): boolean {
  return r.contexts.store.arrays.some((a) => {
    const i = (s.index - a.first) / a.span;
    if (!a.open || a.kind !== s.kind || a.sid !== s.sid || i < 0 || i >= a.count || a.address + i * a.stride !== s.address || a.elements.has(i)) return false;
    const ref = r.memory.slotOf(Math.floor(s.address / 4096)) * 512 + (s.address % 4096) / 8 + word;
    return r.memory.lo[ref] === s.lo[word] && r.memory.hi[ref] === s.hi[word];
  });
}

/** The first thing that the adversary has and the reference has not; or null. */
export function forgotten(r: ReferenceMachine, names: ReadonlySet<string>, a: Adversary): string | null {
  for (const name of a.translations.keys()) if (!names.has(name)) return name;
  for (const s of a.structures) {
    for (const [i, lo] of s.lo.entries()) {
      if (lo === undefined) continue;
      const name = nameOfWord(s, i, lo, s.hi[i] as number);
      if (!names.has(name) && !implied(r, s, i)) return name;
    }
  }
  return null;
}

/** The same as entries of a concrete machine, which `holds` must know. Structures: only those of which every word was read. */
export function* entriesOf(a: Adversary): Generator<CachedEntry> {
  for (const e of a.translations.values()) yield { ...newCachedEntry(), ...e, frame: e.va, ...(e.kind === 'leaf' ? permissions(e) : {}) };
  for (const s of a.structures) {
    const words = complete(s);
    const stream = s.kind === 'l1std' || s.kind === 'ste';
    if (words !== null) yield { ...newCachedEntry(), kind: s.kind, sid: stream ? s.index : s.sid, ssid: stream ? -1 : s.index, words };
  }
  for (const e of a.atc.values()) yield { ...newCachedEntry(), ...e, frame: e.va };
}

/** Unprivileged data accesses: AP[1] (EL2: always) and AP[2]; S2AP. */
function permissions(e: CachedTranslation): { canRead: boolean; canWrite: boolean } {
  const s2 = e.stage === 2 ? e : e.second;
  const user = e.stage === 2 || e.world === 1 || (e.lo & 64) !== 0;
  const readOnly = e.stage !== 2 && (e.lo & 128) !== 0;
  return { canRead: user && (s2 === null || (s2.lo & 64) !== 0), canWrite: user && !readOnly && (s2 === null || (s2.lo & 128) !== 0) };
}

export function* namesOfAdversary(a: Adversary): Generator<string> {
  yield* a.translations.keys();
  for (const s of a.structures) for (const [i, lo] of s.lo.entries()) if (lo !== undefined) yield nameOfWord(s, i, lo, s.hi[i] as number);
  for (const e of a.atc.values()) yield nameOfAnswer(e);
}

/** Names of facts that a SYNC's commands named and that the reference lists all the same: each claims that some legal SMMU still has it. */
export function namedAndListed(r: ReferenceMachine, commands: readonly Command[], settings: Settings): Set<string> {
  const out = new Set<string>();
  for (const f of r.tables.translations) {
    const whole = f.kind === 'leaf' && f.first !== null ? f.first : f;
    if (commands.some((c) => mustRemoveTranslation(c, { ...f, wholeVa: whole.va, wholeFrames: whole.frames }, settings))) out.add(nameOfTranslation({ ...f, second: f.kind === 'leaf' ? f.second : null }));
  }
  for (const a of r.contexts.store.arrays) {
    for (const e of a.elements.values()) {
      const tag = { kind: a.kind, sid: a.sid, index: e.index, span: a.span, address: a.address + ((e.index - a.first) / a.span) * a.stride };
      if (commands.some((c) => mustRemoveStructure(c, tag))) e.words.forEach((list, word) => { for (const f of list) out.add(nameOfWord(tag, word, f.lo, f.hi)); });
    }
  }
  for (const sid of new Set(commands.filter((c) => c.op === OP.ATC_INV).map((c) => c.sid))) {
    for (const e of r.atc.held(sid)) if (commands.some((c) => mustRemoveAtc(c, e))) out.add(nameOfAnswer(e));
  }
  return out;
}
