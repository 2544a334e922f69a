/* Blocks of whole lines: however the bytes come in, the same lines come out. */
#include "rows.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "scan/files.h"

#include "base/banned.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20)

struct told {
    size_t lost, long_lines;
    uint64_t line;
    char words[256];
};

static void report(void *context, enum input_trouble trouble, const char *name, uint64_t line,
                   const char *words)
{
    struct told *told = context;

    told->lost += trouble == INPUT_LOST;
    told->long_lines += trouble == INPUT_LONG;
    told->line = line;
    (void)snprintf(told->words, sizeof(told->words), "%s: %s", name, words);
}

struct bytes {
    slice rest;
    size_t step;
    bool is_waiting; /* says so after each step, as a pipe does */
    bool has_waited;
};

static result bytes_read(void *context, char *out, size_t room, size_t *count,
                         enum input_state *state, struct diag *diag)
{
    struct bytes *bytes = context;
    slice head = slice_head(bytes->rest, bytes->step < room ? bytes->step : room);

    (void)diag;
    *count = 0;
    *state = bytes->rest.len == 0 ? INPUT_END : INPUT_MORE;
    if (bytes->rest.len > 0 && bytes->is_waiting && !bytes->has_waited) {
        bytes->has_waited = true;
        *state = INPUT_WAIT;
        return OK;
    }
    bytes->has_waited = false;
    if (head.len > 0)
        memcpy(out, head.at, head.len);
    *count = head.len;
    bytes->rest = slice_from(bytes->rest, head.len);
    return OK;
}

/* "line@offset text" for each line, and checks of what holds for every block. */
static void blocks_print(const struct input_block *block, struct buf *out)
{
    slice rest = block->bytes, line;
    uint64_t offset = block->offset, number = block->line_number;

    assert_true(block->is_last || slice_ends(rest, SLICE("\n")));
    while (rest.len > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        buf_printf(out, "%llu@%llu ", (unsigned long long)number, (unsigned long long)offset);
        buf_put(out, line);
        buf_byte(out, '\n');
        number++;
        offset = block->offset + (uint64_t)(rest.at - block->bytes.at);
    }
    assert_int_equal(number, block->line_number + block->line_count);
    char seen = 0;
    for (size_t i = 0; block->bytes.at != NULL && i < INPUT_PADDING; i++)
        seen |= block->bytes.at[block->bytes.len + i]; /* may be read, whatever stands there */
    buf_put(out, slice_of(&seen, 0));
}

static size_t all_print(slice text, size_t step, size_t block_bytes, bool is_waiting,
                        struct told *told, struct buf *out)
{
    const struct input_choice choice = {.format = "text", .report = report, .context = told};
    struct bytes bytes = {.rest = text, .step = step, .is_waiting = is_waiting};
    struct input_pull pull = {.read = bytes_read, .context = &bytes};
    struct input_stream *stream;
    struct input_block block = {0};
    size_t count = 0;
    bool found;

    assert_true(succeeded(input_stream_new("x", &choice, &stream, NULL)));
    stream->block_bytes = block_bytes;
    do {
        assert_true(succeeded(input_fill(stream, &pull, &block, &found, NULL)));
        if (!found)
            continue;
        count++;
        blocks_print(&block, out);
    } while (!found || !block.is_last);
    assert_true(succeeded(input_fill(stream, &pull, &block, &found, NULL)));
    assert_false(found);
    input_stream_release(&stream);
    input_block_free(&block);
    return count;
}

static const struct {
    const char *name;
    slice text, wanted;
} texts[] = {
    {"none", S(""), S("")},
    {"one line", S("a\n"), S("1@0 a\n")},
    {"without an end", S("a\nbc"), S("1@0 a\n2@2 bc\n")},
    {"blank lines", S("\n\na\n\n"), S("1@0 \n2@1 \n3@2 a\n4@4 \n")},
    {"CRLF stays", S("a\r\nb\r\n"), S("1@0 a\r\n2@3 b\r\n")},
    {"NUL bytes are bytes", S("a\0b\n\0\n"), S("1@0 a\0b\n2@4 \0\n")},
    {"a byte order mark is no part of the line", S("\xEF\xBB\xBF{}\n{}\n"), S("1@3 {}\n2@6 {}\n")},
    {"longer than a block", S("0123456789012345678901234567890123456789\nab\n"),
     S("1@0 0123456789012345678901234567890123456789\n2@41 ab\n")},
};

static void any_step_gives_the_same_lines(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(TEXT_BYTES_MAX);
    struct told told = {0};

    (void)state;
    CHECK_ROWS(row, texts) {
        for (size_t step = 1; step <= 64; step++) {
            for (size_t block = 1; block <= 64; block += block < 8 ? 1 : 7) {
                for (int waiting = 0; waiting < 2; waiting++) {
                    buf_reset(&out);
                    (void)all_print(row->text, step, block, waiting == 1, &told, &out);
                    assert_true(slice_eq(buf_slice(&out), row->wanted));
                }
            }
        }
    }
    assert_int_equal(told.lost + told.long_lines, 0);
}

