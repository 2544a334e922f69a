#include "sync/verify.h"

#include <stdlib.h>

#include "base/encode.h"
#include "ledger/ledger.h"
#include "json/canonical.h"

#include "base/banned.h"

#define ITEMS_MAX ((size_t)16 << 20)
#define OBJECT_BYTES_MAX ((size_t)64 << 20)
#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define HEX_BYTES (2 * (size_t)SHA256_BYTES)

struct verify_item {
    struct reconcile_item item;
    uint64_t object; /* the first bytes of the hash of its id */
    uint64_t seq;    /* of the addition; on the side that holds it */
};

void verify_set_free(struct verify_set *set)
{
    table_free(set->items);
    table_free(set->sorted);
    *set = (struct verify_set){0};
}

static uint64_t object_of(slice id)
{
    struct hash256 hash = sha256(id);
    struct reader reader = READER(slice_of(hash.bytes, SHA256_BYTES));

    return read_u64(&reader);
}

static bool set_add(struct verify_set *set, slice id, int64_t us, const struct hash256 *hash,
                    uint64_t seq)
{
    struct verify_item *moved =
        table_grow(set->items, &set->item_room, set->count + 1, ITEMS_MAX, sizeof(*moved));

    if (moved == NULL)
        return false;
    set->items = moved;
    struct verify_item *one = &moved[set->count++];
    *one = (struct verify_item){
        .item = {.seq = us > 0 ? (uint64_t)us : 0}, .object = object_of(id), .seq = seq};
    memcpy(one->item.id, hash->bytes, sizeof(one->item.id));
    return true;
}

static int by_object(const void *a, const void *b)
{
    const struct verify_item *x = a, *y = b;

    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    if (x->item.seq != y->item.seq)
        return x->item.seq < y->item.seq ? -1 : 1;
    return memcmp(x->item.id, y->item.id, sizeof(x->item.id));
}

