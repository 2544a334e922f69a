/* What the writers of formats share. */
#pragma once

#include "formats/out.h"

/* "# from: ..." lines, each behind mark. */
void out_head_write(const struct out_job *job, const char *mark, struct buf *out);
/* "2026-01-31T00:00:00.000000Z", or otherwise for an unbounded date. */
void out_time_put(struct buf *out, int64_t us, slice otherwise);

static inline const struct out_origin *out_origin_of(const struct out_set *set,
                                                     const struct out_value *value)
{
    return &set->origins[value->origin];
}
static inline slice out_origin_name(const struct out_set *set, const struct out_origin *origin)
{
    return slice_of(set->text + origin->name, origin->name_len);
}
static inline slice out_origin_creator(const struct out_set *set, const struct out_origin *origin)
{
    return origin->creator == 0 ? SLICE_NONE : set->creators[origin->creator - 1];
}
/* 1 to 100: the confidence, for readers that ask for a weight. */
unsigned out_score(const struct out_origin *origin);
#define OUT_ID_BYTES 64
size_t out_id_text(const struct out_origin *origin, char out[OUT_ID_BYTES]);
void out_id_put(struct buf *out, const struct out_origin *origin); /* "indicator--UUID" */

/* Letters, digits, dots, colons, hyphens and slashes alone: nothing that any format would escape.
 */
static inline bool out_kind_is_plain(enum out_kind kind)
{
    return kind != OUT_URL && kind != OUT_EMAIL && kind != OUT_FILE_NAME;
}

/* Does a name stand for itself alone, not for those below it? */
bool out_name_is_exact(const struct out_exact *exact, slice name);
/* A number that follows from kind, tag and value alone. */
uint64_t out_hash(uint64_t seed, slice text);
/* One field of CSV (RFC 4180); text that a spreadsheet would run as a formula gets a "'". */
void out_csv_put(struct buf *out, slice text);

/* Walks the values of all kinds that a format takes, in order:
 *
 *     for (struct out_each each = out_each(job); out_next(&each);)
 *         use(each.kind, each.value, each.text);
 */
struct out_each {
    const struct out_job *job;
    uint32_t kinds;
    size_t kind_at, next;
    enum out_kind kind;
    const struct out_value *value;
    slice text; /* good until the next step */
    char room[OUT_ROOM_BYTES];
};
struct out_each out_each(const struct out_job *job);
struct out_each out_each_of(const struct out_job *job, uint32_t kinds);
bool out_next(struct out_each *each);

void out_misp_event_id(slice identity, char out[UUID_TEXT_BYTES]);

#define OUT_WRITER(name) void name(const struct out_job *job, struct out_sink *sink)
OUT_WRITER(out_list);
OUT_WRITER(out_hosts);
OUT_WRITER(out_csv);
OUT_WRITER(out_splunk);
OUT_WRITER(out_splunk_ip);
OUT_WRITER(out_splunk_domain);
OUT_WRITER(out_splunk_http);
OUT_WRITER(out_splunk_file);
OUT_WRITER(out_splunk_email);
OUT_WRITER(out_nft);
OUT_WRITER(out_ipset);
OUT_WRITER(out_rpz);
OUT_WRITER(out_unbound);
OUT_WRITER(out_dnsmasq);
OUT_WRITER(out_zeek);
OUT_WRITER(out_suricata);
OUT_WRITER(out_suricata_rules);
OUT_WRITER(out_suricata_strings);
OUT_WRITER(out_suricata_plain);
OUT_WRITER(out_suricata_iprep);
OUT_WRITER(out_suricata_categories);
OUT_WRITER(out_snort3);
OUT_WRITER(out_elastic);
OUT_WRITER(out_sentinel);
OUT_WRITER(out_stix);
OUT_WRITER(out_misp);
OUT_WRITER(out_misp_manifest);