static void random_texts_give_the_same_lines(void **state)
{
    CLEANUP(buf_free) struct buf whole = BUF(TEXT_BYTES_MAX), parts = BUF(TEXT_BYTES_MAX);
    uint64_t seed = 0x9e3779b97f4a7c15u;
    struct told told = {0};
    char text[600];

    (void)state;
    for (int round = 0; round < 200; round++) {
        size_t len = 0;

        for (; len < sizeof(text) - (size_t)round; len++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[len] = (seed >> 60) == 0 ? '\n' : (char)('a' + (seed >> 33) % 26);
        }
        buf_reset(&whole);
        buf_reset(&parts);
        (void)all_print(slice_of(text, len), len, INPUT_BLOCK_BYTES, false, &told, &whole);
        (void)all_print(slice_of(text, len), 1 + seed % 90, 1 + seed % 70, seed % 2 == 0, &told,
                        &parts);
        assert_true(slice_eq(buf_slice(&whole), buf_slice(&parts)));
    }
}

static void a_line_over_the_limit_is_passed_over(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX), out = BUF(TEXT_BYTES_MAX);
    struct told told = {0};
    size_t len = INPUT_LINE_BYTES_MAX + 3 * INPUT_BLOCK_BYTES;

    (void)state;
    buf_put(&text, SLICE("first\n"));
    memset(buf_reserve(&text, len), 'x', len);
    text.len += len;
    buf_put(&text, SLICE("\nlast\n"));
    (void)all_print(buf_slice(&text), SIZE_MAX, INPUT_BLOCK_BYTES, false, &told, &out);
    char wanted[64];
    int bytes = snprintf(wanted, sizeof(wanted), "1@0 first\n3@%zu last\n", 6 + len + 1);
    assert_true(slice_eq(buf_slice(&out), slice_of(wanted, (size_t)bytes)));
    assert_int_equal(told.long_lines, 1);
    assert_int_equal(told.line, 2);
    /* And one that never ends. */
    buf_reset(&out);
    (void)all_print(slice_head(buf_slice(&text), text.len - 6), SIZE_MAX, INPUT_BLOCK_BYTES, false,
                    &told, &out);
    assert_true(slice_eq(buf_slice(&out), SLICE("1@0 first\n")));
    assert_int_equal(told.long_lines, 2);
}

static void lines_are_counted(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_BYTES_MAX);
    size_t wanted = 0;

    (void)state;
    for (size_t i = 0; i < 70000; i++) {
        char byte = i % 3 == 0 || i > 40000 ? '\n' : 'x';

        assert_int_equal(i % 997 == 0 ? input_count_lines(buf_slice(&text)) : wanted, wanted);
        buf_byte(&text, byte);
        wanted += byte == '\n';
    }
    assert_int_equal(input_count_lines(buf_slice(&text)), wanted);
    assert_int_equal(input_count_lines(SLICE("")), 0);
}

/* ---- tables ---- */

static const struct {
    const char *name, *format;
    slice text;
    size_t block_bytes;
    slice header; /* of the last block */
} tables[] = {
    {"Zeek's header goes with later blocks", NULL,
     S("#separator \\x09\n#fields\ta\tb\n#types\tstring\tstring\n1\t2\n3\t4\n5\t6\n"), 8,
     S("#separator \\x09\n#fields\ta\tb\n#types\tstring\tstring\n")},
    {"a second header takes the place of the first", "zeek-tsv",
     S("#separator \\x09\n#fields\ta\n1\n#close\tx\n#separator \\x09\n#fields\tb\n2\n3\n4\n"), 4,
     S("#separator \\x09\n#fields\tb\n")},
    {"CSV's first record", "csv", S("a,\"b\nc\",d\n1,2,3\n4,5,6\n"), 6, S("a,\"b\nc\",d")},
    {"JSON has none", "eve", S("{}\n#\n{}\n"), 3, S("")},
};

static void columns_go_with_their_blocks(void **state)
{
    (void)state;
    CHECK_ROWS(row, tables) {
        struct told told = {0};
        const struct input_choice choice = {
            .format = row->format, .report = report, .context = &told};
        struct bytes bytes = {.rest = row->text, .step = 64};
        struct input_pull pull = {.read = bytes_read, .context = &bytes};
        struct input_stream *stream;
        struct input_block block = {0};
        uint64_t before = 0;
        bool found;

        assert_true(succeeded(input_stream_new("x", &choice, &stream, NULL)));
        stream->block_bytes = row->block_bytes;
        do {
            assert_true(succeeded(input_fill(stream, &pull, &block, &found, NULL)));
            assert_true(found);
            assert_int_equal(block.header_before, before);
            before = block.header_after;
        } while (!block.is_last);
        assert_true(slice_eq(block.header, row->header));
        input_stream_release(&stream);
        input_block_free(&block);
    }
}

