/* Sensors: Zeek's Intel file, Suricata's datasets, reputation and rules. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/encode.h"
#include "formats/out_inside.h"
#include "formats/out_rule.h"
#include "stix/url.h"

#include "base/banned.h"

#define IPREP_CATEGORY 1

/* ---- Zeek ---- */

static slice zeek_type(enum out_kind kind, const struct out_value *value)
{
    switch (kind) {
    case OUT_IPV4:
    case OUT_IPV6:
        return out_is_single(kind, value) ? SLICE("Intel::ADDR") : SLICE("Intel::SUBNET");
    case OUT_DOMAIN:
        return SLICE("Intel::DOMAIN");
    case OUT_URL:
        return SLICE("Intel::URL");
    case OUT_EMAIL:
        return SLICE("Intel::EMAIL");
    case OUT_FILE_NAME:
        return SLICE("Intel::FILE_NAME");
    case OUT_CERT_SHA1:
        return SLICE("Intel::CERT_HASH");
    case OUT_MD5:
    case OUT_SHA1:
    case OUT_SHA256:
    case OUT_SHA512:
    case OUT_KIND_COUNT:
        break;
    }
    return SLICE("Intel::FILE_HASH");
}

/* Zeek undoes \xHH, takes "-" for unset, "(empty)" for empty, "," for the next member of a set and
 * "#" in front for a comment. */
static bool zeek_is_plain(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.at[i] < ' ' || text.at[i] == '\\' || text.at[i] == 0x7F)
            return false;
    return text.len > 0 && memchr("#-(", text.at[0], 3) == NULL;
}

static void zeek_put(struct buf *out, slice text)
{
    static const char digits[] = "0123456789abcdef";

    if (zeek_is_plain(text)) {
        buf_put(out, text);
        return;
    }
    bool is_word = slice_eq(text, SLICE("-")) || slice_starts(text, SLICE("(empty)"));

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.at[i];

        if (c < ' ' || c == '\\' || c == 0x7F || (i == 0 && (c == '#' || is_word))) {
            buf_put(out, SLICE("\\x"));
            buf_byte(out, digits[c >> 4]);
            buf_byte(out, digits[c & 15]);
        } else {
            buf_byte(out, (char)c);
        }
    }
    if (text.len == 0)
        buf_byte(out, '-');
}

/* Without its scheme, as Zeek has it: host, port, path. */
static slice zeek_url(slice url)
{
    size_t scheme = slice_find(url, SLICE("://"));

    return scheme == SIZE_MAX ? url : slice_from(url, scheme + 3);
}

void out_zeek(const struct out_job *job, struct out_sink *sink)
{
    CLEANUP(buf_free) struct buf source = BUF(1 << 16);
    struct buf *out = &sink->buf;

    zeek_put(&source, job->head.title);
    out_head_write(job, "#", out);
    buf_put(out, SLICE("#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\n"));
    for (struct out_each each = out_each(job); out_next(&each);) {
        const struct out_origin *origin = out_origin_of(job->set, each.value);

        if (out_kind_is_plain(each.kind))
            buf_put(out, each.text);
        else
            zeek_put(out, each.kind == OUT_URL ? zeek_url(each.text) : each.text);
        buf_byte(out, '\t');
        buf_put(out, zeek_type(each.kind, each.value));
        buf_byte(out, '\t');
        buf_put(out, buf_slice(&source));
        buf_byte(out, '\t');
        zeek_put(out, out_origin_name(job->set, origin));
        buf_byte(out, '\t');
        out_id_put(out, origin);
        buf_byte(out, '\n');
        out_sink_step(sink);
    }
}

/* ---- Suricata: lists that rules load; they have no comments, the header is in the rules ---- */

