#include "taxii/remote.h"

#include <stdio.h>

#include "base/banned.h"

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* "https://host:port" | "/path" */
static bool url_split(slice url, slice *scheme, slice *authority, slice *path)
{
    size_t mark = slice_find(url, SLICE("://"));

    if (mark == SIZE_MAX)
        return false;
    *scheme = slice_head(url, mark);
    slice rest = slice_from(url, mark + 3);
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?' && rest.at[end] != '#')
        end++;
    *authority = slice_head(rest, end);
    *path = slice_from(rest, end);
    return authority->len > 0 &&
           (slice_eq_nocase(*scheme, SLICE("https")) || slice_eq_nocase(*scheme, SLICE("http")));
}

static bool has_port(slice authority)
{
    size_t i = authority.len;

    while (i > 0 && authority.at[i - 1] >= '0' && authority.at[i - 1] <= '9')
        i--;
    return i > 0 && i < authority.len && authority.at[i - 1] == ':';
}

bool url_origin(slice url, char out[URL_BYTES_MAX])
{
    slice scheme, authority, path;

    if (!url_split(url, &scheme, &authority, &path))
        return false;
    const char *port = has_port(authority)                       ? ""
                       : slice_eq_nocase(scheme, SLICE("https")) ? ":443"
                                                                 : ":80";
    int bytes = snprintf(out, URL_BYTES_MAX, "%.*s://%.*s%s", SLICE_ARG(scheme),
                         SLICE_ARG(authority), port);

    if (bytes >= URL_BYTES_MAX)
        return false;
    for (int i = 0; i < bytes; i++)
        out[i] = lower(out[i]);
    return true;
}

/* Without query and fragment. */
static slice plain(slice url)
{
    size_t end = 0;

    while (end < url.len && url.at[end] != '?' && url.at[end] != '#')
        end++;
    return slice_head(url, end);
}

static result url_put(slice head, slice tail, char out[URL_BYTES_MAX], struct diag *diag)
{
    slice last = tail.len > 0 ? tail : head;
    const char *slash = last.len > 0 && last.at[last.len - 1] == '/' ? "" : "/";

    for (size_t i = 0; i < head.len + tail.len; i++) {
        char byte = i < head.len ? head.at[i] : tail.at[i - head.len];

        if ((unsigned char)byte <= ' ' || byte == 0x7f)
            return diag_fail(diag, ERR_INVALID, "\"%.*s%.*s\" is no URL", SLICE_ARG(head),
                             SLICE_ARG(tail));
    }
    if (snprintf(out, URL_BYTES_MAX, "%.*s%.*s%s", SLICE_ARG(head), SLICE_ARG(tail), slash) >=
        URL_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "a URL of over %d bytes", URL_BYTES_MAX);
    return OK;
}

/* The part of a URL up to and with the last slash of its path. */
static slice folder_of(slice url, slice path)
{
    path = plain(path);
    while (path.len > 0 && path.at[path.len - 1] != '/')
        path.len--;
    return slice_of(url.at, (size_t)(path.at - url.at) + path.len);
}

result url_resolve(const char *base, slice reference, char out[URL_BYTES_MAX], struct diag *diag)
{
    slice scheme, authority, path, root = slice_text(base);

    reference = plain(reference);
    if (url_split(reference, &scheme, &authority, &path))
        return url_put(reference, SLICE_NONE, out, diag);
    if (!url_split(root, &scheme, &authority, &path))
        return diag_fail(diag, ERR_INVALID, "\"%s\" is no URL", base);
    if (reference.len == 0 || slice_starts(reference, SLICE("//")) ||
        slice_find(reference, SLICE("://")) != SIZE_MAX)
        return diag_fail(diag, ERR_INVALID, "\"%.*s\" is no URL of an API root",
                         SLICE_ARG(reference));
    if (reference.at[0] == '/')
        return url_put(slice_of(root.at, (size_t)(path.at - root.at)), reference, out, diag);
    return url_put(folder_of(root, path), reference, out, diag);
}

result url_join(const char *base, slice tail, char out[URL_BYTES_MAX], struct diag *diag)
{
    return url_put(slice_text(base), tail, out, diag);
}
