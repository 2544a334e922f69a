#include "formats/alert.h"

#include "base/time.h"
#include "json/write.h"

#include "base/banned.h"

#define SYSLOG_FACILITY 16 /* local0 */
#define SYSLOG_WARNING 4
#define SYSLOG_CRITICAL 2
#define SEVERITY_UNSAID 5
#define SEVERITY_HIGH 8

unsigned alert_severity(const struct alert *alert)
{
    return alert->confidence < 0 ? SEVERITY_UNSAID : (unsigned)alert->confidence / 10;
}

/* The field that each kind of value has in CEF's and LEEF's dictionaries. */
static const struct {
    slice cef, leef;
} fields[OUT_KIND_COUNT] = {
    [OUT_IPV4] = {S("dst"), S("dst")},
    [OUT_IPV6] = {S("dst"), S("dst")},
    [OUT_DOMAIN] = {S("dhost"), S("dstHostName")},
    [OUT_URL] = {S("request"), S("url")},
    [OUT_EMAIL] = {S("suser"), S("usrName")},
    [OUT_FILE_NAME] = {S("fname"), S("fileName")},
    [OUT_MD5] = {S("fileHash"), S("fileHash")},
    [OUT_SHA1] = {S("fileHash"), S("fileHash")},
    [OUT_SHA256] = {S("fileHash"), S("fileHash")},
    [OUT_SHA512] = {S("fileHash"), S("fileHash")},
    [OUT_CERT_SHA1] = {S("fileHash"), S("fileHash")},
};

/* Controls become blanks; `special` bytes get a backslash. */
static void text_put(struct buf *out, slice text, const char *special)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if ((uint8_t)c < ' ' || c == 0x7F)
            c = ' ';
        else if (strchr(special, c) != NULL)
            buf_byte(out, '\\');
        buf_byte(out, c);
    }
}

static slice name_of(const struct alert *alert)
{
    return alert->name.len > 0 ? alert->name : alert->indicator;
}

/* ---- CEF: "|" and "\" are escaped in front, "=" and "\" behind ---- */

static void cef_field(struct buf *out, slice key, slice value)
{
    if (value.len == 0)
        return;
    buf_byte(out, ' ');
    buf_put(out, key);
    buf_byte(out, '=');
    text_put(out, value, "=\\");
}

void alert_cef(const struct alert *alert, struct buf *out)
{
    buf_put(out, SLICE("CEF:0|Entente|Entente|" ENTENTE_VERSION "|indicator-hit|"));
    text_put(out, name_of(alert), "|\\");
    buf_printf(out, "|%u|cnt=%llu", alert_severity(alert), (unsigned long long)alert->count);
    if (alert->last_us != INT64_MIN)
        buf_printf(out, " rt=%lld", (long long)(alert->last_us / 1000));
    cef_field(out, SLICE("externalId"), alert->id);
    cef_field(out, SLICE("cs1Label"), SLICE("indicator"));
    cef_field(out, SLICE("cs1"), alert->indicator);
    if (alert->pattern.len > 0) {
        cef_field(out, SLICE("cs2Label"), SLICE("pattern"));
        cef_field(out, SLICE("cs2"), alert->pattern);
    }
    if (alert->has_value)
        cef_field(out, fields[alert->kind].cef, alert->value);
}

/* ---- LEEF 2.0: fields between tabs, which no value holds ---- */

static void leef_field(struct buf *out, slice key, slice value)
{
    if (value.len == 0)
        return;
    buf_byte(out, '\t');
    buf_put(out, key);
    buf_byte(out, '=');
    text_put(out, value, "");
}

void alert_leef(const struct alert *alert, struct buf *out)
{
    buf_put(out,
            SLICE("LEEF:2.0|Entente|Entente|" ENTENTE_VERSION "|indicator-hit|x09|cat=indicator"));
    leef_field(out, SLICE("devTimeFormat"),
               alert->last_seen.len > 0 ? SLICE("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'") : SLICE(""));
    if (alert->last_us != INT64_MIN) {
        char when[TIMESTAMP_TEXT_BYTES_MAX];

        leef_field(out, SLICE("devTime"), slice_of(when, time_format_us(alert->last_us, when)));
    }
    buf_printf(out, "\tsev=%u\tcount=%llu", alert_severity(alert),
               (unsigned long long)alert->count);
    leef_field(out, SLICE("name"), name_of(alert));
    leef_field(out, SLICE("sighting"), alert->id);
    leef_field(out, SLICE("indicator"), alert->indicator);
    leef_field(out, SLICE("pattern"), alert->pattern);
    if (alert->has_value)
        leef_field(out, fields[alert->kind].leef, alert->value);
}

void alert_json(const struct alert *alert, slice node, struct buf *out)
{
    struct json_writer w = JSON_WRITER(out);

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("indicator-hit"));
    jw_put_string(&w, SLICE("node"), node);
    jw_put_string(&w, SLICE("sighting"), alert->id);
    jw_put_string(&w, SLICE("indicator"), alert->indicator);
    jw_put_string(&w, SLICE("name"), alert->name);
    jw_put_string(&w, SLICE("pattern"), alert->pattern);
    jw_put_u64(&w, SLICE("count"), alert->count);
    jw_put_u64(&w, SLICE("severity"), alert_severity(alert));
    if (alert->first_seen.len > 0)
        jw_put_string(&w, SLICE("first_seen"), alert->first_seen);
    if (alert->last_seen.len > 0)
        jw_put_string(&w, SLICE("last_seen"), alert->last_seen);
    if (alert->has_value) {
        jw_put_string(&w, SLICE("kind"), out_kind_name(alert->kind));
        jw_put_string(&w, SLICE("value"), alert->value);
    }
    jw_object_end(&w);
}

void alert_syslog(const struct alert *alert, slice host, slice text, struct buf *out)
{
    char when[TIMESTAMP_TEXT_BYTES_MAX];
    unsigned severity = alert_severity(alert) >= SEVERITY_HIGH ? SYSLOG_CRITICAL : SYSLOG_WARNING;

    buf_printf(out, "<%u>1 ", SYSLOG_FACILITY * 8 + severity);
    if (alert->last_us != INT64_MIN)
        buf_put(out, slice_of(when, time_format_us(alert->last_us, when)));
    else
        buf_byte(out, '-');
    buf_byte(out, ' ');
    if (host.len == 0)
        buf_byte(out, '-');
    for (size_t i = 0; i < host.len; i++)
        buf_byte(out, host.at[i] > ' ' && host.at[i] < 0x7F ? host.at[i] : '_');
    buf_put(out, SLICE(" entente - alert - "));
    buf_put(out, text);
}