void out_suricata_strings(const struct out_job *job, struct out_sink *sink)
{
    for (struct out_each each = out_each(job); out_next(&each);) {
        base64_encode(&sink->buf, each.text);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
}

void out_suricata_plain(const struct out_job *job, struct out_sink *sink)
{
    for (struct out_each each = out_each(job); out_next(&each);) {
        buf_put(&sink->buf, each.text);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
}

void out_suricata_iprep(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        buf_put(&sink->buf, each.text);
        buf_printf(&sink->buf, ",%d,%u\n", IPREP_CATEGORY,
                   out_score(out_origin_of(job->set, each.value)));
        out_sink_step(sink);
    }
}

void out_suricata_categories(const struct out_job *job, struct out_sink *sink)
{
    (void)job;
    buf_printf(&sink->buf, "%d,Entente,Addresses of indicators\n", IPREP_CATEGORY);
}

/* A rule for a file that is not there, or a list that is empty, keeps Suricata from starting: rules
 * stand only for what there is. */
void out_suricata_rules(const struct out_job *job, struct out_sink *sink)
{
    static const struct {
        uint32_t kinds;
        unsigned version_least, version_most;
        const char *rule;
    } rules[] = {
        {OUT_KIND(OUT_DOMAIN), 6, 8,
         "alert dns $HOME_NET any -> any any (msg:\"Entente: DNS query for a known name\"; "
         "dns.query; dataset:isset,entente-domains,type string,load entente-domains.lst; "
         "classtype:trojan-activity; sid:1073741001; rev:1;)\n"
         "alert tls $HOME_NET any -> any any (msg:\"Entente: TLS to a known name\"; "
         "tls.sni; dataset:isset,entente-domains,type string,load entente-domains.lst; "
         "classtype:trojan-activity; sid:1073741002; rev:1;)\n"
         "alert http $HOME_NET any -> any any (msg:\"Entente: HTTP to a known name\"; "
         "http.host; dataset:isset,entente-domains,type string,load entente-domains.lst; "
         "classtype:trojan-activity; sid:1073741003; rev:1;)\n"},
        {OUT_KIND(OUT_MD5), 6, 8,
         "alert tcp any any -> any any (msg:\"Entente: known file, MD5\"; "
         "filemd5:entente-md5.lst; classtype:trojan-activity; sid:1073741011; rev:1;)\n"
         "alert http any any -> any any (msg:\"Entente: known content over HTTP, MD5\"; "
         "file.data; to_md5; dataset:isset,entente-md5,type md5,load entente-md5.lst; "
         "classtype:trojan-activity; sid:1073741012; rev:1;)\n"},
        {OUT_KIND(OUT_SHA1), 6, 8,
         "alert tcp any any -> any any (msg:\"Entente: known file, SHA-1\"; "
         "filesha1:entente-sha1.lst; classtype:trojan-activity; sid:1073741021; rev:1;)\n"},
        {OUT_KIND(OUT_SHA256), 6, 8,
         "alert tcp any any -> any any (msg:\"Entente: known file, SHA-256\"; "
         "filesha256:entente-sha256.lst; classtype:trojan-activity; sid:1073741031; rev:1;)\n"
         "alert http any any -> any any (msg:\"Entente: known content over HTTP, SHA-256\"; "
         "file.data; to_sha256; dataset:isset,entente-sha256,type sha256,load entente-sha256.lst; "
         "classtype:trojan-activity; sid:1073741032; rev:1;)\n"},
        {OUT_ADDRESSES, 7, 8,
         "alert ip $HOME_NET any -> any any (msg:\"Entente: to a known address\"; "
         "ip.dst; dataset:isset,entente-ip,type ip,load entente-ip.lst; "
         "classtype:trojan-activity; sid:1073741041; rev:1;)\n"
         "alert ip any any -> $HOME_NET any (msg:\"Entente: from a known address\"; "
         "ip.src; dataset:isset,entente-ip,type ip,load entente-ip.lst; "
         "classtype:trojan-activity; sid:1073741042; rev:1;)\n"},
        {OUT_ADDRESSES, 6, 8,
         "alert ip any any -> any any (msg:\"Entente: address or network of ill repute\"; "
         "iprep:any,Entente,>,0; classtype:trojan-activity; sid:1073741051; rev:1;)\n"},
    };

    out_head_write(job, "#", &sink->buf);
    buf_printf(&sink->buf, "# for Suricata %u\n", job->version);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (out_set_count(job->set, rules[i].kinds & job->format->kinds) > 0 &&
            job->version >= rules[i].version_least && job->version <= rules[i].version_most)
            buf_put(&sink->buf, slice_text(rules[i].rule));
}

/* ---- Suricata: a rule or two a value ---- */

struct rule {
    const struct out_job *job;
    struct buf *out;
    struct rule_sids *sids;
};

static void rule_end(const struct rule *r, const struct out_each *each, uint64_t tag)
{
    const struct out_origin *origin = out_origin_of(r->job->set, each->value);

    buf_put(r->out, SLICE(" classtype:trojan-activity; metadata:entente "));
    out_id_put(r->out, origin);
    if (origin->confidence >= 0)
        buf_printf(r->out, ", confidence_percent %d", origin->confidence);
    if (origin->tlp != OUT_TLP_NONE)
        buf_printf(r->out, ", tlp %.*s", SLICE_ARG(out_tlp_name((enum out_tlp)origin->tlp)));
    buf_printf(r->out, "; sid:%u; rev:1;)\n",
               rule_sid(r->sids, tag * OUT_KIND_COUNT + each->kind, each->text));
}

static void rule_begin(const struct rule *r, const char *head, const char *what,
                       const struct out_each *each)
{
    buf_printf(r->out, "%s (msg:\"Entente: %s ", head, what);
    rule_words(r->out, each->text);
    buf_put(r->out, SLICE("\"; "));
}

static void rule_name(const struct rule *r, const struct out_each *each, const char *head,
                      const char *what, const char *buffer, uint64_t tag)
{
    bool is_exact = out_name_is_exact(&r->job->exact, each->text);

    rule_begin(r, head, what, each);
    buf_printf(r->out, "%s; %scontent:\"%s", buffer, is_exact ? "" : "dotprefix; ",
               is_exact ? "" : ".");
    rule_content(r->out, each->text);
    buf_printf(r->out, "\"; nocase;%s endswith;", is_exact ? " startswith;" : "");
    rule_end(r, each, tag);
}

static void rule_url(const struct rule *r, const struct out_each *each)
{
    struct url_parts parts;

    if (!url_split(each->text, &parts))
        return;
    rule_begin(r, "alert http any any -> any any", "HTTP request of", each);
    buf_put(r->out, SLICE("http.host; content:\""));
    rule_content(r->out, parts.host);
    buf_put(r->out, SLICE("\"; startswith; endswith; http.uri.raw; content:\""));
    rule_content(r->out, parts.path.len > 0 ? parts.path : SLICE("/"));
    if (parts.query.len > 0) {
        rule_content(r->out, SLICE("?"));
        rule_content(r->out, parts.query);
    }
    buf_put(r->out, SLICE("\"; startswith; endswith;"));
    rule_end(r, each, 0);
}

static void rule_of(const struct rule *r, const struct out_each *each)
{
    switch (each->kind) {
    case OUT_IPV4:
    case OUT_IPV6:
        buf_printf(r->out,
                   "alert ip $HOME_NET any <> %.*s any (msg:\"Entente: traffic with %.*s\";",
                   SLICE_ARG(each->text), SLICE_ARG(each->text));
        rule_end(r, each, 0);
        break;
    case OUT_DOMAIN:
        rule_name(r, each, "alert dns any any -> any any", "DNS query for", "dns.query", 0);
        rule_name(r, each, "alert tls any any -> any any", "TLS to", "tls.sni", 1);
        break;
    case OUT_URL:
        rule_url(r, each);
        break;
    case OUT_EMAIL: /* its buffer came with version 8 */
        if (r->job->version < 8)
            break;
        rule_begin(r, "alert smtp any any -> any any", "mail from", each);
        buf_put(r->out, SLICE("email.from; content:\""));
        rule_content(r->out, each->text);
        buf_put(r->out, SLICE("\"; nocase;"));
        rule_end(r, each, 0);
        break;
    case OUT_FILE_NAME:
        rule_begin(r, "alert tcp any any -> any any", "file", each);
        buf_put(r->out, SLICE("file.name; content:\""));
        rule_content(r->out, each->text);
        buf_put(r->out, SLICE("\"; nocase; endswith;"));
        rule_end(r, each, 0);
        break;
    case OUT_MD5:
    case OUT_SHA1:
    case OUT_SHA256:
    case OUT_SHA512:
    case OUT_CERT_SHA1:
    case OUT_KIND_COUNT:
        break;
    }
}

void out_suricata(const struct out_job *job, struct out_sink *sink)
{
    CLEANUP(rule_sids_free) struct rule_sids sids = {0};
    struct rule rule = {.job = job, .out = &sink->buf, .sids = &sids};

    if (!rule_sids_init(&sids, 2 * (size_t)out_set_count(job->set, job->format->kinds))) {
        sink->buf.overflowed = true;
        return;
    }
    out_head_write(job, "#", &sink->buf);
    buf_printf(&sink->buf, "# for Suricata %u\n", job->version);
    for (struct out_each each = out_each(job); out_next(&each);) {
        rule_of(&rule, &each);
        out_sink_step(sink);
    }
}
