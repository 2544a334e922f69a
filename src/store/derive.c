#include "store/derive.h"

#include "store/hash.h"
#include "store/terms.h"

#include <stdlib.h>

#include "base/fault.h"

#include "base/banned.h"

void derivation_init(struct derivation *derivation, struct store *store, struct kv_txn *txn,
                     const struct appender *files, uint32_t collection, uint64_t first)
{
    *derivation = (struct derivation){.store = store,
                                      .txn = txn,
                                      .files = files,
                                      .collection = collection,
                                      .first = first,
                                      .next = first};
    gather_init(&derivation->gather, first, store->seed);
}

void derivation_free(struct derivation *derivation)
{
    gather_free(&derivation->gather);
    table_free(derivation->superseded);
    derivation->superseded = NULL;
    derivation->superseded_count = derivation->superseded_capacity = 0;
}

static uint32_t collection_of(const struct derivation *derivation, uint64_t seq)
{
    struct record record;
    const uint8_t *bytes = derivation->files != NULL ? appender_record_at(derivation->files, seq)
                                                     : files_record(&derivation->store->files, seq);

    /* A record whose bytes have changed is in no collection: it is found by the checks. */
    return record_decode(bytes, &record) ? record.collection : 0;
}

static void held_note(struct held *held, const struct derivation *derivation, uint64_t us,
                      uint32_t rest, const struct id_version *version)
{
    bool is_same = version_order(us, rest, version) == 0;
    /* This import's own additions are all in this collection. */
    bool is_here = version->seq >= derivation->first ||
                   collection_of(derivation, version->seq) == derivation->collection;

    if (is_here && is_same) {
        held->is_here = true;
        held->here = version->seq;
    }
    if (!is_here && is_same && !held->is_elsewhere) {
        held->is_elsewhere = true;
        held->elsewhere = version->seq;
    }
    if (is_here &&
        (!held->has_newest || version_order(version->us, version->rest, &held->newest) > 0)) {
        held->has_newest = true;
        held->newest = *version;
    }
}

void derivation_look_up(struct derivation *derivation, const struct record *record,
                        struct held *held)
{
    const struct gather *gather = &derivation->gather;
    uint64_t us = record_key_us(record);
    uint32_t rest = record_key_rest(record);
    struct id_version version;
    struct id_walk walk;

    *held = (struct held){0};
    if (gather->first_seq > 0) {
        id_open(&walk, derivation->txn, &record->uuid, record->type);
        /* An entry past what may be looked at is the remains of nothing we know. */
        while (id_next(&walk, &version))
            if (version.seq < derivation->next)
                held_note(held, derivation, us, rest, &version);
        id_close(&walk);
    }
    for (uint32_t at = gather_find(gather, &record->uuid, record->type); at != 0;
         at = gather->ids[at - 1].previous) {
        const struct gather_id *id = &gather->ids[at - 1];

        held_note(held, derivation, us, rest,
                  &(struct id_version){id->us, id->rest, gather->first_seq + at - 1});
    }
}

static void supersede(struct derivation *derivation, uint64_t seq)
{
    uint64_t *moved = derivation->superseded;

    if (derivation->superseded_count == derivation->superseded_capacity)
        moved = FAULT_HERE()
                    ? NULL
                    : table_grow(moved, &derivation->superseded_capacity,
                                 derivation->superseded_count + 1, ADDITIONS_MAX, sizeof(*moved));
    if (moved == NULL) {
        derivation->out_of_memory = true;
        return;
    }
    derivation->superseded = moved;
    moved[derivation->superseded_count++] = seq;
}

void derivation_add(struct derivation *derivation, const struct record *record,
                    const struct held *held, slice terms)
{
    uint8_t bytes[TERM_BYTES_MAX];
    uint64_t seq = derivation->next++;
    struct term term;
    slice rest;

    for (rest = terms; term_next(&rest, &term);)
        gather_expect_term(&derivation->gather, term.hash);
    if (held->has_newest) {
        bool is_newer =
            version_order(record_key_us(record), record_key_rest(record), &held->newest) > 0;
        supersede(derivation, is_newer ? held->newest.seq : seq);
    }
    gather_add(&derivation->gather, record);
    term.bytes = term_type(record->type, bytes);
    term.hash = store_hash64(term.bytes, derivation->store->seed);
    gather_term(&derivation->gather, &term, seq);
    for (rest = terms; term_next(&rest, &term);)
        gather_term(&derivation->gather, &term, seq);
}

static int seq_compare(const void *a, const void *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

void derivation_finish(struct derivation *derivation, struct kv_txn *txn, int64_t added_us)
{
    uint64_t count = derivation->next - derivation->first;

    if (derivation->out_of_memory && succeeded(txn->state))
        txn->state = diag_fail(txn->diag, ERR_LIMIT, "no memory to derive the indexes");
    if (count == 0 || failed(txn->state))
        return;
    if (derivation->superseded_count > 0)
        qsort(derivation->superseded, derivation->superseded_count, sizeof(*derivation->superseded),
              seq_compare);
    dead_set(txn, DEAD_SUPERSEDED, derivation->superseded, derivation->superseded_count, true);
    run_add(txn, derivation->collection, derivation->first, count);
    count_add(txn, derivation->collection, (int64_t)count - (int64_t)derivation->superseded_count);
    date_put(txn, derivation->first, added_us);
    meta_put(txn, META_SEQ_END, derivation->next);
}
