/**
 * Machine fields: the JSON form of the simple fields of machine operations, of commands and of boot, as tables that
 * writing and reading share. A field that has its usual value is left out.
 */
import { commandName, commandShape, newCommand, OP, type Command, type CommandName } from '../spec/command.js';
import { REG } from '../spec/register.js';
import type { Boot, MachineOperation } from '../stack/machine-world.js';
import type { Json } from './case.js';
import type { Node } from './node.js';

/** `address`: bytes; `wide`: bytes of up to 64 bits; `count`: a whole number. */
type FieldKind = 'count' | 'flag' | 'address' | 'wide';

export interface FieldSpec {
  readonly key: string;
  readonly kind: FieldKind;
  /** Left out, it has this value. */
  readonly usual?: number | boolean;
  readonly most?: number;
}

export type Fields = Record<string, number | boolean>;

function count(key: string, most: number, usual?: number): FieldSpec {
  return { key, kind: 'count', most, ...(usual === undefined ? {} : { usual }) };
}

function flag(key: string, usual?: boolean): FieldSpec {
  return { key, kind: 'flag', ...(usual === undefined ? {} : { usual }) };
}

const SID = 2 ** 32 - 1;
const SMMU = count('smmu', 3, 0);
const QUEUE = count('queue', 255, 0);
const WHERE: readonly FieldSpec[] = [
  SMMU, count('sid', SID), count('ssid', 2 ** 20 - 1, -1), { key: 'iova', kind: 'wide' }, flag('write', false), flag('privileged', false), flag('instruction', false),
];

/** The simple fields of each operation, in the order in which they are written. */
export const OPERATION_FIELDS: Readonly<Record<MachineOperation['op'], readonly FieldSpec[]>> = {
  store: [{ key: 'at', kind: 'address' }],
  barrier: [],
  boot: [SMMU],
  register: [SMMU],
  command: [SMMU, QUEUE],
  raw: [SMMU, QUEUE],
  sync: [SMMU, QUEUE, { key: 'msi', kind: 'address', usual: 0 }],
  acknowledge: [SMMU, QUEUE, flag('fix', false)],
  access: WHERE, 'ats-request': WHERE, translated: WHERE,
  endpoint: [SMMU, count('sid', SID), flag('ats', true), flag('responds', true)],
  evict: [SMMU],
  claim: [...WHERE, flag('translated', false)],
  free: [{ key: 'at', kind: 'address' }, count('frames', 512, 1)],
};

export const MACHINE_KINDS = Object.keys(OPERATION_FIELDS) as readonly MachineOperation['op'][];

export const BOOT_FIELDS: readonly FieldSpec[] = [
  { key: 'streams', kind: 'address' }, count('streamsLog2', 32), count('split', 31, 0), { key: 'commands', kind: 'address' }, count('commandsLog2', 31),
  { key: 'events', kind: 'address' }, count('eventsLog2', 31), { key: 'extra', kind: 'address', usual: 0 }, flag('e2h', false), flag('recordUnknown', true),
  flag('recordAts', false), flag('atsChk', false), count('vmw', 7, 0),
];

export const BOOT_STEPS: readonly Boot['skip'][number][] = ['cfgi-all', 'tlbi-all', 'tlbi-el2', 'enable'];

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function writeFields(specs: readonly FieldSpec[], from: Readonly<Record<string, unknown>>): Record<string, Json> {
  const out: Record<string, Json> = {};
  for (const f of specs) {
    const value = from[f.key] as number | boolean;
    if (value === f.usual) continue;
    out[f.key] = f.kind === 'address' || f.kind === 'wide' ? hex(value as number) : value;
  }
  return out;
}

export function readFields(specs: readonly FieldSpec[], n: Node): Fields {
  const out: Fields = {};
  for (const f of specs) {
    if (!n.has(f.key)) {
      if (f.usual === undefined) n.fail(`lacks the key ${JSON.stringify(f.key)}`);
      out[f.key] = f.usual as number | boolean;
      continue;
    }
    const v = n.child(f.key);
    out[f.key] = f.kind === 'flag' ? v.boolean() : f.kind === 'count' ? v.integer(Math.min(0, (f.usual as number | undefined) ?? 0), f.most ?? 0) : f.kind === 'wide' ? v.wideAddress() : v.address();
  }
  return out;
}

// ---- Commands: `name` and the fields of its opcode, the address by what it is.

