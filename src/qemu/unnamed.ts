/**
 * Unnamed files: memory and messages that two processes share through descriptors only. They never have a name (or
 * lose it at once where the system knows no O_TMPFILE), so that nothing is left behind, however we end.
 */
import { closeSync, constants, ftruncateSync, openSync, readSync, statfsSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const MODE = 0o600;
let made = 0;

/** Most of the guest's memory is never written: what is, of two QEMUs, has room in this. A full file system is found out only by dying. */
const ROOM = 32 * 2 ** 20;

/** A file of so many zero bytes: in memory where /dev/shm can be used and has room, else where temporary files go. */
export function unnamedFile(bytes: number): number {
  try {
    return sized(roomIn('/dev/shm') < ROOM ? tmpdir() : '/dev/shm', bytes);
  } catch {
    return sized(tmpdir(), bytes);
  }
}

function roomIn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function sized(folder: string, bytes: number): number {
  const fd = opened(folder);
  try {
    ftruncateSync(fd, bytes);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function opened(folder: string): number {
  try {
    return openSync(folder, O_TMPFILE | constants.O_RDWR, MODE);
  } catch {
    made += 1;
    const path = join(folder, `smmucheck-qemu-${process.pid}-${threadId}-${made}`);
    const fd = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, MODE);
    unlinkSync(path);
    return fd;
  }
}

/** What is written in the file from an offset on, at most so much. */
export function textOf(fd: number, from: number, bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, bytes, from));
}
