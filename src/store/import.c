#include "base/metrics.h"
#include "ledger/ledger.h"
#include "store/entries.h"
#include "store/merkle.h"
#include "store/pipeline.h"
#include "store/types.h"
#include "store/writer.h"

#include "base/banned.h"

#define AHEAD 4 /* objects whose place in memory is asked for before their turn */

struct import {
    const struct import_options *options; /* borrowed */
    struct import_counts *counts;         /* borrowed */
    struct writer writer;
    struct types types;
    struct merkle merkle;
};

static void report(const struct import *import, const struct batch *batch, size_t i,
                   enum import_outcome outcome, slice reason)
{
    const struct checked *object = &batch->objects[i];

    if (import->options->report == NULL)
        return;
    import->options->report(import->options->context, &(struct import_report){
                                                          .outcome = outcome,
                                                          .index = batch->first_index + i,
                                                          .offset = batch->offsets[i],
                                                          .id = object->id,
                                                          .version = object->record.version,
                                                          .has_version = object->record.has_version,
                                                          .reason = reason,
                                                          .findings = object->findings,
                                                      });
}

static bool same_hash(const struct import *import, uint64_t seq, const struct record *record)
{
    struct record held;

    return record_decode(appender_record_at(&import->writer.files, seq), &held) &&
           hash256_eq(&held.hash, &record->hash);
}

/* What becomes of an object that passed its check. */
static enum import_outcome outcome_of(const struct import *import, const struct record *record,
                                      const struct held *held)
{
    if (held->is_here)
        return same_hash(import, held->here, record) ? IMPORT_HELD : IMPORT_CONFLICT;
    if (held->is_elsewhere && !same_hash(import, held->elsewhere, record))
        return IMPORT_CONFLICT;
    if (!held->has_newest)
        return IMPORT_TAKEN;
    return version_order(record_key_us(record), record_key_rest(record), &held->newest) > 0
               ? IMPORT_REPLACED
               : IMPORT_OLDER;
}

/* Another collection's copy serves when it is the same to the byte. */
static bool text_shared(const struct import *import, const struct held *held, slice text,
                        struct record *record)
{
    struct record other;

    if (!held->is_elsewhere || held->elsewhere >= import->writer.seq_first ||
        !record_decode(files_record(import->writer.files.files, held->elsewhere), &other) ||
        other.text_bytes != text.len || other.text_check != record->text_check ||
        !slice_eq(files_text(import->writer.files.files, other.text_at, other.text_bytes), text))
        return false;
    record->text_at = other.text_at;
    return true;
}

static void object_store(struct import *import, const struct batch *batch,
                         const struct checked *object, struct record *record,
                         const struct held *held)
{
    slice text = slice_of(batch->texts.at + object->text_at, object->text_bytes);
    slice terms = slice_of(batch->terms.at + object->terms_at, object->terms_bytes);

    if (!text_shared(import, held, text, record))
        appender_text(&import->writer.files, text, record);
    appender_record(&import->writer.files, record);
    derivation_add(&import->writer.derivation, record, held, terms);
    merkle_add(&import->merkle, &object->leaf);
}

static uint64_t *counter_of(struct import_counts *counts, enum import_outcome outcome)
{
    switch (outcome) {
    case IMPORT_TAKEN:
        return &counts->taken;
    case IMPORT_REPLACED:
        return &counts->replaced;
    case IMPORT_OLDER:
        return &counts->older;
    case IMPORT_HELD:
        return &counts->held;
    case IMPORT_CONFLICT:
        return &counts->conflicts;
    case IMPORT_REFUSED:
        break;
    }
    return &counts->refused;
}

static void object_take(struct import *import, const struct batch *batch, size_t i)
{
    const struct checked *object = &batch->objects[i];
    struct record record = object->record;
    enum import_outcome outcome = IMPORT_REFUSED;
    slice reason = object->reason;
    struct held held;

    import->counts->warned += object->warned && !object->refused ? 1 : 0;
    if (!object->refused && !types_intern(&import->types, object->type, &record.type)) {
        reason = SLICE("type: too many new types, a store holds 65535 and an import brings 4096");
    } else if (!object->refused) {
        record.collection = import->options->collection;
        derivation_look_up(&import->writer.derivation, &record, &held);
        outcome = outcome_of(import, &record, &held);
        if (outcome == IMPORT_CONFLICT)
            reason = SLICE("this version is held with other content; the first is kept");
        if (outcome == IMPORT_TAKEN || outcome == IMPORT_REPLACED || outcome == IMPORT_OLDER)
            object_store(import, batch, object, &record, &held);
    }
    ++*counter_of(import->counts, outcome);
    report(import, batch, i, outcome, reason);
}

