#include "store/plan.h"

#include "store/words.h"

#include <stdlib.h>

#include "base/banned.h"

/* Kinds under which a value that comes without one may be held, in the form each gives it. */
static const slice value_kinds[] = {
    S("ipv4-addr:value"),  S("ipv6-addr:value"), S("domain-name:value"),     S("url:value"),
    S("email-addr:value"), S("mac-addr:value"),  S("file:hashes.'SHA-256'"),
};
#define VALUE_KINDS (sizeof(value_kinds) / sizeof(value_kinds[0]))

static result no_memory(struct plan *plan)
{
    return diag_fail(plan->diag, ERR_LIMIT, "the query needs more memory than it may take");
}

static struct branches *filter_new(struct plan *plan, size_t capacity)
{
    if (plan->filters == NULL)
        plan->filters = arena_new(plan->arena, struct branches, PLAN_FILTERS_MAX);
    if (plan->filters == NULL || plan->filter_count == PLAN_FILTERS_MAX)
        return NULL;
    struct branch *room = arena_new(plan->arena, struct branch, capacity + 1);
    if (room == NULL)
        return NULL;
    struct branches *branches = &plan->filters[plan->filter_count++];
    *branches = (struct branches){.at = room, .capacity = capacity + 1};
    return branches;
}

static void posting_add(struct plan *plan, struct branches *branches, slice term)
{
    struct branch *branch = branch_new(branches, BRANCH_POSTING);

    if (branch == NULL)
        return;
    posting_open(&branch->posting, &plan->view->txn, TABLE_TERMS, term);
    branch_start(branch);
}

/* ---- one filter each ---- */

static result filter_hashed(struct plan *plan, enum term_field field, const slice *texts,
                            size_t count)
{
    uint8_t bytes[TERM_BYTES_MAX];

    if (count == 0)
        return OK;
    struct branches *branches = filter_new(plan, count);
    if (branches == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < count; i++)
        posting_add(plan, branches, term_hashed(field, texts[i], bytes));
    return OK;
}

/* Ids are compared in lower case, as their parsed form is written. */
static result filter_id_terms(struct plan *plan, enum term_field field, const slice *ids,
                              size_t count)
{
    slice *texts = arena_new(plan->arena, slice, count + 1);

    if (texts == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < count; i++) {
        char text[STIX_ID_BYTES_MAX];
        struct stix_id id;

        texts[i] = ids[i];
        if (stix_id_parse(ids[i], &id))
            texts[i] = arena_copy(plan->arena, slice_of(text, stix_id_format(&id, text)));
    }
    return plan->arena->overflowed ? no_memory(plan) : filter_hashed(plan, field, texts, count);
}

static result filter_values(struct plan *plan)
{
    const struct store_query *query = plan->query;
    size_t count = 0;

    if (query->value_count == 0)
        return OK;
    slice *forms = arena_new(plan->arena, slice, query->value_count * (VALUE_KINDS + 1));
    for (size_t i = 0; forms != NULL && i < query->value_count; i++) {
        size_t first = count;

        forms[count++] = query->values[i];
        for (size_t kind = 0; kind < VALUE_KINDS; kind++) {
            slice form = stix_value_normal(value_kinds[kind], query->values[i], plan->arena);
            bool is_new = true;

            for (size_t known = first; known < count; known++)
                is_new = is_new && !slice_eq(forms[known], form);
            if (is_new)
                forms[count++] = form;
        }
    }
    return forms == NULL || plan->arena->overflowed ? no_memory(plan)
                                                    : filter_hashed(plan, TERM_VALUE, forms, count);
}

static result filter_types(struct plan *plan)
{
    const struct store_query *query = plan->query;
    uint8_t bytes[TERM_BYTES_MAX];
    uint16_t code;

    if (query->type_count == 0)
        return OK;
    struct branches *branches = filter_new(plan, query->type_count);
    if (branches == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < query->type_count; i++)
        if (type_code(&plan->view->txn, query->types[i], &code))
            posting_add(plan, branches, term_type(code, bytes));
    return OK;
}

