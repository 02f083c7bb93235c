/**
 * The devices in front of QEMU's SMMU, and how one access of theirs is made and seen. Two network cards that QEMU has had for long
 * do DMA inside of a register write, so nothing is waited for: pcnet reads its 28-byte initialisation block and shows two bytes
 * of it again; i82559er answers a self-test command by reading and writing 8 bytes. Both have 32-bit addresses. QEMU 11 has a third,
 * made for tests of IOMMUs: iommu-testdev writes 4 bytes to any 64-bit address.
 */
import type { Qtest } from './qtest.js';
import { READ_OFFSET, WRITE_OFFSET, type Tag } from './ram.js';

/** It runs, but is not what can be driven. Its message is half a sentence. */
export class QemuUnfit extends Error {
  override readonly name = 'QemuUnfit';
}

/** A reader reads and shows it; a writer reads, then writes; a tester writes, and has 64-bit addresses. */
export type DeviceKind = 'reader' | 'writer' | 'tester';

interface Place {
  readonly kind: DeviceKind;
  readonly slot: number;
  readonly fn: number;
}

/** StreamIDs are PCI device and function: 8, 9, 16, 17, and 72, 73 behind another level-1 descriptor of a two-level stream table. */
const CARDS: readonly Place[] = [1, 2, 9].flatMap((slot) => [{ kind: 'reader', slot, fn: 0 }, { kind: 'writer', slot, fn: 1 }] as const);
/** 24, 25, and 74. */
const TEST_DEVICES: readonly Place[] = [{ kind: 'tester', slot: 3, fn: 0 }, { kind: 'tester', slot: 3, fn: 1 }, { kind: 'tester', slot: 9, fn: 2 }];
const MODEL: Readonly<Record<DeviceKind, string>> = { reader: 'pcnet', writer: 'i82559er', tester: 'iommu-testdev' };

export function sidOf(p: { readonly slot: number; readonly fn: number }): number {
  return p.slot * 8 + p.fn;
}

export const READERS: readonly number[] = CARDS.filter((p) => p.kind === 'reader').map(sidOf);
export const WRITERS: readonly number[] = CARDS.filter((p) => p.kind === 'writer').map(sidOf);
export const TESTERS: readonly number[] = TEST_DEVICES.map(sidOf);
/** Input frames that the cards can name, and the testers. */
export const INPUT_FRAMES = 2 ** 20;
export const WIDE_INPUT_FRAMES = 2 ** 52;

/** For QEMU's command line. `testers`: does this QEMU have them? */
export function deviceArguments(testers: boolean): readonly string[] {
  return [...CARDS, ...(testers ? TEST_DEVICES : [])].flatMap((p) => {
    const rom = p.kind === 'tester' ? '' : ',romfile=';
    return ['-device', `${MODEL[p.kind]},addr=0x${p.slot.toString(16)}.${p.fn}${rom}${p.fn === 0 ? ',multifunction=on' : ''}`];
  });
}

/** ECAM of the virt board, high and low; the host bridge answers with this. */
const ECAMS: readonly number[] = [0x4010000000, 0x3f000000];
const HOST_BRIDGE = 0x00081b36;
/** First address of the 32-bit PCI memory window, and how much of it each device gets. */
const WINDOW = 0x10000000;
const SHARE = 0x100000;
const PCI_COMMAND = 4;
const MEMORY_AND_MASTER = 6;
/** Base address register that leads to the device's registers in memory. */
const BAR: Readonly<Record<DeviceKind, number>> = { reader: 0x14, writer: 0x10, tester: 0x10 };

// pcnet: register data port, register address port, bus configuration data port; 16 bits each.
const RDP = 0x10;
const RAP = 0x12;
const BDP = 0x16;
const CSR_STOP = 4;
const CSR_INIT = 1;
/** i82559er: PORT, and its self-test function. */
const PORT = 8;
const SELF_TEST = 1;
/** iommu-testdev: where to write, what to compare with afterwards (any memory: it is not looked at), how much, in which address space, and go. */
const TEST_GO = 0;
const TEST_VA = 4;
const TEST_LENGTH = 0xc;
const TEST_ATTRIBUTES = 0x18;
const TEST_PA = 0x1c;
const TEST_ARM = 0x14;
const NON_SECURE = 0xa;
const SCRATCH = 0x40300000;

