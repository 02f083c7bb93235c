/**
 * Still: a random sequence without a history. All that it stores is there before the SMMU is set up, nothing is changed or invalidated after
 * that, and no two contexts have tags in common (ASIDs, VMIDs, no global and no contiguous entries): then no cache holds anything but what memory
 * says, and QEMU's answer is the only permitted one. So a weakest machine that permits too much is exposed, as far as no command is about it.
 */
import { twinsFor, type Sequence } from '../../src/conform/campaign.js';
import { transactionOf } from '../../src/conform/corner-decide.js';
import { changeStores, Places, type PlaceKind, type Store } from '../../src/conform/places.js';
import { looksLike, type Watched } from '../../src/conform/twins.js';
import { MachineLockstep } from '../../src/lockstep/machine-lockstep.js';
import { describeAnswer } from '../../src/lockstep/machine-words.js';
import type { Twins } from '../../src/lockstep/twins.js';
import type { Pool } from '../../src/qemu/pool.js';
import { getField, setField } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { BIT_NG, HI_CONTIGUOUS } from '../../src/spec/descriptor.js';
import { STE } from '../../src/spec/ste.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import type { Answer } from '../../src/stack/transaction.js';
import { Unmodelled, ViolationError } from '../../src/stack/violation.js';

type Access = Extract<MachineOperation, { op: 'access' }>;

/** One field of a structure's 64-bit word. */
function withField(o: Store, field: { readonly word: number; readonly shift: number; readonly width: number }, value: number): Store {
  const words = Uint32Array.from([o.lo, o.hi]);
  setField(words, { ...field, word: field.word % 2 }, value);
  return { ...o, lo: words[0] as number, hi: words[1] as number };
}

/** The sequence, still; null: it is not set up in one step. */
export function stillOf(s: Sequence): MachineOperation[] | null {
  const boot = s.operations.find((o) => o.op === 'boot');
  if (boot?.op !== 'boot' || boot.boot.skip.length > 0) return null;
  const stores = s.operations.filter((o) => o.op === 'store').map((o) => ({ ...o, held: false }));
  const still = [...stores, boot, ...s.operations.filter((o) => o.op === 'access')];
  const places = new Places(still);
  const throughStage2 = (o: Store): boolean => o.at % 64 === 0 && (getField(Uint32Array.from([o.lo, o.hi]), STE.Config) & 6) === 6;
  const guests = new Set(stores.filter((o) => places.streamOf(o) >= 0 && throughStage2(o)).map((o) => places.streamOf(o)));
  const changes: readonly [PlaceKind, (o: Store, word: number) => Store][] = [
    ['descriptor', (o) => ({ ...o, lo: (o.lo | BIT_NG) >>> 0, hi: (o.hi & ~HI_CONTIGUOUS) >>> 0 })],
    ['cd', (o, word) => (word === 0 ? withField(o, CD.ASID, Math.floor(o.at / 64) % 65536) : o)],
    ['ste', (o, word) => (word === 2 ? withField(o, STE.S2VMID, guests.has(places.streamOf(o)) ? places.streamOf(o) + 1 : 0) : o)],
  ];
  return changes.reduce<MachineOperation[]>((ops, [kind, change]) => changeStores(ops, kind, change), still);
}

export interface Still {
  accesses: number;
  /** Accesses for which something else is permitted as well, in words. */
  readonly open: string[];
}

/** Runs it; adds to `result`. */
export function runStill(pool: Pool, s: Sequence, weakest: Twins['weakest'] | undefined, result: Still): void {
  const operations = stillOf(s);
  if (operations !== null) runOne(pool, { ...s, operations }, weakest, result);
}

function runOne(pool: Pool, s: Sequence, weakest: Twins['weakest'] | undefined, result: Still): void {
  const twins = twinsFor(pool, s.operations, weakest === undefined ? {} : { weakest });
  const watched: Watched = { isRam: (frame) => twins.last?.rig.ram.isRam(frame) === true, deaf: () => twins.last?.deaf === true };
  try {
    const both = new MachineLockstep(s.world, { twins });
    for (const o of s.operations) {
      const step = both.step(o);
      if (o.op !== 'access' || step.answer === null) continue;
      result.accesses += 1;
      const other = permitted(both, o).find((a) => !looksLike(a, step.answer as Answer, watched));
      if (other !== undefined) result.open.push(`stream ${o.sid} at 0x${o.iova.toString(16)}: QEMU answers ${describeAnswer(step.answer)}, permitted is ${describeAnswer(other)}`);
    }
  } catch (error) {
    if (!(error instanceof Unmodelled) && !(error instanceof ViolationError)) throw error; // QEMU's known deviations
  }
}

function permitted(both: MachineLockstep, o: Access): Answer[] {
  const answers: Answer[] = [];
  both.sides[0]?.weakest.permitted('access', transactionOf(o), (a) => {
    answers.push({ ...a });
    return false;
  });
  return answers;
}