static result filter_specs(struct plan *plan)
{
    const struct store_query *query = plan->query;
    uint8_t bytes[TERM_BYTES_MAX];

    if (query->spec_count == 0)
        return OK;
    struct branches *branches = filter_new(plan, query->spec_count);
    if (branches == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < query->spec_count; i++)
        posting_add(plan, branches, term_spec(query->specs[i], bytes));
    return OK;
}

/* A growing list of seqs, sorted at its end. */
struct seq_list {
    uint64_t *at; /* in the arena */
    size_t count, capacity;
};

static void seq_push(struct plan *plan, struct seq_list *list, uint64_t seq)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        uint64_t *moved = arena_new(plan->arena, uint64_t, capacity);

        if (moved == NULL)
            return;
        if (list->count > 0)
            memcpy(moved, list->at, list->count * sizeof(*moved));
        list->at = moved;
        list->capacity = capacity;
    }
    list->at[list->count++] = seq;
}

static int seq_compare(const void *a, const void *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

static result filter_seqs(struct plan *plan, struct seq_list *list)
{
    struct branches *branches = filter_new(plan, 1);
    struct branch *branch = branches == NULL ? NULL : branch_new(branches, BRANCH_SEQS);

    if (branch == NULL || plan->arena->overflowed)
        return no_memory(plan);
    if (list->count > 0)
        qsort(list->at, list->count, sizeof(*list->at), seq_compare);
    branch->seqs.at = list->at;
    branch->seqs.count = list->count;
    branch_start(branch);
    return OK;
}

static void seqs_of_id(struct plan *plan, const struct stix_id *id, struct seq_list *list)
{
    struct id_version version;
    struct id_walk walk;
    uint16_t type;

    if (!type_code(&plan->view->txn, id->type, &type))
        return;
    id_open(&walk, &plan->view->txn, &id->uuid, type);
    while (id_next(&walk, &version))
        if (version.seq < plan->view->seq_end)
            seq_push(plan, list, version.seq);
    id_close(&walk);
}

static result filter_ids(struct plan *plan)
{
    const struct store_query *query = plan->query;
    struct seq_list list = {0};
    struct stix_id id;

    if (query->id_count == 0)
        return OK;
    for (size_t i = 0; i < query->id_count; i++)
        if (stix_id_parse(query->ids[i], &id))
            seqs_of_id(plan, &id, &list);
    return filter_seqs(plan, &list);
}

static bool record_at(const struct plan *plan, uint64_t seq, struct record *record)
{
    return record_decode(files_record(&plan->view->store->files, seq), record);
}

static result opener_need(struct plan *plan)
{
    if (plan->opener != NULL)
        return OK;
    plan->opener = arena_new(plan->arena, struct opener, 1);
    if (plan->opener == NULL) {
        plan->opener_state = no_memory(plan);
        return plan->opener_state;
    }
    result r = opener_init(plan->opener, plan->diag);
    plan->opener->state = r;
    return r;
}

/* The newest version of the object that others are asked for by. */
static bool newest_of(struct plan *plan, const struct stix_id *id, struct record *record)
{
    struct id_version version;
    struct id_walk walk;
    uint16_t type;
    uint32_t collection = plan->query->collection;
    bool found = false;

    if (!type_code(&plan->view->txn, id->type, &type))
        return false;
    id_open(&walk, &plan->view->txn, &id->uuid, type);
    while (id_next(&walk, &version)) {
        struct record here;

        if (version.seq >= plan->view->seq_end || !record_at(plan, version.seq, &here) ||
            (collection != 0 && here.collection != collection))
            continue;
        *record = here;
        found = true;
    }
    id_close(&walk);
    return found;
}

static result filter_refs_from(struct plan *plan)
{
    const struct store_query *query = plan->query;
    struct seq_list list = {0};

    if (query->ref_from_count == 0)
        return OK;
    TRY(opener_need(plan));
    for (size_t i = 0; i < query->ref_from_count; i++) {
        struct stix_object object;
        struct record record;
        struct stix_id id;

        if (!stix_id_parse(query->refs_from[i], &id) || !newest_of(plan, &id, &record) ||
            !opener_open(plan->opener, &plan->view->store->files, &record, &object))
            continue;
        for (size_t ref = 0; ref < object.ref_count; ref++)
            seqs_of_id(plan, &object.refs[ref].id, &list);
    }
    return filter_seqs(plan, &list);
}

/* ---- words ---- */

static void bits_set(uint64_t *words, uint64_t end, uint64_t seq)
{
    if (seq < end)
        words[seq / 64] |= (uint64_t)1 << seq % 64;
}

static struct branch *bits_new(struct plan *plan, uint64_t **words)
{
    struct branches *branches = filter_new(plan, 1);
    struct branch *branch = branches == NULL ? NULL : branch_new(branches, BRANCH_BITS);
    uint64_t end = plan->view->seq_end;

    *words = arena_new(plan->arena, uint64_t, end / 64 + 1);
    if (branch == NULL || *words == NULL)
        return NULL;
    branch->bits.words = *words;
    branch->bits.end = end;
    return branch;
}

/* The beginning of a word stands for every word that begins so: their lists as one set. */
static result filter_prefix(struct plan *plan, slice part)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    uint8_t bytes[TERM_BYTES_MAX];
    slice prefix = term_word(part, true, bytes);
    uint64_t seqs[POSTING_BLOCK_SEQS_MAX], *words;
    struct branch *branch = bits_new(plan, &words);

    if (branch == NULL)
        return no_memory(plan);
    kv_cursor_open(&plan->view->txn, TABLE_TERMS, &cursor);
    for (bool more = kv_seek(&cursor, prefix); more && slice_starts(cursor.key, prefix);
         more = kv_next(&cursor)) {
        size_t count = posting_decode(cursor.key, cursor.value, seqs);

        for (size_t i = 0; i < count; i++)
            bits_set(words, plan->view->seq_end, seqs[i]);
    }
    branch_start(branch);
    return OK;
}

