/* A ruleset while it is built. */
#pragma once

#include "scan/image.h"
#include "stix/pattern.h"

#define PATH_CACHE_SLOTS 1024
#define PLACE_BYTES 128

/* A path as it was written, and what came of it. */
struct path_seen {
    slice text; /* in the arena */
    uint32_t path;
};

struct versions;

struct ruleset_builder {
    struct rules_choice choice;
    struct ruleset *set;  /* owned: what is built */
    struct arena arena;   /* of one indicator */
    struct arena kept;    /* of the builder */
    struct arena compile; /* of one pattern's compilation */
    struct path_seen seen[PATH_CACHE_SLOTS];
    struct json_parser *parser; /* owned */
    struct suffixes *suffixes;  /* owned */
    uint32_t meta_last;         /* most rules have the meta of the one before */
    bool has_meta;
    bool is_full;              /* out of memory or over a limit of the whole: sticky */
    struct versions *versions; /* owned */
    uint64_t object_number, regex_count;
    uint64_t patterns;
    struct telemetry_reader *text_reader; /* owned: for list lines that need a closer look */
    struct rules_counts counts;
};

/* What is known of a rule before its pattern is looked at. */
struct rule_draft {
    slice id, name, pattern; /* pattern empty: made from path and value */
    struct meta_record meta; /* text of creator and markings below */
    slice source, creator, markings;
    uint64_t line_number; /* of a list; 0: has an id */
};

/* Room for one more record of a section; NULL when the builder is full. */
void *build_push(struct ruleset_builder *builder, enum section section, size_t count);
/* A text's offset in the pool. */
uint32_t build_text(struct ruleset_builder *builder, slice text);
/* The path, made if it is new; NONE when there are too many. */
uint32_t build_path(struct ruleset_builder *builder, const struct pattern_path *path);
uint32_t build_path_text(struct ruleset_builder *builder, slice canonical);
/* A rule that has no values yet; its position, or NONE. */
uint32_t build_rule(struct ruleset_builder *builder, const struct rule_draft *draft, uint16_t flags,
                    uint32_t first);
bool build_value(struct ruleset_builder *builder, uint32_t path, uint16_t flags, slice value,
                 uint32_t target);

/* Positions to go back to when a rule turns out not to be run. */
struct build_mark {
    size_t count[SECTION_COUNT];
};
struct build_mark build_mark(const struct ruleset_builder *builder);
void build_undo(struct ruleset_builder *builder, const struct build_mark *mark);

/* scan/versions.c: which version of an object is run.  Objects by their ids; of several with one id
 * the one that was modified last. */
struct version {
    uint64_t hash; /* of the id */
    int64_t modified_us;
    uint32_t rule; /* NONE: it is not run */
    bool is_held;
};
struct versions {
    struct version *slots; /* owned */
    size_t count, capacity;
    size_t dead_count; /* rules whose id came again later */
};
/* The slot of an id, to be filled by the caller when !is_held; NULL when memory is out. */
struct version *versions_find(struct versions *versions, slice id);
void versions_free(struct versions *versions);
/* Take the rules out that are RULE_IS_DEAD, with their values and open records. */
MUST_USE bool build_bury(struct ruleset_builder *builder);

/* scan/compile.c: a rule of a pattern.  reason: RULES_RUN, RULES_ALLOWED or RULES_LIMIT ... */
MUST_USE result compile_pattern(struct ruleset_builder *builder, const struct rule_draft *draft,
                                const struct pattern *pattern, enum rules_reason *reason,
                                struct diag *diag);
/* scan/rules.c: a pattern that stands in a list. */
MUST_USE result rules_add_pattern_at(struct ruleset_builder *builder,
                                     const struct rule_draft *draft, slice text, struct diag *diag);
/* The same for "[path = 'value']" of which the path is known and the value needs no escape: false
 * when it is not such a one. */
bool compile_plain(struct ruleset_builder *builder, const struct rule_draft *draft, slice pattern,
                   enum rules_reason *reason);
/* One value of a list; normal: in the path's form. */
MUST_USE result compile_value(struct ruleset_builder *builder, const struct rule_draft *draft,
                              slice path, slice value, enum rules_reason *reason,
                              struct diag *diag);
/* A regular expression searched in whole lines (pattern_type pcre). */
MUST_USE result compile_pcre(struct ruleset_builder *builder, const struct rule_draft *draft,
                             slice expression, struct diag *diag);

/* scan/objects.c: one parsed object; place names it in reports. */
MUST_USE result object_take(struct ruleset_builder *builder, slice source,
                            const struct json_doc *doc, const char *place, struct diag *diag);
void build_report(struct ruleset_builder *builder, slice source, const char *place,
                  enum rules_reason reason, const char *words);

/* scan/suffixes.c: names under which anybody may register (a top-level domain, "co.uk"). */
struct suffixes;
MUST_USE result suffixes_new(struct suffixes **out, struct diag *diag);
void suffixes_free(struct suffixes **suffixes);
bool suffixes_has(const struct suffixes *suffixes, slice name);

/* The value in the form telemetry gives it. */
slice value_form(enum path_class class, slice path, slice value, struct arena *arena);
