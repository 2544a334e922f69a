#include "sync/reconcile_wire.h"

#include <assert.h>
#include <endian.h>

#include "base/banned.h"

#define DIGIT_BITS 7
#define DIGITS_MAX 10 /* of 64 bits */
#define WORDS (RECONCILE_ID_BYTES / sizeof(uint64_t))

int bound_cmp(const struct bound *bound, const struct reconcile_item *item)
{
    if (bound->seq != item->seq)
        return bound->seq < item->seq ? -1 : 1;
    return memcmp(bound->id, item->id, RECONCILE_ID_BYTES);
}

struct bound bound_between(const struct reconcile_item *last, const struct reconcile_item *next)
{
    struct bound bound = {.seq = next->seq};
    size_t same = 0;

    if (last->seq != next->seq)
        return bound;
    while (same < RECONCILE_ID_BYTES - 1 && last->id[same] == next->id[same])
        same++;
    bound.prefix_bytes = same + 1;
    memcpy(bound.id, next->id, bound.prefix_bytes);
    return bound;
}

void digits_write(uint64_t number, struct buf *out)
{
    uint8_t digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;

    digits[--at] = number & 0x7f;
    while (number >>= DIGIT_BITS)
        digits[--at] = (uint8_t)((number & 0x7f) | 0x80);
    buf_put(out, slice_of(digits + at, DIGITS_MAX - at));
}

result digits_read(struct reader *from, uint64_t *out, struct diag *diag)
{
    uint64_t number = 0;

    for (size_t i = 0;; i++) {
        uint8_t digit = read_u8(from);

        if (from->broken)
            return diag_fail(diag, ERR_INVALID, "the message ends within a number");
        if ((i == 0 && digit == 0x80) || number >> (64 - DIGIT_BITS) != 0)
            return diag_fail(diag, ERR_INVALID, "a number has too many digits");
        number = number << DIGIT_BITS | (digit & 0x7f);
        if (digit < 0x80)
            break;
    }
    *out = number;
    return OK;
}

void bound_write(const struct bound *bound, uint64_t *seq_last, struct buf *out)
{
    if (bound->seq == RECONCILE_END) {
        digits_write(0, out);
    } else {
        assert(bound->seq >= *seq_last);
        digits_write(bound->seq - *seq_last + 1, out);
        *seq_last = bound->seq;
    }
    digits_write(bound->prefix_bytes, out);
    buf_put(out, slice_of(bound->id, bound->prefix_bytes));
}

result bound_read(struct reader *from, const struct bound *before, struct bound *out,
                  struct diag *diag)
{
    uint64_t step, bytes;

    *out = BOUND_END;
    TRY(digits_read(from, &step, diag));
    if (before->seq == RECONCILE_END)
        return diag_fail(diag, ERR_INVALID, "a range stands behind the end");
    /* The very last number is the end's name, which nothing else may spell. */
    if (step != 0 &&
        (__builtin_add_overflow(before->seq, step - 1, &out->seq) || out->seq == RECONCILE_END))
        return diag_fail(diag, ERR_INVALID, "a range ends at no sequence number");
    TRY(digits_read(from, &bytes, diag));
    if (bytes > RECONCILE_ID_BYTES)
        return diag_fail(diag, ERR_INVALID, "a part of an id has more bytes than an id");
    out->prefix_bytes = (size_t)bytes;
    slice prefix = read_bytes(from, out->prefix_bytes);
    if (from->broken)
        return diag_fail(diag, ERR_INVALID, "the message ends within a range's bound");
    if (out->seq == RECONCILE_END) /* there is nothing to tell apart */
        out->prefix_bytes = 0;
    else if (prefix.len > 0)
        memcpy(out->id, prefix.at, prefix.len);
    if (out->seq == before->seq && memcmp(out->id, before->id, RECONCILE_ID_BYTES) < 0)
        return diag_fail(diag, ERR_INVALID, "a range ends before it begins");
    return OK;
}

void fingerprint(const struct reconcile_item *items, size_t count,
                 uint8_t out[RECONCILE_PRINT_BYTES])
{
    CLEANUP(buf_free) struct buf digits = BUF(DIGITS_MAX);
    uint64_t sum[WORDS] = {0};
    struct sha256_state state;

    for (size_t i = 0; i < count; i++) {
        uint64_t words[WORDS];
        bool carry = false;

        memcpy(words, items[i].id, sizeof(words));
        for (size_t j = 0; j < WORDS; j++) {
            bool wrapped = __builtin_add_overflow(sum[j], (uint64_t)carry, &sum[j]);

            carry = __builtin_add_overflow(sum[j], le64toh(words[j]), &sum[j]) || wrapped;
        }
    }
    for (size_t j = 0; j < WORDS; j++)
        sum[j] = htole64(sum[j]);
    digits_write(count, &digits);
    sha256_init(&state);
    sha256_add(&state, slice_of(sum, sizeof(sum)));
    sha256_add(&state, buf_slice(&digits));
    struct hash256 hash = sha256_end(&state);
    memcpy(out, hash.bytes, RECONCILE_PRINT_BYTES);
}
