/**
 * Header: the interface of candidates as their authors read it: the C header, with the one command line, and a right candidate in C to start
 * from (single range, as seed 0 describes it; written for this project). Printed by `compare --header` and `compare --example`.
 */

export const COMPILE = 'clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -Wl,--export=plan -Wl,--export-if-defined=room -o mine.wasm mine.c';

export const HEADER = `/*
 * smmucheck_plan.h - the interface of a planner that smmucheck compares
 *
 *   ${COMPILE}
 *   smmucheck compare --candidate ./mine.wasm
 *
 * (Debian: clang and lld.) The module is given nothing: no libc, no imports. plan() must be a pure function of what it is
 * asked: it is asked at most twice per invalidation, for SMMUs with range invalidation and for those without.
 */
#ifndef SMMUCHECK_PLAN_H
#define SMMUCHECK_PLAN_H

typedef unsigned int u32;
typedef unsigned long long u64;

/* What was damaged. At least one level is set, unless everything is. Addresses are bytes, whole granules. */
struct smmucheck_description {
	u64 start;
	u64 last;		/* inclusive: the last byte */
	u32 tg;			/* log2 of the granule: 12, 14 or 16 */
	u32 leaf_levels;	/* bit n: leaves at level 3 - n were changed, runs of contiguous entries included */
	u32 table_levels;	/* bit n: a table descriptor at level 3 - n was removed (bit 0 is never set) */
	u32 everything;		/* not 0: all of the tag; the rest does not matter */
};

/* The SMMU for which is planned. */
struct smmucheck_features {
	u32 range;		/* IDR3.RIL */
	u32 ds;			/* IDR5.DS: SCALE up to 39, TTL = 1 with 16K granules */
};

/* A TLBI command as the queue has it, less opcode and tag: those are added for each SMMU (IHI 0070 4.4.1.1). */
struct smmucheck_command {
	u64 word[2];
};

#define SMMUCHECK_WHOLE_TAG	(-1)
/* Commands that plan() has room for, unless room() is exported as well. */
#define SMMUCHECK_ROOM		512

/* One address; every entry that covers it. leaf: not the table descriptors. */
static inline void smmucheck_single(struct smmucheck_command *c, u64 address, u32 leaf)
{
	c->word[0] = 0;
	c->word[1] = (address & ~0xfffULL) | leaf;
}

/* (num + 1) << scale granules from address on. tg: 12, 14 or 16; ttl: 0 for any level. */
static inline void smmucheck_range(struct smmucheck_command *c, u64 address, u32 num, u32 scale, u32 ttl, u32 tg, u32 leaf)
{
	c->word[0] = ((u64)num << 12) | ((u64)scale << 20);
	c->word[1] = (address & ~0xfffULL) | ((u64)(tg - 10) / 2) << 10 | (u64)ttl << 8 | leaf;
}

/* Writes commands to out and returns how many, or SMMUCHECK_WHOLE_TAG. */
int plan(const struct smmucheck_description *d, const struct smmucheck_features *f, struct smmucheck_command *out);

/* Optional: room for how many commands out must have; up to 262144. */
int room(void);

#endif
`;

export const EXAMPLE = `/*
 * mine.c - one range command where the SMMU has them, at most 512 single addresses where it has not, else the whole tag.
 *
 *   ${COMPILE}
 */
#include "smmucheck_plan.h"

/* log2 of what one entry at this level spans */
static u32 span_log2(u32 tg, int level)
{
	return tg + (tg - 3) * (3 - level);
}

static int deepest(u32 levels)
{
	return 3 - __builtin_ctz(levels);
}

/* The level hint that is right for all that was damaged; 0: none is. */
static int ttl_for(const struct smmucheck_description *d, u32 ds)
{
	int ttl;

	if (!d->leaf_levels)
		ttl = deepest(d->table_levels) + 1;
	else if (d->leaf_levels & (d->leaf_levels - 1))
		ttl = 0;
	else
		ttl = deepest(d->leaf_levels);
	if (d->leaf_levels && d->table_levels && deepest(d->table_levels) + 1 > ttl)
		ttl = 0;
	if (ttl < 0 || (ttl == 1 && d->tg == 14 && !ds))
		ttl = 0;
	if (ttl && d->start & ((1ULL << span_log2(d->tg, ttl)) - 1))
		ttl = 0;
	return ttl;
}

static int plan_range(const struct smmucheck_description *d, u32 ds, struct smmucheck_command *out)
{
	u64 n = ((d->last - d->start) >> d->tg) + 1;
	u64 rest = (n - 1) / 32;
	u32 scale = rest ? 64 - __builtin_clzll(rest) : 0;
	u32 num, ttl = ttl_for(d, ds), leaf = !d->table_levels;

	if (scale > (ds ? 39 : 31))
		return SMMUCHECK_WHOLE_TAG;
	num = (u32)((n + (1ULL << scale) - 1) >> scale) - 1;
	if (!num && !scale && !ttl)
		smmucheck_single(out, d->start, leaf); /* with TG it would be reserved */
	else
		smmucheck_range(out, d->start, num, scale, ttl, d->tg, leaf);
	return 1;
}

static int plan_singles(const struct smmucheck_description *d, struct smmucheck_command *out)
{
	int level = d->leaf_levels ? deepest(d->leaf_levels) : -1;
	u64 step, address, n, i;

	if (d->table_levels && deepest(d->table_levels) > level)
		level = deepest(d->table_levels);
	step = 1ULL << span_log2(d->tg, level);
	address = d->start & ~(step - 1);
	n = (d->last - address) / step + 1;
	if (n > SMMUCHECK_ROOM)
		return SMMUCHECK_WHOLE_TAG;
	for (i = 0; i < n; i++)
		smmucheck_single(&out[i], i ? address + i * step : d->start, !d->table_levels);
	return (int)n;
}

int plan(const struct smmucheck_description *d, const struct smmucheck_features *f, struct smmucheck_command *out)
{
	if (d->everything)
		return SMMUCHECK_WHOLE_TAG;
	return f->range ? plan_range(d, f->ds, out) : plan_singles(d, out);
}
`;
