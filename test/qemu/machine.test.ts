/** QEMU as a concrete machine: what an access came to is told from outside, and its commands run in the memory of their doorbell. */
import type { ExecutionContext } from 'ava';
import { readSync } from 'node:fs';
import type { Rig } from '../../src/qemu/rig.js';
import { RAM_BASE } from '../../src/memory/memory.js';
import { GUEST_FIRST, READ_OFFSET } from '../../src/qemu/ram.js';
import { encodeCommand, newCommand, OP } from '../../src/spec/command.js';
import { BIT_READ_ONLY } from '../../src/spec/descriptor.js';
import { EVENT, EVENT_BYTES, isTranslationFault } from '../../src/spec/event.js';
import { featuresOf } from '../../src/spec/features.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, GERROR_CMDQ, REG } from '../../src/spec/register.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import { FRAME_UNSEEN, newAnswer, newTransaction } from '../../src/stack/transaction.js';
import { ViolationError, type Violation } from '../../src/stack/violation.js';
import { QEMU_STAGE1_REACH } from '../../src/operations/reach.js';
import { Board, BOOT, OTHER, PAGE, PASSING_READER, PASSING_WRITER, RAM, READER, STOPPED, withRig, WRITER } from './board.js';
import { SMMU, withQemu } from './rig.js';

const ILLEGAL = { op: 0x99 };

/** The violation that something ends in. */
function breaks(act: () => unknown): Violation | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof ViolationError) return error.violation;
    throw error;
  }
}

/** What stood at a word of guest memory whenever QEMU was told something, and whether PROD was written then. */
function watched(rig: Rig, address: number): { readonly rung: boolean; readonly word: number }[] {
  const seen: { rung: boolean; word: number }[] = [];
  const bytes = Buffer.alloc(4);
  const { process } = rig;
  const exchange = process.exchange.bind(process);
  process.exchange = (text, count) => {
    readSync(process.ram, bytes, 0, 4, address - GUEST_FIRST * 4096);
    seen.push({ rung: text.includes(`writel 0x${(SMMU + REG.CMDQ_PROD).toString(16)}`), word: bytes.readUInt32LE(0) });
    return exchange(text, count);
  };
  return seen;
}

withQemu('features are those of the identification registers', (t, binary) => {
  withRig(t, binary, (rig) => {
    const [idr0, idr1, idr3, idr5, iidr] = [0, 4, 0xc, 0x14, 0x18].map((at) => Number(rig.process.exchange(`readl 0x${(SMMU + at).toString(16)}\n`, 1)[0]?.slice(3))) as [number, number, number, number, number];
    t.deepEqual(rig.identification, { idr0, idr1, idr3, idr5, iidr });
    t.deepEqual(rig.features, featuresOf(idr0, idr1, idr3, idr5, iidr));
    if (binary.version.startsWith('7.2')) t.deepEqual(rig.features, QEMU_STAGE1_REACH.features);
  });
});

withQemu('a reader tells the page', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE);
    b.map(0x11, OTHER);
    rig.ram.tag(PAGE);
    rig.ram.tag(OTHER);
    for (const [frame, page] of [[0x10, PAGE], [0x11, OTHER]] as const) {
      const { answer, besides, records } = b.access(READER, frame, false, [PAGE, OTHER]);
      t.deepEqual(answer, { ...newAnswer(), kind: OUTCOME_OK, frame: page });
      t.deepEqual([besides, records], [null, []]);
    }
  });
});

withQemu('a page that nobody expected is found as well, tagged before or not', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE);
    b.map(0x11, OTHER);
    t.is(b.access(READER, 0x10, false, [OTHER]).answer.frame, PAGE);
    rig.ram.tag(OTHER);
    const seen = watched(rig, RAM);
    t.is(b.access(READER, 0x11, false, [PAGE]).answer.frame, OTHER);
    t.is(seen.length, 1, 'one that has a tag is known at once');
  });
});

withQemu('a page of the modelled memory is known by what stands in it', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.store(RAM + 20 * 4096 + READ_OFFSET, 0, 0x1234);
    b.map(0x10, RAM_BASE + 20);
    t.is(b.access(READER, 0x10, false, [RAM_BASE + 20]).answer.frame, RAM_BASE + 20);
  });
});

withQemu('a read that ends where nothing is leaves nothing', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, 2 ** 28 + 5);
    const { answer, records } = b.access(READER, 0x10, false, [2 ** 28 + 5]);
    t.deepEqual([answer.kind, records.length], [OUTCOME_ABORT, 0]);
  });
});

