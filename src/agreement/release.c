#include "agreement/release.h"

#include <stdio.h>

#include "base/encode.h"
#include "ledger/ledger.h"
#include "json/write.h"

#include "base/banned.h"

#define KEY_BYTES_MAX 200
#define ID_BYTES_MAX 150
#define PREFIX_SUBMISSION 'r'
#define PREFIX_GONE 'g'
#define ARENA_BYTES_MAX ((size_t)1 << 20)

struct key {
    char bytes[KEY_BYTES_MAX];
    size_t len;
};

static slice key_of_submission(struct key *key, slice id)
{
    int bytes = snprintf(key->bytes, sizeof(key->bytes), "%c%.*s", PREFIX_SUBMISSION,
                         SLICE_ARG(slice_head(id, ID_BYTES_MAX)));

    key->len = (size_t)bytes;
    return slice_of(key->bytes, key->len);
}

/* Three ids are longer than a key may be. */
static slice key_of_gone(struct key *key, slice object, slice agreement, slice recipient)
{
    const slice parts[] = {object, agreement, recipient};
    struct sha256_state state;

    sha256_init(&state);
    for (size_t i = 0; i < 3; i++) {
        sha256_add(&state, parts[i]);
        sha256_add(&state, SLICE("\n"));
    }
    struct hash256 hash = sha256_end(&state);
    key->bytes[0] = PREFIX_GONE;
    hex_encode(slice_of(hash.bytes, SHA256_BYTES), key->bytes + 1);
    key->len = 1 + 2 * SHA256_BYTES;
    return slice_of(key->bytes, key->len);
}

/* ---- from entries to the table ---- */

bool release_is_kind(slice kind)
{
    return slice_eq(kind, SLICE(RELEASE_GO)) || slice_starts(kind, SLICE(RELEASE_GO "."));
}

static bool text_of(struct value entry, slice key, struct arena *arena, slice *out)
{
    return value_text(value_get(entry, key), arena, out);
}

static bool apply_go(const struct keep_place *place, struct kv_txn *txn, struct value entry,
                     struct arena *arena)
{
    slice object, agreement, recipient, version;
    struct key key;

    if (!text_of(entry, SLICE("object"), arena, &object) ||
        !text_of(entry, SLICE("agreement"), arena, &agreement) ||
        !text_of(entry, SLICE("partner"), arena, &recipient) ||
        !text_of(entry, SLICE("version"), arena, &version))
        return false;
    kv_put(txn, place->table, key_of_gone(&key, object, agreement, recipient), version);
    return true;
}

/* A submission is its state, a digit, and the entry that made it. */
static bool apply_submission(const struct keep_place *place, struct kv_txn *txn, char state,
                             struct value entry, struct arena *arena)
{
    slice id, old = json_raw(entry.doc, entry.node);
    struct key key;

    if (!text_of(entry, SLICE("submission"), arena, &id) || id.len > ID_BYTES_MAX)
        return false;
    slice at = key_of_submission(&key, id);
    if (state != '0' + SUBMISSION_WAITING) {
        if (!kv_get(txn, place->table, at, &old) || old.len < 1)
            return false;
        old = slice_from(old, 1);
    }
    slice text = arena_printf(arena, "%c%.*s", state, SLICE_ARG(old));
    if (text.at == NULL)
        return false;
    kv_put(txn, place->table, at, text);
    return true;
}

bool release_apply(const struct keep_place *place, struct kv_txn *txn, slice kind,
                   struct value entry)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);

    if (slice_eq(kind, SLICE(RELEASE_GO)))
        return apply_go(place, txn, entry, &arena);
    if (slice_eq(kind, SLICE(RELEASE_SUBMIT)))
        return apply_submission(place, txn, '0' + SUBMISSION_WAITING, entry, &arena);
    if (slice_eq(kind, SLICE(RELEASE_APPROVE)))
        return apply_submission(place, txn, '0' + SUBMISSION_APPROVED, entry, &arena);
    return slice_eq(kind, SLICE(RELEASE_SEND_BACK)) &&
           apply_submission(place, txn, '0' + SUBMISSION_SENT_BACK, entry, &arena);
}