static result filter_word_part(struct plan *plan, slice part)
{
    uint8_t bytes[TERM_BYTES_MAX];
    struct branches *branches = filter_new(plan, 1);

    if (branches == NULL)
        return no_memory(plan);
    posting_add(plan, branches, term_word(part, false, bytes));
    return OK;
}

static void phrase_of(struct plan *plan, slice word, struct phrase *phrase)
{
    struct word_walk walk;
    bool was_wide = false;

    *phrase = (struct phrase){0};
    if (slice_ends(word, SLICE("*"))) {
        phrase->is_prefix = true;
        word.len--;
    }
    walk = WORD_WALK(word);
    while (phrase->count < WORD_PARTS_MAX && word_next(&walk)) {
        /* The last character of a run stands alone, and in the text it may go on. */
        if (walk.is_wide && walk.is_single && was_wide && walk.joined)
            break;
        if (walk.is_wide && walk.is_single)
            phrase->is_prefix = true;
        was_wide = walk.is_wide;
        phrase->parts[phrase->count++] = arena_copy(plan->arena, walk.word);
    }
}

static result filter_words(struct plan *plan)
{
    const struct store_query *query = plan->query;

    plan->phrases = arena_new(plan->arena, struct phrase, query->word_count + 1);
    if (plan->phrases == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < query->word_count; i++) {
        struct phrase *phrase = &plan->phrases[plan->phrase_count];

        phrase_of(plan, query->words[i], phrase);
        if (phrase->count == 0)
            plan->matches_nothing = true;
        for (size_t part = 0; part < phrase->count; part++)
            TRY(part + 1 == phrase->count && phrase->is_prefix
                    ? filter_prefix(plan, phrase->parts[part])
                    : filter_word_part(plan, phrase->parts[part]));
        if (phrase->count > 1)
            plan->phrase_count++;
    }
    return plan->arena->overflowed ? no_memory(plan) : OK;
}

/* ---- versions and dates ---- */

