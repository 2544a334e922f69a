#include "scan/build.h"

#include "base/crypto.h"
#include "base/fault.h"
#include "match/regex.h"
#include "scan/texts.h"
#include "telemetry/telemetry.h"
#include "json/stream.h"

#include <stdlib.h>

#include <stdio.h>

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define KEPT_BYTES_MAX ((size_t)1 << 30)
#define WINDOW_BYTES ((size_t)1 << 20)
#define DEPTH_MAX 256
#define LIST_BYTES ((size_t)1 << 20) /* read at once */
#define LIST_LINE_BYTES_MAX ((size_t)1 << 20)

static const char *const reasons[RULES_REASON_COUNT] = {
    "run",   "sigma",   "yara",    "snort",   "suricata", "other type", "wrong",
    "limit", "expired", "revoked", "allowed", "filtered", "repeated",
};

const char *rules_reason_name(enum rules_reason reason)
{
    return reasons[reason];
}

void build_report(struct ruleset_builder *builder, slice source, const char *place,
                  enum rules_reason reason, const char *words)
{
    builder->counts.of[reason]++;
    if (reason != RULES_RUN && builder->choice.report != NULL)
        builder->choice.report(builder->choice.context, source, place, reason, words);
}

/* ---- the builder ---- */

static void *zeroed(size_t bytes)
{
    size_t capacity = 0;
    void *at = FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, bytes);

    if (at != NULL)
        memset(at, 0, bytes);
    return at;
}

static bool set_new(struct ruleset_builder *builder)
{
    builder->set = (struct ruleset *)zeroed(sizeof(*builder->set));
    if (builder->set == NULL)
        return false;
    random_bytes(&builder->set->seed, sizeof(builder->set->seed));
    /* Offset 0 is a text, the empty one. */
    (void)build_text(builder, slice_of("", 1));
    builder->has_meta = false;
    builder->regex_count = 0;
    memset(builder->seen, 0, sizeof(builder->seen));
    return !builder->is_full;
}

result ruleset_builder_new(const struct rules_choice *choice, struct ruleset_builder **out,
                           struct diag *diag)
{
    CLEANUP(ruleset_builder_free)
    struct ruleset_builder *builder = (struct ruleset_builder *)zeroed(sizeof(*builder));