/* A cut or broken stream keeps what stood in front of the break, when that was asked for. */
static result stream_broke(struct import *import, const struct batch *batch, struct diag *diag)
{
    if (!import->options->broken_ok || batch->state.code != ERR_INVALID)
        return diag_fail(diag, batch->state.code, "%s", batch->diag.text);
    import->counts->refused++;
    if (import->options->report != NULL)
        import->options->report(import->options->context,
                                &(struct import_report){
                                    .outcome = IMPORT_REFUSED,
                                    .index = import->counts->taken + import->counts->replaced +
                                             import->counts->older + import->counts->held +
                                             import->counts->conflicts + import->counts->refused -
                                             1,
                                    .reason = slice_text(batch->diag.text),
                                });
    return OK;
}

static result stream_take(struct import *import, struct source *source, struct pipeline *pipeline,
                          struct diag *diag)
{
    uint64_t objects = 0;

    for (;;) {
        const struct batch *batch = pipeline_next(pipeline);

        if (failed(batch->state))
            return stream_broke(import, batch, diag);
        if (batch->is_last)
            return OK;
        for (size_t i = 0; i < batch->count; i++) {
            if (i + AHEAD < batch->count)
                gather_expect_id(&import->writer.derivation.gather,
                                 &batch->objects[i + AHEAD].record.uuid);
            object_take(import, batch, i);
        }
        TRY(import->writer.files.state);
        TRY(import->writer.txn.state);
        TRY(writer_spill(&import->writer));
        import->counts->bytes =
            batch->offsets[batch->count - 1] + batch->inputs[batch->count - 1].len;
        objects += batch->count;
        if (import->options->progress != NULL)
            import->options->progress(import->options->context, batch->bytes_taken,
                                      source_bytes_total(source), objects);
    }
}

static result import_finish(struct import *import, struct diag *diag)
{
    struct writer *writer = &import->writer;
    uint64_t count = writer->derivation.next - writer->seq_first;

    if (count == 0 || import->options->dry_run)
        return OK;
    TRY(diag_within(diag, writer_seal(writer), "%llu objects are not kept",
                    (unsigned long long)count));
    struct kv_txn *txn = &writer->txn;
    int64_t now = writer->store->world->now_us(writer->store->world->context);
    types_finish(&import->types, txn, now);
    int64_t added = ledger_next_us(txn, TABLE_LOG, now);
    derivation_finish(&writer->derivation, txn, added);
    entry_objects(txn, added,
                  &(struct objects_entry){.collection = import->options->collection,
                                          .first = writer->seq_first,
                                          .count = count,
                                          .root = merkle_root(&import->merkle),
                                          .origin = import->options->origin,
                                          .actor = import->options->actor,
                                          .counts = import->counts});
    import->counts->added_first_us = added;
    import->counts->added_last_us = added + (int64_t)count - 1;
    return diag_within(diag, writer_commit(writer), "%llu objects are not kept",
                       (unsigned long long)count);
}

static void count_metrics(const struct import_counts *counts)
{
    metric_add(METRIC_objects_taken, counts->taken + counts->replaced + counts->older);
    metric_add(METRIC_objects_held_already, counts->held);
    metric_add(METRIC_objects_refused, counts->refused);
    metric_add(METRIC_objects_conflicting, counts->conflicts);
}

static result import_run(struct import *import, struct store *store, struct source *source,
                         struct diag *diag)
{
    CLEANUP(pipeline_close) struct pipeline *pipeline = NULL;
    struct collection collection;

    TRY(pipeline_open(source, import->options, store->seed, &pipeline, diag));
    TRY(writer_begin(store, import->options->patience_ms, &import->writer, diag));
    import->writer.derivation.collection = import->options->collection;
    if (!collection_get(&import->writer.txn, import->options->collection, &collection)) {
        TRY(import->writer.txn.state);
        return diag_fail(diag, ERR_MISSING, "there is no collection %u",
                         import->options->collection);
    }
    types_init(&import->types, &import->writer.txn);
    TRY(stream_take(import, source, pipeline, diag));
    TRY(import_finish(import, diag));
    if (!import->options->dry_run)
        count_metrics(import->counts);
    return OK;
}

result store_import(struct store *store, struct source *source,
                    const struct import_options *options, struct import_counts *counts,
                    struct diag *diag)
{
    size_t capacity = 0;
    struct import *import = table_grow(NULL, &capacity, 1, 1, sizeof(*import));

    *counts = (struct import_counts){0};
    if (import == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for an import");
    memset(import, 0, sizeof(*import));
    import->options = options;
    import->counts = counts;
    result r = import_run(import, store, source, diag);
    types_free(&import->types);
    writer_end(&import->writer);
    table_free(import);
    return r;
}
