/* The sieve: which lines of a block may hold a value that some rule asks for, at memory speed.
 *
 * A rule asks for exact values of which an event must hold one (its guard).  The sieve holds the
 * guards of all rules in tables, finds the fields of a line that may hold such a value without
 * reading the line, and names the lines in which one does.  It errs on one side alone: it may name
 * a line in which no rule hits, and never leaves out one that telemetry_read and the rules would
 * hit. What it cannot judge (escapes, lists in lists, names beyond ASCII) it names.
 *
 *     sieve_build_of(ruleset, &sieve, diag)                     once for a set of rules
 *     sieve_lens_new(sieve, map, map->shape, &lens, diag)       once for a format
 *     sieve_block(lens, scratch, block, &lines, diag)           for each block of whole lines
 *
 * A sieve and a lens are const once made: any number of threads; a scratch belongs to one thread.
 */
#pragma once

#include "scan/rules.h"
#include "telemetry/map.h"

#define SIEVE_GUARDS_MAX ((size_t)1 << 26)
#define SIEVE_BLOCK_BYTES_MAX ((size_t)1 << 31)
#define SIEVE_PATHS_MAX 4096 /* distinct paths of guards; past it each field is looked at */

/* What the sieve is made of; all of it is borrowed during the build. */
struct sieve_guards {
    void (*guard)(const void *context, size_t index, struct guard *out);
    const void *context;
    size_t count;
    const struct open_path *opens;
    size_t open_count;
};

struct sieve;

/* *out is owned.  Fails ERR_LIMIT without memory or over a limit above. */
MUST_USE result sieve_build(const struct sieve_guards *guards, struct sieve **out,
                            struct diag *diag);
MUST_USE result sieve_build_of(const struct ruleset *set, struct sieve **out, struct diag *diag);
void sieve_free(struct sieve **sieve);

/* One run of bytes without pointers: to be saved, and mapped back by sieve_open, which borrows it
 * (aligned to 64 bytes).  ERR_CORRUPT when it is none. */
slice sieve_bytes(const struct sieve *sieve);
MUST_USE result sieve_open(slice bytes, const struct sieve **out, struct diag *diag);

/* ---- a format ---- */

struct sieve_lens;

/* shape: of the reader that will read the lines named (a format may give a map another shape). */
MUST_USE result sieve_lens_new(const struct sieve *sieve, const struct telemetry_map *map,
                               enum telemetry_shape shape, struct sieve_lens **out,
                               struct diag *diag);
void sieve_lens_free(struct sieve_lens **lens);
/* False when every line would be let through: a shape other than JSON, rules that look at all. */
bool sieve_lens_sifts(const struct sieve_lens *lens);

/* How the lines are looked at; all levels name the same lines but for those they let through. */
enum sieve_level { SIEVE_PLAIN, SIEVE_AVX2, SIEVE_AVX512 };
enum sieve_level sieve_level_best(void);
/* For tests and measurements; one that the machine lacks is not taken: false. */
bool sieve_lens_set_level(struct sieve_lens *lens, enum sieve_level level);

/* ---- a block ---- */

struct sieve_scratch; /* of one thread */
MUST_USE result sieve_scratch_new(struct sieve_scratch **out, struct diag *diag);
void sieve_scratch_free(struct sieve_scratch **scratch);

struct sieve_line {
    uint32_t start, len; /* in the block, without "\n" */
    uint32_t number;     /* in the block, from 0 */
};

/* Reused from block to block; {0} at first. */
struct sieve_lines {
    struct sieve_line *at; /* owned, in order */
    size_t count, capacity;
    uint64_t line_count; /* of the block */
};
void sieve_lines_free(struct sieve_lines *lines);

/* block: whole lines, the last may lack its "\n".  Fails ERR_LIMIT over SIEVE_BLOCK_BYTES_MAX and
 * without memory. */
MUST_USE result sieve_block(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                            slice block, struct sieve_lines *out, struct diag *diag);
