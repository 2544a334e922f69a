#include "agreement/card.h"

#include "stix/id.h"

#include "base/banned.h"

#define CARD_HEAD "entente-card/1\n"

void card_message(const struct hash256 *hash, struct buf *out)
{
    buf_put(out, SLICE(CARD_HEAD));
    buf_put(out, slice_of(hash->bytes, SHA256_BYTES));
}

bool card_url_is_good(slice url)
{
    if (!slice_starts(url, SLICE("https://")) || url.len > CARD_URL_BYTES_MAX ||
        url.len < sizeof("https://") || url.at[url.len - 1] == '/')
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] > '~' || strchr("\"<>\\^`{|}@#?", url.at[i]) != NULL)
            return false;
    return true;
}

static bool url_read(struct value card, struct arena *arena, slice *out)
{
    struct value url = value_get(card, SLICE("url"));

    *out = SLICE("");
    return !value_is_there(url) || (value_text(url, arena, out) && card_url_is_good(*out));
}

result card_read(struct value card, struct arena *arena, struct card *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf message = BUF(256);
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct value list = value_get(card, SLICE("signatures"));
    struct hash256 hash;
    struct stix_id id;

    if (!value_is_of(card, JSON_OBJECT) || value_repeats(card) ||
        !value_is(value_get(card, SLICE("type")), SLICE("entente-card")) ||
        !value_text(value_get(card, SLICE("id")), arena, &out->id) ||
        !stix_id_parse(out->id, &id) || !slice_eq(id.type, SLICE("identity")) ||
        !value_text(value_get(card, SLICE("name")), arena, &out->name) ||
        !value_bytes(value_get(card, SLICE("key")), out->key, sizeof(out->key)))
        return diag_fail(diag, ERR_INVALID, "it is no card: type, id, name and key are needed");
    if (!url_read(card, arena, &out->url))
        return diag_fail(diag, ERR_INVALID, "url: takes https://HOST:PORT, without an end slash");
    if (!value_is_of(list, JSON_ARRAY) || list.node->size != 2 ||
        !value_bytes((struct value){list.doc, list.node + 1}, signature, sizeof(signature)))
        return diag_fail(diag, ERR_INVALID, "signatures: a card has one, in base64");
    TRY(document_hash(card, &hash, diag));
    card_message(&hash, &message);
    if (!ed25519_verify(out->key, buf_slice(&message), signature))
        return diag_fail(diag, ERR_CORRUPT, "the card is not signed by its own key");
    return OK;
}
