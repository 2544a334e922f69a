#include "stix/checked.h"

/* docs/checks.md shows the table of rules.def; here they are held against each other. */
#define DOCUMENT "docs/checks.md"
#define DOCUMENT_BYTES_MAX ((size_t)1 << 18)

enum { O, W, E };

static const char *const words[] = {[O] = "-", [W] = "finding", [E] = "refused"};

static const struct {
    const char *name, *rule, *asks;
    int strict, normal, lenient;
} rules[] = {
#define RULE(symbol, name, strict, normal, lenient, asks)                                          \
    {#symbol, name, asks, strict, normal, lenient},
#include "stix/rules.def"
#undef RULE
};

static void the_document_shows_the_rules(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(DOCUMENT_BYTES_MAX * 2);
    FILE *file = fopen(DOCUMENT, "rb");

    (void)state;
    assert_non_null(file);
    char *room = buf_reserve(&text, DOCUMENT_BYTES_MAX);
    assert_non_null(room);
    text.len = fread(room, 1, DOCUMENT_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
    CHECK_ROWS(row, rules) {
        CLEANUP(buf_free) struct buf line = BUF(4096);

        buf_printf(&line, "| %s | %s | %s | %s | %s |\n", row->rule, row->asks, words[row->strict],
                   words[row->normal], words[row->lenient]);
        if (slice_find(buf_slice(&text), buf_slice(&line)) == SIZE_MAX)
            fail_msg(DOCUMENT " lacks %.*s", SLICE_ARG(buf_slice(&line)));
    }
}

static void no_mode_is_laxer_than_the_one_behind_it(void **state)
{
    (void)state;
    CHECK_ROWS(row, rules)
        assert_true(row->strict >= row->normal && row->normal >= row->lenient);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_shows_the_rules),
        cmocka_unit_test(no_mode_is_laxer_than_the_one_behind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
