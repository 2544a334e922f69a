#include "store/branch.h"

#include "base/banned.h"

struct branch *branch_new(struct branches *branches, enum branch_kind kind)
{
    if (branches->count == branches->capacity)
        return NULL;
    struct branch *branch = &branches->at[branches->count++];
    *branch = (struct branch){.kind = kind};
    return branch;
}

static uint64_t version_seek(struct branch *branch, uint64_t target)
{
    uint8_t key[VERSION_KEY_BYTES];
    struct kv_cursor *cursor = &branch->version.cursor;

    version_key_make(branch->version.us, branch->version.rest, target, key);
    if (!kv_seek(cursor, slice_of(key, sizeof(key))) || cursor->key.len != VERSION_KEY_BYTES ||
        memcmp(cursor->key.at, key, VERSION_KEY_BYTES - SEQ_BYTES) != 0)
        return SEQ_NONE;
    return bytes_get(cursor->key.at + VERSION_KEY_BYTES - SEQ_BYTES, SEQ_BYTES);
}

/* By steps that double, then by halves: near targets are found at once, far ones soon. */
static size_t seqs_from(const uint64_t *at, size_t count, size_t from, uint64_t target)
{
    size_t step = 1, low = from, high;

    while (from + step < count && at[from + step] < target) {
        low = from + step;
        step *= 2;
    }
    high = from + step < count ? from + step + 1 : count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (at[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t bits_from(const uint64_t *words, uint64_t end, uint64_t target)
{
    uint64_t index = target / 64;

    if (target >= end)
        return SEQ_NONE;
    uint64_t word = words[index] & UINT64_MAX << target % 64;
    while (word == 0) {
        if (++index * 64 >= end)
            return SEQ_NONE;
        word = words[index];
    }
    return index * 64 + (uint64_t)__builtin_ctzll(word);
}

static uint64_t branch_seek(struct branch *branch, uint64_t target)
{
    switch (branch->kind) {
    case BRANCH_POSTING:
        return posting_seek(&branch->posting, target);
    case BRANCH_VERSION:
        return version_seek(branch, target);
    case BRANCH_SEQS:
        branch->seqs.next =
            seqs_from(branch->seqs.at, branch->seqs.count, branch->seqs.next, target);
        return branch->seqs.next < branch->seqs.count ? branch->seqs.at[branch->seqs.next]
                                                      : SEQ_NONE;
    case BRANCH_BITS:
        return bits_from(branch->bits.words, branch->bits.end, target);
    }
    return SEQ_NONE;
}

void branch_start(struct branch *branch)
{
    branch->seq = branch_seek(branch, 0);
}

uint64_t branches_seek(struct branches *branches, uint64_t target)
{
    uint64_t least = SEQ_NONE;

    for (size_t i = 0; i < branches->count; i++) {
        struct branch *branch = &branches->at[i];

        if (branch->seq < target)
            branch->seq = branch_seek(branch, target);
        if (branch->seq < least)
            least = branch->seq;
    }
    return least;
}

bool branches_contain(struct branches *branches, uint64_t seq)
{
    for (size_t i = 0; i < branches->count; i++) {
        struct branch *branch = &branches->at[i];

        if (branch->kind == BRANCH_POSTING)
            posting_rewind(&branch->posting);
        else if (branch->kind == BRANCH_SEQS)
            branch->seqs.next = 0;
        if (branch_seek(branch, seq) == seq)
            return true;
    }
    return false;
}

void branches_close(struct branches *branches)
{
    for (size_t i = 0; i < branches->count; i++) {
        if (branches->at[i].kind == BRANCH_POSTING)
            posting_close(&branches->at[i].posting);
        else if (branches->at[i].kind == BRANCH_VERSION)
            kv_cursor_close(&branches->at[i].version.cursor);
    }
    branches->count = 0;
}
