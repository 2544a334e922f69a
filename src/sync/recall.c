#include "sync/recall.h"

#include <inttypes.h>
#include <stdio.h>

#include "agreement/release.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define KEY_BYTES_MAX 400
#define ID_BYTES_MAX 150
#define GIVEN_MAX 100
#define HEAD "recall "
#define HEAD_ANSWER "answer "
#define HEAD_OBJECT "recalled "

struct key {
    char bytes[KEY_BYTES_MAX];
};

static slice key_of(struct key *key, const char *head, slice id, slice more)
{
    int bytes = snprintf(key->bytes, sizeof(key->bytes), "%s%.*s%s%.*s", head,
                         SLICE_ARG(slice_head(id, ID_BYTES_MAX)), more.len > 0 ? " " : "",
                         SLICE_ARG(slice_head(more, ID_BYTES_MAX)));

    return slice_of(key->bytes, (size_t)bytes);
}

static bool id_is_good(slice id)
{
    return slice_starts(id, SLICE("recall--")) && id.len <= ID_BYTES_MAX;
}

/* ---- entries and rows ---- */

static bool recall_read(struct value entry, struct arena *arena, struct recall *out)
{
    out->reason = SLICE("");
    (void)value_text(value_get(entry, SLICE("reason")), arena, &out->reason);
    (void)value_text(value_get(entry, SLICE("actor")), arena, &out->actor);
    (void)value_date(value_get(entry, SLICE("at")), &out->at_us);
    return value_text(value_get(entry, SLICE("recall")), arena, &out->id) && id_is_good(out->id) &&
           value_texts(value_get(entry, SLICE("objects")), arena, &out->objects) &&
           out->objects.count <= RECALL_OBJECTS_MAX;
}

static void number_put(struct kv_txn *txn, kv_table table, slice key, uint64_t number)
{
    CLEANUP(buf_free) struct buf text = BUF(64);

    buf_u64(&text, number);
    kv_put(txn, table, key, buf_slice(&text));
}

bool recall_apply(const struct sync_place *place, struct kv_txn *txn, uint64_t number,
                  struct value entry, struct arena *arena)
{
    struct recall recall = {0};
    struct key key;

    if (!recall_read(entry, arena, &recall))
        return false;
    number_put(txn, place->table, key_of(&key, HEAD, recall.id, SLICE("")), number);
    for (size_t i = 0; i < recall.objects.count; i++)
        number_put(txn, place->table, key_of(&key, HEAD_OBJECT, recall.objects.at[i], SLICE("")),
                   number);
    return true;
}

bool recall_apply_receipt(const struct sync_place *place, struct kv_txn *txn, struct value entry,
                          struct arena *arena)
{
    struct value receipt = value_get(entry, SLICE("receipt"));
    struct value list = value_get(receipt, SLICE("results"));
    slice partner, id, outcome, at;
    struct key key;

    if (!value_text(value_get(entry, SLICE("partner")), arena, &partner) ||
        !value_text(value_get(entry, SLICE("at")), arena, &at))
        return false;
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        struct value one = {list.doc, each.value};

        if (!value_text(value_get(one, SLICE("id")), arena, &id) || !id_is_good(id) ||
            !value_text(value_get(one, SLICE("outcome")), arena, &outcome))
            continue;
        slice text = arena_printf(arena, "%.*s %.*s", SLICE_ARG(at), SLICE_ARG(outcome));
        if (text.at == NULL)
            return false;
        kv_put(txn, place->table, key_of(&key, HEAD_ANSWER, id, partner), text);
    }
    return true;
}

