/** The transport: replies of any number and size, and every way in which a QEMU can fail to give one. */
import test, { type ExecutionContext } from 'ava';
import { readdirSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { withParent } from '../../src/qemu/guard.js';
import { QemuDied, QemuProcess } from '../../src/qemu/process.js';
import { fakeStart, MACHINE, processesWith, RAM_BASE, RAM_BYTES, realStart, running, SMMU, withQemu } from './rig.js';

const IDR0 = `readl 0x${SMMU.toString(16)}\n`;

function died(t: ExecutionContext, act: () => unknown): QemuDied {
  const error = t.throws(act, { instanceOf: QemuDied });
  if (error === undefined) throw new Error('nothing was thrown');
  return error;
}

/** Where the descriptors of a process lead, pipes and shared files. */
function descriptors(pid: number | 'self'): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  }).filter((one) => /pipe:|\/dev\/shm/.test(one));
}

withQemu('registers and RAM are the same machine', (t, binary) => {
  running(realStart(binary), (q) => {
    t.regex(q.exchange(IDR0, 1)[0] ?? '', /^OK 0x0{8}0d4[0-9a-f]{5}$/);
    t.deepEqual(q.exchange(`writeq 0x${(RAM_BASE + 0x400000).toString(16)} 0x1122334455667788\n`, 1), ['OK']);
    const bytes = Buffer.alloc(8);
    readSync(q.ram, bytes, 0, 8, 0x400000);
    t.is(bytes.toString('hex'), '8877665544332211');
    writeSync(q.ram, Buffer.from('01020304', 'hex'), 0, 4, RAM_BYTES - 4);
    t.deepEqual(q.exchange(`readl 0x${(RAM_BASE + RAM_BYTES - 4).toString(16)}\n`, 1), ['OK 0x0000000004030201']);
  });
});

withQemu('any number of replies, and lines of any length', (t, binary) => {
  running(realStart(binary), (q) => {
    const at = RAM_BASE + 0x400000;
    const lines = Array.from({ length: 20_000 }, (_, i) => `writel 0x${(at + 4 * i).toString(16)} 0x${i.toString(16)}\n`);
    t.is(q.exchange(lines.join(''), lines.length).length, lines.length);
    const read = q.exchange(lines.map((l) => `readl ${l.split(' ')[1]}\n`).join(''), lines.length);
    t.deepEqual(read.map((r) => Number(r.slice(3))), lines.map((_, i) => i));
    t.deepEqual(q.exchange(`${IDR0}write 0x${at.toString(16)} 0x20000 0x${'5a'.repeat(0x20000)}\n${IDR0}`, 3)[1], 'OK');
    const bytes = Buffer.alloc(0x20000);
    readSync(q.ram, bytes, 0, bytes.length, 0x400000);
    t.deepEqual(bytes, Buffer.alloc(0x20000, 0x5a));
    t.is((q.exchange(`read 0x${at.toString(16)} 0x20000\n`, 1)[0] ?? '').length, 'OK 0x'.length + 2 * 0x20000);
  });
});

withQemu('a refused command is named, and the conversation goes on', (t, binary) => {
  running(realStart(binary), (q) => {
    t.throws(() => q.exchange(`${IDR0}nonsense 1\n${IDR0}`, 3), { message: /^QEMU refuses nonsense 1: FAIL/ });
    t.is(q.exchange(IDR0, 1).length, 1);
  });
});

withQemu('sixteen gigabytes that nobody touches cost nothing', (t, binary) => {
  const args = MACHINE.map((a) => (a === '128M' ? '16G' : a));
  running(realStart(binary, { args, ramBytes: 2 ** 34 }), (q) => {
    writeSync(q.ram, Buffer.of(7), 0, 1, 2 ** 34 - 1);
    t.deepEqual(q.exchange(`readb 0x${(RAM_BASE + 2 ** 34 - 1).toString(16)}\n`, 1), ['OK 0x0000000000000007']);
  });
});

withQemu('several at once, and one that is killed does not disturb the other', (t, binary) => {
  running(realStart(binary), (a) => {
    running(realStart(binary), (b) => {
      process.kill(a.pid, 'SIGKILL');
      const error = died(t, () => a.exchange(IDR0, 1));
      t.is(error.how, 'died');
      t.regex(error.message, /^QEMU died( \(signal 9\))?$/);
      t.is(died(t, () => a.exchange(IDR0, 1)), error);
      t.is(b.exchange(IDR0, 1).length, 1);
    });
  });
});

withQemu('one that is stopped hangs', (t, binary) => {
  running(realStart(binary, { patienceMs: 300 }), (q) => {
    process.kill(q.pid, 'SIGSTOP');
    t.is(died(t, () => q.exchange(IDR0, 1)).how, 'hung');
  });
});