/* ---- changes ---- */

struct change {
    const struct keep_place *place;
    struct kv_txn txn;
    struct buf body;
    struct json_writer w;
};

static void change_free(struct change *change)
{
    kv_abort(&change->txn);
    buf_free(&change->body);
}

static struct json_writer *entry_begin(struct change *change, slice actor)
{
    buf_reset(&change->body);
    change->w = JSON_WRITER(&change->body);
    jw_object_begin(&change->w);
    jw_put_string(&change->w, SLICE("actor"), actor);
    return &change->w;
}

static void entry_end(struct change *change, slice kind)
{
    const struct keep_place *place = change->place;
    int64_t now_us = place->world->now_us(place->world->context);
    uint64_t number;
    slice entry;

    jw_object_end(&change->w);
    if (change->body.overflowed) {
        kv_fail(&change->txn, diag_fail(change->txn.diag, ERR_LIMIT,
                                        "it is too long for an entry of the log: release fewer "
                                        "objects at a time"));
        return;
    }
    ledger_append(&change->txn, place->log, kind, ledger_next_us(&change->txn, place->log, now_us),
                  buf_slice(&change->body), &number);
    if (ledger_read(&change->txn, place->log, number, &entry))
        (void)keep_apply(place, &change->txn, kind, number, entry);
}

static void texts_put(struct json_writer *w, slice key, const slice *texts, size_t count)
{
    jw_key(w, key);
    jw_array_begin(w);
    for (size_t i = 0; i < count; i++)
        jw_string(w, texts[i]);
    jw_array_end(w);
}

static void text_put(struct json_writer *w, slice key, slice text)
{
    if (text.len > 0)
        jw_put_string(w, key, text);
}

static result submission_open(struct change *change, slice id, slice actor, struct arena *arena,
                              struct diag *diag)
{
    struct submission submission;

    if (!release_find(change->place, &change->txn, id, arena, &submission))
        return diag_fail(diag, ERR_MISSING, "%.*s: there is no such submission", SLICE_ARG(id));
    if (submission.state != SUBMISSION_WAITING)
        return diag_fail(diag, ERR_CONFLICT, "%.*s: was %s already", SLICE_ARG(id),
                         submission.state == SUBMISSION_APPROVED ? "approved" : "sent back");
    if (slice_eq(submission.actor, actor))
        return diag_fail(diag, ERR_DENIED,
                         "%.*s: is %.*s's own; a second person approves it or sends it back",
                         SLICE_ARG(id), SLICE_ARG(actor));
    return OK;
}

static void decided(struct change *change, slice kind, slice id, slice reason, slice actor)
{
    struct json_writer *w = entry_begin(change, actor);

    text_put(w, SLICE("reason"), reason);
    jw_put_string(w, SLICE("submission"), id);
    entry_end(change, kind);
}

static void row_put(struct change *change, const struct release_row *row, slice submission,
                    slice reason, slice actor)
{
    struct json_writer *w = entry_begin(change, actor);

    jw_put_string(w, SLICE("agreement"), row->agreement);
    text_put(w, SLICE("new_id"), row->new_id);
    jw_put_string(w, SLICE("object"), row->object);
    jw_put_string(w, SLICE("partner"), row->recipient);
    text_put(w, SLICE("reason"), reason);
    if (row->removed_count > 0)
        texts_put(w, SLICE("removed"), row->removed, row->removed_count);
    text_put(w, SLICE("submission"), submission);
    text_put(w, SLICE("tlp"), row->result_tlp);
    jw_put_string(w, SLICE("version"), row->version);
    entry_end(change, SLICE(RELEASE_GO));
}

