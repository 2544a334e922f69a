/* Plain text: what can be told by its form alone, also where it was made harmless to click on
 * ("hxxp://a[.]example", "bob [at] a.example" without the spaces).
 *
 * The text is cut at blanks and quotes; each piece is put back to its plain form and looked at as a
 * whole, so that an address inside a longer run of digits and dots is not one.  A piece that is
 * nothing by itself is cut at the punctuation in it and its parts are looked at. */
#include "stix/url.h"
#include "telemetry/event.h"

#include "base/banned.h"

#define TOKEN_BYTES_MAX 8192 /* longer ones are none */

static const struct {
    slice from, to;
} refangs[] = {
    {S("[.]"), S(".")},     {S("(.)"), S(".")},   {S("{.}"), S(".")},     {S("[dot]"), S(".")},
    {S("(dot)"), S(".")},   {S("{dot}"), S(".")}, {S("\\."), S(".")},     {S("[at]"), S("@")},
    {S("(at)"), S("@")},    {S("{at}"), S("@")},  {S("[@]"), S("@")},     {S("[:]"), S(":")},
    {S("[://]"), S("://")}, {S("[/]"), S("/")},   {S("[:]//"), S("://")},
};

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_break(char c)
{
    return (uint8_t)c <= ' ' || c == 0x7F || is_in(c, "\"'`<>|,;");
}

/* hxxp, hXXps, fxp and the like: the scheme that is meant. */
static slice scheme_meant(slice text, size_t *len)
{
    static const struct {
        slice from, to;
    } schemes[] = {{S("hxxps"), S("https")}, {S("hxxp"), S("http")}, {S("fxp"), S("ftp")}};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        slice next = slice_from(text, schemes[i].from.len);

        if (slice_eq_nocase(slice_head(text, schemes[i].from.len), schemes[i].from) &&
            next.len > 0 && is_in(next.at[0], ":[")) {
            *len = schemes[i].from.len;
            return schemes[i].to;
        }
    }
    return SLICE_NONE;
}

/* The plain form; borrowed when the text is in it already, {NULL, 0} without memory. */
static slice refang(struct event_builder *builder, slice text)
{
    size_t scheme_len = 0, len = 0;
    slice scheme = scheme_meant(text, &scheme_len);
    bool is_changed = scheme.len > 0;

    for (size_t i = 0; !is_changed && i < text.len; i++)
        is_changed = is_in(text.at[i], "[({\\");
    if (!is_changed)
        return text;
    char *out = arena_new(&builder->arena, char, text.len + 8);
    if (out == NULL)
        return SLICE_NONE;
    if (scheme.len > 0) {
        memcpy(out, scheme.at, scheme.len);
        len = scheme.len;
    }
    for (size_t i = scheme_len; i < text.len;) {
        size_t j = 0, count = sizeof(refangs) / sizeof(refangs[0]);

        while (
            is_in(text.at[i], "[({\\") && j < count &&
            !slice_eq_nocase(slice_head(slice_from(text, i), refangs[j].from.len), refangs[j].from))
            j++;
        if (!is_in(text.at[i], "[({\\") || j == count) {
            out[len++] = text.at[i++];
            continue;
        }
        memcpy(out + len, refangs[j].to.at, refangs[j].to.len);
        len += refangs[j].to.len;
        i += refangs[j].from.len;
    }
    return slice_of(out, len);
}

/* Punctuation of the sentence around it.  A bracket that was opened inside stays. */
static slice trimmed(slice s)
{
    bool has_open = slice_find_byte(slice_from(s, 1), '(') != SIZE_MAX;
    bool is_v6 = s.len > 0 && s.at[0] == '[' && slice_find_byte(s, ':') != SIZE_MAX &&
                 slice_find_byte(s, ']') != SIZE_MAX;

    while (s.len > 0 && is_in(s.at[0], is_v6 ? "({*" : "([{*=-") && !slice_starts(s, SLICE("--")))
        s = slice_from(s, 1);
    while (s.len > 0 && is_in(s.at[s.len - 1], is_v6 ? ".:!?)}*" : ".:!?]}*=\\"))
        s.len--;
    while (!has_open && s.len > 0 && is_in(s.at[s.len - 1], ".:!?)]}*"))
        s.len--;
    return s;
}

static bool ends_host(slice rest)
{
    return rest.len == 0 || is_in(rest.at[0], "/?#");
}

