#include "sync/place.h"

#include <inttypes.h>
#include <stdio.h>

#include "agreement/card.h"
#include "base/log.h"
#include "base/time.h"
#include "sync/recall.h"

#include "base/banned.h"

#define KEY_BYTES_MAX 200
#define PARTNER_BYTES_MAX 150
#define ROW_BYTES_MAX (LEDGER_ENTRY_BYTES_MAX + 4096)
#define ARENA_BYTES_MAX ((size_t)1 << 20)

const char *const sync_tables[] = {"sync", NULL};

struct key {
    char bytes[KEY_BYTES_MAX];
};

static const char *const kinds[] = {SYNC_SENT,   SYNC_RECEIPT, SYNC_RECEIVED, SYNC_REFUSED,
                                    SYNC_RECALL, SYNC_AGAIN,   SYNC_REPAIRED};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_kind(slice kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (slice_eq(kind, slice_text(kinds[i])))
            return true;
    return false;
}

static slice key_of(struct key *key, slice kind, slice partner)
{
    int bytes = snprintf(key->bytes, sizeof(key->bytes), "%.*s %.*s", SLICE_ARG(kind),
                         SLICE_ARG(slice_head(partner, PARTNER_BYTES_MAX)));

    return slice_of(key->bytes, (size_t)bytes);
}

/* ---- rows ---- */

static uint64_t number_of(struct value object, slice key)
{
    struct value value = value_get(object, key);
    int64_t number = 0;

    return value_is_there(value) && json_i64(value.doc, value.node, &number) && number > 0
               ? (uint64_t)number
               : 0;
}

static slice text_of(struct value object, slice key, struct arena *arena)
{
    slice text = SLICE("");

    (void)value_text(value_get(object, key), arena, &text);
    return text;
}

/* A row is the last entry with three totals in front. */
static bool row_read(slice stored, struct arena *arena, struct sync_row *out)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice text = arena_copy(arena, stored);
    struct json_doc doc;

    *out = (struct sync_row){0};
    if (text.len == 0 || failed(json_parser_new(LEDGER_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, text, &doc, NULL)))
        return false;
    doc.text = text;
    struct value row = {&doc, doc.nodes}, last = value_get(row, SLICE("last"));
    out->batches = number_of(row, SLICE("batches"));
    out->objects = number_of(row, SLICE("objects"));
    out->sightings = number_of(row, SLICE("sightings"));
    out->refused = number_of(row, SLICE("refused"));
    out->count = number_of(last, SLICE("objects"));
    (void)value_date(value_get(last, SLICE("at")), &out->at_us);
    out->after = text_of(last, SLICE("after"), arena);
    out->next = text_of(last, SLICE("next"), arena);
    out->root = text_of(last, SLICE("root"), arena);
    out->why = text_of(last, SLICE("why"), arena);
    struct value receipt = value_get(last, SLICE("receipt"));
    out->receipt = value_is_there(receipt) ? json_raw(receipt.doc, receipt.node) : SLICE("");
    return true;
}

bool sync_row(const struct sync_place *place, struct kv_txn *txn, const char *kind, slice partner,
              struct arena *arena, struct sync_row *out)
{
    struct key key;
    slice stored;

    *out = (struct sync_row){0};
    return kv_get(txn, place->table, key_of(&key, slice_text(kind), partner), &stored) &&
           row_read(stored, arena, out);
}

static bool row_put(const struct sync_place *place, struct kv_txn *txn, slice kind,
                    struct value entry, struct arena *arena)
{
    CLEANUP(buf_free) struct buf text = BUF(ROW_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&text);
    struct sync_row row = {0};
    slice partner, stored;
    struct key key;

    if (!value_text(value_get(entry, SLICE("partner")), arena, &partner) || partner.len == 0 ||
        partner.len > PARTNER_BYTES_MAX)
        return false;
    slice at = key_of(&key, kind, partner);
    if (kv_get(txn, place->table, at, &stored) && !row_read(stored, arena, &row))
        return false;
    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("batches"), row.batches + 1);
    jw_put_u64(&w, SLICE("objects"), row.objects + number_of(entry, SLICE("objects")));
    jw_put_u64(&w, SLICE("sightings"), row.sightings + number_of(entry, SLICE("sightings")));
    jw_put_u64(&w, SLICE("refused"), row.refused + number_of(entry, SLICE("refused")));
    jw_key(&w, SLICE("last"));
    jw_raw(&w, json_raw(entry.doc, entry.node));
    jw_object_end(&w);
    if (text.overflowed)
        return false;
    kv_put(txn, place->table, at, buf_slice(&text));
    return true;
}

