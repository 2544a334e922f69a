#include "agreement/keep.h"

#include "agreement/release.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "ledger/ledger.h"
#include "json/write.h"

#include "base/banned.h"

#define KEY_BYTES_MAX 200
#define ID_BYTES_MAX 150
#define VERSION_MAX 99999999 /* eight digits, so that byte order is number order */
#define PREFIX_DOCUMENT 'd'
#define PREFIX_STATE 's'
#define PREFIX_CARD 'p'
#define PREFIX_CONFIRMED 'c'

const char *const keep_tables[] = {"agreements", NULL};

struct key {
    char bytes[KEY_BYTES_MAX];
};

static slice key_of(struct key *key, char prefix, slice id)
{
    int bytes = snprintf(key->bytes, sizeof(key->bytes), "%c%.*s", prefix, SLICE_ARG(id));

    return slice_of(key->bytes, (size_t)bytes);
}

static slice key_of_version(struct key *key, slice id, int64_t version)
{
    int bytes = snprintf(key->bytes, sizeof(key->bytes), "%c%.*s/%08" PRId64, PREFIX_DOCUMENT,
                         SLICE_ARG(id), version);

    return slice_of(key->bytes, (size_t)bytes);
}

/* ---- from entries to the table ---- */

static bool apply_one(const struct keep_place *place, struct kv_txn *txn, slice kind, slice id,
                      struct value value)
{
    slice raw = json_raw(value.doc, value.node);
    struct value version = value_get(value, SLICE("version"));
    int64_t number = 0;
    struct key key;

    if (slice_eq(kind, SLICE(KEEP_DOCUMENT))) {
        if (!json_i64(version.doc, version.node, &number) || number < 1 || number >= VERSION_MAX)
            return false;
        kv_put(txn, place->table, key_of_version(&key, id, number), raw);
    } else if (slice_eq(kind, SLICE(KEEP_STATE))) {
        if (!value_is_of(value, JSON_STRING))
            return false;
        kv_put(txn, place->table, key_of(&key, PREFIX_STATE, id),
               json_inner(value.doc, value.node));
    } else if (slice_eq(kind, SLICE(KEEP_PROPOSE))) {
        return true; /* it is for the feeds, which read the log */
    } else if (slice_eq(kind, SLICE(KEEP_CONFIRM))) {
        if (!value_is_of(value, JSON_STRING))
            return false;
        kv_put(txn, place->table, key_of(&key, PREFIX_CONFIRMED, id),
               json_inner(value.doc, value.node));
    } else {
        slice confirmed;
        bool is_same = slice_eq(kind, SLICE(KEEP_CARD)) &&
                       kv_get(txn, place->table, key_of(&key, PREFIX_CONFIRMED, id), &confirmed) &&
                       value_is(value_get(value, SLICE("key")), confirmed);

        if (!is_same) /* another key is to be compared again */
            (void)kv_delete(txn, place->table, key_of(&key, PREFIX_CONFIRMED, id));
        (void)kv_delete(txn, place->table, key_of(&key, PREFIX_CARD, id));
        if (slice_eq(kind, SLICE(KEEP_CARD)))
            kv_put(txn, place->table, key_of(&key, PREFIX_CARD, id), raw);
    }
    return true;
}

static bool is_ours(slice kind)
{
    return slice_eq(kind, SLICE(KEEP_DOCUMENT)) || slice_eq(kind, SLICE(KEEP_STATE)) ||
           slice_eq(kind, SLICE(KEEP_PROPOSE)) || slice_eq(kind, SLICE(KEEP_CARD)) ||
           slice_eq(kind, SLICE(KEEP_CONFIRM)) || slice_eq(kind, SLICE(KEEP_REMOVE));
}

bool keep_apply(const struct keep_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                slice text)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct ledger_entry entry;
    slice id;

    if (!is_ours(kind) && !release_is_kind(kind))
        return false;
    result r = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (succeeded(r))
        r = ledger_parse(parser, text, &entry, txn->diag);
    if (failed(r)) {
        kv_fail(txn, diag_within(txn->diag, r, "log: entry %" PRIu64, number));
        return true;
    }
    struct value root = {&entry.doc, entry.doc.nodes};
    struct value value = value_get(root, SLICE("value"));
    if (release_is_kind(kind)) {
        if (!release_apply(place, txn, kind, root))
            kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT,
                                   "log: entry %" PRIu64 " of a release is not what it must be",
                                   number));
        return true;
    }
    if (!value_text(value_get(root, SLICE("id")), &arena, &id) || id.len > ID_BYTES_MAX ||
        !value_is_there(value) || !apply_one(place, txn, kind, id, value))
        kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT,
                               "log: entry %" PRIu64 " of an agreement or partner is not what it "
                               "must be",
                               number));
    return true;
}

