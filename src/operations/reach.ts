/**
 * Reach: what the devices in front of another SMMU can do and what that SMMU has, and which frames a sequence for it may touch. Behind it is
 * more than the models know of: device registers below the memory, the tables of the sequence itself inside of it.
 */
import { featuresOf, type Features } from '../spec/features.js';
import { RAM_BASE } from '../memory/memory.js';

/** What the devices in front of another SMMU can do, and what that SMMU has: sequences for it are drawn within its reach. */
export interface Reach {
  readonly features: Features;
  /** StreamIDs of devices that only read (and say what they read), that only write (each write comes after a read of the same page), that do either. */
  readonly readers: readonly number[];
  readonly writers: readonly number[];
  readonly both: readonly number[];
  /** Input frames: transactions are below this (2^20: devices with 32-bit addresses; 2^52: all). */
  readonly inputFrames: number;
  /** 4 KiB frames [first, end) that are memory behind that SMMU: everything that is mapped on purpose lies there. */
  readonly firstFrame: number;
  readonly endFrame: number;
}

/** Debian's QEMU 7.2: stage 1, devices with 32-bit addresses, 16 GB of memory from 1 GB on. */
export const QEMU_STAGE1_REACH: Reach = {
  features: featuresOf(0x0d40101a, 0x02730010, 0x1404, 0x74, 0), readers: [8, 16, 72], writers: [9, 17, 73], both: [], inputFrames: 2 ** 20, firstFrame: 0x40000, endFrame: 0x440000,
};

/** QEMU 10 and 11: both stages, and devices with 64-bit addresses. */
export const QEMU_NESTED_REACH: Reach = {
  ...QEMU_STAGE1_REACH, features: featuresOf(0x0d44101b, 0x02730010, 0x1414, 0x74, 0), both: [24, 80], inputFrames: 2 ** 52,
};

/** First frame behind everything that the models keep their own pages in, however much that grows. */
export const BEHIND_RAM = 0x200000;

/** Memory that is nobody's structure: transactions may end there. */
export function isData(reach: Reach, frame: number): boolean {
  return frame >= reach.firstFrame && frame < reach.endFrame && (frame < RAM_BASE || frame >= BEHIND_RAM);
}

/** May a transaction go to this input frame? `open`: it may come out untranslated. Even a stage 2 that maps the tables does not lead to them then. */
export function mayAim(reach: Reach, frame: number, open: boolean): boolean {
  return frame >= 0 && frame < reach.inputFrames && (frame < RAM_BASE || frame >= BEHIND_RAM) && (!open || isData(reach, frame));
}

/** Every stream of the reach. */
export function allStreams(reach: Reach): readonly number[] {
  return [...reach.readers, ...reach.writers, ...reach.both];
}

/** What the device of a stream can do: read, write. */
export function directions(reach: Reach, sid: number): { readonly reads: boolean; readonly writes: boolean } {
  const both = reach.both.includes(sid);
  return { reads: both || reach.readers.includes(sid), writes: both || reach.writers.includes(sid) };
}