result recall_note(const struct sync_place *place, const struct recall *recall, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);

    if (recall->objects.count > RECALL_OBJECTS_MAX || recall->reason.len > RECALL_REASON_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a recall has at most %d objects and %d bytes of reason",
                         RECALL_OBJECTS_MAX, RECALL_REASON_BYTES_MAX);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), recall->actor);
    jw_key(&w, SLICE("objects"));
    jw_array_begin(&w);
    for (size_t i = 0; i < recall->objects.count; i++)
        jw_string(&w, recall->objects.at[i]);
    jw_array_end(&w);
    jw_put_string(&w, SLICE("reason"), recall->reason);
    jw_put_string(&w, SLICE("recall"), recall->id);
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the recall is too long for an entry of the log");
    return sync_note(place, SYNC_RECALL, buf_slice(&body), diag);
}

/* ---- reading ---- */

static bool entry_read(const struct sync_place *place, struct kv_txn *txn, slice stored,
                       struct arena *arena, struct recall *out)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct reader reader = READER(stored);
    struct json_doc doc;
    slice text;

    *out = (struct recall){.number = read_u64(&reader)};
    if (reader.broken || !ledger_read(txn, place->keep.log, out->number, &text))
        return false;
    slice kept = arena_copy(arena, text);
    if (kept.at == NULL || failed(json_parser_new(LEDGER_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, kept, &doc, NULL)))
        return false;
    doc.text = kept;
    return recall_read((struct value){&doc, doc.nodes}, arena, out);
}

bool recall_at(const struct sync_place *place, struct kv_txn *txn, size_t index,
               struct arena *arena, struct recall *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    size_t count = 0;

    kv_cursor_open(txn, place->table, &cursor);
    for (bool more = kv_seek(&cursor, SLICE(HEAD)); more && slice_starts(cursor.key, SLICE(HEAD));
         more = kv_next(&cursor))
        if (count++ == index)
            return entry_read(place, txn, cursor.value, arena, out);
    return false;
}

bool recall_find(const struct sync_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                 struct recall *out)
{
    struct key key;
    slice stored;

    return kv_get(txn, place->table, key_of(&key, HEAD, id, SLICE("")), &stored) &&
           entry_read(place, txn, stored, arena, out);
}

bool recall_answer(const struct sync_place *place, struct kv_txn *txn, slice recall, slice partner,
                   struct arena *arena, slice *outcome, slice *at)
{
    struct key key;
    slice stored;

    if (!kv_get(txn, place->table, key_of(&key, HEAD_ANSWER, recall, partner), &stored))
        return false;
    return slice_cut(arena_copy(arena, stored), ' ', at, outcome);
}

bool recall_is_behind(const struct sync_place *place, struct kv_txn *txn, slice object,
                      uint64_t number)
{
    struct key key;
    slice stored;

    if (!kv_get(txn, place->table, key_of(&key, HEAD_OBJECT, object, SLICE("")), &stored))
        return false;
    struct reader reader = READER(stored);
    return read_u64(&reader) > number;
}

/* ---- who was given what ---- */

static void given_add(struct value entry, slice key, struct arena *arena, slice *ids, size_t *count)
{
    slice id;

    if (*count < GIVEN_MAX && value_text(value_get(entry, key), arena, &id) && id.len > 0 &&
        !texts_hold((struct texts){ids, *count}, id))
        ids[(*count)++] = arena_copy(arena, id);
}

