/* Whatever is altered in a folder, the check finds it and names the place. */
#include "rows.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/witness.h"
#include "node/check.h"
#include "verify/altering.h"

#include "base/banned.h"

#define ENTRIES 24
#define OBJECTS 6
#define LOG_ALTERATIONS 9400
#define TABLE_ALTERATIONS 200
#define FILE_ALTERATIONS 400

static char top[64], folder[80];
static struct node node;
static uint64_t chance;

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void must(result r, const struct diag *diag)
{
    if (failed(r))
        fail_msg("%s", diag->text);
}

/* ---- a folder with a history ---- */

static void objects_take(uint32_t collection)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 16);
    CLEANUP(source_close) struct source *source = NULL;
    const struct import_options options = {.collection = collection,
                                           .mode = STIX_NORMAL,
                                           .object_bytes_max = 1 << 20,
                                           .json_depth_max = 64,
                                           .origin = SLICE("test"),
                                           .actor = SLICE("cli")};
    struct import_counts counts;
    struct diag diag = {0};

    buf_byte(&text, '[');
    for (unsigned i = 0; i < OBJECTS; i++)
        buf_printf(
            &text,
            "%s{\"type\":\"malware\",\"spec_version\":\"2.1\",\"id\":\"malware--11111111-1111-"
            "4111-8111-%012u\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-"
            "01T00:00:00.000Z\",\"name\":\"harbour %u\",\"is_family\":false}",
            i > 0 ? "," : "", i, i);
    buf_byte(&text, ']');
    must(source_of_memory(buf_slice(&text), &source, &diag), &diag);
    must(store_import(node.store, source, &options, &counts, &diag), &diag);
    assert_int_equal(counts.taken, OBJECTS);
}

static void history_make(void)
{
    struct collection collection;
    struct account account;
    struct diag diag = {0};
    uint64_t number = 0;
    bool is_new;

    must(node_create(folder, &node, &diag), &diag);
    must(node_keys(&node, &diag), &diag);
    must(store_collection_add(node.store, NULL, SLICE("one"), SLICE("a"), SLICE(""), SLICE("cli"),
                              &collection, &diag),
         &diag);
    objects_take(collection.number);
    must(account_add(node.accounts, SLICE("sato"), ROLE_ANALYST, SLICE(""), SLICE("cli"), &account,
                     &diag),
         &diag);
    must(account_grant(node.accounts, SLICE("sato"), collection.number, RIGHT_READ, SLICE("cli"),
                       &diag),
         &diag);
    while (number + 1 < ENTRIES) {
        must(ledger_note(&node.ledger, SLICE("export"),
                         SLICE("{\"actor\":\"cli\",\"collection\":1,\"count\":1,\"query\":\"-\"}"),
                         &number, &diag),
             &diag);
        if (number % 7 == 0)
            must(ledger_head_sign(&node.ledger, &is_new, &diag), &diag);
    }
    must(ledger_head_sign(&node.ledger, &is_new, &diag), &diag);
}

/* ---- what is told ---- */

static char first_told[DIAG_TEXT_BYTES_MAX];

static void tell(void *context, const struct diag *diag)
{
    (void)context;
    if (first_told[0] == '\0')
        (void)snprintf(first_told, sizeof(first_told), "%s", diag->text);
}

static uint64_t broken_now(void)
{
    struct node_check check = {.tell = tell};

    first_told[0] = '\0';
    node_check(&node, &check);
    return check.broken;
}

static void it_is_whole_to_begin_with(void **state)
{
    struct node_check check = {.tell = tell};

    (void)state;
    node_check(&node, &check);
    assert_string_equal(first_told, "");
    assert_int_equal(check.broken, 0);
    assert_int_equal(check.entries, ENTRIES);
    assert_int_equal(check.additions, OBJECTS);
    assert_true(check.heads >= 3);
}

/* ---- in the log, its tree and its heads; in a transaction that is not kept ---- */

static slice number_key(uint64_t number, char key[8])
{
    for (size_t i = 0; i < 8; i++)
        key[i] = (char)(number >> (56 - 8 * i));
    return slice_of(key, 8);
}

static void value_flip(struct kv_txn *txn, kv_table table, slice key)
{
    CLEANUP(buf_free) struct buf copy = BUF(1 << 17), name = BUF(1024);
    slice value;

    assert_true(kv_get(txn, table, key, &value));
    buf_put(&copy, value);
    buf_put(&name, key);
    copy.at[dice_below(&chance, copy.len)] ^= (char)(1u << dice_below(&chance, 8));
    kv_put(txn, table, buf_slice(&name), buf_slice(&copy));
}

