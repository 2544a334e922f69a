/* Objects over the API: search, one object, the numbers of the situation.  All pass the gate. */
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "scan/report.h"
#include "stix/id.h"
#include "web/api_call.h"

#include "base/banned.h"

#define FOUND_MAX 4000 /* looked at for one answer */
#define LIST_MOST 200
#define LIST_FALLBACK 50
#define RELATED_MOST 100
#define WORDS_MAX 16
#define HOURS 24
#define US_PER_HOUR ((int64_t)3600 * 1000000)
#define COMMENT_BYTES_MAX 4096

struct found {
    struct store_item item;
    bool is_redacted;
};

struct found_list {
    struct found *at; /* in the arena */
    size_t count;
    bool more;
};

static int version_order(const struct found *a, const struct found *b)
{
    return timestamp_cmp(&b->item.version, &a->item.version);
}

static int by_id(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    int order = strcmp(left->item.id, right->item.id);

    return order != 0 ? order : version_order(left, right);
}

static int by_version(const void *a, const void *b)
{
    int order = version_order(a, b);

    return order != 0 ? order : by_id(a, b);
}

/* An object that lies in several collections is told once. */
static void found_settle(struct found_list *list, size_t limit)
{
    size_t kept = 0;

    qsort(list->at, list->count, sizeof(list->at[0]), by_id);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || by_id(&list->at[kept - 1], &list->at[i]) != 0)
            list->at[kept++] = list->at[i];
    qsort(list->at, kept, sizeof(list->at[0]), by_version);
    list->more = list->more || kept > limit;
    list->count = kept < limit ? kept : limit;
}

/* What the gate lets through of one addition. */
static result take_one(struct api_call *call, uint64_t seq, struct found_list *list)
{
    struct found *one = &list->at[list->count];
    struct gate_answer answer;

    if (!store_item_at(&call->view, seq, &one->item) || one->item.text.len == 0)
        return OK;
    one->is_redacted = false;
    TRY(gate_decide(call->door->gate, &call->view, &call->reader, &one->item, &call->arena, &answer,
                    &call->diag));
    if (answer.verdict == VERDICT_REDACT && answer.new_id.len < sizeof(one->item.id)) {
        memcpy(one->item.id, answer.new_id.at, answer.new_id.len);
        one->item.id[answer.new_id.len] = '\0';
        one->item.text = answer.text;
        one->is_redacted = true;
        list->count++;
    } else if (answer.verdict == VERDICT_SHARE) {
        list->count++;
    }
    return OK;
}

/* Collection by collection, so that one without a right cannot stand for one with it. */
static result find(struct api_call *call, const struct store_query *asked, size_t limit,
                   struct found_list *list)
{
    struct collection collection = {0};
    /* How many of them are withheld is not known yet. */
    size_t looked = gate_is_inside(&call->reader) ? limit + 1 : FOUND_MAX;

    *list = (struct found_list){.at = arena_new(&call->arena, struct found, FOUND_MAX)};
    if (list->at == NULL)
        return diag_fail(&call->diag, ERR_LIMIT, "no memory for the query");
    while (store_collection_next(&call->view, collection.number, &collection)) {
        struct store_query query = *asked;
        struct store_page page;

        if ((account_rights(call->door->node->accounts, &call->view.txn, &call->account,
                            collection.number) &
             RIGHT_READ) == 0)
            continue;
        query.collection = collection.number;
        TRY(store_find(&call->view, &query, looked, SIZE_MAX, false, &call->arena, &page,
                       &call->diag));
        list->more = list->more || page.more;
        for (size_t i = 0; i < page.count; i++) {
            if (list->count == FOUND_MAX) {
                list->more = true;
                break;
            }
            TRY(take_one(call, page.seqs[i], list));
        }
    }
    found_settle(list, limit);
    return call->view.txn.state;
}

/* ---- one line about each ---- */

static slice string_at(struct api_call *call, const struct json_doc *doc, slice key)
{
    return json_string(doc, json_get(doc, doc->nodes, key), &call->arena);
}

static void put_some(struct api_call *call, const struct json_doc *doc, slice key)
{
    slice value = string_at(call, doc, key);

    if (value.len > 0)
        jw_put_string(&call->w, key, value);
}

static slice title_of(struct api_call *call, const struct json_doc *doc)
{
    static const slice keys[] = {S("name"),    S("value"),    S("pattern"),
                                 S("path"),    S("key"),      S("relationship_type"),
                                 S("opinion"), S("abstract"), S("definition_type")};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        slice text = string_at(call, doc, keys[i]);

        if (text.len > 0)
            return text;
    }
    return SLICE("");
}

static void put_raw_member(struct api_call *call, const struct json_doc *doc, slice key)
{
    const struct json_node *node = json_get(doc, doc->nodes, key);

    if (node == NULL)
        return;
    jw_key(&call->w, key);
    jw_raw(&call->w, json_raw(doc, node));
}

