/* Where does this value end?  Found by brackets and quotes alone, at the speed of a scan; may stop
 * and go on at any byte. */
#pragma once

#include "base/slice.h"

struct json_skip {
    size_t depth;
    bool in_string;
    bool escaped; /* the next byte, by a backslash before it */
};

enum json_skip_state {
    JSON_SKIP_MORE, /* the text ended before the value did */
    JSON_SKIP_DONE, /* *taken is behind the value's last byte */
    JSON_SKIP_DEEP, /* over depth_max at *taken */
};

/* Start with *skip zero and text at the opening bracket or quote.  Bracket kinds are not told
 * apart: json_parse does. */
enum json_skip_state json_skip_container(struct json_skip *skip, slice text, size_t depth_max,
                                         size_t *taken);
enum json_skip_state json_skip_string(struct json_skip *skip, slice text, size_t *taken);
