/* What defences load: values of indicators, written the way firewalls, sensors, name servers and
 * SIEMs read them.
 *
 * Values are gathered into a set, one by one; out_set_close puts them in order, once each; a
 * format, one row of a table, writes the set.  The same set gives the same bytes.  A value comes in
 * only through out_set_add, which reads it as what it claims to be and refuses what cannot be
 * written without a doubt; each format escapes what is left in its own way.
 */
#pragma once

#include "base/buf.h"
#include "base/uuid.h"

/* ---- values ---- */

enum out_kind {
    OUT_IPV4,
    OUT_IPV6,
    OUT_DOMAIN,
    OUT_URL,
    OUT_EMAIL,
    OUT_FILE_NAME,
    OUT_MD5,
    OUT_SHA1,
    OUT_SHA256,
    OUT_SHA512,
    OUT_CERT_SHA1,
    OUT_KIND_COUNT,
};
#define OUT_KIND(kind) (1u << (kind))
#define OUT_ADDRESSES (OUT_KIND(OUT_IPV4) | OUT_KIND(OUT_IPV6))
#define OUT_HASHES                                                                                 \
    (OUT_KIND(OUT_MD5) | OUT_KIND(OUT_SHA1) | OUT_KIND(OUT_SHA256) | OUT_KIND(OUT_SHA512))
#define OUT_ALL ((1u << OUT_KIND_COUNT) - 1)

slice out_kind_name(enum out_kind kind); /* "ipv4", "domain", "file-name" ... */
/* By that name, or all kinds of a STIX type: "ipv4-addr", "file".  0: neither. */
uint32_t out_kinds_parse(slice word);
/* Of an object path as patterns and the store have it.  False: nothing that defences load. */
bool out_kind_of_path(slice path, enum out_kind *out);
slice out_kind_path(enum out_kind kind); /* "file:hashes.'SHA-256'" */

enum out_taken {
    OUT_TAKEN,
    OUT_MALFORMED, /* is not what its path says, or no format could hold it in one line */
    OUT_BROAD,     /* would block more than anyone means: a tenth of the Internet, this machine */
    OUT_FULL,      /* the set is at its limit */
};

#define OUT_VALUES_MAX ((size_t)1 << 25)
#define OUT_TEXT_BYTES_MAX ((size_t)UINT32_MAX)
#define OUT_URL_BYTES_MAX 8192
#define OUT_NAME_BYTES_MAX 255 /* of an indicator; a longer one is cut */
#define OUT_CREATORS_MAX 65535

/* What the values of one indicator share. */
struct out_origin {
    struct uuid uuid;                                   /* of "indicator--UUID" */
    uint64_t seq;                                       /* which addition */
    int64_t valid_from_us, valid_until_us, modified_us; /* INT64_MIN, INT64_MAX: unbounded */
    uint32_t name;                                      /* in the set's texts */
    uint32_t copy;    /* its redacted copy, by number from 1; 0: it is as the store has it */
    uint16_t creator; /* number; 0: none */
    uint8_t name_len;
    int8_t confidence; /* -1: none */
    uint8_t tlp;       /* enum out_tlp */
    uint8_t permitted; /* word number of out_set.permitted */
};

enum out_tlp { OUT_TLP_NONE, OUT_CLEAR, OUT_GREEN, OUT_AMBER, OUT_AMBER_STRICT, OUT_RED };
slice out_tlp_name(enum out_tlp tlp); /* "amber+strict"; empty for none */

/* In order: rank, then the texts behind it. */
struct out_value {
    uint64_t rank;   /* the first bytes of what it is ordered by */
    uint32_t text;   /* in the set's texts: as written, of names backwards, of IPv6 its 16 bytes */
    uint32_t origin; /* of several the most confident, then the longest valid */
    uint16_t len;
    uint8_t prefix; /* bits of a network */
};

struct out_table {
    struct out_value *values; /* owned */
    size_t count, capacity;
};

struct out_set {
    struct out_table tables[OUT_KIND_COUNT];
    char *text; /* owned */
    size_t text_len, text_capacity;
    struct out_origin *origins; /* owned */
    size_t origin_count, origin_capacity;
    slice *creators; /* owned; texts in creator_text */
    size_t creator_count, creator_capacity;
    struct buf creator_text;
    bool has_names; /* keep indicators' names */
    bool is_block;  /* refuse what is too broad to block */
    bool is_full;
    uint64_t repeated; /* values that came more than once */
    uint64_t covered;  /* within another network or below another name */
};

void out_set_free(struct out_set *set); /* fits CLEANUP */
/* The indicator whose values come next; name and creator are copied.  False: no memory. */
MUST_USE bool out_set_origin(struct out_set *set, struct out_origin origin, slice name,
                             slice creator);
/* A value in the form of stix_value_normal, of the origin that came last.  Copied. */
enum out_taken out_set_add(struct out_set *set, enum out_kind kind, slice text);
/* Put in order, once each.  joined: networks within others go, and halves are joined to what they
 * are halves of; never to more than they cover.  below: names below other names go, but below those
 * that is_exact says stand for themselves alone. */
