/**
 * Scenes: short sequences in which it matters which command may act first, for many adversaries beside one reference. `m` lets moments pass.
 */
import { newCommand, OP, type Command } from '../../src/spec/command.js';
import { RAM_BASE } from '../../src/memory/memory.js';
import { l1stdLow } from '../../src/spec/level1.js';
import type { Shape } from './adversary-shape.js';
import type { AdversaryWorld } from './adversary-worlds.js';

export interface Scene {
  readonly name: string;
  readonly shape: Partial<Shape>;
  readonly act: (w: AdversaryWorld, m: () => void) => void;
}

const R = RAM_BASE;
const cmd = (change: Partial<Command>): Command => ({ ...newCommand(), ...change });
const va = (change: Partial<Command>): Command => cmd({ op: OP.TLBI_NH_VA, vmid: 1, asid: 1, ...change });
const CFGI_STE = cmd({ op: OP.CFGI_STE, leaf: 1 });
const ALL = [cmd({ op: OP.CFGI_STE_RANGE, range: 31 }), cmd({ op: OP.TLBI_NSNH_ALL })];

/** Commands and their SYNC, seen complete, with moments in between. */
function batch(w: AdversaryWorld, m: () => void, ...commands: readonly Command[]): void {
  for (const c of commands) w.stage(c);
  w.publish(true);
  m();
  w.observe(1);
}

/** Stream 0, ASID 1: two pages, next to one another. */
function stage1(w: AdversaryWorld, m: () => void): void {
  w.link(w.page(1, 1), 0, w.page(1, 2));
  w.link(w.page(1, 2), 0, w.page(1, 3));
  w.map(w.page(1, 3), 0, R);
  w.map(w.page(1, 3), 1, R + 1);
  w.cd(1, w.page(1, 1));
  w.ste(0, w.shape.kinds[0] ?? 'stage1');
  batch(w, m, ...ALL);
  m();
}

/** Stage 2: RAM to itself, in pages (`pages`) or one block. */
function stage2(w: AdversaryWorld, pages: boolean): void {
  w.link(w.page(2, 1), 4, w.page(2, 2));
  if (!pages) { w.map(w.page(2, 2), 0, R, [2, 2, false]); return; }
  w.link(w.page(2, 2), 0, w.page(2, 3));
  for (const f of [0, 1, 4, 16, 18, 20]) w.map(w.page(2, 3), f, R + f, [3, 2, false]);
}

function nested(w: AdversaryWorld, m: () => void): void {
  stage2(w, true);
  stage1(w, m);
}

const NESTED: Partial<Shape> = { kinds: ['nested'] };
const clear = (w: AdversaryWorld, level: number, index: number, stage: 1 | 2 = 1): void => { w.store(w.page(stage, level), index, 0, 0); };

