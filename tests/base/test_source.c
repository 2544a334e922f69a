#include "base/source.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pack.h"

#include "rows.h"

#include "base/banned.h"

#define CEILING ((size_t)16 << 20)

static char path[] = "/tmp/entente-source-XXXXXX";

static const enum packing packings[] = {PACK_NONE, PACK_GZIP, PACK_ZSTD};

static void fill(struct buf *buf, size_t bytes)
{
    uint64_t noise = 1;

    while (buf->len < bytes) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        buf_printf(buf, "{\"id\":\"indicator--%zu\"},", (size_t)(noise >> 33));
    }
    buf->len = bytes;
    assert_false(buf->overflowed);
}

/* Read to the end in pieces of `room` bytes. */
static result read_all(struct source *source, size_t room, struct buf *out, struct diag *diag)
{
    size_t count;

    do {
        char *at = buf_reserve(out, room);

        assert_non_null(at);
        TRY(source_read(source, at, room, &count, diag));
        assert_true(count <= room);
        out->len += count;
    } while (count > 0);
    TRY(source_read(source, out->at, room, &count, diag));
    assert_int_equal(count, 0); /* the end stays the end */
    return OK;
}

static result read_memory(slice bytes, size_t room, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;

    TRY(source_of_memory(bytes, &source, diag));
    return read_all(source, room, out, diag);
}

static void file_write(slice text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void the_same_bytes_come_whatever_the_packing(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 131071, 131072, 131073, 1000000};
    static const size_t rooms[] = {4096, 65536, 200000};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
            for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
                CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
                CLEANUP(buf_free) struct buf out = BUF(CEILING);

                fill(&plain, sizes[k]);
                assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
                assert_true(succeeded(read_memory(buf_slice(&packed), rooms[r], &out, NULL)));
                assert_true(slice_eq(buf_slice(&out), buf_slice(&plain)));
            }
}

static void one_byte_at_a_time_is_enough(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_free) struct buf packed = BUF(CEILING), out = BUF(CEILING);

        assert_true(succeeded(pack(packings[i], SLICE("some bytes"), &packed, NULL)));
        assert_true(succeeded(read_memory(buf_slice(&packed), 1, &out, NULL)));
        assert_true(slice_eq(buf_slice(&out), SLICE("some bytes")));
    }
}

/* Members of every size, so that their edges meet those of the buffer. */
static void members_in_a_row_are_read_through(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++)
        for (size_t first = 131000; first < 131100; first += 7) {
            CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
            CLEANUP(buf_free) struct buf out = BUF(CEILING);
            uint64_t noise = first;

            for (size_t k = 0; k < first; k++) { /* does not pack: members of about this size */
                noise = noise * 6364136223846793005u + 1442695040888963407u;
                buf_byte(&plain, (char)(noise >> 56));
            }
            assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
            assert_true(succeeded(pack(packings[i], SLICE(""), &packed, NULL)));
            assert_true(succeeded(pack(packings[i], SLICE("end"), &packed, NULL)));
            buf_put(&plain, SLICE("end"));
            assert_true(succeeded(read_memory(buf_slice(&packed), 65536, &out, NULL)));
            assert_true(slice_eq(buf_slice(&out), buf_slice(&plain)));
        }
}

static void a_skippable_zstd_frame_is_skipped(void **state)
{
    CLEANUP(buf_free) struct buf packed = BUF(CEILING), out = BUF(CEILING);

    (void)state;
    buf_put(&packed, SLICE("\x50\x2a\x4d\x18\x03\0\0\0abc"));
    assert_true(succeeded(pack(PACK_ZSTD, SLICE("body"), &packed, NULL)));
    assert_true(succeeded(read_memory(buf_slice(&packed), 100, &out, NULL)));
    assert_true(slice_eq(buf_slice(&out), SLICE("body")));
}

static void a_cut_file_is_never_taken_for_a_whole_one(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        CLEANUP(buf_free) struct buf plain = BUF(CEILING), packed = BUF(CEILING);
        CLEANUP(buf_free) struct buf out = BUF(CEILING);

        fill(&plain, 3000);
        assert_true(succeeded(pack(packings[i], buf_slice(&plain), &packed, NULL)));
        for (size_t bytes = 4; bytes < packed.len; bytes++) {
            struct diag diag = {0};

            buf_reset(&out);
            slice cut = slice_head(buf_slice(&packed), bytes);
            assert_int_equal(read_memory(cut, 100, &out, &diag).code, ERR_INVALID);
            assert_true(slice_find(slice_text(diag.text), SLICE("ends early")) != SIZE_MAX);
        }
        buf_put(&packed, SLICE("garbage"));
        buf_reset(&out);
        assert_int_equal(read_memory(buf_slice(&packed), 100, &out, NULL).code, ERR_INVALID);
    }
}

