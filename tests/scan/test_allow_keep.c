#include "rows.h"

#include <ftw.h>
#include <unistd.h>

#include "base/fault.h"
#include "node/node.h"
#include "scan/whole.h"

#include "base/banned.h"

struct place {
    char top[64], folder[80];
    struct node node;
};

static int unlink_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int place_make(void **state)
{
    static struct place place;
    struct diag diag = {0};

    (void)snprintf(place.top, sizeof(place.top), "/tmp/entente-allow-XXXXXX");
    assert_non_null(mkdtemp(place.top));
    (void)snprintf(place.folder, sizeof(place.folder), "%s/node", place.top);
    assert_false(failed(crypto_start(&diag)));
    assert_false(failed(node_create(place.folder, &place.node, &diag)));
    *state = &place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;

    node_close(&place->node);
    assert_int_equal(nftw(place->top, unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    return 0;
}

static const slice values[] = {S("a.example"), S("b.example")};
static const slice others[] = {S("c.example")};
static const slice attributes[] = {S("domain"), S("url")};

static struct allow_list list_of(const slice *list_values, size_t count)
{
    return (struct allow_list){.name = SLICE("Hosts that are harmless"),
                               .version = SLICE("7"),
                               .description = SLICE("why"),
                               .type = ALLOW_HOSTNAME,
                               .attributes = attributes,
                               .attribute_count = 2,
                               .values = list_values,
                               .value_count = count};
}

static bool covers(const struct allow_place *allow_place, const char *name)
{
    CLEANUP(allow_free) struct allow *allow = NULL;
    struct diag diag = {0};

    if (failed(allow_load(allow_place, &allow, &diag)))
        fail_msg("%s", diag.text);
    return allow_covers(allow, SLICE("domain-name:value"), slice_text(name), NULL);
}

static void a_list_is_kept_replaced_and_dropped(void **state)
{
    struct place *place = *state;
    struct allow_place at = node_allow(&place->node);
    struct allow_list list = list_of(values, 2), next = list_of(others, 1);
    struct hash256 before, after;
    struct diag diag = {0};
    bool is_new;

    assert_false(covers(&at, "a.example"));
    assert_false(failed(allow_keep(&at, &list, SLICE("cli"), &is_new, &diag)));
    assert_true(is_new);
    assert_false(failed(allow_keep(&at, &list, SLICE("cli"), &is_new, &diag)));
    assert_false(is_new);
    assert_true(covers(&at, "x.a.example"));
    assert_false(failed(node_rebuild(&place->node, &before, &after, &diag)));
    assert_true(hash256_eq(&before, &after));
    assert_true(covers(&at, "b.example"));
    assert_false(failed(allow_keep(&at, &next, SLICE("cli"), &is_new, &diag)));
    assert_true(is_new && !covers(&at, "a.example") && covers(&at, "c.example"));
    assert_false(failed(allow_drop(&at, list.name, SLICE("cli"), &diag)));
    assert_false(covers(&at, "c.example"));
    assert_int_equal(allow_drop(&at, list.name, SLICE("cli"), &diag).code, ERR_MISSING);
    assert_string_equal(diag.text, "no warning list \"Hosts that are harmless\"");
    diag_reset(&diag);
    assert_false(failed(node_rebuild(&place->node, &before, &after, &diag)));
    assert_true(hash256_eq(&before, &after));
}

static void values_that_changed_are_told(void **state)
{
    struct place *place = *state;
    struct allow_place at = node_allow(&place->node);
    struct allow_list list = list_of(values, 2);
    struct allow *allow = NULL;
    struct hash256 hash = sha256(SLICE("a.example\nb.example\n"));
    struct diag diag = {0};
    char folder[128], name[65];
    bool is_new;

    assert_false(failed(allow_keep(&at, &list, SLICE("cli"), &is_new, &diag)));
    for (size_t i = 0; i < SHA256_BYTES; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", hash.bytes[i]);
    (void)snprintf(folder, sizeof(folder), "%s/allow", place->folder);
    assert_false(failed(whole_write(folder, name, SLICE("a.example\nB.example\n"), &diag)));
    assert_int_equal(allow_load(&at, &allow, &diag).code, ERR_CORRUPT);
    assert_null(allow);
    assert_non_null(strstr(diag.text, "is not what was kept; add the list again"));
    diag_reset(&diag);
    /* Adding it again mends it. */
    assert_false(failed(allow_keep(&at, &list, SLICE("cli"), &is_new, &diag)));
    assert_true(covers(&at, "b.example"));
}

static void every_failure_leaves_all_or_nothing(void **state)
{
    struct place *place = *state;
    struct allow_place at = node_allow(&place->node);
    struct allow_list list = list_of(values, 2);
    unsigned long nth = 0;
    bool is_new;
    result r;

#ifndef ENTENTE_FAULTS
    skip();
#else
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        r = allow_keep(&at, &list, SLICE("cli"), &is_new, &diag);
        bool fired = fault_fired();
        fault_arm(0);
        assert_true(!failed(r) || fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        if (failed(r))
            assert_false(covers(&at, "a.example"));
        else if (fired) /* a step whose failure harms nothing, as of sweeping */
            r = FAIL(ERR_IO), assert_false(failed(allow_drop(&at, list.name, SLICE("cli"), &diag)));
    } while (failed(r));
    assert_true(nth > 3 && covers(&at, "a.example"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_kept_replaced_and_dropped, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(values_that_changed_are_told, place_make, place_remove),
        cmocka_unit_test_setup_teardown(every_failure_leaves_all_or_nothing, place_make,
                                        place_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
