/** Both forms of the driver, plain and in steps, do the same in a system: word by word in memory, command by command. */
import test from 'ava';
import type { SystemOperation } from '../../../src/stack/system.js';
import { encodeCommand, newCommand, OP } from '../../../src/spec/command.js';
import { attach, close, detach, guest, guestBypass, map, MM, off, open, PARENT, S1_A, S1_B, S2, substream, sync, SYSTEM, systemRig, unmap } from './system-world.js';

function guestCommand(): number[] {
  const out = new Uint32Array(4);
  encodeCommand({ ...newCommand(), op: OP.CFGI_CD_ALL, sid: 1 }, out);
  return [...out];
}

const SEQUENCE: readonly SystemOperation[] = [
  attach(S1_A), attach(S1_A, 3), map(S1_A, 0x1000, 0x5000), substream(3, S1_B), substream(70, MM, 2), map(MM, 0), unmap(S1_A, 0x1000, 0x2000), sync(S1_A), attach('identity'), substream(3, S1_A),
  attach(S2, 1), map(S2, 0x200000, 0x200000), unmap(S2, 0x200000, 0x200000), sync(S2), open(), open(1), guest(1, 1, 1, 1), { op: 'guest-commands', vsmmu: 1, words: [...guestCommand(), ...guestCommand(), 1, 2, 3, 4] },
  map(PARENT, 0), unmap(PARENT, 0), sync(PARENT), guestBypass(1, 1), { op: 'mm-exit', domain: MM }, off(70, 2), off(3), detach(1), close(1), close(0), attach('blocked'), detach(3), detach(),
];

for (const storeOrder of ['fifo', 'reverse'] as const) {
  test(`one sequence through everything, stores ${storeOrder}`, (t) => {
    const base = { ...SYSTEM.base, storeOrder };
    const plain = systemRig([], { base });
    const steps = systemRig([], { base }, { form: 'steps' });
    for (const [i, op] of SEQUENCE.entries()) {
      t.deepEqual(steps.does(op), plain.does(op), `${i}: ${op.op}`);
      t.deepEqual(steps.trace, plain.trace, `${i}: ${op.op}`);
      for (const r of [plain, steps]) r.ctx.cpu.drainAll();
      t.deepEqual(plain.changedSince(steps.snapshot()), [], `${i}: ${op.op}`);
    }
    t.deepEqual([0, 1].flatMap((on) => [plain.driver.tagsInUse(on), plain.driver.tagsInUse(on, 's2-tag')]), [0, 0, 0, 0]);
    plain.driver.release();
    t.deepEqual([plain.pages.objectsInUse, plain.pages.fault], [0, null]);
  });
}
