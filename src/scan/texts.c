#include "scan/texts.h"

#include "match/like.h"
#include "match/multi.h"
#include "match/normal.h"

#include "base/banned.h"

#define EXPRESSIONS_BYTES_MAX ((size_t)1 << 30) /* while a path's are gathered */
#define VALUE_NORMAL_BYTES_MAX ((size_t)256 << 20)

struct texts {
    struct multi **of_open; /* owned: of each open path; NULL where there is nothing to search */
    size_t count;
};

struct text_scratch {
    struct multi_scratch *search; /* owned */
    struct arena arena;           /* of one value in its normal form */
};

static const struct node_record *node_of(const struct ruleset *set, uint32_t open)
{
    return &image_nodes(set)[image_opens(set)[open].node];
}

static slice constant_of(const struct ruleset *set, const struct node_record *node)
{
    const struct literal_record *literal = &image_literals(set)[node->left];

    return image_slice(set, literal->text, literal->len);
}

/* ---- building ---- */

void texts_free(struct ruleset *set)
{
    for (size_t i = 0; set->texts != NULL && i < set->texts->count; i++)
        multi_free(&set->texts->of_open[i]);
    if (set->texts != NULL)
        table_free(set->texts->of_open);
    table_free(set->texts);
    set->texts = NULL;
}

/* Of a LIKE its longest run is searched: tens of thousands of plain literals are made ready in less
 * than a second, with "^" and ".*" between them in more than ten. */
static struct multi_expression expression_of(const struct ruleset *set, uint32_t open)
{
    const struct node_record *node = node_of(set, open);
    slice constant = constant_of(set, node);

    if (node->kind == NODE_LIKE)
        return (struct multi_expression){like_run(constant), open, MULTI_LITERAL, false};
    return (struct multi_expression){constant, open,
                                     node->flags & NODE_OCTET_PATH ? MULTI_OCTETS : MULTI_TEXT,
                                     node->flags & NODE_NOCASE};
}

#define TAIL_BYTES 8          /* by which the library tells literals apart first */
#define TAIL_SLOTS (1u << 20) /* of counts; two tails in one are only thought commoner */

static uint32_t tail_slot(slice text, size_t end)
{
    uint64_t tail;

    memcpy(&tail, text.at + end - TAIL_BYTES, TAIL_BYTES);
    return (uint32_t)(image_mix(tail, 0x9E3779B97F4A7C15u) % TAIL_SLOTS);
}

/* Thousands of runs that end alike (".example") would be compared one by one wherever that end
 * stands: each is cut behind the eight of its bytes that the fewest others have. */
static result literals_cut(struct multi_expression *expressions, size_t count, struct arena *arena,
                           struct diag *diag)
{
    uint32_t *counts = arena_new(arena, uint32_t, TAIL_SLOTS);

