#include "sync/reconcile.h"

#include "base/arena.h"
#include "tests/rows.h"

#include "base/banned.h"

#define FRAME RECONCILE_FRAME_BYTES

/* ---- material: a small generator, the same on every run ---- */

static uint64_t chance_state;

static uint64_t chance(void)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return chance_state >> 33;
}

static struct reconcile_item item(uint64_t seq, uint64_t number)
{
    struct reconcile_item made = {.seq = seq};
    struct hash256 hash = sha256(slice_of(&number, sizeof(number)));

    memcpy(made.id, hash.bytes, sizeof(made.id));
    return made;
}

struct talked {
    size_t bytes, rounds;
};

static struct reconcile_item *items_new(size_t count)
{
    struct reconcile_item *items = calloc(count + 1, sizeof(*items));

    assert_non_null(items);
    return items;
}

/* Both sides to the end; what the initiator learned is in *talk. */
static struct talked talk_all(const struct reconcile_set *ours, const struct reconcile_set *theirs,
                              size_t frame_bytes, struct reconcile *talk)
{
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(buf_free) struct buf back = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    struct talked sum = {0};
    struct diag diag = {0};
    bool is_done = false;

    if (failed(reconcile_begin(ours, frame_bytes, talk, &out, &diag)))
        fail_msg("%s", diag.text);
    while (!is_done) {
        sum.bytes += out.len;
        assert_true(out.len <= frame_bytes);
        if (failed(reconcile_answer(theirs, frame_bytes, buf_slice(&out), &back, &diag)))
            fail_msg("answer: %s", diag.text);
        sum.bytes += back.len;
        assert_true(back.len <= frame_bytes);
        if (failed(reconcile_step(talk, buf_slice(&back), &out, &is_done, &diag)))
            fail_msg("step: %s", diag.text);
    }
    sum.rounds = talk->rounds;
    return sum;
}

/* ---- against brute force ---- */

static bool set_has(const struct reconcile_set *set, const struct reconcile_item *wanted)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].seq == wanted->seq &&
            memcmp(set->items[i].id, wanted->id, RECONCILE_ID_BYTES) == 0)
            return true;
    return false;
}

static bool needs_have(const struct reconcile *talk, const uint8_t *id)
{
    for (size_t i = 0; i < talk->need_count; i++)
        if (memcmp(talk->needs[i], id, RECONCILE_ID_BYTES) == 0)
            return true;
    return false;
}

static void check_differences(const struct reconcile_set *ours, const struct reconcile_set *theirs,
                              const struct reconcile *talk)
{
    size_t haves = 0, needs = 0;

    for (size_t i = 0; i < ours->count; i++) {
        assert_int_equal(talk->haves[i], !set_has(theirs, &ours->items[i]));
        haves += talk->haves[i] ? 1 : 0;
    }
    for (size_t i = 0; i < theirs->count; i++) {
        bool is_needed = !set_has(ours, &theirs->items[i]);

        assert_int_equal(needs_have(talk, theirs->items[i].id), is_needed);
        needs += is_needed ? 1 : 0;
    }
    assert_int_equal(talk->have_count, haves);
    assert_int_equal(talk->need_count, needs);
}

/* Out of `of` items each side holds some; several may have one sequence number. */
static void compare_random(size_t of, size_t each_seq, uint64_t ours_percent,
                           uint64_t theirs_percent, size_t frame_bytes)
{
    struct reconcile_item *a = items_new(of), *b = items_new(of);
    struct reconcile_set ours = {a, 0}, theirs = {b, 0};
    struct reconcile talk;

    for (size_t i = 0; i < of; i++) {
        struct reconcile_item made = item(i / each_seq, i);

        if (chance() % 100 < ours_percent)
            a[ours.count++] = made;
        if (chance() % 100 < theirs_percent)
            b[theirs.count++] = made;
    }
    reconcile_sort(a, ours.count);
    reconcile_sort(b, theirs.count);
    (void)talk_all(&ours, &theirs, frame_bytes, &talk);
    check_differences(&ours, &theirs, &talk);
    reconcile_free(&talk);
    free(a);
    free(b);
}