/* A random row of a table. */
static slice row_pick(struct kv_txn *txn, kv_table table, struct buf *key)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    size_t left = dice_below(&chance, (size_t)kv_count(txn, table));

    kv_cursor_open(txn, table, &cursor);
    for (size_t i = 0; i <= left; i++)
        assert_true(kv_next(&cursor));
    buf_put(key, cursor.key);
    return buf_slice(key);
}

static void entry_copy(struct kv_txn *txn, uint64_t number, struct buf *out)
{
    slice text;

    assert_true(ledger_read(txn, node.ledger.log, number, &text));
    buf_put(out, text);
}

static void entries_swap(struct kv_txn *txn, uint64_t a, uint64_t b)
{
    CLEANUP(buf_free) struct buf first = BUF(1 << 17), second = BUF(1 << 17);
    char key[8];

    entry_copy(txn, a, &first);
    entry_copy(txn, b, &second);
    kv_put(txn, node.ledger.log, number_key(a, key), buf_slice(&second));
    kv_put(txn, node.ledger.log, number_key(b, key), buf_slice(&first));
}

/* The tail of the log, with its tree or without. */
static void tail_cut(struct kv_txn *txn, uint64_t from, bool with_tree)
{
    char key[8];

    for (uint64_t number = from; number < ENTRIES; number++) {
        assert_true(kv_delete(txn, node.ledger.log, number_key(number, key)));
        if (with_tree)
            assert_true(
                kv_delete(txn, ledger_tree_table(node.ledger.log), number_key(number, key)));
    }
}

/* Who has the folder but not the key makes a tree that fits the entry that was altered. */
static void history_forge(struct kv_txn *txn, uint64_t number)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 17);
    kv_table log = node.ledger.log;
    char key[8];

    entry_copy(txn, number, &text);
    size_t at = slice_find(buf_slice(&text), SLICE("\"kind\":\""));
    assert_true(at < text.len);
    text.at[at + 8]++;
    kv_put(txn, log, number_key(number, key), buf_slice(&text));
    kv_clear(txn, ledger_tree_table(log));
    for (uint64_t i = 0; i < ENTRIES; i++) {
        CLEANUP(json_parser_free) struct json_parser *parser = NULL;
        struct ledger_entry entry;
        struct diag diag = {0};
        slice one;

        must(json_parser_new(LEDGER_DEPTH_MAX, &parser, &diag), &diag);
        assert_true(ledger_read(txn, log, i, &one));
        must(ledger_parse(parser, one, &entry, &diag), &diag);
        ledger_tree_derive(txn, log, &entry, one);
    }
}

/* Words that must be told first; NULL: anything. */
static const char *log_alter(struct kv_txn *txn, char words[64])
{
    CLEANUP(buf_free) struct buf name = BUF(1024), copy = BUF(1 << 17);
    kv_table log = node.ledger.log;
    uint64_t a = dice_below(&chance, ENTRIES), b = dice_below(&chance, ENTRIES - 1);
    char key[8];

    b += b >= a; /* another one */
    (void)snprintf(words, 64, "entry %llu", (unsigned long long)a);
    switch (dice_below(&chance, 9)) {
    case 0:
    case 1:
    case 2:
        value_flip(txn, log, number_key(a, key));
        return words;
    case 3:
        assert_true(kv_delete(txn, log, number_key(a, key)));
        return a + 1 < ENTRIES ? words : "entry";
    case 4:
        entries_swap(txn, a, b);
        (void)snprintf(words, 64, "entry %llu", (unsigned long long)(a < b ? a : b));
        return words;
    case 5:
        entry_copy(txn, a, &copy);
        kv_append(txn, log, number_key(ENTRIES, key), buf_slice(&copy));
        return NULL;
    case 6:
        tail_cut(txn, a, dice_below(&chance, 2) == 0);
        return words;
    case 7:
        value_flip(txn, ledger_tree_table(log), number_key(a, key));
        return NULL;
    default:
        if (a > 0 && dice_below(&chance, 2) == 0) {
            history_forge(txn, a);
            return "signed another history";
        }
        value_flip(txn, ledger_fact_table(log), row_pick(txn, ledger_fact_table(log), &name));
        return NULL;
    }
}

static void what_is_altered_in_the_log_is_named(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOG_ALTERATIONS; i++) {
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        struct node_check check = {.log_only = true, .tell = tell};
        struct diag diag = {0};
        char words[64];

        first_told[0] = '\0';
        kv_begin_write(node.ledger.kv, &txn, &diag);
        const char *wanted = log_alter(&txn, words);
        must(txn.state, &diag);
        node_check_log(&node, &txn, &check);
        if (check.broken == 0 || (wanted != NULL && strstr(first_told, wanted) == NULL))
            fail_msg("alteration %u: wanted \"%s\", was told \"%s\"", i,
                     wanted != NULL ? wanted : "anything", first_told);
    }
    assert_int_equal(broken_now(), 0); /* nothing was kept */
}

