/**
 * Pin: this thread and the QEMU that it starts on one processor. They never run at the same time (one waits for the
 * other), and waking a sleeper on the same processor takes a third of the time. Where it cannot be done it is not done.
 *
 * SMMUCHECK_CPU: a number pins there, `any` pins nothing.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

export const CPU_VARIABLE = 'SMMUCHECK_CPU';
/** Of /proc/PID/stat, counted from behind the name: the processor that the thread ran on last. */
const STAT_PROCESSOR = 36;

let users = 0;
/** What to go back to when nobody uses the pin any more; null when nothing was pinned. */
let before: { readonly thread: string; readonly allowed: string } | null = null;

/** Before each start of a QEMU. */
export function pin(): void {
  users += 1;
  if (users > 1) return;
  try {
    const cpu = wanted();
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1];
    if (cpu !== null && allowed !== undefined && cpu !== allowed && affinity(cpu, thread)) before = { thread, allowed };
  } catch {
    // No such /proc: the scheduler places both.
  }
}

/** When a QEMU has ended; the last one gives the thread its freedom back, so that what it starts later has it as well. */
export function unpin(): void {
  users -= 1;
  if (users > 0 || before === null) return;
  affinity(before.allowed, before.thread);
  before = null;
}

function wanted(): string | null {
  const named = process.env[CPU_VARIABLE];
  if (named !== undefined && named !== '') return /^\d+$/.test(named) ? named : null;
  return readFileSync('/proc/thread-self/stat', 'utf8').split(') ').at(-1)?.split(' ')[STAT_PROCESSOR] ?? null;
}

function affinity(cpus: string, thread: string): boolean {
  return spawnSync('taskset', ['-cp', cpus, thread], { stdio: 'ignore', timeout: 2000 }).status === 0;
}
