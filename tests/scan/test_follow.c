/* Files that grow, are renamed, cut and removed; folders of them; connections: each line is given
 * once, in the order of its file, and a restart goes on behind the last one that was told. */
#include "rows.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "scan/follow.h"

#include "base/banned.h"

#define TEXT_BYTES_MAX ((size_t)1 << 20)

struct place {
    char folder[32], path[16][96]; /* names of files in it, made by place_of */
    size_t count;
    char state[96];
};

struct told {
    size_t lost;
    char words[256];
};

static void report(void *context, enum input_trouble trouble, const char *name, uint64_t line,
                   const char *words)
{
    struct told *told = context;

    (void)line;
    told->lost += trouble == INPUT_LOST;
    (void)snprintf(told->words, sizeof(told->words), "%s: %s", name, words);
}

static void place_make(struct place *place)
{
    *place = (struct place){.folder = "/tmp/entente-follow-XXXXXX"};
    assert_true(succeeded(crypto_start(NULL)));
    assert_non_null(mkdtemp(place->folder));
    char folder[sizeof(place->folder)];
    memcpy(folder, place->folder, sizeof(folder));
    (void)snprintf(place->state, sizeof(place->state), "%s.state", folder);
}

static const char *place_of(struct place *place, const char *name)
{
    char *path = place->path[place->count++];
    char folder[sizeof(place->folder)];

    assert_true(place->count <= 16);
    memcpy(folder, place->folder, sizeof(folder));
    (void)snprintf(path, sizeof(place->path[0]), "%s/%s", folder, name);
    return path;
}

static void place_remove(struct place *place)
{
    for (size_t i = 0; i < place->count; i++)
        (void)remove(place->path[i]); /* some are gone */
    (void)remove(place->state);
    assert_int_equal(remove(place->folder), 0);
}

static void put(const char *path, const char *text, const char *mode)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

struct run {
    struct told told;
    struct input_choice input;
    const char *path;
    struct follow_choice choice;
    struct follow *follow;
    struct input_block block;
    struct buf text; /* "name:line:text\n" of each line given */
};

static void run_open(struct run *run, struct place *place, const char *path, const char *socket)
{
    struct diag diag = {0};

    *run = (struct run){.path = path, .text = BUF(TEXT_BYTES_MAX)};
    run->input = (struct input_choice){.format = "text", .report = report, .context = &run->told};
    static const char *sockets[1];
    sockets[0] = socket;
    run->choice = (struct follow_choice){.paths = &run->path,
                                         .path_count = path != NULL,
                                         .sockets = sockets,
                                         .socket_count = socket != NULL,
                                         .state_path = place->state,
                                         .input = &run->input};
    if (failed(follow_open(&run->choice, &run->follow, &diag)))
        fail_msg("%s", diag.text);
}

static void block_note(struct run *run)
{
    const char *slash = strrchr(run->block.stream->name, '/');
    uint64_t number = run->block.line_number;
    slice line, rest = run->block.bytes;

    while (rest.len > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        buf_printf(&run->text, "%s:%llu:%.*s\n", slash + 1, (unsigned long long)number++,
                   SLICE_ARG(line));
    }
}

/* One more block; false at the end. */
static bool run_next(struct run *run)
{
    struct diag diag = {0};
    bool is_end = false;

    if (failed(follow_next(run->follow, &run->block, &is_end, &diag)) ||
        (!is_end && (block_note(run), failed(follow_told(run->follow, &run->block, &diag)))))
        fail_msg("%s", diag.text);
    return !is_end;
}

static const char *run_text(struct run *run)
{
    buf_byte(&run->text, '\0');
    run->text.len--;
    return run->text.at;
}

static size_t lines_of(const struct run *run)
{
    return input_count_lines(buf_slice(&run->text));
}