void keep_clear_derived(const struct keep_place *place, struct kv_txn *txn)
{
    kv_clear(txn, place->table);
}

result keep_change(const struct keep_place *place, slice kind, slice id, slice value, slice actor,
                   struct diag *diag)
{
    return keep_change_for(place, kind, id, value, SLICE(""), actor, diag);
}

result keep_change_for(const struct keep_place *place, slice kind, slice id, slice value,
                       slice reason, slice actor, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;
    slice entry;

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_put_string(&w, SLICE("id"), id);
    if (reason.len > 0)
        jw_put_string(&w, SLICE("reason"), reason);
    jw_key(&w, SLICE("value"));
    jw_raw(&w, value);
    jw_object_end(&w);
    if (body.overflowed || id.len > ID_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "it is too long for an entry of the log");
    kv_begin_write(place->kv, &txn, diag);
    int64_t now_us = place->world->now_us(place->world->context);
    ledger_append(&txn, place->log, kind, ledger_next_us(&txn, place->log, now_us),
                  buf_slice(&body), &number);
    if (ledger_read(&txn, place->log, number, &entry))
        (void)keep_apply(place, &txn, kind, number, entry);
    return kv_commit(&txn);
}

/* ---- reading ---- */

slice keep_state(const struct keep_place *place, struct kv_txn *txn, slice id)
{
    struct key key;
    slice state;

    if (id.len > ID_BYTES_MAX)
        return SLICE("active"); /* nothing is kept under it */
    return kv_get(txn, place->table, key_of(&key, PREFIX_STATE, id), &state) ? state
                                                                             : SLICE("active");
}

bool keep_card(const struct keep_place *place, struct kv_txn *txn, slice partner, slice *card)
{
    struct key key;

    return kv_get(txn, place->table, key_of(&key, PREFIX_CARD, partner), card);
}

bool keep_is_confirmed(const struct keep_place *place, struct kv_txn *txn, slice partner,
                       const uint8_t public_key[ED25519_PUBLIC_BYTES])
{
    CLEANUP(buf_free) struct buf text = BUF(128);
    struct key key;
    slice confirmed;

    base64_encode(&text, slice_of(public_key, ED25519_PUBLIC_BYTES));
    return kv_get(txn, place->table, key_of(&key, PREFIX_CONFIRMED, partner), &confirmed) &&
           slice_eq(confirmed, buf_slice(&text));
}

bool keep_partner_of_key(const struct keep_place *place, struct kv_txn *txn,
                         const uint8_t public_key[ED25519_PUBLIC_BYTES], struct arena *arena,
                         slice *id)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    CLEANUP(buf_free) struct buf text = BUF(128);
    char prefix = PREFIX_CONFIRMED;

    base64_encode(&text, slice_of(public_key, ED25519_PUBLIC_BYTES));
    kv_cursor_open(txn, place->table, &cursor);
    for (bool more = kv_seek(&cursor, slice_of(&prefix, 1));
         more && cursor.key.len > 0 && cursor.key.at[0] == prefix; more = kv_next(&cursor)) {
        if (!slice_eq(cursor.value, buf_slice(&text)))
            continue;
        *id = arena_copy(arena, slice_from(cursor.key, 1));
        return id->at != NULL;
    }
    return false;
}

/* The nth id of a prefix; versions of one agreement count once. */
static bool id_at(const struct keep_place *place, struct kv_txn *txn, char prefix, size_t index,
                  struct arena *arena, slice *id)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    slice last = SLICE(""), one, version;
    size_t count = 0;

    kv_cursor_open(txn, place->table, &cursor);
    for (bool more = kv_seek(&cursor, slice_of(&prefix, 1));
         more && cursor.key.len > 0 && cursor.key.at[0] == prefix; more = kv_next(&cursor)) {
        (void)slice_cut(slice_from(cursor.key, 1), '/', &one, &version);
        if (slice_eq(one, last))
            continue;
        last = one;
        if (count++ == index) {
            *id = arena_copy(arena, one);
            return id->at != NULL;
        }
    }
    return false;
}

bool keep_agreement_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                       struct arena *arena, slice *id)
{
    return id_at(place, txn, PREFIX_DOCUMENT, index, arena, id);
}

bool keep_partner_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                     struct arena *arena, slice *id)
{
    return id_at(place, txn, PREFIX_CARD, index, arena, id);
}

void kept_free(struct kept *kept)
{
    json_parser_free(&kept->parser);
}