    *out = NULL;
    if (builder == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for rules");
    builder->choice = *choice;
    builder->arena = ARENA(ARENA_BYTES_MAX);
    builder->compile = ARENA(ARENA_BYTES_MAX);
    builder->kept = ARENA(KEPT_BYTES_MAX);
    builder->versions = (struct versions *)zeroed(sizeof(*builder->versions));
    if (builder->versions == NULL || !set_new(builder))
        return diag_fail(diag, ERR_LIMIT, "no memory for rules");
    TRY(json_parser_new(DEPTH_MAX, &builder->parser, diag));
    TRY(suffixes_new(&builder->suffixes, diag));
    *out = builder;
    builder = NULL;
    return OK;
}

void ruleset_builder_free(struct ruleset_builder **builder)
{
    struct ruleset_builder *old = *builder;

    if (old == NULL)
        return;
    if (old->set != NULL)
        image_free(old->set);
    if (old->versions != NULL)
        versions_free(old->versions);
    table_free(old->versions);
    suffixes_free(&old->suffixes);
    json_parser_free(&old->parser);
    telemetry_reader_free(&old->text_reader);
    arena_free(&old->arena);
    arena_free(&old->compile);
    arena_free(&old->kept);
    table_free(old);
    *builder = NULL;
}

const struct rules_counts *rules_counts(const struct ruleset_builder *builder)
{
    return &builder->counts;
}

/* ---- what is taken in ---- */

result rules_add_pattern_at(struct ruleset_builder *builder, const struct rule_draft *draft,
                            slice text, struct diag *diag)
{
    struct rule_draft whole = *draft;
    struct pattern pattern;
    enum rules_reason reason = RULES_WRONG;
    struct diag why = {0};
    char place[PLACE_BYTES];

    (void)snprintf(place, sizeof(place), "line %llu", (unsigned long long)draft->line_number);
    arena_reset(&builder->arena);
    builder->counts.taken++;
    whole.pattern = text;
    whole.meta = (struct meta_record){
        .confidence = -1, .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX};
    if (succeeded(pattern_parse(text, STIX_21, &builder->arena, &pattern, NULL, &why)) &&
        succeeded(regex_check(&pattern, NULL, &why)))
        TRY(compile_pattern(builder, &whole, &pattern, &reason, diag));
    build_report(builder, draft->source, place, reason, why.text);
    return OK;
}

result rules_add_pattern(struct ruleset_builder *builder, slice name, slice text, struct diag *diag)
{
    struct rule_draft draft = {.source = name, .pattern = text};
    struct pattern pattern;
    enum rules_reason reason = RULES_RUN;

    arena_reset(&builder->arena);
    TRY(pattern_parse(text, STIX_21, &builder->arena, &pattern, NULL, diag));
    TRY(regex_check(&pattern, NULL, diag));
    draft.id =
        arena_printf(&builder->kept, "pattern:%llu", (unsigned long long)++builder->patterns);
    draft.meta = (struct meta_record){
        .confidence = -1, .valid_from_us = INT64_MIN, .valid_until_us = INT64_MAX};
    builder->counts.taken++;
    TRY(compile_pattern(builder, &draft, &pattern, &reason, diag));
    builder->counts.of[reason]++;
    if (reason == RULES_LIMIT)
        return diag_fail(diag, ERR_LIMIT, "the pattern has more than %d parts", RULE_PARTS_MAX);
    return OK;
}

result rules_add_object(struct ruleset_builder *builder, slice name, slice json, struct diag *diag)
{
    struct json_doc doc;
    char place[PLACE_BYTES];

    (void)snprintf(place, sizeof(place), "object %llu",
                   (unsigned long long)++builder->object_number);
    TRY(json_parse_copy(builder->parser, json, &doc, diag));
    return object_take(builder, name, &doc, place, diag);
}

static result window_take(struct ruleset_builder *builder, slice name,
                          const struct json_window *window, struct diag *diag)
{
    for (size_t i = 0; i < window->count; i++) {
        struct json_doc doc;
        struct diag why = {0};
        char place[PLACE_BYTES];

        (void)snprintf(place, sizeof(place), "object %llu",
                       (unsigned long long)(window->first_index + i));
        if (failed(json_parse(builder->parser, window->objects[i], &doc, &why))) {
            builder->counts.taken++;
            build_report(builder, name, place, RULES_WRONG, why.text);
            continue;
        }
        TRY(object_take(builder, name, &doc, place, diag));
    }
    return OK;
}

static result stream_take(struct ruleset_builder *builder, slice name, struct source *source,
                          struct diag *diag)
{
    CLEANUP(json_stream_close) struct json_stream *stream = NULL;
    const struct json_stream_limits limits = {
        .object_bytes_max = RULE_BYTES_MAX, .window_bytes = WINDOW_BYTES, .depth_max = DEPTH_MAX};
    struct json_window window = {.count = 1};

    TRY(json_stream_open(source, &limits, &stream, diag));
    while (window.count > 0) {
        TRY(json_stream_next(stream, &window, diag));
        TRY(window_take(builder, name, &window, diag));
    }
    return OK;
}

static result lines_take(struct ruleset_builder *builder, slice name, struct buf *held, bool is_end,
                         uint64_t *line_number, struct diag *diag)
{
    slice rest = buf_slice(held), line, behind;

    while (rest.len > 0 && (slice_cut(rest, '\n', &line, &behind) || is_end)) {
        ++*line_number;
        rest = behind;
        TRY(rules_add_line(builder, name, line, *line_number, diag));
    }
    memmove(held->at, rest.at, rest.len);
    held->len = rest.len;
    return OK;
}

static result list_take(struct ruleset_builder *builder, slice name, struct source *source,
                        struct diag *diag)
{
    CLEANUP(buf_free) struct buf held = BUF(LIST_BYTES * 2 + LIST_LINE_BYTES_MAX);
    uint64_t line_number = 0;
    size_t count;

