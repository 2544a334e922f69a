/* Every query against an obvious slow scan, on random stores and random queries. */
#include "fixture.h"

#include "base/banned.h"
#include "base/fault.h"

#define IDS 40
#define VERSIONS 4
#define COLLECTIONS 3
#define ARENA_BYTES ((size_t)64 << 20)

static const char *const types[] = {"malware", "campaign", "tool"};
static const char *const words[] = {"alpha",  "beta",  "gamma", "Delta", "alphabet",
                                    "攻撃者", "APT29", "über",  "T1566", "x"};
static const char *const labels[] = {"red", "green", "blue"};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What the slow scan knows of an object is told by three small numbers. */
struct made {
    unsigned id, version, content;
};

struct world_of_objects {
    struct fixture fixture;
    uint32_t collections[COLLECTIONS];
    struct made made[4096]; /* by seq */
    bool removed[4096];
    size_t made_count;
    uint64_t seed;
};

static unsigned pick(struct world_of_objects *all, unsigned below)
{
    all->seed = all->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(all->seed >> 33) % below;
}

/* An object's words, labels and references follow from its id and version alone. */
static bool has_word(const struct made *made, size_t word)
{
    return (made->id * 7 + made->version * 3 + word * 5) % 4 == 0;
}

static bool has_label(const struct made *made, size_t label)
{
    return (made->id + made->version + label) % 3 == 0;
}

static unsigned ref_of(const struct made *made)
{
    return (made->id * 3 + made->version) % IDS;
}

static size_t type_of(unsigned id)
{
    return id % COUNT(types);
}

static void put_id(struct buf *out, unsigned id)
{
    buf_printf(out, "%s--00000000-0000-4000-8000-%012u", types[type_of(id)], id);
}

static void put_version(struct buf *out, unsigned version)
{
    buf_printf(out, "20%02u-06-01T00:00:00.%s", 20 + version / 2, version % 2 ? "0005Z" : "000Z");
}

static void put_object(struct buf *out, const struct made *made)
{
    buf_printf(out, "{\"type\":\"%s\",\"spec_version\":\"2.1\",\"id\":\"",
               types[type_of(made->id)]);
    put_id(out, made->id);
    buf_put(out, SLICE("\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\""));
    put_version(out, made->version);
    buf_put(out, SLICE("\",\"name\":\"n\",\"is_family\":false,\"created_by_ref\":\""));
    buf_printf(out, "identity--00000000-0000-4000-8000-%012u", made->id % 5);
    buf_put(out, SLICE("\",\"object_marking_refs\":[\"marking-definition--"));
    buf_printf(out, "00000000-0000-4000-8000-%012u\"],\"x_ref\":\"", made->id % 7);
    put_id(out, ref_of(made));
    buf_put(out, SLICE("\",\"description\":\""));
    for (size_t i = 0; i < COUNT(words); i++)
        if (has_word(made, i))
            buf_printf(out, " %s", words[i]);
    buf_put(out, SLICE("\",\"labels\":[\"all\""));
    for (size_t i = 0; i < COUNT(labels); i++)
        if (has_label(made, i))
            buf_printf(out, ",\"%s\"", labels[i]);
    buf_printf(out, "],\"x_content\":%u}", made->content);
}

/* ---- a store filled at random, and a list of what must be in it ---- */

static bool held(const struct world_of_objects *all, uint32_t collection, const struct made *made,
                 bool *conflict)
{
    bool here = false;
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_item item;
    struct diag diag = {0};

    *conflict = false;
    store_view_begin(all->fixture.store, &view, &diag);
    for (size_t seq = 0; seq < all->made_count; seq++) {
        if (all->removed[seq] || all->made[seq].id != made->id ||
            all->made[seq].version != made->version || !store_item_at(&view, seq, &item))
            continue;
        here = here || item.collection == collection;
        *conflict = *conflict || all->made[seq].content != made->content;
    }
    return here;
}