/* As many lines as these, and then these. */
static void run_gives(struct run *run, const char *expected)
{
    size_t wanted = input_count_lines(slice_text(expected));

    while (lines_of(run) < wanted)
        assert_true(run_next(run));
    assert_string_equal(run_text(run), expected);
    buf_reset(&run->text);
}

static void run_close(struct run *run)
{
    struct diag diag = {0};

    follow_stop(run->follow);
    while (run_next(run))
        ;
    assert_int_equal(run->text.len, 0);
    assert_true(succeeded(follow_save(run->follow, &diag)));
    follow_close(&run->follow);
    input_block_free(&run->block);
    buf_free(&run->text);
}

/* ---- one file ---- */

static void a_restart_goes_on_behind_the_last_whole_line(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *log = place_of(&place, "log");
    put(log, "one\ntwo\nhal", "w");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:1:one\nlog:2:two\n");
    put(log, "f\nthr", "a");
    run_gives(&run, "log:3:half\n");
    run_close(&run);
    put(log, "ee\n", "a");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:4:three\n");
    run_close(&run);
    place_remove(&place);
}

static void a_renamed_file_comes_first_then_the_new_one(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *log = place_of(&place, "log"), *old = place_of(&place, "log.1");
    put(log, "one\n", "w");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:1:one\n");
    assert_int_equal(rename(log, old), 0);
    put(old, "late", "a");
    put(log, "new\n", "w");
    run_gives(&run, "log:2:late\nlog:1:new\n");
    run_close(&run);
    /* The same while nobody reads. */
    put(log, "left\n", "a");
    assert_int_equal(rename(log, old), 0);
    put(log, "newest\n", "w");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:2:left\nlog:1:newest\n");
    run_close(&run);
    place_remove(&place);
}

static void a_file_that_was_cut_is_read_again(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *log = place_of(&place, "log");
    put(log, "one\ntwo\n", "w");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:1:one\nlog:2:two\n");
    put(log, "cut\n", "w");
    run_gives(&run, "log:1:cut\n");
    run_close(&run);
    /* Cut and longer than before while nobody read: its beginning is another. */
    put(log, "other\nand more than before\n", "w");
    run_open(&run, &place, log, NULL);
    run_gives(&run, "log:1:other\nlog:2:and more than before\n");
    run_close(&run);
    place_remove(&place);
}

static void what_cannot_be_followed_is_told_once(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *log = place_of(&place, "log");
    run_open(&run, &place, log, NULL);
    assert_int_equal(run.told.lost, 1);
    assert_non_null(strstr(run.told.words, "No such file"));
    put(log, "one\n", "w");
    run_gives(&run, "log:1:one\n");
    run_close(&run);
    assert_int_equal(remove(place.state), 0);
    put(log, "\x1f\x8b packed\n", "w");
    run_open(&run, &place, log, NULL);
    assert_int_equal(run.told.lost, 1);
    assert_non_null(strstr(run.told.words, "is packed"));
    run_close(&run);
    place_remove(&place);
}

/* ---- folders ---- */

static void files_of_a_folder_come_and_go(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *a = place_of(&place, "a"), *b = place_of(&place, "b"),
               *old = place_of(&place, "a.1");
    put(a, "one\n", "w");
    put(place_of(&place, ".hidden"), "no\n", "w");
    put(place_of(&place, "packed.gz"), "no\n", "w");
    run_open(&run, &place, place.folder, NULL);
    run_gives(&run, "a:1:one\n");
    put(b, "new\n", "w");
    run_gives(&run, "b:1:new\n");
    /* Renamed within the folder it is the same file; in its place comes another. */
    assert_int_equal(rename(a, old), 0);
    put(a, "next\n", "w");
    run_gives(&run, "a:1:next\n");
    put(old, "late\n", "a");
    run_gives(&run, "a:2:late\n");
    /* Gone for good: half a line of it is one. */
    put(b, "half", "a");
    put(a, "seen\n", "a"); /* what was added to b before was read with it */
    run_gives(&run, "a:2:seen\n");
    assert_int_equal(remove(b), 0);
    run_gives(&run, "b:2:half\n");
    run_close(&run);
    put(a, "restart\n", "a");
    put(b, "again\n", "w");
    run_open(&run, &place, place.folder, NULL);
    while (lines_of(&run) < 2)
        assert_true(run_next(&run));
    assert_non_null(strstr(run_text(&run), "a:3:restart\n"));
    assert_non_null(strstr(run_text(&run), "b:1:again\n"));
    buf_reset(&run.text);
    run_close(&run);
    place_remove(&place);
}