static result filter_versions(struct plan *plan)
{
    const struct store_query *query = plan->query;
    struct seq_list list = {0};

    /* With first, last or all beside them, and with ids, testing is enough. */
    if (query->version_count == 0 || query->id_count > 0 || plan->wants_all || plan->wants_first ||
        plan->wants_last)
        return OK;
    struct branches *branches = filter_new(plan, query->version_count + 1);
    if (branches == NULL)
        return no_memory(plan);
    for (size_t i = 0; i < query->version_count; i++) {
        struct branch *branch = branch_new(branches, BRANCH_VERSION);

        branch->version.us = version_us_key(&query->versions[i]);
        branch->version.rest = query->versions[i].rest;
        kv_cursor_open(&plan->view->txn, TABLE_VERSIONS, &branch->version.cursor);
        branch_start(branch);
        /* What has no version goes by its date. */
        uint64_t seq = date_seek(plan->view, query->versions[i].us - 1);
        if (seq < plan->view->seq_end && query->versions[i].rest == 0 &&
            date_of(plan->view, seq) == query->versions[i].us)
            seq_push(plan, &list, seq);
    }
    if (list.count > 0) {
        struct branch *branch = branch_new(branches, BRANCH_SEQS);

        qsort(list.at, list.count, sizeof(*list.at), seq_compare);
        branch->seqs.at = list.at;
        branch->seqs.count = list.count;
        branch_start(branch);
    }
    return plan->arena->overflowed ? no_memory(plan) : OK;
}

static bool in_modified_range(const struct store_query *query, const struct timestamp *version)
{
    return (!query->has_modified_from || timestamp_cmp(version, &query->modified_from) >= 0) &&
           (!query->has_modified_until || timestamp_cmp(version, &query->modified_until) < 0);
}

/* A range of dates alone: its additions as a set, from the index by version. */
static result filter_modified(struct plan *plan)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    const struct store_query *query = plan->query;
    uint8_t from[VERSION_KEY_BYTES] = {0}, until[VERSION_KEY_BYTES];
    uint64_t *words;

    if ((!query->has_modified_from && !query->has_modified_until) || plan->filter_count > 0 ||
        query->newest_first)
        return OK;
    struct branch *branch = bits_new(plan, &words);
    if (branch == NULL)
        return no_memory(plan);
    if (query->has_modified_from)
        version_key_make(version_us_key(&query->modified_from), query->modified_from.rest, 0, from);
    memset(until, 0xff, sizeof(until));
    if (query->has_modified_until)
        version_key_make(version_us_key(&query->modified_until), query->modified_until.rest, 0,
                         until);
    kv_cursor_open(&plan->view->txn, TABLE_VERSIONS, &cursor);
    for (bool more = kv_seek(&cursor, slice_of(from, sizeof(from)));
         more && slice_cmp(cursor.key, slice_of(until, sizeof(until))) < 0; more = kv_next(&cursor))
        if (cursor.key.len == VERSION_KEY_BYTES)
            bits_set(words, plan->view->seq_end,
                     bytes_get(cursor.key.at + VERSION_KEY_BYTES - SEQ_BYTES, SEQ_BYTES));
    branch_start(branch);
    return OK;
}

static result filters_open(struct plan *plan)
{
    const struct store_query *query = plan->query;

    TRY(filter_ids(plan));
    TRY(filter_values(plan));
    TRY(filter_words(plan));
    TRY(filter_id_terms(plan, TERM_REF, query->refs_to, query->ref_to_count));
    TRY(filter_refs_from(plan));
    TRY(filter_hashed(plan, TERM_LABEL, query->labels, query->label_count));
    TRY(filter_hashed(plan, TERM_PHASE, query->phases, query->phase_count));
    TRY(filter_id_terms(plan, TERM_CREATOR, query->creators, query->creator_count));
    TRY(filter_id_terms(plan, TERM_MARKING, query->markings, query->marking_count));
    TRY(filter_versions(plan));
    TRY(filter_types(plan));
    TRY(filter_specs(plan));
    return filter_modified(plan);
}

static bool spec_is_held(struct plan *plan, enum stix_spec spec)
{
    uint8_t bytes[TERM_BYTES_MAX];
    struct posting_walk walk;

    posting_open(&walk, &plan->view->txn, TABLE_TERMS, term_spec(spec, bytes));
    bool is_held = posting_seek(&walk, 0) != SEQ_NONE;
    posting_close(&walk);
    return is_held;
}

/* Can an object's versions in the other specification change what is its first or last here?  In
 * most stores there is but one, and nothing more needs to be looked at. */
static bool specs_are_mixed(struct plan *plan)
{
    const struct store_query *query = plan->query;

    return query->collection != 0 && (query->spec_latest || query->spec_count > 0) &&
           spec_is_held(plan, STIX_20) && spec_is_held(plan, STIX_21);
}

