/* A MISP feed: one event of all values, and the manifest that names it. */
#include <stdio.h>

#include "base/arena.h"
#include "base/time.h"
#include "formats/out_inside.h"
#include "json/write.h"

#include "base/banned.h"

#define DATE_BYTES 10
#define SECONDS_BYTES 24

static const struct {
    slice type, category;
} attributes[OUT_KIND_COUNT] = {
    [OUT_IPV4] = {S("ip-dst"), S("Network activity")},
    [OUT_IPV6] = {S("ip-dst"), S("Network activity")},
    [OUT_DOMAIN] = {S("domain"), S("Network activity")},
    [OUT_URL] = {S("url"), S("Network activity")},
    [OUT_EMAIL] = {S("email-src"), S("Payload delivery")},
    [OUT_FILE_NAME] = {S("filename"), S("Payload delivery")},
    [OUT_MD5] = {S("md5"), S("Payload delivery")},
    [OUT_SHA1] = {S("sha1"), S("Payload delivery")},
    [OUT_SHA256] = {S("sha256"), S("Payload delivery")},
    [OUT_SHA512] = {S("sha512"), S("Payload delivery")},
    [OUT_CERT_SHA1] = {S("x509-fingerprint-sha1"), S("Network activity")},
};

/* A node has one event for ever, so that a reader's copy is brought up to date and not doubled. */
void out_misp_event_id(slice identity, char out[UUID_TEXT_BYTES])
{
    static const struct uuid events = {{0x9e, 0x4d, 0x6e, 0x1a, 0x2b, 0x7c, 0x4c, 0x3f, 0xa1, 0x5d,
                                        0x0c, 0x9b, 0x66, 0x1f, 0x7a, 0x02}};
    struct uuid uuid = uuid_v5(&events, identity);

    uuid_format(&uuid, out);
}

static void seconds_put(struct json_writer *w, slice key, int64_t us)
{
    char text[SECONDS_BYTES];
    int len = snprintf(text, sizeof(text), "%lld", us > 0 ? (long long)(us / 1000000) : 0LL);

    jw_put_string(w, key, slice_of(text, (size_t)len));
}

