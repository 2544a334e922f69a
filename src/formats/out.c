/* The table of formats, and what all of them share. */
#include "formats/out.h"

#include <stdio.h>

#include "base/time.h"
#include "formats/out_inside.h"

#include "base/banned.h"

#define SCORE_UNSAID 60 /* as Splunk takes it where nothing is said */

/* ---- kinds ---- */

static const struct {
    slice name, type, path;
} kinds[OUT_KIND_COUNT] = {
    [OUT_IPV4] = {S("ipv4"), S("ipv4-addr"), S("ipv4-addr:value")},
    [OUT_IPV6] = {S("ipv6"), S("ipv6-addr"), S("ipv6-addr:value")},
    [OUT_DOMAIN] = {S("domain"), S("domain-name"), S("domain-name:value")},
    [OUT_URL] = {S("url"), S("url"), S("url:value")},
    [OUT_EMAIL] = {S("email"), S("email-addr"), S("email-addr:value")},
    [OUT_FILE_NAME] = {S("file-name"), S("file"), S("file:name")},
    [OUT_MD5] = {S("md5"), S("file"), S("file:hashes.MD5")},
    [OUT_SHA1] = {S("sha1"), S("file"), S("file:hashes.'SHA-1'")},
    [OUT_SHA256] = {S("sha256"), S("file"), S("file:hashes.'SHA-256'")},
    [OUT_SHA512] = {S("sha512"), S("file"), S("file:hashes.'SHA-512'")},
    [OUT_CERT_SHA1] = {S("cert-sha1"), S("x509-certificate"), S("x509-certificate:hashes.'SHA-1'")},
};

slice out_kind_name(enum out_kind kind)
{
    return kinds[kind].name;
}

slice out_kind_path(enum out_kind kind)
{
    return kinds[kind].path;
}

uint32_t out_kinds_parse(slice word)
{
    uint32_t found = 0;

    for (size_t i = 0; i < OUT_KIND_COUNT; i++)
        if (slice_eq(kinds[i].name, word) || slice_eq(kinds[i].type, word))
            found |= OUT_KIND(i);
    return found;
}

/* The same thing under other names. */
static const struct {
    slice path;
    enum out_kind kind;
} also[] = {
    {S("file:hashes.'MD5'"), OUT_MD5},
    {S("artifact:hashes.MD5"), OUT_MD5},
    {S("artifact:hashes.'SHA-1'"), OUT_SHA1},
    {S("artifact:hashes.'SHA-256'"), OUT_SHA256},
    {S("artifact:hashes.'SHA-512'"), OUT_SHA512},
};

