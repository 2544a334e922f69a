#include "match/multi.h"

#include <hs.h>
#include <limits.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/time.h"

#include "base/banned.h"

/* of a batch as the library takes it: four bytes for each of a literal */
#define TEXT_BYTES_MAX ((size_t)MULTI_LITERALS_MAX * (MULTI_EXPRESSION_BYTES_MAX * 4 + 64))
#define RANGES_MAX 32  /* of halving: log2 of MULTI_LITERALS_MAX, and room */
#define REFUSALS_MAX 8 /* expressions of a database that are put aside singly */

/* The expressions ids[first .. +count]. */
struct database {
    hs_database_t *at; /* owned */
    uint32_t first, count;
    bool needs_ascii;
};

struct multi {
    struct database *databases; /* owned */
    size_t database_capacity;
    uint32_t *ids; /* owned: those of the databases from the front, the slow ones from the end */
    size_t id_count, fast_count;
    struct multi_counts counts;
};

struct multi_scratch {
    hs_scratch_t *room; /* owned; NULL: fitted to no database */
};

/* ---- building ---- */

/* Expressions of one kind, on their way into a database. */
struct batch {
    struct multi *multi;
    enum multi_kind kind;
    const char **texts; /* in the arena, as are the next */
    unsigned *flags, *ids;
    size_t count, most;
    struct arena arena; /* of texts */
    uint64_t end_mono_ns;
};

void multi_free(struct multi **multi)
{
    struct multi *old = *multi;

    if (old == NULL)
        return;
    for (size_t i = 0; i < old->counts.databases; i++)
        (void)hs_free_database(old->databases[i].at); /* fails for what is no database alone */
    table_free(old->databases);
    table_free(old->ids);
    table_free(old);
    *multi = NULL;
}

static void slow_put(struct multi *multi, uint32_t id)
{
    multi->ids[multi->id_count - ++multi->counts.slow] = id;
}

static void library_free(hs_compile_error_t **error)
{
    (void)hs_free_compile_error(*error); /* fails for what is none alone */
}

static result database_put(struct batch *batch, size_t first, size_t count, hs_database_t *at,
                           struct diag *diag)
{
    struct multi *multi = batch->multi;
    size_t bytes = 0;
    struct database *moved = (struct database *)table_grow(
        multi->databases, &multi->database_capacity, multi->counts.databases + 1,
        MULTI_EXPRESSIONS_MAX, sizeof(*multi->databases));

    if (moved == NULL) {
        (void)hs_free_database(at); /* it is one */
        return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
    }
    multi->databases = moved;
    moved[multi->counts.databases++] = (struct database){.at = at,
                                                         .first = (uint32_t)multi->fast_count,
                                                         .count = (uint32_t)count,
                                                         .needs_ascii = batch->kind == MULTI_TEXT};
    for (size_t i = 0; i < count; i++) {
        multi->ids[multi->fast_count++] = batch->ids[first + i];
        multi->counts.prefiltered += (batch->flags[first + i] & HS_FLAG_PREFILTER) != 0;
    }
    if (hs_database_size(at, &bytes) == HS_SUCCESS)
        multi->counts.bytes += bytes;
    return OK;
}

static void batch_swap(struct batch *batch, size_t a, size_t b)
{
    const char *text = batch->texts[a];
    unsigned flags = batch->flags[a], id = batch->ids[a];

    batch->texts[a] = batch->texts[b];
    batch->flags[a] = batch->flags[b];
    batch->ids[a] = batch->ids[b];
    batch->texts[b] = text;
    batch->flags[b] = flags;
    batch->ids[b] = id;
}

/* One database of a range.  *refused: the position of the expression that the library will not
 * take, SIZE_MAX when it does not say which; *done: there is a database. */
static result range_compile(struct batch *batch, size_t first, size_t count, bool *done,
                            size_t *refused, struct diag *diag)
{
    CLEANUP(library_free) hs_compile_error_t *error = NULL;
    hs_database_t *at = NULL;

    *done = false;
    *refused = SIZE_MAX;
    if (FAULT_HERE())
        return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
    hs_error_t code =
        hs_compile_multi(batch->texts + first, batch->flags + first, batch->ids + first,
                         (unsigned)count, HS_MODE_BLOCK, NULL, &at, &error);
    if (code == HS_SUCCESS) {
        *done = true;
        return database_put(batch, first, count, at, diag);
    }
    if (code != HS_COMPILER_ERROR)
        return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
    if (error != NULL && error->expression >= 0 && (size_t)error->expression < count)
        *refused = first + (size_t)error->expression;
    return OK;
}

/* Databases of all that a batch holds; the library refuses some together and some alone, so a range
 * that it will not take loses the expression that is named, or is halved. */
