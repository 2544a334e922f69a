#include "ledger/witness.h"

#include <inttypes.h>

#include "base/encode.h"
#include "base/fault.h"
#include "base/log.h"
#include "json/write.h"

#include "base/banned.h"

#define ORIGIN 'o'
#define EVIDENCE 'e'
#define ENTRY_ARENA_BYTES_MAX ((size_t)1 << 18)
#define RECORD_BYTES_MAX ((size_t)4 * NOTE_BYTES_MAX)

/* ---- rows ---- */

struct origin_key {
    char bytes[1 + NOTE_NAME_BYTES_MAX];
};

static slice origin_key(slice origin, struct origin_key *key)
{
    size_t bytes = origin.len < NOTE_NAME_BYTES_MAX ? origin.len : NOTE_NAME_BYTES_MAX;

    key->bytes[0] = ORIGIN;
    memcpy(key->bytes + 1, origin.at, bytes);
    return slice_of(key->bytes, 1 + bytes);
}

static bool origin_decode(struct kv_txn *txn, slice row, struct witnessed *out)
{
    struct reader reader = READER(row);

    out->size = read_u64(&reader);
    slice vkey = read_bytes(&reader, read_u16(&reader));
    out->note = read_bytes(&reader, read_u16(&reader));
    if (!reader.broken && succeeded(note_verifier_parse(vkey, &out->verifier, NULL)))
        return true;
    kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT,
                           "ledger: the row of a witnessed origin is not "
                           "as it was written"));
    return false;
}

static void origin_put(struct kv_txn *txn, kv_table log, const struct witnessed *witnessed)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);
    CLEANUP(buf_free) struct buf row = BUF(RECORD_BYTES_MAX);
    struct origin_key key;

    note_verifier_write(&witnessed->verifier, &vkey);
    buf_u64(&row, witnessed->size);
    buf_u16(&row, (uint16_t)vkey.len);
    buf_put(&row, buf_slice(&vkey));
    buf_u16(&row, (uint16_t)witnessed->note.len);
    buf_put(&row, witnessed->note);
    if (vkey.overflowed || row.overflowed)
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "no memory for a witnessed origin"));
    else
        kv_put(txn, ledger_fact_table(log), origin_key(slice_text(witnessed->verifier.name), &key),
               buf_slice(&row));
}

bool witness_find(struct kv_txn *txn, kv_table log, slice origin, struct witnessed *out)
{
    struct origin_key key;
    slice row;

    return origin.len <= NOTE_NAME_BYTES_MAX &&
           kv_get(txn, ledger_fact_table(log), origin_key(origin, &key), &row) &&
           origin_decode(txn, row, out);
}

bool witness_at(struct kv_txn *txn, kv_table log, size_t index, struct witnessed *out)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    const char first = ORIGIN;
    bool more;

    kv_cursor_open(txn, ledger_fact_table(log), &cursor);
    more = kv_seek(&cursor, slice_of(&first, 1));
    while (more && index-- > 0)
        more = kv_next(&cursor);
    return more && cursor.key.at[0] == ORIGIN && origin_decode(txn, cursor.value, out);
}

/* ---- entries ---- */

static slice member(const struct ledger_entry *entry, slice key, struct arena *arena)
{
    return json_string(&entry->doc, json_get(&entry->doc, entry->doc.nodes, key), arena);
}

/* A note that was cosigned stays known when the key is added again. */
static bool add_apply(struct kv_txn *txn, kv_table log, slice vkey)
{
    struct witnessed witnessed = {0}, before;

    if (failed(note_verifier_parse(vkey, &witnessed.verifier, NULL)))
        return false;
    if (witness_find(txn, log, slice_text(witnessed.verifier.name), &before))
        return true;
    origin_put(txn, log, &witnessed);
    return true;
}

/* Origins are facts: with them stands what was cosigned, which is nowhere else.  So a rebuild
 * leaves them alone, and only a new entry changes them. */
static bool entry_apply(struct kv_txn *txn, kv_table log, const struct ledger_entry *entry,
                        bool is_new)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ENTRY_ARENA_BYTES_MAX);
    struct origin_key key;

    if (is_new && slice_eq(entry->kind, SLICE("witness.add")))
        return add_apply(txn, log, member(entry, SLICE("vkey"), &arena));
    if (is_new && slice_eq(entry->kind, SLICE("witness.remove"))) {
        slice origin = member(entry, SLICE("origin"), &arena);

        (void)kv_delete(txn, ledger_fact_table(log), origin_key(origin, &key));
        return origin.len > 0;
    }
    if (slice_eq(entry->kind, SLICE("settings"))) {
        const struct json_node *settings =
            json_get(&entry->doc, entry->doc.nodes, SLICE("settings"));

        if (settings == NULL || settings->kind != JSON_OBJECT)
            return false;
        kv_put(txn, ledger_fact_table(log), SLICE("s"), json_raw(&entry->doc, settings));
    }
    return true; /* "export", "read", "witness.split": told, and nothing follows from it */
}

