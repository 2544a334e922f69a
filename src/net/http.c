#include "net/http.h"

#include "base/encode.h"

#include "base/banned.h"

slice http_header_find(const struct http_request *request, slice name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_eq_nocase(request->headers[i].name, name))
            return request->headers[i].value;
    return SLICE_NONE;
}

/* Most names and values hold no escape: those are given back where they lie. */
static bool decode(struct arena *arena, slice text, slice *out)
{
    *out = text;
    if (slice_find_byte(text, '%') == SIZE_MAX)
        return true;

    CLEANUP(buf_free) struct buf decoded = BUF(text.len);

    if (!percent_decode(&decoded, text) || decoded.overflowed)
        return false;
    *out = arena_copy(arena, buf_slice(&decoded));
    return out->at != NULL;
}

bool http_query_find(const struct http_request *request, slice name, size_t nth, slice *value,
                     bool *broken)
{
    slice rest = request->query, pair, key, raw, decoded;

    *broken = false;
    while (rest.len > 0) {
        (void)slice_cut(rest, '&', &pair, &rest);
        (void)slice_cut(pair, '=', &key, &raw);
        if (!decode(request->arena, key, &decoded) || !slice_eq(decoded, name) || nth-- > 0)
            continue;
        *broken = !decode(request->arena, raw, value);
        return !*broken;
    }
    return false;
}

void http_response_header(struct http_response *response, slice name, slice value)
{
    if (response->header_count < HTTP_RESPONSE_HEADERS_MAX)
        response->headers[response->header_count++] = (struct http_header){name, value};
}

/* ---- Accept-Encoding (RFC 9110, 12.4.2 and 12.5.3) ---- */

#define Q_ONE 1000 /* q=1, in thousandths */
#define Q_ABSENT (-1)

/* qvalue: "0" or "1", and up to three digits behind a dot.  Q_ABSENT when it is none. */
static int q_parse(slice text)
{
    int q = 0, place = Q_ONE;

    if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.len > 1 && text.at[1] != '.'))
        return Q_ABSENT;
    q = (text.at[0] - '0') * place;
    for (size_t i = 2; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return Q_ABSENT;
        place /= 10;
        q += (text.at[i] - '0') * place;
    }
    return q <= Q_ONE ? q : Q_ABSENT;
}

/* The weight among an item's parameters; a broken one takes the item out of the list. */
static int q_of(slice parameters)
{
    slice one, key, value;

    while (parameters.len > 0) {
        (void)slice_cut(parameters, ';', &one, &parameters);
        (void)slice_cut(one, '=', &key, &value);
        if (slice_eq_nocase(slice_trim(key), SLICE("q")))
            return q_parse(slice_trim(value));
    }
    return Q_ONE;
}

enum packing http_packing_accepted(slice accept_encoding)
{
    int gzip = Q_ABSENT, zstd = Q_ABSENT, identity = Q_ABSENT, any = Q_ABSENT;
    slice item, coding, parameters;

    while (accept_encoding.len > 0) {
        (void)slice_cut(accept_encoding, ',', &item, &accept_encoding);
        (void)slice_cut(item, ';', &coding, &parameters);
        coding = slice_trim(coding);
        int q = q_of(parameters);

        if (slice_eq_nocase(coding, SLICE("gzip")) || slice_eq_nocase(coding, SLICE("x-gzip")))
            gzip = q;
        else if (slice_eq_nocase(coding, SLICE("zstd")))
            zstd = q;
        else if (slice_eq_nocase(coding, SLICE("identity")))
            identity = q;
        else if (slice_eq(coding, SLICE("*")))
            any = q;
    }
    /* "*" stands for what is not named.  Many who write it know gzip and no zstd. */
    if (gzip == Q_ABSENT)
        gzip = any;
    if (gzip <= 0 && zstd <= 0)
        return PACK_NONE;
    if (identity > gzip && identity > zstd)
        return PACK_NONE;
    return zstd >= gzip ? PACK_ZSTD : PACK_GZIP;
}
