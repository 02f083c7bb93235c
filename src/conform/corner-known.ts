/**
 * Corner known: what QEMU is known to do in the corner cases and probes that no SMMU may do, each with the clause by which QEMU and not our
 * reference is the one that is wrong. Whatever is not listed here is news.
 */
export interface KnownCorner {
  /** Slugs of cases and probes that end in it. */
  readonly slugs: readonly string[];
  readonly behaviour: string;
  readonly clause: string;
  /** What a row says that ends in it. */
  readonly says: string;
  /** First version that does it no longer. */
  readonly until?: string;
}

export const KNOWN_CORNERS: readonly KnownCorner[] = [
  {
    slugs: ['reserved-range', 'hint-1-of-16k', 'skipped-command'], says: 'permitted: queue 0 of SMMU 0: CONS at most 0x4 with error 1', clause: '§4.4.1.1: NUM = SCALE = TTL = 0 with TG set is reserved, CERROR_ILL',
    behaviour: 'a TLBI with TG set and NUM, SCALE and TTL zero (TTL = 1 of 16K counts as zero) is taken as one page, without an error',
  },
  {
    slugs: ['aged-without-a-flush'], says: 'answers 0x400000000; permitted: stream 8 at 0x10000000, read: F_ACCESS',
    clause: 'VMSAv8-64 access flag; §5.4 AFFD', until: '10.0', behaviour: 'AF = 0 is not looked at: no F_ACCESS comes',
  },
  {
    slugs: ['window-of-bypass'], says: 'answers 0x50000000; permitted: stream 8 at 0x50000000, read: abort',
    clause: '§6.3.14 GBPA.ABORT', until: '10.0', behaviour: 'GBPA.ABORT is ignored: while SMMUEN is 0 every device reaches memory',
  },
  {
    slugs: ['event-queue-overflows'], says: 'F_TRANSLATION sid 8 read 0x10001fc0; permitted: no event record', clause: '§7.4: a record that finds the queue full toggles EVENTQ_PROD.OVFLG; §7.2: EVENTQ_ABT_ERR is for external aborts, and stops records',
    behaviour: 'a full event queue raises GERROR.EVENTQ_ABT_ERR instead of OVFLG; while that is active, records are written all the same',
  },
  {
    slugs: ['linear-after-two-levels'], says: 'answers C_BAD_STREAMID; permitted: stream 8 at 0x10000000, read: abort',
    clause: '§6.3.25 FMT', behaviour: 'once STRTAB_BASE_CFG.FMT was two-level, a linear stream table is read as a two-level one until QEMU ends',
  },
  {
    slugs: ['command-without-its-feature'], says: 'permitted: queue 0 of SMMU 0: CONS at most 0x4 with error 1',
    clause: '§4.5.1, §4.1.3: CERROR_ILL without IDR0.ATS', behaviour: 'CMD_ATC_INV is taken without ATS',
  },
  {
    slugs: ['reserved-completion-signal'], says: 'permitted: queue 0 of SMMU 0: CONS at most 0x4 with error 1',
    clause: '§4.7.3: CS = 3 is reserved; §7.1: an invalid parameter is CERROR_ILL', behaviour: 'CMD_SYNC with CS = 3 is taken',
  },
  {
    slugs: ['global-entry-and-another-asid'], says: 'answers 0x400000000; permitted: stream 8 at 0x10000000, read: F_TRANSLATION',
    clause: '§3.17.1, §4.4.2.3', behaviour: 'nG = 0 is ignored: entries are tagged with the ASID, and CMD_TLBI_NH_VA with another one leaves them',
  },
  {
    slugs: ['stream-outside-unrecorded'], says: 'answers C_BAD_STREAMID; permitted: stream 72 at 0x10000000, read: abort',
    clause: '§6.3.12 RECINVSID, §7.3.3', behaviour: 'C_BAD_STREAMID is recorded although CR2.RECINVSID is 0',
  },
  {
    slugs: ['output-too-wide'], says: 'answers abort; permitted: stream 8 at 0x10000000, read: F_ADDR_SIZE',
    clause: '§3.4; §7.3.14 F_ADDR_SIZE', until: '10.0', behaviour: 'an output address above CD.IPS goes out',
  },
  {
    slugs: ['read-only-table'], says: 'answers 0x400000000; permitted: stream 9 at 0x10000000, write: F_PERMISSION',
    clause: 'VMSAv8-64 APTable; §5.4 HAD0 is 0', behaviour: 'APTable is ignored: a write goes through a read-only table',
  },
  {
    slugs: ['privileged-page'], says: 'answers 0x400000000; permitted: stream 8 at 0x10000000, read: F_PERMISSION',
    clause: 'VMSAv8-64 AP[1]; §3.3.4', behaviour: 'AP[1] is ignored: unprivileged devices reach privileged pages',
  },
];

function before(version: string, until: string): boolean {
  const [a, b] = [version, until].map((v) => v.split('.').map(Number)) as [number[], number[]];
  return (a[0] ?? 0) !== (b[0] ?? 0) ? (a[0] ?? 0) < (b[0] ?? 0) : (a[1] ?? 0) < (b[1] ?? 0);
}

/** What is known of what a case or probe says on this version, or null. */
export function knownCorner({ slug, text }: { readonly slug: string; readonly text: string }, version: string): KnownCorner | null {
  return KNOWN_CORNERS.find((k) => k.slugs.includes(slug) && text.includes(k.says) && (k.until === undefined || before(version, k.until))) ?? null;
}
