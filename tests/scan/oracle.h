/* The detector against the slow evaluator: patterns and a stream of events made from choices, each
 * pattern answered both ways.
 *
 * The choices come out of bytes (a fuzzer's) or a generator with a seed.  Constants are written in
 * the form that telemetry gives, and numbers are compared with numbers: what differs besides is a
 * setting that docs/detection.md tells. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "match/eval.h"
#include "match/regex.h"
#include "scan/detector.h"
#include "scan/sieve.h"
#include "telemetry/map.h"
#include "json/write.h"

#define ORACLE_NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define ORACLE_BYTES_MAX ((size_t)64 << 20)
#define ORACLE_EVENTS_MAX 12
#define ORACLE_PATTERNS_MAX 48
#define ORACLE_PARTS_MAX 4 /* comparisons in one observation, observations in one pattern */

/* ---- choices ---- */

struct chooser {
    slice bytes;    /* used up first */
    uint64_t state; /* 0: what comes after them is 0 */
};

static inline uint32_t choose(struct chooser *chooser, uint32_t count)
{
    uint64_t x;

    if (chooser->bytes.len > 0) {
        x = (uint8_t)chooser->bytes.at[0];
        chooser->bytes = slice_from(chooser->bytes, 1);
        return (uint32_t)(x % count);
    }
    if (chooser->state == 0)
        return 0;
    /* splitmix64 */
    x = chooser->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((x ^ x >> 31) >> 32) % count;
}

/* ---- what both sides know ---- */

#define ORACLE_VALUES_MAX 5

struct oracle_path {
    slice path;
    bool is_number;
    const char *values[ORACLE_VALUES_MAX];
};

/* Those of one type stand together: an observation is of one type, mostly. */
static const struct oracle_path oracle_paths[] = {
    {S("ipv4-addr:value"),
     false,
     {"203.0.113.1", "203.0.113.2", "10.0.0.5", "198.51.100.7", "203.0.113.0/24"}},
    {S("ipv6-addr:value"), false, {"2001:db8::1", "2001:db8::2", "2001:db8::/64"}},
    {S("domain-name:value"), false, {"evil.example", "a.evil.example", "good.example"}},
    {S("url:value"), false, {"http://evil.example/x", "http://good.example/y?q=1"}},
    {S("network-traffic:src_ref.value"), false, {"203.0.113.1", "10.0.0.5", "2001:db8::1"}},
    {S("network-traffic:dst_ref.value"), false, {"203.0.113.2", "203.0.113.1", "203.0.113.0/30"}},
    {S("network-traffic:src_ref.type"), false, {"ipv4-addr", "ipv6-addr", "domain-name"}},
    {S("network-traffic:src_port"), true, {"443", "53", "1024", "52.5"}},
    {S("network-traffic:dst_port"), true, {"443", "80", "53", "442.5", "443.0"}},
    {S("network-traffic:protocols[*]"), false, {"tcp", "udp", "http"}},
    {S("network-traffic:x_ja3"), false, {"0cc175b9c0f1b6a831c399e269772661", "nothing"}},
    {S("network-traffic:extensions.'http-request-ext'.request_method"), false, {"GET", "POST"}},
    {S("network-traffic:extensions.'http-request-ext'.request_value"), false, {"/x", "/y?q=1"}},
    {S("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"),
     false,
     {"curl/8.1", "Mozilla"}},
    {S("file:name"), false, {"a.exe", "b.txt", "A.EXE"}},
    {S("file:size"), true, {"0", "7", "4096", "9007199254740993"}},
    {S("file:hashes.MD5"),
     false,
     {"0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"}},
    {S("file:hashes.'SHA-1'"), false, {"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"}},
    {S("x509-certificate:subject"), false, {"CN=evil", "CN=good, O=Caf\303\251"}},
    {S("x509-certificate:hashes.'SHA-1'"), false, {"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"}},
    {S("email-message:subject"), false, {"hello", "invoice 7"}},
    {S("email-message:from_ref.value"), false, {"a@evil.example", "b@good.example"}},
    {S("email-message:to_refs[*].value"), false, {"a@evil.example", "c@good.example"}},
    {S("email-addr:value"), false, {"a@evil.example", "b@good.example"}},
    {S("mutex:name"), false, {"never seen"}},
};
#define ORACLE_PATHS (sizeof(oracle_paths) / sizeof(oracle_paths[0]))

