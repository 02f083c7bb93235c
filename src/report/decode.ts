/**
 * Decode: a raw command, STE, CD or event record in words: every field it has, and whether it is legal. Pure.
 */
import { getField, hex64, type Field } from '../spec/bits.js';
import { CD, cdLegal } from '../spec/cd.js';
import { commandError, commandName, commandShape, decodeCommand, describeCommand, newCommand, reservedBits, type Command, type CommandFeatures } from '../spec/command.js';
import { decodeEvent, describeEvent, EVENT_FIELD } from '../spec/event.js';
import { steAction, STE } from '../spec/ste.js';
import { labelled } from './words.js';

export interface Decoded {
  readonly kind: 'command' | 'ste' | 'cd' | 'event';
  /** 64-bit words as given. */
  readonly words: readonly string[];
  readonly text: string;
  readonly fields: Readonly<Record<string, string>>;
  /** What is legal for whom. */
  readonly notes: readonly string[];
}

/** An SMMU that has everything a command could need, with or without range invalidation. */
function features(range: boolean): CommandFeatures {
  return { stage1: true, stage2: true, hyp: true, range, ds: false, ats: true, pri: true, stall: true, asidBits: 16, vmidBits: 16 };
}

type FieldName = Exclude<keyof Command, 'op'>;
const RANGE: readonly FieldName[] = ['num', 'scale', 'leaf', 'ttl', 'tg', 'frame'];

/** The fields of each shape, in the order of their bits. */
function fieldsOf(op: number): readonly FieldName[] {
  switch (commandShape(op)) {
    case 'sid': return ['ssec', 'sid'];
    case 'ste': return ['ssec', 'sid', 'leaf'];
    case 'range': return ['ssec', 'sid', 'range'];
    case 'cd': return ['ssec', 'ssid', 'sid', 'leaf'];
    case 'prefetch': return ['ssec', 'ssv', 'ssid', 'sid'];
    case 'prefetchAddr': return ['ssec', 'ssv', 'ssid', 'sid', 'size', 'frame'];
    case 'vmid': return ['vmid'];
    case 'asid': return ['asid'];
    case 'vmidAsid': return ['vmid', 'asid'];
    case 'va': return ['vmid', 'asid', ...RANGE];
    case 'vaa': case 'ipa': return ['vmid', ...RANGE];
    case 'el2va': return ['asid', ...RANGE];
    case 'el2vaa': return RANGE;
    case 'atc': return ['global', 'ssv', 'ssid', 'sid', 'size', 'frame'];
    case 'pri': return ['ssv', 'ssid', 'sid', 'prg', 'resp'];
    case 'resume': return ['ssec', 'ac', 'ab', 'sid', 'stag'];
    case 'sync': return ['cs', 'msh', 'msiAttr', 'msiData', 'msiAddress'];
    case 'none': case undefined: return [];
  }
}

function fieldText(name: FieldName, c: Command): [string, string] {
  if (name === 'frame') return ['address', `0x${c.frame.toString(16)}000`];
  if (name === 'msiAddress') return ['msiAddress', `0x${(BigInt(c.msiAddress) * 4n).toString(16)}`];
  return [name, name === 'sid' || name === 'msiData' ? `0x${c[name].toString(16)}` : String(c[name])];
}

function texts(words: Uint32Array): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i += 2) out.push(hex64(words[i] as number, words[i + 1] as number));
  return out;
}

/** `words`: 4 uint32. */
export function decodedCommand(words: Uint32Array): Decoded {
  const c = decodeCommand(words, 0, newCommand());
  const judge = (range: boolean): string => commandError(c, features(range)) ?? 'legal';
  const notes = [`with range invalidation: ${judge(true)}`, `without range invalidation: ${judge(false)}`];
  if (reservedBits(words, 0)) notes.push('bits are set that the opcode does not have (RES0, §4.1.5)');
  return {
    kind: 'command', words: texts(words), text: describeCommand(c),
    fields: Object.fromEntries([['opcode', `0x${c.op.toString(16).padStart(2, '0')} ${commandName(c.op) ?? '(reserved or not decoded)'}`], ...fieldsOf(c.op).map((f) => fieldText(f, c))]),
    notes,
  };
}

function namedFields(words: Uint32Array, fields: Readonly<Record<string, Field>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, f]) => {
    const value = getField(words, f);
    return [name, f.width > 8 ? `0x${value.toString(16)}` : String(value)];
  }));
}

/** `words`: 16 uint32. */
export function decodedSte(words: Uint32Array): Decoded {
  const judge = (stage2: boolean): string => steAction(words, 0, { stage1: true, stage2, ssidBits: 0, vmidBits: 16, oas: 44 });
  return {
    kind: 'ste', words: texts(words), text: `STE: ${judge(true)}`, fields: namedFields(words, STE),
    notes: [
      `context descriptor at 0x${(BigInt(getField(words, STE.S1ContextPtr)) * 64n).toString(16)}`,
      `with stage 1 and 2, no substreams, 44-bit output: ${judge(true)}`, `with stage 1 alone: ${judge(false)}`,
    ],
  };
}

export function decodedCd(words: Uint32Array): Decoded {
  const judge = (asidBits: number): string => (cdLegal(words, 0, { asidBits, oas: 44 }) ? 'legal' : 'illegal: an access ends in C_BAD_CD');
  return {
    kind: 'cd', words: texts(words), text: `CD: asid ${getField(words, CD.ASID)}, ${judge(16)}`, fields: namedFields(words, CD),
    notes: [
      `table base 0 at 0x${(BigInt(getField(words, CD.TTB0)) * 16n).toString(16)}`,
      `with 16-bit asids, 44-bit output: ${judge(16)}`, `with 8-bit asids: ${judge(8)}`,
    ],
  };
}

/** `words`: 8 uint32. */
export function decodedEvent(words: Uint32Array): Decoded {
  return { kind: 'event', words: texts(words), text: describeEvent(decodeEvent(words)), fields: namedFields(words, EVENT_FIELD), notes: [] };
}

export function decodedBlock(d: Decoded): string {
  const width = Math.max(...Object.keys(d.fields).map((f) => f.length)) + 2;
  return [d.text, ...Object.entries(d.fields).flatMap(([name, value]) => labelled(name, [value], width)), ...d.notes.map((n) => `  ${n}`)].join('\n');
}