static void take_some(struct world_of_objects *all, unsigned count)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 24);
    uint32_t collection = all->collections[pick(all, COLLECTIONS)];
    size_t expected = 0;
    size_t before = all->made_count;

    buf_byte(&text, '[');
    for (unsigned i = 0; i < count; i++) {
        struct made made = {pick(all, IDS), pick(all, VERSIONS), pick(all, 10) == 0};
        bool conflict, twice = false;

        /* The same object twice in one stream is tried elsewhere; here the list stays simple. */
        for (size_t seq = before; seq < all->made_count; seq++)
            twice =
                twice || (all->made[seq].id == made.id && all->made[seq].version == made.version);
        if (twice)
            continue;
        if (text.len > 1)
            buf_byte(&text, ',');
        put_object(&text, &made);
        size_t known = all->made_count;
        all->made_count = before;
        bool here = held(all, collection, &made, &conflict);
        all->made_count = known;
        if (!here && !conflict) {
            all->made[all->made_count++] = made;
            expected++;
        }
    }
    buf_byte(&text, ']');
    struct import_counts counts = import_ok(&all->fixture, collection, buf_slice(&text));
    assert_int_equal(counts.taken + counts.replaced + counts.older, expected);
    assert_int_equal(counts.refused, 0);
}

static void remove_one(struct world_of_objects *all)
{
    CLEANUP(buf_free) struct buf id = BUF(256);
    uint32_t collection = all->collections[pick(all, COLLECTIONS)];
    unsigned number = pick(all, IDS);
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_item item;
    struct diag diag = {0};
    uint64_t count, expected = 0;

    put_id(&id, number);
    store_view_begin(all->fixture.store, &view, &diag);
    for (size_t seq = 0; seq < all->made_count; seq++) {
        assert_true(store_item_at(&view, seq, &item));
        if (!all->removed[seq] && all->made[seq].id == number && item.collection == collection) {
            all->removed[seq] = true;
            expected++;
        }
    }
    store_view_end(&view);
    assert_false(failed(store_remove(all->fixture.store, collection, buf_slice(&id), NULL,
                                     SLICE("test"), STORE_WAITS, &count, &diag)));
    assert_int_equal(count, expected);
}

/* ---- the slow scan ---- */

static bool any_eq(const slice *values, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(values[i], slice_text(text)))
            return true;
    return false;
}

static int version_cmp(const struct made *a, const struct made *b)
{
    return (a->version > b->version) - (a->version < b->version);
}

static bool version_wanted(struct world_of_objects *all, struct store_view *view,
                           const struct store_query *query, uint64_t seq)
{
    const struct made *made = &all->made[seq];
    bool first = true, last = true, listed = false, copy = false;
    struct store_item item, own;

    assert_true(store_item_at(view, seq, &own));
    for (size_t i = 0; i < all->made_count; i++) {
        if (i == seq || all->removed[i] || all->made[i].id != made->id ||
            !store_item_at(view, i, &item) ||
            (query->collection != 0 && item.collection != query->collection))
            continue;
        first = first && version_cmp(made, &all->made[i]) <= 0;
        last = last && version_cmp(made, &all->made[i]) >= 0;
        copy = copy || (version_cmp(made, &all->made[i]) == 0 && i < seq);
    }
    for (size_t i = 0; i < query->version_count; i++)
        listed = listed || timestamp_cmp(&query->versions[i], &own.version) == 0;
    bool none = !query->version_all && !query->version_first && !query->version_last &&
                query->version_count == 0;
    return !(query->collection == 0 && copy) &&
           (query->version_all || listed || (first && query->version_first) ||
            (last && (query->version_last || none)));
}