static void tag_put(struct json_writer *w, enum out_tlp tlp)
{
    static const slice names[] = {[OUT_TLP_NONE] = S(""),
                                  [OUT_CLEAR] = S("tlp:clear"),
                                  [OUT_GREEN] = S("tlp:green"),
                                  [OUT_AMBER] = S("tlp:amber"),
                                  [OUT_AMBER_STRICT] = S("tlp:amber+strict"),
                                  [OUT_RED] = S("tlp:red")};
    static const slice colours[] = {[OUT_TLP_NONE] = S("#000000"),     [OUT_CLEAR] = S("#ffffff"),
                                    [OUT_GREEN] = S("#33ff00"),        [OUT_AMBER] = S("#ffc000"),
                                    [OUT_AMBER_STRICT] = S("#ffc000"), [OUT_RED] = S("#ff2b2b")};

    jw_key(w, SLICE("Tag"));
    jw_array_begin(w);
    if (tlp != OUT_TLP_NONE) {
        jw_object_begin(w);
        jw_put_string(w, SLICE("colour"), colours[tlp]);
        jw_put_bool(w, SLICE("exportable"), true);
        jw_put_string(w, SLICE("name"), names[tlp]);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* The event as a whole is marked as the strictest in it. */
static enum out_tlp strictest(const struct out_set *set)
{
    enum out_tlp most = OUT_TLP_NONE;

    for (size_t i = 0; i < set->origin_count; i++)
        if (set->origins[i].tlp > most)
            most = (enum out_tlp)set->origins[i].tlp;
    return most;
}

/* What manifest and event both say. */
static void event_head(const struct out_job *job, struct json_writer *w)
{
    char date[TIMESTAMP_TEXT_BYTES_MAX];
    slice identity = job->head.identity;

    (void)time_format_us(job->head.as_of_us == INT64_MIN ? 0 : job->head.as_of_us, date);
    jw_put_string(w, SLICE("info"), SLICE("Entente: current indicators"));
    jw_put_string(w, SLICE("date"), slice_of(date, DATE_BYTES));
    jw_put_string(w, SLICE("analysis"), SLICE("2"));
    jw_put_string(w, SLICE("threat_level_id"), SLICE("4"));
    seconds_put(w, SLICE("timestamp"), job->head.as_of_us);
    jw_key(w, SLICE("Orgc"));
    jw_object_begin(w);
    jw_put_string(w, SLICE("name"), job->head.title);
    if (slice_starts(identity, SLICE("identity--")))
        jw_put_string(w, SLICE("uuid"), slice_from(identity, sizeof("identity--") - 1));
    jw_object_end(w);
    tag_put(w, strictest(job->set));
}

void out_misp_manifest(const struct out_job *job, struct out_sink *sink)
{
    struct json_writer w = JSON_WRITER(&sink->buf);
    char id[UUID_TEXT_BYTES];

    out_misp_event_id(job->head.identity, id);
    jw_object_begin(&w);
    jw_key(&w, slice_of(id, sizeof(id)));
    jw_object_begin(&w);
    event_head(job, &w);
    jw_object_end(&w);
    jw_object_end(&w);
    buf_byte(&sink->buf, '\n');
}

/* The first value of an indicator has its UUID, so that a way back finds it. */
static void attribute_id(const struct out_origin *origin, const struct out_each *each,
                         uint8_t *is_named, char out[UUID_TEXT_BYTES])
{
    struct uuid uuid = origin->uuid;

    if (*is_named)
        uuid = uuid_v5(&origin->uuid, each->text);
    *is_named = 1;
    uuid_format(&uuid, out);
}

static void attribute_put(const struct out_job *job, const struct out_each *each, uint8_t *is_named,
                          struct json_writer *w)
{
    const struct out_origin *origin = out_origin_of(job->set, each->value);
    char id[UUID_TEXT_BYTES], from[TIMESTAMP_TEXT_BYTES_MAX];

    attribute_id(origin, each, is_named, id);
    jw_object_begin(w);
    jw_put_string(w, SLICE("uuid"), slice_of(id, sizeof(id)));
    jw_put_string(w, SLICE("type"), attributes[each->kind].type);
    jw_put_string(w, SLICE("category"), attributes[each->kind].category);
    jw_put_string(w, SLICE("value"), each->text);
    jw_put_bool(w, SLICE("to_ids"), origin->permitted >= OUT_DETECT);
    jw_put_string(w, SLICE("comment"), out_origin_name(job->set, origin));
    seconds_put(w, SLICE("timestamp"), origin->modified_us);
    if (origin->valid_from_us != INT64_MIN)
        jw_put_string(w, SLICE("first_seen"),
                      slice_of(from, time_format_us(origin->valid_from_us, from)));
    jw_put_bool(w, SLICE("deleted"), false);
    jw_put_bool(w, SLICE("disable_correlation"), false);
    tag_put(w, (enum out_tlp)origin->tlp);
    jw_object_end(w);
}

static void named_free(uint8_t **named)
{
    table_free(*named);
}

void out_misp(const struct out_job *job, struct out_sink *sink)
{
    struct json_writer w = JSON_WRITER(&sink->buf);
    char id[UUID_TEXT_BYTES];
    size_t capacity = 0;
    CLEANUP(named_free)
    uint8_t *named = table_grow(NULL, &capacity, job->set->origin_count + 1, OUT_VALUES_MAX + 1, 1);

    if (named == NULL) {
        sink->buf.overflowed = true;
        return;
    }
    memset(named, 0, capacity);
    out_misp_event_id(job->head.identity, id);
    jw_object_begin(&w);
    jw_key(&w, SLICE("Event"));
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("uuid"), slice_of(id, sizeof(id)));
    event_head(job, &w);
    jw_put_bool(&w, SLICE("published"), true);
    seconds_put(&w, SLICE("publish_timestamp"), job->head.as_of_us);
    jw_key(&w, SLICE("Attribute"));
    jw_array_begin(&w);
    for (struct out_each each = out_each(job); out_next(&each);) {
        attribute_put(job, &each, &named[each.value->origin], &w);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    jw_object_end(&w);
    buf_byte(&sink->buf, '\n');
}