/* Of each object the newest alone, in the order of the reconciliation. */
static result set_end(struct verify_set *set, struct diag *diag)
{
    size_t count = 0;

    if (set->count > 0)
        qsort(set->items, set->count, sizeof(*set->items), by_object);
    for (size_t i = 0; i < set->count; i++)
        if (i + 1 == set->count || set->items[i].object != set->items[i + 1].object)
            set->items[count++] = set->items[i];
    set->count = count;
    set->sorted =
        table_grow(NULL, &set->sorted_room, count + 1, ITEMS_MAX + 1, sizeof(*set->sorted));
    if (set->sorted == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for what is compared");
    for (size_t i = 0; i < count; i++)
        set->sorted[i] = set->items[i].item;
    reconcile_sort(set->sorted, count);
    return OK;
}

/* ---- the provider's set ---- */

struct reading {
    struct json_parser *parser; /* owned */
    struct buf scratch;
    struct arena arena;
    slice id; /* of the last; in the arena */
    int64_t us;
    struct hash256 hash;
};

static void reading_free(struct reading *r)
{
    json_parser_free(&r->parser);
    buf_free(&r->scratch);
    arena_free(&r->arena);
}

static bool object_read(struct reading *r, slice text)
{
    struct json_doc doc;

    arena_reset(&r->arena);
    if (failed(json_parse_copy(r->parser, text, &doc, NULL)) ||
        failed(json_canonical_hash(&doc, doc.nodes, &r->scratch, &r->hash, NULL)))
        return false;
    struct value object = {&doc, doc.nodes};
    r->us = 0;
    if (!value_date(value_get(object, SLICE("modified")), &r->us))
        (void)value_date(value_get(object, SLICE("created")), &r->us);
    if (!value_text(value_get(object, SLICE("id")), &r->arena, &r->id))
        return false;
    r->id = arena_copy(&r->arena, r->id);
    return r->id.at != NULL;
}

struct collecting {
    struct reading reading;
    struct verify_set *set;
    bool is_out_of_memory;
};

static void collecting_free(struct collecting *c)
{
    reading_free(&c->reading);
}

static bool collect(void *context, slice way, slice object)
{
    struct collecting *c = context;

    (void)way;
    if (object_read(&c->reading, object) &&
        !set_add(c->set, c->reading.id, c->reading.us, &c->reading.hash, 0))
        c->is_out_of_memory = true;
    return !c->is_out_of_memory;
}

result verify_set_out(const struct sync_place *place, slice partner, struct verify_set *out,
                      struct diag *diag)
{
    CLEANUP(collecting_free)
    struct collecting c = {.reading = {.scratch = BUF(OBJECT_BYTES_MAX), .arena = ARENA(1 << 20)},
                           .set = out};

    TRY(json_parser_new(JSON_DEPTH_MAX, &c.reading.parser, diag));
    TRY(feed_walk(place, partner, collect, &c, diag));
    if (c.is_out_of_memory)
        return diag_fail(diag, ERR_LIMIT, "no memory for what is compared");
    return set_end(out, diag);
}

/* ---- the recipient's set ---- */

/* One entry: if it took something of the partner in, its additions that are there still. */
static result entry_add(struct store_view *view, slice text, slice partner,
                        struct json_parser *parser, struct arena *arena, struct verify_set *out,
                        struct diag *diag)
{
    struct ledger_entry entry;
    int64_t first = 0, count = 0;
    struct store_item item;
    struct way way;
    bool is_ours;

    if (slice_find(text, SLICE("\"origin\":\"" ORIGIN_HEAD)) == SIZE_MAX)
        return OK;
    TRY(ledger_parse(parser, text, &entry, diag));
    struct value root = {&entry.doc, entry.doc.nodes};
    struct value from = value_get(root, SLICE("first")), many = value_get(root, SLICE("count"));
    if (!value_is_there(from) || !value_is_there(many) || !json_i64(from.doc, from.node, &first) ||
        !json_i64(many.doc, many.node, &count) || count == 0)
        return OK;
    arena_reset(arena);
    TRY(origin_of(view, (uint64_t)first, arena, &way, &is_ours, diag));
    if (is_ours || !slice_eq(way.hops[way.hop_count - 1].from, partner))
        return OK;
    for (uint64_t seq = (uint64_t)first; seq < (uint64_t)(first + count); seq++) {
        if (!store_item_at(view, seq, &item) || item.is_removed)
            continue;
        /* What has no version of its own has the date it was added. */
        int64_t us = item.version.us == item.added_us ? 0 : item.version.us;
        if (!set_add(out, slice_text(item.id), us, &item.hash, seq))
            return diag_fail(diag, ERR_LIMIT, "no memory for what is compared");
    }
    return view->txn.state;
}

result verify_set_in(const struct sync_place *place, slice partner, struct verify_set *out,
                     struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    slice text;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    store_view_begin(place->store, &view, diag);
    uint64_t entries = ledger_count(&view.txn, place->keep.log);
    for (uint64_t i = 0; i < entries && ledger_read(&view.txn, place->keep.log, i, &text); i++)
        TRY(entry_add(&view, text, partner, parser, &arena, out, diag));
    TRY(view.txn.state);
    return set_end(out, diag);
}

/* ---- objects once more ---- */

struct choosing {
    struct reading reading;
    struct hash256 *hashes; /* in order */
    size_t count;
    struct batch_writer *out;
};

static void choosing_free(struct choosing *c)
{
    reading_free(&c->reading);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, SHA256_BYTES);
}

static bool choose(void *context, slice way, slice object)
{
    struct choosing *c = context;

    return !object_read(&c->reading, object) ||
           bsearch(&c->reading.hash, c->hashes, c->count, sizeof(*c->hashes), by_bytes) == NULL ||
           batch_object(c->out, way, object);
}

result verify_batch(const struct sync_place *place, slice partner, slice hashes,
                    struct batch_writer *out, struct diag *diag)
{
    CLEANUP(choosing_free)
    struct choosing c = {.reading = {.scratch = BUF(OBJECT_BYTES_MAX), .arena = ARENA(1 << 20)},
                         .out = out};
    struct hash256 wanted[VERIFY_OBJECTS_MAX] = {0};
    slice line;

    for (slice rest = hashes; rest.len > 0;) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (c.count == VERIFY_OBJECTS_MAX || line.len != HEX_BYTES ||
            !hex_decode(line, wanted[c.count].bytes, SHA256_BYTES))
            return diag_fail(diag, ERR_INVALID,
                             "takes at most %d hashes in hexadecimal, a line "
                             "each",
                             VERIFY_OBJECTS_MAX);
        c.count++;
    }
    qsort(wanted, c.count, sizeof(wanted[0]), by_bytes);
    c.hashes = wanted;
    TRY(json_parser_new(JSON_DEPTH_MAX, &c.reading.parser, diag));
    return feed_walk(place, partner, choose, &c, diag);
}