static bool slow_match(struct world_of_objects *all, struct store_view *view,
                       const struct store_query *query, uint64_t seq)
{
    const struct made *made = &all->made[seq];
    struct store_item item;
    char text[128];

    assert_true(store_item_at(view, seq, &item));
    if (all->removed[seq] || seq < query->seq_from ||
        (query->collection != 0 && item.collection != query->collection) ||
        (query->has_added_after && item.added_us <= query->added_after_us) ||
        (query->id_count > 0 && !any_eq(query->ids, query->id_count, item.id)) ||
        (query->type_count > 0 &&
         !any_eq(query->types, query->type_count, types[type_of(made->id)])) ||
        (query->spec_count > 0 && query->specs[0] != STIX_21) ||
        (query->has_modified_from && timestamp_cmp(&item.version, &query->modified_from) < 0) ||
        (query->has_modified_until && timestamp_cmp(&item.version, &query->modified_until) >= 0))
        return false;
    (void)snprintf(text, sizeof(text), "identity--00000000-0000-4000-8000-%012u", made->id % 5);
    if (query->creator_count > 0 && !any_eq(query->creators, query->creator_count, text))
        return false;
    (void)snprintf(text, sizeof(text), "marking-definition--00000000-0000-4000-8000-%012u",
                   made->id % 7);
    if (query->marking_count > 0 && !any_eq(query->markings, query->marking_count, text))
        return false;
    (void)snprintf(text, sizeof(text), "%s--00000000-0000-4000-8000-%012u",
                   types[type_of(ref_of(made))], ref_of(made));
    if (query->ref_to_count > 0 && !any_eq(query->refs_to, query->ref_to_count, text))
        return false;
    for (size_t i = 0; i < query->word_count; i++) {
        bool found = false;

        for (size_t word = 0; word < COUNT(words); word++)
            if (has_word(made, word)) {
                bool is_prefix = slice_ends(query->words[i], SLICE("*"));
                slice head = slice_head(query->words[i], query->words[i].len - (is_prefix ? 1 : 0));

                found = found || (is_prefix ? slice_starts(slice_text(words[word]), head)
                                            : slice_eq(slice_text(words[word]), head));
            }
        if (!found)
            return false;
    }
    if (query->label_count > 0) {
        bool found = false;

        for (size_t label = 0; label < COUNT(labels); label++)
            found = found || (has_label(made, label) &&
                              any_eq(query->labels, query->label_count, labels[label]));
        if (!found)
            return false;
    }
    return version_wanted(all, view, query, seq);
}

/* ---- random queries ---- */

struct query_room {
    struct arena arena;
    slice texts[16];
    size_t text_count;
    struct timestamp versions[4];
    enum stix_spec spec;
};

static slice *some_texts(struct world_of_objects *all, struct query_room *room, size_t *count,
                         void (*put)(struct world_of_objects *all, struct buf *out))
{
    slice *first = &room->texts[room->text_count];

    *count = 1 + pick(all, 2);
    for (size_t i = 0; i < *count; i++) {
        CLEANUP(buf_free) struct buf text = BUF(512);

        put(all, &text);
        room->texts[room->text_count++] = arena_copy(&room->arena, buf_slice(&text));
    }
    return first;
}

static void put_any_id(struct world_of_objects *all, struct buf *out)
{
    put_id(out, pick(all, IDS));
}

static void put_any_type(struct world_of_objects *all, struct buf *out)
{
    unsigned type = pick(all, COUNT(types) + 1);

    buf_printf(out, "%s", type < COUNT(types) ? types[type] : "not-there");
}

static void put_any_creator(struct world_of_objects *all, struct buf *out)
{
    buf_printf(out, "identity--00000000-0000-4000-8000-%012u", pick(all, 6));
}

static void put_any_marking(struct world_of_objects *all, struct buf *out)
{
    buf_printf(out, "marking-definition--00000000-0000-4000-8000-%012u", pick(all, 8));
}

static void put_any_word(struct world_of_objects *all, struct buf *out)
{
    static const char *const asked[] = {"alpha", "beta", "alph*", "攻撃者", "攻撃*",
                                        "APT29", "APT*", "über",  "zeta",   "x"};

    buf_printf(out, "%s", asked[pick(all, COUNT(asked))]);
}

static void put_any_label(struct world_of_objects *all, struct buf *out)
{
    buf_printf(out, "%s", labels[pick(all, COUNT(labels))]);
}

static struct timestamp any_version(struct world_of_objects *all)
{
    CLEANUP(buf_free) struct buf text = BUF(64);
    struct timestamp version = {0};