struct out_exact {
    bool (*is_exact)(void *context, slice name); /* a public suffix; NULL: none is */
    void *context;
    bool all;
};
void out_set_close(struct out_set *set, bool joined, bool below, const struct out_exact *exact);
uint64_t out_set_count(const struct out_set *set, uint32_t kinds);

/* A value as text; borrowed from the set or from room. */
#define OUT_ROOM_BYTES 256
slice out_value_text(const struct out_set *set, enum out_kind kind, const struct out_value *value,
                     char room[OUT_ROOM_BYTES]);
/* Is it one address, not a network? */
bool out_is_single(enum out_kind kind, const struct out_value *value);

/* ---- where bytes go ---- */

/* Sticky: after a failure nothing is written, and out_sink_end says so. */
struct out_sink {
    struct buf buf;
    result (*take)(void *context, slice bytes, struct diag *diag);
    void *context;
    struct diag *diag;
    result state;
};
#define OUT_SINK_BYTES ((size_t)1 << 18)
void out_sink_begin(struct out_sink *sink, result (*take)(void *, slice, struct diag *),
                    void *context, struct diag *diag);
void out_sink_step(struct out_sink *sink); /* after each line or so */
MUST_USE result out_sink_end(struct out_sink *sink);

/* A file beside its place, put there whole by out_file_commit: made durable, then renamed.
 * only_changed: what is there already with the same bytes stays; *is_changed says so. */
struct out_file {
    int fd;
    char path[4096], beside[4160];
};
#define OUT_FILE ((struct out_file){.fd = -1})
MUST_USE result out_file_begin(struct out_file *file, const char *path, struct diag *diag);
MUST_USE result out_file_take(void *file, slice bytes, struct diag *diag); /* of a sink */
MUST_USE result out_file_commit(struct out_file *file, bool only_changed, bool *is_changed,
                                struct diag *diag);
void out_file_abort(struct out_file *file); /* fits CLEANUP; nothing after a commit */

/* ---- formats ---- */

/* What a format's reader does with a value, and what must be permitted for it. */
enum out_use {
    OUT_READ,   /* people and programs look at it */
    OUT_DETECT, /* sensors look for it, seen by nobody outside */
    OUT_LOOKUP, /* others are shown it, as a service in somebody's cloud */
    OUT_BLOCK,  /* traffic is cut, which the other side sees */
};
slice out_use_name(enum out_use use);
bool out_use_parse(slice word, enum out_use *out);

/* Left out, and why; of an indicator the first that holds. */
enum out_reason {
#define OUT_REASON(symbol, name, words) OUT_WHY_##symbol,
#include "formats/out_reasons.def"
#undef OUT_REASON
    OUT_REASON_COUNT,
};
slice out_reason_name(enum out_reason reason);
slice out_reason_words(enum out_reason reason);

struct out_head {
    slice title, identity; /* from where */
    int64_t as_of_us;      /* when: the newest change that is in it; INT64_MIN: none */
    int64_t until_us;      /* INT64_MAX: none of them expires */
    uint64_t indicators;   /* that are in it */
    uint64_t left_out[OUT_REASON_COUNT];
};

struct out_job;
struct out_format {
    slice name, alias;
    slice file;  /* its name in a folder of files */
    slice media; /* type, for HTTP */
    slice help;
    enum out_use use;
    uint32_t kinds;
    bool is_joined;    /* networks are joined */
    bool has_below;    /* a name stands for those below it */
    bool has_origins;  /* needs indicators' names */
    bool has_networks; /* takes networks, not addresses alone */
    bool has_objects;  /* of whole objects: any pattern will do */
    bool has_choice;   /* --use is the caller's choice */
    void (*write)(const struct out_job *job, struct out_sink *sink);
};

/* A folder of files, each a format; written in order. */
struct out_folder {
    slice name, help;
    const char *const *formats; /* NULL-terminated */
};

struct out_job {
    const struct out_format *format;
    const struct out_set *set; /* closed */
    struct out_head head;
    struct out_exact exact;
    slice zone;       /* of rpz; empty: rpz.entente */
    unsigned version; /* of Suricata: 6, 7 or 8 */
    /* The text of an origin's object, and those that go along with all of them (`more`, by index;
     * false past the last), for formats with has_objects. */
    slice (*object)(void *context, const struct out_origin *origin);
    bool (*more)(void *context, size_t index, slice *out);
    void *context;
};

const struct out_format *out_format_find(slice name); /* by name or alias; NULL: none */
const struct out_format *out_format_at(size_t index); /* NULL past the last */
const struct out_folder *out_folder_find(slice name);
const struct out_folder *out_folder_at(size_t index);
/* Its name in a folder; identity: the node's, after which a feed's event is named. */
slice out_file_name(const struct out_format *format, slice identity, char room[OUT_ROOM_BYTES]);
/* Everything, header included. */
void out_write(const struct out_job *job, struct out_sink *sink);
