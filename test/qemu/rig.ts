/** A real QEMU where there is one, and a fake one that dies, hangs or talks nonsense when asked for a register. */
import test, { type ExecutionContext } from 'ava';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findQemu, QemuMissing, type QemuBinary } from '../../src/qemu/find.js';
import { QemuProcess, type QemuStart } from '../../src/qemu/process.js';
import { folder } from '../cli/program.js';

/** The least that has an SMMU and RAM in a file. */
export const MACHINE = [
  '-M', 'virt,iommu=smmuv3,memory-backend=ram', '-cpu', 'cortex-a57', '-m', '128M',
  '-nodefaults', '-display', 'none', '-vga', 'none', '-serial', 'none', '-monitor', 'none', '-net', 'none',
];
export const RAM_BYTES = 2 ** 27;
export const RAM_BASE = 0x40000000;
export const SMMU = 0x09050000;

export function realStart(binary: QemuBinary, more: Partial<QemuStart> = {}): QemuStart {
  return { binary, args: MACHINE, accel: 'tcg', ramBytes: RAM_BYTES, patienceMs: 5000, ...more };
}

type QemuTest = (t: ExecutionContext, binary: QemuBinary) => void | Promise<void>;

/** A test that needs a real QEMU: says so and passes where there is none. */
export function withQemu(name: string, body: QemuTest): void {
  withQemuFrom(name, () => findQemu(), body);
}

/** Names a QEMU besides the one at hand: one with stage 2. */
const NEWER_VARIABLE = 'SMMUCHECK_QEMU_NEW';

/** The same with a newer QEMU, where one is named. */
export function withNewerQemu(name: string, body: QemuTest): void {
  withQemuFrom(name, () => {
    const named = process.env[NEWER_VARIABLE] ?? '';
    if (named === '') throw new QemuMissing(`${NEWER_VARIABLE} names no newer QEMU`);
    return findQemu(named);
  }, body);
}

function withQemuFrom(name: string, find: () => QemuBinary, body: QemuTest): void {
  test(name, async (t) => {
    let binary: QemuBinary;
    try {
      binary = find();
    } catch (error) {
      if (!(error instanceof QemuMissing)) throw error;
      t.log(`not tested: ${error.message}`);
      t.pass();
      return;
    }
    await body(t, binary);
  });
}

/** Runs with a QEMU that is gone afterwards. */
export function running<T>(s: QemuStart, act: (q: QemuProcess) => T): T {
  const q = QemuProcess.start(s);
  try {
    return act(q);
  } finally {
    q.end();
  }
}

export function program(text: string): string {
  const path = join(folder(), 'fake');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Speaks qtest; the first argument behind -no-user-config says what it does when it is asked for a register. */
const FAKE = `#!/bin/sh
what=$2
echo 'warning: nic x.0 has no peer' >&2
case $what in
  gone) echo 'no such machine' >&2; exit 1 ;;
  mute) exec sleep 60 ;;
esac
while read -r command rest; do
  case $command:$what in
    endianness:*) echo 'OK little' ;;
    readl:echo) echo 'IRQ raise 3'; echo "OK $rest"; echo 'IRQ lower 3' ;;
    readl:halves) printf 'O'; sleep 0.05; printf 'K 0x1\\nIRQ ra'; sleep 0.05; echo 'ise 1' ;;
    readl:hang) exec sleep 60 ;;
    readl:die) echo 'qemu: assertion failed' >&2; exit 3 ;;
    readl:crash) kill -SEGV $$ ;;
    readl:nonsense) echo 'What do you mean?' ;;
    readl:toomuch) printf 'OK 0x1\\nOK 0x2\\n' ;;
    readl:fail) echo 'FAIL not today' ;;
    *) echo OK ;;
  esac
done
`;

let fake: QemuBinary | null = null;

export function fakeStart(what: string, more: Partial<QemuStart> = {}): QemuStart {
  fake ??= { path: program(FAKE), version: '0.0', banner: 'fake' };
  return { binary: fake, args: [what], accel: 'tcg', ramBytes: 4096, patienceMs: 3000, ...more };
}

/** The processes whose command line has a text, each as "NUMBER COMMAND". */
export function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      return line.includes(text) ? [`${pid} ${line}`] : [];
    } catch {
      return [];
    }
  });
}
