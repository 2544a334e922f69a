#include "agreement/accept.h"

#include "base/banned.h"

void signatures_merge(struct merged *merged, const struct signature *signatures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_there = false;

        for (size_t j = 0; j < merged->count; j++)
            is_there |= slice_eq(merged->items[j].party, signatures[i].party);
        if (!is_there && merged->count < PARTIES_MAX)
            merged->items[merged->count++] = signatures[i];
    }
}

result agreement_put(const struct keep_place *place, slice text, const struct merged *signatures,
                     slice actor, struct arena *arena, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(buf_free) struct buf whole = BUF(ACCEPT_BYTES_MAX);
    struct json_doc doc;
    slice id;

    TRY(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    struct value document = {&doc, doc.nodes};
    TRY(document_check(document, arena, diag));
    if (!value_text(value_get(document, SLICE("id")), arena, &id))
        return diag_fail(diag, ERR_INVALID, "id: is missing");
    TRY(document_write(document, signatures->items, signatures->count, &whole, diag));
    return keep_change(place, SLICE(KEEP_DOCUMENT), id, buf_slice(&whole), actor, diag);
}

/* What is in force is changed by a higher version alone; a draft may be written anew. */
static result version_follows(const struct kept *held, struct value document, slice id,
                              struct diag *diag)
{
    struct value version = value_get(document, SLICE("version"));
    struct hash256 hash;
    int64_t number;

    TRY(document_hash(document, &hash, diag));
    if (!json_i64(version.doc, version.node, &number) || number < held->version ||
        (number == held->version && held->signature_count > 0 && !hash256_eq(&hash, &held->hash)))
        return diag_fail(diag, ERR_CONFLICT,
                         "%.*s: version %lld is signed: a change is version %lld or higher",
                         SLICE_ARG(id), (long long)held->version, (long long)held->version + 1);
    return OK;
}

/* What of it is kept already goes in with it. */
static result held_merge(const struct keep_place *place, struct value document, slice id,
                         const struct hash256 *hash, struct arena *arena, struct merged *merged,
                         bool *is_new, struct diag *diag)
{
    CLEANUP(kept_free) struct kept held = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    bool found = false;

    *is_new = true;
    kv_begin_read(place->kv, &txn, diag);
    TRY(keep_read(place, &txn, id, 0, arena, &held, &found, diag));
    if (!found)
        return OK;
    TRY(version_follows(&held, document, id, diag));
    if (!hash256_eq(hash, &held.hash))
        return OK;
    signatures_merge(merged, held.signatures, held.signature_count);
    *is_new = merged->count != held.signature_count;
    return OK;
}

result agreement_accept(const struct keep_place *place, slice text, slice id_asked, slice actor,
                        struct arena *arena, slice *id, bool *is_new, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const struct signature *signatures;
    struct merged merged = {.count = 0};
    struct hash256 hash;
    struct json_doc doc;
    size_t count;

    TRY(json_parser_new(DOCUMENT_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    struct value document = {&doc, doc.nodes};
    TRY(document_check(document, arena, diag));
    TRY(document_hash(document, &hash, diag));
    TRY(document_signatures(document, &hash, arena, &signatures, &count, diag));
    if (!value_text(value_get(document, SLICE("id")), arena, id) ||
        (id_asked.len > 0 && !slice_eq(*id, id_asked)))
        return diag_fail(diag, ERR_INVALID, "is of another agreement");
    *id = arena_copy(arena, *id); /* it outlives the parser */
    signatures_merge(&merged, signatures, count);
    TRY(held_merge(place, document, *id, &hash, arena, &merged, is_new, diag));
    return *is_new ? agreement_put(place, text, &merged, actor, arena, diag) : OK;
}
