#include "taxii/server.h"

#include <assert.h>

#include "base/encode.h"

#include "base/banned.h"

/* A `next` value: where the page starts (8 bytes) and a MAC (16 bytes), as 32 base64url digits.
 *
 * The position alone would be enough, since every request is read again with its own rights and
 * filters; the MAC makes a forged or foreign value an error instead of a wrong page. */
#define SEQ_BYTES 8
#define MAC_BYTES 16
#define CURSOR_BYTES (SEQ_BYTES + MAC_BYTES)
#define HMAC_BLOCK_BYTES 64

static_assert(CURSOR_BYTES * 4 / 3 == CURSOR_TEXT_BYTES, "no padding, no rest");

/* HMAC-SHA-256 (RFC 2104), fed in pieces. */
struct hmac {
    struct sha256_state inner;
    uint8_t outer_pad[HMAC_BLOCK_BYTES];
};

static void hmac_init(struct hmac *hmac, const uint8_t key[TAXII_KEY_BYTES])
{
    uint8_t inner_pad[HMAC_BLOCK_BYTES];

    for (size_t i = 0; i < HMAC_BLOCK_BYTES; i++) {
        uint8_t byte = i < TAXII_KEY_BYTES ? key[i] : 0;

        inner_pad[i] = byte ^ 0x36;
        hmac->outer_pad[i] = byte ^ 0x5c;
    }
    sha256_init(&hmac->inner);
    sha256_add(&hmac->inner, slice_of(inner_pad, sizeof(inner_pad)));
}

static struct hash256 hmac_end(struct hmac *hmac)
{
    struct sha256_state outer;
    struct hash256 inner = sha256_end(&hmac->inner);

    sha256_init(&outer);
    sha256_add(&outer, slice_of(hmac->outer_pad, sizeof(hmac->outer_pad)));
    sha256_add(&outer, slice_of(inner.bytes, sizeof(inner.bytes)));
    return sha256_end(&outer);
}

static void add_u64(struct hmac *hmac, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    sha256_add(&hmac->inner, slice_of(bytes, sizeof(bytes)));
}

/* Length first, so that no two lists of texts look alike. */
static void add_text(struct hmac *hmac, slice text)
{
    add_u64(hmac, text.len);
    sha256_add(&hmac->inner, text);
}

static void add_texts(struct hmac *hmac, const slice *texts, size_t count)
{
    add_u64(hmac, count);
    for (size_t i = 0; i < count; i++)
        add_text(hmac, texts[i]);
}

static void add_filters(struct hmac *hmac, const struct store_query *query)
{
    add_u64(hmac, query->has_added_after);
    add_u64(hmac, (uint64_t)query->added_after_us);
    add_texts(hmac, query->ids, query->id_count);
    add_texts(hmac, query->types, query->type_count);
    add_u64(hmac, query->spec_count);
    for (size_t i = 0; i < query->spec_count; i++)
        add_u64(hmac, query->specs[i]);
    add_u64(hmac, (uint64_t)query->version_last << 2 | (uint64_t)query->version_first << 1 |
                      (uint64_t)query->version_all);
    add_u64(hmac, query->version_count);
    for (size_t i = 0; i < query->version_count; i++) {
        add_u64(hmac, (uint64_t)query->versions[i].us);
        add_u64(hmac, query->versions[i].rest);
    }
}

static struct hash256 cursor_mac(const struct exchange *exchange, const struct taxii_query *query,
                                 uint64_t seq)
{
    struct hmac hmac;

    hmac_init(&hmac, exchange->taxii->next_key);
    add_u64(&hmac, exchange->route.endpoint);
    sha256_add(&hmac.inner, slice_of(exchange->collection.id.bytes, 16));
    add_text(&hmac, exchange->route.object);
    add_filters(&hmac, &query->store);
    add_u64(&hmac, seq);
    return hmac_end(&hmac);
}

void cursor_make(const struct exchange *exchange, const struct taxii_query *query, uint64_t seq,
                 char out[CURSOR_TEXT_BYTES])
{
    CLEANUP(buf_free) struct buf bytes = BUF(CURSOR_BYTES);
    CLEANUP(buf_free) struct buf text = BUF(CURSOR_TEXT_BYTES + 8);
    struct hash256 mac = cursor_mac(exchange, query, seq);

    buf_u64(&bytes, seq);
    buf_put(&bytes, slice_of(mac.bytes, MAC_BYTES));
    base64url_encode(&text, buf_slice(&bytes));
    /* Out of memory: an answer with a `next` of zeros, which is refused when it comes back. */
    memset(out, '0', CURSOR_TEXT_BYTES);
    if (!bytes.overflowed && !text.overflowed && text.len == CURSOR_TEXT_BYTES)
        memcpy(out, text.at, CURSOR_TEXT_BYTES);
}

bool cursor_read(const struct exchange *exchange, const struct taxii_query *query, uint64_t *seq)
{
    CLEANUP(buf_free) struct buf bytes = BUF(CURSOR_BYTES + 8);

    if (query->next.len != CURSOR_TEXT_BYTES || !base64url_decode(&bytes, query->next) ||
        bytes.len != CURSOR_BYTES)
        return false;
    struct reader reader = READER(buf_slice(&bytes));
    uint64_t position = read_u64(&reader);
    struct hash256 mac = cursor_mac(exchange, query, position);

    if (!secret_eq(reader.rest, slice_of(mac.bytes, MAC_BYTES)))
        return false;
    *seq = position;
    return true;
}
