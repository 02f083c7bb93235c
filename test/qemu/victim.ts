/**
 * Victim: a program that drives a QEMU until it is killed, or leaves without ending it. What it is doing is on its
 * stdout, a letter at a time: s starts, u is up, e ends.
 */
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { QemuProcess, type QemuStart } from '../../src/qemu/process.js';

export interface Order {
  /** Talks for ever, with one QEMU or with always another one; or leaves in some way. */
  readonly how: 'talk' | 'restart' | 'leave' | 'exit' | 'throw' | 'abort' | 'worker';
  readonly start: QemuStart;
}

/** So many exchanges per life of a QEMU. */
const TALK = 300;

function talk(q: QemuProcess, times: number): void {
  for (let i = 0; i < times; i += 1) q.exchange('readl 0x09050000\nwritel 0x44000000 0x1\n', 2);
}

function begin(s: QemuStart): QemuProcess {
  writeSync(1, 's');
  const q = QemuProcess.start(s);
  writeSync(1, 'u');
  return q;
}

function obey({ how, start }: Order): void {
  if (how === 'worker' && isMainThread) {
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
    worker.on('message', () => { void worker.terminate(); });
    return;
  }
  for (;;) {
    const q = begin(start);
    talk(q, how === 'talk' ? Infinity : TALK);
    if (how === 'exit') process.exit(0);
    if (how === 'throw') throw new Error('thrown');
    if (how === 'abort') process.abort();
    if (how === 'worker') report();
    if (how !== 'restart') return;
    writeSync(1, 'e');
    q.end();
  }
}

/** Tells the main thread to end this one, which would stay. */
function report(): void {
  parentPort?.postMessage('up');
  setInterval(() => undefined, 1000);
}

obey(JSON.parse(process.argv[2] ?? '') as Order);