result release_go(const struct keep_place *place, const struct release_row *rows, size_t count,
                  slice submission, slice reason, slice actor, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(change_free)
    struct change change = {.place = place, .body = BUF(LEDGER_ENTRY_BYTES_MAX)};

    kv_begin_write(place->kv, &change.txn, diag);
    if (submission.len > 0) {
        TRY(submission_open(&change, submission, actor, &arena, diag));
        decided(&change, SLICE(RELEASE_APPROVE), submission, reason, actor);
    }
    for (size_t i = 0; i < count; i++)
        row_put(&change, &rows[i], submission, reason, actor);
    return kv_commit(&change.txn);
}

result release_submit(const struct keep_place *place, const struct submission *submission,
                      struct diag *diag)
{
    CLEANUP(change_free)
    struct change change = {.place = place, .body = BUF(LEDGER_ENTRY_BYTES_MAX)};

    kv_begin_write(place->kv, &change.txn, diag);
    struct json_writer *w = entry_begin(&change, submission->actor);
    texts_put(w, SLICE("agreements"), submission->agreements.at, submission->agreements.count);
    texts_put(w, SLICE("objects"), submission->objects.at, submission->objects.count);
    text_put(w, SLICE("reason"), submission->reason);
    jw_put_string(w, SLICE("submission"), submission->id);
    entry_end(&change, SLICE(RELEASE_SUBMIT));
    return kv_commit(&change.txn);
}

result release_send_back(const struct keep_place *place, slice id, slice reason, slice actor,
                         struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(change_free)
    struct change change = {.place = place, .body = BUF(LEDGER_ENTRY_BYTES_MAX)};

    kv_begin_write(place->kv, &change.txn, diag);
    TRY(submission_open(&change, id, actor, &arena, diag));
    decided(&change, SLICE(RELEASE_SEND_BACK), id, reason, actor);
    return kv_commit(&change.txn);
}

/* ---- reading ---- */

static bool submission_read(slice stored, struct arena *arena, struct submission *out)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice text = arena_copy(arena, stored);
    struct json_doc doc;

    *out = (struct submission){.reason = SLICE("")};
    if (text.len < 2 || text.at[0] < '0' || text.at[0] > '0' + SUBMISSION_SENT_BACK ||
        failed(json_parser_new(LEDGER_DEPTH_MAX, &parser, NULL)) ||
        failed(json_parse_copy(parser, slice_from(text, 1), &doc, NULL)))
        return false;
    doc.text = slice_from(text, 1); /* what is read outlives the parser */
    struct value entry = {&doc, doc.nodes};
    out->state = (enum submission_state)(text.at[0] - '0');
    (void)text_of(entry, SLICE("reason"), arena, &out->reason);
    return text_of(entry, SLICE("submission"), arena, &out->id) &&
           text_of(entry, SLICE("actor"), arena, &out->actor) &&
           value_texts(value_get(entry, SLICE("objects")), arena, &out->objects) &&
           value_texts(value_get(entry, SLICE("agreements")), arena, &out->agreements);
}

bool release_find(const struct keep_place *place, struct kv_txn *txn, slice id, struct arena *arena,
                  struct submission *out)
{
    struct key key;
    slice stored;

    return id.len <= ID_BYTES_MAX &&
           kv_get(txn, place->table, key_of_submission(&key, id), &stored) &&
           submission_read(stored, arena, out);
}

bool release_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                struct arena *arena, struct submission *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    char prefix = PREFIX_SUBMISSION;
    size_t count = 0;

    kv_cursor_open(txn, place->table, &cursor);
    for (bool more = kv_seek(&cursor, slice_of(&prefix, 1));
         more && cursor.key.len > 0 && cursor.key.at[0] == prefix; more = kv_next(&cursor))
        if (count++ == index)
            return submission_read(cursor.value, arena, out);
    return false;
}

bool release_version(const struct keep_place *place, struct kv_txn *txn, slice object,
                     slice agreement, slice recipient, slice *version)
{
    struct key key;

    return kv_get(txn, place->table, key_of_gone(&key, object, agreement, recipient), version);
}
