/** Whole machines with a planted bug: the optimised machine behind a port that keeps something from it, or changes what it says. */
import { OptimisedMachine } from '../../src/optimised/machine/machine.js';
import { decodeWords, newCommand, OP } from '../../src/spec/command.js';
import { queueAddress, queueIndex, queueLog2, queueNext, queuePointer, REG } from '../../src/spec/register.js';
import type { Memory } from '../../src/memory/memory.js';
import { OWN_TWINS, type Twins } from '../../src/lockstep/twins.js';
import type { Answer, Transaction, WholeMachine } from '../../src/stack/transaction.js';

interface Bug {
  /** Commands of the main queue that do nothing. */
  readonly ignores?: (op: number) => boolean;
  readonly answer?: (t: Transaction, a: Answer) => void;
  /** Done after each transaction. */
  readonly after?: (memory: Memory) => void;
}

/** The words of these commands are changed for as long as the machine looks. */
function without(memory: Memory, machine: OptimisedMachine, bug: Bug, prod: number): () => void {
  const base = machine.readRegister(REG.CMDQ_BASE);
  const log2 = queueLog2(base, 8);
  const kept: [number, number, number, number][] = [];
  const end = prod % 2 ** (log2 + 1);
  for (let at = queuePointer(machine.readRegister(REG.CMDQ_CONS)), n = 0; at !== end && n < 2 ** log2; at = queueNext(at, log2), n += 1) {
    const address = queueAddress(base, log2, 16) + queueIndex(at, log2) * 16;
    const ref = memory.slotOf(Math.floor(address / 4096)) * 512 + (address % 4096) / 8;
    if (ref < 0) continue;
    const words = [memory.lo[ref], memory.hi[ref], memory.lo[ref + 1], memory.hi[ref + 1]] as [number, number, number, number];
    if (bug.ignores?.(decodeWords(...words, newCommand()).op) !== true) continue;
    kept.push([ref, ...words.slice(0, 3)] as [number, number, number, number]);
    memory.lo[ref] = OP.PREFETCH_CONFIG; // a legal command that need do nothing
    memory.hi[ref] = 2 ** 20;
    memory.lo[ref + 1] = 0;
  }
  return () => {
    for (const [ref, lo, hi, lo2] of kept) {
      memory.lo[ref] = lo;
      memory.hi[ref] = hi;
      memory.lo[ref + 1] = lo2;
    }
  };
}

function broken(memory: Memory, machine: OptimisedMachine, bug: Bug): WholeMachine {
  const asked = (t: Transaction, out: Answer, ask: (t: Transaction, out: Answer) => void): void => {
    ask(t, out);
    bug.answer?.(t, out);
    bug.after?.(memory);
  };
  return {
    writeRegister: (offset, value) => {
      const restore = offset === REG.CMDQ_PROD || offset === REG.GERRORN ? without(memory, machine, bug, offset === REG.CMDQ_PROD ? value : machine.readRegister(REG.CMDQ_PROD)) : () => undefined;
      machine.writeRegister(offset, value);
      restore();
    },
    readRegister: (offset) => machine.readRegister(offset),
    transact: (t, out) => { asked(t, out, (a, b) => { machine.transact(a, b); }); },
    atsRequest: (t, out) => { asked(t, out, (a, b) => { machine.atsRequest(a, b); }); },
    translated: (t, out) => { asked(t, out, (a, b) => { machine.translated(a, b); }); },
    setEndpoint: (sid, ats, responds) => { machine.setEndpoint(sid, ats, responds); },
    flushCaches: () => { machine.flushCaches(); },
    forEachCached: (visit) => { machine.forEachCached(visit); },
  };
}

const TLBI = (op: number): boolean => op >= OP.TLBI_NH_ALL && op <= OP.TLBI_NSNH_ALL;

/** Each is found as rule machine-refinement. */
export const MACHINE_BUGS: readonly (readonly [string, Bug])[] = [
  ['a TLBI does nothing', { ignores: TLBI }],
  ['TLBI_S2_IPA does nothing', { ignores: (op) => op === OP.TLBI_S2_IPA }],
  ['a CFGI does nothing', { ignores: (op) => op >= OP.CFGI_STE && op <= OP.CFGI_CD_ALL }],
  ['ATC_INV does nothing', { ignores: (op) => op === OP.ATC_INV }],
  ['output frames are one off', { answer: (_, a) => { if (a.frame > 0) a.frame += 1; } }],
  ['faults of stage 2 are said to be of stage 1', { answer: (_, a) => { a.stage2 = 0; a.ipa = 0; } }],
  ['faults of permission are said to be of translation', { answer: (_, a) => { if (a.event === 0x13) a.event = 0x10; } }],
  ['a table word changes by itself', { after: (memory) => { memory.commit(16 * 512 + 500, (memory.lo[16 * 512 + 500] as number) + 4096, 0); } }],
];

export function brokenTwins(bug: Bug): Twins {
  return { weakest: OWN_TWINS.weakest, concrete: (memory, config) => broken(memory, new OptimisedMachine(memory, config), bug) };
}
