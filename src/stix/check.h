/* Inside of the check: what its parts share.  Nobody outside src/stix includes this. */
#pragma once

#include "stix/schema.h"

enum rule {
#define RULE(symbol, name, strict, normal, lenient, words) RULE_##symbol,
#include "stix/rules.def"
#undef RULE
    RULE_COUNT,
};

/* A list that grows in the arena. */
struct gathered {
    void *items;
    size_t count, capacity;
};

struct task;

struct check {
    const struct json_doc *doc;
    enum stix_mode mode;
    enum stix_spec spec;
    struct arena *arena;
    struct stix_object *out;
    struct stix_findings *findings;
    struct diag *diag;         /* the first refusal's words */
    const struct shape *shape; /* of the root */
    struct task *first, *last; /* objects still to be checked */
    struct gathered refs, values, texts, labels, phases;
    const struct json_node *container; /* the observed-data's objects, or NULL */
    const slice *container_keys;       /* sorted */
    size_t container_key_count;
    bool extends_top,
        extends_known; /* a toplevel-property-extension is there; whether it was looked for */
};

/* What an object's walk leaves to the rules that look at several properties. */
struct members {
    const struct json_node *object;
    const struct shape *shape;
    enum stix_spec spec;
    uint64_t seen;                                    /* a bit per property of the shape */
    const struct json_node *at[SHAPE_PROPERTIES_MAX]; /* valid where seen */
    bool is_contained;                                /* an observable inside observed-data */
};

/* ---- finding.c ---- */

/* Something breaks a rule at node (NULL: the root); `member` names what is missing in it, or is
 * empty.  What the mode does not look at costs nothing. */
void find(struct check *c, enum rule rule, const struct json_node *node, slice member,
          const char *format, ...) PRINTF_LIKE(5, 6);

/* Is there any use in looking? */
bool rule_looked_at(const struct check *c, enum rule rule);

/* "external_references[2].source_name"; without the positions for the index of references. */
slice path_of(const struct check *c, const struct json_node *node, bool with_positions);

/* ---- gather.c ---- */

void gather_ref(struct check *c, slice property, const struct stix_id *id);
void gather_text(struct check *c, slice text);
void gather_label(struct check *c, slice label);
void gather_value(struct check *c, slice kind, slice value); /* normalises it */
void gather_phase(struct check *c, slice chain, slice phase);
void gather_finish(struct check *c);

/* ---- extra.c: what no table describes ---- */

/* A property the shape does not have. */
void check_unknown(struct check *c, const struct members *m, slice key,
                   const struct json_node *key_node, const struct json_node *value);

/* The inside of a value of any form: its references, empty lists, repeated keys. */
void check_free(struct check *c, slice key, const struct json_node *value);
void check_repeated(struct check *c, const struct json_node *object);
void check_dictionary(struct check *c, const struct property *property,
                      const struct json_node *object);
void check_hashes(struct check *c, const struct members *m, const struct property *property,
                  const struct json_node *object);
void check_extensions(struct check *c, const struct members *m, const struct json_node *object);

/* ---- container.c: the observables inside observed-data ---- */

void check_observables(struct check *c, const struct json_node *object);
void check_local_ref(struct check *c, const struct json_node *node);

/* ---- walk.c: the objects of an object, without recursion ---- */

/* Hold an object against a shape, and then every object inside that has one. */
void walk(struct check *c, const struct json_node *object, const struct shape *shape,
          enum stix_spec spec);

/* Have an object inside the root checked against a shape, later. */
void walk_later(struct check *c, const struct json_node *object, const struct shape *shape,
                enum stix_spec spec, bool is_contained);

/* The member of that name, NULL when the object has none. */
const struct json_node *member_of(const struct members *m, slice name);

/* ---- property.c: one value ---- */

void check_property(struct check *c, const struct members *m, const struct property *property,
                    const struct json_node *node);

/* The text of a string or key. */
slice text_of(struct check *c, const struct json_node *node);

/* Is it of that kind?  A finding when not. */
bool expect(struct check *c, const struct json_node *node, enum json_kind kind);

const char *kind_words(enum json_kind kind);

/* ---- rules over several properties: cross.c, relation.c, marking.c, language.c, sco.c ---- */

void check_together(struct check *c, const struct members *m);
void check_relationship(struct check *c, const struct members *m);
void check_marking_definition(struct check *c, const struct members *m);
void check_selector(struct check *c, const struct json_node *selector);
void check_language_content(struct check *c, const struct members *m);
void check_sco_id(struct check *c, const struct json_node *object);

/* ---- syntax.c: how strings are written ---- */

bool syntax_holds(enum property_syntax syntax, slice text);
const char *syntax_words(enum property_syntax syntax); /* "an IPv4 address or network" */
enum rule syntax_rule(enum property_syntax syntax);
bool syntax_property_name(slice name);
bool syntax_dictionary_key(slice key, size_t least);
bool syntax_hash(slice algorithm, slice value, const char **words); /* words: what it should be */
