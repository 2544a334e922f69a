/* One form for URLs that mean the same, so that an indicator and a log line can be compared. */
#pragma once

#include "base/arena.h"

/* Scheme and host in lower case, host in its ASCII form without a trailing dot, the scheme's own
 * port left out, an empty path as "/", "." and ".." resolved, "%7e" as "~" and "%2f" as "%2F", no
 * fragment (RFC 3986, 6.2).  The case of the path and the query stay.  What is no URL with "://" is
 * given back as it is; {NULL, 0} past the arena's budget. */
slice url_normal(slice url, struct arena *arena);

/* The parts of a URL, borrowed from it; false when there is no "scheme://host". */
struct url_parts {
    slice scheme, user, host, port, path, query; /* path with its "/", query without its "?" */
    bool has_query;
};
bool url_split(slice url, struct url_parts *out);
