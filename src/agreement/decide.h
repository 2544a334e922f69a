/* The one decision: may this object go to that recipient under this agreement, and how?
 *
 * A pure function: it reads no clock and no table, what it must know is in the request or asked of
 * the world that the request brings.  It fails closed: what cannot be read, is not known or costs
 * too much is refused.  Every way out and every way in asks it, and `explain` shows its answer.
 */
#pragma once

#include "agreement/terms.h"
#include "json/write.h"

enum verdict { VERDICT_SHARE, VERDICT_REDACT, VERDICT_REFUSE, VERDICT_HOLD };

enum reason {
#define REASON(symbol, words) REASON_##symbol,
#include "agreement/reasons.def"
#undef REASON
    REASON_COUNT,
};

slice verdict_name(enum verdict verdict);
slice reason_name(enum reason reason);  /* "TLP_NOT_PUBLIC" */
slice reason_words(enum reason reason); /* "its TLP level does not allow publication" */

enum recipient_class {
    RECIPIENT_PARTNER,
    RECIPIENT_SELF, /* another node of the same organisation */
    RECIPIENT_CLIENT,
    RECIPIENT_COMMUNITY,
    RECIPIENT_PUBLIC,
    RECIPIENT_OTHER, /* of no class we know: gets onward what the public gets */
};
enum recipient_class recipient_class_parse(slice text);

/* The originator's word, checked by the caller, that a version may go to more recipients. */
struct waiver {
    slice object, modified; /* modified.at NULL: of an object without versions */
    struct texts recipients;
    slice signed_by;
    int64_t expires_us;
};

/* Where objects that are pointed to are looked up. */
struct decide_world {
    bool (*object)(void *context, slice id, struct value *out);
    void *context;
};

struct decide_request {
    const char *broken; /* what of it could not be read; NULL: nothing */
    slice provider, recipient;
    slice country;    /* of the recipient: ISO 3166 alpha-3; "???" when unknown */
    slice class_text; /* at NULL: not said, which means a partner */
    enum recipient_class class;
    int64_t hop; /* 0: from whom it comes first; 1: passed on once ... */
    int64_t now_us;
    slice person;     /* the very person it goes to; at NULL: unknown */
    slice originator; /* at NULL: unknown */
    slice purpose;    /* empty: not said */
    slice peer_hash;  /* the agreement's hash the partner named; empty: none */
    bool is_transit_encrypted, is_rest_encrypted;
    bool is_breach;              /* the partner gives too little back */
    bool has_copy;               /* the recipient holds a version of it */
    const struct waiver *waiver; /* NULL: none */
    bool has_upstream;           /* it came under an agreement that limits passing on: */
    struct texts upstream;       /* to these classes */
    const struct markings *markings;
    struct decide_world world;
};

/* An obligation that travels along: "retention" "P730D". */
struct obligation {
    slice name, value;
};
#define OBLIGATIONS_MAX 4

struct decision {
    enum verdict verdict;
    const enum reason *reasons; /* in the order they were found; a share has OK at least */
    size_t reason_count;
    const slice *removed; /* selectors, in byte order; with hold and refuse: as far as it came */
    size_t removed_count;
    struct obligation obligations[OBLIGATIONS_MAX]; /* in byte order */
    size_t obligation_count;
    enum tlp result_tlp; /* TLP_NONE: not said (recall, refuse, hold) */
    bool has_new_id;     /* what leaves is another object */
    bool is_recall;
    slice until; /* of a hold */
};

/* Texts in *out are borrowed from the object, the agreement and the request, or stand in the arena,
 * which is the caller's to reset. */
void agreement_decide(const struct agreement *agreement, struct value object,
                      const struct decide_request *request, struct arena *arena,
                      struct decision *out);

/* The members of an answer, in an object that the caller began: "decision", "reasons", "removed",
 * "obligations" ("name=value"), and "result_tlp", "new_id", "until" where they are. */
void decision_write(const struct decision *decision, struct json_writer *w);