static inline const char *value_choose(struct chooser *chooser, const struct oracle_path *path)
{
    size_t count = 0;

    while (count < ORACLE_VALUES_MAX && path->values[count] != NULL)
        count++;
    return path->values[choose(chooser, (uint32_t)count)];
}

/* ---- patterns ---- */

struct oracle_pattern {
    slice text;
    struct pattern parsed;
    int rule; /* -1: refused */
};

/* "NOT" before an operator; not "NOT EXISTS", which has words of its own. */
static const char *const oracle_orders[] = {"=", "!=", "<", "<=", ">", ">="};

static inline slice comparison_make(struct chooser *chooser, size_t type, struct arena *arena)
{
    size_t i = choose(chooser, 5) == 0 ? choose(chooser, ORACLE_PATHS) : type;
    slice base =
        slice_head(oracle_paths[type].path, slice_find_byte(oracle_paths[type].path, ':') + 1);

    /* Another path of the same type: the next ones, as far as it goes. */
    while (i == type && i + 1 < ORACLE_PATHS && slice_starts(oracle_paths[i + 1].path, base) &&
           choose(chooser, 3) > 0)
        i = ++type;
    const struct oracle_path *path = &oracle_paths[i];
    const char *value = value_choose(chooser, path), *no = choose(chooser, 5) == 0 ? "NOT " : "";
    int len = (int)path->path.len;
    const char *at = path->path.at, *quote = path->is_number ? "" : "'";

    switch (choose(chooser, path->is_number ? 8 : 14)) {
    case 0:
        return arena_printf(arena, "%sEXISTS %.*s", no, len, at);
    case 1:
        return arena_printf(arena, "%.*s %sIN (%s%s%s, %s%s%s)", len, at, no, quote, value, quote,
                            quote, value_choose(chooser, path), quote);
    case 2:
    case 3:
        return arena_printf(arena, "%.*s %s%s %s%s%s", len, at, no,
                            oracle_orders[choose(chooser, 6)], quote, value, quote);
    case 8:
        return arena_printf(arena, "%.*s %sLIKE '%%%s'", len, at, no,
                            value + choose(chooser, 3) % (strlen(value) + 1));
    case 9:
        return arena_printf(arena, "%.*s %sLIKE '%.3s%%'", len, at, no, value);
    case 10:
        return arena_printf(arena, "%.*s %sMATCHES '^%.3s'", len, at, no, value);
    case 11:
        return arena_printf(arena, "%.*s %sMATCHES '%s[a-z0-9]$'", len, at, no,
                            choose(chooser, 2) == 0 ? "" : "e");
    case 12:
        return arena_printf(arena, "%.*s %sISSUBSET '203.0.113.0/%u'", len, at, no,
                            choose(chooser, 33));
    case 13:
        return arena_printf(arena, "%.*s %sISSUPERSET '203.0.113.%u'", len, at, no,
                            choose(chooser, 3));
    default:
        return arena_printf(arena, "%.*s %s= %s%s%s", len, at, no, quote, value, quote);
    }
}

/* Parts joined two by two, in any order: what stands closer together is in brackets. */
static inline slice parts_join(struct chooser *chooser, slice *parts, size_t count,
                               const char *const *words, uint32_t word_count, struct arena *arena)
{
    for (; count > 1; count--) {
        size_t i = choose(chooser, (uint32_t)count - 1);
        bool is_plain = choose(chooser, 3) == 0;

        parts[i] =
            arena_printf(arena, is_plain ? "%.*s %s %.*s" : "(%.*s %s %.*s)", SLICE_ARG(parts[i]),
                         words[choose(chooser, word_count)], SLICE_ARG(parts[i + 1]));
        for (size_t j = i + 1; j + 1 < count; j++)
            parts[j] = parts[j + 1];
    }
    return parts[0];
}

