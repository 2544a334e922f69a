/* Rules: indicators made ready to run, all of them together one ruleset.
 *
 * A builder takes indicators in from a node, bundles, lists or the command line; ruleset_build
 * makes one immutable ruleset of them, which any number of threads may ask (scan/detector.h) and
 * which lives until its last holder lets it go.
 *
 * Every rule is found by its guards: a set of exact values, domains or networks of which an event
 * must hold one, or the rule cannot hit.  What has no such guard is found by the object path that
 * it looks at (an open path).  A sieve needs to know nothing but these two lists.
 */
#pragma once

#include "base/result.h"
#include "base/source.h"
#include "match/network.h"
#include "store/store.h"

#define RULES_MAX ((size_t)1 << 25)
#define RULES_TEXT_BYTES_MAX ((size_t)8 << 30) /* of all their values and names */
#define RULE_BYTES_MAX ((size_t)16 << 20)      /* one object of a bundle */
#define RULE_PARTS_MAX 4096                    /* nodes of one pattern that is run */

enum rule_tlp {
    RULE_TLP_NONE,
    RULE_TLP_CLEAR,
    RULE_TLP_GREEN,
    RULE_TLP_AMBER,
    RULE_TLP_AMBER_STRICT,
    RULE_TLP_RED,
};

/* One rule as people want to see it; borrowed from the ruleset and the arena that was given. */
struct rule {
    slice id;       /* "indicator--..."; of what has none "list:17", "pattern:1" */
    slice name;     /* empty: none */
    slice pattern;  /* as STIX; of a list's value the pattern it stands for */
    slice source;   /* file, "node", "--pattern" ... as the caller named it */
    slice creator;  /* created_by_ref, or empty */
    slice markings; /* ids of object_marking_refs, "," between */
    enum rule_tlp tlp;
    int confidence;                        /* -1: none */
    int64_t valid_from_us, valid_until_us; /* INT64_MIN, INT64_MAX: unbounded */
};

/* ---- taking indicators in ---- */

/* Why an indicator is not run. */
enum rules_reason {
    RULES_RUN,
    RULES_SIGMA,
    RULES_YARA,
    RULES_SNORT,
    RULES_SURICATA,
    RULES_OTHER_TYPE, /* of pattern_type */
    RULES_WRONG,      /* the pattern does not parse, the value is none */
    RULES_LIMIT,      /* lawful, and over a limit of ours */
    RULES_EXPIRED,    /* valid_until has passed */
    RULES_REVOKED,
    RULES_ALLOWED,  /* on a warning list */
    RULES_FILTERED, /* below min_confidence, above max_tlp */
    RULES_REPEATED, /* the same id stands in the input again; the latest version is run */
    RULES_REASON_COUNT,
};
const char *rules_reason_name(enum rules_reason reason); /* "sigma", "wrong", "expired" ... */

struct rules_choice {
    int64_t now_us;         /* for valid_until */
    bool exact_domains;     /* domain-name:value = 'a.example' does not hit x.a.example */
    bool suffixes_hit;      /* a public suffix hits every name below it too */
    bool cidr_contains;     /* '=' with a network's text hits the addresses in it */
    bool keep_expired;      /* run them all the same */
    int confidence_least;   /* 0: any, also none */
    enum rule_tlp tlp_most; /* RULE_TLP_NONE: any */
    /* Is the value on a warning list?  path: "domain-name:value" ...; value normalised.  A rule
     * whose values are all on one is not run.  Called from several threads at once.  May be NULL.
     */
    bool (*is_allowed)(void *context, slice path, slice value);
    /* Each indicator that is not run: where it stands ("line 7", "object 3 (indicator--...)") and
     * why.  Called in order, from the thread that called the builder.  May be NULL. */
    void (*report)(void *context, slice source, const char *place, enum rules_reason reason,
                   const char *words);
    void *context;
};

struct rules_counts {
    uint64_t taken; /* objects, lines and patterns that are indicators */
    uint64_t of[RULES_REASON_COUNT];
};

struct ruleset;
struct ruleset_builder;

/* choice is copied.  *out is owned. */
MUST_USE result ruleset_builder_new(const struct rules_choice *choice, struct ruleset_builder **out,
                                    struct diag *diag);
void ruleset_builder_free(struct ruleset_builder **builder);

/* A file of indicators: a STIX bundle (or envelope, array, objects a line), or a list: one value a
 * line, "type<TAB>value" or a value told by its form (address, network, domain, URL, hash, mail
 * address; defanged too), "#" for comments.  name: what the rules give as their source, copied.
 * A wrong indicator is counted and reported; fails when the source cannot be read. */