static bool is_ours(slice kind)
{
    static const slice kinds[] = {S("export"),      S("read"),           S("settings"),
                                  S("witness.add"), S("witness.remove"), S("witness.split")};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_eq(kind, kinds[i]))
            return true;
    return false;
}

static bool apply(struct kv_txn *txn, kv_table log, slice kind, uint64_t number, slice text,
                  bool is_new)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct ledger_entry entry;

    if (!is_ours(kind))
        return false;
    result r = json_parser_new(LEDGER_DEPTH_MAX, &parser, txn->diag);
    if (succeeded(r))
        r = ledger_parse(parser, text, &entry, txn->diag);
    if (succeeded(r) && !entry_apply(txn, log, &entry, is_new))
        r = diag_fail(txn->diag, ERR_CORRUPT, "does not hold what its kind asks for");
    if (failed(r))
        kv_fail(txn, diag_within(txn->diag, r, "log: entry %llu", (unsigned long long)number));
    return true;
}

bool ledger_apply(struct kv_txn *txn, kv_table log, slice kind, uint64_t number, slice entry)
{
    return apply(txn, log, kind, number, entry, false);
}

void ledger_clear_derived(struct kv_txn *txn, kv_table log)
{
    kv_clear(txn, ledger_tree_table(log));
    (void)kv_delete(txn, ledger_fact_table(log), SLICE("s"));
}

result ledger_note(const struct ledger *ledger, slice kind, slice body, uint64_t *number,
                   struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice entry;

    kv_begin_write(ledger->kv, &txn, diag);
    ledger_append(&txn, ledger->log, kind,
                  ledger_next_us(&txn, ledger->log, ledger->world->now_us(ledger->world->context)),
                  body, number);
    if (ledger_read(&txn, ledger->log, *number, &entry))
        (void)apply(&txn, ledger->log, kind, *number, entry, true);
    return kv_commit(&txn);
}

result ledger_note_settings(const struct ledger *ledger, slice settings, slice actor,
                            struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct json_writer w = JSON_WRITER(&body);
    slice before = SLICE("{}");
    uint64_t number;

    kv_begin_read(ledger->kv, &txn, diag);
    (void)kv_get(&txn, ledger_fact_table(ledger->log), SLICE("s"), &before);
    bool is_same = slice_eq(before, settings);
    TRY(txn.state);
    kv_abort(&txn);
    if (is_same)
        return OK;
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_key(&w, SLICE("settings"));
    jw_raw(&w, settings);
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the settings are too long for an entry");
    return ledger_note(ledger, SLICE("settings"), buf_slice(&body), &number, diag);
}

/* ---- origins ---- */

static result note_two(const struct ledger *ledger, slice kind, slice name, slice value,
                       slice actor, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    uint64_t number;

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_put_string(&w, name, value);
    jw_object_end(&w);
    return ledger_note(ledger, kind, buf_slice(&body), &number, diag);
}

result witness_add(const struct ledger *ledger, slice vkey, slice actor, struct diag *diag)
{
    struct note_verifier verifier;
    struct witnessed before;
    bool is_known, is_same;

    TRY(diag_within(diag, note_verifier_parse(vkey, &verifier, diag), "%.*s", SLICE_ARG(vkey)));
    if (verifier.kind != NOTE_ED25519)
        return diag_fail(diag, ERR_INVALID, "%.*s: is no key of a log, it cosigns",
                         SLICE_ARG(vkey));
    {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_read(ledger->kv, &txn, diag);
        is_known = witness_find(&txn, ledger->log, slice_text(verifier.name), &before);
        is_same = is_known && memcmp(before.verifier.key, verifier.key, sizeof(verifier.key)) == 0;
        if (!is_known && witness_at(&txn, ledger->log, WITNESS_ORIGINS_MAX - 1, &before))
            return diag_fail(diag, ERR_LIMIT, "a node witnesses at most %d origins",
                             WITNESS_ORIGINS_MAX);
        TRY(txn.state);
    }
    if (is_same)
        return OK;
    if (is_known)
        return diag_fail(diag, ERR_CONFLICT, "%s: is witnessed already, under another key",
                         verifier.name);
    return note_two(ledger, SLICE("witness.add"), SLICE("vkey"), vkey, actor, diag);
}