static inline slice observation_make(struct chooser *chooser, struct arena *arena)
{
    static const char *const words[] = {"AND", "OR"};
    slice parts[ORACLE_PARTS_MAX], joined;
    size_t count = 1 + choose(chooser, ORACLE_PARTS_MAX) * choose(chooser, 2);
    size_t type = choose(chooser, ORACLE_PATHS);

    count = count < ORACLE_PARTS_MAX ? count : ORACLE_PARTS_MAX;
    for (size_t i = 0; i < count; i++)
        parts[i] = comparison_make(chooser, type, arena);
    joined = parts_join(chooser, parts, count, words, 2, arena);
    return arena_printf(arena, "[%.*s]", SLICE_ARG(joined));
}

static inline slice qualify(struct chooser *chooser, slice pattern, struct arena *arena)
{
    int len = (int)pattern.len;

    switch (choose(chooser, 8)) {
    case 0:
        return arena_printf(arena, "(%.*s) WITHIN %u SECONDS", len, pattern.at,
                            1 + choose(chooser, 9));
    case 1:
        return arena_printf(arena, "(%.*s) REPEATS %u TIMES", len, pattern.at,
                            1 + choose(chooser, 4));
    case 2:
        return arena_printf(arena,
                            "(%.*s) START t'2026-01-01T00:00:%02u.5Z' "
                            "STOP t'2026-01-01T00:00:%02uZ'",
                            len, pattern.at, choose(chooser, 10), 10 + choose(chooser, 10));
    default:
        return pattern;
    }
}

static inline slice pattern_make(struct chooser *chooser, struct arena *arena)
{
    static const char *const words[] = {"AND", "OR", "FOLLOWEDBY"};
    slice parts[ORACLE_PARTS_MAX];
    size_t count = 1 + choose(chooser, ORACLE_PARTS_MAX) * choose(chooser, 2);

    count = count < ORACLE_PARTS_MAX ? count : ORACLE_PARTS_MAX;
    for (size_t i = 0; i < count; i++)
        parts[i] = qualify(chooser, observation_make(chooser, arena), arena);
    /* An inner pair with a qualifier of its own. */
    if (count > 2 && choose(chooser, 2) == 0) {
        slice pair = arena_printf(arena, "(%.*s %s %.*s)", SLICE_ARG(parts[0]),
                                  words[choose(chooser, 3)], SLICE_ARG(parts[1]));

        parts[0] = qualify(chooser, pair, arena);
        parts[1] = parts[--count];
    }
    return qualify(chooser, parts_join(chooser, parts, count, words, 3, arena), arena);
}

/* ---- a stream ---- */

static inline const char *one_of(struct chooser *chooser, size_t path)
{
    return value_choose(chooser, &oracle_paths[path]);
}

/* False: it has no time of its own. */
static inline bool line_time_make(struct chooser *chooser, unsigned tenths, struct buf *out)
{
    bool has_time = choose(chooser, 8) > 0;

    buf_printf(out, "{");
    if (has_time)
        buf_printf(out, "\"timestamp\":\"2026-01-01T00:00:%02u.%u00000+0000\",", tenths / 10,
                   tenths % 10);
    return has_time;
}

