/**
 * Operation: one call of the driver's interface, one device access, or one act of the environment. Pure data.
 * Addresses and sizes are bytes (numbers below 2^53).
 */

export type Prot = 'r' | 'rw';
export type Target = number | 'identity' | 'blocked';

export type Operation =
  /** Map [iova, iova + size) to [pa, pa + size); page sizes are the driver's choice. */
  | { readonly op: 'map'; readonly domain: number; readonly iova: number; readonly pa: number; readonly size: number; readonly prot: Prot }
  /** Take a fully mapped range away. Strict: gone when `sync` returns; lazy: queued. */
  | { readonly op: 'unmap'; readonly domain: number; readonly iova: number; readonly size: number }
  | { readonly op: 'sync'; readonly domain: number }
  /** Make a device use a domain, pass untranslated, or be blocked; replaces what it used before. */
  | { readonly op: 'attach'; readonly device: number; readonly to: Target }
  /** Take a device off whatever it uses; it is blocked afterwards. */
  | { readonly op: 'detach'; readonly device: number }
  /** One access by the device's `stream`-th StreamID. */
  | { readonly op: 'access'; readonly device: number; readonly stream: number; readonly iova: number; readonly write: boolean }
  /** Managed domains: hand the address range out / give it back (lazy: it waits for a flush). */
  | { readonly op: 'iova-alloc'; readonly domain: number; readonly iova: number; readonly size: number }
  | { readonly op: 'iova-free'; readonly domain: number; readonly iova: number; readonly size: number }
  /** Lazy domains: invalidate everything of the domain and release the waiting ranges. */
  | { readonly op: 'flush-all'; readonly domain: number }
  /** The next memory allocation of the driver fails. */
  | { readonly op: 'fail-next-allocation' }
  /** The `line`-th dirty line of the tables (by address, modulo their number) is written back to where walkers that are not coherent see it. */
  | { readonly op: 'evict'; readonly line: number };

export type OperationKind = Operation['op'];
export const OPERATION_KINDS: readonly OperationKind[] = [
  'map', 'unmap', 'sync', 'attach', 'detach', 'access', 'iova-alloc', 'iova-free', 'flush-all', 'fail-next-allocation', 'evict',
];

/** What a call returns: 'ok' or why it was refused; a refused call changes nothing. */
export type Result = 'ok' | ErrorCode;
export type ErrorCode =
  | 'unknown-domain' | 'unknown-device' | 'unknown-stream'
  | 'unaligned' | 'out-of-range' | 'too-large' | 'already-mapped' | 'not-mapped' | 'partial-block'
  | 'already-attached' | 'not-attached' | 'incompatible' | 'no-tags' | 'no-memory'
  | 'iova-busy' | 'iova-not-allocated' | 'iova-in-use' | 'not-managed' | 'not-lazy';

/** One sentence for each refusal: what it means and what to do. */
export const ERRORS: Readonly<Record<ErrorCode, string>> = {
  'unknown-domain': 'the world has no domain of that number',
  'unknown-device': 'the world has no device of that number',
  'unknown-stream': 'the device has no stream of that index',
  unaligned: 'address and size must be non-zero multiples of 4096',
  'out-of-range': 'the range does not fit the input or output address size',
  'too-large': 'the mapping needs more than 262144 entries: split it, or choose an output address that allows blocks',
  'already-mapped': 'a page of the range is mapped already: unmap it first',
  'not-mapped': 'a page of the range is not mapped',
  'partial-block': 'the range cuts a block mapping: unmap the whole block',
  'already-attached': 'the device uses that domain already',
  'not-attached': 'the device is attached to nothing',
  incompatible: 'the SMMU does not look into the CPU caches, and the tables of that domain are not cleaned: make the domain with "coherent": false',
  'no-tags': 'no ASID is left on that SMMU instance',
  'no-memory': 'the driver could not allocate memory',
  'iova-busy': 'part of the range is handed out, mapped, or waits for a flush',
  'iova-not-allocated': 'the range is not handed out as a whole',
  'iova-in-use': 'part of the range is still mapped',
  'not-managed': 'no IOVA allocator stands in front of that domain',
  'not-lazy': 'only lazy domains have a flush queue',
};

/** Page sizes of a 4 KB granule domain, largest first, bytes. */
export const PAGE_SIZES: readonly number[] = [2 ** 30, 2 ** 21, 2 ** 12];

/** The largest page size that fits at iova and pa within `left` bytes: how the core splits a mapping. */
export function pageSizeFor(iova: number, pa: number, left: number): number {
  for (const size of PAGE_SIZES) {
    if (size <= left && iova % size === 0 && pa % size === 0) return size;
  }
  return 4096;
}
