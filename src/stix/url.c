#include "stix/url.h"

#include "stix/object.h"

#include "base/banned.h"

#define SCHEME_BYTES_MAX 16

static const struct {
    slice scheme, port;
} default_ports[] = {
    {S("http"), S("80")}, {S("https"), S("443")}, {S("ftp"), S("21")},
    {S("ws"), S("80")},   {S("wss"), S("443")},
};

static char ascii_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* RFC 3986, 2.3 */
static bool is_unreserved(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t find_any(slice s, const char *bytes)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] != '\0' && strchr(bytes, s.at[i]) != NULL)
            return i;
    return s.len;
}

static bool scheme_split(slice url, slice *scheme, slice *rest)
{
    size_t colon = slice_find_byte(slice_head(url, SCHEME_BYTES_MAX + 1), ':');

    if (colon == SIZE_MAX || colon == 0 || !slice_starts(slice_from(url, colon), SLICE("://")))
        return false;
    for (size_t i = 0; i < colon; i++)
        if (!is_alphanumeric(url.at[i]) && url.at[i] != '+' && url.at[i] != '-')
            return false;
    *scheme = slice_head(url, colon);
    *rest = slice_from(url, colon + 3);
    return !is_alphanumeric(url.at[0]) || url.at[0] > '9';
}

/* An IPv6 address stands in brackets; else the port is behind the last colon. */
static void authority_split(slice authority, struct url_parts *out)
{
    size_t end = authority.len;

    for (size_t i = 0; i < authority.len; i++)
        if (authority.at[i] == '@')
            out->user = slice_head(authority, i);
    if (out->user.at != NULL)
        authority = slice_from(authority, out->user.len + 1);
    end = authority.len;
    if (authority.len > 0 && authority.at[0] == '[') {
        end = slice_find_byte(authority, ']');
        end = end == SIZE_MAX ? authority.len : end + 1;
    } else if (slice_find_byte(authority, ':') != SIZE_MAX) {
        end = slice_find_byte(authority, ':');
    }
    out->host = slice_head(authority, end);
    out->port = slice_from(authority, end + 1);
}

bool url_split(slice url, struct url_parts *out)
{
    struct url_parts parts = {0};
    slice rest;
    size_t end;

    if (!scheme_split(url, &parts.scheme, &rest))
        return false;
    end = find_any(rest, "/?#\\");
    authority_split(slice_head(rest, end), &parts);
    rest = slice_from(rest, end);
    rest = slice_head(rest, find_any(rest, "#"));
    end = find_any(rest, "?");
    parts.path = slice_head(rest, end);
    parts.has_query = end < rest.len;
    parts.query = slice_from(rest, end + 1);
    *out = parts;
    return parts.host.len > 0;
}

/* Percent-encoded bytes that need no encoding are written plainly, the others' digits in capitals;
 * never longer than the input. */
static size_t escapes_normal(slice text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;

        if (text.at[i] == '%' && text.len - i > 2) {
            high = hex_value(text.at[i + 1]);
            low = hex_value(text.at[i + 2]);
        }
        if (high < 0 || low < 0) {
            out[len++] = text.at[i];
            continue;
        }
        char byte = (char)(high * 16 + low);
        if (is_unreserved(byte)) {
            out[len++] = byte;
        } else {
            out[len++] = '%';
            out[len++] = "0123456789ABCDEF"[high];
            out[len++] = "0123456789ABCDEF"[low];
        }
        i += 2;
    }
    return len;
}

/* RFC 3986, 5.2.4, in place: the result is never longer. */
static size_t dots_resolve(char *path, size_t len)
{
    size_t out = 0, i = 0;

    while (i < len) {
        size_t end = i + 1;

        while (end < len && path[end] != '/')
            end++;
        slice segment = slice_of(path + i, end - i); /* with its "/" in front */
        bool is_last = end == len, is_up = slice_eq(segment, SLICE("/.."));
        if (is_up || slice_eq(segment, SLICE("/."))) {
            while (is_up && out > 0 && path[--out] != '/')
                ;
            if (is_last)
                path[out++] = '/';
        } else {
            memmove(path + out, segment.at, segment.len);
            out += segment.len;
        }
        i = end;
    }
    return out;
}

static bool is_default_port(slice scheme, slice port)
{
    for (size_t i = 0; i < sizeof(default_ports) / sizeof(default_ports[0]); i++)
        if (slice_eq(scheme, default_ports[i].scheme) && slice_eq(port, default_ports[i].port))
            return true;
    return port.len == 0;
}

static char *put(char *out, slice s)
{
    if (s.len > 0)
        memcpy(out, s.at, s.len);
    return out + s.len;
}

slice url_normal(slice url, struct arena *arena)
{
    struct url_parts parts;
    slice kind = SLICE("domain-name:value");
    char scheme[SCHEME_BYTES_MAX];

    if (!url_split(url, &parts))
        return url;
    for (size_t i = 0; i < parts.scheme.len; i++)
        scheme[i] = ascii_lower(parts.scheme.at[i]);
    slice host = parts.host.at[0] == '[' ? parts.host : stix_value_normal(kind, parts.host, arena);
    char *text = arena_new(arena, char, url.len + host.len + 8), *at = text;
    if (text == NULL || host.at == NULL)
        return SLICE_NONE;
    at = put(at, slice_of(scheme, parts.scheme.len));
    at = put(at, SLICE("://"));
    at = put(at, parts.user);
    at = put(at, parts.user.at != NULL ? SLICE("@") : SLICE(""));
    for (size_t i = 0; i < host.len; i++)
        *at++ = ascii_lower(host.at[i]);
    if (!is_default_port(slice_of(scheme, parts.scheme.len), parts.port)) {
        at = put(at, SLICE(":"));
        at = put(at, parts.port);
    }
    if (parts.path.len == 0)
        at = put(at, SLICE("/"));
    at += dots_resolve(at, escapes_normal(parts.path, at));
    if (parts.has_query) {
        at = put(at, SLICE("?"));
        at += escapes_normal(parts.query, at);
    }
    return slice_of(text, (size_t)(at - text));
}
