/* JSON: Elastic's ECS threat documents in bulk form, Sentinel's upload, STIX bundles. */
#include "base/time.h"
#include "formats/out_inside.h"
#include "json/write.h"

#include "base/banned.h"

#define SENTINEL_OBJECTS 100 /* a request of the upload API holds no more */

/* ---- Elastic ---- */

/* Namespace of document ids: a document is one value of one kind, whatever else is known of it. */
static const struct uuid documents = {{0x3b, 0x0d, 0x5b, 0x6c, 0x61, 0x52, 0x4f, 0x7d, 0x8b, 0x0e,
                                       0x55, 0x1a, 0x3d, 0x0b, 0x8c, 0x21}};

static slice ecs_type(enum out_kind kind)
{
    static const slice types[OUT_KIND_COUNT] = {
        [OUT_IPV4] = S("ipv4-addr"),
        [OUT_IPV6] = S("ipv6-addr"),
        [OUT_DOMAIN] = S("domain-name"),
        [OUT_URL] = S("url"),
        [OUT_EMAIL] = S("email-addr"),
        [OUT_FILE_NAME] = S("file"),
        [OUT_MD5] = S("file"),
        [OUT_SHA1] = S("file"),
        [OUT_SHA256] = S("file"),
        [OUT_SHA512] = S("file"),
        [OUT_CERT_SHA1] = S("x509-certificate"),
    };

    return types[kind];
}

/* STIX 2.1, appendix A, "None/Low/Med/High", which ECS names so. */
static slice ecs_confidence(int confidence)
{
    if (confidence < 0)
        return SLICE("Not Specified");
    if (confidence == 0)
        return SLICE("None");
    return confidence < 30 ? SLICE("Low") : confidence < 70 ? SLICE("Medium") : SLICE("High");
}

static slice ecs_tlp(enum out_tlp tlp)
{
    static const slice names[] = {
        [OUT_TLP_NONE] = S(""),
        [OUT_CLEAR] = S("CLEAR"),
        [OUT_GREEN] = S("GREEN"),
        [OUT_AMBER] = S("AMBER"),
        [OUT_AMBER_STRICT] = S("AMBER+STRICT"),
        [OUT_RED] = S("RED"),
    };

    return names[tlp];
}

static void time_put(struct json_writer *w, slice key, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    if (us != INT64_MIN && us != INT64_MAX)
        jw_put_string(w, key, slice_of(text, time_format_us(us, text)));
}

static void object_key(struct json_writer *w, slice key)
{
    jw_key(w, key);
    jw_object_begin(w);
}

static void ecs_value(struct json_writer *w, enum out_kind kind, slice text)
{
    static const slice hashes[OUT_KIND_COUNT] = {[OUT_MD5] = S("md5"),
                                                 [OUT_SHA1] = S("sha1"),
                                                 [OUT_SHA256] = S("sha256"),
                                                 [OUT_SHA512] = S("sha512"),
                                                 [OUT_CERT_SHA1] = S("sha1")};

    switch (kind) {
    case OUT_IPV4:
    case OUT_IPV6:
        jw_put_string(w, SLICE("ip"), text);
        return;
    case OUT_DOMAIN:
        object_key(w, SLICE("url"));
        jw_put_string(w, SLICE("domain"), text);
        break;
    case OUT_URL:
        object_key(w, SLICE("url"));
        jw_put_string(w, SLICE("full"), text);
        break;
    case OUT_EMAIL:
        object_key(w, SLICE("email"));
        jw_put_string(w, SLICE("address"), text);
        break;
    case OUT_FILE_NAME:
        object_key(w, SLICE("file"));
        jw_put_string(w, SLICE("name"), text);
        break;
    case OUT_MD5:
    case OUT_SHA1:
    case OUT_SHA256:
    case OUT_SHA512:
    case OUT_CERT_SHA1:
        /* ECS has no place for a certificate's hash in an indicator but the file's. */
        object_key(w, SLICE("file"));
        object_key(w, SLICE("hash"));
        jw_put_string(w, hashes[kind], text);
        jw_object_end(w);
        break;
    case OUT_KIND_COUNT:
        return;
    }
    jw_object_end(w);
}

