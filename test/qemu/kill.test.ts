/**
 * The thousand kills: a program that drives a QEMU is killed at any moment, and nothing that it started stays: no
 * process, no file with a name. An ordinary run does a few; SMMUCHECK_KILLS=1000 does them all.
 */
import type { ExecutionContext } from 'ava';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import seedrandom from 'seedrandom';
import type { QemuBinary } from '../../src/qemu/find.js';
import type { Order } from './victim.js';
import { folder } from '../cli/program.js';
import { MACHINE, processesWith, realStart, withQemu } from './rig.js';

const VICTIM = fileURLToPath(new URL('./victim.js', import.meta.url));
const KILLS = Number(process.env['SMMUCHECK_KILLS'] ?? 40);
const AT_ONCE = 4;
const DELAY_MS = 80;
const SIGNALS: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT'];

interface Victim {
  readonly child: ChildProcess;
  /** What it is doing, as far as it told. */
  readonly phase: () => string;
  /** Until it told of this, or ended. */
  readonly reaches: (letter: 's' | 'u') => Promise<void>;
  readonly ended: Promise<void>;
}

function victim(order: Order, home: string): Victim {
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(order)], { detached: true, stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, TMPDIR: home } });
  let told = '';
  const ended = new Promise<void>((done) => { child.on('close', () => { done(); }); });
  const reaches = async (letter: string): Promise<void> => {
    const heard = new Promise<void>((done) => { child.stdout?.on('data', () => { if (told.includes(letter)) done(); }); });
    if (!told.includes(letter)) await Promise.race([heard, ended]);
  };
  child.stdout?.on('data', (text: Buffer) => { told += text.toString(); });
  return { child, phase: () => told.at(-1) ?? '', reaches, ended };
}

function order(how: Order['how'], binary: QemuBinary, token: string): Order {
  return { how, start: realStart(binary, { args: [...MACHINE, '-name', `smmucheck-${token}`] }) };
}

/** Nothing with the token runs any more, and nothing has a name; guards get a few seconds. */
async function nothingLeft(t: ExecutionContext, token: string, home: string): Promise<void> {
  for (let i = 0; i < 200 && processesWith(token).length > 0; i += 1) await sleep(25);
  t.deepEqual(processesWith(token), []);
  t.deepEqual(readdirSync(home), []);
  t.deepEqual(readdirSync('/dev/shm').filter((name) => name.includes('smmucheck')), []);
}

withQemu(`killed ${KILLS} times`, async (t, binary) => {
  t.timeout(1_200_000);
  const draw = seedrandom.alea('the thousand kills');
  const token = `kill-${process.pid}`;
  const home = folder();
  const counts: Record<string, number> = {};
  let left = KILLS;
  const one = async (): Promise<void> => {
    const restart = draw() < 0.5;
    // A few are killed before they begin with QEMU, half while they start it, the others when it was up once.
    const from = draw();
    const delay = draw() * DELAY_MS;
    const signal = SIGNALS[Math.floor(draw() * SIGNALS.length)] as NodeJS.Signals;
    const group = draw() < 0.3;
    const v = victim(order(restart ? 'restart' : 'talk', binary, token), home);
    if (from > 0.1) await v.reaches(from < 0.6 ? 's' : 'u');
    await sleep(delay);
    const what = `${signal}${group ? ' to the group' : ''}`;
    const when = { '': 'before', s: 'while starting', u: 'while talking', e: 'while ending' }[v.phase()] ?? v.phase();
    for (const name of [what, when]) counts[name] = (counts[name] ?? 0) + 1;
    const pid = v.child.pid as number;
    t.is(v.child.exitCode, null);
    process.kill(group ? -pid : pid, signal);
    await v.ended;
  };
  const some = async (): Promise<void> => { while (left > 0) { left -= 1; await one(); } };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  await nothingLeft(t, token, home);
  t.log(Object.entries(counts).sort().map(([name, n]) => `${name}: ${n}`).join(', '));
});

for (const how of ['leave', 'exit', 'throw', 'abort', 'worker'] as const) {
  withQemu(`a program that ends without ending its QEMU: ${how}`, async (t, binary) => {
    const token = `leave-${how}-${process.pid}`;
    const home = folder();
    const v = victim(order(how, binary, token), home);
    await v.ended;
    t.is(v.phase(), 'u');
    await nothingLeft(t, token, home);
  });
}
