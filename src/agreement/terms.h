/* The terms of an agreement, read once into what a decision asks for.
 *
 * Reading is lenient about what is absent, for each term has a meaning then, and never about what
 * is there and makes no sense: such a grant, or such an agreement, refuses everything.  Whether a
 * document may be signed at all is agreement/document.h's question.
 */
#pragma once

#include "agreement/marking.h"

/* What one provider lets its recipients have. */
struct terms_grant {
    const char *broken; /* which term makes no sense; NULL: none */
    slice provider;
    struct texts recipients, classes; /* both empty: nobody */
    enum tlp tlp_max;
    enum tlp tlp_unmarked; /* what unmarked objects count as; TLP_NONE: they are refused */
    bool has_red_named;    /* TLP:RED goes to persons whom the object names */
    bool has_pap;
    enum pap pap_max, pap_unmarked;
    bool has_types; /* types lists all that may go; else all but types_denied */
    struct texts types, types_denied;
    struct texts extensions;
    bool refuses_extensions; /* others than those: refused, not stripped */
    struct texts purposes;
    bool needs_transit_encrypted, needs_rest_encrypted;
    bool shares_expired;
    double age_days_max; /* 0: any */
    bool has_languages;
    struct texts languages;
    bool refuses_languages; /* others than those */
    bool refuses_granular;  /* rather than redact */
    struct texts redact;    /* selectors that never leave */
    bool keeps_absent;      /* references to what is not held stay */
    enum attribution attribution;
    enum action permitted;
    bool is_silent;
    slice retention;     /* empty: as long as they like */
    bool needs_second;   /* a second person approves what goes */
    struct texts onward; /* classes that the recipient may pass it on to */
};

struct agreement {
    const char *broken; /* which member makes no sense; NULL: none */
    slice id, name, hash;
    struct texts parties;
    bool is_signed; /* by every party, over the same hash */
    bool is_suspended;
    int64_t start_us, end_us;
    bool has_end;
    bool suspends_breach; /* a partner that gives too little gets only up to breach_max */
    enum tlp breach_max;
    slice recall_ack; /* a period: how soon a recall is answered */
    const struct terms_grant *grants;
    size_t grant_count;
};

/* Read document's terms.  Texts are borrowed from document's text or stand in the arena.  Whether
 * it is signed is told by signers: the ids of those who did.  `state` and `hash` are the document's
 * members where it has them; who keeps those elsewhere sets the fields afterwards. */
void agreement_read(struct value document, struct texts signers, struct arena *arena,
                    struct agreement *out);
