/* Lists: one value a line, with its type before a tab or told by its form. */
#include "scan/build.h"

#include "telemetry/event.h"

#include <stdio.h>

#include "base/banned.h"

static const struct {
    slice word, path; /* path empty: an address of either kind */
} types[] = {
    {S("domain"), S("domain-name:value")},
    {S("hostname"), S("domain-name:value")},
    {S("host"), S("domain-name:value")},
    {S("fqdn"), S("domain-name:value")},
    {S("ipv4"), S("ipv4-addr:value")},
    {S("ipv4-cidr"), S("ipv4-addr:value")},
    {S("ipv6"), S("ipv6-addr:value")},
    {S("ipv6-cidr"), S("ipv6-addr:value")},
    {S("ip"), S("")},
    {S("ip-src"), S("")},
    {S("ip-dst"), S("")},
    {S("cidr"), S("")},
    {S("url"), S("url:value")},
    {S("uri"), S("url:value")},
    {S("email"), S("email-addr:value")},
    {S("mail"), S("email-addr:value")},
    {S("md5"), S("file:hashes.MD5")},
    {S("sha1"), S("file:hashes.'SHA-1'")},
    {S("sha224"), S("file:hashes.'SHA-224'")},
    {S("sha256"), S("file:hashes.'SHA-256'")},
    {S("sha384"), S("file:hashes.'SHA-384'")},
    {S("sha512"), S("file:hashes.'SHA-512'")},
    {S("ssdeep"), S("file:hashes.SSDEEP")},
    {S("filename"), S("file:name")},
    {S("mac"), S("mac-addr:value")},
    {S("user-agent"),
     S("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'")},
    {S("ja3"), S("network-traffic:x_ja3")},
};

static slice address_path(slice value)
{
    return slice_find_byte(value, ':') != SIZE_MAX ? SLICE("ipv6-addr:value")
                                                   : SLICE("ipv4-addr:value");
}

static bool path_of_type(slice word, slice value, slice *path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_eq_nocase(word, types[i].word)) {
            *path = types[i].path.len > 0 ? types[i].path : address_path(value);
            return true;
        }
    *path = word;
    return slice_find_byte(word, ':') != SIZE_MAX && slice_find_byte(word, ' ') == SIZE_MAX;
}

/* By its form alone: false when it needs a closer look. */
static bool path_of_form(slice value, slice *path, struct arena *arena)
{
    struct network network;
    slice algorithm;

    if (network_parse(value, &network)) {
        *path = address_path(value);
        return true;
    }
    algorithm = hash_algorithm(value);
    if (algorithm.len > 0) {
        *path = arena_printf(arena, "file:hashes.%.*s", SLICE_ARG(algorithm));
        return path->at != NULL;
    }
    *path = SLICE("domain-name:value");
    return domain_is_well_formed(value);
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

/* As telemetry reads plain text, so also what was made harmless to click on: the most that can be
 * said of it. */
static bool text_read(struct ruleset_builder *builder, slice line, slice *path, slice *value,
                      struct diag *diag)
{
    struct telemetry_event event;
    const struct telemetry_observable *best = NULL;

    if (builder->text_reader == NULL &&
        failed(telemetry_reader_new(SLICE("text"), NULL, builder->choice.now_us,
                                    &builder->text_reader, diag)))
        return false;
    if (failed(telemetry_read(builder->text_reader, line, &event, NULL)))
        return false;
    for (size_t i = 0; i < event.count; i++)
        if (best == NULL || rank_of(event.observables[i].path) > rank_of(best->path))
            best = &event.observables[i];
    if (best == NULL)
        return false;
    *path = best->path;
    *value = best->value;
    return true;
}

/* "*.a.example" and ".a.example" are a.example and what is below it. */
static slice without_star(slice value)
{
    if (slice_starts(value, SLICE("*.")))
        return slice_from(value, 2);
    return slice_starts(value, SLICE(".")) ? slice_from(value, 1) : value;
}

/* "198[.]51[.]100[.]0/24": the network, where plain text would tell an address. */
static slice prefix_of(slice line)
{
    size_t slash = slice_find_byte(line, '/');
    slice digits = slash == SIZE_MAX ? SLICE("") : slice_from(line, slash + 1);
    uint64_t bits;

    return parse_u64(digits, &bits) && bits <= 128 ? slice_from(line, slash) : SLICE("");
}

static bool line_read(struct ruleset_builder *builder, slice line, slice *path, slice *value,
                      struct diag *diag)
{
    slice word, rest;

    if (slice_cut(line, '\t', &word, &rest) && path_of_type(slice_trim(word), rest, path)) {
        *value = slice_trim(rest);
        return value->len > 0;
    }
    *value = without_star(line);
    if (path_of_form(*value, path, &builder->arena))
        return true;
    if (!text_read(builder, line, path, value, diag))
        return false;
    slice prefix = prefix_of(line);
    if (prefix.len > 0 && slice_ends(*path, SLICE("-addr:value")) &&
        slice_find_byte(*value, '/') == SIZE_MAX)
        *value = arena_printf(&builder->arena, "%.*s%.*s", SLICE_ARG(*value), SLICE_ARG(prefix));
    return value->at != NULL;
}

/* "[...] FOLLOWEDBY [...]", "([...] AND [...]) WITHIN 5 SECONDS": a comparison needs a sign, a
 * constant in quotes or a blank, and an address in brackets has none of them. */
static bool is_pattern(slice line)
{
    slice rest = line;

    while (slice_starts(rest, SLICE("(")) || slice_starts(rest, SLICE(" ")))
        rest = slice_from(rest, 1);
    if (!slice_starts(rest, SLICE("[")))
        return false;
    for (size_t i = 1; i < rest.len; i++)
        if (memchr("'=<> \t", rest.at[i], 6) != NULL)
            return true;
    return false;
}

result rules_add_line(struct ruleset_builder *builder, slice name, slice line, uint64_t line_number,
                      struct diag *diag)
{
    struct rule_draft draft = {.source = name, .line_number = line_number};
    char place[PLACE_BYTES];
    enum rules_reason reason = RULES_WRONG;
    struct diag why = {0};
    slice path, value;

    line = slice_trim(line);
    if (line.len == 0 || line.at[0] == '#')
        return OK;
    if (is_pattern(line))
        return rules_add_pattern_at(builder, &draft, line, diag);
    arena_reset(&builder->arena);
    (void)snprintf(place, sizeof(place), "line %llu", (unsigned long long)line_number);
    draft.meta = (struct meta_record){
        .confidence = -1, .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX};
    builder->counts.taken++;
    if (builder->choice.confidence_least > 0) {
        reason = RULES_FILTERED;
    } else if (line_read(builder, line, &path, &value, &why)) {
        draft.name = SLICE("");
        TRY(compile_value(builder, &draft, path, value, &reason, diag));
    }
    build_report(builder, name, place, reason,
                 reason == RULES_WRONG ? "no address, network, name, URL, hash or mail address"
                                       : "");
    return OK;
}