bool out_kind_of_path(slice path, enum out_kind *out)
{
    for (size_t i = 0; i < OUT_KIND_COUNT; i++) {
        if (slice_eq(kinds[i].path, path)) {
            *out = (enum out_kind)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
        if (slice_eq(also[i].path, path)) {
            *out = also[i].kind;
            return true;
        }
    }
    return false;
}

/* ---- words ---- */

slice out_tlp_name(enum out_tlp tlp)
{
    static const slice names[] = {
        [OUT_TLP_NONE] = S(""),
        [OUT_CLEAR] = S("clear"),
        [OUT_GREEN] = S("green"),
        [OUT_AMBER] = S("amber"),
        [OUT_AMBER_STRICT] = S("amber+strict"),
        [OUT_RED] = S("red"),
    };

    return names[tlp];
}

static const slice use_names[] = {[OUT_READ] = S("read"),
                                  [OUT_DETECT] = S("detect"),
                                  [OUT_LOOKUP] = S("lookup"),
                                  [OUT_BLOCK] = S("block")};

slice out_use_name(enum out_use use)
{
    return use_names[use];
}

bool out_use_parse(slice word, enum out_use *out)
{
    for (size_t i = 0; i < sizeof(use_names) / sizeof(use_names[0]); i++) {
        if (slice_eq(use_names[i], word)) {
            *out = (enum out_use)i;
            return true;
        }
    }
    return false;
}

static const struct {
    slice name, words;
} reasons[] = {
#define OUT_REASON(symbol, name, words) {S(name), S(words)},
#include "formats/out_reasons.def"
#undef OUT_REASON
};

slice out_reason_name(enum out_reason reason)
{
    return reasons[reason].name;
}

slice out_reason_words(enum out_reason reason)
{
    return reasons[reason].words;
}

/* ---- formats ---- */

#define TEXT "text/plain; charset=utf-8"
#define CSV "text/csv; charset=utf-8; header=present"
#define RULE_KINDS (OUT_ADDRESSES | OUT_KIND(OUT_DOMAIN) | OUT_KIND(OUT_URL))

#define SPLUNK_KINDS (OUT_ALL & ~OUT_KIND(OUT_CERT_SHA1))

/* An address list is joined where its reader knows nothing of a single indicator; names are only
 * thinned out where a name stands for those below it. */
static const struct out_format formats[] = {
    {.name = S("list"),
     .alias = S("plain"),
     .file = S("entente.txt"),
     .media = S(TEXT),
     .help = S("one value a line"),
     .use = OUT_BLOCK,
     .kinds = OUT_ALL,
     .is_joined = true,
     .has_networks = true,
     .has_choice = true,
     .write = out_list},
    {.name = S("csv"),
     .file = S("entente.csv"),
     .media = S(CSV),
     .help = S("RFC 4180, a line of names first"),
     .use = OUT_READ,
     .kinds = OUT_ALL,
     .has_networks = true,
     .has_origins = true,
     .has_choice = true,
     .write = out_csv},
    {.name = S("hosts"),
     .file = S("entente.hosts"),
     .media = S(TEXT),
     .help = S("names for /etc/hosts, to 0.0.0.0"),
     .use = OUT_BLOCK,
     .kinds = OUT_KIND(OUT_DOMAIN),
     .write = out_hosts},
    {.name = S("nft"),
     .alias = S("nftables"),
     .file = S("entente.nft"),
     .media = S(TEXT),
     .help = S("two named sets for nftables, replaced in one transaction"),
     .use = OUT_BLOCK,
     .kinds = OUT_ADDRESSES,
     .is_joined = true,
     .has_networks = true,
     .write = out_nft},
    {.name = S("ipset"),
     .file = S("entente.ipset"),
     .media = S(TEXT),
     .help = S("two sets for ipset restore, swapped in whole"),
     .use = OUT_BLOCK,
     .kinds = OUT_ADDRESSES,
     .is_joined = true,
     .has_networks = true,
     .write = out_ipset},
    {.name = S("rpz"),
     .file = S("entente.rpz"),
     .media = S(TEXT),
     .help = S("a DNS response policy zone"),
     .use = OUT_BLOCK,
     .kinds = OUT_ADDRESSES | OUT_KIND(OUT_DOMAIN),
     .is_joined = true,
     .has_below = true,
     .has_networks = true,
     .write = out_rpz},
    {.name = S("unbound"),
     .file = S("entente.unbound.conf"),
     .media = S(TEXT),
     .help = S("local zones for unbound"),
     .use = OUT_BLOCK,
     .kinds = OUT_KIND(OUT_DOMAIN),
     .has_below = true,
     .write = out_unbound},
    {.name = S("dnsmasq"),
     .file = S("entente.dnsmasq.conf"),
     .media = S(TEXT),
     .help = S("names for dnsmasq"),
     .use = OUT_BLOCK,
     .kinds = OUT_KIND(OUT_DOMAIN),
     .has_below = true,
     .write = out_dnsmasq},
    {.name = S("zeek"),
     .alias = S("zeek-intel"),
     .file = S("entente.intel"),
     .media = S(TEXT),
     .help = S("a Zeek Intel file"),
     .use = OUT_DETECT,
     .kinds = OUT_ALL & ~OUT_KIND(OUT_SHA512),
     .has_networks = true,
     .has_origins = true,
     .write = out_zeek},
    {.name = S("suricata"),
     .alias = S("suricata-rules"),
     .file = S("entente.rules"),
     .media = S(TEXT),
     .help = S("Suricata rules, one or two a value, for version 6, 7 or 8"),
     .use = OUT_DETECT,
     .kinds = RULE_KINDS | OUT_KIND(OUT_EMAIL) | OUT_KIND(OUT_FILE_NAME),
     .has_networks = true,
     .has_origins = true,
     .write = out_suricata},
    {.name = S("suricata-dataset-rules"),
     .file = S("entente-datasets.rules"),
     .media = S(TEXT),
     .help = S("the rules that use Suricata's datasets and reputation"),
     .use = OUT_DETECT,
     .kinds = OUT_ADDRESSES | OUT_KIND(OUT_DOMAIN) | OUT_HASHES,
     .has_networks = true,
     .write = out_suricata_rules},
    {.name = S("suricata-domains"),
     .alias = S("suricata-string"),
     .file = S("entente-domains.lst"),
     .media = S(TEXT),
     .help = S("a Suricata dataset of type string"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_DOMAIN),
     .write = out_suricata_strings},
    {.name = S("suricata-md5"),
     .file = S("entente-md5.lst"),
     .media = S(TEXT),
     .help = S("a Suricata dataset of type md5"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_MD5),
     .write = out_suricata_plain},
    {.name = S("suricata-sha1"),
     .file = S("entente-sha1.lst"),
     .media = S(TEXT),
     .help = S("a list for Suricata's filesha1"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_SHA1),
     .write = out_suricata_plain},
    {.name = S("suricata-sha256"),
     .file = S("entente-sha256.lst"),
     .media = S(TEXT),
     .help = S("a Suricata dataset of type sha256"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_SHA256),
     .write = out_suricata_plain},
    {.name = S("suricata-ip"),
     .file = S("entente-ip.lst"),
     .media = S(TEXT),
     .help = S("a Suricata dataset of type ip: single addresses"),
     .use = OUT_DETECT,
     .kinds = OUT_ADDRESSES,
     .write = out_suricata_plain},
    {.name = S("suricata-iprep"),
     .file = S("entente-iprep.list"),
     .media = S(TEXT),
     .help = S("Suricata IP reputation: address or network, category, score"),
     .use = OUT_DETECT,
     .kinds = OUT_ADDRESSES,
     .has_networks = true,
     .write = out_suricata_iprep},
    {.name = S("suricata-categories"),
     .file = S("entente-categories.txt"),
     .media = S(TEXT),
     .help = S("the category that suricata-iprep uses"),
     .use = OUT_DETECT,
     .kinds = OUT_ADDRESSES,
     .has_networks = true,
     .write = out_suricata_categories},
    {.name = S("snort3"),
     .alias = S("snort"),
     .file = S("entente-snort3.rules"),
     .media = S(TEXT),
     .help = S("rules for Snort 3"),
     .use = OUT_DETECT,
     .kinds = RULE_KINDS,
     .has_networks = true,
     .has_origins = true,
     .write = out_snort3},
    {.name = S("splunk"),
     .file = S("entente_splunk.csv"),
     .media = S(CSV),
     .help = S("a lookup for Splunk Enterprise Security, of all kinds"),
     .use = OUT_DETECT,
     .kinds = SPLUNK_KINDS,
     .has_networks = true,
     .has_origins = true,
     .write = out_splunk},
    {.name = S("splunk-ip"),
     .file = S("local_ip_intel.csv"),
     .media = S(CSV),
     .help = S("Splunk ES: local IP intel"),
     .use = OUT_DETECT,
     .kinds = OUT_ADDRESSES,
     .has_networks = true,
     .has_origins = true,
     .write = out_splunk_ip},
    {.name = S("splunk-domain"),
     .file = S("local_domain_intel.csv"),
     .media = S(CSV),
     .help = S("Splunk ES: local domain intel"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_DOMAIN),
     .has_origins = true,
     .write = out_splunk_domain},
    {.name = S("splunk-http"),
     .file = S("local_http_intel.csv"),
     .media = S(CSV),
     .help = S("Splunk ES: local HTTP intel"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_URL),
     .has_origins = true,
     .write = out_splunk_http},
    {.name = S("splunk-file"),
     .file = S("local_file_intel.csv"),
     .media = S(CSV),
     .help = S("Splunk ES: local file intel"),
     .use = OUT_DETECT,
     .kinds = OUT_HASHES | OUT_KIND(OUT_FILE_NAME),
     .has_origins = true,
     .write = out_splunk_file},
    {.name = S("splunk-email"),
     .file = S("local_email_intel.csv"),
     .media = S(CSV),
     .help = S("Splunk ES: local email intel"),
     .use = OUT_DETECT,
     .kinds = OUT_KIND(OUT_EMAIL),
     .has_origins = true,
     .write = out_splunk_email},
    {.name = S("elastic"),
     .alias = S("ecs"),
     .file = S("entente-ecs.ndjson"),
     .media = S("application/x-ndjson"),
     .help = S("ECS threat.indicator documents for Elasticsearch's _bulk"),
     .use = OUT_DETECT,
     .kinds = OUT_ALL,
     .has_origins = true,
     .write = out_elastic},
    {.name = S("sentinel"),
     .file = S("entente-sentinel.ndjson"),
     .media = S("application/x-ndjson"),
     .help = S("bodies for Microsoft Sentinel's upload, one a line"),
     .use = OUT_LOOKUP,
     .kinds = OUT_ALL,
     .has_objects = true,
     .write = out_sentinel},
    {.name = S("stix"),
     .file = S("entente.json"),
     .media = S("application/stix+json;version=2.1"),
     .help = S("a STIX bundle of the indicators, their makers and markings"),
     .use = OUT_READ,
     .kinds = OUT_ALL,
     .has_objects = true,
     .write = out_stix},
    {.name = S("misp-event"),
     .alias = S("misp-json"),
     .file = S(""), /* named by its UUID */
     .media = S("application/json"),
     .help = S("one MISP event with an attribute for each value"),
     .use = OUT_READ,
     .kinds = OUT_ALL,
     .has_networks = true,
     .has_origins = true,
     .write = out_misp},
    {.name = S("misp-manifest"),
     .file = S("manifest.json"),
     .media = S("application/json"),
     .help = S("the manifest of a MISP feed with that event"),
     .use = OUT_READ,
     .kinds = OUT_ALL,
     .has_networks = true,
     .has_origins = true,
     .write = out_misp_manifest},
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* Rules last: they name the files in front of them. */
static const char *const suricata_files[] = {"suricata-domains",
                                             "suricata-md5",
                                             "suricata-sha1",
                                             "suricata-sha256",
                                             "suricata-ip",
                                             "suricata-iprep",
                                             "suricata-categories",
                                             "suricata-dataset-rules",
                                             NULL};

static const char *const misp_files[] = {"misp-event", "misp-manifest", NULL};
static const char *const splunk_files[] = {"splunk-ip",   "splunk-domain", "splunk-http",
                                           "splunk-file", "splunk-email",  NULL};

static const struct out_folder folders[] = {
    {S("misp"), S("a MISP feed: manifest.json and an event"), misp_files},
    {S("splunk-lookups"), S("the lookups of Splunk ES, a file each"), splunk_files},
    {S("suricata-datasets"), S("datasets, IP reputation and the rules that use them"),
     suricata_files},
};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

const struct out_format *out_format_at(size_t index)
{
    return index < FORMATS ? &formats[index] : NULL;
}

const struct out_format *out_format_find(slice name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (slice_eq(formats[i].name, name) ||
            (formats[i].alias.len > 0 && slice_eq(formats[i].alias, name)))
            return &formats[i];
    return NULL;
}

const struct out_folder *out_folder_at(size_t index)
{
    return index < FOLDERS ? &folders[index] : NULL;
}

const struct out_folder *out_folder_find(slice name)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (slice_eq(folders[i].name, name))
            return &folders[i];
    return NULL;
}

slice out_file_name(const struct out_format *format, slice identity, char room[OUT_ROOM_BYTES])
{
    char id[UUID_TEXT_BYTES];

    if (format->file.len > 0)
        return format->file;
    out_misp_event_id(identity, id);
    int len = snprintf(room, OUT_ROOM_BYTES, "%.*s.json", UUID_TEXT_BYTES, id);
    return slice_of(room, (size_t)len);
}

void out_write(const struct out_job *job, struct out_sink *sink)
{
    job->format->write(job, sink);
}

/* ---- the header ---- */

void out_time_put(struct buf *out, int64_t us, slice otherwise)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    if (us == INT64_MIN || us == INT64_MAX)
        buf_put(out, otherwise);
    else
        buf_put(out, slice_of(text, time_format_us(us, text)));
}