result witness_remove(const struct ledger *ledger, slice origin, slice actor, struct diag *diag)
{
    struct witnessed before;
    bool is_known;
    {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_read(ledger->kv, &txn, diag);
        is_known = witness_find(&txn, ledger->log, origin, &before);
        TRY(txn.state);
    }
    if (!is_known)
        return diag_fail(diag, ERR_MISSING, "%.*s: is not witnessed here", SLICE_ARG(origin));
    return note_two(ledger, SLICE("witness.remove"), SLICE("origin"), origin, actor, diag);
}

/* ---- evidence ---- */

bool evidence_at(struct kv_txn *txn, kv_table log, uint64_t number, struct evidence *out)
{
    char key[LEDGER_FACT_KEY_BYTES];
    struct reader reader;
    slice row;

    if (!kv_get(txn, ledger_fact_table(log), ledger_fact_key(EVIDENCE, number, key), &row))
        return false;
    reader = READER(row);
    out->number = number;
    out->at_us = (int64_t)read_u64(&reader);
    out->old_size = read_u64(&reader);
    out->proof.count = read_u16(&reader);
    for (size_t i = 0; i < out->proof.count && i < TREE_PROOF_HASHES_MAX; i++) {
        slice hash = read_bytes(&reader, SHA256_BYTES);

        if (hash.len == SHA256_BYTES)
            memcpy(out->proof.hashes[i].bytes, hash.at, SHA256_BYTES);
    }
    out->first = read_bytes(&reader, read_u32(&reader));
    out->second = read_bytes(&reader, read_u32(&reader));
    if (!reader.broken && out->proof.count <= TREE_PROOF_HASHES_MAX)
        return true;
    kv_fail(txn, diag_fail(txn->diag, ERR_CORRUPT, "ledger: evidence %llu is not as it was written",
                           (unsigned long long)number));
    return false;
}

bool evidence_hash(struct kv_txn *txn, kv_table log, uint64_t number, struct hash256 *out)
{
    char key[LEDGER_FACT_KEY_BYTES];
    slice row;

    if (!kv_get(txn, ledger_fact_table(log), ledger_fact_key(EVIDENCE, number, key), &row))
        return false;
    *out = sha256(row);
    return true;
}

/* The same text again tells nothing new, whatever proof came with it. */
static bool is_kept(struct kv_txn *txn, kv_table log, slice text, uint64_t *count)
{
    struct evidence kept;

    for (*count = 0; evidence_at(txn, log, *count, &kept); (*count)++)
        if (slice_starts(kept.second, text))
            return true;
    return *count >= WITNESS_EVIDENCE_MAX;
}

static void split_note(const struct ledger *ledger, struct kv_txn *txn,
                       const struct consistency *request, const struct witnessed *known,
                       uint64_t evidence, slice row)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    struct hash256 hash = sha256(row);
    char hex[2 * SHA256_BYTES];
    uint64_t number;

    hex_encode(slice_of(hash.bytes, SHA256_BYTES), hex);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), SLICE("witness"));
    jw_put_string(&w, SLICE("origin"), slice_text(known->verifier.name));
    jw_put_u64(&w, SLICE("size"), request->checkpoint.size);
    jw_put_u64(&w, SLICE("seen"), known->size);
    jw_put_u64(&w, SLICE("evidence"), evidence);
    jw_put_string(&w, SLICE("sha256"), slice_of(hex, sizeof(hex)));
    jw_object_end(&w);
    ledger_append(txn, ledger->log, SLICE("witness.split"),
                  ledger_next_us(txn, ledger->log, ledger->world->now_us(ledger->world->context)),
                  buf_slice(&body), &number);
}

