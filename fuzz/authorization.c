/* The Authorization header: whatever comes, the parts lie inside what was given. */
#include <stdlib.h>

#include "account/authorization.h"
#include "base/encode.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static volatile char seen; /* reading every byte lets the sanitizer check each edge */

static void read_all(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        seen = s.at[i];
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A name and a password written as a header read back as they were. */
static void check_round_trip(const struct authorization *given)
{
    CLEANUP(buf_free) struct buf plain = BUF(AUTHORIZATION_BYTES_MAX);
    CLEANUP(buf_free) struct buf header = BUF((size_t)2 * AUTHORIZATION_BYTES_MAX);
    CLEANUP(buf_free) struct buf scratch = BUF(AUTHORIZATION_BYTES_MAX);
    struct authorization again;

    buf_put(&plain, given->name);
    buf_byte(&plain, ':');
    buf_put(&plain, given->password);
    buf_put(&header, SLICE("Basic "));
    base64_encode(&header, buf_slice(&plain));
    again = authorization_parse(buf_slice(&header), &scratch);
    must(again.kind == AUTHORIZATION_BASIC && slice_eq(again.name, given->name) &&
         slice_eq(again.password, given->password));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    CLEANUP(buf_free) struct buf scratch = BUF(AUTHORIZATION_BYTES_MAX);
    struct authorization given = authorization_parse(slice_of(bytes, count), &scratch);

    if (given.kind == AUTHORIZATION_BASIC) {
        read_all(given.name);
        read_all(given.password);
        must(slice_find_byte(given.name, ':') == SIZE_MAX);
        check_round_trip(&given);
    } else if (given.kind == AUTHORIZATION_BEARER) {
        read_all(given.token_id);
        read_all(given.secret);
        must(given.token_id.len == TOKEN_ID_DIGITS && given.secret.len == TOKEN_SECRET_DIGITS);
    }
    return 0;
}