withQemu('a writer marks the page, and what it reads before it keeps to itself', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE);
    b.map(0x11, OTHER);
    for (const [frame, page] of [[0x10, PAGE], [0x11, OTHER], [0x10, PAGE]] as const) {
      const { answer, besides, records } = b.access(WRITER, frame, true, [PAGE, OTHER]);
      t.deepEqual(answer, { ...newAnswer(), kind: OUTCOME_OK, frame: page });
      t.deepEqual(besides?.t, { ...newTransaction(), sid: WRITER, frame, write: false });
      t.deepEqual(besides?.answer, { ...newAnswer(), kind: OUTCOME_OK, frame: FRAME_UNSEEN });
      t.is(records.length, 0);
    }
  });
});

withQemu('a page that nobody expected to be written is found by its mark', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE);
    t.is(b.access(WRITER, 0x10, true, [OTHER]).answer.frame, PAGE);
  });
});

withQemu('asked for the read of a writer, the write comes besides', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE);
    const { answer, besides } = b.access(WRITER, 0x10, false, [PAGE]);
    t.deepEqual([answer.kind, answer.frame], [OUTCOME_OK, FRAME_UNSEEN]);
    t.deepEqual([besides?.t.write, besides?.answer.kind, besides?.answer.frame], [true, OUTCOME_OK, PAGE]);
  });
});

withQemu('a write that is not permitted faults, and its read does not', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.map(0x10, PAGE, BIT_READ_ONLY);
    const { answer, besides, records } = b.access(WRITER, 0x10, true, [PAGE]);
    t.deepEqual([answer.kind, answer.event], [OUTCOME_FAULT, EVENT.F_PERMISSION]);
    t.deepEqual([besides?.t.write, besides?.answer.kind], [false, OUTCOME_OK]);
    t.true(records.length > 0 && records.every((r) => r.type === EVENT.F_PERMISSION && r.read === 0 && r.inputFrame === 0x10 && r.sid === WRITER));
  });
});

withQemu('a fault is known by its record: type, stream, direction and page', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    const { answer, records } = b.access(READER, 0x12);
    t.deepEqual([answer.kind, answer.event, answer.stage2, answer.frame], [OUTCOME_FAULT, EVENT.F_TRANSLATION, 0, 0]);
    t.true(records.length > 0 && records.every((r) => r.type === EVENT.F_TRANSLATION && r.read === 1 && r.inputFrame === 0x12 && r.sid === READER && r.stage2 === 0));
  });
});

withQemu('where both halves of a writer fault, each has its own record', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    const { answer, besides, records } = b.access(WRITER, 0x12, true);
    t.deepEqual([answer.event, besides?.answer.event], [EVENT.F_TRANSLATION, EVENT.F_TRANSLATION]);
    t.deepEqual([...new Set(records.map((r) => r.read))].sort(), [0, 1]);
  });
});

withQemu('a fault of the configuration says no direction: it is of both halves', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.cd({ V: 0 });
    const { answer, besides, records } = b.access(WRITER, 0x10, true);
    t.deepEqual([answer.event, besides?.answer.event], [EVENT.C_BAD_CD, EVENT.C_BAD_CD]);
    t.true(records.length > 0 && records.every((r) => !isTranslationFault(r.type)));
  });
});

withQemu('where the CD says so, a fault leaves no record, and is an abort', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.cd({ R: 0 });
    for (const [sid, write] of [[READER, false], [WRITER, true]] as const) {
      const { answer, records } = b.access(sid, 0x12, write);
      t.deepEqual([answer.kind, answer.event, records.length], [OUTCOME_ABORT, 0, 0]);
    }
  });
});

withQemu('a stream that is stopped leaves no record either', (t, binary) => {
  withRig(t, binary, (rig) => {
    const { answer, records } = new Board(rig).access(STOPPED, PAGE, false, [PAGE]);
    t.deepEqual([answer.kind, records.length], [OUTCOME_ABORT, 0]);
  });
});

withQemu('a stream that passes comes out where it goes in', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    rig.ram.tag(PAGE);
    t.is(b.access(PASSING_READER, PAGE, false, [PAGE]).answer.frame, PAGE);
    t.is(b.access(PASSING_READER, OTHER).answer.frame, OTHER, 'where it goes in is always conceivable');
    t.is(b.access(PASSING_WRITER, PAGE, true, [PAGE]).answer.frame, PAGE);
  });
});

withQemu('before SMMUEN every stream passes', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig, { skip: ['enable'] });
    t.is(b.access(READER, PAGE, false, [PAGE]).answer.frame, PAGE);
  });
});