static result row_write(struct api_call *call, struct json_parser *parser, const struct found *one)
{
    char version[TIMESTAMP_TEXT_BYTES_MAX];
    slice type, rest, id = slice_text(one->item.id);
    struct json_doc doc;

    TRY(json_parse_copy(parser, one->item.text, &doc, &call->diag));
    (void)slice_cut(id, '-', &type, &rest);
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("id"), id);
    jw_put_string(&call->w, SLICE("type"), string_at(call, &doc, SLICE("type")));
    jw_put_string(&call->w, SLICE("title"), title_of(call, &doc));
    jw_put_string(&call->w, SLICE("version"),
                  slice_of(version, timestamp_format(&one->item.version, version)));
    call_put_us(call, SLICE("added"), one->item.added_us);
    jw_put_bool(&call->w, SLICE("redacted"), one->is_redacted);
    put_some(call, &doc, SLICE("source_ref"));
    put_some(call, &doc, SLICE("target_ref"));
    put_some(call, &doc, SLICE("sighting_of_ref"));
    put_raw_member(call, &doc, SLICE("count"));
    put_raw_member(call, &doc, SLICE("object_marking_refs"));
    jw_object_end(&call->w);
    return OK;
}

static result rows_write(struct api_call *call, slice key, const struct found_list *list)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;

    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, &call->diag));
    jw_key(&call->w, key);
    jw_array_begin(&call->w);
    for (size_t i = 0; i < list->count; i++)
        TRY(row_write(call, parser, &list->at[i]));
    jw_array_end(&call->w);
    return OK;
}

/* ---- search ---- */

static size_t words_of(slice text, slice words[WORDS_MAX])
{
    slice word;
    size_t count = 0;

    while (text.len > 0 && count < WORDS_MAX) {
        (void)slice_cut(text, ' ', &word, &text);
        if (word.len > 0)
            words[count++] = word;
    }
    return count;
}

/* An id, else a value (an address, a domain, a hash), else words. */
static result search(struct api_call *call, slice text, struct store_query *query, size_t limit,
                     struct found_list *list)
{
    slice *words = arena_new(&call->arena, slice, WORDS_MAX);
    slice *one = arena_new(&call->arena, slice, 1);
    struct stix_id id;

    if (words == NULL || one == NULL)
        return diag_fail(&call->diag, ERR_LIMIT, "no memory to search with");
    query->newest_first = true;
    text = slice_trim(text);
    if (text.len == 0)
        return find(call, query, limit, list);
    *one = text;
    if (stix_id_parse(text, &id)) {
        query->ids = one;
        query->id_count = 1;
        return find(call, query, limit, list);
    }
    struct store_query by_value = *query;
    by_value.values = one;
    by_value.value_count = 1;
    TRY(find(call, &by_value, limit, list));
    if (list->count > 0)
        return OK;
    query->words = words;
    query->word_count = words_of(text, words);
    return find(call, query, limit, list);
}

void api_objects(struct api_call *call)
{
    struct store_query query = {0};
    struct found_list list;
    slice text = SLICE_NONE, type;
    bool broken = false;
    size_t limit;

    if (!call_number(call, SLICE("limit"), 1, LIST_MOST, LIST_FALLBACK, &limit))
        return;
    (void)http_query_find(call->request, SLICE("q"), 0, &text, &broken);
    if (!broken && http_query_find(call->request, SLICE("type"), 0, &type, &broken)) {
        query.types = &type;
        query.type_count = 1;
    }
    if (broken) {
        call_refuse(call, 400, SLICE("the query's escapes are broken"));
        return;
    }
    result r = search(call, text, &query, limit, &list);
    jw_object_begin(&call->w);
    if (succeeded(r))
        r = rows_write(call, SLICE("objects"), &list);
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_put_bool(&call->w, SLICE("more"), list.more);
    jw_object_end(&call->w);
}

/* ---- one object ---- */

static void versions_write(struct api_call *call, const struct found_list *list)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX], hex[2 * SHA256_BYTES];

    jw_key(&call->w, SLICE("versions"));
    jw_array_begin(&call->w);
    for (size_t i = 0; i < list->count; i++) {
        const struct found *one = &list->at[i];

        jw_object_begin(&call->w);
        jw_put_string(&call->w, SLICE("version"),
                      slice_of(text, timestamp_format(&one->item.version, text)));
        call_put_us(call, SLICE("added"), one->item.added_us);
        if (!one->is_redacted) { /* else it is of what may not be known */
            hex_encode(slice_of(one->item.hash.bytes, SHA256_BYTES), hex);
            jw_put_string(&call->w, SLICE("sha256"), slice_of(hex, sizeof(hex)));
        }
        jw_object_end(&call->w);
    }
    jw_array_end(&call->w);
}

static result related_write(struct api_call *call, slice id)
{
    struct store_query out = {.refs_from = &id, .ref_from_count = 1};
    struct store_query in = {.refs_to = &id, .ref_to_count = 1};
    struct found_list list;

    TRY(find(call, &out, RELATED_MOST, &list));
    TRY(rows_write(call, SLICE("points_to"), &list));
    TRY(find(call, &in, RELATED_MOST, &list));
    return rows_write(call, SLICE("pointed_to_by"), &list);
}