static bool entry_apply(const struct sync_place *place, struct kv_txn *txn, slice kind,
                        uint64_t number, struct value entry, struct arena *arena)
{
    if (slice_eq(kind, SLICE(SYNC_RECALL)))
        return recall_apply(place, txn, number, entry, arena);
    return row_put(place, txn, kind, entry, arena) &&
           (!slice_eq(kind, SLICE(SYNC_RECEIPT)) || recall_apply_receipt(place, txn, entry, arena));
}

bool sync_apply(const struct sync_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    struct ledger_entry entry;

    if (!is_kind(kind))
        return false;
    result r = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (succeeded(r))
        r = ledger_parse(parser, text, &entry, txn->diag);
    if (succeeded(r) &&
        !entry_apply(place, txn, kind, number, (struct value){&entry.doc, entry.doc.nodes}, &arena))
        r = diag_fail(txn->diag, ERR_CORRUPT, "an entry of the exchange is not what it must be");
    if (failed(r))
        kv_fail(txn, diag_within(txn->diag, r, "log: entry %" PRIu64, number));
    return true;
}

void sync_clear_derived(const struct sync_place *place, struct kv_txn *txn)
{
    kv_clear(txn, place->table);
}

/* ---- entries ---- */

static void note(const struct sync_place *place, struct kv_txn *txn, const char *kind, slice body)
{
    const struct keep_place *keep = &place->keep;
    int64_t now_us = keep->world->now_us(keep->world->context);
    uint64_t number;
    slice entry;

    ledger_append(txn, keep->log, slice_text(kind), ledger_next_us(txn, keep->log, now_us), body,
                  &number);
    if (ledger_read(txn, keep->log, number, &entry))
        (void)sync_apply(place, txn, slice_text(kind), number, entry);
}

result sync_note(const struct sync_place *place, const char *kind, slice body, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_write(place->keep.kv, &txn, diag);
    note(place, &txn, kind, body);
    return kv_commit(&txn);
}

result sync_note_next(const struct sync_place *place, const char *kind, slice partner, slice after,
                      slice body, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    struct sync_row row;

    kv_begin_write(place->keep.kv, &txn, diag);
    slice next = sync_row(place, &txn, kind, partner, &arena, &row) ? row.next : SLICE("0.0");
    if (!slice_eq(next, after))
        return diag_fail(diag, ERR_CONFLICT, "goes on from %.*s, and %.*s was the last",
                         SLICE_ARG(after), SLICE_ARG(next));
    note(place, &txn, kind, body);
    return kv_commit(&txn);
}

static bool is_noted(const struct sync_place *place, slice partner, const char *why)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    struct sync_row row;

    kv_begin_read(place->keep.kv, &txn, NULL);
    return sync_row(place, &txn, SYNC_REFUSED, partner, &arena, &row) &&
           slice_eq(row.why, slice_text(why));
}

void sync_note_refused(const struct sync_place *place, slice partner, const char *why)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    struct diag diag = {0};

    log_event(LOG_LEVEL_WARN, "sync.refused", "partner=%.*s why=\"%s\"", SLICE_ARG(partner), why);
    if (is_noted(place, partner, why))
        return;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), partner);
    jw_put_string(&w, SLICE("why"), slice_text(why));
    jw_object_end(&w);
    if (failed(sync_note(place, SYNC_REFUSED, buf_slice(&body), &diag)))
        log_event(LOG_LEVEL_ERROR, "sync.not_noted", "why=\"%s\"", diag.text);
}

/* ---- partners ---- */

bool sync_partner(const struct sync_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                  struct sync_partner *out)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct card card;
    struct json_doc doc;
    slice text;

    *out = (struct sync_partner){.id = id};
    if (!keep_card(&place->keep, txn, id, &text) ||
        failed(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, text, &doc, NULL)) ||
        failed(card_read((struct value){&doc, doc.nodes}, arena, &card, NULL)))
        return false;
    out->name = arena_copy(arena, card.name);
    out->url = arena_copy(arena, card.url);
    memcpy(out->key, card.key, sizeof(out->key));
    out->is_confirmed = keep_is_confirmed(&place->keep, txn, id, card.key);
    return true;
}