/* host[:port][/...]: the host, when the rest may follow one. */
static slice host_in_front(slice token)
{
    size_t end = 0;
    slice host, port;

    while (end < token.len && !is_in(token.at[end], "/?#"))
        end++;
    if (!host_split(slice_head(token, end), &host, &port) || !ends_host(slice_from(token, end)))
        return SLICE("");
    return host;
}

static bool token_put(struct event_builder *builder, slice token, const struct event_field *field)
{
    slice none = SLICE(""), host;
    size_t colon;

    if (token.len < 2)
        return false;
    if (event_put_address(builder, token, field, none, none))
        return true;
    colon = slice_find_byte(token, ':');
    if (colon != SIZE_MAX && slice_starts(slice_from(token, colon), SLICE("://"))) {
        size_t before = builder->count;

        event_put_url(builder, token, field);
        return builder->count > before;
    }
    slice behind_at = slice_find_byte(token, '@') == SIZE_MAX
                          ? none
                          : slice_from(token, slice_find_byte(token, '@') + 1);
    if (behind_at.len > 0 && event_put_address(builder, behind_at, field, none, none))
        return true; /* "root@203.0.113.9" */
    if (slice_find_byte(token, '@') != SIZE_MAX)
        return domain_is_well_formed(behind_at) && slice_find_byte(token, '/') == SIZE_MAX &&
               slice_find_byte(token, ':') == SIZE_MAX && slice_find_byte(token, '=') == SIZE_MAX &&
               event_put_email(builder, token, field, none, none);
    if (colon == SIZE_MAX && event_put_hash(builder, token, field, SLICE("file:hashes"), none))
        return true;
    host = host_in_front(token);
    if (event_put_address(builder, host, field, none, none))
        return true;
    if (!domain_is_well_formed(host))
        return false;
    event_put(builder, SLICE("domain-name:value"), none, host, field);
    return true;
}

/* The parts of a token between these bytes. */
static void parts_put(struct event_builder *builder, slice token, const char *cuts,
                      const char *cuts_inner, const struct event_field *field)
{
    for (size_t i = 0, start = 0; i <= token.len; i++) {
        if (i < token.len && !is_in(token.at[i], cuts))
            continue;
        slice part = trimmed(slice_of(token.at + start, i - start));

        start = i + 1;
        if (part.len < token.len && token_put(builder, part, field))
            continue;
        if (cuts_inner == NULL)
            continue;
        for (size_t j = 0, inner = 0; j <= part.len; j++) {
            if (j < part.len && !is_in(part.at[j], cuts_inner))
                continue;
            slice piece = slice_of(part.at + inner, j - inner);
            bool is_path = inner > 0 && part.at[inner - 1] == '/';

            inner = j + 1;
            /* "/etc/named.conf" names a file, not a host; an address is one anywhere. */
            if (piece.len < part.len &&
                (!is_path || address_form(piece) != ADDRESS_NONE || hash_algorithm(piece).len > 0))
                (void)token_put(builder, piece, field); /* a part that is nothing is left out */
        }
    }
}

static void token_take(struct event_builder *builder, slice raw, const struct event_field *field)
{
    struct event_field part = *field;
    slice token = trimmed(refang(builder, trimmed(raw)));
    size_t query;

    part.raw = field->raw.at == field->value.at ? trimmed(raw) : field->raw;
    if (token.len < 3 || token.len > TOKEN_BYTES_MAX)
        return;
    if (!token_put(builder, token, &part)) {
        parts_put(builder, token, "=()[]{}\\&?#*!", ":/", &part);
        return;
    }
    query = slice_find_byte(token, '?');
    if (query != SIZE_MAX) /* an address handed on in a URL's query: "?u=a.example" */
        parts_put(builder, slice_from(token, query), "?&=", NULL, &part);
}

void tokens_take(struct event_builder *builder, const struct event_field *field)
{
    slice text = field->value, mark = SLICE("\xEF\xBB\xBF");

    for (size_t i = 0; i < text.len;) {
        size_t start = i;

        if (slice_starts(slice_from(text, i), mark)) {
            i += mark.len;
            continue;
        }
        while (i < text.len && !is_break(text.at[i]))
            i++;
        if (i > start)
            token_take(builder, slice_of(text.at + start, i - start), field);
        i += i == start;
    }
}