static inline void line_make(struct chooser *chooser, struct buf *out)
{
    static const char *const addresses[] = {"203.0.113.1", "203.0.113.2", "10.0.0.5",
                                            "198.51.100.7", "2001:db8::1"};

    buf_printf(out, "\"src_ip\":\"%s\",\"dest_ip\":\"%s\",", addresses[choose(chooser, 5)],
               addresses[choose(chooser, 5)]);
    if (choose(chooser, 3) > 0)
        buf_printf(out, "\"src_port\":%u,\"dest_port\":%s,\"proto\":\"%s\",",
                   choose(chooser, 2) == 0 ? 53 : 50000, choose(chooser, 2) == 0 ? "443" : "80",
                   choose(chooser, 2) == 0 ? "TCP" : "UDP");
    switch (choose(chooser, 6)) {
    case 0:
        buf_printf(out, "\"event_type\":\"flow\"}\n");
        return;
    case 1:
        buf_printf(out, "\"event_type\":\"dns\",\"dns\":{\"rrname\":\"%s\"}}\n",
                   one_of(chooser, 2));
        return;
    case 2:
        buf_printf(out,
                   "\"event_type\":\"http\",\"app_proto\":\"http\",\"http\":{\"hostname\":\"%s\","
                   "\"url\":\"%s\",\"http_method\":\"%s\",\"http_user_agent\":\"%s\"}}\n",
                   one_of(chooser, 2), one_of(chooser, 12), one_of(chooser, 11),
                   one_of(chooser, 13));
        return;
    case 3:
        buf_printf(out,
                   "\"event_type\":\"tls\",\"tls\":{\"sni\":\"%s\",\"subject\":\"%s\","
                   "\"fingerprint\":\"%s\",\"ja3\":{\"hash\":\"%s\"}}}\n",
                   one_of(chooser, 2), one_of(chooser, 18), one_of(chooser, 19),
                   one_of(chooser, 10));
        return;
    case 4:
        buf_printf(out,
                   "\"event_type\":\"fileinfo\",\"files\":[{\"filename\":\"%s\",\"md5\":\"%s\","
                   "\"size\":%s},{\"filename\":\"%s\",\"size\":%s}]}\n",
                   one_of(chooser, 14), one_of(chooser, 16), one_of(chooser, 15),
                   one_of(chooser, 14), one_of(chooser, 15));
        return;
    default:
        buf_printf(out,
                   "\"event_type\":\"smtp\",\"email\":{\"from\":\"%s\",\"to\":[\"%s\",\"%s\"],"
                   "\"subject\":\"%s\"}}\n",
                   one_of(chooser, 21), one_of(chooser, 22), one_of(chooser, 22),
                   one_of(chooser, 20));
    }
}

/* *is_ordered: no event is earlier than one before it. */
static inline void stream_make(struct chooser *chooser, struct buf *out, bool *is_ordered)
{
    size_t count = 1 + choose(chooser, ORACLE_EVENTS_MAX);
    unsigned tenths = 0;

    bool goes_on = choose(chooser, 4) > 0;

    *is_ordered = goes_on;
    for (size_t i = 0; i < count; i++) {
        tenths = goes_on ? tenths + choose(chooser, 3) * 10 + choose(chooser, 3) * 5
                         : choose(chooser, 200);
        /* What has no time is at the reading's, before all others. */
        if (!line_time_make(chooser, tenths, out))
            *is_ordered = false;
        line_make(chooser, out);
    }
}

/* ---- the events as observed-data ---- */

#define ORACLE_STEPS_MAX 8

/* A path's text behind its type, cut at the dots. */
static inline size_t steps_cut(slice path, slice *steps)
{
    size_t count = 0, from = slice_find_byte(path, ':') + 1;
    bool in_quotes = false;

    for (size_t i = from; i <= path.len && count < ORACLE_STEPS_MAX; i++) {
        if (i < path.len)
            in_quotes ^= path.at[i] == '\'';
        if (i < path.len && (path.at[i] != '.' || in_quotes))
            continue;
        slice step = slice_of(path.at + from, i - from);
        if (step.len > 1 && step.at[0] == '\'')
            step = slice_of(step.at + 1, step.len - 2);
        steps[count++] = step;
        from = i + 1;
    }
    return count;
}

static inline slice type_of(const struct telemetry_observable *one)
{
    return slice_head(one->path, slice_find_byte(one->path, ':'));
}

static inline int by_object_and_path(const void *a, const void *b)
{
    const struct telemetry_observable *left = a, *right = b;
    int order;

    if (left->object != right->object)
        return left->object < right->object ? -1 : 1;
    order = slice_cmp(type_of(left), type_of(right));
    if (order == 0)
        order = slice_cmp(left->path, right->path);
    return order != 0 ? order : left->offset < right->offset ? -1 : 1;
}

