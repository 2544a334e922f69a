/* Plain lists, hosts files and CSV, and lookups of Splunk Enterprise Security. */
#include "base/time.h"
#include "formats/out_inside.h"

#include "base/banned.h"

void out_list(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        buf_put(&sink->buf, each.text);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
}

void out_hosts(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        buf_put(&sink->buf, SLICE("0.0.0.0 "));
        buf_put(&sink->buf, each.text);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
}

/* ---- CSV: the header of other formats is in columns, since a table has no comments ---- */

static slice permitted_word(const struct out_origin *origin)
{
    return out_use_name((enum out_use)origin->permitted);
}

/* What rows repeat: the end of each is the same, and most begin to hold when the one before does.
 */
struct csv {
    const struct out_job *job;
    struct buf tail;
    char from[TIMESTAMP_TEXT_BYTES_MAX];
    size_t from_len;
    int64_t from_us;
};

static void csv_begin(struct csv *csv)
{
    out_csv_put(&csv->tail, csv->job->head.title);
    buf_byte(&csv->tail, ',');
    out_time_put(&csv->tail, csv->job->head.as_of_us, SLICE(""));
    buf_put(&csv->tail, SLICE("\r\n"));
}

static void csv_from(struct csv *csv, int64_t us, struct buf *out)
{
    if (us != csv->from_us) {
        csv->from_us = us;
        csv->from_len = us == INT64_MIN ? 0 : time_format_us(us, csv->from);
    }
    buf_put(out, slice_of(csv->from, csv->from_len));
}

static void csv_row(struct csv *csv, const struct out_each *each, struct buf *out)
{
    const struct out_job *job = csv->job;
    const struct out_origin *origin = out_origin_of(job->set, each->value);

    if (out_kind_is_plain(each->kind))
        buf_put(out, each->text);
    else
        out_csv_put(out, each->text);
    buf_byte(out, ',');
    buf_put(out, out_kind_name(each->kind));
    buf_byte(out, ',');
    out_id_put(out, origin);
    buf_byte(out, ',');
    out_csv_put(out, out_origin_name(job->set, origin));
    buf_byte(out, ',');
    if (origin->confidence >= 0)
        buf_printf(out, "%d", origin->confidence);
    buf_byte(out, ',');
    buf_put(out, out_tlp_name((enum out_tlp)origin->tlp));
    buf_byte(out, ',');
    buf_put(out, permitted_word(origin));
    buf_byte(out, ',');
    csv_from(csv, origin->valid_from_us, out);
    buf_byte(out, ',');
    out_time_put(out, origin->valid_until_us, SLICE(""));
    buf_byte(out, ',');
    out_csv_put(out, out_origin_creator(job->set, origin));
    buf_byte(out, ',');
    buf_put(out, buf_slice(&csv->tail));
}

static void csv_end(struct csv *csv)
{
    buf_free(&csv->tail);
}

void out_csv(const struct out_job *job, struct out_sink *sink)
{
    CLEANUP(csv_end)
    struct csv csv = {.job = job, .tail = BUF(1 << 16), .from_us = INT64_MIN};

    csv_begin(&csv);
    buf_put(&sink->buf, SLICE("value,type,indicator,name,confidence,tlp,permitted,valid_from,"
                              "valid_until,creator,exported_from,exported_when\r\n"));
    for (struct out_each each = out_each(job); out_next(&each);) {
        csv_row(&csv, &each, &sink->buf);
        out_sink_step(sink);
    }
}

/* ---- Splunk ES: lookups by the header names of its threat collections ---- */

