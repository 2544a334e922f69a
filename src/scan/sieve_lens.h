/* A lens: which fields of one format the sieve looks at, and how the levels find them. */
#pragma once

#include "scan/sieve_lookup.h"

#define LENS_KEYS_MAX 4096
#define LENS_ENTRIES_MAX 16384
#define LENS_HEADS 4096
#define LENS_BUCKETS 8
#define WINDOW_BYTES ((size_t)64 << 10) /* of whole lines; a longer line is let through */
#define WINDOW_BYTES_USUAL                                                                         \
    ((size_t)32 << 10) /* what it holds is read twice, from the near cache                         \
                        */
#define WINDOW_WORDS (WINDOW_BYTES / 64 + 2)
#define SHUFFLES 512

/* Where a key's values go. */
enum sieve_queue {
    QUEUE_ADDRESS, /* ways of their own: one thing each */
    QUEUE_NAME,
    QUEUE_HOST, /* a name that is also a URL's host */
    QUEUE_HASH,
    QUEUE_PATH, /* waits for a host of its line */
    QUEUE_OTHER,
    QUEUE_COUNT,
};

/* The last part of a field's name: what stands before the quote of a JSON key. */
struct sieve_key {
    uint64_t tail, mask; /* its last bytes, folded, with what stands before it */
    uint32_t uses;
    uint32_t inner_uses; /* further ones, within an object whose key is marked `inner` */
    uint64_t inner;      /* a bit for each such key; all: whatever stands before */
    uint64_t mark;       /* what its own objects are marked with; 0: no field is told by it */
    uint8_t queue;
};

/* A key as it is found: by the last four bytes before the quote. */
struct sieve_entry {
    uint64_t tail, mask;
    uint16_t key, next; /* the next of the same hash; 0, which fits all, is of no key */
};

#define LENS_MARKS_MAX 63

struct sieve_mark {
    uint32_t at;
    uint64_t bit;
};

/* Digits of a dotted address put into three places each; by the positions of its dots and end. */
struct sieve_shuffle {
    uint8_t places[16];
};

struct sieve_lens {
    const struct sieve *sieve; /* borrowed */
    enum telemetry_shape shape;
    enum sieve_level level;
    bool is_open;  /* each line counts */
    bool is_empty; /* no field is of interest */
    bool has_urls; /* a host of a URL is asked for, and a field for its path is there */
    uint16_t heads[LENS_HEADS];
    uint16_t short_keys[256]; /* of one letter, by it */
    struct sieve_entry entries[LENS_ENTRIES_MAX];
    size_t entry_count;                   /* from 1 */
    struct sieve_key keys[LENS_KEYS_MAX]; /* from 1 */
    size_t key_count;
    slice marks[LENS_MARKS_MAX]; /* keys of objects */
    size_t mark_count;
    /* For bytes by their low six bits: the buckets of the keys that end so. */
    uint8_t last[64], before[64];
    uint64_t pairs[16]; /* a bit for the low five bits of each two bytes that a key may end in */
    uint64_t tail_masks[SIEVE_TAIL_BYTES + 1][4];
    uint32_t shuffle_factor;        /* no two positions share a slot */
    uint16_t shuffle_ids[SHUFFLES]; /* the positions that belong here */
    struct sieve_shuffle shuffles[SHUFFLES];
    /* Fields by name, for tables. */
    const struct telemetry_map *map; /* borrowed */
};

struct sieve_probe {
    uint64_t hash;
    uint32_t at;
    uint32_t queue;
};

/* Each list has room for what a window can hold. */
struct sieve_scratch {
    uint32_t found[WINDOW_BYTES + 128];
    uint64_t ends[WINDOW_WORDS]; /* a bit for each "\n" of the window */
    uint64_t end_count;
    uint32_t queue[QUEUE_COUNT][WINDOW_BYTES / 2 + 64];
    uint32_t counts[QUEUE_COUNT];
    uint32_t uses[WINDOW_BYTES / 2 + 64]; /* of QUEUE_OTHER */
    uint32_t addresses[WINDOW_BYTES / 2 + 64];
    uint32_t address_at[WINDOW_BYTES / 2 + 64];
    struct sieve_probe probes[WINDOW_BYTES + 64];
    uint32_t hosts[WINDOW_BYTES / 2 + 64]; /* values that are the host of a URL asked for */
    size_t host_count;
    struct sieve_mark marks[WINDOW_BYTES / 2 + 64];
    size_t mark_count;
    uint32_t hits[4 * WINDOW_BYTES]; /* places in lines that count */
    size_t hit_count;
};

/* The rules' uses of a field by its whole name; 0: of no interest. */
uint32_t sieve_field_uses(const struct sieve_lens *lens, slice field);

/* One window of whole lines.  block and limit: what may be read. */
typedef void sieve_window(const struct sieve_lens *lens, struct sieve_scratch *scratch,
                          const char *block, size_t from, size_t to, size_t limit);
sieve_window sieve_json_plain;
#ifdef ENTENTE_X86
sieve_window sieve_json_avx2;
sieve_window sieve_json_avx512;
#endif

static inline uint32_t shuffle_slot(uint32_t factor, uint32_t positions)
{
    return positions * factor >> 23; /* below SHUFFLES */
}

static inline size_t lens_head(uint64_t tail)
{
    return (uint32_t)(tail >> 32) * 0x9E3779B1u >> 20;
}
