/**
 * Arrays: typed arrays cut from one buffer. A cache has a dozen of them, and a campaign makes a machine for every run: one buffer each is
 * much cheaper to make and to collect than a dozen.
 */
export class Arrays {
  #buffer: ArrayBuffer;
  #used = 0;

  /** Room for so many bytes; more is taken when that is used up. */
  constructor(bytes: number) {
    this.#buffer = new ArrayBuffer(bytes);
  }

  u8(length: number): Uint8Array {
    return new Uint8Array(this.#buffer, this.#take(length), length);
  }

  u32(length: number): Uint32Array {
    return new Uint32Array(this.#buffer, this.#take(length * 4), length);
  }

  i32(length: number): Int32Array {
    return new Int32Array(this.#buffer, this.#take(length * 4), length);
  }

  f64(length: number): Float64Array {
    return new Float64Array(this.#buffer, this.#take(length * 8), length);
  }

  /** Offset of the next `bytes`, aligned to 8. */
  #take(bytes: number): number {
    const size = Math.ceil(bytes / 8) * 8;
    if (this.#used + size > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(Math.max(size, this.#buffer.byteLength));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += size;
    return at;
  }
}