    put_version(&text, pick(all, VERSIONS));
    assert_true(timestamp_parse(buf_slice(&text), &version));
    return version;
}

static struct store_query any_query(struct world_of_objects *all, struct query_room *room)
{
    struct store_query query = {0};

    room->text_count = 0;
    if (pick(all, 3) > 0)
        query.collection = all->collections[pick(all, COLLECTIONS)];
    if (pick(all, 4) == 0)
        query.seq_from = pick(all, (unsigned)all->made_count + 2);
    if (pick(all, 4) == 0) {
        query.has_added_after = true;
        query.added_after_us = all->fixture.now_us - pick(all, 200000);
    }
    if (pick(all, 4) == 0)
        query.ids = some_texts(all, room, &query.id_count, put_any_id);
    if (pick(all, 3) == 0)
        query.types = some_texts(all, room, &query.type_count, put_any_type);
    if (pick(all, 4) == 0)
        query.creators = some_texts(all, room, &query.creator_count, put_any_creator);
    if (pick(all, 5) == 0)
        query.markings = some_texts(all, room, &query.marking_count, put_any_marking);
    if (pick(all, 4) == 0)
        query.words = some_texts(all, room, &query.word_count, put_any_word);
    if (pick(all, 5) == 0)
        query.labels = some_texts(all, room, &query.label_count, put_any_label);
    if (pick(all, 6) == 0)
        query.refs_to = some_texts(all, room, &query.ref_to_count, put_any_id);
    if (pick(all, 8) == 0) {
        room->spec = pick(all, 2) ? STIX_20 : STIX_21;
        query.specs = &room->spec;
        query.spec_count = 1;
    }
    query.version_all = pick(all, 4) == 0;
    query.version_first = pick(all, 4) == 0;
    query.version_last = pick(all, 4) == 0;
    if (pick(all, 4) == 0) {
        room->versions[0] = any_version(all);
        room->versions[1] = any_version(all);
        query.versions = room->versions;
        query.version_count = 2;
    }
    query.has_modified_from = pick(all, 6) == 0;
    query.modified_from = any_version(all);
    query.has_modified_until = pick(all, 6) == 0;
    query.modified_until = any_version(all);
    query.newest_first = pick(all, 5) == 0;
    return query;
}

/* ---- comparison ---- */

static void check_text(struct store_view *view, const struct store_page *page)
{
    size_t at = 0;

    for (size_t i = 0; i < page->count; i++) {
        struct store_item item;

        assert_true(store_item_at(view, page->seqs[i], &item));
        assert_false(item.is_removed);
        if (i > 0)
            assert_int_equal(page->text.at[at++], ',');
        assert_true(slice_starts(slice_from(page->text, at), item.text));
        at += item.text.len;
    }
    assert_int_equal(at, page->text.len);
}

static void compare(struct world_of_objects *all, const struct store_query *query)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES);
    struct store_page page, few;
    struct diag diag = {0};
    size_t next = 0;
    bool seen[4096] = {false};

    store_view_begin(all->fixture.store, &view, &diag);
    if (failed(store_find(&view, query, SIZE_MAX - 1, SIZE_MAX, true, &arena, &page, &diag)))
        fail_msg("%s", diag.text);
    assert_false(page.more);
    check_text(&view, &page);
    for (size_t i = 0; i < page.count; i++) {
        assert_false(seen[page.seqs[i]]);
        seen[page.seqs[i]] = true;
        if (!query->newest_first && i > 0)
            assert_true(page.seqs[i] > page.seqs[i - 1]);
    }
    for (uint64_t seq = 0; seq < all->made_count; seq++)
        if (seen[seq] != slow_match(all, &view, query, seq))
            fail_msg("seed %llu: addition %llu is %s", (unsigned long long)all->seed,
                     (unsigned long long)seq, seen[seq] ? "found and should not be" : "missing");
    if (query->newest_first)
        return;
    /* In pages of three: the same, none twice, none left out. */
    struct store_query part = *query;
    do {
        if (failed(store_find(&view, &part, 3, SIZE_MAX, true, &arena, &few, &diag)))
            fail_msg("%s", diag.text);
        check_text(&view, &few);
        for (size_t i = 0; i < few.count; i++)
            assert_int_equal(few.seqs[i], page.seqs[next++]);
        part.seq_from = few.next_seq;
    } while (few.more);
    assert_int_equal(next, page.count);
}

