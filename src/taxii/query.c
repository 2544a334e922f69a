#include "taxii/server.h"

#include "base/encode.h"

#include "base/banned.h"

#define PARAMETER_BYTES_MAX ((size_t)512 << 10)
#define SHOWN_BYTES 64 /* of a refused value, in the words of the refusal */

struct parameter {
    slice name, value; /* decoded */
};

static result refuse(struct diag *diag, const struct parameter *parameter, const char *why)
{
    slice shown = slice_head(parameter->value, SHOWN_BYTES);

    return diag_fail(diag, ERR_INVALID, "%.*s=\"%.*s\": %s", SLICE_ARG(parameter->name),
                     SLICE_ARG(shown), why);
}

static result decode(slice raw, struct arena *arena, slice *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf decoded = BUF(PARAMETER_BYTES_MAX);

    if (!percent_decode(&decoded, raw) || !utf8_valid(buf_slice(&decoded)))
        return diag_fail(diag, ERR_INVALID,
                         "the query holds a broken escape, text that is not UTF-8, or too much");
    *out = arena_copy(arena, buf_slice(&decoded));
    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "the query is too long");
    return OK;
}

/* The values of a comma list.  An empty one is malformed: TAXII 2.1, 3.4. */
static result values_split(const struct parameter *parameter, struct arena *arena,
                           const slice **values, size_t *count, struct diag *diag)
{
    slice value, rest = parameter->value;
    size_t room = 1;

    for (size_t i = 0; i < rest.len; i++)
        room += rest.at[i] == ',';
    if (room > QUERY_VALUES_MAX)
        return refuse(diag, parameter, "holds too many values");
    slice *list = arena_new(arena, slice, room);
    if (list == NULL)
        return diag_fail(diag, ERR_LIMIT, "the query is too long");
    for (size_t i = 0; i < room; i++) {
        (void)slice_cut(rest, ',', &value, &rest);
        if (value.len == 0)
            return refuse(diag, parameter, "holds an empty value");
        list[i] = value;
    }
    *values = list;
    *count = room;
    return OK;
}

/* ---- one reader a parameter ---- */

static result read_added_after(const struct parameter *parameter, struct arena *arena,
                               struct taxii_query *query, struct diag *diag)
{
    struct timestamp when;

    (void)arena;
    if (!timestamp_parse_rfc3339(parameter->value, &when))
        return refuse(diag, parameter, "is no RFC 3339 timestamp");
    /* Dates of additions are whole microseconds: what is later than one and a bit is what is
     * later than the one, so digits past the sixth may go. */
    query->store.has_added_after = true;
    query->store.added_after_us = when.us;
    return OK;
}

static result read_limit(const struct parameter *parameter, struct arena *arena,
                         struct taxii_query *query, struct diag *diag)
{
    slice digits = parameter->value;

    (void)arena;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return refuse(diag, parameter, "is no whole number greater than 0");
    if (digits.len > 0 && !parse_size(digits, &query->limit))
        query->limit = SIZE_MAX; /* a number, only a very large one: the server's limit holds */
    if (query->limit == 0)
        return refuse(diag, parameter, "is no whole number greater than 0");
    return OK;
}

static result read_next(const struct parameter *parameter, struct arena *arena,
                        struct taxii_query *query, struct diag *diag)
{
    (void)arena;
    if (parameter->value.len == 0)
        return refuse(diag, parameter, "is empty");
    query->next = parameter->value;
    return OK;
}

static result read_ids(const struct parameter *parameter, struct arena *arena,
                       struct taxii_query *query, struct diag *diag)
{
    return values_split(parameter, arena, &query->store.ids, &query->store.id_count, diag);
}

static result read_types(const struct parameter *parameter, struct arena *arena,
                         struct taxii_query *query, struct diag *diag)
{
    return values_split(parameter, arena, &query->store.types, &query->store.type_count, diag);
}

/* "n.m": two whole numbers (1.6.8.2). */
static bool is_spec_version(slice text)
{
    slice major, minor;
    uint64_t number;

    return slice_cut(text, '.', &major, &minor) && parse_u64(major, &number) &&
           parse_u64(minor, &number);
}

static result read_specs(const struct parameter *parameter, struct arena *arena,
                         struct taxii_query *query, struct diag *diag)
{
    const slice *values;
    size_t count;

