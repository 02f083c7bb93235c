/**
 * Machine worlds: what a random machine sequence is drawn on: one or two SMMUs with features of every kind, and where in
 * RAM its structures stand. All choices are whole numbers from a Chooser.
 */
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { granuleSupported, stage2Consistent, TGS, type Tg } from '../spec/granule.js';
import type { Chooser } from '../stack/chooser.js';
import type { Boot, MachineConfig, MachineWorld } from '../stack/machine-world.js';
import { RAM_BASE } from '../memory/memory.js';

/** First byte of RAM. */
export const RAM = RAM_BASE * 4096;
/** Frames with a fixed purpose; tables are handed out behind them. */
export const PLACE = { streams: 0, streams2: 1, commands: 3, extra: 4, events: 6, data: 7, cds: 8, cdTable: 9, cds2: 10, pool: 16 } as const;

export function pick<T>(chooser: Chooser, list: readonly T[]): T {
  return list[chooser.index(list.length)] as T;
}

/** True in one of `n` cases. */
export function oneIn(chooser: Chooser, n: number): boolean {
  return chooser.index(n) === 0;
}

function drawFeatures(c: Chooser): Features {
  const granules = pick(c, [[12], [12], [12, 16], [12, 14, 16], [14], [16], [14, 16]] as const) as readonly number[];
  const stage2 = !oneIn(c, 4);
  const oas = pick(c, [36, 40, 44, 48, 48, 52] as const);
  const wide = oas === 52 && !oneIn(c, 3);
  const ats = !oneIn(c, 3);
  return {
    ...FULL_FEATURES, stage2, hyp: stage2 && !oneIn(c, 3), httu: pick(c, [0, 1, 2, 2] as const), ats, splitAts: ats && stage2 && oneIn(c, 2),
    asidBits: pick(c, [8, 16] as const), vmidBits: pick(c, [8, 16] as const), vmidWildcard: oneIn(c, 2), twoLevelStreams: !oneIn(c, 3), twoLevelCds: !oneIn(c, 3),
    sidBits: pick(c, [4, 6, 8, 16]), ssidBits: pick(c, [0, 4, 8]), extraQueues: pick(c, [0, 0, 1, 2]), range: !oneIn(c, 4), bbml: pick(c, [0, 1, 2] as const),
    forceWriteBack: oneIn(c, 2), smallTables: oneIn(c, 2), oas, gran4k: granules.includes(12), gran16k: granules.includes(14), gran64k: granules.includes(16),
    ds: wide && !oneIn(c, 3), wideInput: wide, wholeRunOnly: oneIn(c, 16), repeatedList: oneIn(c, 16),
  };
}

function drawConfig(c: Chooser): MachineConfig {
  return { features: drawFeatures(c), tlbEntries: pick(c, [4, 8, 16, 64]), mergeRuns: oneIn(c, 2), strictReserved: oneIn(c, 2) };
}

/** One SMMU, rarely two of the same kind over the same tables. `frames`: of RAM, at least 16. */
export function drawConfigs(c: Chooser): readonly MachineConfig[] {
  const config = drawConfig(c);
  return oneIn(c, 8) ? [config, { ...config, tlbEntries: pick(c, [4, 16]), mergeRuns: !config.mergeRuns }] : [config];
}

export function machineWorld(smmus: readonly MachineConfig[], frames: number): MachineWorld {
  return { smmus, frames, judged: false };
}

export function drawBoot(c: Chooser, f: Features): Boot {
  const split = f.twoLevelStreams && f.sidBits >= 8 && oneIn(c, 2) ? 6 : 0;
  return {
    streams: RAM + PLACE.streams * 4096, streamsLog2: split === 0 ? Math.min(f.sidBits, pick(c, [3, 4, 6])) : 8, split,
    commands: RAM + PLACE.commands * 4096, commandsLog2: pick(c, [2, 4, 6]), events: RAM + PLACE.events * 4096, eventsLog2: pick(c, [1, 3, 5]),
    extra: f.extraQueues > 0 ? RAM + PLACE.extra * 4096 : 0, e2h: f.hyp && oneIn(c, 2), recordUnknown: !oneIn(c, 4), recordAts: f.ats && oneIn(c, 2),
    atsChk: f.ats && oneIn(c, 2), vmw: f.vmidWildcard && oneIn(c, 3) ? 1 + c.index(2) : 0, skip: [],
  };
}

/** Input size in bits of a stage-1 table. */
export function drawInputBits(c: Chooser, tg: Tg, f: Features): number {
  const small = f.smallTables ? (tg === 16 ? [18, 29] : tg === 14 ? [17, 20] : [17, 21]) : [];
  const usual = tg === 12 ? [25, 30, 31, 39, 48] : tg === 14 ? [25, 36, 47] : [29, 42, 48];
  const wide = f.wideInput && (tg === 16 || f.ds) ? [52] : [];
  return pick(c, [...small, ...usual, ...usual, ...wide]);
}

/** Input size and start level of a stage-2 table that reaches RAM. */
export function drawStage2Shape(c: Chooser, tg: Tg, f: Features): { readonly inputBits: number; readonly startLevel: number } {
  const shapes: Readonly<Record<Tg, readonly (readonly [number, number])[]>> = {
    12: [[34, 1], [34, 2], [36, 1], [39, 1], [40, 1], [44, 0], [48, 0]], 14: [[36, 2], [37, 2], [40, 1], [47, 1]], 16: [[34, 2], [36, 2], [40, 2], [42, 2], [48, 1]],
  };
  const legal = shapes[tg].filter(([bits, level]) => bits <= f.oas && stage2Consistent(tg, bits, level, f));
  const [inputBits, startLevel] = pick(c, legal.length > 0 ? legal : shapes[tg]);
  return { inputBits, startLevel };
}

export function drawGranule(c: Chooser, f: Features): Tg {
  const all = TGS.filter((tg) => granuleSupported(tg, f));
  return all.length === 0 ? 12 : pick(c, all);
}