result plan_open(struct plan *plan, struct store_view *view, const struct store_query *query,
                 struct arena *arena, struct diag *diag)
{
    *plan =
        (struct plan){.view = view, .query = query, .arena = arena, .diag = diag, .is_open = true};
    plan->wants_all = query->version_all;
    plan->wants_first = query->version_first;
    plan->wants_last = query->version_last ||
                       (!query->version_all && !query->version_first && query->version_count == 0);
    plan->seq_from = query->seq_from;
    if (query->has_added_after) {
        uint64_t after = date_seek(view, query->added_after_us);

        if (after > plan->seq_from)
            plan->seq_from = after;
    }
    run_open(&plan->runs, view, query->collection);
    TRY(filters_open(plan));
    plan->specs_mixed = specs_are_mixed(plan);
    /* The usual page: one collection, the last versions. */
    plan->is_plain = query->collection != 0 && !query->has_modified_from &&
                     !query->has_modified_until && !plan->specs_mixed && plan->phrase_count == 0 &&
                     (plan->wants_last || plan->wants_all);
    return view->txn.state;
}

void plan_close(struct plan *plan)
{
    if (!plan->is_open)
        return;
    for (size_t i = 0; i < plan->filter_count; i++)
        branches_close(&plan->filters[i]);
    run_close(&plan->runs);
    if (plan->opener != NULL)
        opener_free(plan->opener);
    plan->is_open = false;
}

/* ---- tests of one addition ---- */

static bool version_listed(const struct plan *plan, const struct record *record, uint64_t seq)
{
    const struct store_query *query = plan->query;
    struct timestamp version = record->version;

    if (query->version_count == 0)
        return false;
    if (!record->has_version)
        version = (struct timestamp){.us = date_of(plan->view, seq)};
    for (size_t i = 0; i < query->version_count; i++)
        if (timestamp_cmp(&version, &query->versions[i]) == 0)
            return true;
    return false;
}

/* Where an addition stands among the versions of its object: in the query's collection, or, when
 * that is any, in all of them, where of copies the one that came first stands for the others. */
struct standing {
    bool is_first, is_last, is_copy;
    bool is_outdated; /* the object is held in a newer specification as well */
};

/* Does the other version count, the query being for certain specifications? */
static bool spec_counts(const struct plan *plan, const struct record *record,
                        const struct record *other, struct standing *standing)
{
    const struct store_query *query = plan->query;

    if (query->spec_latest) {
        standing->is_outdated = standing->is_outdated || other->spec > record->spec;
        return other->spec == record->spec;
    }
    for (size_t i = 0; i < query->spec_count; i++)
        if (query->specs[i] == (enum stix_spec)other->spec)
            return true;
    return false;
}

static struct standing standing_of(struct plan *plan, const struct record *record, uint64_t seq)
{
    struct standing standing = {.is_first = true, .is_last = true};
    uint64_t us = record_key_us(record);
    uint32_t rest = record_key_rest(record), collection = plan->query->collection;
    struct id_version version;
    struct id_walk walk;

    id_open(&walk, &plan->view->txn, &record->uuid, record->type);
    while (id_next(&walk, &version)) {
        struct record other;

        if (version.seq >= plan->view->seq_end || version.seq == seq)
            continue;
        if (collection != 0 &&
            (!record_at(plan, version.seq, &other) || other.collection != collection))
            continue;
        if (plan->specs_mixed && !spec_counts(plan, record, &other, &standing))
            continue;
        int order = version_order(us, rest, &version);
        standing.is_first = standing.is_first && order <= 0;
        standing.is_last = standing.is_last && order >= 0;
        standing.is_copy = standing.is_copy || (order == 0 && version.seq < seq);
    }
    id_close(&walk);
    return standing;
}

static bool version_accepted(struct plan *plan, const struct record *record, uint64_t seq)
{
    bool is_any = plan->query->collection == 0;

    if (!is_any && !plan->specs_mixed) {
        if (plan->wants_all)
            return true;
        if (plan->wants_last && !dead_cached(&plan->dead, &plan->view->txn, DEAD_SUPERSEDED, seq))
            return true;
        if (version_listed(plan, record, seq))
            return true;
        return plan->wants_first && standing_of(plan, record, seq).is_first;
    }
    struct standing standing = standing_of(plan, record, seq);
    return !standing.is_copy && !standing.is_outdated &&
           (plan->wants_all || (plan->wants_last && standing.is_last) ||
            (plan->wants_first && standing.is_first) || version_listed(plan, record, seq));
}