    TRY(values_split(parameter, arena, &values, &count, diag));
    enum stix_spec *specs = arena_new(arena, enum stix_spec, count);
    if (specs == NULL)
        return diag_fail(diag, ERR_LIMIT, "the query is too long");
    for (size_t i = 0; i < count; i++) {
        if (!is_spec_version(values[i]))
            return refuse(diag, parameter, "is no version of STIX");
        if (slice_eq(values[i], SLICE("2.0")))
            specs[query->store.spec_count++] = STIX_20;
        else if (slice_eq(values[i], SLICE("2.1")))
            specs[query->store.spec_count++] = STIX_21;
    }
    query->store.specs = specs;
    query->is_void = query->store.spec_count == 0;
    return OK;
}

static bool timestamp_listed(const struct timestamp *list, size_t count,
                             const struct timestamp *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (timestamp_cmp(&list[i], wanted) == 0)
            return true;
    return false;
}

/* Where a word for versions is noted; NULL: not such a word. */
static bool *version_keyword(slice value, struct store_query *store)
{
    if (slice_eq(value, SLICE("last")))
        return &store->version_last;
    if (slice_eq(value, SLICE("first")))
        return &store->version_first;
    return slice_eq(value, SLICE("all")) ? &store->version_all : NULL;
}

static result read_version(const struct parameter *parameter, slice value,
                           struct store_query *store, struct timestamp *list, struct diag *diag)
{
    static const char repeated[] = "names a version twice";
    struct timestamp *wanted = &list[store->version_count];
    bool *keyword = version_keyword(value, store);

    if (keyword != NULL && *keyword)
        return refuse(diag, parameter, repeated);
    if (keyword != NULL) {
        *keyword = true;
        return OK;
    }
    if (!timestamp_parse(value, wanted))
        return refuse(diag, parameter, "is none of first, last, all or a STIX timestamp");
    if (timestamp_listed(list, store->version_count, wanted))
        return refuse(diag, parameter, repeated);
    store->version_count++;
    return OK;
}

static result read_versions(const struct parameter *parameter, struct arena *arena,
                            struct taxii_query *query, struct diag *diag)
{
    const slice *values;
    size_t count;

    TRY(values_split(parameter, arena, &values, &count, diag));
    struct timestamp *list = arena_new(arena, struct timestamp, count);
    if (list == NULL)
        return diag_fail(diag, ERR_LIMIT, "the query is too long");
    for (size_t i = 0; i < count; i++)
        TRY(read_version(parameter, values[i], &query->store, list, diag));
    query->store.versions = list;
    if (query->store.version_all && count > 1)
        return refuse(diag, parameter, "\"all\" does not go with other versions");
    return OK;
}

static const struct reader_row {
    slice name;
    unsigned bit;
    result (*read)(const struct parameter *, struct arena *, struct taxii_query *, struct diag *);
} readers[] = {
    {S("added_after"), QUERY_ADDED_AFTER, read_added_after},
    {S("limit"), QUERY_LIMIT, read_limit},
    {S("next"), QUERY_NEXT, read_next},
    {S("match[id]"), QUERY_ID, read_ids},
    {S("match[type]"), QUERY_TYPE, read_types},
    {S("match[version]"), QUERY_VERSION, read_versions},
    {S("match[spec_version]"), QUERY_SPEC_VERSION, read_specs},
};

static result parameter_read(const struct parameter *parameter, unsigned allowed,
                             struct arena *arena, struct taxii_query *out, struct diag *diag)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        const struct reader_row *row = &readers[i];

        if (!slice_eq(row->name, parameter->name))
            continue;
        if ((row->bit & allowed) == 0)
            return OK;
        if ((row->bit & out->present) != 0)
            return refuse(diag, parameter, "stands more than once");
        out->present |= row->bit;
        return row->read(parameter, arena, out, diag);
    }
    return OK; /* 3.4: servers may ignore fields they do not understand */
}

result query_parse(slice query, unsigned allowed, struct arena *arena, struct taxii_query *out,
                   struct diag *diag)
{
    slice piece, name, value;

    *out = (struct taxii_query){0};
    while (query.len > 0) {
        struct parameter parameter;

        (void)slice_cut(query, '&', &piece, &query);
        if (piece.len == 0)
            continue;
        (void)slice_cut(piece, '=', &name, &value);
        TRY(decode(name, arena, &parameter.name, diag));
        TRY(decode(value, arena, &parameter.value, diag));
        TRY(parameter_read(&parameter, allowed, arena, out, diag));
    }
    return OK;
}