MUST_USE result rules_add_source(struct ruleset_builder *builder, slice name, struct source *source,
                                 struct diag *diag);

/* Every current indicator of a node: last versions, not revoked. */
MUST_USE result rules_add_store(struct ruleset_builder *builder, slice name,
                                struct store_view *view, struct diag *diag);

/* One pattern.  ERR_INVALID with its error's place and words. */
MUST_USE result rules_add_pattern(struct ruleset_builder *builder, slice name, slice pattern,
                                  struct diag *diag);

/* One line of a list. */
MUST_USE result rules_add_line(struct ruleset_builder *builder, slice name, slice line,
                               uint64_t line_number, struct diag *diag);

/* One STIX object's text; what is no indicator is passed over. */
MUST_USE result rules_add_object(struct ruleset_builder *builder, slice name, slice json,
                                 struct diag *diag);

const struct rules_counts *rules_counts(const struct ruleset_builder *builder);

/* What was taken in, as a ruleset; the builder is empty afterwards.  *out has one holder. */
MUST_USE result ruleset_build(struct ruleset_builder *builder, struct ruleset **out,
                              struct diag *diag);

/* ---- a ruleset ---- */

struct ruleset *ruleset_hold(const struct ruleset *set); /* one holder more */
void ruleset_release(struct ruleset **set);

size_t ruleset_count(const struct ruleset *set);
/* False when memory is out.  index < ruleset_count. */
MUST_USE bool ruleset_rule(const struct ruleset *set, uint32_t index, struct arena *arena,
                           struct rule *out);
size_t ruleset_bytes(const struct ruleset *set); /* of memory */
const struct rules_counts *ruleset_counts(const struct ruleset *set);

/* Does any rule need more than one event (detector_settle has work to do)? */
bool ruleset_is_temporal(const struct ruleset *set);

/* Written whole or not at all; map: checked before it is used.  ERR_CORRUPT "..." when it is not
 * what was written, ERR_CONFLICT when another version wrote it. */
MUST_USE result ruleset_save(const struct ruleset *set, const char *path, struct diag *diag);
MUST_USE result ruleset_map(const char *path, struct ruleset **out, struct diag *diag);

/* ---- what an event must hold for a rule to hit ---- */

enum guard_kind {
    GUARD_DOMAIN,  /* has_subdomains: or a name below it */
    GUARD_NETWORK, /* an address, or one within (network.prefix_bits); IPv4 and IPv6 */
    GUARD_URL,
    GUARD_EMAIL,
    GUARD_HASH,
    GUARD_NUMBER, /* its digits */
    GUARD_TEXT,   /* any other value */
};

/* Borrowed from the ruleset. */
struct guard {
    enum guard_kind kind;
    bool has_subdomains;
    slice path;             /* "ipv4-addr:value", "file:hashes.'SHA-256'", as telemetry has it */
    slice value;            /* in the form telemetry gives values; of a network empty */
    struct network network; /* of GUARD_NETWORK */
};

size_t ruleset_guard_count(const struct ruleset *set);
void ruleset_guard(const struct ruleset *set, size_t index, struct guard *out);

/* Paths that rules look at without an exact value.  OPEN_TEXT: ask ruleset_text_may_hit of each
 * value there.  OPEN_ANY: every event with a value at the path must be looked at.  OPEN_TYPE: every
 * event that holds an object of the type ("network-traffic" in path).  OPEN_LINE: every line. */
enum open_kind { OPEN_TEXT, OPEN_ANY, OPEN_TYPE, OPEN_LINE };
struct open_path {
    enum open_kind kind;
    slice path;
};
size_t ruleset_open_count(const struct ruleset *set);
void ruleset_open(const struct ruleset *set, size_t index, struct open_path *out);

/* How LIKE and MATCHES are searched (match/multi.h): prefiltered and slow ones cost more a value.
 */
struct text_counts {
    size_t expressions, prefiltered, slow;
    size_t bytes; /* of memory, besides ruleset_bytes */
};
void ruleset_text_counts(const struct ruleset *set, struct text_counts *out);

/* Working memory of one thread for ruleset_text_may_hit. */
struct text_scratch;
MUST_USE result text_scratch_new(const struct ruleset *set, struct text_scratch **out,
                                 struct diag *diag);
void text_scratch_free(struct text_scratch **scratch);
/* May a LIKE or MATCHES hit this value?  Never false where one does.  open: position among the open
 * paths. */
bool ruleset_text_may_hit(const struct ruleset *set, struct text_scratch *scratch, size_t open,
                          slice value);
