/**
 * Machine operations and machine worlds in words. Structures and descriptors are named where a store shows one: in a
 * stream table that boot names, or with a valid descriptor's bits. Pure.
 */
import { hex64 } from '../spec/bits.js';
import { describeCommand, decodeWords, newCommand } from '../spec/command.js';
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { describeAllowed } from '../lockstep/claims.js';
import { registerName } from '../operations/machine-fields.js';
import type { Boot, MachineOperation, MachineWorld, Where } from '../stack/machine-world.js';
import { counted } from './words.js';

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** Only where there is more than one SMMU or queue is it named. */
function on(smmu: number, queue = 0): string {
  return `${smmu === 0 ? '' : ` SMMU ${smmu}`}${queue === 0 ? '' : ` queue ${queue}`}`;
}

function where(w: Where): string {
  const how = `${w.privileged ? 'privileged ' : ''}${w.instruction ? 'fetch' : w.write ? 'write' : 'read'}`;
  return `sid ${w.sid}${w.ssid < 0 ? '' : ` ssid ${w.ssid}`} ${hex(w.iova)} ${how}${on(w.smmu)}`;
}

/** A stored word; one that looks like a descriptor (attributes of a table are all 0, of a leaf shareability or AF) names where it points. */
function word(lo: number, hi: number): string {
  const looks = (lo & 3) === 3 ? (lo & 0xffc) === 0 || (lo & 0x700) !== 0 : (lo & 3) === 1 && (lo & 0x700) !== 0;
  const address = `0x${((hi % 65536) * 2 ** 32 + lo - (lo % 4096)).toString(16)}`;
  return `${hex64(lo, hi)}${looks ? ` (${(lo & 2) === 0 ? 'block ' : ''}-> ${address})` : ''}`;
}

function boot(b: Boot): string {
  const flags = [b.split === 0 ? '' : `split ${b.split}`, b.e2h ? 'E2H' : '', b.recordUnknown ? '' : 'unknown streams unrecorded', b.atsChk ? 'ATSCHK' : '', b.vmw === 0 ? '' : `VMW ${b.vmw}`, ...b.skip.map((s) => `without ${s}`)];
  return [`streams ${hex(b.streams)} of ${2 ** b.streamsLog2}`, `commands ${2 ** b.commandsLog2}`, `events ${2 ** b.eventsLog2}`, ...flags.filter((f) => f !== '')].join(', ');
}

function operands(op: MachineOperation): string {
  switch (op.op) {
    case 'store': return `${hex(op.at)} = ${word(op.lo, op.hi)}${op.held ? ' held' : ''}`;
    case 'barrier': return '';
    case 'boot': return `${boot(op.boot)}${on(op.smmu)}`;
    case 'register': return `${registerName(op.offset)} = ${hex(op.value)}${on(op.smmu)}`;
    case 'command': return `${describeCommand(op.command)}${on(op.smmu, op.queue)}`;
    case 'raw': return `${hex64(op.words[0], op.words[1])} ${hex64(op.words[2], op.words[3])} (${describeCommand(decodeWords(op.words[0], op.words[1], op.words[2], op.words[3], newCommand()))})${on(op.smmu, op.queue)}`;
    case 'sync': return `${op.msi > 0 ? `message at ${hex(op.msi)}` : ''}${on(op.smmu, op.queue)}`.trimStart();
    case 'acknowledge': return `${op.fix ? 'the failed command becomes a CMD_SYNC' : 'as it is'}${on(op.smmu, op.queue)}`;
    case 'access': case 'ats-request': case 'translated': return where(op);
    case 'endpoint': return `sid ${op.sid} ATS ${op.ats ? 'on' : 'off'}${op.responds ? '' : ', answers no invalidation'}${on(op.smmu)}`;
    case 'evict': return on(op.smmu).trimStart();
    case 'claim': return `${op.rule}: ${where(op)}${op.translated ? ' translated' : ''} only ${op.allow.map(describeAllowed).join(' or ') || 'nothing'}`;
    case 'free': return `${hex(op.at)} +${counted(op.frames, 'page')}`;
  }
}

/** One operation, as `command  TLBI_NH_VA vmid 0 asid 5 va 0x4000`. `width`: of the column of kinds. */
export function describeMachineOperation(op: MachineOperation, width = 0): string {
  return `${op.op.padEnd(width)}  ${operands(op)}`.trimEnd();
}

function features(f: Features): string {
  const keys = (Object.keys(FULL_FEATURES) as (keyof Features)[]).filter((key) => f[key] !== FULL_FEATURES[key]);
  if (keys.length === 0) return 'every usual feature';
  return keys.map((key) => (f[key] === true ? key : f[key] === false ? `no ${key}` : `${key} ${f[key]}`)).join(', ');
}

export function describeMachineWorld(world: MachineWorld): string[] {
  return [
    ...world.smmus.map((s, i) => `SMMU ${i}: ${features(s.features)}; TLB of ${s.tlbEntries}${s.mergeRuns ? ', runs merged' : ''}${s.strictReserved ? '' : ', reserved fields ignored'}`),
    `${counted(world.frames, 'frame')} of RAM, software is ${world.judged ? '' : 'not '}judged`,
  ];
}