static void a_folder_renamed_while_nobody_reads_is_not_read_twice(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *a = place_of(&place, "a"), *old = place_of(&place, "a.1");
    put(a, "one\n", "w");
    run_open(&run, &place, place.folder, NULL);
    run_gives(&run, "a:1:one\n");
    run_close(&run);
    assert_int_equal(rename(a, old), 0);
    put(old, "late\n", "a");
    run_open(&run, &place, place.folder, NULL);
    run_gives(&run, "a.1:2:late\n");
    put(a, "new\n", "w");
    run_gives(&run, "a:1:new\n");
    run_close(&run);
    place_remove(&place);
}

/* ---- connections ---- */

static int connected(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void sent(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void a_line_may_come_in_pieces(void **state)
{
    struct place place;
    struct run run;

    (void)state;
    place_make(&place);
    const char *path = place_of(&place, "socket");
    run_open(&run, &place, NULL, path);
    int one = connected(path), two = connected(path);
    sent(one, "sl");
    sent(two, "quick\n");
    run_gives(&run, "socket:1:quick\n");
    sent(one, "ow\nlast");
    run_gives(&run, "socket:1:slow\n");
    assert_int_equal(close(one), 0);
    run_gives(&run, "socket:2:last\n");
    sent(two, "unread");
    follow_stop(run.follow); /* what was sent is taken all the same */
    run_gives(&run, "socket:2:unread\n");
    assert_int_equal(close(two), 0);
    run_close(&run);
    place_remove(&place);
}

static void each_failing_step_is_told(void **state)
{
    struct place place;

    (void)state;
    place_make(&place);
    put(place_of(&place, "a"), "one\n", "w");
#ifdef ENTENTE_FAULTS
    bool is_bad;
    unsigned long nth = 0;
    do {
        struct told told = {0};
        const struct input_choice input = {.format = "text", .report = report, .context = &told};
        const char *path = place.folder;
        const struct follow_choice choice = {
            .paths = &path, .path_count = 1, .state_path = place.state, .input = &input};
        struct follow *follow = NULL;
        struct input_block block = {0};
        struct diag diag = {0};
        bool is_end = false;

        fault_arm(++nth);
        result r = follow_open(&choice, &follow, &diag);
        if (succeeded(r) && told.lost == 0)
            r = follow_next(follow, &block, &is_end, &diag);
        bool has_fired = fault_fired();
        fault_arm(0);
        is_bad = failed(r) || told.lost > 0;
        assert_true(is_bad == has_fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        follow_close(&follow);
        input_block_free(&block);
    } while (is_bad);
    assert_true(nth > 4);
#endif
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_goes_on_behind_the_last_whole_line),
        cmocka_unit_test(a_renamed_file_comes_first_then_the_new_one),
        cmocka_unit_test(a_file_that_was_cut_is_read_again),
        cmocka_unit_test(what_cannot_be_followed_is_told_once),
        cmocka_unit_test(files_of_a_folder_come_and_go),
        cmocka_unit_test(a_folder_renamed_while_nobody_reads_is_not_read_twice),
        cmocka_unit_test(a_line_may_come_in_pieces),
        cmocka_unit_test(each_failing_step_is_told),
    };

    return cmocka_run_group_tests_name("scan/follow", tests, NULL, NULL);
}
