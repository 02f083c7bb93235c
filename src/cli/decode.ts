/**
 * decode: a raw command, STE, CD or event record in words.
 */
import { decodedBlock, decodedCd, decodedCommand, decodedEvent, decodedSte, type Decoded } from '../report/decode.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Parsed, VerbSpec } from './options.js';
import type { Output } from './output.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'decode', operands: 8,
  usage: ['decode <lo> <hi>', 'decode <w0> <w1> <w2> <w3>', 'decode --ste|--cd <8 words>', 'decode --event <4 words>'],
  about: [
    'A command of two 64-bit or four 32-bit words, low first: its fields, and whether an SMMU with or without range invalidation takes it.',
    'Structures and records are 64-bit words. Numbers are hexadecimal (0x…) or decimal.',
  ],
  options: [
    { name: 'ste', about: 'a stream table entry: 8 words' },
    { name: 'cd', about: 'a context descriptor: 8 words' },
    { name: 'event', about: 'an event record: 4 words' },
  ],
};

function word(text: string, bits: 32 | 64): bigint {
  const value = /^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value >= 1n << BigInt(bits)) throw new UsageError(`"${text}" is not a ${bits}-bit number such as 0x1f or 31`);
  return value;
}

/** 64-bit words as pairs of halves, low first. */
function halves(operands: readonly string[]): Uint32Array {
  const out = new Uint32Array(operands.length * 2);
  operands.forEach((text, i) => {
    const value = word(text, 64);
    out[i * 2] = Number(value & 0xffffffffn);
    out[i * 2 + 1] = Number(value >> 32n);
  });
  return out;
}

type Kind = 'command' | 'ste' | 'cd' | 'event';
const WORDS: Readonly<Record<Kind, { readonly counts: readonly number[]; readonly text: string }>> = {
  command: { counts: [2, 4], text: 'a command has two 64-bit or four 32-bit words' },
  ste: { counts: [8], text: 'an STE has 8 words' },
  cd: { counts: [8], text: 'a CD has 8 words' },
  event: { counts: [4], text: 'an event record has 4 words' },
};

function decoded(p: Parsed): Decoded {
  const kinds = (['ste', 'cd', 'event'] as const).filter((k) => p.values.has(k));
  if (kinds.length > 1) throw new UsageError(`options --${kinds[0]} and --${kinds[1]} exclude each other`);
  const kind: Kind = kinds.length === 0 ? 'command' : (kinds[0] as Kind);
  const n = p.operands.length;
  if (!WORDS[kind].counts.includes(n)) throw new UsageError(`${WORDS[kind].text}, not ${n}`);
  switch (kind) {
    case 'ste': return decodedSte(halves(p.operands));
    case 'cd': return decodedCd(halves(p.operands));
    case 'event': return decodedEvent(halves(p.operands));
    case 'command': return decodedCommand(n === 2 ? halves(p.operands) : Uint32Array.from(p.operands, (text) => Number(word(text, 32))));
  }
}

function run(p: Parsed, out: Output): ExitCode {
  const d = decoded(p);
  out.print(decodedBlock(d));
  out.document({ schema: 1, verb: 'decode', verdict: 'ok', ...d, timing: {} });
  return EXIT.ok;
}

export const verb: Verb = { spec, run };
