/* What is done to an object before its turn to be stored comes: parsed, checked, minified, hashed,
 * its terms listed.  Needs nothing of the store, so that many threads can do it. */
#pragma once

#include "store/record.h"
#include "store/terms.h"
#include "json/canonical.h"

/* One per thread. */
struct checker {
    struct json_parser *parser; /* owned */
    struct buf scratch;
    struct term_sink terms;
    struct arena arena;            /* owned; what is needed of one object alone */
    struct stix_findings findings; /* of the present object */
    enum stix_mode mode;
    bool keeps_findings;
    void *context; /* of whoever runs it in a thread */
};

MUST_USE result checker_init(struct checker *checker, enum stix_mode mode, size_t depth_max,
                             bool keeps_findings, uint64_t seed, struct diag *diag);
void checker_free(struct checker *checker); /* fits CLEANUP */

struct checked {
    bool refused;
    bool warned;
    enum err why;         /* of a refusal */
    struct record record; /* all but where the text stands, the type's code and the collection */
    slice id, type, reason;
    size_t text_at, text_bytes;   /* in `texts` */
    size_t terms_at, terms_bytes; /* in `terms` */
    const struct stix_findings *findings;
    struct hash256 leaf; /* of the import's Merkle tree */
};

/* text has JSON_PADDING readable bytes behind it.  What out borrows lives in the arena; texts and
 * terms are added to. */
void check_object(struct checker *checker, slice text, struct arena *arena, struct buf *texts,
                  struct buf *terms, struct checked *out);