withQemu('a sequence begins without errors, whatever the one before has left', (t, binary) => {
  withRig(t, binary, (rig) => {
    const before: number[] = [];
    for (let k = 0; k < 5; k += 1) {
      const { machine, software } = new Board(rig);
      before.push(rig.errorsBefore);
      t.deepEqual([machine.readRegister(REG.GERROR), machine.readRegister(REG.GERRORN)], [0, 0], `sequence ${k}`);
      software.command(0, ILLEGAL);
      t.is(machine.readRegister(REG.GERROR), GERROR_CMDQ);
      t.is(Math.floor(machine.readRegister(REG.CMDQ_CONS) / 2 ** 24), 1);
      if (k % 3 === 2) continue; // not acknowledged
      t.is(software.acknowledge(0, true), null);
      t.is(machine.readRegister(REG.GERRORN), GERROR_CMDQ);
      t.is(software.sync(0), null, 'it goes on');
      t.is(machine.readRegister(REG.GERROR), GERROR_CMDQ);
    }
    t.deepEqual(before, [0, 1, 0, 1, 0], 'each error turns the bit');
  });
});

withQemu('records over the end of the event queue', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig, { eventsLog2: 4 });
    const starts = new Set<number>();
    for (let k = 0; k < 8; k += 1) {
      starts.add(b.machine.readRegister(REG.EVENTQ_PROD) % 16);
      const { answer, records } = b.access(READER, 0x20 + k);
      t.is(answer.event, EVENT.F_TRANSLATION);
      t.true(records.length > 0 && records.every((r) => r.inputFrame === 0x20 + k), `access ${k}`);
      b.machine.writeRegister(REG.EVENTQ_CONS, b.machine.readRegister(REG.EVENTQ_PROD));
    }
    t.true(starts.size > 4, 'it went round');
  });
});

withQemu('the modelled memory gets the records when software looks at PROD', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    const at = (BOOT.events - RAM) / 8;
    b.machine.transact({ ...newTransaction(), sid: READER, frame: 0x12 }, newAnswer());
    t.is(b.memory.lo[at], 0);
    const prod = b.machine.readRegister(REG.EVENTQ_PROD);
    t.true(prod > 0);
    for (let i = 0; i < prod; i += 1) t.is((b.memory.lo[at + i * (EVENT_BYTES / 8)] as number) % 256, EVENT.F_TRANSLATION);
    t.is(b.memory.lo[at + prod * (EVENT_BYTES / 8)], 0);
    t.deepEqual(b.machine.takeRecords(), []);
  });
});

withQemu('deaf: where the event queue is off or has nowhere to write', (t, binary) => {
  withRig(t, binary, (rig) => {
    const { machine } = new Board(rig);
    t.false(machine.deaf);
    machine.writeRegister(REG.CR0, CR0_CMDQEN | CR0_SMMUEN);
    t.true(machine.deaf);
    machine.writeRegister(REG.CR0, CR0_CMDQEN | CR0_EVENTQEN | CR0_SMMUEN);
    t.false(machine.deaf);
    machine.writeRegister(REG.CR0, 0);
    machine.writeRegister(REG.EVENTQ_BASE, 7);
    machine.writeRegister(REG.CR0, CR0_CMDQEN | CR0_EVENTQEN);
    t.true(machine.deaf);
  });
});

withQemu('what the devices cannot send is refused, each for its reason', (t, binary) => {
  withRig(t, binary, (rig) => {
    const { machine } = new Board(rig);
    const why = (change: object, answer: object = { kind: OUTCOME_OK, frame: PAGE }): string | null => machine.expect({ ...newTransaction(), sid: READER, frame: 0x10, ...change }, [{ ...newAnswer(), ...answer }]);
    t.is(why({}), null);
    t.is(why({ sid: WRITER, write: true }), null);
    t.is(why({ sid: 10 }), 'no device has this StreamID');
    t.is(why({ write: true }), 'the device of this StreamID only reads');
    for (const change of [{ ssid: 0 }, { privileged: true }, { instruction: true }]) t.is(why(change), 'the device sends no substream, no privileged access and no fetch');
    t.is(why({ frame: 2 ** 20 - 1 }), null);
    t.is(why({ frame: 2 ** 20 }), 'the device has 32-bit addresses');
    for (const event of [EVENT.F_STE_FETCH, EVENT.F_CD_FETCH, EVENT.F_WALK_EABT]) t.is(why({}, { kind: OUTCOME_FAULT, event }), 'it may fetch from where only the models have no memory');
    t.is(why({}, { kind: OUTCOME_FAULT, event: EVENT.F_TRANSLATION }), null);
    for (const frame of [0, GUEST_FIRST - 1, 0x440000, 2 ** 28 - 1]) t.is(why({}, { kind: OUTCOME_OK, frame }), 'it may reach the registers of another device', `${frame}`);
    for (const frame of [GUEST_FIRST, 0x43ffff, 2 ** 28, -1]) t.is(why({}, { kind: OUTCOME_OK, frame }), null, `${frame}`);
  });
});

