/**
 * Pool: the running QEMUs of a campaign. One for sequences that begin with a linear stream table and one for those that begin with two levels:
 * once it has seen two levels, QEMU 7.2 keeps looking for level-1 descriptors until it is started again. One that has died is started again.
 */
import type { Features } from '../spec/features.js';
import type { QemuBinary } from './find.js';
import { PATIENCE_MS, Rig, type Identification } from './rig.js';

export class Pool {
  readonly binary: QemuBinary;
  readonly #patienceMs: number;
  #linear: Rig | null = null;
  #twoLevel: Rig | null = null;
  #features: Features | null = null;
  /** QEMUs started so far. */
  started = 0;

  constructor(binary: QemuBinary, patienceMs = PATIENCE_MS) {
    this.binary = binary;
    this.#patienceMs = patienceMs;
  }

  #start(): Rig {
    this.started += 1;
    return Rig.start(this.binary, this.#patienceMs);
  }

  /** A QEMU that runs and is as one that was just started. `twoLevel`: the first stream table of the sequence has two levels. */
  rig(twoLevel: boolean): Rig {
    if (twoLevel) {
      if (this.#twoLevel?.alive !== true) this.#twoLevel = this.#again(this.#twoLevel);
      return this.#twoLevel;
    }
    if (this.#linear?.alive !== true || this.#linear.twoLevelSeen) this.#linear = this.#again(this.#linear);
    return this.#linear;
  }

  /** Are there devices with 64-bit addresses? */
  get testers(): boolean {
    return this.rig(false).testers;
  }

  /** Of the SMMU, as its identification registers say. */
  get features(): Features {
    this.#features ??= this.rig(false).features;
    return this.#features;
  }

  get identification(): Identification {
    return this.rig(false).identification;
  }

  #again(old: Rig | null): Rig {
    old?.end();
    return this.#start();
  }

  end(): void {
    this.#linear?.end();
    this.#twoLevel?.end();
    this.#linear = null;
    this.#twoLevel = null;
  }
}
