#include "rows.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/node.h"

#include "base/banned.h"

struct place {
    char top[64], folder[80];
};

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int setup(void **state)
{
    static struct place place;
    struct diag diag = {0};

    (void)snprintf(place.top, sizeof(place.top), "/tmp/entente-node-XXXXXX");
    assert_non_null(mkdtemp(place.top));
    (void)snprintf(place.folder, sizeof(place.folder), "%s/node", place.top);
    assert_false(failed(crypto_start(&diag)));
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    const struct place *place = *state;

    assert_int_equal(nftw(place->top, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    return 0;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void a_node_is_made_once_and_opened_again(void **state)
{
    const struct place *place = *state;
    struct node node;
    struct diag diag = {0};

    assert_int_equal(node_open(place->folder, false, &node, &diag).code, ERR_MISSING);
    diag_reset(&diag);
    if (failed(node_create(place->folder, &node, &diag)))
        fail_msg("%s", diag.text);
    assert_string_equal(node.config.title, "Entente");
    node_close(&node);
    assert_int_equal(node_create(place->folder, &node, &diag).code, ERR_CONFLICT);
    assert_non_null(strstr(diag.text, "a node is there already"));
    write_file(place->folder, "entente.yaml", "title: Tokyo\n");
    diag_reset(&diag);
    if (failed(node_open(place->folder, true, &node, &diag)))
        fail_msg("%s", diag.text);
    assert_string_equal(node.config.title, "Tokyo");
    node_close(&node);
    node_close(&node); /* harmless */
}

static void a_folder_of_others_is_left_alone(void **state)
{
    const struct place *place = *state;
    struct node node;
    struct diag diag = {0};

    assert_int_equal(mkdir(place->folder, 0700), 0);
    write_file(place->folder, "thesis.txt", "x");
    assert_int_equal(node_create(place->folder, &node, &diag).code, ERR_CONFLICT);
    assert_non_null(strstr(diag.text, "thesis.txt"));
    assert_int_equal(node_create("", &node, &diag).code, ERR_INVALID);
}

static void bad_settings_stop_the_start(void **state)
{
    const struct place *place = *state;
    struct node node;
    struct diag diag = {0};

    assert_int_equal(mkdir(place->folder, 0700), 0);
    write_file(place->folder, "entente.yaml", "titel: Tokyo\n");
    assert_int_equal(node_create(place->folder, &node, &diag).code, ERR_INVALID);
    assert_non_null(strstr(diag.text, "entente.yaml"));
}

static void one_server_holds_the_folder(void **state)
{
    const struct place *place = *state;
    struct node node, other;
    struct diag diag = {0};
    char wanted[64];
    int lock = -1, second = -1;

    assert_false(failed(node_create(place->folder, &node, &diag)));
    other = node;
    assert_false(failed(node_lock_serve(&node, &lock, &diag)));
    assert_int_equal(node_lock_serve(&other, &second, &diag).code, ERR_CONFLICT);
    (void)snprintf(wanted, sizeof(wanted), "process %ld already", (long)getpid());
    assert_non_null(strstr(diag.text, wanted));
    assert_int_equal(close(lock), 0);
    diag_reset(&diag);
    assert_false(failed(node_lock_serve(&other, &second, &diag)));
    assert_int_equal(close(second), 0);
    node_close(&node);
}

static void all_is_derived_again_to_the_same(void **state)
{
    static const char text[] =
        "[{\"type\":\"malware\",\"spec_version\":\"2.1\",\"id\":\"malware--11111111-1111-4111-8111-"
        "111111111111\",\"created\":\"2020-01-01T00:00:00.000Z\",\"modified\":\"2020-01-01T00:00:"
        "00."
        "000Z\",\"name\":\"a b c\",\"is_family\":false},{\"type\":\"ipv4-addr\",\"spec_version\":"
        "\"2.1\",\"id\":\"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd\",\"value\":\"198.51.100."
        "3\"}]";
    const struct place *place = *state;
    struct import_counts counts;
    struct hash256 before, after;
    struct account account;
    struct collection collection;
    struct node node;
    struct diag diag = {0};

    assert_false(failed(node_create(place->folder, &node, &diag)));
    struct store *store = node.store;
    assert_false(failed(store_collection_add(store, NULL, SLICE("one"), SLICE("a"), SLICE(""),
                                             SLICE("cli"), &collection, &diag)));
    assert_false(failed(account_add(node.accounts, SLICE("sato"), ROLE_ANALYST, SLICE(""),
                                    SLICE("cli"), &account, &diag)));
    assert_false(failed(account_grant(node.accounts, SLICE("sato"), collection.number, RIGHT_READ,
                                      SLICE("cli"), &diag)));
    for (unsigned i = 0; i < 2; i++) {
        CLEANUP(source_close) struct source *source = NULL;
        struct import_options options = {.collection = collection.number,
                                         .mode = STIX_NORMAL,
                                         .object_bytes_max = 1 << 20,
                                         .json_depth_max = 64,
                                         .origin = SLICE("test"),
                                         .actor = SLICE("cli")};

        assert_false(failed(source_of_memory(slice_text(text), &source, &diag)));
        assert_false(failed(store_import(store, source, &options, &counts, &diag)));
    }
    assert_int_equal(counts.held, 2);
    if (failed(node_rebuild(&node, &before, &after, &diag)))
        fail_msg("%s", diag.text);
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_is_made_once_and_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_others_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_settings_stop_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(one_server_holds_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(all_is_derived_again_to_the_same, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