/* Parts [from..] of the phrase, in a row from the walk's present word on. */
static bool phrase_follows(const struct phrase *phrase, struct word_walk walk)
{
    for (size_t part = 0;; part++) {
        bool is_last = part + 1 == phrase->count;

        /* The copy's word points into the other's bytes: the same bytes. */
        walk.word.at = walk.bytes;
        if (is_last && phrase->is_prefix ? !slice_starts(walk.word, phrase->parts[part])
                                         : !slice_eq(walk.word, phrase->parts[part]))
            return false;
        if (is_last)
            return true;
        if (!word_next(&walk) || !walk.joined)
            return false;
    }
}

static bool phrase_in(const struct phrase *phrase, slice text)
{
    struct word_walk walk = WORD_WALK(text);

    while (word_next(&walk))
        if (phrase_follows(phrase, walk))
            return true;
    return false;
}

static bool phrases_stand(struct plan *plan, const struct record *record)
{
    struct stix_object object;

    if (failed(opener_need(plan)) ||
        !opener_open(plan->opener, &plan->view->store->files, record, &object))
        return false;
    for (size_t i = 0; i < plan->phrase_count; i++) {
        struct text_walk texts = text_walk(&object, &plan->opener->arena);
        bool found = false;
        slice text;

        while (!found && text_next(&texts, &text))
            found = phrase_in(&plan->phrases[i], text);
        if (!found)
            return false;
    }
    return true;
}

/* Everything that no walk has settled. */
static bool accepted(struct plan *plan, uint64_t seq)
{
    const struct store_query *query = plan->query;
    bool has_range = query->has_modified_from || query->has_modified_until;
    struct record record;

    if (plan->is_plain && dead_clean(&plan->dead, &plan->view->txn, seq))
        return true;
    if (dead_cached(&plan->dead, &plan->view->txn, DEAD_REMOVED, seq) ||
        !record_at(plan, seq, &record) || !version_accepted(plan, &record, seq))
        return false;
    if (has_range && (!record.has_version || !in_modified_range(query, &record.version)))
        return false;
    return plan->phrase_count == 0 || phrases_stand(plan, &record);
}

uint64_t plan_next(struct plan *plan, uint64_t seq)
{
    if (plan->matches_nothing)
        return SEQ_NONE;
    if (seq < plan->seq_from)
        seq = plan->seq_from;
    for (;;) {
        uint64_t target = seq;

        for (size_t i = 0; i < plan->filter_count && seq == target; i++)
            seq = branches_seek(&plan->filters[i], target);
        if (seq == target)
            seq = run_seek(&plan->runs, target);
        if (seq == SEQ_NONE || seq >= plan->view->seq_end)
            return SEQ_NONE;
        if (seq > target)
            continue;
        if (accepted(plan, seq))
            return seq;
        seq++;
    }
}

/* A run of the collection, up to the end of a block in which nothing died. */
uint64_t plan_stretch(struct plan *plan, uint64_t seq)
{
    uint64_t end = (seq / DEAD_BLOCK_SEQS + 1) * DEAD_BLOCK_SEQS;

    if (!plan->is_plain || plan->filter_count > 0 || seq < plan->runs.first ||
        seq >= plan->runs.end || !dead_clean(&plan->dead, &plan->view->txn, seq))
        return seq + 1;
    end = end < plan->runs.end ? end : plan->runs.end;
    return end < plan->view->seq_end ? end : plan->view->seq_end;
}

bool plan_accepts(struct plan *plan, uint64_t seq)
{
    struct record record;

    if (plan->matches_nothing || seq < plan->seq_from || seq >= plan->view->seq_end ||
        !record_at(plan, seq, &record) ||
        (plan->query->collection != 0 && record.collection != plan->query->collection))
        return false;
    for (size_t i = 0; i < plan->filter_count; i++)
        if (!branches_contain(&plan->filters[i], seq))
            return false;
    return accepted(plan, seq);
}
