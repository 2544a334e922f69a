/* What a text is by its form: an address, a network, a name, a URL, a hash, a mail address. */
#include "formats/in_inside.h"

#include "match/network.h"
#include "telemetry/event.h"

#include "base/banned.h"

static const struct {
    slice word, path; /* path empty: told by its form */
} types[] = {
    {S("domain"), S("domain-name:value")},
    {S("hostname"), S("domain-name:value")},
    {S("host"), S("domain-name:value")},
    {S("fqdn"), S("domain-name:value")},
    {S("domain-name"), S("domain-name:value")},
    {S("ip"), S("")},
    {S("ipv4"), S("")},
    {S("ipv6"), S("")},
    {S("ipv4-addr"), S("")},
    {S("ipv6-addr"), S("")},
    {S("ipv4-cidr"), S("")},
    {S("ipv6-cidr"), S("")},
    {S("cidr"), S("")},
    {S("ip-src"), S("")},
    {S("ip-dst"), S("")},
    {S("ip:port"), S("")},
    {S("url"), S("url:value")},
    {S("uri"), S("url:value")},
    {S("email"), S("email-addr:value")},
    {S("mail"), S("email-addr:value")},
    {S("email-addr"), S("email-addr:value")},
    {S("email-src"), S("email-addr:value")},
    {S("md5"), S("file:hashes.MD5")},
    {S("md5_hash"), S("file:hashes.MD5")},
    {S("filehash-md5"), S("file:hashes.MD5")},
    {S("sha1"), S("file:hashes.'SHA-1'")},
    {S("sha1_hash"), S("file:hashes.'SHA-1'")},
    {S("filehash-sha1"), S("file:hashes.'SHA-1'")},
    {S("sha224"), S("file:hashes.'SHA-224'")},
    {S("sha256"), S("file:hashes.'SHA-256'")},
    {S("sha256_hash"), S("file:hashes.'SHA-256'")},
    {S("filehash-sha256"), S("file:hashes.'SHA-256'")},
    {S("sha384"), S("file:hashes.'SHA-384'")},
    {S("sha512"), S("file:hashes.'SHA-512'")},
    {S("ssdeep"), S("file:hashes.SSDEEP")},
    {S("filename"), S("file:name")},
    {S("mutex"), S("mutex:name")},
    {S("mac"), S("mac-addr:value")},
    {S("mac-address"), S("mac-addr:value")},
    {S("user-agent"),
     S("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'")},
};

static bool type_find(slice word, slice *path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_eq_nocase(word, types[i].word)) {
            *path = types[i].path;
            return true;
        }
    return false;
}

bool in_type_known(slice word)
{
    slice path;

    return type_find(word, &path);
}

static slice lower(struct in *in, slice text)
{
    size_t i = 0;

    while (i < text.len && !(text.at[i] >= 'A' && text.at[i] <= 'Z'))
        i++;
    if (i == text.len)
        return text;
    char *copy = arena_new(&in->arena, char, text.len);
    if (copy == NULL)
        return SLICE("");
    for (i = 0; i < text.len; i++)
        copy[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] + 32 : text.at[i]);
    return slice_of(copy, text.len);
}

static bool address_read(struct in *in, slice text, struct in_value *out)
{
    CLEANUP(buf_free) struct buf shortest = BUF(128);
    struct network network;

    if (text.len < 3 || !network_parse(text, &network))
        return false;
    bool is_v4 = network.address_bits == 32;
    out->path = is_v4 ? SLICE("ipv4-addr:value") : SLICE("ipv6-addr:value");
    out->is_network = network.prefix_bits < network.address_bits;
    out->value = text;
    if (!is_v4 || slice_find_byte(text, '/') != SIZE_MAX) {
        network_print(&network, &shortest);
        out->value = arena_copy(&in->arena, buf_slice(&shortest));
    }
    return out->value.len > 0;
}

static bool name_read(struct in *in, slice text, struct in_value *out)
{
    if (text.len > 0 && text.at[text.len - 1] == '.')
        text.len--;
    if (!domain_is_well_formed(text))
        return false;
    out->path = SLICE("domain-name:value");
    out->value = lower(in, text);
    return true;
}

static bool hash_read(struct in *in, slice text, struct in_value *out)
{
    slice algorithm = hash_algorithm(text);

    if (algorithm.len == 0)
        return false;
    out->path = arena_printf(&in->arena, "file:hashes.%.*s", SLICE_ARG(algorithm));
    out->value = lower(in, text);
    return out->path.len > 0;
}

static bool has_blank(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.at[i] <= ' ')
            return true;
    return false;
}

static bool url_read(slice text, struct in_value *out)
{
    size_t colon = slice_find_byte(text, ':');

    if (colon == SIZE_MAX || colon == 0 || colon > 16 ||
        !slice_starts(slice_from(text, colon), SLICE("://")) || text.len < colon + 4 ||
        has_blank(text) || slice_eq_nocase(slice_head(text, 3), SLICE("hxx")) ||
        slice_find(text, SLICE("[.]")) != SIZE_MAX || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < colon; i++)
        if (!((text.at[i] | 32) >= 'a' && (text.at[i] | 32) <= 'z'))
            return false;
    out->path = SLICE("url:value");
    out->value = text;
    return true;
}

