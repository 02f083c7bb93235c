/**
 * Operations of systems and SystemWorlds in words. Pure.
 */
import { hex64 } from '../spec/bits.js';
import { decodeWords, describeCommand, newCommand } from '../spec/command.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1 } from '../spec/ste.js';
import { isPlain } from '../operations/system-case.js';
import type { SystemOperation, SystemSmmu, SystemWorld } from '../stack/system.js';
import { describeOperation, describeWorld } from './operations.js';
import { counted } from './words.js';

/** Commands of one list that are told. */
const TOLD = 3;

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function steText(ste: readonly [number, number, number, number]): string {
  const config = (ste[0] >>> 1) & 7;
  const names: Readonly<Record<number, string>> = { [CONFIG_ABORT]: 'abort', [CONFIG_BYPASS]: 'bypass', [CONFIG_S1]: 'stage 1' };
  const what = (ste[0] & 1) === 0 ? 'V = 0' : (names[config] ?? `Config ${config}`);
  const cds = (ste[0] & 1) === 1 && config === CONFIG_S1 ? ` CDs at ${hex((ste[1] % 2 ** 24) * 2 ** 32 + (ste[0] >>> 6) * 64)}` : '';
  return `${what}${cds} (${hex64(ste[0], ste[1])} ${hex64(ste[2], ste[3])})`;
}

function commandsText(words: readonly number[]): string {
  const list = Array.from({ length: words.length / 4 }, (_, i) => describeCommand(decodeWords(...(words.slice(i * 4, i * 4 + 4) as [number, number, number, number]), newCommand())));
  return list.length > TOLD ? `${list.slice(0, TOLD).join('; ')}; … ${list.length} commands` : list.join('; ') || 'no command';
}

function operands(o: Exclude<SystemOperation, { readonly op: 'map' }>): string {
  switch (o.op) {
    case 'attach-pasid': return `device ${o.device} substream ${o.ssid} to domain ${o.to}`;
    case 'detach-pasid': return `device ${o.device} substream ${o.ssid}`;
    case 'mm-exit': return `domain ${o.domain}`;
    case 'vsmmu-open': case 'vsmmu-close': return `vSMMU ${o.vsmmu}`;
    case 'attach-nested': return `device ${o.device} through vSMMU ${o.vsmmu}: ${steText(o.ste)}`;
    case 'guest-commands': return `vSMMU ${o.vsmmu}: ${commandsText(o.words)}`;
    case 'guest-store': return `vSMMU ${o.vsmmu}  ipa ${hex(o.ipa)} = ${hex64(o.lo, o.hi)}`;
    case 'transact': return `device ${o.device}${o.stream === 0 ? '' : ` stream ${o.stream}`}${o.ssid < 0 ? '' : ` substream ${o.ssid}`}  ${hex(o.iova)} ${o.ats === 'no' ? '' : `${o.ats === 'request' ? 'ATS request' : 'translated'} `}${o.write ? 'write' : 'read'}`;
    default: return '';
  }
}

/** One operation; `width`: of the column of kinds. */
export function describeSystemOperation(o: SystemOperation, width = 0): string {
  return isPlain(o) ? describeOperation(o, width) : `${o.op.padEnd(width)}  ${operands(o)}`.trimEnd();
}

function smmuText(s: SystemSmmu): string {
  const words = [
    s.stage2 === undefined ? null : `stage 2 with ${s.stage2.vmidBits}-bit vmids 1..${s.stage2.vmidMax}`, s.ats === true ? 'ATS' : null,
    (s.ssidBits ?? 0) === 0 ? null : `${counted(2 ** (s.ssidBits ?? 0), 'substream')}${s.linearCds === true ? ' (linear CD tables)' : ''}`,
    s.forceWriteBack === true ? 'S2FWB' : null, s.oas === undefined ? null : `${s.oas}-bit output`, s.dirty === true ? 'dirty state' : null,
  ].filter((w) => w !== null);
  return words.join(', ');
}

/** A SystemWorld: its base, and what it has beyond. */
export function describeSystemWorld(w: SystemWorld): string[] {
  const smmus = w.smmus.flatMap((s, i) => (smmuText(s) === '' ? [] : [`SMMU ${i}: ${smmuText(s)}`]));
  const devices = w.devices.flatMap((d, i) => {
    const words = [d.ats === true ? 'ATS' : null, (d.ssidBits ?? 0) === 0 ? null : counted(2 ** (d.ssidBits ?? 0), 'substream')].filter((x) => x !== null);
    return words.length === 0 ? [] : [`device ${i} with ${words.join(' and ')}`];
  });
  const domains = w.domains.flatMap((d, i) => (d.stage === 2 ? [`domain ${i} is ${d.parent === true ? 'a nesting parent' : 'stage 2'}`] : []));
  const vsmmus = w.vsmmus.map((v, i) => `vSMMU ${i} of SMMU ${v.smmu} over domain ${v.parent}`);
  const rest = [...devices, ...domains, ...vsmmus, ...(w.guestFrames === 0 ? [] : [`${counted(w.guestFrames, 'page')} of guest memory`])];
  return [...describeWorld(w.base), ...smmus, ...(rest.length === 0 ? [] : [rest.join('; ')])];
}