/* ---- the recipient asks ---- */

static result reconcile_all(struct puller *puller, const struct reconcile_set *set,
                            struct reconcile *talk, struct verified *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf message = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(RECONCILE_MESSAGE_BYTES_MAX * 2);
    bool is_done = false;

    TRY(reconcile_begin(set, RECONCILE_FRAME_BYTES, talk, &message, diag));
    while (!is_done) {
        struct http_client_response response;

        arena_reset(&arena);
        TRY(puller_post(puller, SYNC_RECONCILE_PATH, buf_slice(&message), &arena, &response, diag));
        out->bytes += message.len + response.body.len;
        out->rounds++;
        buf_reset(&message);
        TRY(reconcile_step(talk, response.body, &message, &is_done, diag));
    }
    return OK;
}

static result chunk_repair(struct puller *puller, const uint8_t (*needs)[RECONCILE_ID_BYTES],
                           size_t count, bool is_dry,
                           void (*told)(void *context, slice id, bool is_missing), void *context,
                           struct verified *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(VERIFY_BODY_BYTES_MAX);
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const struct sync_partner partner = {.id = puller->partner, .is_confirmed = true};
    struct http_client_response response;
    struct taken taken = {0};
    char hex[HEX_BYTES];
    struct batch batch;

    for (size_t i = 0; i < count; i++) {
        hex_encode(slice_of(needs[i], SHA256_BYTES), hex);
        buf_put(&body, slice_of(hex, sizeof(hex)));
        buf_byte(&body, '\n');
    }
    TRY(puller_post(puller, SYNC_OBJECTS_PATH, buf_slice(&body), &arena, &response, diag));
    TRY(json_parser_new(SYNC_DEPTH_MAX, &parser, diag));
    TRY(batch_read(parser, response.body, puller->key, &arena, &batch, diag));
    for (size_t i = 0; i < batch.head.count; i++) {
        slice id = SLICE("");

        (void)value_text(value_get(value_get(batch.items[i].value, SLICE("object")), SLICE("id")),
                         &arena, &id);
        if (told != NULL)
            told(context, id, true);
    }
    if (is_dry || batch.head.count == 0)
        return OK;
    TRY(sync_take_again(puller->place, &partner, &batch, &taken, diag));
    out->repaired += taken.objects;
    out->held += taken.held;
    out->refused += taken.refused;
    memcpy(out->why, taken.why, sizeof(out->why));
    return OK;
}

static void surplus_tell(const struct puller *puller, const struct verify_set *set,
                         const struct reconcile *talk,
                         void (*told)(void *context, slice id, bool is_missing), void *context)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_item item;

    if (told == NULL || talk->have_count == 0)
        return;
    store_view_begin(puller->place->store, &view, NULL);
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; talk->haves[i] && j < set->count; j++)
            if (memcmp(set->items[j].item.id, set->sorted[i].id, SHA256_BYTES) == 0 &&
                store_item_at(&view, set->items[j].seq, &item)) {
                told(context, slice_text(item.id), false);
                break;
            }
}

result sync_verify(struct puller *puller, bool is_dry,
                   void (*told)(void *context, slice id, bool is_missing), void *context,
                   struct verified *out, struct diag *diag)
{
    CLEANUP(verify_set_free) struct verify_set set = {0};
    CLEANUP(reconcile_free) struct reconcile talk = {0};

    *out = (struct verified){0};
    TRY(verify_set_in(puller->place, puller->partner, &set, diag));
    const struct reconcile_set ours = {set.sorted, set.count};
    TRY(reconcile_all(puller, &ours, &talk, out, diag));
    out->missing = talk.need_count;
    out->surplus = talk.have_count;
    surplus_tell(puller, &set, &talk, told, context);
    for (size_t i = 0; i < talk.need_count; i += VERIFY_OBJECTS_MAX) {
        size_t left = talk.need_count - i;
        size_t count = left < VERIFY_OBJECTS_MAX ? left : VERIFY_OBJECTS_MAX;

        TRY(chunk_repair(puller, (const uint8_t(*)[RECONCILE_ID_BYTES])talk.needs + i, count,
                         is_dry, told, context, out, diag));
    }
    return OK;
}
