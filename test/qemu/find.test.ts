/** Which QEMU is found, and the one sentence that is said where there is none. */
import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findQemu, QemuMissing, QEMU_VARIABLE } from '../../src/qemu/find.js';
import { folder } from '../cli/program.js';
import { program, withQemu } from './rig.js';

const BANNER = 'QEMU emulator version 9.8.7 (Fake 1:9.8)';

/** Runs with other variables of the environment (of this thread). */
function having<T>(variables: Readonly<Record<string, string>>, act: () => T): T {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  try {
    return act();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

test('a named one is asked for its version', (t) => {
  const path = program(`#!/bin/sh\necho '${BANNER}'\necho more\n`);
  t.deepEqual(findQemu(path), { path, version: '9.8.7', banner: BANNER });
});

test('the environment names one, unless one was named', (t) => {
  const path = program(`#!/bin/sh\necho '${BANNER}'\n`);
  having({ [QEMU_VARIABLE]: path }, () => {
    t.is(findQemu().path, path);
    t.throws(() => findQemu('/nowhere/qemu'), { instanceOf: QemuMissing });
  });
});

test('every way of not being there is one sentence that says what to do', (t) => {
  const at = folder();
  const plain = join(at, 'plain');
  writeFileSync(plain, 'no program');
  const other = program('#!/bin/sh\necho GNU sed\n');
  const remedy = 'install it (apt-get install qemu-system-arm) or name one with --qemu PATH';
  t.throws(() => findQemu('/nowhere/qemu'), { instanceOf: QemuMissing, message: `/nowhere/qemu, which was named, does not exist: ${remedy}` });
  t.throws(() => findQemu(plain), { instanceOf: QemuMissing, message: `${plain}, which was named, is not an executable file: ${remedy}` });
  t.throws(() => findQemu(at), { instanceOf: QemuMissing, message: `${at}, which was named, is not an executable file: ${remedy}` });
  t.throws(() => findQemu(other), { instanceOf: QemuMissing, message: `${other}, which was named, is not a QEMU, its --version does not say so: ${remedy}` });
  having({ [QEMU_VARIABLE]: plain }, () => {
    t.throws(() => findQemu(), { instanceOf: QemuMissing, message: `${plain}, which ${QEMU_VARIABLE} names, is not an executable file: ${remedy}` });
  });
  having({ [QEMU_VARIABLE]: '', PATH: at }, () => {
    t.throws(() => findQemu(), { instanceOf: QemuMissing, message: `no qemu-system-aarch64 in PATH: ${remedy}` });
    t.throws(() => findQemu('sed'), { instanceOf: QemuMissing, message: `no sed, which was named, in PATH: ${remedy}` });
  });
});

test('one that does not answer is given up', (t) => {
  t.throws(() => findQemu(program('#!/bin/sh\nexec sleep 60\n')), { instanceOf: QemuMissing, message: /did not answer to --version within 10 s/ });
});

withQemu('the real one', (t, binary) => {
  t.true(binary.path.startsWith('/'));
  t.regex(binary.version, /^\d+\.\d+\.\d+$/);
  t.true(binary.banner.includes(binary.version));
});