result recall_given(const struct sync_place *place, struct kv_txn *txn, slice object, slice partner,
                    struct arena *arena, struct texts *out, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    uint64_t entries = ledger_count(txn, place->keep.log);
    slice *ids = arena_new(arena, slice, GIVEN_MAX), text;
    size_t count = 0;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    if (ids == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a recall");
    for (uint64_t i = 0; i < entries && ledger_read(txn, place->keep.log, i, &text); i++) {
        struct ledger_entry entry;

        if (slice_find(text, object) == SIZE_MAX || slice_find(text, partner) == SIZE_MAX)
            continue;
        TRY(ledger_parse(parser, text, &entry, diag));
        struct value root = {&entry.doc, entry.doc.nodes};
        if (!slice_eq(entry.kind, SLICE(RELEASE_GO)) ||
            !value_is(value_get(root, SLICE("object")), object) ||
            !value_is(value_get(root, SLICE("partner")), partner))
            continue;
        given_add(root, SLICE("object"), arena, ids, &count);
        given_add(root, SLICE("new_id"), arena, ids, &count);
    }
    *out = (struct texts){ids, count};
    return txn->state;
}

/* ---- to a partner ---- */

result recall_item(const struct sync_place *place, struct kv_txn *txn, struct value entry,
                   slice partner, struct arena *arena, struct buf *out, bool *is_due,
                   struct diag *diag)
{
    struct json_writer w = JSON_WRITER(out);
    struct recall recall = {0};
    struct texts given;

    *is_due = false;
    if (!recall_read(entry, arena, &recall) || slice_eq(recall.actor, partner))
        return OK;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("kind"), SLICE("recall"));
    jw_put_string(&w, SLICE("recall"), recall.id);
    jw_put_string(&w, SLICE("reason"), recall.reason);
    jw_key(&w, SLICE("objects"));
    jw_array_begin(&w);
    for (size_t i = 0; i < recall.objects.count; i++) {
        TRY(recall_given(place, txn, recall.objects.at[i], partner, arena, &given, diag));
        for (size_t j = 0; j < given.count; j++)
            jw_string(&w, given.at[j]);
        *is_due |= given.count > 0;
    }
    jw_array_end(&w);
    jw_object_end(&w);
    return out->overflowed ? diag_fail(diag, ERR_LIMIT, "the recall is too long") : OK;
}

/* ---- from a partner ---- */

/* Only what came from who recalls it: nobody recalls what another gave. */
static result one_remove(const struct sync_place *place, slice partner, slice id,
                         struct arena *arena, uint64_t *removed, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_query query = {.ids = &id, .id_count = 1, .version_all = true};
    uint32_t collection = 0;
    struct store_page page;
    struct store_item item;

    store_view_begin(place->store, &view, diag);
    TRY(store_find(&view, &query, 1000, SIZE_MAX, false, arena, &page, diag));
    for (size_t i = 0; i < page.count; i++) {
        struct way way;
        bool is_ours;

        TRY(origin_of(&view, page.seqs[i], arena, &way, &is_ours, diag));
        if (!is_ours && slice_eq(way.hops[way.hop_count - 1].from, partner) &&
            store_item_at(&view, page.seqs[i], &item))
            collection = item.collection;
    }
    store_view_end(&view);
    if (collection == 0)
        return OK;
    uint64_t count = 0;
    TRY(store_remove(place->store, collection, id, &query, partner, STORE_WAITS, &count, diag));
    *removed += count;
    return OK;
}

static bool is_known(const struct sync_place *place, slice id, struct arena *arena)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct recall recall;

    kv_begin_read(place->keep.kv, &txn, NULL);
    return recall_find(place, &txn, id, arena, &recall);
}

result recall_take(const struct sync_place *place, slice partner, struct value item,
                   struct arena *arena, struct sync_result *out, struct diag *diag)
{
    struct recall recall = {0};
    uint64_t removed = 0;

    if (!recall_read(item, arena, &recall)) {
        *out = (struct sync_result){
            .outcome = SLICE("refused"), .id = SLICE("recall"), .reason = SLICE("it is no recall")};
        return OK;
    }
    recall.actor = partner;
    recall.reason = slice_head(recall.reason, RECALL_REASON_BYTES_MAX);
    for (size_t i = 0; i < recall.objects.count; i++)
        TRY(one_remove(place, partner, recall.objects.at[i], arena, &removed, diag));
    /* The same recall over again, after a crash, is noted once. */
    if (!is_known(place, recall.id, arena))
        TRY(recall_note(place, &recall, diag));
    *out = (struct sync_result){.outcome = removed > 0 ? SLICE("removed") : SLICE("not held"),
                                .id = recall.id,
                                .reason = SLICE("")};
    return OK;
}