static void broken_packing_is_refused(void **state)
{
    CLEANUP(buf_free) struct buf packed = BUF(CEILING), out = BUF(CEILING);
    struct diag diag = {0};

    (void)state;
    assert_true(succeeded(pack(PACK_GZIP, SLICE("some bytes to pack"), &packed, NULL)));
    packed.at[packed.len - 5] ^= 1; /* in the checksum */
    assert_int_equal(read_memory(buf_slice(&packed), 100, &out, &diag).code, ERR_INVALID);
    assert_string_equal(diag.text, "broken gzip: incorrect data check");
}

static void a_file_tells_name_size_and_progress(void **state)
{
    CLEANUP(source_close) struct source *source = NULL;
    char out[4];
    size_t count;

    (void)state;
    file_write(SLICE("0123456789"));
    assert_true(succeeded(source_open(path, &source, NULL)));
    assert_string_equal(source_name(source), path);
    assert_int_equal(source_bytes_total(source), 10);
    assert_int_equal(source_bytes_taken(source), 0);
    assert_true(succeeded(source_read(source, out, 4, &count, NULL)));
    assert_true(slice_eq(slice_of(out, count), SLICE("0123")));
    assert_int_equal(source_bytes_taken(source), 4);
}

static const struct {
    const char *name, *path;
    enum err code;
} unopened[] = {
    {"absent", "/nonexistent/feed.json", ERR_MISSING},
    {"folder", "/tmp", ERR_INVALID},
    {"empty name", "", ERR_MISSING},
};

static void what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    CHECK_ROWS(row, unopened) {
        struct source *source = NULL;
        struct diag diag = {0};

        assert_int_equal(source_open(row->path, &source, &diag).code, row->code);
        assert_null(source);
        assert_true(slice_starts(slice_text(diag.text), slice_text(row->path)));
    }
}

static void a_pipe_is_read_as_a_file(void **state)
{
    CLEANUP(buf_free) struct buf packed = BUF(CEILING), out = BUF(CEILING);
    CLEANUP(source_close) struct source *source = NULL;
    int ends[2], input = dup(STDIN_FILENO);

    (void)state;
    assert_true(succeeded(pack(PACK_GZIP, SLICE("through a pipe"), &packed, NULL)));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], packed.at, packed.len), packed.len);
    assert_int_equal(close(ends[1]), 0);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    assert_true(succeeded(source_open("-", &source, NULL)));
    assert_string_equal(source_name(source), "standard input");
    assert_int_equal(source_bytes_total(source), 0);
    assert_true(succeeded(read_all(source, 5, &out, NULL)));
    assert_true(slice_eq(buf_slice(&out), SLICE("through a pipe")));
    source_close(&source);
    assert_null(source);
    assert_true(dup2(input, STDIN_FILENO) >= 0); /* still ours: closing the source left it open */
    (void)close(input);
    (void)close(ends[0]);
}

#ifdef ENTENTE_FAULTS
static void every_failure_has_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_free) struct buf packed = BUF(CEILING);
        unsigned long nth = 0;
        result r;

        fault_arm(0);
        assert_true(succeeded(pack(packings[i], SLICE("body"), &packed, NULL)));
        file_write(buf_slice(&packed));
        do {
            CLEANUP(source_close) struct source *source = NULL;
            struct diag diag = {0};
            char out[100];
            size_t count;

            fault_arm(++nth);
            r = source_open(path, &source, &diag);
            if (succeeded(r))
                r = source_read(source, out, sizeof(out), &count, &diag);
            assert_true(failed(r) == fault_fired());
            assert_true(failed(r) == (diag.text[0] != '\0'));
            assert_true(failed(r) || slice_eq(slice_of(out, count), SLICE("body")));
        } while (failed(r));
        assert_true(nth > 3);
    }
    fault_arm(0);
}
#endif

static int start(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_come_whatever_the_packing),
        cmocka_unit_test(one_byte_at_a_time_is_enough),
        cmocka_unit_test(members_in_a_row_are_read_through),
        cmocka_unit_test(a_skippable_zstd_frame_is_skipped),
        cmocka_unit_test(a_cut_file_is_never_taken_for_a_whole_one),
        cmocka_unit_test(broken_packing_is_refused),
        cmocka_unit_test(a_file_tells_name_size_and_progress),
        cmocka_unit_test(what_cannot_be_opened_is_named),
        cmocka_unit_test(a_pipe_is_read_as_a_file),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(every_failure_has_words),
#endif
    };

    return cmocka_run_group_tests(tests, start, end);
}