/* What a path ends with: of a reference the object itself. */
static inline void leaf_write(struct json_writer *w, const struct telemetry_observable *one,
                              bool is_reference)
{
    slice type = SLICE("ipv4-addr");

    if (!is_reference) {
        bool is_number =
            slice_ends(one->path, SLICE("_port")) || slice_ends(one->path, SLICE(":size"));

        if (is_number)
            jw_raw(w, one->value);
        else
            jw_string(w, one->value);
        return;
    }
    if (slice_find_byte(one->value, '@') != SIZE_MAX)
        type = SLICE("email-addr");
    else if (slice_find_byte(one->value, ':') != SIZE_MAX)
        type = SLICE("ipv6-addr");
    jw_object_begin(w);
    jw_put_string(w, SLICE("type"), type);
    jw_put_string(w, SLICE("value"), one->value);
    jw_object_end(w);
}

/* The observables of one object, sorted by path, so that what shares a key stands together. */
static inline void object_write(struct json_writer *w, const struct telemetry_observable *at,
                                size_t count)
{
    slice open[ORACLE_STEPS_MAX], steps[ORACLE_STEPS_MAX];
    size_t depth = 0, common, step_count;

    jw_object_begin(w);
    jw_put_string(w, SLICE("type"), type_of(&at[0]));
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && slice_eq(at[end].path, at[i].path);)
            end++;
        step_count = steps_cut(at[i].path, steps);
        slice *key = &steps[step_count - 1];
        bool is_reference = false, is_list;

        if (step_count > 1 && slice_find(steps[step_count - 2], SLICE("_ref")) != SIZE_MAX) {
            is_reference = true;
            key = &steps[--step_count - 1];
        }
        is_list = slice_eq(*key, SLICE("protocols")) || slice_ends(*key, SLICE("[*]"));
        if (slice_ends(*key, SLICE("[*]")))
            *key = slice_head(*key, key->len - 3);
        for (common = 0;
             common < depth && common + 1 < step_count && slice_eq(open[common], steps[common]);)
            common++;
        for (; depth > common; depth--)
            jw_object_end(w);
        for (; depth + 1 < step_count; depth++) {
            open[depth] = steps[depth];
            jw_key(w, steps[depth]);
            jw_object_begin(w);
        }
        jw_key(w, *key);
        if (is_list)
            jw_array_begin(w);
        for (size_t j = i; j < (is_list ? end : i + 1); j++)
            leaf_write(w, &at[j], is_reference);
        if (is_list)
            jw_array_end(w);
    }
    for (; depth > 0; depth--)
        jw_object_end(w);
    jw_object_end(w);
}

static inline void event_write(struct json_writer *w, const struct telemetry_event *event,
                               size_t number, struct arena *arena)
{
    struct telemetry_observable *sorted =
        arena_new(arena, struct telemetry_observable, event->count + 1);
    int64_t tenths = ((event->has_time ? event->time_us : ORACLE_NOW_US) - ORACLE_NOW_US) / 100000;
    char time[40];
    size_t names = 0;

    if (sorted == NULL || event->count == 0)
        return;
    memcpy(sorted, event->observables, event->count * sizeof(*sorted));
    qsort(sorted, event->count, sizeof(*sorted), by_object_and_path);
    (void)snprintf(time, sizeof(time), "2026-01-01T00:00:%02" PRId64 ".%" PRId64 "Z", tenths / 10,
                   tenths % 10);
    jw_object_begin(w);
    jw_put_string(w, SLICE("type"), SLICE("observed-data"));
    jw_put_string(w, SLICE("id"),
                  arena_printf(arena, "observed-data--00000000-0000-4000-8000-%012zu", number));
    jw_put_string(w, SLICE("first_observed"), slice_text(time));
    jw_put_string(w, SLICE("last_observed"), slice_text(time));
    jw_put_u64(w, SLICE("number_observed"), 1);
    jw_key(w, SLICE("objects"));
    jw_object_begin(w);
    for (size_t i = 0, end; i < event->count; i = end) {
        for (end = i + 1; end < event->count && sorted[end].object == sorted[i].object &&
                          slice_eq(type_of(&sorted[end]), type_of(&sorted[i]));)
            end++;
        jw_key(w, arena_printf(arena, "%zu", names++));
        object_write(w, &sorted[i], end - i);
    }
    jw_object_end(w);
    jw_object_end(w);
}

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- both answers ---- */