static result evidence_keep(const struct ledger *ledger, struct kv_txn *txn,
                            const struct consistency *request, const struct witnessed *known)
{
    CLEANUP(buf_free) struct buf row = BUF(RECORD_BYTES_MAX);
    char key[LEDGER_FACT_KEY_BYTES];
    uint64_t count;

    if (is_kept(txn, ledger->log, request->note.text, &count))
        return txn->state;
    buf_u64(&row, (uint64_t)ledger->world->now_us(ledger->world->context));
    buf_u64(&row, request->old_size);
    buf_u16(&row, (uint16_t)request->proof.count);
    for (size_t i = 0; i < request->proof.count; i++)
        buf_put(&row, slice_of(request->proof.hashes[i].bytes, SHA256_BYTES));
    buf_u32(&row, (uint32_t)known->note.len);
    buf_put(&row, known->note);
    buf_u32(&row, (uint32_t)request->note.all.len);
    buf_put(&row, request->note.all);
    if (row.overflowed || FAULT_HERE())
        return diag_fail(txn->diag, ERR_LIMIT, "no memory for evidence");
    split_note(ledger, txn, request, known, count,
               buf_slice(&row)); /* reads known before we write */
    log_event(LOG_LEVEL_ERROR, "ledger.split_view", "origin=%s size=%" PRIu64 " seen=%" PRIu64,
              known->verifier.name, request->checkpoint.size, known->size);
    kv_put(txn, ledger_fact_table(ledger->log), ledger_fact_key(EVIDENCE, count, key),
           buf_slice(&row));
    return kv_commit(txn);
}

/* ---- add-checkpoint ---- */

static result answer_text(struct witness_answer *answer, int status, const char *words)
{
    answer->status = status;
    buf_printf(answer->body, "%s\n", words);
    return OK;
}

static result answer_size(struct witness_answer *answer, uint64_t size)
{
    answer->status = 409;
    answer->is_size = true;
    buf_printf(answer->body, "%" PRIu64 "\n", size);
    return OK;
}

/* What was cosigned last is copied out of the map: the transaction writes. */
static result last_copy(struct witnessed *known, struct arena *arena, struct checkpoint *last,
                        struct diag *diag)
{
    struct note note;

    *last = (struct checkpoint){.root = sha256(SLICE(""))};
    known->note = arena_copy(arena, known->note);
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for a checkpoint");
    return known->size == 0 ? OK : ledger_head_parse(known->note, &note, last, diag);
}

static result cosign(const struct ledger *ledger, struct kv_txn *txn,
                     const struct consistency *request, struct witnessed *known,
                     struct witness_answer *answer)
{
    int64_t now_us = ledger->world->now_us(ledger->world->context);

    known->size = request->checkpoint.size;
    known->note = request->note.all;
    origin_put(txn, ledger->log, known);
    TRY(kv_commit(txn)); /* on the disk before the signature is out */
    answer->status = 200;
    note_sign(request->note.text, &ledger->witness_key, now_us > 0 ? (uint64_t)now_us / 1000000 : 0,
              answer->body);
    return answer->body->overflowed ? diag_fail(txn->diag, ERR_LIMIT, "no memory to sign") : OK;
}

/* In one write transaction, so that of two requests at once the second sees the first. */
static result decide(const struct ledger *ledger, struct kv_txn *txn,
                     const struct consistency *request, struct witness_answer *answer)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)4 * NOTE_BYTES_MAX);
    const struct checkpoint *head = &request->checkpoint;
    struct witnessed known;
    struct checkpoint last;

    if (!witness_find(txn, ledger->log, head->origin, &known)) {
        TRY(txn->state);
        return answer_text(answer, 404, "this log is not witnessed here");
    }
    if (note_verify(&request->note, &known.verifier, NULL) != NOTE_HOLDS)
        return answer_text(answer, 403, "no key that is trusted for this log has signed");
    TRY(last_copy(&known, &arena, &last, txn->diag));
    if (request->old_size > head->size)
        return answer_text(answer, 400, "the old size is over the checkpoint's");
    /* One size, two roots: whatever old size it names, both are signed. */
    if (known.size == head->size && known.size > 0 && !hash256_eq(&last.root, &head->root)) {
        TRY(evidence_keep(ledger, txn, request, &known));
        return answer_text(answer, 409, "another root of this size was cosigned before");
    }
    if (request->old_size != known.size)
        return answer_size(answer, known.size);
    if (!tree_is_consistent(known.size, &last.root, head->size, &head->root, &request->proof)) {
        if (known.size > 0)
            TRY(evidence_keep(ledger, txn, request, &known));
        return answer_text(answer, 422, "the consistency proof does not hold");
    }
    return cosign(ledger, txn, request, &known, answer);
}

result witness_add_checkpoint(const struct ledger *ledger, slice request,
                              struct witness_answer *answer, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct consistency parsed;
    struct diag why = {0};

    answer->is_size = false;
    if (failed(consistency_parse(request, &parsed, &why)))
        return answer_text(answer, 400, why.text);
    if (!ledger->has_keys)
        return diag_fail(diag, ERR_DENIED, "ledger: there is no key to cosign with");
    kv_begin_write(ledger->kv, &txn, diag);
    TRY(txn.state);
    return decide(ledger, &txn, &parsed, answer);
}
