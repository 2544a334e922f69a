#include "sync/door.h"

#include <pthread.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/time.h"
#include "sync/verify.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define PARTNER_BYTES_MAX 150
#define WATCHED_MAX 1000 /* partners */
#define PATH_HEAD "/partner/v1/"

/* How far a partner's feed was looked through in vain, so that a held request costs a look at one
 * number while nothing happens. */
struct watched {
    char partner[PARTNER_BYTES_MAX + 1];
    struct sync_cursor after, looked;
};

struct sync_door {
    struct sync_place place;
    pthread_mutex_t lock; /* guards what follows */
    struct watched *watched;
    size_t watched_room, watched_count;
    pthread_mutex_t compare_lock; /* guards what follows: the set that was compared last */
    char compared[PARTNER_BYTES_MAX + 1];
    uint64_t compared_entries;
    struct verify_set set;
};

result sync_door_open(const struct sync_place *place, struct sync_door **out, struct diag *diag)
{
    size_t capacity = 0;
    struct sync_door *door = table_grow(NULL, &capacity, 1, 1, sizeof(*door));

    *out = NULL;
    if (door == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the exchange");
    *door = (struct sync_door){.place = *place};
    (void)pthread_mutex_init(&door->lock, NULL);
    (void)pthread_mutex_init(&door->compare_lock, NULL);
    *out = door;
    return OK;
}

void sync_door_close(struct sync_door **door)
{
    if (*door == NULL)
        return;
    (void)pthread_mutex_destroy(&(*door)->lock);
    (void)pthread_mutex_destroy(&(*door)->compare_lock);
    verify_set_free(&(*door)->set);
    table_free((*door)->watched);
    table_free(*door);
    *door = NULL;
}

/* ---- answers ---- */

static void answer_text(struct http_response *response, int status, slice words)
{
    response->status = status;
    response->head = words;
    http_response_header(response, SLICE("Content-Type"), SLICE("text/plain; charset=utf-8"));
}

static void answer_failure(const struct http_request *request, struct http_response *response,
                           int status, const struct diag *diag)
{
    slice words = arena_printf(request->arena, "%s\n", diag->text);

    answer_text(response, status, words.at != NULL ? words : SLICE("failed\n"));
}

/* ---- who asks ---- */

struct asking {
    struct sync_door *door;
    const struct http_request *request;
    struct http_response *response;
    slice partner; /* in the arena */
    uint8_t key[ED25519_PUBLIC_BYTES];
    struct arena arena;
};

static void asking_close(struct asking *asking)
{
    arena_free(&asking->arena);
}

/* By its key alone; what it says of itself counts for nothing. */
static bool partner_of(struct asking *asking)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(buf_free) struct buf text = BUF(128);
    slice key = asking->request->client_key;

    kv_begin_read(asking->door->place.keep.kv, &txn, NULL);
    if (key.len == ED25519_PUBLIC_BYTES) {
        memcpy(asking->key, key.at, sizeof(asking->key));
        if (keep_partner_of_key(&asking->door->place.keep, &txn, asking->key, &asking->arena,
                                &asking->partner))
            return true;
    }
    base64_encode(&text, key);
    log_event(LOG_LEVEL_WARN, "sync.key_refused", "peer=%.*s key=%.*s",
              SLICE_ARG(asking->request->peer), SLICE_ARG(buf_slice(&text)));
    answer_text(asking->response, 403, SLICE("no partner of this node has shown its key\n"));
    return false;
}

/* ---- the feed ---- */

static struct watched *watched_find(struct sync_door *door, slice partner)
{
    for (size_t i = 0; i < door->watched_count; i++)
        if (slice_eq(slice_text(door->watched[i].partner), partner))
            return &door->watched[i];
    return NULL;
}

static bool looked_get(struct sync_door *door, slice partner, struct sync_cursor after,
                       struct sync_cursor *out)
{
    (void)pthread_mutex_lock(&door->lock);
    const struct watched *one = watched_find(door, partner);
    bool is_known = one != NULL && sync_cursor_cmp(one->after, after) == 0;
    if (is_known)
        *out = one->looked;
    (void)pthread_mutex_unlock(&door->lock);
    return is_known;
}