static void a_record_of_several_lines_is_not_cut(void **state)
{
    slice text = SLICE("a,b\n1,\"two\nlines\"\n3,4\n");
    struct told told = {0};
    const struct input_choice choice = {.format = "csv", .report = report, .context = &told};

    (void)state;
    for (size_t step = 1; step <= text.len; step++) {
        struct bytes bytes = {.rest = text, .step = step, .is_waiting = true};
        struct input_pull pull = {.read = bytes_read, .context = &bytes};
        struct input_stream *stream;
        struct input_block block = {0};
        bool found;

        assert_true(succeeded(input_stream_new("x", &choice, &stream, NULL)));
        stream->block_bytes = 4;
        do {
            assert_true(succeeded(input_fill(stream, &pull, &block, &found, NULL)));
            assert_false(found && slice_ends(block.bytes, SLICE("two\n")));
        } while (!found || !block.is_last);
        input_stream_release(&stream);
        input_block_free(&block);
    }
}

/* ---- files ---- */

static void file_write(const char *folder, const char *name, slice text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static size_t files_print(const char *const *paths, size_t count, struct told *told,
                          struct buf *out)
{
    const struct input_choice choice = {.report = report, .context = told};
    CLEANUP(input_files_close) struct input_files *files = NULL;
    struct input_block block = {0};
    bool is_end = false;
    size_t ends = 0;

    assert_true(succeeded(input_files_open(paths, count, &choice, &files, NULL)));
    for (;;) {
        assert_true(succeeded(input_files_next(files, &block, &is_end, NULL)));
        if (is_end)
            break;
        const char *slash = strrchr(block.stream->name, '/');
        buf_printf(out, "[%s]", slash == NULL ? block.stream->name : slash + 1);
        blocks_print(&block, out);
        ends += block.is_last;
    }
    input_block_free(&block);
    return ends;
}

static void folders_are_walked_by_name(void **state)
{
    CLEANUP(buf_free) struct buf out = BUF(TEXT_BYTES_MAX);
    char folder[] = "/tmp/entente-input-XXXXXX", inner[64], missing[64];
    struct told told = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(inner, sizeof(inner), "%s/m", folder);
    (void)snprintf(missing, sizeof(missing), "%s/none", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    file_write(folder, "b", SLICE("2\n"));
    file_write(folder, "a", SLICE("1\n"));
    file_write(folder, "z", SLICE(""));
    file_write(inner, "c", SLICE("3"));
    assert_int_equal(files_print((const char *[]){folder, missing, inner}, 3, &told, &out), 5);
    assert_true(slice_eq(buf_slice(&out), SLICE("[a]1@0 1\n[b]1@0 2\n[c]1@0 3\n[z][c]1@0 3\n")));
    assert_int_equal(told.lost, 1);
    assert_non_null(strstr(told.words, "none: cannot open: No such file"));
    for (const char *const *name = (const char *[]){"a", "b", "m/c", "z", "m", "", NULL};
         *name != NULL; name++) {
        (void)snprintf(inner, sizeof(inner), "%s/%s", folder, *name);
        assert_int_equal(remove(inner), 0);
    }
}

static void each_failing_step_is_told(void **state)
{
    char folder[] = "/tmp/entente-input-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    file_write(folder, "a", SLICE("1\n2\n"));
    (void)snprintf(path, sizeof(path), "%s/a", folder);
#ifdef ENTENTE_FAULTS
    unsigned long nth = 0;
    bool is_bad;
    do {
        struct told told = {0};
        const struct input_choice choice = {.format = "text", .report = report, .context = &told};
        struct input_files *files = NULL;
        struct input_block block = {0};
        struct diag diag = {0};
        bool is_end = false;

        fault_arm(++nth);
        result r = input_files_open((const char *[]){folder}, 1, &choice, &files, &diag);
        while (succeeded(r) && !is_end)
            r = input_files_next(files, &block, &is_end, &diag);
        bool has_fired = fault_fired();
        fault_arm(0);
        is_bad = failed(r) || told.lost > 0;
        assert_true(is_bad == has_fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        input_files_close(&files);
        input_block_free(&block);
    } while (is_bad);
    assert_true(nth > 5);
#endif
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_step_gives_the_same_lines),
        cmocka_unit_test(random_texts_give_the_same_lines),
        cmocka_unit_test(a_line_over_the_limit_is_passed_over),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(columns_go_with_their_blocks),
        cmocka_unit_test(a_record_of_several_lines_is_not_cut),
        cmocka_unit_test(folders_are_walked_by_name),
        cmocka_unit_test(each_failing_step_is_told),
    };

    return cmocka_run_group_tests_name("scan/input", tests, NULL, NULL);
}