interface Device extends Place {
  /** Byte address of its registers. */
  readonly base: number;
}

export class Devices {
  readonly #qtest: Qtest;
  readonly #bySid = new Map<number, Device>();
  /** Upper half of the address that each reader was given last. */
  readonly #high = new Map<number, number>();
  /** The ticket of what a reader shows. */
  #shown = 0;

  /** Gives every device its addresses. Throws QemuUnfit when the board is not the one that is expected. */
  constructor(qtest: Qtest, testers: boolean) {
    this.#qtest = qtest;
    const ecam = ECAMS.find((at) => qtest.value(qtest.read(4, at)) === HOST_BRIDGE);
    if (ecam === undefined) throw new QemuUnfit('no PCI host bridge answers where the virt board has one');
    [...CARDS, ...(testers ? TEST_DEVICES : [])].forEach((p, i) => {
      const config = ecam + sidOf(p) * 4096;
      const base = WINDOW + i * SHARE;
      qtest.write(4, config + BAR[p.kind], base);
      qtest.write(2, config + PCI_COMMAND, MEMORY_AND_MASTER);
      this.#bySid.set(sidOf(p), { ...p, base });
      if (p.kind === 'reader') this.#pcnetStyle(base);
    });
    qtest.flush();
  }

  /** 32-bit structures. */
  #pcnetStyle(base: number): void {
    this.#qtest.write(2, base + RAP, 20);
    this.#qtest.write(2, base + BDP, 2);
  }

  kindOf(sid: number): DeviceKind | null {
    return this.#bySid.get(sid)?.kind ?? null;
  }

  /** Input frames that the device of a stream can name. */
  inputFrames(sid: number): number {
    return this.kindOf(sid) === 'tester' ? WIDE_INPUT_FRAMES : INPUT_FRAMES;
  }

  /** Queues one access to a 4 KiB input frame that the device can name. Done when the queue is flushed. */
  start(sid: number, frame: number): void {
    const device = this.#bySid.get(sid);
    if (device === undefined) throw new RangeError(`no device has StreamID ${sid}`);
    if (device.kind === 'tester') this.#test(device.base, frame);
    else if (device.kind === 'writer') this.#qtest.write(4, device.base + PORT, frame * 4096 + WRITE_OFFSET + SELF_TEST);
    else this.#read(device.base, frame * 4096 + READ_OFFSET);
  }

  #test(base: number, frame: number): void {
    const q = this.#qtest;
    const low = frame % 2 ** 20;
    q.write(4, base + TEST_VA, low * 4096 + WRITE_OFFSET);
    q.write(4, base + TEST_VA + 4, (frame - low) / 2 ** 20);
    q.write(4, base + TEST_PA, SCRATCH);
    q.write(4, base + TEST_PA + 4, 0);
    q.write(4, base + TEST_LENGTH, 4);
    q.write(4, base + TEST_ATTRIBUTES, NON_SECURE);
    q.write(4, base + TEST_ARM, 1);
    q.read(4, base + TEST_GO);
  }

  #read(base: number, address: number): void {
    const q = this.#qtest;
    const csr = (register: number, value: number): void => {
      q.write(2, base + RAP, register);
      q.write(2, base + RDP, value);
    };
    csr(0, CSR_STOP);
    csr(1, address % 65536);
    if (this.#high.get(base) !== Math.floor(address / 65536)) csr(2, Math.floor(address / 65536));
    this.#high.set(base, Math.floor(address / 65536));
    csr(0, CSR_INIT);
    q.write(2, base + RAP, 12);
    this.#shown = q.read(2, base + RDP);
  }

  /** What the reader that was started last has read. */
  read(): Tag {
    return this.#qtest.value(this.#shown);
  }
}