struct oracle {
    struct chooser chooser;
    struct arena arena; /* of a round */
    struct buf stream, observed;
    struct oracle_pattern patterns[ORACLE_PATTERNS_MAX];
    size_t pattern_count;
    bool is_ordered;
    struct json_parser *parser;
    /* Over all rounds, so that it is seen when nothing is asked any more. */
    size_t asked, hits, temporal_hits, candidates, lines;
};

static inline void oracle_open(struct oracle *o)
{
    *o = (struct oracle){.arena = ARENA(ORACLE_BYTES_MAX),
                         .stream = BUF(ORACLE_BYTES_MAX),
                         .observed = BUF(ORACLE_BYTES_MAX)};
    must(succeeded(crypto_start(NULL)));
    must(succeeded(json_parser_new(JSON_DEPTH_MAX, &o->parser, NULL)));
}

static inline void oracle_close(struct oracle *o)
{
    arena_free(&o->arena);
    buf_free(&o->stream);
    buf_free(&o->observed);
    json_parser_free(&o->parser);
}

/* The rules of a round; a pattern that the language refuses is none. */
static inline struct ruleset *rules_make(struct oracle *o, size_t count)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    struct rules_choice choice = {.now_us = ORACLE_NOW_US, .exact_domains = true};
    struct ruleset *set = NULL;
    int rules = 0;

    must(succeeded(ruleset_builder_new(&choice, &builder, NULL)));
    for (size_t i = 0; i < count; i++) {
        struct oracle_pattern *pattern = &o->patterns[i];

        *pattern =
            (struct oracle_pattern){.text = pattern_make(&o->chooser, &o->arena), .rule = -1};
        if (failed(pattern_parse(pattern->text, STIX_21, &o->arena, &pattern->parsed, NULL, NULL)))
            continue;
        must(succeeded(rules_add_pattern(builder, SLICE("oracle"), pattern->text, NULL)));
        pattern->rule = rules++;
    }
    o->pattern_count = count;
    must(succeeded(ruleset_build(builder, &set, NULL)));
    must(ruleset_count(set) == (size_t)rules);
    return set;
}

/* Every line as telemetry has it, as observed-data. */
static inline void observed_make(struct oracle *o, struct telemetry_reader *reader)
{
    struct json_writer w = JSON_WRITER(&o->observed);
    slice line, rest = buf_slice(&o->stream);
    size_t number = 0;

    buf_reset(&o->observed);
    jw_array_begin(&w);
    while (rest.len > 0) {
        struct telemetry_event event;

        (void)slice_cut(rest, '\n', &line, &rest);
        must(succeeded(telemetry_read(reader, line, &event, NULL)));
        event_write(&w, &event, number++, &o->arena);
    }
    jw_array_end(&w);
    must(!o->observed.overflowed);
    o->lines += number;
}

/* lines: NULL, every line. */
static inline void fast_ask(const struct ruleset *set, slice text, struct telemetry_reader *reader,
                            const struct sieve_lines *lines, struct block_hits *out,
                            struct state_counts *counts)
{
    CLEANUP(detector_worker_free) struct detector_worker *worker = NULL;
    CLEANUP(detector_state_free) struct detector_state *state = NULL;
    uint32_t starts[ORACLE_EVENTS_MAX + 1] = {0};
    struct detector_block block = {.bytes = text, .line_number = 1, .reader = reader};

    for (size_t i = 0; lines != NULL && i < lines->count; i++)
        starts[i] = lines->at[i].start;
    if (lines != NULL) {
        block.lines = starts;
        block.line_count = lines->count;
    }
    must(succeeded(detector_worker_new(set, &worker, NULL)));
    must(succeeded(detector_state_new(set, ORACLE_NOW_US, &state, NULL)));
    must(succeeded(detector_block(worker, &block, out, NULL)));
    must(succeeded(detector_settle(state, out, NULL)));
    *counts = *detector_state_counts(state);
}