static void test_differences_are_those_of_brute_force(void **state)
{
    static const struct {
        const char *name;
        size_t of, each_seq;
        uint64_t ours, theirs;
        size_t frame_bytes;
    } rows[] = {
        {"both empty", 0, 1, 100, 100, FRAME},
        {"one item, here alone", 1, 1, 100, 0, FRAME},
        {"one item, there alone", 1, 1, 0, 100, FRAME},
        {"equal and short", 20, 1, 100, 100, FRAME},
        {"as long as a list can be", 31, 1, 100, 100, FRAME},
        {"as short as fingerprints can be", 32, 1, 100, 90, FRAME},
        {"nothing in common", 400, 1, 50, 0, FRAME},
        {"all there and nothing here", 900, 1, 0, 100, FRAME},
        {"all here and nothing there", 900, 1, 100, 0, FRAME},
        {"few differ", 900, 1, 99, 99, FRAME},
        {"half of each", 900, 1, 50, 50, FRAME},
        {"one number for all", 500, 1000, 80, 80, FRAME},
        {"numbers of three", 500, 3, 90, 60, FRAME},
        {"small frames", 900, 2, 50, 90, RECONCILE_FRAME_BYTES_MIN},
        {"small frames, all there", 900, 1, 0, 100, RECONCILE_FRAME_BYTES_MIN},
        {"small frames, all here", 900, 1, 100, 0, RECONCILE_FRAME_BYTES_MIN},
    };

    (void)state;
    chance_state = 4;
    CHECK_ROWS(row, rows)
        for (int i = 0; i < 4; i++)
            compare_random(row->of, row->each_seq, row->ours, row->theirs, row->frame_bytes);
}

static void test_random_sets(void **state)
{
    (void)state;
    chance_state = 5;
    for (int i = 0; i < 150; i++)
        compare_random(chance() % 250, 1 + chance() % 5, chance() % 101, chance() % 101,
                       i % 2 == 0 ? FRAME : RECONCILE_FRAME_BYTES_MIN);
}

/* ---- what it costs ---- */

enum missing { NONE, RECENT, ANYWHERE, RECENT_BOTH };

static void check_traffic(enum missing missing, bool is_initiators, size_t bytes_max)
{
    const size_t all = 100000, differing = missing == NONE ? 0 : 1000;
    struct reconcile_item *full = items_new(all), *less = items_new(all);
    struct reconcile_set whole = {full, 0}, part = {less, 0};
    struct reconcile talk;

    chance_state = 6;
    for (size_t i = 0; i < all; i++) {
        bool is_missing = missing == RECENT || missing == RECENT_BOTH ? i >= all - differing
                          : missing == ANYWHERE                       ? i % 100 == chance() % 2
                                                                      : false;
        bool is_of_part = missing == RECENT_BOTH && is_missing && i % 2 == 0;

        if (!is_of_part)
            full[whole.count++] = item(i, i);
        if (!is_missing || is_of_part)
            less[part.count++] = item(i, i);
    }
    struct talked sum = is_initiators ? talk_all(&part, &whole, FRAME, &talk)
                                      : talk_all(&whole, &part, FRAME, &talk);
    if (missing != RECENT_BOTH) {
        size_t lacking = whole.count - part.count;

        assert_int_equal(talk.need_count, is_initiators ? lacking : 0);
        assert_int_equal(talk.have_count, is_initiators ? 0 : lacking);
    } else {
        assert_int_equal(talk.need_count + talk.have_count, differing);
    }
    print_message("# %zu differ: %zu bytes in %zu rounds\n", talk.need_count + talk.have_count,
                  sum.bytes, sum.rounds);
    assert_true(sum.bytes < bytes_max);
    reconcile_free(&talk);
    free(full);
    free(less);
}

static void test_equal_sets_cost_next_to_nothing(void **state)
{
    (void)state;
    check_traffic(NONE, true, 1000);
}

static void test_recent_differences_cost_their_ids(void **state)
{
    (void)state;
    check_traffic(RECENT, true, 40000);
    check_traffic(RECENT, false, 40000);
    check_traffic(RECENT_BOTH, true, 40000);
}

static void test_scattered_differences_cost_less_than_the_set(void **state)
{
    (void)state;
    check_traffic(ANYWHERE, true, 2000000);
    check_traffic(ANYWHERE, false, 2000000);
}

/* ---- the bytes ---- */