static bool is_known(const struct keep_place *place, struct kv_txn *txn,
                     const struct signature *signature)
{
    if (slice_eq(signature->party, place->own))
        return place->key != NULL && memcmp(place->key, signature->key, ED25519_PUBLIC_BYTES) == 0;
    return keep_is_confirmed(place, txn, signature->party, signature->key);
}

/* The own word and those of the other parties. */
static slice state_of_all(const struct keep_place *place, struct kv_txn *txn, slice id,
                          const struct agreement *terms, struct arena *arena)
{
    slice state = keep_state(place, txn, id);

    for (size_t i = 0; i < terms->parties.count; i++) {
        slice one = keep_state(
            place, txn,
            arena_printf(arena, "%.*s@%.*s", SLICE_ARG(id), SLICE_ARG(terms->parties.at[i])));

        if (slice_eq(one, SLICE("ended")) || slice_eq(state, SLICE("active")))
            state = one;
    }
    if (slice_eq(state, SLICE("ended")))
        return SLICE("ended");
    return slice_eq(state, SLICE("active")) ? SLICE("active") : SLICE("suspended");
}

static void terms_read(const struct keep_place *place, struct kv_txn *txn, slice id,
                       struct arena *arena, struct kept *out)
{
    slice *signers = arena_new(arena, slice, out->signature_count + 1);
    size_t count = 0;

    for (size_t i = 0; signers != NULL && i < out->signature_count; i++)
        if (is_known(place, txn, &out->signatures[i]))
            signers[count++] = out->signatures[i].party;
    agreement_read(out->document, (struct texts){signers, count}, arena, &out->terms);
    out->state = state_of_all(place, txn, id, &out->terms, arena);
    out->terms.is_suspended = !slice_eq(out->state, SLICE("active"));
    if (slice_eq(out->state, SLICE("ended"))) {
        out->terms.is_suspended = false;
        out->terms.has_end = true;
        out->terms.end_us = INT64_MIN;
    }
    memcpy(out->hash_text, "sha256:", 7);
    hex_encode(slice_of(out->hash.bytes, SHA256_BYTES), out->hash_text + 7);
    out->hash_text[7 + 2 * SHA256_BYTES] = '\0';
    out->terms.hash = slice_text(out->hash_text);
}

static result version_read(const struct keep_place *place, struct kv_txn *txn, slice id, slice text,
                           struct arena *arena, struct kept *out, struct diag *diag)
{
    struct value version;

    if (out->parser == NULL)
        TRY(json_parser_new(JSON_DEPTH_MAX, &out->parser, diag));
    TRY(json_parse_copy(out->parser, text, &out->doc, diag));
    out->document = (struct value){&out->doc, out->doc.nodes};
    version = value_get(out->document, SLICE("version"));
    if (!json_i64(version.doc, version.node, &out->version))
        return diag_fail(diag, ERR_CORRUPT, "%.*s: has no version", SLICE_ARG(id));
    TRY(document_hash(out->document, &out->hash, diag));
    TRY(document_signatures(out->document, &out->hash, arena, &out->signatures,
                            &out->signature_count, diag));
    terms_read(place, txn, id, arena, out);
    return OK;
}

result keep_read(const struct keep_place *place, struct kv_txn *txn, slice id,
                 int64_t version_below, struct arena *arena, struct kept *out, bool *found,
                 struct diag *diag)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor;
    struct key key, first;

    *found = false;
    if (id.len > ID_BYTES_MAX)
        return OK;
    slice least = key_of_version(&first, id, 0);
    slice below = key_of_version(&key, id, version_below == 0 ? VERSION_MAX : version_below);
    kv_cursor_open(txn, place->table, &cursor);
    *found = kv_seek_last_before(&cursor, below) && slice_cmp(cursor.key, least) > 0;
    if (failed(txn->state) || !*found)
        return txn->state;
    return version_read(place, txn, id, cursor.value, arena, out, diag);
}

result keep_read_in_force(const struct keep_place *place, struct kv_txn *txn, slice id,
                          struct arena *arena, struct kept *out, bool *found, struct diag *diag)
{
    int64_t below = 0;
    bool any = false;

    for (;;) {
        TRY(keep_read(place, txn, id, below, arena, out, found, diag));
        any |= *found;
        if (!*found || out->terms.is_signed)
            break;
        below = out->version;
    }
    if (*found || !any)
        return OK;
    return keep_read(place, txn, id, 0, arena, out, found, diag);
}

slice kept_country(const struct kept *kept, slice party, struct arena *arena)
{
    struct value list = value_get(kept->document, SLICE("parties"));
    slice country = SLICE("???");

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);) {
        struct value one = {list.doc, each.value};

        if (value_is(value_get(one, SLICE("id")), party))
            (void)value_text(value_get(one, SLICE("country")), arena, &country);
    }
    return country;
}