static void ecs_indicator(const struct out_job *job, const struct out_each *each,
                          const struct out_origin *origin, struct json_writer *w)
{
    slice creator = out_origin_creator(job->set, origin), name = out_origin_name(job->set, origin);

    object_key(w, SLICE("indicator"));
    jw_put_string(w, SLICE("type"), ecs_type(each->kind));
    ecs_value(w, each->kind, each->text);
    jw_put_string(w, SLICE("name"), each->text);
    if (name.len > 0)
        jw_put_string(w, SLICE("description"), name);
    jw_put_string(w, SLICE("confidence"), ecs_confidence(origin->confidence));
    if (creator.len > 0)
        jw_put_string(w, SLICE("provider"), creator);
    time_put(w, SLICE("first_seen"), origin->valid_from_us);
    time_put(w, SLICE("modified_at"), origin->modified_us);
    if (origin->tlp != OUT_TLP_NONE) {
        object_key(w, SLICE("marking"));
        jw_put_string(w, SLICE("tlp"), ecs_tlp((enum out_tlp)origin->tlp));
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void ecs_document(const struct out_job *job, const struct out_each *each, struct buf *out)
{
    const struct out_origin *origin = out_origin_of(job->set, each->value);
    struct json_writer w = JSON_WRITER(out);
    char id[OUT_ID_BYTES];

    jw_object_begin(&w);
    time_put(&w, SLICE("@timestamp"), job->head.as_of_us);
    object_key(&w, SLICE("event"));
    jw_put_string(&w, SLICE("kind"), SLICE("enrichment"));
    jw_put_string(&w, SLICE("category"), SLICE("threat"));
    jw_put_string(&w, SLICE("type"), SLICE("indicator"));
    jw_put_string(&w, SLICE("dataset"), SLICE("entente.indicator"));
    time_put(&w, SLICE("end"), origin->valid_until_us);
    jw_object_end(&w);
    object_key(&w, SLICE("threat"));
    object_key(&w, SLICE("feed"));
    jw_put_string(&w, SLICE("name"), job->head.title);
    jw_object_end(&w);
    ecs_indicator(job, each, origin, &w);
    jw_object_end(&w);
    object_key(&w, SLICE("labels"));
    jw_put_string(&w, SLICE("entente_id"), slice_of(id, out_id_text(origin, id)));
    jw_object_end(&w);
    jw_object_end(&w);
    buf_byte(out, '\n');
}

/* What _bulk takes: a line of what to do, a line of what with; the index is in the URL. */
void out_elastic(const struct out_job *job, struct out_sink *sink)
{
    for (struct out_each each = out_each(job); out_next(&each);) {
        struct json_writer w = JSON_WRITER(&sink->buf);
        char id[UUID_TEXT_BYTES];
        CLEANUP(buf_free) struct buf name = BUF((size_t)1 << 16);

        buf_put(&name, out_kind_path(each.kind));
        buf_byte(&name, '=');
        buf_put(&name, each.text);
        struct uuid uuid = uuid_v5(&documents, buf_slice(&name));
        uuid_format(&uuid, id);
        jw_object_begin(&w);
        object_key(&w, SLICE("index"));
        jw_put_string(&w, SLICE("_id"), slice_of(id, sizeof(id)));
        jw_object_end(&w);
        jw_object_end(&w);
        buf_byte(&sink->buf, '\n');
        ecs_document(job, &each, &sink->buf);
        out_sink_step(sink);
    }
}

/* ---- whole objects ---- */

static slice object_at(const struct out_job *job, size_t i)
{
    return job->object(job->context, &job->set->origins[i]);
}

/* One request a line; the upload API takes so many objects in each. */
void out_sentinel(const struct out_job *job, struct out_sink *sink)
{
    size_t in_request = 0;

    for (size_t i = 0; i < job->set->origin_count; i++) {
        slice text = object_at(job, i);

        if (text.len == 0)
            continue;
        if (in_request == 0) {
            struct json_writer w = JSON_WRITER(&sink->buf);

            jw_object_begin(&w);
            jw_put_string(&w, SLICE("sourcesystem"), job->head.title);
            buf_put(&sink->buf, SLICE(",\"stixobjects\":["));
        } else {
            buf_byte(&sink->buf, ',');
        }
        buf_put(&sink->buf, text);
        if (++in_request == SENTINEL_OBJECTS) {
            buf_put(&sink->buf, SLICE("]}\n"));
            in_request = 0;
        }
        out_sink_step(sink);
    }
    if (in_request > 0)
        buf_put(&sink->buf, SLICE("]}\n"));
}

void out_stix(const struct out_job *job, struct out_sink *sink)
{
    static const struct uuid bundles = {{0x6e, 0x1f, 0x0b, 0x52, 0x5d, 0x2c, 0x4b, 0x8e, 0x9b, 0x63,
                                         0x2f, 0x4a, 0x6e, 0x0a, 0x9d, 0x72}};
    CLEANUP(buf_free) struct buf name = BUF(1 << 12);
    char id[UUID_TEXT_BYTES];
    slice text;
    bool has_objects = false;

    buf_put(&name, job->head.identity);
    buf_printf(&name, " %lld %zu", (long long)job->head.as_of_us, job->set->origin_count);
    struct uuid uuid = uuid_v5(&bundles, buf_slice(&name));
    uuid_format(&uuid, id);
    buf_printf(&sink->buf, "{\"type\":\"bundle\",\"id\":\"bundle--%.*s\"", UUID_TEXT_BYTES, id);
    for (size_t i = 0; job->more(job->context, i, &text); i++) {
        buf_put(&sink->buf, has_objects ? SLICE(",\n") : SLICE(",\"objects\":[\n"));
        buf_put(&sink->buf, text);
        has_objects = true;
        out_sink_step(sink);
    }
    for (size_t i = 0; i < job->set->origin_count; i++) {
        text = object_at(job, i);
        if (text.len == 0)
            continue;
        buf_put(&sink->buf, has_objects ? SLICE(",\n") : SLICE(",\"objects\":[\n"));
        buf_put(&sink->buf, text);
        has_objects = true;
        out_sink_step(sink);
    }
    buf_put(&sink->buf, has_objects ? SLICE("\n]}\n") : SLICE("}\n"));
}
