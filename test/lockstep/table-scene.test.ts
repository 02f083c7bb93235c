/** The scene of a table sequence: both whole machines walk every geometry that there is, through an STE and a CD that are legal for it. */
import test from 'ava';
import { POW2 } from '../../src/spec/bits.js';
import { addressHigh, addressLow, BIT_AF, BIT_NG, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_UNPRIVILEGED } from '../../src/spec/descriptor.js';
import { levelIndex, levelShift, startEntries, TGS } from '../../src/spec/granule.js';
import { newTableContext } from '../../src/spec/tables.js';
import { TableScene, tableFeatures, ASID, VMID } from '../../src/lockstep/table-scene.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';
import { Pages } from '../../src/memory/pages.js';
import { geometryProblem, mostInputBits, leastInputBits, startLevelOf } from '../../src/operations/table-shape.js';
import { Ledger } from '../../src/rules/ledger.js';
import { OP } from '../../src/spec/command.js';
import type { TableGeometry, TableWorld } from '../../src/stack/page-table.js';
import { describeAnswer } from '../../src/lockstep/machine-words.js';
import { USUAL_TABLE_WORLD } from '../../src/operations/table-case.js';

const GEOMETRIES: TableGeometry[] = TGS.flatMap((tg) => [false, true].filter((ds) => !ds || tg !== 16).flatMap((ds) =>
  Array.from({ length: mostInputBits(tg, ds) - leastInputBits(tg) + 1 }, (_, i) => leastInputBits(tg) + i).flatMap((inputBits) =>
    ([[1, 'lower'], [1, 'upper'], [2, 'lower']] as const).map(([stage, half]): TableGeometry =>
      ({ tg, stage, inputBits, outputBits: inputBits % 2 === 0 ? 40 : ds || tg === 16 ? 52 : 48, half, ds, contiguous: false, dirty: false })))));

/** Tables by hand, one frame run after the other from `next` on. */
class Hand {
  readonly memory = new Memory(new Journal(), 1024);
  readonly pages = new Pages(this.memory);
  readonly world: TableWorld;
  readonly root: number;
  readonly context = newTableContext();
  #next = 512;

  constructor(geometry: TableGeometry) {
    this.world = { ...USUAL_TABLE_WORLD, geometry };
    const level = startLevelOf(geometry);
    this.root = this.#table(Math.max(1, startEntries(geometry.tg, geometry.inputBits, level) / 512));
    Object.assign(this.context, { tg: geometry.tg, ds: geometry.ds, wide: geometry.tg === 16 && tableFeatures(this.world).oas >= 52 });
  }

  #table(frames: number): number {
    const size = 2 ** Math.ceil(Math.log2(frames));
    const at = Math.ceil(this.#next / size) * size;
    this.#next = at + size;
    return at;
  }

  put(slot: number, index: number, frame: number, bits: number): void {
    this.memory.commit(slot * 512 + index, (addressLow(frame, this.context) | bits) >>> 0, addressHigh(frame, this.context));
  }

  /** One page at the last frame of the input range. */
  map(frame: number, target: number): { readonly slot: number; readonly index: number } {
    const g = this.world.geometry;
    const start = startLevelOf(g);
    let slot = this.root;
    for (let level = start; level < 3; level += 1) {
      const index = level === start ? Math.floor(frame / POW2[levelShift(g.tg, level) - 12]!) : levelIndex(g.tg, level, frame);
      const next = this.#table(POW2[g.tg - 12]!);
      this.put(slot, index, RAM_BASE + next, 3);
      slot = next;
    }
    const index = start === 3 ? Math.floor(frame / POW2[g.tg - 12]!) : levelIndex(g.tg, 3, frame);
    this.put(slot, index, target, BIT_AF | 3 | (g.stage === 1 ? BIT_NG | BIT_UNPRIVILEGED | 4 : BIT_S2AP_READ | BIT_S2AP_WRITE | 0x3c));
    return { slot, index };
  }
}

function scene(hand: Hand): TableScene {
  const listener = { commandSeen: () => undefined, conflict: () => undefined, marked: () => undefined };
  return new TableScene({ world: hand.world, walker: hand.memory, pages: hand.pages, ledger: new Ledger(), listener }, { address: (RAM_BASE + hand.root) * 4096, startLevel: startLevelOf(hand.world.geometry) });
}

test('there are 528 geometries, half of them with a small and half with the largest output', (t) => {
  t.is(GEOMETRIES.length, 528);
  t.deepEqual(GEOMETRIES.filter((g) => geometryProblem(g) !== null), []);
});

test('both machines translate the last page of every geometry', (t) => {
  for (const geometry of GEOMETRIES) {
    const hand = new Hand(geometry);
    const last = POW2[geometry.inputBits - 12]! - 1;
    const target = POW2[geometry.outputBits - 12]! - POW2[geometry.tg - 12]!;
    hand.map(last, target);
    const s = scene(hand);
    const answer = s.access(last, true);
    t.is(describeAnswer(answer), `0x${(target + (last % POW2[geometry.tg - 12]!)).toString(16)}000`, JSON.stringify(geometry));
    s.settle();
  }
});

test('what is cleared stays possible until its invalidation and the CMD_SYNC', (t) => {
  for (const stage of [1, 2] as const) {
    const hand = new Hand({ tg: 12, stage, inputBits: 40, outputBits: 44, half: 'lower', ds: false, contiguous: false, dirty: false });
    const { slot, index } = hand.map(5, 0x900000);
    const s = scene(hand);
    const answers = (): string[] => {
      const found: string[] = [];
      s.possible(5, false, ({ answer }) => {
        found.push(describeAnswer(answer));
        return false;
      });
      return found;
    };
    hand.memory.commit(slot * 512 + index, 0, 0);
    t.true(answers().includes('0x900000000'), 'nothing was invalidated');
    const words = Uint32Array.of(stage === 1 ? OP.TLBI_NH_VA : OP.TLBI_S2_IPA, stage === 1 ? ASID * 65536 + VMID : VMID, 5 * 4096 + 1, 0);
    s.submit(words, 1, false);
    t.true(answers().includes('0x900000000'), 'no CMD_SYNC yet');
    s.submit(words, 0, true);
    t.false(answers().includes('0x900000000'));
  }
});