/* A title comes from people: what would end the line is shown, not written. */
static void title_put(struct buf *out, slice title)
{
    char shown[1024];

    buf_put(out, slice_of(shown, printable(shown, sizeof(shown), title)));
}

static void left_out_put(const struct out_head *head, struct buf *out)
{
    const char *before = "";

    for (size_t i = 0; i < OUT_REASON_COUNT; i++) {
        if (head->left_out[i] == 0)
            continue;
        buf_printf(out, "%s%llu %.*s", before, (unsigned long long)head->left_out[i],
                   SLICE_ARG(reasons[i].words));
        before = ", ";
    }
    buf_put(out, before[0] == '\0' ? SLICE("none") : SLICE(""));
}

void out_head_write(const struct out_job *job, const char *mark, struct buf *out)
{
    const struct out_head *head = &job->head;
    const struct out_set *set = job->set;

    buf_printf(out, "%s Entente export: %.*s\n%s from: ", mark, SLICE_ARG(job->format->name), mark);
    title_put(out, head->title);
    if (head->identity.len > 0)
        buf_printf(out, " (%.*s)", SLICE_ARG(head->identity));
    buf_printf(out, "\n%s when: ", mark);
    out_time_put(out, head->as_of_us, SLICE("nothing yet"));
    buf_printf(out, "\n%s until: ", mark);
    out_time_put(out, head->until_us, SLICE("no end"));
    buf_printf(
        out, "\n%s holds: %llu values of %llu indicators; %llu repeated, %llu within others\n",
        mark, (unsigned long long)out_set_count(set, OUT_ALL), (unsigned long long)head->indicators,
        (unsigned long long)set->repeated, (unsigned long long)set->covered);
    buf_printf(out, "%s left out: ", mark);
    left_out_put(head, out);
    buf_byte(out, '\n');
}