    if (counts == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu expressions", count);
    for (size_t i = 0; i < count; i++)
        for (size_t end = TAIL_BYTES;
             expressions[i].kind == MULTI_LITERAL && end <= expressions[i].text.len; end++)
            counts[tail_slot(expressions[i].text, end)]++;
    for (size_t i = 0; i < count; i++) {
        slice text = expressions[i].text;
        size_t best = text.len;

        for (size_t end = text.len; expressions[i].kind == MULTI_LITERAL && end >= TAIL_BYTES;
             end--)
            if (counts[tail_slot(text, end)] < counts[tail_slot(text, best)])
                best = end;
        expressions[i].text.len = best;
    }
    return OK;
}

static result run_build(const struct ruleset *set, size_t index, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(EXPRESSIONS_BYTES_MAX);
    const struct open_run *run = &set->open_runs[index];
    struct multi_expression *expressions = arena_new(&arena, struct multi_expression, run->count);

    if (expressions == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %u expressions", run->count);
    for (uint32_t i = 0; i < run->count; i++)
        expressions[i] = expression_of(set, run->first + i);
    TRY(literals_cut(expressions, run->count, &arena, diag));
    return multi_build(expressions, run->count, &set->texts->of_open[index], diag);
}

result texts_build(struct ruleset *set, struct diag *diag)
{
    size_t capacity = 0, most = set->open_path_count + 1;

    set->texts = (struct texts *)table_grow(NULL, &capacity, 1, 1, sizeof(*set->texts));
    if (set->texts == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a ruleset");
    *set->texts = (struct texts){0};
    capacity = 0;
    set->texts->of_open = (struct multi **)table_grow(NULL, &capacity, most, most, sizeof(void *));
    if (set->texts->of_open == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a ruleset");
    memset(set->texts->of_open, 0, most * sizeof(void *));
    set->texts->count = set->open_path_count;
    for (size_t i = 0; i < set->open_path_count; i++)
        if (set->open_paths[i].kind == OPEN_TEXT || set->open_paths[i].kind == OPEN_LINE)
            TRY(run_build(set, i, diag));
    return OK;
}

void ruleset_text_counts(const struct ruleset *set, struct text_counts *out)
{
    *out = (struct text_counts){0};
    for (size_t i = 0; i < set->texts->count; i++) {
        if (set->texts->of_open[i] == NULL)
            continue;
        const struct multi_counts *counts = multi_counts(set->texts->of_open[i]);
        out->expressions += counts->expressions;
        out->prefiltered += counts->prefiltered;
        out->slow += counts->slow;
        out->bytes += counts->bytes;
    }
}

/* ---- searching ---- */

result text_scratch_new(const struct ruleset *set, struct text_scratch **out, struct diag *diag)
{
    CLEANUP(text_scratch_free) struct text_scratch *scratch = NULL;
    size_t capacity = 0;

    *out = NULL;
    scratch = (struct text_scratch *)table_grow(NULL, &capacity, 1, 1, sizeof(*scratch));
    if (scratch == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a search");
    *scratch = (struct text_scratch){.arena = ARENA(VALUE_NORMAL_BYTES_MAX)};
    TRY(multi_scratch_new(&scratch->search, diag));
    for (size_t i = 0; i < set->texts->count; i++)
        if (set->texts->of_open[i] != NULL)
            TRY(multi_scratch_fit(scratch->search, set->texts->of_open[i], diag));
    *out = scratch;
    scratch = NULL;
    return OK;
}

void text_scratch_free(struct text_scratch **scratch)
{
    if (*scratch == NULL)
        return;
    multi_scratch_free(&(*scratch)->search);
    arena_free(&(*scratch)->arena);
    table_free(*scratch);
    *scratch = NULL;
}

struct text_search {
    const struct ruleset *set;
    slice value; /* in its normal form */
    void (*found)(void *context, uint32_t part);
    void *context;
    bool is_one_enough, is_any;
};

static bool expression_found(void *context, uint32_t open)
{
    struct text_search *search = (struct text_search *)context;
    const struct node_record *node = node_of(search->set, open);

    if (node->kind == NODE_LIKE && search->value.at != NULL &&
        !like_matches(constant_of(search->set, node), search->value, false))
        return true;
    search->is_any = true;
    if (search->found != NULL)
        search->found(search->context, image_opens(search->set)[open].part);
    return !search->is_one_enough;
}

/* A value that has no room for its normal form is asked of all, as program_run will say so. */
static void search_run(struct text_search *search, struct text_scratch *scratch, size_t open,
                       slice value)
{
    const struct ruleset *set = search->set;
    const struct open_run *run = &set->open_runs[open];
    bool is_line = set->open_paths[open].kind == OPEN_LINE;

    arena_reset(&scratch->arena);
    search->value = is_line ? value : text_normal(value, &scratch->arena);
    if (search->value.at != NULL) {
        multi_search(set->texts->of_open[open], scratch->search, search->value, expression_found,
                     search);
        return;
    }
    for (uint32_t i = 0; i < run->count; i++)
        if (!expression_found(search, run->first + i))
            return;
}

void texts_search(const struct ruleset *set, struct text_scratch *scratch, size_t open, slice value,
                  void (*found)(void *context, uint32_t part), void *context)
{
    struct text_search search = {.set = set, .found = found, .context = context};

    search_run(&search, scratch, open, value);
}

bool ruleset_text_may_hit(const struct ruleset *set, struct text_scratch *scratch, size_t open,
                          slice value)
{
    struct text_search search = {.set = set, .is_one_enough = true};

    search_run(&search, scratch, open, value);
    return search.is_any;
}
