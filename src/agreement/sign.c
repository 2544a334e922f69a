#include "agreement/document.h"

#include <assert.h>

#include "base/encode.h"
#include "json/canonical.h"
#include "json/write.h"

#include "base/banned.h"

#define SIGNED_HEAD "entente-agreement/1\n"

static_assert(sizeof(SIGNED_HEAD) - 1 + SHA256_BYTES == DOCUMENT_SIGNED_BYTES, "as it is written");

/* The document's members but one, and a list of signatures where it is asked for. */
static void members_write(struct value document, struct json_writer *w, struct arena *arena)
{
    for (struct json_each each = json_each(document.doc, document.node); json_next(&each);) {
        slice key = json_string(document.doc, each.key, arena);

        if (slice_eq(key, SLICE("signatures")))
            continue;
        jw_key(w, key);
        jw_raw(w, json_raw(document.doc, each.value));
    }
}

static void signature_write(const struct signature *signature, struct json_writer *w)
{
    CLEANUP(buf_free) struct buf text = BUF(256);

    jw_object_begin(w);
    base64_encode(&text, slice_of(signature->key, sizeof(signature->key)));
    jw_put_string(w, SLICE("key"), buf_slice(&text));
    jw_put_string(w, SLICE("party"), signature->party);
    buf_reset(&text);
    base64_encode(&text, slice_of(signature->bytes, sizeof(signature->bytes)));
    jw_put_string(w, SLICE("signature"), buf_slice(&text));
    jw_object_end(w);
}

static result canonical_write(struct value document, const struct signature *signatures,
                              size_t count, struct buf *out, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)4 * DOCUMENT_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf plain = BUF((size_t)8 * DOCUMENT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&plain);
    struct json_doc doc;

    jw_object_begin(&w);
    members_write(document, &w, &arena);
    if (count > 0) {
        jw_key(&w, SLICE("signatures"));
        jw_array_begin(&w);
        for (size_t i = 0; i < count; i++)
            signature_write(&signatures[i], &w);
        jw_array_end(&w);
    }
    jw_object_end(&w);
    if (plain.overflowed || arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the document is too long");
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, buf_slice(&plain), &doc, diag));
    buf_reset(out);
    return json_canonical(&doc, doc.nodes, out, diag);
}

result document_hash(struct value document, struct hash256 *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)8 * DOCUMENT_BYTES_MAX);

    if (!value_is_of(document, JSON_OBJECT))
        return diag_fail(diag, ERR_INVALID, "the document is no object");
    TRY(canonical_write(document, NULL, 0, &text, diag));
    *out = sha256(buf_slice(&text));
    return OK;
}

void document_signed_bytes(const struct hash256 *hash, uint8_t out[DOCUMENT_SIGNED_BYTES])
{
    memcpy(out, SIGNED_HEAD, sizeof(SIGNED_HEAD) - 1);
    memcpy(out + sizeof(SIGNED_HEAD) - 1, hash->bytes, SHA256_BYTES);
}

static bool is_party(struct value document, slice id)
{
    struct value list = value_get(document, SLICE("parties"));

    for (struct json_each each = json_each(list.doc, list.node); json_next(&each);)
        if (value_is(value_get((struct value){list.doc, each.value}, SLICE("id")), id))
            return true;
    return false;
}

static result signature_read(struct value document, struct value one, size_t index,
                             const struct hash256 *hash, struct arena *arena, struct signature *out,
                             struct diag *diag)
{
    uint8_t message[DOCUMENT_SIGNED_BYTES];

    if (!value_text(value_get(one, SLICE("party")), arena, &out->party) ||
        !value_bytes(value_get(one, SLICE("key")), out->key, sizeof(out->key)) ||
        !value_bytes(value_get(one, SLICE("signature")), out->bytes, sizeof(out->bytes)))
        return diag_fail(diag, ERR_INVALID, "signatures[%zu]: has no party, key and signature",
                         index);
    if (!is_party(document, out->party))
        return diag_fail(diag, ERR_INVALID, "signatures[%zu].party: is no party", index);
    document_signed_bytes(hash, message);
    if (!ed25519_verify(out->key, slice_of(message, sizeof(message)), out->bytes))
        return diag_fail(diag, ERR_CORRUPT, "signatures[%zu]: does not sign this text", index);
    return OK;
}

result document_signatures(struct value document, const struct hash256 *hash, struct arena *arena,
                           const struct signature **out, size_t *count, struct diag *diag)
{
    struct value list = value_get(document, SLICE("signatures"));
    size_t i = 0;

    *count = 0;
    *out = NULL;
    if (!value_is_there(list))
        return OK;
    if (list.node->kind != JSON_ARRAY || json_count(list.doc, list.node) > PARTIES_MAX)
        return diag_fail(diag, ERR_INVALID, "signatures: is no list of at most %d signatures",
                         PARTIES_MAX);
    struct signature *items =
        arena_new(arena, struct signature, json_count(list.doc, list.node) + 1);
    if (items == NULL)
        return diag_fail(diag, ERR_LIMIT, "signatures: too many to hold");
    for (struct json_each each = json_each(list.doc, list.node); json_next(&each); i++) {
        TRY(signature_read(document, (struct value){list.doc, each.value}, i, hash, arena,
                           &items[i], diag));
        for (size_t j = 0; j < i; j++)
            if (slice_eq(items[j].party, items[i].party))
                return diag_fail(diag, ERR_INVALID, "signatures[%zu].party: stands twice", i);
    }
    *out = items;
    *count = i;
    return OK;
}

result document_write(struct value document, const struct signature *signatures, size_t count,
                      struct buf *out, struct diag *diag)
{
    struct signature sorted[PARTIES_MAX];

    if (count > PARTIES_MAX)
        return diag_fail(diag, ERR_LIMIT, "more than %d signatures", PARTIES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        for (; at > 0 && slice_cmp(sorted[at - 1].party, signatures[i].party) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = signatures[i];
    }
    return canonical_write(document, sorted, count, out, diag);
}