/* False: it was refused; else all versions that may be seen, the newest first. */
static bool object_find(struct api_call *call, struct found_list *list)
{
    struct store_query query = {.ids = &call->id, .id_count = 1, .version_all = true};
    struct stix_id id;

    if (!stix_id_parse(call->id, &id)) {
        call_refuse(call, 400, SLICE("an object is named by its STIX id"));
        return false;
    }
    result r = find(call, &query, LIST_MOST, list);
    if (failed(r)) {
        call_failed(call, r);
        return false;
    }
    /* Under its own id alone: who gets a copy must not learn which object it was made of. */
    if (list->count == 0 || list->at[0].is_redacted) {
        call_refuse(call, 404, SLICE("the node has no such object for this account"));
        return false;
    }
    return true;
}

void api_object(struct api_call *call)
{
    struct found_list list;

    if (!object_find(call, &list))
        return;
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("id"), call->id);
    jw_key(&call->w, SLICE("object"));
    jw_raw(&call->w, list.at[0].item.text);
    versions_write(call, &list);
    result r = related_write(call, call->id);
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_object_end(&call->w);
}

/* ---- a hit was noise ---- */

void api_object_false(struct api_call *call)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct report_opinion opinion = {.indicator = call->id};
    struct found_list list;
    struct json_doc doc;

    if (!object_find(call, &list))
        return;
    if (!slice_starts(call->id, SLICE("indicator--"))) {
        call_refuse(call, 400, SLICE("only an indicator's hits can be false"));
        return;
    }
    if (call->request->body.len > 0) {
        if (failed(json_parser_new(JSON_DEPTH_MAX, &parser, &call->diag)) ||
            failed(json_parse_copy(parser, call->request->body, &doc, &call->diag))) {
            call_refuse(call, 400, SLICE("takes {\"comment\": ...} or nothing"));
            return;
        }
        opinion.comment = string_at(call, &doc, SLICE("comment"));
        if (opinion.comment.len > COMMENT_BYTES_MAX) {
            call_refuse(call, 400, SLICE("a comment has at most 4096 bytes"));
            return;
        }
    }
    store_view_end(&call->view); /* what follows writes */
    struct report_place place = node_report(call->door->node, slice_text(call->account.name));
    result r = report_false(&place, &opinion, &call->diag);
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_object_begin(&call->w);
    jw_put_string(&call->w, SLICE("indicator"), call->id);
    jw_object_end(&call->w);
}

/* ---- the situation ---- */

static result hours_write(struct api_call *call, int64_t now_us)
{
    static const slice type[] = {S("sighting")};
    int64_t first_us = now_us - HOURS * US_PER_HOUR;
    struct store_query query = {
        .types = type, .type_count = 1, .has_added_after = true, .added_after_us = first_us};
    uint64_t ours[HOURS] = {0}, theirs[HOURS] = {0};
    struct collection own = {0};
    struct found_list list;

    (void)store_collection_find(&call->view, SLICE(REPORT_ALIAS), &own);
    TRY(find(call, &query, FOUND_MAX - 1, &list));
    for (size_t i = 0; i < list.count; i++) {
        int64_t hour = (list.at[i].item.added_us - first_us) / US_PER_HOUR;

        if (hour < 0 || hour >= HOURS)
            continue;
        if (list.at[i].item.collection == own.number)
            ours[hour]++;
        else
            theirs[hour]++;
    }
    jw_key(&call->w, SLICE("sightings"));
    jw_array_begin(&call->w);
    for (size_t i = 0; i < HOURS; i++) {
        jw_object_begin(&call->w);
        call_put_us(call, SLICE("from"), first_us + (int64_t)i * US_PER_HOUR);
        jw_put_u64(&call->w, SLICE("ours"), ours[i]);
        jw_put_u64(&call->w, SLICE("others"), theirs[i]);
        jw_object_end(&call->w);
    }
    jw_array_end(&call->w);
    jw_put_bool(&call->w, SLICE("sightings_cut"), list.more);
    return OK;
}

void api_situation(struct api_call *call)
{
    const struct world *world = store_world(call->door->node->store);
    int64_t now_us = world->now_us(world->context);
    struct store_query newest = {.newest_first = true};
    struct store_status status;
    struct found_list list;

    jw_object_begin(&call->w);
    call_put_us(call, SLICE("as_of"), now_us);
    if (call->is_inside) { /* how much there is tells a member of what it may not see */
        store_status(&call->view, &status);
        jw_put_u64(&call->w, SLICE("objects"), status.live);
        jw_put_u64(&call->w, SLICE("entries"), status.entries);
    }
    result r = hours_write(call, now_us);
    if (succeeded(r))
        r = find(call, &newest, 10, &list);
    if (succeeded(r))
        r = rows_write(call, SLICE("newest"), &list);
    if (failed(r)) {
        call_failed(call, r);
        return;
    }
    jw_object_end(&call->w);
}