withQemu('it dies with its guard', (t, binary) => {
  if (withParent().length === 0) {
    t.log('not tested: no setpriv --pdeathsig');
    t.pass();
    return;
  }
  const q = QemuProcess.start(realStart(binary));
  const guard = Number(readFileSync(`/proc/${q.pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]);
  process.kill(guard, 'SIGKILL');
  t.is(died(t, () => q.exchange(IDR0.repeat(100_000), 100_000)).how, 'died');
  q.end();
});

withQemu('what it says on the way out is told, without what means nothing', (t, binary) => {
  const error = died(t, () => QemuProcess.start(realStart(binary, { args: [...MACHINE, '-device', 'pcnet,romfile=', '-device', 'no-such'] })));
  t.is(error.how, 'died');
  t.regex(error.message, /no-such/);
  t.notRegex(error.stderr, /has no peer/);
});

withQemu('an end leaves no process, no descriptor and no pin, and may be asked for again', (t, binary) => {
  const allowed = /Cpus_allowed_list.*/.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[0];
  const before = new Set(descriptors('self'));
  const name = `smmucheck-end-${process.pid}`;
  const q = QemuProcess.start(realStart(binary, { args: [...MACHINE, '-name', name] }));
  t.true(processesWith(name).length >= 1);
  // Other tests open descriptors of this process at the same time: what counts is what leads to where QEMU's lead.
  const shared = new Set(descriptors(q.pid).filter((to) => !before.has(to)));
  const ours = (): string[] => descriptors('self').filter((to) => shared.has(to));
  t.true(ours().length >= 3);
  q.end();
  q.end();
  t.deepEqual(processesWith(name).filter((p) => p.startsWith(`${q.pid} `)), []);
  t.deepEqual(ours(), []);
  t.is(/Cpus_allowed_list.*/.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[0], allowed);
  died(t, () => q.exchange(IDR0, 1));
});

test('IRQ lines are left out', (t) => {
  running(fakeStart('echo'), (q) => {
    t.deepEqual(q.exchange('readl 0x1\nwritel 0x1 0x2\nreadl 0x2\n', 3), ['OK 0x1', 'OK', 'OK 0x2']);
    t.deepEqual(q.exchange('readl 0x3\n', 1), ['OK 0x3']);
  });
});

test('replies may come in pieces', (t) => {
  running(fakeStart('halves'), (q) => {
    t.deepEqual(q.exchange('readl 0x1\nreadl 0x2\n', 2), ['OK 0x1', 'OK 0x1']);
    t.deepEqual(q.exchange('writel 0x1 0x1\n', 1), ['OK']);
  });
});

test('a refusal', (t) => {
  running(fakeStart('fail'), (q) => {
    t.throws(() => q.exchange('writel 0x1 0x1\nreadl 0x77\n', 2), { message: 'QEMU refuses readl 0x77: FAIL not today' });
    t.deepEqual(q.exchange('writel 0x1 0x1\n', 1), ['OK']);
  });
});

test('no reply', (t) => {
  running(fakeStart('hang', { patienceMs: 200 }), (q) => {
    t.deepEqual(q.exchange('writel 0x1 0x1\n', 1), ['OK']);
    const error = died(t, () => q.exchange('readl 0x1\n', 1));
    t.is(error.how, 'hung');
    t.is(error.message, 'QEMU did not answer and was killed');
    t.is(died(t, () => q.exchange('writel 0x1 0x1\n', 1)), error);
  });
});

for (const [what, message, stderr] of [
  ['die', 'QEMU died (exit status 3): qemu: assertion failed', 'qemu: assertion failed'],
  ['crash', 'QEMU died (signal 11)', ''],
  ['nonsense', 'QEMU said what is no reply (What do you mean?)', ''],
  ['toomuch', 'QEMU said what is no reply (OK 0x2)', ''],
] as const) {
  test(`instead of a reply: ${what}`, (t) => {
    running(fakeStart(what), (q) => {
      const error = died(t, () => q.exchange('readl 0x1\n', 1));
      // A shell that takes in its dead at once (bash) hides how they ended.
      const told = [message, message.replace(/ \((signal|exit status) \d+\)/, '')].includes(error.message);
      t.deepEqual([error.how, told ? message : error.message, error.stderr], ['died', message, stderr]);
    });
  });
}

test('one that does not come up', (t) => {
  const gone = died(t, () => QemuProcess.start(fakeStart('gone')));
  t.is(gone.how, 'died');
  t.regex(gone.message, /: no such machine$/);
  t.is(died(t, () => QemuProcess.start(fakeStart('mute', { patienceMs: 50 }))).how, 'hung');
  const nothing = { path: '/nowhere/qemu', version: '0', banner: '' };
  t.is(died(t, () => QemuProcess.start(fakeStart('', { binary: nothing }))).how, 'died');
});