static void looked_put(struct sync_door *door, slice partner, struct sync_cursor after,
                       struct sync_cursor looked)
{
    (void)pthread_mutex_lock(&door->lock);
    struct watched *one = watched_find(door, partner), *moved;

    if (one == NULL && door->watched_count < WATCHED_MAX &&
        (moved = table_grow(door->watched, &door->watched_room, door->watched_count + 1,
                            WATCHED_MAX, sizeof(*moved))) != NULL) {
        door->watched = moved;
        one = &moved[door->watched_count++];
        (void)snprintf(one->partner, sizeof(one->partner), "%.*s", SLICE_ARG(partner));
    }
    if (one != NULL) {
        one->after = after;
        one->looked = looked;
    }
    (void)pthread_mutex_unlock(&door->lock);
}

static bool number_find(const struct http_request *request, slice name, uint64_t *out)
{
    slice text;
    bool broken = false;

    return http_query_find(request, name, 0, &text, &broken) && parse_u64(text, out);
}

static bool cursor_find(const struct http_request *request, slice name, struct sync_cursor *out)
{
    slice text;
    bool broken = false;

    return http_query_find(request, name, 0, &text, &broken) && sync_cursor_parse(text, out);
}

static uint64_t entries_now(const struct sync_place *place)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    kv_begin_read(place->keep.kv, &txn, NULL);
    return ledger_count(&txn, place->keep.log);
}

/* What left is noted before it leaves; the same batch asked for again is the same entry. */
static result sent_note(struct asking *asking, const struct batch_head *head, uint64_t objects,
                        const struct feed_end *end, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    const struct sync_place *place = &asking->door->place;
    char after[SYNC_CURSOR_BYTES_MAX], next[SYNC_CURSOR_BYTES_MAX], root[2 * SHA256_BYTES];
    slice root_text = slice_of(root, sizeof(root));
    struct sync_row row;

    hex_encode(slice_of(head->root.bytes, SHA256_BYTES), root);
    slice from = sync_cursor_format(head->after, after), to = sync_cursor_format(head->next, next);
    {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_read(place->keep.kv, &txn, diag);
        if (sync_row(place, &txn, SYNC_SENT, asking->partner, &asking->arena, &row) &&
            slice_eq(row.after, from) && slice_eq(row.next, to) && slice_eq(row.root, root_text))
            return txn.state;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), asking->partner);
    jw_put_string(&w, SLICE("after"), from);
    jw_put_string(&w, SLICE("next"), to);
    jw_put_string(&w, SLICE("root"), root_text);
    jw_put_u64(&w, SLICE("items"), head->count);
    jw_put_u64(&w, SLICE("objects"), objects);
    jw_put_u64(&w, SLICE("sightings"), end->sightings);
    if (end->withheld > 0) {
        jw_put_u64(&w, SLICE("refused"), end->withheld);
        jw_put_string(&w, SLICE("why"), end->why);
    }
    jw_object_end(&w);
    return sync_note(place, SYNC_SENT, buf_slice(&body), diag);
}

static result batch_answer(struct asking *asking, const struct batch_writer *batch,
                           struct sync_cursor after, const struct feed_end *end, struct diag *diag)
{
    const struct sync_place *place = &asking->door->place;
    CLEANUP(buf_free) struct buf out = BUF(SYNC_BATCH_BYTES_MAX);
    struct batch_head head = {.from = place->keep.own,
                              .to = asking->partner,
                              .after = after,
                              .next = end->next,
                              .root = batch_root(batch),
                              .count = batch->item_count};

