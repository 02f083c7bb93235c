/**
 * GuestRam: the guest's memory as a file that QEMU maps shared. The modelled memory is mirrored into it page by page; pages that
 * devices may reach carry their own number, so that what a device reads tells which page it read.
 */
import { ftruncateSync, readSync, writeSync } from 'node:fs';
import { RAM_BASE, WORDS_PER_FRAME, type Memory } from '../memory/memory.js';

/** First frame of guest RAM on QEMU's `virt` board, and how much of it there is: sparse, so its size costs nothing. */
export const GUEST_FIRST = 0x40000;
export const GUEST_BYTES = 16 * 2 ** 30;
export const GUEST_END = GUEST_FIRST + GUEST_BYTES / 4096;

/** Where in a page a reading device looks: 28 bytes, of which two come back: those at 4 and 5. */
export const READ_OFFSET = 0xfc0;
const TAG_OFFSET = READ_OFFSET + 4;
const TAG_BYTES = 2;
/** Where in a page a writing device reads and writes 8 bytes. */
export const WRITE_OFFSET = 0xff0;
const MARK_BYTES = 4;
/** What i82559er and iommu-testdev write. */
const MARKS: readonly number[] = [0xffffffff, 0x12345678];

/** Frames that one descriptor may serve: pages and blocks of all granules. */
const SPANS: readonly number[] = [1, 4, 16, 512, 2 ** 13, 2 ** 17, 2 ** 18];

/** Two bytes that come back from a page, as one number. */
export type Tag = number;

const ZERO_PAGES = 64;
const PAGES_AT_ONCE = 16;
/** Tags are two bytes, and none of them is 0. */
const TAGS_END = 2 ** 16;
/** Pages outside of the modelled memory that the file may hold when a sequence begins: with more of them it is emptied, or it would grow for ever. */
const PAGES_MAX = 2048;
/** Pages that the modelled memory may come to have. */
const NEAR = 2 ** 16;
const ZEROS = Buffer.alloc(ZERO_PAGES * 4096);

export class GuestRam {
  readonly #fd: number;
  /** Neighbouring pages that are written in one go. */
  readonly #pages = new Uint32Array(PAGES_AT_ONCE * 2 * WORDS_PER_FRAME);
  readonly #small = Buffer.alloc(8);
  /** Frames outside of the modelled memory, and the tag of each: 1, 2, 3, ... They stay from sequence to sequence. */
  readonly #tagged = new Map<number, Tag>();
  /** The frame of each tag; -1: it has gone. */
  readonly #byTag: number[] = [-1];
  #memory: Memory | null = null;
  /** Version of each page of the modelled memory as it stands in the file; -1: write it again. */
  #written = new Int32Array(0);
  /** Pages of the modelled memory that the file holds anything of. */
  readonly #dirty = new Set<number>();
  /** Pages outside of the modelled memory that the file may hold. */
  #pagesOutside = 0;
  /** Tagged frames that another sequence's modelled memory may reach. */
  readonly #near = new Set<number>();
  /** Frames that a valid descriptor could have named so far, whatever its level. */
  readonly #named = new Set<number>();

  constructor(fd: number) {
    this.#fd = fd;
  }

  isRam(frame: number): boolean {
    return frame >= GUEST_FIRST && frame < GUEST_END;
  }

