/* A store in a folder of its own, a clock that can be bent, objects made to order. */
#pragma once

#include "rows.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "ledger/ledger.h"
#include "store/store.h"

struct fixture {
    char folder[64];
    struct store *store;
    struct collection collection;
    struct world world;
    int64_t now_us;
};

static inline int64_t fixture_now(void *context)
{
    struct fixture *fixture = context;

    return fixture->now_us += 1000;
}

static inline void fixture_random(void *context, void *out, size_t bytes)
{
    (void)context;
    random_bytes(out, bytes);
}

static inline int fixture_unlink(const char *path, const struct stat *stat, int kind,
                                 struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(const char *folder)
{
    assert_int_equal(nftw(folder, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline result fixture_open(struct fixture *fixture, struct diag *diag)
{
    struct store_options options = {.folder = fixture->folder,
                                    .map_bytes_max = (size_t)4 << 30,
                                    .create = true,
                                    .world = &fixture->world};

    return store_open(&options, &fixture->store, diag);
}

static inline void fixture_make(struct fixture *fixture)
{
    struct diag diag = {0};

    memset(fixture, 0, sizeof(*fixture));
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/entente-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    fixture->now_us = (int64_t)1700000000 * 1000000;
    fixture->world = world_real;
    fixture->world.now_us = fixture_now;
    fixture->world.random = fixture_random;
    fixture->world.context = fixture;
    if (failed(crypto_start(&diag)) || failed(fixture_open(fixture, &diag)) ||
        failed(store_collection_add(fixture->store, NULL, SLICE("first"), SLICE("one"), SLICE(""),
                                    SLICE("test"), &fixture->collection, &diag)))
        fail_msg("%s", diag.text);
}

static inline void fixture_close(struct fixture *fixture)
{
    store_close(&fixture->store);
}

static inline void fixture_reopen(struct fixture *fixture)
{
    struct diag diag = {0};

    store_close(&fixture->store);
    if (failed(fixture_open(fixture, &diag)))
        fail_msg("%s", diag.text);
}

static inline void fixture_remove(struct fixture *fixture)
{
    store_close(&fixture->store);
    folder_remove(fixture->folder);
}

/* ---- objects ---- */

/* The n-th indicator in its v-th version. */
static inline void put_indicator(struct buf *out, unsigned n, unsigned v)
{
    buf_printf(
        out,
        "{\"type\":\"indicator\",\"spec_version\":\"2.1\","
        "\"id\":\"indicator--00000000-0000-4000-8000-%012u\","
        "\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"20%02u-01-01T00:00:00.000Z\","
        "\"name\":\"host%u.example.com\",\"pattern\":\"[domain-name:value = "
        "'host%u.example.com']\",\"pattern_type\":\"stix\","
        "\"valid_from\":\"2020-01-01T00:00:00Z\"}",
        n, 20 + v, n, n);
}

static inline void put_indicators(struct buf *out, unsigned first, unsigned count, unsigned v)
{
    buf_printf(out, "{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000000\","
                    "\"objects\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buf_byte(out, ',');
        put_indicator(out, first + i, v);
    }
    buf_put(out, SLICE("]}"));
}

static inline result import_into(struct fixture *fixture, uint32_t collection, slice text,
                                 struct import_counts *counts, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    struct import_options options = {
        .collection = collection,
        .mode = STIX_NORMAL,
        .object_bytes_max = (size_t)32 << 20,
        .json_depth_max = 256,
        .origin = SLICE("test"),
        .actor = SLICE("test"),
        .threads = 1,
    };

    TRY(source_of_memory(text, &source, diag));
    return store_import(fixture->store, source, &options, counts, diag);
}

static inline struct import_counts import_ok(struct fixture *fixture, uint32_t collection,
                                             slice text)
{
    struct import_counts counts;
    struct diag diag = {0};

    if (failed(import_into(fixture, collection, text, &counts, &diag)))
        fail_msg("%s", diag.text);
    return counts;
}

static inline struct import_counts import_indicators(struct fixture *fixture, unsigned first,
                                                     unsigned count, unsigned v)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 30);

    put_indicators(&text, first, count, v);
    return import_ok(fixture, fixture->collection.number, buf_slice(&text));
}

static inline struct hash256 state_hash(struct fixture *fixture)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct hash256 hash;
    struct diag diag = {0};

    store_view_begin(fixture->store, &view, &diag);
    if (failed(store_state_hash(&view, &hash, &diag)))
        fail_msg("%s", diag.text);
    return hash;
}

/* Derives every table again from the log, as node_rebuild does. */
static inline result fixture_rebuild(struct fixture *fixture, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    kv_table log = store_log_table(fixture->store);
    slice text;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    kv_begin_write(store_kv(fixture->store), &txn, diag);
    store_clear_derived(fixture->store, &txn);
    for (uint64_t number = 0; ledger_read(&txn, log, number, &text); number++) {
        struct ledger_entry entry;

        TRY(ledger_parse(parser, text, &entry, diag));
        assert_true(store_apply(fixture->store, &txn, entry.kind, number, text));
    }
    return kv_commit(&txn);
}

static inline void check_rebuild(struct fixture *fixture)
{
    struct hash256 before = state_hash(fixture);
    struct diag diag = {0};

    if (failed(fixture_rebuild(fixture, &diag)))
        fail_msg("%s", diag.text);
    struct hash256 after = state_hash(fixture);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
}