    TRY(sent_note(asking, &head, batch->object_count, end, diag));
    batch_write(batch, &head, place->ledger->node_key.seed, &out);
    if (out.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    asking->response->head = arena_copy(asking->request->arena, buf_slice(&out));
    if (asking->response->head.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a batch");
    asking->response->status = 200;
    asking->response->compress = true;
    http_response_header(asking->response, SLICE("Content-Type"), SLICE("application/json"));
    return OK;
}

/* Nothing yet: hold the request as long as the partner is willing to wait. */
static void nothing_answer(struct asking *asking, uint64_t wait_s, struct sync_cursor looked)
{
    uint64_t waited_ns = time_mono_ns() - asking->request->since_mono_ns;
    char text[SYNC_CURSOR_BYTES_MAX];

    if (waited_ns / 1000000000 < wait_s) {
        asking->response->is_held = true;
        return;
    }
    asking->response->status = 204;
    asking->response->no_body = true;
    http_response_header(asking->response, SLICE("Next"),
                         arena_copy(asking->request->arena, sync_cursor_format(looked, text)));
}

static result feed_answer(struct asking *asking, struct sync_cursor after,
                          struct sync_cursor looked, uint64_t wait_s, struct diag *diag)
{
    CLEANUP(batch_free) struct batch_writer batch = {0};
    struct sync_door *door = asking->door;
    struct feed_end end;

    if (looked.entry >= entries_now(&door->place)) {
        nothing_answer(asking, wait_s, looked);
        return OK;
    }
    TRY(batch_begin(&batch, diag));
    TRY(feed_fill(&door->place, asking->partner, looked, &batch, &end, diag));
    if (batch.item_count > 0)
        return batch_answer(asking, &batch, after, &end, diag);
    looked_put(door, asking->partner, after, end.next);
    nothing_answer(asking, wait_s, end.next);
    return OK;
}

/* after: what the partner has; looked: how far it was told there is nothing for it. */
static void feed_handle(struct asking *asking)
{
    struct sync_cursor after, looked, known;
    struct diag diag = {0};
    uint64_t wait_s = 0;

    if (!cursor_find(asking->request, SLICE("after"), &after) ||
        !(number_find(asking->request, SLICE("wait"), &wait_s)) || wait_s > SYNC_WAIT_S_MAX) {
        answer_text(asking->response, 400, SLICE("takes after=ENTRY.INDEX and wait=0 to 300\n"));
        return;
    }
    if (!cursor_find(asking->request, SLICE("looked"), &looked) ||
        sync_cursor_cmp(looked, after) < 0)
        looked = after;
    if (looked.entry > entries_now(&asking->door->place)) {
        sync_note_refused(&asking->door->place, asking->partner,
                          "asked for what comes behind the end of the log");
        answer_text(asking->response, 400, SLICE("the log does not go that far\n"));
        return;
    }
    if (looked_get(asking->door, asking->partner, after, &known) &&
        sync_cursor_cmp(known, looked) > 0)
        looked = known;
    if (failed(feed_answer(asking, after, looked, wait_s, &diag))) {
        log_event(LOG_LEVEL_ERROR, "sync.feed_failed", "partner=%.*s why=\"%s\"",
                  SLICE_ARG(asking->partner), diag.text);
        answer_text(asking->response, 500, SLICE("the feed cannot be made now\n"));
    }
}

/* ---- receipts ---- */

static bool is_same_end(const struct sync_row *row, slice after, slice next, slice root)
{
    return slice_eq(row->after, after) && slice_eq(row->next, next) && slice_eq(row->root, root);
}

static result receipt_note(struct asking *asking, const struct receipt *receipt, slice root,
                           struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    char after[SYNC_CURSOR_BYTES_MAX], next[SYNC_CURSOR_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), asking->partner);
    jw_put_string(&w, SLICE("after"), sync_cursor_format(receipt->after, after));
    jw_put_string(&w, SLICE("next"), sync_cursor_format(receipt->next, next));
    jw_put_string(&w, SLICE("root"), root);
    jw_put_u64(&w, SLICE("objects"), receipt->taken);
    jw_put_u64(&w, SLICE("refused"), receipt->refused);
    if (receipt->result_count > 0)
        jw_put_string(&w, SLICE("why"), receipt->results[receipt->result_count - 1].reason);
    jw_key(&w, SLICE("receipt"));
    jw_raw(&w, asking->request->body);
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the receipt is too long for an entry of the log");
    return sync_note(&asking->door->place, SYNC_RECEIPT, buf_slice(&body), diag);
}

/* A receipt is for the batch that was sent last; the same once more changes nothing. */
static result receipt_take(struct asking *asking, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const struct sync_place *place = &asking->door->place;
    char after[SYNC_CURSOR_BYTES_MAX], next[SYNC_CURSOR_BYTES_MAX], root[2 * SHA256_BYTES];
    struct sync_row sent, had;
    struct receipt receipt;

    TRY(json_parser_new(SYNC_DEPTH_MAX, &parser, diag));
    TRY(receipt_read(parser, asking->request->body, asking->key, &asking->arena, &receipt, diag));
    if (!slice_eq(receipt.from, asking->partner) || !slice_eq(receipt.to, place->keep.own))
        return diag_fail(diag, ERR_DENIED, "the receipt is of another pair of nodes");
    hex_encode(slice_of(receipt.root.bytes, SHA256_BYTES), root);
    slice from = sync_cursor_format(receipt.after, after);
    slice to = sync_cursor_format(receipt.next, next), is = slice_of(root, sizeof(root));
    {
        CLEANUP(kv_abort) struct kv_txn txn = {0};

        kv_begin_read(place->keep.kv, &txn, diag);
        if (sync_row(place, &txn, SYNC_RECEIPT, asking->partner, &asking->arena, &had) &&
            is_same_end(&had, from, to, is))
            return txn.state;
        if (!sync_row(place, &txn, SYNC_SENT, asking->partner, &asking->arena, &sent) ||
            !is_same_end(&sent, from, to, is))
            return diag_fail(diag, ERR_CONFLICT, "the receipt is for no batch that was sent");
    }
    return receipt_note(asking, &receipt, is, diag);
}

static void receipts_handle(struct asking *asking)
{
    struct diag diag = {0};

    if (succeeded(receipt_take(asking, &diag))) {
        asking->response->status = 204;
        asking->response->no_body = true;
        return;
    }
    sync_note_refused(&asking->door->place, asking->partner, diag.text);
    answer_failure(asking->request, asking->response,
                   diag.code == ERR_CONFLICT ? 409
                   : diag.code == ERR_IO     ? 500
                                             : 400,
                   &diag);
}

/* ---- are we in sync? ---- */

static bool bytes_answer(struct asking *asking, const struct buf *body, slice type)
{
    asking->response->head = arena_copy(asking->request->arena, buf_slice(body));
    asking->response->status = 200;
    asking->response->compress = true;
    http_response_header(asking->response, SLICE("Content-Type"), type);
    return !body->overflowed && asking->response->head.at != NULL;
}

/* The set costs a walk through the feed: it is kept for the next round. */
static result compare(struct asking *asking, struct buf *out, struct diag *diag)
{
    struct sync_door *door = asking->door;
    uint64_t entries = entries_now(&door->place);

    if (door->compared_entries != entries ||
        !slice_eq(slice_text(door->compared), asking->partner)) {
        door->compared[0] = '\0';
        verify_set_free(&door->set);
        TRY(verify_set_out(&door->place, asking->partner, &door->set, diag));
        door->compared_entries = entries;
        (void)snprintf(door->compared, sizeof(door->compared), "%.*s", SLICE_ARG(asking->partner));
    }
    const struct reconcile_set set = {door->set.sorted, door->set.count};
    return reconcile_answer(&set, RECONCILE_FRAME_BYTES, asking->request->body, out, diag);
}

static void reconcile_handle(struct asking *asking)
{
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    struct diag diag = {0};

    (void)pthread_mutex_lock(&asking->door->compare_lock);
    result r = compare(asking, &out, &diag);
    (void)pthread_mutex_unlock(&asking->door->compare_lock);
    if (failed(r)) {
        if (diag.code == ERR_INVALID)
            sync_note_refused(&asking->door->place, asking->partner, diag.text);
        answer_failure(asking->request, asking->response, diag.code == ERR_INVALID ? 400 : 500,
                       &diag);
    } else if (!bytes_answer(asking, &out, SLICE("application/octet-stream")))
        answer_text(asking->response, 500, SLICE("no memory for an answer\n"));
}

static result again_note(struct asking *asking, const struct batch_head *head, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    char root[2 * SHA256_BYTES];

    hex_encode(slice_of(head->root.bytes, SHA256_BYTES), root);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("partner"), asking->partner);
    jw_put_string(&w, SLICE("root"), slice_of(root, sizeof(root)));
    jw_put_u64(&w, SLICE("objects"), head->count);
    jw_object_end(&w);
    return sync_note(&asking->door->place, SYNC_AGAIN, buf_slice(&body), diag);
}