type CommandKey = Exclude<keyof Command, 'op' | 'frame' | 'msiAddress'>;
const RANGE: readonly CommandKey[] = ['num', 'scale', 'leaf', 'ttl', 'tg'];
/** Widths in bits. */
const WIDTH: Readonly<Record<CommandKey, number>> = {
  sid: 32, ssid: 20, ssv: 1, ssec: 1, global: 1, vmid: 16, asid: 16, leaf: 1, ttl: 2, tg: 2, num: 5, scale: 6, range: 5, size: 6,
  cs: 2, msh: 2, msiAttr: 4, msiData: 32, prg: 9, resp: 2, stag: 16, ac: 1, ab: 1,
};

/** The plain fields of an opcode and the name of its address, if it has one. */
function commandFields(op: number): { readonly plain: readonly CommandKey[]; readonly address?: 'va' | 'ipa' | 'msiAddress' } {
  switch (commandShape(op)) {
    case 'sid': return { plain: ['ssec', 'sid'] };
    case 'ste': return { plain: ['ssec', 'sid', 'leaf'] };
    case 'range': return { plain: ['ssec', 'sid', 'range'] };
    case 'cd': return { plain: ['ssec', 'sid', 'ssid', 'leaf'] };
    case 'prefetch': return { plain: ['ssec', 'sid', 'ssv', 'ssid'] };
    case 'prefetchAddr': return { plain: ['ssec', 'sid', 'ssv', 'ssid', 'size'], address: 'va' };
    case 'vmid': return { plain: ['vmid'] };
    case 'asid': return { plain: ['asid'] };
    case 'vmidAsid': return { plain: ['vmid', 'asid'] };
    case 'va': return { plain: ['vmid', 'asid', ...RANGE], address: 'va' };
    case 'vaa': return { plain: ['vmid', ...RANGE], address: 'va' };
    case 'el2va': return { plain: ['asid', ...RANGE], address: 'va' };
    case 'el2vaa': return { plain: RANGE, address: 'va' };
    case 'ipa': return { plain: ['vmid', ...RANGE], address: 'ipa' };
    case 'atc': return { plain: ['global', 'sid', 'ssv', 'ssid', 'size'], address: 'va' };
    case 'pri': return { plain: ['sid', 'ssv', 'ssid', 'prg', 'resp'] };
    case 'resume': return { plain: ['ssec', 'sid', 'stag', 'ac', 'ab'] };
    case 'sync': return { plain: ['cs', 'msh', 'msiAttr', 'msiData'], address: 'msiAddress' };
    case 'none': case undefined: return { plain: [] };
  }
}

export function commandJson(c: Command): Json {
  const { plain, address } = commandFields(c.op);
  const out: Record<string, Json> = { name: commandName(c.op) ?? hex(c.op) };
  for (const key of plain) if (c[key] !== 0) out[key] = c[key];
  if (address === 'msiAddress') {
    if (c.msiAddress !== 0) out[address] = hex(c.msiAddress * 4);
  } else if (address !== undefined && c.frame !== 0) {
    out[address] = `0x${c.frame.toString(16)}000`;
  }
  return out;
}

export function readCommand(n: Node): Command {
  n.keys();
  if (!n.has('name')) n.fail('lacks the key "name"');
  const name = n.child('name').text(64);
  const op = Object.hasOwn(OP, name) ? OP[name as CommandName] : /^0x[0-9a-f]{1,2}$/i.test(name) ? Number(name) : n.child('name').fail('must be the name of a command, such as "TLBI_NH_VA", or an opcode such as "0x99"');
  const { plain, address } = commandFields(op);
  n.object(['name'], [...plain, ...(address === undefined ? [] : [address])]);
  const c: Command = { ...newCommand(), op };
  for (const key of plain) if (n.has(key)) c[key] = n.child(key).integer(0, 2 ** WIDTH[key] - 1);
  if (address === undefined || !n.has(address)) return c;
  const v = n.child(address);
  if (address === 'msiAddress') {
    c.msiAddress = Math.floor(v.address() / 4);
    return c;
  }
  const bytes = v.wideAddress();
  if (bytes % 4096 !== 0) v.fail('must be a multiple of 4096');
  c.frame = bytes / 4096;
  return c;
}

const REGISTERS = new Map<number, string>(Object.entries(REG).map(([name, offset]) => [offset, name]));

/** The name of a register, or its offset. */
export function registerName(offset: number): string {
  return REGISTERS.get(offset) ?? hex(offset);
}

export function readRegister(n: Node): number {
  const name = n.text(64);
  if (Object.hasOwn(REG, name)) return REG[name as keyof typeof REG];
  if (!/^0x[0-9a-f]{1,6}$/i.test(name)) n.fail('must be the name of a register, such as "CR0", or an offset such as "0x20"');
  return Number(name);
}
