/* The keys of one object put in order: to find those that stand twice, and for the canonical form.
 */
#pragma once

#include "json/json.h"

struct json_member {
    uint64_t rank; /* orders before the keys themselves are compared */
    uint32_t key;  /* index of its node */
};

/* < 0, 0 or > 0 by the keys' values, in the order of their UTF-16 code units (RFC 8785, 3.2.3). */
int json_key_cmp(const struct json_doc *doc, const struct json_node *a, const struct json_node *b);

/* The first eight bytes of a key as a number that orders as json_key_cmp does. */
uint64_t json_key_rank(const struct json_doc *doc, const struct json_node *key);

/* Order by rank, then key, then place in the text.  spare has room for count as well; the sorted
 * members stand in members or in spare: in what is returned.  Time count * log(count), always. */
struct json_member *json_members_sort(const struct json_doc *doc, struct json_member *members,
                                      struct json_member *spare, size_t count);