static const struct column {
    slice name;
    uint32_t kinds; /* 0: description, weight */
} columns[] = {
    {S("description"), 0},
    {S("domain"), OUT_KIND(OUT_DOMAIN)},
    {S("file_hash"), OUT_HASHES},
    {S("file_name"), OUT_KIND(OUT_FILE_NAME)},
    {S("http_referrer"), 0},
    {S("http_user_agent"), 0},
    {S("ip"), OUT_ADDRESSES},
    {S("src_user"), OUT_KIND(OUT_EMAIL)},
    {S("subject"), 0},
    {S("url"), OUT_KIND(OUT_URL)},
    {S("weight"), 0},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

enum {
    DESCRIPTION = 0,
    DOMAIN = 1,
    FILE_HASH = 2,
    FILE_NAME = 3,
    REFERRER = 4,
    USER_AGENT = 5,
    IP = 6,
    SRC_USER = 7,
    SUBJECT = 8,
    URL = 9,
    WEIGHT = 10,
};
#define BIT(column) (1u << (column))

static void description_put(const struct out_job *job, const struct out_origin *origin,
                            struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF(4096);

    buf_put(&text, out_origin_name(job->set, origin));
    buf_put(&text, text.len > 0 ? SLICE(" (") : SLICE("("));
    out_id_put(&text, origin);
    buf_put(&text, SLICE(" from "));
    buf_put(&text, job->head.title);
    buf_put(&text, SLICE(" as of "));
    out_time_put(&text, job->head.as_of_us, SLICE("nothing"));
    buf_put(&text, SLICE(" until "));
    out_time_put(&text, origin->valid_until_us, SLICE("no end"));
    buf_byte(&text, ')');
    out_csv_put(out, buf_slice(&text));
}

static void splunk_row(const struct out_job *job, const struct out_each *each, unsigned wanted,
                       struct buf *out)
{
    const struct out_origin *origin = out_origin_of(job->set, each->value);
    bool is_first = true;

    for (unsigned i = 0; i < COLUMNS; i++) {
        if ((wanted & BIT(i)) == 0)
            continue;
        if (!is_first)
            buf_byte(out, ',');
        is_first = false;
        if (i == DESCRIPTION)
            description_put(job, origin, out);
        else if (i == WEIGHT)
            buf_printf(out, "%u", out_score(origin));
        else if ((columns[i].kinds & OUT_KIND(each->kind)) != 0)
            out_csv_put(out, each->text);
    }
    buf_byte(out, '\n');
}

static void splunk_write(const struct out_job *job, unsigned wanted, struct out_sink *sink)
{
    bool is_first = true;

    for (unsigned i = 0; i < COLUMNS; i++) {
        if ((wanted & BIT(i)) == 0)
            continue;
        if (!is_first)
            buf_byte(&sink->buf, ',');
        is_first = false;
        buf_put(&sink->buf, columns[i].name);
    }
    buf_byte(&sink->buf, '\n');
    for (struct out_each each = out_each(job); out_next(&each);) {
        splunk_row(job, &each, wanted, &sink->buf);
        out_sink_step(sink);
    }
}

void out_splunk(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job,
                 BIT(DESCRIPTION) | BIT(DOMAIN) | BIT(FILE_HASH) | BIT(FILE_NAME) | BIT(IP) |
                     BIT(SRC_USER) | BIT(URL) | BIT(WEIGHT),
                 sink);
}

void out_splunk_ip(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job, BIT(DESCRIPTION) | BIT(IP) | BIT(WEIGHT), sink);
}

void out_splunk_domain(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job, BIT(DESCRIPTION) | BIT(DOMAIN) | BIT(WEIGHT), sink);
}

void out_splunk_http(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job, BIT(DESCRIPTION) | BIT(REFERRER) | BIT(USER_AGENT) | BIT(URL) | BIT(WEIGHT),
                 sink);
}

void out_splunk_file(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job, BIT(DESCRIPTION) | BIT(FILE_HASH) | BIT(FILE_NAME) | BIT(WEIGHT), sink);
}

void out_splunk_email(const struct out_job *job, struct out_sink *sink)
{
    splunk_write(job, BIT(DESCRIPTION) | BIT(SRC_USER) | BIT(SUBJECT) | BIT(WEIGHT), sink);
}