/* ---- for writers ---- */

size_t out_id_text(const struct out_origin *origin, char out[OUT_ID_BYTES])
{
    static const char prefix[] = "indicator--";

    memcpy(out, prefix, sizeof(prefix) - 1);
    uuid_format(&origin->uuid, out + sizeof(prefix) - 1);
    return sizeof(prefix) - 1 + UUID_TEXT_BYTES;
}

void out_id_put(struct buf *out, const struct out_origin *origin)
{
    char text[OUT_ID_BYTES];

    buf_put(out, slice_of(text, out_id_text(origin, text)));
}

unsigned out_score(const struct out_origin *origin)
{
    if (origin->confidence < 0)
        return SCORE_UNSAID;
    return origin->confidence == 0 ? 1 : (unsigned)origin->confidence;
}

uint64_t out_hash(uint64_t seed, slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.at[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

void out_csv_put(struct buf *out, slice text)
{
    bool is_plain = true;

    for (size_t i = 0; is_plain && i < text.len; i++)
        is_plain = text.at[i] != '"' && text.at[i] != ',' && (uint8_t)text.at[i] >= ' ';
    bool is_formula = text.len > 0 && memchr("=+-@", text.at[0], 4) != NULL;
    if (is_plain && !is_formula) {
        buf_put(out, text);
        return;
    }
    buf_byte(out, '"');
    if (is_formula)
        buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, (uint8_t)text.at[i] >= ' ' ? text.at[i] : ' ');
    }
    buf_byte(out, '"');
}

struct out_each out_each_of(const struct out_job *job, uint32_t kinds_wanted)
{
    return (struct out_each){.job = job, .kinds = kinds_wanted & job->format->kinds};
}

struct out_each out_each(const struct out_job *job)
{
    return out_each_of(job, OUT_ALL);
}

static bool next_of(struct out_each *each)
{
    const struct out_set *set = each->job->set;

    for (; each->kind_at < OUT_KIND_COUNT; each->kind_at++, each->next = 0) {
        if ((each->kinds & OUT_KIND(each->kind_at)) == 0 ||
            each->next == set->tables[each->kind_at].count)
            continue;
        each->kind = (enum out_kind)each->kind_at;
        each->value = &set->tables[each->kind_at].values[each->next++];
        return true;
    }
    return false;
}

bool out_next(struct out_each *each)
{
    do
        if (!next_of(each))
            return false;
    while (!each->job->format->has_networks && !out_is_single(each->kind, each->value));
    each->text = out_value_text(each->job->set, each->kind, each->value, each->room);
    return true;
}
