#include "account/authorization.h"

#include "base/encode.h"

#include "base/banned.h"

#define TOKEN_HEAD SLICE("ent_")

static bool is_token_id(slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(s.at[i] >= '0' && s.at[i] <= '9') && !(s.at[i] >= 'a' && s.at[i] <= 'f'))
            return false;
    }
    return s.len == TOKEN_ID_DIGITS;
}

static bool is_token_secret(slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            c != '-' && c != '_')
            return false;
    }
    return s.len == TOKEN_SECRET_DIGITS;
}

bool token_parse(slice text, slice *token_id, slice *secret)
{
    if (!slice_starts(text, TOKEN_HEAD) ||
        !slice_cut(slice_from(text, TOKEN_HEAD.len), '_', token_id, secret))
        return false;
    return is_token_id(*token_id) && is_token_secret(*secret);
}

/* RFC 7617, 2: the name ends at the first colon; the password may hold more of them. */
static bool basic_parse(slice credentials, struct buf *scratch, struct authorization *out)
{
    if (buf_reserve(scratch, credentials.len) == NULL || !base64_decode(scratch, credentials) ||
        scratch->overflowed)
        return false;
    return slice_cut(buf_slice(scratch), ':', &out->name, &out->password);
}

struct authorization authorization_parse(slice header, struct buf *scratch)
{
    struct authorization out = {.kind = AUTHORIZATION_BROKEN};
    slice scheme, credentials;

    header = slice_trim(header);
    if (header.len == 0)
        return (struct authorization){.kind = AUTHORIZATION_NONE};
    if (header.len > AUTHORIZATION_BYTES_MAX || !slice_cut(header, ' ', &scheme, &credentials))
        return out;
    credentials = slice_trim(credentials);
    if (slice_eq_nocase(scheme, SLICE("basic")) && basic_parse(credentials, scratch, &out))
        out.kind = AUTHORIZATION_BASIC;
    else if (slice_eq_nocase(scheme, SLICE("bearer")) &&
             token_parse(credentials, &out.token_id, &out.secret))
        out.kind = AUTHORIZATION_BEARER;
    return out;
}