static void test_bytes_are_those_of_the_protocol(void **state)
{
    struct reconcile_item two[2] = {{.seq = 5}, {.seq = 5}};
    struct reconcile_set set = {two, 2};
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    struct reconcile talk;
    uint8_t print[RECONCILE_PRINT_BYTES];
    /* Reckoned apart, from the protocol's text. */
    static const uint8_t nothing[] = {0x7f, 0x9c, 0x9e, 0x31, 0xac, 0x82, 0x56, 0xca,
                                      0x2f, 0x25, 0x85, 0x83, 0xdf, 0x26, 0x2d, 0xbc};
    static const uint8_t wrapped[] = {0xa4, 0x5b, 0x81, 0xd5, 0xbd, 0x8f, 0x90, 0xad,
                                      0xe2, 0x7e, 0xd6, 0xec, 0x28, 0x1d, 0x7f, 0x3e};

    (void)state;
    memset(two[0].id, 0x01, RECONCILE_ID_BYTES);
    memset(two[1].id, 0xff, RECONCILE_ID_BYTES);
    fingerprint(two, 0, print);
    assert_memory_equal(print, nothing, sizeof(print));
    fingerprint(two, 2, print);
    assert_memory_equal(print, wrapped, sizeof(print));

    assert_true(succeeded(reconcile_begin(&set, FRAME, &talk, &out, NULL)));
    assert_int_equal(out.len, 5 + 64);
    assert_memory_equal(out.at, "\x61\x00\x00\x02\x02", 5);
    assert_memory_equal(out.at + 5, two[0].id, RECONCILE_ID_BYTES);
    reconcile_free(&talk);

    struct bound bound = bound_between(&two[0], &two[1]);
    uint64_t seq_last = 3;
    buf_reset(&out);
    bound_write(&bound, &seq_last, &out);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.at, "\x03\x01\xff", 3);
    two[1].seq = 6;
    bound = bound_between(&two[0], &two[1]);
    assert_int_equal(bound.prefix_bytes, 0);
    buf_reset(&out);
    digits_write(300, &out);
    digits_write(UINT64_MAX, &out);
    assert_memory_equal(out.at, "\x82\x2c\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12);
}

static void test_numbers_come_back(void **state)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, 1u << 31, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CLEANUP(buf_free) struct buf out = BUF(64);
        uint64_t back;

        digits_write(numbers[i], &out);
        struct reader from = READER(buf_slice(&out));
        assert_true(succeeded(digits_read(&from, &back, NULL)));
        assert_true(back == numbers[i] && from.rest.len == 0);
    }
}

/* ---- partners that lie ---- */

#define ID(byte)                                                                                   \
    byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte \
        byte byte byte byte byte byte byte byte byte byte byte byte byte