/* ---- in the tables ---- */

static void what_is_altered_in_a_table_is_named(void **state)
{
    size_t tables = 1; /* there is one */

    (void)state;
    while (store_table_name(node.store, tables) != NULL)
        tables++;
    for (unsigned i = 0; i < TABLE_ALTERATIONS; i++) {
        CLEANUP(buf_free) struct buf key = BUF(1024), before = BUF(1 << 17);
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        const char *name = store_table_name(node.store, dice_below(&chance, tables));
        kv_table table = store_table(node.store, name);
        struct diag diag = {0};
        slice value;

        kv_begin_write(node.ledger.kv, &txn, &diag);
        if (kv_count(&txn, table) == 0)
            continue;
        assert_true(kv_get(&txn, table, row_pick(&txn, table, &key), &value));
        buf_put(&before, value);
        if (before.len == 0 || dice_below(&chance, 4) == 0)
            assert_true(kv_delete(&txn, table, buf_slice(&key)));
        else
            value_flip(&txn, table, buf_slice(&key));
        must(kv_commit(&txn), &diag);
        if (broken_now() == 0)
            fail_msg("an alteration of table %s is not found", name);
        kv_begin_write(node.ledger.kv, &txn, &diag);
        kv_put(&txn, table, buf_slice(&key), buf_slice(&before));
        must(kv_commit(&txn), &diag);
    }
    assert_int_equal(broken_now(), 0);
}

/* ---- in the files ---- */

static void byte_at(const char *name, uint64_t at, uint8_t flip)
{
    char path[160];
    uint8_t byte;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= flip;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static void what_is_altered_in_the_object_files_is_named(void **state)
{
    struct store_status status;
    struct store_view view = {0};
    struct diag diag = {0};

    (void)state;
    store_view_begin(node.store, &view, &diag);
    store_status(&view, &status);
    store_view_end(&view);
    for (unsigned i = 0; i < FILE_ALTERATIONS; i++) {
        bool is_text = dice_below(&chance, 2) == 0;
        const char *name = is_text ? "segments/000000" : "directory";
        uint64_t bytes = is_text ? status.segment_bytes : OBJECTS * 88u;
        uint64_t at = dice_below(&chance, (size_t)bytes);
        uint8_t flip = (uint8_t)(1u << dice_below(&chance, 8));

        byte_at(name, at, flip);
        if (broken_now() == 0 ||
            strstr(first_told, is_text ? "segments/000000" : "directory") == NULL)
            fail_msg("byte %llu of %s: was told \"%s\"", (unsigned long long)at, name, first_told);
        byte_at(name, at, flip);
    }
    assert_int_equal(broken_now(), 0);
}

/* ---- at the start ---- */

/* Neither the log nor the tree is walked at a start: what is altered far back is for the check,
 * what the last head binds is told at once. */
static void a_start_reads_the_end_of_the_log_alone(void **state)
{
    static const struct {
        uint64_t entry;
        bool is_told;
    } rows[] = {{1, false}, {ENTRIES - 1, true}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(buf_free) struct buf before = BUF(1 << 17);
        CLEANUP(kv_abort) struct kv_txn txn = {0};
        struct diag diag = {0};
        char key[8];

        kv_begin_write(node.ledger.kv, &txn, &diag);
        entry_copy(&txn, rows[i].entry, &before);
        value_flip(&txn, node.ledger.log, number_key(rows[i].entry, key));
        must(kv_commit(&txn), &diag);
        assert_true(failed(ledger_check(&node.ledger, &diag)) == rows[i].is_told);
        assert_true(broken_now() > 0);
        diag_reset(&diag);
        kv_begin_write(node.ledger.kv, &txn, &diag);
        kv_put(&txn, node.ledger.log, number_key(rows[i].entry, key), buf_slice(&before));
        must(kv_commit(&txn), &diag);
    }
    assert_int_equal(broken_now(), 0);
}

static int folder_remove(void **state)
{
    (void)state;
    node_close(&node);
    assert_int_equal(nftw(top, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_whole_to_begin_with),
        cmocka_unit_test(what_is_altered_in_the_log_is_named),
        cmocka_unit_test(what_is_altered_in_a_table_is_named),
        cmocka_unit_test(what_is_altered_in_the_object_files_is_named),
        cmocka_unit_test(a_start_reads_the_end_of_the_log_alone),
    };
    struct diag diag = {0};

    chance = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid();
    printf("# seed %llu\n", (unsigned long long)chance);
    (void)snprintf(top, sizeof(top), "/tmp/entente-check-XXXXXX");
    if (mkdtemp(top) == NULL || failed(crypto_start(&diag)))
        return 1;
    (void)snprintf(folder, sizeof(folder), "%s/node", top);
    history_make();
    return cmocka_run_group_tests(tests, NULL, folder_remove);
}
