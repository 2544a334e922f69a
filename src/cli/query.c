#include "cli/query.h"

#include "base/banned.h"

#define NO_MEMORY "no memory for the query"

/* All values of an option. */
static int values_take(const struct cli *cli, const char *option, struct arena *arena,
                       const slice **values, size_t *count)
{
    *count = cli_value_count(cli, option);
    if (*count == 0)
        return CLI_OK;
    if (*count > QUERY_VALUES_MAX)
        return cli_misused(cli, "--%s more than %d times", option, QUERY_VALUES_MAX);
    slice *taken = arena_new(arena, slice, *count);
    if (taken == NULL)
        return cli_fail(CLI_FAILED, NO_MEMORY);
    for (size_t i = 0; i < *count; i++)
        taken[i] = slice_text(cli_value_at(cli, option, i));
    *values = taken;
    return CLI_OK;
}

/* People write tlp:amber; objects hold the ids that TLP 1 (STIX 2.1, 7.2.1.4) and TLP 2.0
 * published. */
static slice marking_id(slice name)
{
    static const struct {
        slice name, id;
    } known[] = {
        {S("tlp:white"), S("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9")},
        {S("tlp:clear"), S("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487")},
        {S("tlp:green"), S("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb")},
        {S("tlp:amber"), S("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421")},
        {S("tlp:amber+strict"), S("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003")},
        {S("tlp:red"), S("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1")},
        {S("tlp1:green"), S("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da")},
        {S("tlp1:amber"), S("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82")},
        {S("tlp1:red"), S("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed")},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_eq_nocase(known[i].name, name))
            return known[i].id;
    return name;
}

/* A TLP name finds both its TLP 1 and its TLP 2.0 definition. */
static int markings_take(const struct cli *cli, struct arena *arena, struct store_query *query)
{
    const slice *names = NULL;
    size_t count, made = 0;
    int code = values_take(cli, "marking", arena, &names, &count);

    if (code != CLI_OK || count == 0)
        return code;
    slice *ids = arena_new(arena, slice, 2 * count);
    if (ids == NULL)
        return cli_fail(CLI_FAILED, NO_MEMORY);
    for (size_t i = 0; i < count; i++) {
        ids[made++] = marking_id(names[i]);
        if (slice_starts(names[i], SLICE("tlp:"))) {
            slice first = arena_printf(arena, "tlp1:%.*s", SLICE_ARG(slice_from(names[i], 4)));

            if (!slice_eq(marking_id(first), first))
                ids[made++] = marking_id(first);
        }
    }
    query->markings = ids;
    query->marking_count = made;
    return CLI_OK;
}

/* A full timestamp, or a date alone (its midnight, UTC). */
static int time_take(const struct cli *cli, const char *option, bool *has, struct timestamp *out)
{
    const char *text = cli_value(cli, option);
    char whole[64];

    *has = text != NULL;
    if (text == NULL || timestamp_parse_rfc3339(slice_text(text), out))
        return CLI_OK;
    (void)snprintf(whole, sizeof(whole), "%.40sT00:00:00Z", text);
    if (timestamp_parse(slice_text(whole), out))
        return CLI_OK;
    return cli_misused(cli, "--%s = \"%s\": takes a date like 2026-01-31 or 2026-01-31T12:00:00Z",
                       option, text);
}

static int filters_take(const struct cli *cli, struct arena *arena, struct store_query *query)
{
    const struct {
        const char *option;
        const slice **values;
        size_t *count;
    } filters[] = {
        {"type", &query->types, &query->type_count},
        {"id", &query->ids, &query->id_count},
        {"value", &query->values, &query->value_count},
        {"label", &query->labels, &query->label_count},
        {"creator", &query->creators, &query->creator_count},
        {"phase", &query->phases, &query->phase_count},
        {"refs-to", &query->refs_to, &query->ref_to_count},
        {"refs-from", &query->refs_from, &query->ref_from_count},
    };

    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        int code = values_take(cli, filters[i].option, arena, filters[i].values, filters[i].count);

        if (code != CLI_OK)
            return code;
    }
    return markings_take(cli, arena, query);
}

static int times_take(const struct cli *cli, struct store_query *query)
{
    struct timestamp added_after = {0};
    int code = time_take(cli, "since", &query->has_modified_from, &query->modified_from);

    if (code == CLI_OK)
        code = time_take(cli, "until", &query->has_modified_until, &query->modified_until);
    if (code == CLI_OK)
        code = time_take(cli, "added-after", &query->has_added_after, &added_after);
    if (code == CLI_OK && query->has_added_after)
        query->added_after_us = added_after.us;
    return code;
}

int cli_query(const struct cli *cli, struct store_view *view, struct arena *arena,
              struct store_query *query)
{
    const char *name = cli_value(cli, "collection");
    struct collection collection;

    *query = (struct store_query){.version_all = cli_has(cli, "all-versions")};
    if (name != NULL) {
        int code = cli_collection(view, name, false, &collection);

        if (code != CLI_OK)
            return code;
        query->collection = collection.number;
    }
    int code = filters_take(cli, arena, query);
    return code == CLI_OK ? times_take(cli, query) : code;
}
