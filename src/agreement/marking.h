/* What markings say: TLP 1 and 2, PAP, IEP 2.0, ACS 3.0, statements; and the strictest of several.
 *
 * A marking definition is read once into a struct marking; markings that apply together are joined
 * into a struct restraint, in which the strictest of each kind stands.  What cannot be understood
 * is no weak marking but an unknown one, and unknown ones refuse.
 */
#pragma once

#include "agreement/value.h"

/* In order: what comes later is stricter. */
enum tlp { TLP_CLEAR, TLP_GREEN, TLP_AMBER, TLP_AMBER_STRICT, TLP_RED, TLP_NONE };
enum pap { PAP_CLEAR, PAP_GREEN, PAP_AMBER, PAP_RED, PAP_NONE };

/* What a recipient may do, in order: what comes later allows more (IEP 2.0, permitted_actions). */
enum action {
    ACTION_NONE,
    ACTION_CONTACT,
    ACTION_INTERNAL,
    ACTION_INDIRECT,
    ACTION_DIRECT,
};

enum attribution { ATTRIBUTION_MAY, ATTRIBUTION_MUST, ATTRIBUTION_MUST_NOT, ATTRIBUTION_OTHER };

bool tlp_parse(slice text, enum tlp *out);
slice tlp_name(enum tlp tlp);
bool pap_parse(slice text, enum pap *out);
bool action_parse(slice text, enum action *out);
slice action_name(enum action action);
enum action pap_action(enum pap pap); /* what a PAP level leaves of the permitted actions */
bool attribution_parse(slice text, enum attribution *out);

/* The level of one of the published TLP marking definitions, by its id. */
bool tlp_of_id(slice id, enum tlp *out);

/* An access rule of ACS: to whom further sharing is denied, who may hold it. */
struct acs {
    struct texts denied; /* every scope of a "deny" rule */
    bool has_nationalities;
    struct texts nationalities;
    bool is_classified;
};

struct iep {
    enum tlp tlp;
    int64_t start_us, end_us; /* end_us valid when has_end */
    bool has_end;
    enum attribution attribution;
    enum action permitted;
    bool is_silent; /* affected parties must not be notified */
};

struct marking {
    slice id;
    bool is_broken;  /* it has a part of a kind we know that cannot be read */
    bool is_unknown; /* it has no part of a kind we know */
    bool is_chatham; /* Chatham House rule: the source is never named */
    enum pap pap;    /* PAP_NONE: says nothing of it */
    bool has_iep, has_acs;
    struct iep iep;
    struct acs acs;
};

/* Reads one marking definition.  Texts are borrowed from definition's text or stand in the arena.
 */
void marking_read(struct value definition, struct arena *arena, struct marking *out);

/* Definitions by id. */
struct markings {
    const struct marking *items; /* in the order of marking_sort */
    size_t count;
    const struct markings *behind; /* asked for what is not here; NULL: none */
};
void marking_sort(struct marking *items, size_t count);
const struct marking *marking_find(const struct markings *markings, slice id);

#define RESTRAINT_PARTS_MAX 32

/* Markings that apply together. */
struct restraint {
    enum tlp tlp; /* TLP_NONE: no marking says any */
    enum pap pap;
    bool is_chatham;
    const struct marking *parts[RESTRAINT_PARTS_MAX]; /* those with IEP or ACS, as they came */
    size_t part_count;
};

enum restraint_outcome {
    RESTRAINT_OK,
    RESTRAINT_UNKNOWN, /* a marking nobody here knows */
    RESTRAINT_BROKEN,  /* one that cannot be read, or more of them than RESTRAINT_PARTS_MAX */
};

/* Put one more marking, named by its id, to those that are there. */
enum restraint_outcome restraint_add(struct restraint *restraint, const struct markings *markings,
                                     slice id);
#define RESTRAINT_START ((struct restraint){.tlp = TLP_NONE, .pap = PAP_NONE})