  #at(frame: number): number {
    return (frame - GUEST_FIRST) * 4096;
  }

  /** From here on the guest sees this memory, and nothing else is left in the file but tags outside of it. */
  begin(memory: Memory): void {
    if (this.#pagesOutside > PAGES_MAX) this.#empty();
    else this.#zero();
    this.#dirty.clear();
    this.#named.clear();
    this.#memory = memory;
    for (const frame of this.#near) if (memory.slotOf(frame) >= 0) this.#untag(frame);
    this.#written = new Int32Array(memory.slots);
  }

  /** QEMU has mapped the file, but looks at it only when it is told to. */
  #empty(): void {
    ftruncateSync(this.#fd, 0);
    ftruncateSync(this.#fd, GUEST_BYTES);
    this.#forget();
    this.#pagesOutside = 0;
  }

  /** No frame has a tag. */
  #forget(): void {
    this.#tagged.clear();
    this.#near.clear();
    this.#byTag.length = 1;
  }

  #untag(frame: number): void {
    const tag = this.#tagged.get(frame);
    if (tag === undefined) return;
    writeSync(this.#fd, ZEROS, 0, 4096, this.#at(frame));
    this.#tagged.delete(frame);
    this.#near.delete(frame);
    this.#byTag[tag] = -1;
  }

  /** Pages of the modelled memory that were written become zero: all up to the last in one go if there are few. */
  #zero(): void {
    const last = Math.max(-1, ...this.#dirty);
    if (last < ZERO_PAGES) writeSync(this.#fd, ZEROS, 0, (last + 1) * 4096, this.#at(RAM_BASE));
    else for (const slot of this.#dirty) writeSync(this.#fd, ZEROS, 0, 4096, this.#at(RAM_BASE + slot));
  }

  /** Has a page changed that is not written yet, other than the one at this byte address? */
  changed(address: number): boolean {
    const memory = this.#memory as Memory;
    const except = memory.slotOf(Math.floor(address / 4096));
    for (let slot = 0; slot < memory.slots; slot += 1) if (slot !== except && memory.version[slot] !== (this.#written[slot] ?? 0)) return true;
    return false;
  }

  /** Every page that has changed is written. */
  mirror(): void {
    const memory = this.#memory as Memory;
    if (memory.slots > this.#written.length) {
      const more = new Int32Array(memory.slots);
      more.set(this.#written);
      this.#written = more;
    }
    const versions = memory.version;
    let count = 0;
    for (let slot = 0; slot < memory.slots; slot += 1) {
      if (versions[slot] !== this.#written[slot]) {
        this.#written[slot] = versions[slot] as number;
        this.#copy(memory, slot, count);
        count += 1;
        if (count < PAGES_AT_ONCE) continue;
        this.#put(slot + 1, count);
      } else if (count > 0) this.#put(slot, count);
      count = 0;
    }
    if (count > 0) this.#put(memory.slots, count);
  }

  /** The `count` pages before `end` are written. */
  #put(end: number, count: number): void {
    writeSync(this.#fd, this.#pages, 0, count * 4096, this.#at(RAM_BASE + end - count));
  }

  #copy(memory: Memory, slot: number, place: number): void {
    const pages = this.#pages;
    const from = slot * WORDS_PER_FRAME;
    const to = place * 2 * WORDS_PER_FRAME;
    for (let i = 0; i < WORDS_PER_FRAME; i += 1) {
      const lo = memory.lo[from + i] as number;
      const hi = memory.hi[from + i] as number;
      pages[to + 2 * i] = lo;
      pages[to + 2 * i + 1] = hi;
      if (lo % 2 === 1) this.#named.add(Math.floor(lo / 4096) + (hi % 65536) * 2 ** 20);
    }
    this.#dirty.add(slot);
  }

  /** Reads `words.length / 2` 64-bit words at a byte address of guest RAM. */
  read(address: number, words: Uint32Array): void {
    readSync(this.#fd, words, 0, words.byteLength, address - GUEST_FIRST * 4096);
  }

  /** These frames, so many, can be recognised from now on; others may be not any more. What a device read there is `tagOf(frame)`. */
  tagAll(frames: Iterable<number>, count: number): void {
    if (this.#byTag.length + count > TAGS_END) {
      this.#small.fill(0);
      for (const frame of this.#tagged.keys()) writeSync(this.#fd, this.#small, 0, TAG_BYTES, this.#at(frame) + TAG_OFFSET);
      this.#forget();
    }
    for (const frame of frames) this.tag(frame);
  }

  /** The frame can be recognised, as long as there is a tag for it. */
  tag(frame: number): void {
    if (!this.isRam(frame) || this.#slotOf(frame) >= 0 || this.#tagged.has(frame) || this.#byTag.length === TAGS_END) return;
    const tag = this.#byTag.length;
    this.#tagged.set(frame, tag);
    this.#byTag.push(frame);
    this.#pagesOutside += 1;
    if (frame >= RAM_BASE && frame < RAM_BASE + NEAR) this.#near.add(frame);
    this.#small.writeUInt16LE(tag, 0);
    writeSync(this.#fd, this.#small, 0, TAG_BYTES, this.#at(frame) + TAG_OFFSET);
  }

  /** Every frame that an access to this input frame may have come out at, had any descriptor so far been used for it. */
  conceivable(frame: number): Set<number> {
    const found = new Set<number>([frame]);
    for (const named of this.#named) for (const span of SPANS) found.add(named - (named % span) + (frame % span));
    return found;
  }

  /** The frame that has a tag; -1: none has it. */
  frameOf(tag: Tag): number {
    return this.#byTag[tag] ?? -1;
  }

  /** Two bytes that a device reads there: the frame's tag, 0 without one, or what the modelled memory holds. */
  tagOf(frame: number): Tag {
    const slot = this.#slotOf(frame);
    if (slot < 0) return this.#tagged.get(frame) ?? 0;
    const memory = this.#memory as Memory;
    return (memory.hi[slot * WORDS_PER_FRAME + READ_OFFSET / 8] as number) % 65536;
  }

  #slotOf(frame: number): number {
    return (this.#memory as Memory).slotOf(frame);
  }

  /** Has a device written to this frame? What stood in the modelled memory comes back with the next mirror(). */
  takeMark(frame: number): boolean {
    if (!this.isRam(frame)) return false;
    readSync(this.#fd, this.#small, 0, MARK_BYTES, this.#at(frame) + WRITE_OFFSET);
    if (!MARKS.includes(this.#small.readUInt32LE(0))) return false;
    const slot = this.#slotOf(frame);
    if (slot < 0) {
      writeSync(this.#fd, ZEROS, 0, 8, this.#at(frame) + WRITE_OFFSET);
      this.#pagesOutside += 1;
    } else {
      this.#written[slot] = -1;
      this.#dirty.add(slot);
    }
    return true;
  }
}