static result objects_answer(struct asking *asking, struct diag *diag)
{
    CLEANUP(batch_free) struct batch_writer batch = {0};
    CLEANUP(buf_free) struct buf out = BUF(SYNC_BATCH_BYTES_MAX);
    const struct sync_place *place = &asking->door->place;

    TRY(batch_begin(&batch, diag));
    TRY(verify_batch(place, asking->partner, asking->request->body, &batch, diag));
    struct batch_head head = {.from = place->keep.own,
                              .to = asking->partner,
                              .next = {entries_now(place), 0},
                              .root = batch_root(&batch),
                              .count = batch.item_count};
    if (head.count > 0)
        TRY(again_note(asking, &head, diag));
    batch_write(&batch, &head, place->ledger->node_key.seed, &out);
    return bytes_answer(asking, &out, SLICE("application/json"))
               ? OK
               : diag_fail(diag, ERR_LIMIT, "no memory for a batch");
}

static void objects_handle(struct asking *asking)
{
    struct diag diag = {0};

    if (failed(objects_answer(asking, &diag)))
        answer_failure(asking->request, asking->response, diag.code == ERR_INVALID ? 400 : 500,
                       &diag);
}

/* ---- the door ---- */

static const struct {
    slice path, methods;
    enum http_method method;
    size_t body_bytes_max;
    void (*handle)(struct asking *asking);
} routes[] = {
    {S(SYNC_FEED_PATH), S("GET"), HTTP_GET, 0, feed_handle},
    {S(SYNC_RECEIPTS_PATH), S("POST"), HTTP_POST, SYNC_RECEIPT_BYTES_MAX, receipts_handle},
    {S(SYNC_RECONCILE_PATH), S("POST"), HTTP_POST, RECONCILE_MESSAGE_BYTES_MAX, reconcile_handle},
    {S(SYNC_OBJECTS_PATH), S("POST"), HTTP_POST, VERIFY_BODY_BYTES_MAX, objects_handle},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

bool sync_door_route_at(size_t index, slice *path, slice *methods)
{
    if (index >= ROUTES)
        return false;
    *path = routes[index].path;
    *methods = routes[index].methods;
    return true;
}

bool sync_door_begin(void *context, const struct http_request *request, size_t body_bytes_announced,
                     size_t *body_bytes_max, struct http_response *early)
{
    (void)context;
    (void)body_bytes_announced;
    for (size_t i = 0; i < ROUTES; i++) {
        if (!slice_eq(request->path, routes[i].path))
            continue;
        *body_bytes_max = routes[i].body_bytes_max;
        if (request->method == routes[i].method)
            return false;
        answer_text(early, 405, SLICE("another method\n"));
        return true;
    }
    answer_text(early, 404, SLICE("partners ask under " PATH_HEAD "\n"));
    return true;
}

void sync_door_handle(void *context, const struct http_request *request,
                      struct http_response *response)
{
    CLEANUP(asking_close)
    struct asking asking = {
        .door = context, .request = request, .response = response, .arena = ARENA(ARENA_BYTES_MAX)};

    if (!partner_of(&asking))
        return;
    for (size_t i = 0; i < ROUTES; i++)
        if (slice_eq(request->path, routes[i].path))
            routes[i].handle(&asking);
}