static bool port_read(struct in *in, slice text, struct in_value *out)
{
    slice host, port;
    uint64_t number;

    if (!host_split(text, &host, &port) || port.len == 0 || !parse_u64(port, &number) ||
        number == 0 || number > 65535)
        return false;
    if (!address_read(in, host, out) && !name_read(in, host, out))
        return false;
    out->port = port;
    return !out->is_network;
}

static bool number_read(slice text, struct in_value *out)
{
    uint64_t number;

    if (!slice_eq_nocase(slice_head(text, 2), SLICE("AS")) ||
        !parse_u64(slice_from(text, 2), &number) || number > UINT32_MAX)
        return false;
    out->path = SLICE("autonomous-system:number");
    out->value = slice_from(text, 2);
    return true;
}

static int rank_of(slice path)
{
    static const slice ranks[] = {S("domain-name:value"), S("ipv4-addr:value"),
                                  S("ipv6-addr:value"), S("email-addr:value"), S("url:value")};

    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++)
        if (slice_eq(path, ranks[i]))
            return (int)i;
    return (int)(sizeof(ranks) / sizeof(ranks[0]));
}

/* As telemetry reads plain text: mail addresses, and what was made harmless to click on. */
static bool text_read(struct in *in, slice text, struct in_value *out)
{
    const struct telemetry_observable *best = NULL;
    struct telemetry_event event;

    if (has_blank(text))
        return false;
    if (in->text_reader == NULL &&
        failed(
            telemetry_reader_new(SLICE("text"), NULL, in->choice.date_us, &in->text_reader, NULL)))
        return false;
    if (failed(telemetry_read(in->text_reader, text, &event, NULL)))
        return false;
    for (size_t i = 0; i < event.count; i++)
        if (best == NULL || rank_of(event.observables[i].path) > rank_of(best->path))
            best = &event.observables[i];
    if (best == NULL)
        return false;
    out->path = best->path;
    out->value = arena_copy(&in->arena, best->value);
    size_t slash = slice_find_byte(text, '/');
    bool is_address =
        slice_ends(out->path, SLICE("-addr:value")) && !slice_starts(out->path, SLICE("email"));
    if (is_address && slash != SIZE_MAX) /* "198[.]51[.]100[.]0/24" */
        return address_read(in,
                            arena_printf(&in->arena, "%.*s%.*s", SLICE_ARG(out->value),
                                         SLICE_ARG(slice_from(text, slash))),
                            out);
    return out->value.len > 0;
}

static slice without_star(slice value)
{
    if (slice_starts(value, SLICE("*.")))
        return slice_from(value, 2);
    return slice_starts(value, SLICE(".")) ? slice_from(value, 1) : value;
}

static bool form_read(struct in *in, slice text, struct in_value *out)
{
    slice name = without_star(text);

    return address_read(in, text, out) || hash_read(in, text, out) || name_read(in, name, out) ||
           url_read(text, out) || port_read(in, text, out) || number_read(text, out) ||
           text_read(in, text, out);
}

bool in_value_read(struct in *in, slice word, slice text, struct in_value *out)
{
    slice path = SLICE("");

    *out = (struct in_value){.port = SLICE("")};
    text = slice_trim(text);
    if (text.len == 0 || text.len > IN_LINE_BYTES_MAX)
        return false;
    if (word.len > 0)
        (void)type_find(word, &path);
    if (path.len == 0)
        return form_read(in, text, out);
    /* What a form tells as well is asked of it: "hxxp://..." of type url, case, ports. */
    bool is_told = form_read(in, text, out);
    if (is_told && (slice_eq(out->path, path) || slice_starts(path, SLICE("domain-name"))))
        return true;
    bool is_free = slice_starts(path, SLICE("file:name")) || slice_starts(path, SLICE("mutex")) ||
                   slice_starts(path, SLICE("network-traffic")) ||
                   slice_starts(path, SLICE("mac-addr")) || slice_ends(path, SLICE("SSDEEP"));
    *out = (struct in_value){.path = path, .value = text, .port = SLICE("")};
    return is_free && utf8_valid(text);
}

static void literal_put(struct buf *out, slice value)
{
    buf_byte(out, '\'');
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\'' || value.at[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, value.at[i]);
    }
    buf_byte(out, '\'');
}

void in_value_pattern(struct in *in, const struct in_value *value)
{
    struct buf *out = &in->pattern;

    if (value->port.len > 0) {
        buf_put(out, SLICE("network-traffic:dst_ref.value = "));
        literal_put(out, value->value);
        buf_put(out, SLICE(" AND network-traffic:dst_port = "));
        buf_put(out, value->port);
        return;
    }
    buf_put(out, value->path);
    buf_put(out, value->is_network ? SLICE(" ISSUBSET ") : SLICE(" = "));
    if (slice_ends(value->path, SLICE(":number")))
        buf_put(out, value->value);
    else
        literal_put(out, value->value);
}
