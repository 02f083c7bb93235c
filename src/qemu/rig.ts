/**
 * Rig: one QEMU with its SMMU, the devices in front of it and the guest's memory. Lives for many sequences; between two of them it
 * is brought back to where a sequence may begin. What the SMMU has is read from its identification registers, never from a version.
 */
import { featuresOf, type Features } from '../spec/features.js';
import { EVENT_BYTES } from '../spec/event.js';
import { GBPA_UPDATE, queueIndex, queueNext, REG } from '../spec/register.js';
import type { Memory } from '../memory/memory.js';
import { deviceArguments, Devices, QemuUnfit } from './devices.js';
import type { QemuBinary } from './find.js';
import { QemuDied, QemuProcess } from './process.js';
import { Qtest } from './qtest.js';
import { GUEST_BYTES, GuestRam } from './ram.js';

/** Where the virt board has its SMMU. */
export const SMMU_BASE = 0x09050000;
/** A reply that does not come for so long never will. */
export const PATIENCE_MS = 5000;

const BOARD: readonly string[] = [
  '-M', 'virt,iommu=smmuv3,memory-backend=ram', '-cpu', 'cortex-a57', '-m', `${GUEST_BYTES / 2 ** 20}M`, '-nodefaults',
  '-display', 'none', '-vga', 'none', '-serial', 'none', '-monitor', 'none', '-net', 'none',
];

/** Identification registers that software learns the features from, by name. */
export type Identification = Readonly<Record<'idr0' | 'idr1' | 'idr3' | 'idr5' | 'iidr', number>>;

/** What is looked at when a sequence begins. */
const AT_FIRST: readonly number[] = [REG.CR0, REG.CR0ACK, REG.GERROR, REG.CMDQ_PROD, REG.CMDQ_CONS, REG.EVENTQ_PROD];

/** GBPA as it is after reset: incoming shareability, no abort. */
const GBPA_RESET = 0x1000;

/** QEMUs that have no iommu-testdev, by path. */
const plain = new Set<string>();

/** With the test devices where QEMU has them; it says so by ending. */
function startProcess(binary: QemuBinary, patienceMs: number): [QemuProcess, boolean] {
  const start = (testers: boolean): QemuProcess => QemuProcess.start({ binary, args: [...BOARD, ...deviceArguments(testers)], accel: 'tcg', ramBytes: GUEST_BYTES, patienceMs });
  if (plain.has(binary.path)) return [start(false), false];
  try {
    return [start(true), true];
  } catch (error) {
    if (!(error instanceof QemuDied) || !/not a valid device model/.test(error.stderr)) throw error;
    plain.add(binary.path);
    return [start(false), false];
  }
}

export class Rig {
  readonly binary: QemuBinary;
  readonly process: QemuProcess;
  readonly qtest: Qtest;
  readonly ram: GuestRam;
  readonly devices: Devices;
  /** Are there devices with 64-bit addresses? */
  readonly testers: boolean;
  readonly features: Features;
  readonly identification: Identification;
  /** A two-level stream table was configured since QEMU was started. */
  twoLevelSeen = false;
  /** GERROR when the sequence began: an error that was acknowledged leaves its two bits at 1, and only another error turns them back. */
  errorsBefore = 0;
  alive = true;

  private constructor(binary: QemuBinary, process: QemuProcess, testers: boolean) {
    this.binary = binary;
    this.testers = testers;
    this.process = process;
    this.qtest = new Qtest(process);
    this.ram = new GuestRam(process.ram);
    this.devices = new Devices(this.qtest, testers);
    const id = (register: number): number => this.qtest.value(this.qtest.read(4, SMMU_BASE + register));
    const found = { idr0: id(REG.IDR0), idr1: id(REG.IDR1), idr3: id(REG.IDR3), idr5: id(REG.IDR5), iidr: id(REG.IIDR) };
    this.identification = found;
    this.features = featuresOf(found.idr0, found.idr1, found.idr3, found.idr5, found.iidr);
    if (!this.features.stage1 && !this.features.stage2) throw new QemuUnfit('no SMMU that translates answers where the virt board has one');
  }

  /** Throws QemuDied when it does not come up, QemuUnfit when what comes up is not the board that is expected. */
  static start(binary: QemuBinary, patienceMs = PATIENCE_MS): Rig {
    const [process, testers] = startProcess(binary, patienceMs);
    try {
      return new Rig(binary, process, testers);
    } catch (error) {
      process.end();
      throw error;
    }
  }

  /** Disabled, without an active error, its queues off and its memory as the modelled one. Caches are what they are: boot empties them. Returns registers as they are then. */
  begin(memory: Memory): ReadonlyMap<number, number> {
    this.ram.begin(memory);
    const { qtest } = this;
    this.write(REG.CR0, 0, 4);
    this.write(REG.GBPA, GBPA_UPDATE + GBPA_RESET, 4);
    for (const offset of [REG.STRTAB_BASE, REG.CMDQ_BASE, REG.EVENTQ_BASE]) this.write(offset, 0, 8);
    for (const offset of [REG.STRTAB_BASE_CFG, REG.CR1, REG.CR2, REG.CMDQ_PROD, REG.CMDQ_CONS, REG.EVENTQ_PROD]) this.write(offset, 0, 4);
    const tickets = AT_FIRST.map((offset) => this.read(offset));
    qtest.flush();
    const values = new Map(AT_FIRST.map((offset, i) => [offset, qtest.value(tickets[i] as number)]));
    this.errorsBefore = values.get(REG.GERROR) as number;
    const prod = values.get(REG.EVENTQ_PROD) as number;
    this.write(REG.GERRORN, this.errorsBefore, 4);
    this.write(REG.EVENTQ_CONS, prod, 4);
    return values.set(REG.GERRORN, this.errorsBefore).set(REG.EVENTQ_CONS, prod);
  }

  /** Queues a register write of 4 or 8 bytes. */
  write(offset: number, value: number, width: 4 | 8): void {
    this.qtest.write(width, SMMU_BASE + offset, value);
  }

  /** Queues a read of 4 bytes. */
  read(offset: number): number {
    return this.qtest.read(4, SMMU_BASE + offset);
  }

  /** Words of the event records between two pointers of a queue of 2^log2 records at `base`, as far as they are in RAM. */
  records(queue: { readonly base: number; readonly log2: number }, from: number, to: number): { readonly address: number; readonly words: Uint32Array }[] {
    const found: { address: number; words: Uint32Array }[] = [];
    for (let at = from; at !== to; at = queueNext(at, queue.log2)) {
      const address = queue.base + queueIndex(at, queue.log2) * EVENT_BYTES;
      if (!this.ram.isRam(Math.floor(address / 4096))) continue;
      const words = new Uint32Array(EVENT_BYTES / 4);
      this.ram.read(address, words);
      found.push({ address, words });
    }
    return found;
  }

  end(): void {
    this.alive = false;
    this.process.end();
  }
}