export const SCENES: readonly Scene[] = [
  { name: 'unmap a page, one address', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1 })); } },
  { name: 'unmap after the command was published', shape: {}, act: (w, m) => { stage1(w, m); w.stage(va({ leaf: 1 })); w.publish(true); m(); clear(w, 3, 0); m(); w.observe(1); } },
  { name: 'free a table, Leaf = 1', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 2, 0); m(); batch(w, m, va({ leaf: 1 }), va({ leaf: 1, frame: 1 })); } },
  { name: 'free a table, Leaf = 0 for one address', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 2, 0); m(); batch(w, m, va({})); } },
  { name: 'leaf range and one Leaf = 0, table not emptied', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 2, 0); m(); batch(w, m, va({ leaf: 1, tg: 1, ttl: 3, num: 1 }), va({ frame: 5 })); } },
  { name: 'free two levels, TTL = 3', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 1, 0); m(); batch(w, m, va({ tg: 1, ttl: 3, num: 1 }), va({ tg: 1, ttl: 2 })); } },
  { name: 'CFGI_CD with NH_ASID', shape: {}, act: (w, m) => { stage1(w, m); w.cd(2, w.page(1, 1, 1)); m(); batch(w, m, cmd({ op: OP.CFGI_CD, leaf: 1 }), cmd({ op: OP.TLBI_NH_ASID, vmid: 1, asid: 1 })); } },
  { name: 'CFGI_STE with NH_ASID', shape: {}, act: (w, m) => { stage1(w, m); w.ste(0, 'abort'); m(); batch(w, m, CFGI_STE, cmd({ op: OP.TLBI_NH_ASID, vmid: 1, asid: 1 })); } },
  { name: 'NH_ASID before CFGI_CD', shape: {}, act: (w, m) => { stage1(w, m); w.cd(2, w.page(1, 1, 1)); m(); batch(w, m, cmd({ op: OP.TLBI_NH_ASID, vmid: 1, asid: 1 })); batch(w, m, cmd({ op: OP.CFGI_CD, leaf: 1 })); } },
  { name: 'CFGI_CD, then NH_ASID', shape: {}, act: (w, m) => { stage1(w, m); w.cd(2, w.page(1, 1, 1)); m(); batch(w, m, cmd({ op: OP.CFGI_CD, leaf: 1 })); batch(w, m, cmd({ op: OP.TLBI_NH_ASID, vmid: 1, asid: 1 })); } },
  {
    name: 'a level-1 STD goes, one Leaf = 0', shape: { split: 6 }, act: (w, m) => {
      w.store(R + 1, 0, l1stdLow((R + 2) * 4096, 2), 1);
      w.ste(1, 'stage1');
      stage1(w, m);
      w.store(R + 1, 0, 0, 0);
      m();
      batch(w, m, cmd({ op: OP.CFGI_STE, leaf: 0 }), cmd({ op: OP.CFGI_STE, sid: 1, leaf: 1 }));
    },
  },
  { name: 'S2_IPA with NH_ALL', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 0, 2); m(); batch(w, m, cmd({ op: OP.TLBI_S2_IPA, vmid: 1, frame: R }), cmd({ op: OP.TLBI_NH_ALL, vmid: 1 })); } },
  { name: 'S2_IPA, then NH_ALL', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 0, 2); m(); batch(w, m, cmd({ op: OP.TLBI_S2_IPA, vmid: 1, frame: R })); batch(w, m, cmd({ op: OP.TLBI_NH_ALL, vmid: 1 })); } },
  { name: 'a stage-2 page of a stage-1 table goes', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 20, 2); m(); batch(w, m, cmd({ op: OP.TLBI_S2_IPA, vmid: 1, frame: R + 20 })); batch(w, m, va({}), va({ frame: 1 })); } },
  { name: 'the same, S12_VMALL', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 20, 2); m(); batch(w, m, cmd({ op: OP.TLBI_S12_VMALL, vmid: 1 })); } },
  { name: 'CFGI_CD_ALL with S2_IPA of the CD', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 4, 2); m(); batch(w, m, cmd({ op: OP.CFGI_CD_ALL }), cmd({ op: OP.TLBI_S2_IPA, vmid: 1, frame: R + 4 })); } },
  { name: 'NH_VA in a nested regime', shape: NESTED, act: (w, m) => { nested(w, m); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1 })); } },
  { name: 'a stage-1 block over stage-2 pages', shape: NESTED, act: (w, m) => { stage2(w, true); w.link(w.page(1, 1), 0, w.page(1, 2)); w.map(w.page(1, 2), 0, R, [2, 1, false]); w.cd(1, w.page(1, 1)); w.ste(0, 'nested'); m(); clear(w, 2, 0); m(); batch(w, m, va({ leaf: 1 })); } },
  { name: 'TLBI with ATC_INV', shape: { ats: true }, act: (w, m) => { stage1(w, m); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1 }), cmd({ op: OP.ATC_INV, size: 52 })); } },
  { name: 'TLBI, then ATC_INV', shape: { ats: true }, act: (w, m) => { stage1(w, m); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1 })); batch(w, m, cmd({ op: OP.ATC_INV, size: 52 })); } },
  { name: 'one member of a run is cleared', shape: {}, act: (w, m) => { stage1(w, m); for (let i = 0; i < 16; i += 1) w.map(w.page(1, 3), i, R + i, [3, 1, true]); m(); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1 })); } },
  { name: 'a run is cleared, one address named', shape: {}, act: (w, m) => { stage1(w, m); for (let i = 0; i < 16; i += 1) w.map(w.page(1, 3), i, R + i, [3, 1, true]); m(); for (let i = 0; i < 16; i += 1) clear(w, 3, i); m(); batch(w, m, va({ leaf: 1 })); } },
  {
    name: 'other tables under the same ASID, old pointers used', shape: {}, act: (w, m) => {
      stage1(w, m);
      w.cd(1, w.page(1, 1, 1));
      m();
      batch(w, m, cmd({ op: OP.CFGI_CD, leaf: 1 }));
      m();
      w.stage(va({ leaf: 1 }));
      w.publish(true);
      m();
      clear(w, 3, 0);
      m();
      w.observe(1);
    },
  },
  {
    name: 'a global page and NH_ASID', shape: {}, act: (w, m) => {
      stage1(w, m);
      w.map(w.page(1, 3), 2, R + 2);
      const ref = w.memory.slotOf(w.page(1, 3)) * 512 + 2;
      w.store(w.page(1, 3), 2, (w.memory.lo[ref] as number) ^ (1 << 11), w.memory.hi[ref] as number);
      m();
      clear(w, 3, 2);
      m();
      batch(w, m, cmd({ op: OP.TLBI_NH_ASID, vmid: 1, asid: 1 }));
    },
  },
  { name: 'a range of another granule', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 3, 0); m(); batch(w, m, va({ leaf: 1, tg: 2, num: 1 })); } },
  { name: 'CFGI_CD_ALL after an STE was rewritten', shape: {}, act: (w, m) => { stage1(w, m); w.ste(0, 'abort'); m(); batch(w, m, cmd({ op: OP.CFGI_CD_ALL })); } },
  { name: 'a freed table page is reused', shape: {}, act: (w, m) => { stage1(w, m); clear(w, 2, 0); m(); batch(w, m, va({ leaf: 1 }), va({ leaf: 1, frame: 1 })); w.map(w.page(1, 3), 3, R + 7); m(); batch(w, m, va({ frame: 3, leaf: 1 })); } },
];