static void test_broken_messages_are_refused(void **state)
{
    static const struct {
        const char *name;
        slice message, says;
    } rows[] = {
        {"nothing", S(""), S("no message")},
        {"not of the protocol", S("{}"), S("no message")},
        {"a bound that ends", S("\x61\x81"), S("within a number")},
        {"no mode", S("\x61\x00\x00"), S("within a number")},
        {"an unknown mode", S("\x61\x00\x00\x03"), S("version 1 has not")},
        {"too many digits", S("\x61\x80\x00\x00"), S("too many digits")},
        {"more than 64 bits", S("\x61\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
         S("too many digits")},
        {"the number of the end",
         S("\x61\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00"
           "\x02\x00\x00"),
         S("no sequence number")},
        {"behind the end", S("\x61\x00\x00\x00\x00\x00\x00"), S("behind the end")},
        {"backwards", S("\x61\x02\x01\x05\x00\x01\x01\x04\x00"), S("before it begins")},
        {"a prefix too long", S("\x61\x02\x21" ID("a") "a\x00"), S("more bytes than an id")},
        {"a prefix that ends",
         S("\x61\x02\x08"
           "abc"),
         S("within a range's bound")},
        {"half a fingerprint",
         S("\x61\x00\x00\x01"
           "12345678"),
         S("within a fingerprint")},
        {"fewer ids than said", S("\x61\x00\x00\x02\x02" ID("a")), S("within a list of ids")},
        {"a great many ids", S("\x61\x00\x00\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
         S("within a list of ids")},
        {"an id twice", S("\x61\x00\x00\x02\x02" ID("a") ID("a")), S("one twice")},
    };
    struct reconcile_item items[3] = {item(1, 1), item(2, 2), item(3, 3)};
    struct reconcile_set set = {items, 3};

    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
        CLEANUP(reconcile_free) struct reconcile talk = {0};
        struct diag diag = {0};
        bool is_done;

        result r = reconcile_answer(&set, FRAME, row->message, &out, &diag);
        assert_int_equal(r.code, ERR_INVALID);
        if (slice_find(slice_text(diag.text), row->says) == SIZE_MAX)
            fail_msg("%s", diag.text);
        assert_true(succeeded(reconcile_begin(&set, FRAME, &talk, &out, NULL)));
        r = reconcile_step(&talk, row->message, &out, &is_done, NULL);
        assert_int_equal(r.code, ERR_INVALID);
        assert_false(is_done);
    }
}

static void test_another_version_is_answered_with_ours(void **state)
{
    struct reconcile_set set = {NULL, 0};
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(reconcile_free) struct reconcile talk = {0};
    struct diag diag = {0};
    bool is_done;

    (void)state;
    assert_true(succeeded(reconcile_answer(&set, FRAME, SLICE("\x62whatever"), &out, NULL)));
    assert_int_equal(out.len, 1);
    assert_int_equal((uint8_t)out.at[0], 0x61);
    assert_true(succeeded(reconcile_begin(&set, FRAME, &talk, &out, NULL)));
    assert_int_equal(reconcile_step(&talk, SLICE("\x62"), &out, &is_done, &diag).code, ERR_INVALID);
    assert_non_null(strstr(diag.text, "version 2"));
}

/* A partner that says forever that all is different. */
static void test_a_talk_without_end_ends(void **state)
{
    static const slice different = S("\x61\x00\x00\x01"
                                     "0123456789abcdef");
    struct reconcile_item one = item(1, 1);
    struct reconcile_set set = {&one, 1};
    CLEANUP(buf_free) struct buf out = BUF(RECONCILE_MESSAGE_BYTES_MAX);
    CLEANUP(reconcile_free) struct reconcile talk = {0};
    bool is_done = false;
    result r = OK;

    (void)state;
    assert_true(succeeded(reconcile_begin(&set, FRAME, &talk, &out, NULL)));
    for (int i = 0; succeeded(r) && i <= RECONCILE_ROUNDS_MAX; i++) {
        r = reconcile_step(&talk, different, &out, &is_done, NULL);
        assert_false(is_done);
    }
    assert_int_equal(r.code, ERR_LIMIT);
}

static void test_sets_out_of_order_are_refused(void **state)
{
    struct reconcile_item items[2] = {item(2, 1), item(1, 2)};
    struct reconcile_set set = {items, 2};
    CLEANUP(buf_free) struct buf out = BUF(64);

    (void)state;
    assert_int_equal(reconcile_set_check(&set, NULL).code, ERR_INVALID);
    items[1] = items[0];
    assert_int_equal(reconcile_set_check(&set, NULL).code, ERR_INVALID);
    items[1].seq = RECONCILE_END;
    assert_int_equal(reconcile_set_check(&set, NULL).code, ERR_INVALID);
    assert_int_equal(
        reconcile_answer(&set, RECONCILE_FRAME_BYTES_MIN - 1, SLICE("\x61"), &out, NULL).code,
        ERR_LIMIT);
    items[1].seq = 3;
    assert_true(succeeded(reconcile_set_check(&set, NULL)));
    /* An answer that has no memory is none. */
    assert_int_equal(reconcile_answer(&set, FRAME, SLICE("\x61\x00\x00\x02\x00"), &out, NULL).code,
                     ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences_are_those_of_brute_force),
        cmocka_unit_test(test_random_sets),
        cmocka_unit_test(test_equal_sets_cost_next_to_nothing),
        cmocka_unit_test(test_recent_differences_cost_their_ids),
        cmocka_unit_test(test_scattered_differences_cost_less_than_the_set),
        cmocka_unit_test(test_bytes_are_those_of_the_protocol),
        cmocka_unit_test(test_numbers_come_back),
        cmocka_unit_test(test_broken_messages_are_refused),
        cmocka_unit_test(test_another_version_is_answered_with_ours),
        cmocka_unit_test(test_a_talk_without_end_ends),
        cmocka_unit_test(test_sets_out_of_order_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
