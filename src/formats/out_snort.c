/* Rules for Snort 3: addresses, names as they stand in DNS queries, URLs without TLS. */
#include "formats/out_inside.h"
#include "formats/out_rule.h"
#include "stix/url.h"

#include "base/banned.h"

#define TAG_SNORT 8
#define DNS_HEAD_BYTES 12 /* in front of a query's name */

struct rule {
    const struct out_job *job;
    struct buf *out;
    struct rule_sids *sids;
};

static void rule_begin(const struct rule *r, const char *head, const char *what,
                       const struct out_each *each)
{
    buf_printf(r->out, "%s ( msg:\"Entente: %s ", head, what);
    rule_words(r->out, each->text);
    buf_put(r->out, SLICE("\"; "));
}

static void rule_end(const struct rule *r, const struct out_each *each)
{
    const struct out_origin *origin = out_origin_of(r->job->set, each->value);

    buf_put(r->out, SLICE("metadata:entente "));
    out_id_put(r->out, origin);
    buf_printf(r->out, "; classtype:trojan-activity; sid:%u; rev:1; )\n",
               rule_sid(r->sids, TAG_SNORT * OUT_KIND_COUNT + each->kind, each->text));
}

/* "|04|evil|07|example|00|": labels with their lengths; the root at the end keeps longer names out.
 */
static void labels_put(struct buf *out, slice name)
{
    slice label;

    for (bool more = true; more;) {
        more = slice_cut(name, '.', &label, &name);
        buf_printf(out, "|%02X|", (unsigned)label.len);
        rule_content(out, label);
    }
    buf_put(out, SLICE("|00|"));
}

static void rule_name(const struct rule *r, const struct out_each *each)
{
    bool is_exact = out_name_is_exact(&r->job->exact, each->text);

    rule_begin(r, "alert udp any any -> any 53", "DNS query for", each);
    buf_put(r->out, SLICE("content:\""));
    labels_put(r->out, each->text);
    buf_put(r->out, SLICE("\",nocase,fast_pattern"));
    if (is_exact)
        buf_printf(r->out, ",offset %d,depth %zu", DNS_HEAD_BYTES, each->text.len + 2);
    buf_put(r->out, SLICE("; "));
    rule_end(r, each);
}

static void rule_url(const struct rule *r, const struct out_each *each)
{
    struct url_parts parts;

    if (!url_split(each->text, &parts))
        return;
    rule_begin(r, "alert http", "HTTP request of", each);
    buf_put(r->out, SLICE("http_header:field host; content:\""));
    rule_content(r->out, parts.host);
    buf_put(r->out, SLICE("\",nocase; http_raw_uri; content:\""));
    rule_content(r->out, parts.path.len > 0 ? parts.path : SLICE("/"));
    if (parts.query.len > 0) {
        rule_content(r->out, SLICE("?"));
        rule_content(r->out, parts.query);
    }
    buf_put(r->out, SLICE("\",fast_pattern; "));
    rule_end(r, each);
}

void out_snort3(const struct out_job *job, struct out_sink *sink)
{
    CLEANUP(rule_sids_free) struct rule_sids sids = {0};
    struct rule rule = {.job = job, .out = &sink->buf, .sids = &sids};

    if (!rule_sids_init(&sids, (size_t)out_set_count(job->set, job->format->kinds))) {
        sink->buf.overflowed = true;
        return;
    }
    out_head_write(job, "#", &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        if (each.kind == OUT_DOMAIN) {
            rule_name(&rule, &each);
        } else if (each.kind == OUT_URL) {
            rule_url(&rule, &each);
        } else {
            buf_printf(&sink->buf,
                       "alert ip any any <> %.*s any ( msg:\"Entente: traffic with %.*s\"; ",
                       SLICE_ARG(each.text), SLICE_ARG(each.text));
            rule_end(&rule, &each);
        }
        out_sink_step(sink);
    }
}
