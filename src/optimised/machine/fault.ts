/**
 * Fault: why a transaction goes no further (IHI 0070 §7.3), filled in place by whoever finds out; one for each machine. A fault leaves an
 * event record unless `silent`. `stage2`, `class` and `ipa` are those of §7.3.10–7.3.16; configuration faults have 0, CLASS_IN and 0.
 */
import { CLASS_IN, CLASS_TT, EVENT } from '../../spec/event.js';

/** What walks and look-ups return instead of an entry. */
export const FAULTED = -1;

export class Fault {
  event = 0;
  stage2 = 0;
  class = CLASS_IN;
  /** Frame of the IPA whose translation failed. */
  ipa = 0;
  /** External aborts: byte address of what was fetched. */
  fetch = 0;
  /** F_PERMISSION of a stage-1 descriptor: was it to be read (1) or updated (0)? */
  tableRead = 0;
  silent = false;

  /** A fault of the configuration: no stage, no address. Returns FAULTED, as all of these. */
  plain(event: number): number {
    return this.#set(event, 0, CLASS_IN, 0);
  }

  /** Aborted without a record. */
  abort(): number {
    this.#set(0, 0, CLASS_IN, 0);
    this.silent = true;
    return FAULTED;
  }

  /** A fault of the configuration that leaves no record. */
  unrecorded(event: number): number {
    this.#set(event, 0, CLASS_IN, 0);
    this.silent = true;
    return FAULTED;
  }

  /** External abort on a configuration structure at `address` (bytes). */
  fetchAbort(event: number, address: number): number {
    this.#set(event, 0, CLASS_IN, 0);
    this.fetch = address;
    return FAULTED;
  }

  stage1(event: number): number {
    return this.#set(event, 0, CLASS_IN, 0);
  }

  /** External abort on a stage-1 descriptor at `address` (bytes). */
  stage1Abort(address: number): number {
    this.#set(EVENT.F_WALK_EABT, 0, CLASS_TT, 0);
    this.fetch = address;
    return FAULTED;
  }

  /** `cls`: what the translation was for. `ipa`: frame. */
  second(event: number, cls: number, ipa: number): number {
    return this.#set(event, 1, cls, ipa);
  }

  secondAbort(cls: number, address: number): number {
    this.#set(EVENT.F_WALK_EABT, 1, cls, 0);
    this.fetch = address;
    return FAULTED;
  }

  #set(event: number, stage2: number, cls: number, ipa: number): number {
    this.event = event;
    this.stage2 = stage2;
    this.class = cls;
    this.ipa = ipa;
    this.fetch = 0;
    this.tableRead = 0;
    this.silent = false;
    return FAULTED;
  }
}