static inline void sieved(struct oracle *o, const struct ruleset *set,
                          const struct telemetry_reader *reader, struct sieve_lines *out)
{
    CLEANUP(sieve_free) struct sieve *sieve = NULL;
    CLEANUP(sieve_lens_free) struct sieve_lens *lens = NULL;
    CLEANUP(sieve_scratch_free) struct sieve_scratch *scratch = NULL;
    const struct telemetry_map *map = telemetry_reader_map(reader);

    must(succeeded(sieve_build_of(set, &sieve, NULL)));
    must(succeeded(sieve_lens_new(sieve, map, map->shape, &lens, NULL)));
    must(succeeded(sieve_scratch_new(&scratch, NULL)));
    must(succeeded(sieve_block(lens, scratch, buf_slice(&o->stream), out, NULL)));
    o->candidates += out->count;
}

static inline size_t hits_of(const struct block_hits *hits, int rule)
{
    size_t count = 0;

    for (size_t i = 0; i < hits->count; i++)
        count += hits->hits[i].rule == (uint32_t)rule;
    return count;
}

static inline bool is_temporal(const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->node_count; i++)
        switch (pattern->nodes[i].kind) {
        case PATTERN_FOLLOWEDBY:
        case PATTERN_OBS_AND:
        case PATTERN_WITHIN:
        case PATTERN_REPEATS:
        case PATTERN_START_STOP:
            return true;
        default:
            break;
        }
    return false;
}

static inline size_t answers_compare(struct oracle *o, const struct json_doc *doc,
                                     const struct block_hits *all, const struct block_hits *some,
                                     bool may_forget)
{
    size_t wrong = 0;

    for (size_t i = 0; i < o->pattern_count; i++) {
        const struct oracle_pattern *pattern = &o->patterns[i];
        struct eval_outcome slow;

        if (pattern->rule < 0)
            continue;
        must(succeeded(pattern_eval(&pattern->parsed, doc, doc->nodes, &o->arena, &slow, NULL)));
        size_t fast = hits_of(all, pattern->rule), fewer = hits_of(some, pattern->rule);
        o->asked++;
        o->hits += slow.matched;
        o->temporal_hits += slow.matched && is_temporal(&pattern->parsed);
        if (fast == fewer && (fast > 0 || !slow.matched || may_forget) &&
            (fast == 0 || slow.matched))
            continue;
        wrong++;
        (void)fprintf(stderr, "%.*s\n  slow %s, fast %zu hits, %zu among candidates\n%.*s",
                      SLICE_ARG(pattern->text), slow.matched ? "yes" : "no", fast, fewer,
                      SLICE_ARG(buf_slice(&o->stream)));
    }
    return wrong;
}

/* One stream, asked `count` patterns: how many answers differ.  They are told. */
static inline size_t oracle_round(struct oracle *o, struct chooser chooser, size_t count)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    CLEANUP(sieve_lines_free) struct sieve_lines lines = {0};
    CLEANUP(block_hits_free) struct block_hits all, some;
    struct state_counts counts, fewer;
    struct json_doc doc;

    o->chooser = chooser;
    arena_reset(&o->arena);
    buf_reset(&o->stream);
    block_hits_init(&all);
    block_hits_init(&some);
    stream_make(&o->chooser, &o->stream, &o->is_ordered);
    CLEANUP(ruleset_release) struct ruleset *set = rules_make(o, count);
    must(succeeded(telemetry_reader_new(SLICE("eve"), NULL, ORACLE_NOW_US, &reader, NULL)));
    observed_make(o, reader);
    must(succeeded(json_parse_copy(o->parser, buf_slice(&o->observed), &doc, NULL)));
    sieved(o, set, reader, &lines);
    fast_ask(set, buf_slice(&o->stream), reader, NULL, &all, &counts);
    fast_ask(set, buf_slice(&o->stream), reader, &lines, &some, &fewer);
    must(!o->arena.overflowed);
    /* An event that comes too late finds that those before it are gone; never in order. */
    return answers_compare(o, &doc, &all, &some, counts.forgotten > 0 && !o->is_ordered);
}
