/**
 * Pins the encoding of commands in src/spec/command.ts over the full range of every field, what counts as a reserved bit,
 * and the arithmetic of ranges.
 */
import test from 'ava';
import fc from 'fast-check';
import {
  commandError, decodeCommand, encodeCommand, newCommand, OP, rangeAlignment, rangeGranules, reservedBits, WORDS_PER_COMMAND,
  type Command, type CommandFeatures, type CommandName,
} from '../../src/spec/command.js';
import { commandTg, TGS } from '../../src/spec/granule.js';
import { COMMAND_FIELDS, COMMAND_NAMES, definedBits, OPCODES } from '../../test/spec/command-fields.js';

/** A command of this opcode with every field anywhere in its range. */
function commandOf(name: CommandName): fc.Arbitrary<Command> {
  const fields = Object.fromEntries(COMMAND_FIELDS[name].map(({ field, value }) =>
    // The second row of msiAddress only adds its top bit: values stay below 2^53.
    [field, fc.integer({ min: 0, max: field === 'msiAddress' ? Number.MAX_SAFE_INTEGER : value })]));
  return fc.record(fields).map((values) => ({ ...newCommand(), op: OPCODES[name], ...values }));
}

/** The 128 bits of a command from its four uint32. */
function bitsOf(words: Uint32Array): bigint {
  return [...words].reduce((bits, half, index) => bits | (BigInt(half) << BigInt(32 * index)), 0n);
}

for (const name of COMMAND_NAMES) {
  test(`${name} decodes to what was encoded`, (t) => {
    fc.assert(fc.property(commandOf(name), fc.constantFrom(0, 4), (c, at) => {
      const words = new Uint32Array(WORDS_PER_COMMAND * 2);
      encodeCommand(c, words, at);
      t.deepEqual(decodeCommand(words, at, newCommand()), c);
      t.false(reservedBits(words, at));
    }), { seed: 1, numRuns: 500 });
    t.pass();
  });

  test(`${name} encodes to its own bits only, whatever fields of other commands hold`, (t) => {
    const own = new Set<string>(COMMAND_FIELDS[name].map((r) => r.field));
    const foreignKeys = Object.keys(newCommand()).filter((key) => key !== 'op' && !own.has(key));
    const foreign = Object.fromEntries(foreignKeys.map((key) => [key, fc.nat(1)]));
    fc.assert(fc.property(commandOf(name), fc.record(foreign), (c, others) => {
      const words = new Uint32Array(WORDS_PER_COMMAND);
      encodeCommand({ ...c, ...others }, words);
      t.is(bitsOf(words) & ~definedBits(name), 0n);
      t.is(bitsOf(words) & 0xffn, BigInt(OPCODES[name]));
    }), { seed: 1, numRuns: 200 });
    t.pass();
  });

  test(`${name} with any other bit has a reserved bit set`, (t) => {
    const foreign = Array.from({ length: 128 }, (_, bit) => bit).filter((bit) => (definedBits(name) & (1n << BigInt(bit))) === 0n);
    fc.assert(fc.property(commandOf(name), fc.constantFrom(...foreign), (c, bit) => {
      const words = new Uint32Array(WORDS_PER_COMMAND);
      encodeCommand(c, words);
      words[bit >>> 5] = (words[bit >>> 5] ?? 0) + 2 ** (bit % 32);
      t.true(reservedBits(words, 0));
      t.deepEqual(decodeCommand(words, 0, newCommand()), c);
    }), { seed: 1, numRuns: 500 });
    t.pass();
  });
}

test('a range covers (NUM + 1) * 2^SCALE granules', (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 39 }), (num, scale) => {
    t.is(BigInt(rangeGranules({ ...newCommand(), num, scale })), BigInt(num + 1) << BigInt(scale));
  }), { seed: 1, numRuns: 1000 });
  t.pass();
});

test('a range of 32 units covers what one unit of a SCALE five higher covers', (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 34 }), (scale) => {
    t.is(rangeGranules({ ...newCommand(), num: 31, scale }), rangeGranules({ ...newCommand(), num: 0, scale: scale + 5 }));
  }), { seed: 1, numRuns: 100 });
  t.pass();
});

const RIL: CommandFeatures = {
  stage1: true, stage2: true, hyp: true, range: true, ds: true, ats: false, pri: false, stall: false, asidBits: 16, vmidBits: 16,
};

test('a range command is legal exactly where its address is aligned', (t) => {
  const frame = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 52 - 1 }),
    fc.record({ shift: fc.integer({ min: 0, max: 40 }), index: fc.integer({ min: 0, max: 4095 }) }).map((f) => f.index * 2 ** f.shift),
  );
  fc.assert(fc.property(fc.constantFrom(...TGS), fc.integer({ min: 0, max: 3 }), frame, (tg, ttl, at) => {
    const c: Command = { ...newCommand(), op: OP.TLBI_NH_VA, tg: commandTg(tg), ttl, num: 1, frame: at };
    const aligned = (BigInt(at) << 12n) % (1n << BigInt(rangeAlignment(tg, ttl, true))) === 0n;
    t.is(commandError(c, RIL) === undefined, aligned);
  }), { seed: 1, numRuns: 2000 });
  t.pass();
});

test('what is legal without range invalidation is legal with it', (t) => {
  const any = fc.constantFrom(...COMMAND_NAMES).chain((name) => commandOf(name));
  fc.assert(fc.property(any, (c) => {
    const plain: Command = { ...c, tg: 0, ttl: 0, num: 0, scale: 0 };
    t.is(commandError(plain, RIL), commandError(plain, { ...RIL, range: false }));
  }), { seed: 1, numRuns: 2000 });
  t.pass();
});
