/* STIX objects: what one is, checked against the specification.
 *
 * stix_check reads one parsed object and yields what the rest of the program asks of it: its id,
 * version, class, references, markings, the values it can be found by.  What breaks a rule becomes
 * a finding; how strict the check is decides which findings refuse the object.
 */
#pragma once

#include "base/time.h"
#include "stix/id.h"
#include "json/json.h"

enum stix_class { STIX_SDO, STIX_SRO, STIX_SCO, STIX_META, STIX_CUSTOM };

enum stix_spec { STIX_20, STIX_21 };

/* strict: any broken rule refuses, SHOULDs warn.  normal: refuse what cannot be used (no id, no
 * type, no version, a wrong kind where the program reads it ...), warn on the rest.  lenient:
 * refuse only what cannot be stored at all. */
enum stix_mode { STIX_STRICT, STIX_NORMAL, STIX_LENIENT };

struct stix_ref {
    slice property;    /* "created_by_ref", "object_marking_refs", "ext.archive-ext.contains_refs":
                          path of keys */
    struct stix_id id; /* what it points to */
};

/* A value the object can be looked up by: an observable's value, or one a pattern compares with. */
struct stix_value {
    slice kind;  /* the object path it belongs to: "ipv4-addr:value", "file:hashes.'SHA-256'" ... */
    slice value; /* normalised: see stix_value_normal */
};

struct stix_phase {
    slice chain, phase;
};

struct stix_object {
    const struct json_doc *doc;
    struct stix_id id;
    slice id_text;
    enum stix_class class;
    enum stix_spec spec;
    bool has_created, has_modified, is_revoked;
    struct timestamp created, modified;
    /* What TAXII calls the version: modified, else created; without either has_version is false and
     * the server's date_added stands in (TAXII 2.1, 3.4.1). */
    bool has_version;
    struct timestamp version;
    slice created_by; /* id text or empty */
    slice name, description;
    const slice *labels; /* also aliases are text, not labels */
    size_t label_count;
    const slice
        *texts; /* unescaped: name, description, aliases and the like: what words are taken from */
    size_t text_count;
    const struct stix_ref
        *refs; /* every *_ref and *_refs property, at any depth, markings included */
    size_t ref_count;
    const struct stix_value *values;
    size_t value_count;
    const struct stix_phase *phases;
    size_t phase_count;
    slice pattern, pattern_type; /* of an indicator; pattern unescaped */
};

enum stix_severity { STIX_WARNING, STIX_ERROR };

/* "pattern: expected "]" at column 42": rule is a short fixed name for counting ("timestamp",
 * "required", "reference-type", "selector" ...). */
struct stix_finding {
    enum stix_severity severity; /* after the mode was applied: ERROR refuses */
    const char *rule;
    slice path; /* "external_references[2].source_name" */
    slice text; /* in words, without the path */
};

#define STIX_FINDINGS_MAX 32 /* of one object; more are counted */

struct stix_findings {
    struct stix_finding items[STIX_FINDINGS_MAX];
    size_t count; /* of items */
    size_t more;  /* not kept */
    bool refused;
};

/* Checks doc's root (one STIX object).  Everything in *out and *findings lives in the arena or
 * borrows from doc.  Fails ERR_INVALID when the mode refuses the object (the first error's words in
 * diag: "path: words"), ERR_LIMIT past the arena.  findings may hold warnings on OK. Serves
 * STIX 2.1 sections 2 to 9 and STIX 2.0 parts 1 to 4. */
MUST_USE result stix_check(const struct json_doc *doc, enum stix_mode mode, struct arena *arena,
                           struct stix_object *out, struct stix_findings *findings,
                           struct diag *diag);

bool stix_mode_parse(slice text, enum stix_mode *out);

/* The deterministic id of an SCO (STIX 2.1, 2.9: UUIDv5 over the canonical JSON of its ID
 * contributing properties).  False when the type has none, or none of them is present. */
bool stix_sco_id(const struct json_doc *doc, const struct json_node *object, struct buf *scratch,
                 struct uuid *out);

/* The form under which a value is looked up: domains and mail hosts in lower case without a
 * trailing dot, addresses in their shortest form, hashes in lower case, else as it is.  kind as in
 * stix_value. */
slice stix_value_normal(slice kind, slice value, struct arena *arena);

/* The name STIX has for a hash algorithm: "sha256", "SHA_256" and "sha-256" are SHA-256; others as
 * they are.  Look-up values and patterns name hashes by it. */
slice stix_hash_name(slice name);

/* Checks what stands around a bundle's objects (json_stream_envelope; with or without "objects"):
 * its type, id and, for STIX 2.0, spec_version.  A list or a single object without one is not
 * asked. */
MUST_USE result stix_check_bundle(const struct json_doc *doc, enum stix_mode mode,
                                  struct arena *arena, struct stix_findings *findings,
                                  struct diag *diag);