    do {
        char *room = buf_reserve(&held, LIST_BYTES);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "line %llu: over %zu bytes",
                             (unsigned long long)line_number + 1, LIST_LINE_BYTES_MAX);
        TRY(source_read(source, room, LIST_BYTES, &count, diag));
        held.len += count;
        TRY(lines_take(builder, name, &held, count == 0, &line_number, diag));
    } while (count > 0);
    return OK;
}

/* A bundle, envelope, array or object; a list may begin with a pattern in brackets. */
static bool is_json(slice head)
{
    head = slice_starts(head, SLICE("\xEF\xBB\xBF")) ? slice_from(head, 3) : head;
    head = slice_trim(head);
    if (head.len == 0 || (head.at[0] != '{' && head.at[0] != '['))
        return false;
    slice next = slice_trim(slice_from(head, 1));
    return head.at[0] == '{' || next.len == 0 || next.at[0] == '{' || next.at[0] == ']';
}

result rules_add_source(struct ruleset_builder *builder, slice name, struct source *source,
                        struct diag *diag)
{
    char head[4096];
    size_t count;

    TRY(source_read(source, head, sizeof(head), &count, diag));
    source_unread(source, slice_of(head, count));
    if (is_json(slice_of(head, count)))
        return stream_take(builder, name, source, diag);
    if (slice_starts(slice_of(head, count), SLICE("\xEF\xBB\xBF")))
        source_unread(source, slice_of(head + 3, count - 3));
    return list_take(builder, name, source, diag);
}

result rules_add_store(struct ruleset_builder *builder, slice name, struct store_view *view,
                       struct diag *diag)
{
    for (uint64_t seq = 0; seq < view->seq_end; seq++) {
        struct store_item item;
        struct json_doc doc;

        if (!store_item_at(view, seq, &item) || item.is_removed || item.is_superseded ||
            item.text.len == 0 || !slice_starts(slice_text(item.id), SLICE("indicator--")))
            continue;
        TRY(diag_within(diag, json_parse_copy(builder->parser, item.text, &doc, diag), "%s",
                        item.id));
        TRY(object_take(builder, name, &doc, item.id, diag));
    }
    return OK;
}

/* ---- the ruleset ---- */

static int by_path_and_kind(const void *a, const void *b)
{
    const struct open_record *left = (const struct open_record *)a;
    const struct open_record *right = (const struct open_record *)b;

    if (left->path != right->path)
        return left->path < right->path ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return left->part < right->part ? -1 : left->part > right->part;
}

result ruleset_build(struct ruleset_builder *builder, struct ruleset **out, struct diag *diag)
{
    struct ruleset *set = builder->set;

    *out = NULL;
    if (builder->is_full || !build_bury(builder))
        return diag_fail(diag, ERR_LIMIT, "the rules take more memory than there is");
    versions_free(builder->versions); /* before the index asks for as much again */
    if (set->count[SECTION_OPENS] > 1)
        qsort(set->at[SECTION_OPENS], set->count[SECTION_OPENS], sizeof(struct open_record),
              by_path_and_kind);
    TRY(image_index(set, diag));
    set->counts = builder->counts;
    TRY(image_finish(set, diag));
    atomic_init(&set->holders, 1);
    builder->set = NULL;
    builder->counts = (struct rules_counts){0};
    arena_reset(&builder->kept);
    if (!set_new(builder)) {
        ruleset_release(&set);
        return diag_fail(diag, ERR_LIMIT, "no memory for rules");
    }
    *out = set;
    return OK;
}