withQemu('a store behind the doorbell is not there yet when the commands run', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    const at = RAM + 20 * 4096;
    b.store(at, 1, 0);
    b.software.drained(0);
    const seen = watched(rig, at);
    b.software.command(0, { op: OP.TLBI_NSNH_ALL });
    b.store(at, 2, 0);
    b.access(READER, 0x10);
    t.deepEqual(seen.filter((s) => s.rung), [{ rung: true, word: 1 }]);
    t.is(seen.at(-1)?.word, 2);
  });
});

withQemu('commands that are published one after the other go together', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    b.software.drained(0);
    const seen = watched(rig, RAM);
    for (let k = 0; k < 4; k += 1) b.software.command(0, { op: OP.TLBI_NSNH_ALL });
    t.is(seen.length, 0);
    t.true(b.software.drained(0));
    t.is(seen.length, 1);
  });
});

/** Publishes a command, overwrites its entry before anybody looks, and tells whether QEMU refused something. */
function overwritten(b: Board, first: { readonly op: number }, second: { readonly op: number }): boolean {
  const at = b.software.entryAddress(b.software.queues[0] as (typeof b.software.queues)[number], b.software.queues[0]?.prod ?? 0);
  b.software.command(0, first);
  const words = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...second }, words);
  b.store(at, words[0] as number, words[1] as number);
  b.store(at + 8, words[2] as number, words[3] as number);
  return b.machine.readRegister(REG.GERROR) !== b.machine.readRegister(REG.GERRORN);
}

withQemu('a published entry that is overwritten runs as it was', (t, binary) => {
  withRig(t, binary, (rig) => {
    t.true(overwritten(new Board(rig), ILLEGAL, { op: OP.TLBI_NSNH_ALL }));
    t.false(overwritten(new Board(rig), { op: OP.TLBI_NSNH_ALL }, ILLEGAL));
  });
});

withQemu('an entry that is overwritten after it was heard does not matter any more', (t, binary) => {
  withRig(t, binary, (rig) => {
    const b = new Board(rig);
    const at = b.software.entryAddress(b.software.queues[0] as (typeof b.software.queues)[number], b.software.queues[0]?.prod ?? 0);
    b.software.sync(0);
    const seen = watched(rig, at);
    b.software.command(0, { op: OP.TLBI_NSNH_ALL });
    b.store(at, 0x99, 0);
    b.software.command(0, { op: OP.TLBI_NSNH_ALL });
    t.is(b.software.sync(0), null);
    t.is(seen.length, 1);
  });
});

function ends(t: ExecutionContext, rig: Rig, signal: 'SIGKILL' | 'SIGSTOP'): Violation | null {
  const b = new Board(rig);
  b.map(0x10, PAGE);
  t.is(b.access(READER, 0x10, false, [PAGE]).answer.kind, OUTCOME_OK);
  process.kill(rig.process.pid, signal);
  return breaks(() => { b.access(READER, 0x10, false, [PAGE]); });
}

withQemu('one that is killed breaks a rule: QEMU ends', (t, binary) => {
  withRig(t, binary, (rig) => {
    const v = ends(t, rig, 'SIGKILL');
    t.deepEqual([v?.rule, v?.cause, v?.expected, v?.actual], ['machine-refinement', 'QEMU ends', 'an SMMU that goes on', 'the QEMU process ends']);
    t.false(rig.alive);
  });
});

withQemu('one that hangs breaks a rule as well', (t, binary) => {
  withRig(t, binary, (rig) => {
    const v = ends(t, rig, 'SIGSTOP');
    t.deepEqual([v?.rule, v?.cause, v?.actual], ['machine-refinement', 'QEMU does not answer any more', 'QEMU hangs']);
    t.false(rig.alive);
  }, 500);
});

withQemu('a register that is read finds it as well, and one that is written', (t, binary) => {
  for (const act of [(b: Board) => b.machine.readRegister(REG.STRTAB_BASE), (b: Board) => b.software.sync(0)]) {
    withRig(t, binary, (rig) => {
      const b = new Board(rig);
      process.kill(rig.process.pid, 'SIGKILL');
      t.is(breaks(() => act(b))?.cause, 'QEMU ends');
    });
  }
});

withQemu('so does the beginning of a sequence', (t, binary) => {
  withRig(t, binary, (rig) => {
    process.kill(rig.process.pid, 'SIGKILL');
    t.is(breaks(() => new Board(rig))?.cause, 'QEMU ends');
    t.false(rig.alive);
  });
});