static void world_make(struct world_of_objects *all, uint64_t seed)
{
    struct collection collection;
    struct diag diag = {0};

    memset(all, 0, sizeof(*all));
    all->seed = seed;
    fixture_make(&all->fixture);
    all->collections[0] = all->fixture.collection.number;
    for (size_t i = 1; i < COLLECTIONS; i++) {
        if (failed(store_collection_add(all->fixture.store, NULL, SLICE("more"), SLICE(""),
                                        SLICE(""), SLICE("test"), &collection, &diag)))
            fail_msg("%s", diag.text);
        all->collections[i] = collection.number;
    }
}

static struct world_of_objects all;

static void a_query_finds_what_a_slow_scan_finds(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = (uint64_t)time_now_us();

    (void)state;
    if (given != NULL)
        assert_true(parse_u64(slice_text(given), &seed));
    print_message("# seed %llu\n", (unsigned long long)seed);
    world_make(&all, seed);
    for (unsigned round = 0; round < 12; round++) {
        take_some(&all, 1 + pick(&all, 40));
        for (unsigned i = pick(&all, 6); i > 0; i--)
            remove_one(&all);
        for (unsigned i = 0; i < 60; i++) {
            struct query_room room = {.arena = ARENA(ARENA_BYTES)};
            struct store_query query = any_query(&all, &room);

            compare(&all, &query);
            arena_free(&room.arena);
        }
        if (round % 4 == 3) {
            check_rebuild(&all.fixture);
            fixture_reopen(&all.fixture);
        }
    }
    fixture_remove(&all.fixture);
}

#ifdef ENTENTE_FAULTS
/* A step that fails makes the query fail; what it yields otherwise is whole. */
static void a_query_fails_or_is_right(void **state)
{
    static const slice phrase[] = {S("T1566.001")},
                       froms[] = {S("tool--00000000-0000-4000-8000-000000000002")};
    static const char two[] =
        "[{\"type\":\"tool\",\"spec_version\":\"2.1\",\"id\":\"tool--00000000-0000-4000-8000-"
        "000000000001\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-01T00:00:"
        "00."
        "000Z\",\"name\":\"as T1566.001\"},"
        "{\"type\":\"tool\",\"spec_version\":\"2.1\",\"id\":\"tool--00000000-0000-4000-8000-"
        "000000000002\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-01T00:00:"
        "00."
        "000Z\",\"name\":\"001 T1566\",\"x_ref\":\"tool--00000000-0000-4000-8000-000000000001\"}]";
    const struct store_query queries[] = {
        {.words = phrase, .word_count = 1},
        {.words = phrase, .word_count = 1, .newest_first = true},
        {.refs_from = froms, .ref_from_count = 1},
    };

    (void)state;
    world_make(&all, 1);
    (void)import_ok(&all.fixture, all.collections[0], slice_text(two));
    for (size_t i = 0; i < COUNT(queries); i++) {
        unsigned long nth = 0;
        bool fired;

        do {
            CLEANUP(store_view_end) struct store_view view = {0};
            CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES);
            struct store_page page;
            struct diag diag = {0};

            fault_arm(++nth);
            store_view_begin(all.fixture.store, &view, &diag);
            result r = store_find(&view, &queries[i], 10, SIZE_MAX, true, &arena, &page, &diag);
            fired = fault_fired();
            fault_arm(0);
            assert_int_equal(failed(r), diag.text[0] != '\0');
            if (!failed(r)) {
                assert_int_equal(page.count, 1);
                assert_int_equal(page.seqs[0], 0);
            }
        } while (fired);
        assert_true(nth > 5);
    }
    fixture_remove(&all.fixture);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_finds_what_a_slow_scan_finds),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(a_query_fails_or_is_right),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