static result batch_compile(struct batch *batch, struct diag *diag)
{
    struct {
        size_t first, count, refusals;
    } ranges[RANGES_MAX] = {{0, batch->count, 0}};
    size_t open = batch->count > 0 ? 1 : 0;

    while (open > 0) {
        size_t first = ranges[open - 1].first, count = ranges[open - 1].count, refused;
        bool done = false;

        open--;
        if (time_mono_ns() < batch->end_mono_ns)
            TRY(range_compile(batch, first, count, &done, &refused, diag));
        else
            refused = SIZE_MAX;
        if (done || count == 0)
            continue;
        if (count == 1 || time_mono_ns() >= batch->end_mono_ns || open + 2 > RANGES_MAX) {
            for (size_t i = 0; i < count; i++)
                slow_put(batch->multi, batch->ids[first + i]);
        } else if (refused != SIZE_MAX && ranges[open].refusals < REFUSALS_MAX) {
            batch_swap(batch, refused, first + count - 1);
            slow_put(batch->multi, batch->ids[first + count - 1]);
            ranges[open].count--;
            ranges[open++].refusals++;
        } else {
            ranges[open].first = first;
            ranges[open].count = count / 2;
            ranges[open++].refusals = 0;
            ranges[open].first = first + count / 2;
            ranges[open].count = count - count / 2;
            ranges[open++].refusals = 0;
        }
    }
    batch->count = 0;
    arena_reset(&batch->arena);
    return OK;
}

static const char *literal_text(struct batch *batch, slice literal)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_new(&batch->arena, char, literal.len * 4 + 1);
    size_t len = 0;

    for (size_t i = 0; text != NULL && i < literal.len; i++) {
        uint8_t byte = (uint8_t)literal.at[i];

        text[len++] = '\\';
        text[len++] = 'x';
        text[len++] = digits[byte >> 4];
        text[len++] = digits[byte & 15];
    }
    return text;
}

/* Does the library take the expression on its own? */
static bool is_taken(const char *text, unsigned flags)
{
    CLEANUP(library_free) hs_compile_error_t *error = NULL;
    hs_expr_info_t *info = NULL;

    if (FAULT_HERE() || hs_expression_info(text, flags, &info, &error) != HS_SUCCESS)
        return false;
    free(info); /* tidy: the library allocates its answer */
    return true;
}

/* The flags with which an expression goes into a database; 0: it is slow.
 *
 * Text is asked of values in ASCII alone (needs_ascii), where "\w" and the like mean the same with
 * Unicode's tables and without, and whichever version of them a library has. */
static unsigned expression_flags(const struct multi_expression *expression, const char *text)
{
    unsigned flags = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;

    if (expression->kind == MULTI_LITERAL)
        return flags;
    /* "(*UCP)" and its kin mean other things to the two libraries. */
    if (slice_starts(expression->text, SLICE("(*")) ||
        slice_find_byte(expression->text, '\0') != SIZE_MAX)
        return 0;
    if (expression->is_nocase)
        flags |= HS_FLAG_CASELESS;
    if (expression->kind == MULTI_TEXT)
        flags |= HS_FLAG_UTF8;
    if (is_taken(text, flags))
        return flags;
    return is_taken(text, flags | HS_FLAG_PREFILTER) ? flags | HS_FLAG_PREFILTER : 0;
}

static result expression_put(struct batch *batch, const struct multi_expression *expression,
                             struct diag *diag)
{
    const char *text = NULL;
    unsigned flags = 0;

    if (expression->text.len > 0 && expression->text.len <= MULTI_EXPRESSION_BYTES_MAX &&
        time_mono_ns() < batch->end_mono_ns) {
        text = expression->kind == MULTI_LITERAL ? literal_text(batch, expression->text)
                                                 : arena_text(&batch->arena, expression->text);
        if (text == NULL)
            return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
        flags = expression_flags(expression, text);
    }
    if (flags == 0) {
        slow_put(batch->multi, expression->id);
        return OK;
    }
    batch->texts[batch->count] = text;
    batch->flags[batch->count] = flags;
    batch->ids[batch->count++] = expression->id;
    return batch->count == batch->most ? batch_compile(batch, diag) : OK;
}

static result kind_build(struct multi *multi, enum multi_kind kind, uint64_t end_mono_ns,
                         const struct multi_expression *expressions, size_t count,
                         struct diag *diag)
{
    CLEANUP(arena_free) struct arena tables = ARENA((size_t)16 << 20);
    struct batch batch = {.multi = multi,
                          .kind = kind,
                          .most = kind == MULTI_LITERAL ? MULTI_LITERALS_MAX : MULTI_REGEXES_MAX,
                          .arena = ARENA(TEXT_BYTES_MAX),
                          .end_mono_ns = end_mono_ns};
    result r = OK;

    batch.texts = arena_new(&tables, const char *, batch.most);
    batch.flags = arena_new(&tables, unsigned, batch.most);
    batch.ids = arena_new(&tables, unsigned, batch.most);
    if (tables.overflowed || batch.ids == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
    for (size_t i = 0; succeeded(r) && i < count; i++)
        if (expressions[i].kind == kind)
            r = expression_put(&batch, &expressions[i], diag);
    if (succeeded(r))
        r = batch_compile(&batch, diag);
    arena_free(&batch.arena);
    return r;
}

result multi_build(const struct multi_expression *expressions, size_t count, struct multi **out,
                   struct diag *diag)
{
    CLEANUP(multi_free) struct multi *multi = NULL;
    size_t capacity = 0, id_capacity = 0;
    uint64_t end_mono_ns = time_mono_ns() + (uint64_t)MULTI_BUILD_MS_MAX * 1000000;

    *out = NULL;
    multi = (struct multi *)table_grow(NULL, &capacity, 1, 1, sizeof(*multi));
    if (multi == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for expressions");
    *multi = (struct multi){.id_count = count, .counts.expressions = count};
    multi->ids = (uint32_t *)table_grow(NULL, &id_capacity, count + 1, MULTI_EXPRESSIONS_MAX,
                                        sizeof(*multi->ids));
    if (multi->ids == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu expressions", count);
    /* A machine that the library was not built for: all of it is slow. */
    if (hs_valid_platform() != HS_SUCCESS)
        end_mono_ns = 0;
    for (int kind = 0; kind < MULTI_KIND_COUNT; kind++)
        TRY(kind_build(multi, (enum multi_kind)kind, end_mono_ns, expressions, count, diag));
    *out = multi;
    multi = NULL;
    return OK;
}

const struct multi_counts *multi_counts(const struct multi *multi)
{
    return &multi->counts;
}

/* ---- searching ---- */

result multi_scratch_new(struct multi_scratch **out, struct diag *diag)
{
    size_t capacity = 0;

    *out = (struct multi_scratch *)table_grow(NULL, &capacity, 1, 1, sizeof(**out));
    if (*out == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a search");
    **out = (struct multi_scratch){0};
    return OK;
}

result multi_scratch_fit(struct multi_scratch *scratch, const struct multi *multi,
                         struct diag *diag)
{
    for (size_t i = 0; i < multi->counts.databases; i++)
        if (FAULT_HERE() || hs_alloc_scratch(multi->databases[i].at, &scratch->room) != HS_SUCCESS)
            return diag_fail(diag, ERR_LIMIT, "no memory for a search");
    return OK;
}

void multi_scratch_free(struct multi_scratch **scratch)
{
    if (*scratch == NULL)
        return;
    (void)hs_free_scratch((*scratch)->room); /* fails while a search runs alone */
    table_free(*scratch);
    *scratch = NULL;
}

struct search {
    bool (*found)(void *context, uint32_t id);
    void *context;
    bool is_over;
};

static int match_found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                       void *context)
{
    struct search *search = (struct search *)context;

    (void)from;
    (void)to;
    (void)flags;
    search->is_over = !search->found(search->context, id);
    return search->is_over;
}

static void all_found(struct search *search, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; !search->is_over && i < count; i++)
        search->is_over = !search->found(search->context, ids[i]);
}

static bool is_ascii(slice value)
{
    uint8_t all = 0;

    for (size_t i = 0; i < value.len; i++)
        all |= (uint8_t)value.at[i];
    return all < 0x80;
}

void multi_search(const struct multi *multi, struct multi_scratch *scratch, slice value,
                  bool (*found)(void *context, uint32_t id), void *context)
{
    struct search search = {.found = found, .context = context};
    bool ascii = is_ascii(value);

    all_found(&search, multi->ids + multi->id_count - multi->counts.slow, multi->counts.slow);
    for (size_t i = 0; !search.is_over && i < multi->counts.databases; i++) {
        const struct database *database = &multi->databases[i];
        hs_error_t code = HS_INVALID;

        if (value.len > 0 && value.len <= UINT_MAX && (ascii || !database->needs_ascii))
            code = hs_scan(database->at, value.at, (unsigned)value.len, 0, scratch->room,
                           match_found, &search);
        /* Not asked, or not answered: then any of them may match. */
        if (code != HS_SUCCESS && code != HS_SCAN_TERMINATED)
            all_found(&search, multi->ids + database->first, database->count);
    }
}
