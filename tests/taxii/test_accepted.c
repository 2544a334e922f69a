/* Bodies that were accepted: on the disk before the answer, taken in whatever comes between. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "taxii/serving.h"

#define OBJECTS "/api/collections/open/objects/"
#define ID "6f1c2a3e-0000-4000-8000-00000000000"

static struct accepted_folder folder_open(const struct serving *s)
{
    struct accepted_folder folder;
    struct diag diag = {0};

    must(accepted_open(s->folder, &folder, &diag), &diag);
    return folder;
}

static struct uuid id_of(const char *text)
{
    struct uuid id;

    assert_true(uuid_parse(slice_text(text), &id));
    return id;
}

/* As the writer's POST to `open` leaves it. */
static struct accepted_post post_of(const struct serving *s, const char *id)
{
    struct accepted_post post = {.status = id_of(id),
                                 .collection = s->collections[OPEN].id,
                                 .requested_us = NOW_US,
                                 .account = "writer"};
    struct store_view view = {0};
    struct account account;
    struct diag diag = {0};

    store_view_begin(s->store, &view, &diag);
    assert_true(account_find(&view.txn, s->accounts, SLICE("writer"), &account));
    store_view_end(&view);
    post.owner = (uint64_t)account.number + 1;
    return post;
}

static void leave(const struct serving *s, struct accepted_post *post, slice body)
{
    struct accepted_folder folder = folder_open(s);
    struct diag diag = {0};

    post->body_bytes = body.len;
    must(accepted_write(&folder, post, body, &diag), &diag);
    accepted_close(&folder);
}

static void file_put(const struct serving *s, const char *name, slice text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/accepted/%s", s->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len && close(fd) == 0);
}

static bool is_there(const struct serving *s, const char *name)
{
    char path[256];
    struct stat stat;

    (void)snprintf(path, sizeof(path), "%s/accepted/%s", s->folder, name);
    return lstat(path, &stat) == 0;
}

static size_t file_count(const struct serving *s)
{
    char path[256];
    size_t count = 0;

    (void)snprintf(path, sizeof(path), "%s/accepted", s->folder);
    DIR *stream = opendir(path);
    assert_non_null(stream);
    while (readdir(stream) != NULL)
        count++;
    (void)closedir(stream);
    return count - 2; /* . and .. */
}

static size_t listed(const struct serving *s)
{
    struct accepted_folder folder = folder_open(s);
    struct accepted_post *posts;
    struct diag diag = {0};
    size_t count;

    must(accepted_list(&folder, &posts, &count, &diag), &diag);
    table_free(posts);
    accepted_close(&folder);
    return count;
}

static int get_status_of(struct serving *s, enum person who, const char *id)
{
    char url[URL_BYTES];

    (void)snprintf(url, sizeof(url), "/api/status/%s/", id);
    return get(s, who, url);
}

static void counts_check(const struct serving *s, uint64_t total, uint64_t successes,
                         uint64_t failures)
{
    assert_true(member_is(s, "status", "complete"));
    assert_int_equal(number_of(s, "total_count"), total);
    assert_int_equal(number_of(s, "success_count"), successes);
    assert_int_equal(list_count(s, "successes"), successes);
    assert_int_equal(number_of(s, "failure_count"), failures);
    assert_int_equal(list_count(s, "failures"), failures);
    assert_int_equal(number_of(s, "pending_count"), 0);
}

static size_t objects_here(struct serving *s)
{
    assert_int_equal(get(s, READER, OBJECTS), 200);
    return list_count(s, "objects");
}

static void restart(struct serving *s)
{
    taxii_free(&s->taxii);
    serving_start(s);
    taxii_settle(s->taxii);
}

/* ---- files ---- */

static void a_body_is_read_back_as_it_was_written(void **state)
{
    struct serving *s = *state;
    struct accepted_folder folder = folder_open(s);
    struct accepted_post post = post_of(s, ID "1");
    struct accepted_file file;
    struct diag diag = {0};
    struct stat stat;

    leave(s, &post, SLICE("{\"objects\":[\n1]}"));
    assert_int_equal(file_count(s), 1);
    assert_int_equal(fstatat(folder.fd, ID "1.json", &stat, 0), 0);
    assert_int_equal(stat.st_mode & 07777, 0600);
    assert_int_equal(fstat(folder.fd, &stat), 0);
    assert_int_equal(stat.st_mode & 07777, 0700);
    must(accepted_read(&folder, &post.status, &file, &diag), &diag);
    assert_true(slice_eq(file.body, SLICE("{\"objects\":[\n1]}")));
    assert_true(uuid_eq(&file.post.collection, &post.collection));
    assert_string_equal(file.post.account, "writer");
    assert_int_equal(file.post.owner, post.owner);
    assert_int_equal(file.post.requested_us, NOW_US);
    accepted_file_end(&file);
    accepted_remove(&folder, &post.status);
    accepted_remove(&folder, &post.status); /* gone already: as good */
    assert_int_equal(file_count(s), 0);
    assert_true(failed(accepted_read(&folder, &post.status, &file, &diag)));
    accepted_close(&folder);
}

static void the_oldest_comes_first(void **state)
{
    static const struct {
        const char *id;
        int64_t age_us;
    } left[] = {{ID "1", 1}, {ID "2", 3}, {ID "3", 2}};
    struct serving *s = *state;
    struct accepted_folder folder = folder_open(s);
    struct accepted_post *posts;
    struct diag diag = {0};
    size_t count;

    for (size_t i = 0; i < 3; i++) {
        struct accepted_post post = post_of(s, left[i].id);

        post.requested_us -= left[i].age_us;
        leave(s, &post, SLICE("{}"));
    }
    must(accepted_list(&folder, &posts, &count, &diag), &diag);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(posts[i].requested_us, NOW_US - 3 + (int64_t)i);
    table_free(posts);
    accepted_close(&folder);
}

#define HEAD(format, status, bytes)                                                                \
    "{\"format\":" format ",\"status\":\"" status "\","                                            \
    "\"collection\":\"" ID "9\",\"account\":\"a\",\"owner\":1,"                                    \
    "\"requested\":\"2026-01-01T00:00:00Z\",\"body_bytes\":" bytes "}"

static const struct {
    const char *name;
    const char *file;
    slice text;
} foreign[] = {
    {"empty", ID "1.json", S("")},
    {"no line", ID "1.json", S("{\"objects\":[{}]}")},
    {"no JSON", ID "1.json", S("{\"format\":1\n{}")},
    {"no object", ID "1.json", S("[1]\n{}")},
    {"nothing named", ID "1.json", S("{}\n{}")},
    {"another format", ID "1.json", S(HEAD("2", ID "1", "2") "\n{}")},
    {"cut short", ID "1.json", S(HEAD("1", ID "1", "3") "\n{}")},
    {"too long", ID "1.json", S(HEAD("1", ID "1", "1") "\n{}")},
    {"negative", ID "1.json", S(HEAD("1", ID "1", "-2") "\n{}")},
    {"of another status", ID "1.json", S(HEAD("1", ID "2", "2") "\n{}")},
    {"no id", ID "1.json", S(HEAD("1", "1", "2") "\n{}")},
    {"a number for an id", ID "1.json", S("{\"format\":1,\"status\":1}\n{}")},
    {"a name of no status", "notes.json", S(HEAD("1", ID "1", "2") "\n{}")},
    {"upper case", "6F1C2A3E-0000-4000-8000-000000000001.json", S(HEAD("1", ID "1", "2") "\n{}")},
    {"another ending", ID "1.txt", S("")},
    {"hidden", ".notes", S("x")},
    {"no envelope", ID "1.json", S(HEAD("1", ID "1", "2") "\n{}")},
};

static void what_is_none_of_ours_is_set_aside_once(void **state)
{
    struct serving *s = *state;
    char aside[128];

    taxii_free(&s->taxii);
    CHECK_ROWS(row, foreign) {
        file_put(s, row->file, row->text);
        serving_start(s);
        taxii_free(&s->taxii);
        (void)snprintf(aside, sizeof(aside), "%s.broken", row->file);
        assert_false(is_there(s, row->file));
        assert_true(is_there(s, aside));
    }
    assert_int_equal(listed(s), 0);
    size_t count = file_count(s);
    serving_start(s);
    assert_int_equal(file_count(s), count); /* nothing is renamed a second time */
}

static void only_plain_files_are_opened(void **state)
{
    struct serving *s = *state;
    char path[256], target[256];

    (void)snprintf(target, sizeof(target), "%s/outside", s->folder);
    (void)snprintf(path, sizeof(path), "%s/accepted/" ID "1.json", s->folder);
    assert_int_equal(symlink(target, path), 0);
    (void)snprintf(path, sizeof(path), "%s/accepted/" ID "2.json", s->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/accepted/" ID "3.json", s->folder);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: an open may not wait */
    assert_int_equal(listed(s), 0);
    assert_true(is_there(s, ID "1.json.broken") && is_there(s, ID "2.json.broken") &&
                is_there(s, ID "3.json.broken"));
}

static void a_half_written_file_was_promised_to_nobody(void **state)
{
    struct serving *s = *state;

    file_put(s, ID "1.tmp", SLICE("{\"form"));
    restart(s);
    assert_int_equal(file_count(s), 0);
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 404);
}

/* ---- resuming ---- */

static void what_was_accepted_is_taken_in_under_its_status(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct accepted_post post = post_of(s, ID "1");

    post.requested_us -= 5000000;
    envelope_put(&json, 0, 20);
    json.len -= 2;
    buf_put(&json, SLICE(",{\"type\":\"indicator\",\"id\":\"indicator--x\"}]}"));
    leave(s, &post, buf_slice(&json));
    restart(s);
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 200);
    counts_check(s, 21, 20, 1);
    assert_true(member_is(s, "id", ID "1"));
    assert_true(member_is(s, "request_timestamp", "2025-11-24T15:59:55.000000Z"));
    assert_int_equal(get_status_of(s, READER, ID "1"), 404);
    assert_int_equal(get_status_of(s, ADMIN, ID "1"), 200);
    assert_int_equal(objects_here(s), 20);
    assert_int_equal(file_count(s), 0);
    restart(s); /* once is enough */
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 404);
}

/* The crash came behind the import and in front of the removal. */
static void what_is_here_already_is_a_success(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct accepted_post post = post_of(s, ID "1");

    fill(s, 0, 20);
    envelope_put(&json, 0, 20);
    leave(s, &post, buf_slice(&json));
    restart(s);
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 200);
    counts_check(s, 20, 20, 0);
    assert_int_equal(objects_here(s), 20);
    assert_int_equal(file_count(s), 0);
}

static void owner_of_another(struct serving *s, struct accepted_post *post)
{
    (void)s;
    post->owner++; /* who had the name then had another number */
}

static void account_unknown(struct serving *s, struct accepted_post *post)
{
    (void)s;
    (void)snprintf(post->account, sizeof(post->account), "nobody.here");
}

static void account_anonymous(struct serving *s, struct accepted_post *post)
{
    (void)s;
    (void)snprintf(post->account, sizeof(post->account), ACCOUNT_ANONYMOUS);
    post->owner = 0;
}

static void right_taken(struct serving *s, struct accepted_post *post)
{
    (void)post;
    serving_grant(s, SLICE("writer"), OPEN, RIGHT_READ);
}

static void collection_gone(struct serving *s, struct accepted_post *post)
{
    (void)s;
    post->collection = id_of(ID "f");
}

static const struct {
    const char *name;
    void (*change)(struct serving *s, struct accepted_post *post);
} losses[] = {
    {"another under the name", owner_of_another}, {"an unknown account", account_unknown},
    {"without an account", account_anonymous},    {"no collection", collection_gone},
    {"no right any more", right_taken},
};

static void a_right_that_is_gone_makes_failures(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    envelope_put(&json, 0, 3);
    CHECK_ROWS(row, losses) {
        struct accepted_post post = post_of(s, ID "1");

        row->change(s, &post);
        leave(s, &post, buf_slice(&json));
        restart(s);
        assert_int_equal(get_status_of(s, ADMIN, ID "1"), 200);
        counts_check(s, 3, 0, 3);
        assert_non_null(member(s, "x_entente_message"));
        assert_int_equal(objects_here(s), 0);
        assert_int_equal(file_count(s), 0);
    }
}

static void who_needed_no_account_then_needs_none_now(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct accepted_post post = post_of(s, ID "1");

    account_anonymous(s, &post);
    serving_grant(s, SLICE(ACCOUNT_ANONYMOUS), OPEN, RIGHT_READ | RIGHT_WRITE);
    envelope_put(&json, 0, 3);
    leave(s, &post, buf_slice(&json));
    restart(s);
    assert_int_equal(get_status_of(s, NOBODY, ID "1"), 200);
    counts_check(s, 3, 3, 0);
}

static void a_limit_that_was_lowered_is_told_in_the_status(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct accepted_post post = post_of(s, ID "1");

    envelope_put(&json, 0, 3);
    leave(s, &post, buf_slice(&json));
    s->config.object_bytes_max = 100;
    restart(s);
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 200);
    assert_true(member_is(s, "status", "complete"));
    assert_int_equal(number_of(s, "failure_count"), 3);
    assert_int_equal(file_count(s), 0);
}

/* ---- accepting ---- */

static int writers_lock(const struct serving *s)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/write.lock", s->folder);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0 && flock(lock, LOCK_EX) == 0);
    return lock;
}

static void the_body_is_on_the_disk_when_the_answer_is_out(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);
    struct accepted_folder folder = folder_open(s);
    struct accepted_file file;
    struct diag diag = {0};
    struct uuid id;

    fill(s, 100, 1); /* makes the lock's file */
    int lock = writers_lock(s);
    s->config.taxii_sync_objects_max = 1;
    taxii_configure(s->taxii, &s->config);
    envelope_put(&json, 0, 10);
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    assert_true(uuid_parse(text_of(s, s->doc.nodes, "id"), &id));
    must(accepted_read(&folder, &id, &file, &diag), &diag);
    assert_true(slice_eq(file.body, buf_slice(&json)));
    assert_string_equal(file.post.account, "writer");
    assert_int_equal(file.post.owner, post_of(s, ID "1").owner);
    accepted_file_end(&file);
    assert_int_equal(close(lock), 0);
    taxii_settle(s->taxii);
    assert_int_equal(file_count(s), 0);
    accepted_close(&folder);
}

/* A job that stands for a heap of them. */
static void queue_fill(struct serving *s)
{
    struct accepted_post post = post_of(s, ID "1");
    struct limits limits = limits_of(&s->config);
    struct status *status;
    struct diag diag = {0};
    struct job *job;

    must(status_restore(&post, &status, &diag), &diag);
    must(job_new(status, &s->collections[OPEN], SLICE("writer"), &limits, ACCEPTED_BYTES_MAX, &job,
                 &diag),
         &diag);
    statuses_queue_again(s->taxii, job);
}

static void when_too_much_waits_the_client_is_to_wait(void **state)
{
    struct serving *s = *state;
    CLEANUP(buf_free) struct buf json = BUF(1 << 20);

    fill(s, 100, 1);
    int lock = writers_lock(s);
    s->config.taxii_sync_objects_max = 1;
    taxii_configure(s->taxii, &s->config);
    envelope_put(&json, 0, 2);
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    assert_int_equal(file_count(s), 1);
    queue_fill(s);
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 503);
    assert_true(header_of(s, "retry-after").len > 0);
    assert_int_equal(file_count(s), 1);
    assert_int_equal(close(lock), 0);
    taxii_settle(s->taxii);
    assert_int_equal(get_status_of(s, WRITER, ID "1"), 200); /* had no file: told, and no loop */
    assert_true(member_is(s, "status", "complete"));
    assert_int_equal(post(s, WRITER, OBJECTS, buf_slice(&json)), 202);
    taxii_settle(s->taxii);
    assert_int_equal(objects_here(s), 3);
}

static void a_folder_that_cannot_be_is_said_at_the_start(void **state)
{
    struct serving *s = *state;
    struct accepted_folder folder;
    struct diag diag = {0};
    char path[256];

    assert_true(accepted_open("/tmp/entente-nothing-here", &folder, &diag).code == ERR_MISSING);
    (void)snprintf(path, sizeof(path), "%s/accepted", s->folder);
    assert_int_equal(rmdir(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && close(fd) == 0);
    diag_reset(&diag);
    assert_true(failed(accepted_open(s->folder, &folder, &diag)));
    assert_true(slice_find(slice_text(diag.text), SLICE("accepted")) != SIZE_MAX);
}

#ifdef ENTENTE_FAULTS
static void a_write_that_fails_leaves_nothing(void **state)
{
    struct serving *s = *state;
    struct accepted_folder folder = folder_open(s);
    struct accepted_post post = post_of(s, ID "1");
    unsigned long nth = 0;
    result r;

    post.body_bytes = 2;
    do {
        struct diag diag = {0};

        fault_arm(++nth);
        r = accepted_write(&folder, &post, SLICE("{}"), &diag);
        bool fired = fault_fired();
        fault_arm(0);
        assert_true(failed(r) == fired);
        assert_true(failed(r) == (diag.text[0] != '\0'));
        assert_true(succeeded(r) || r.code == ERR_IO);
        assert_int_equal(file_count(s), succeeded(r) ? 1 : 0);
    } while (failed(r));
    assert_true(nth > 5);
    accepted_close(&folder);
}

/* The client may be told anything but a 202 that is not kept. */
static void every_failing_step_is_no_broken_promise(void **state)
{
    struct serving *s = *state;
    bool fired = true;

    s->config.taxii_sync_objects_max = 1;
    taxii_configure(s->taxii, &s->config);
    for (unsigned nth = 1; fired; nth++) {
        CLEANUP(buf_free) struct buf json = BUF(1 << 20);
        size_t before = objects_here(s);

        envelope_put(&json, nth * 2, 2);
        request_make(s, WRITER, HTTP_POST, OBJECTS, buf_slice(&json));
        fault_arm(nth);
        taxii_handle(s->taxii, &s->request, &s->response);
        fired = fault_fired();
        fault_arm(0);
        answer_take(s);
        int status = s->response.status;
        assert_true(status == 202 || status == 401 || status == 422 || status >= 500);
        taxii_settle(s->taxii);
        assert_int_equal(file_count(s), 0);
        size_t taken = objects_here(s) - before;
        /* 500: no memory for the answer's bytes, when the body is on the disk */
        assert_true(taken == (status == 202 ? 2 : 0) || (status == 500 && taken == 2));
    }
}

/* Nothing is lost by a start that goes wrong: that one takes it in, or the next one does. */
static void every_failing_step_of_a_start_loses_nothing(void **state)
{
    struct serving *s = *state;
    struct taxii_options options = {.store = s->store,
                                    .accounts = s->accounts,
                                    .config = &s->config,
                                    .world = &s->world,
                                    .folder = s->folder};
    bool fired = true;

    for (unsigned nth = 1; fired; nth++) {
        CLEANUP(buf_free) struct buf json = BUF(1 << 20);
        struct accepted_post post = post_of(s, ID "1");
        struct diag diag = {0};

        envelope_put(&json, nth * 3, 3);
        leave(s, &post, buf_slice(&json));
        taxii_free(&s->taxii);
        fault_arm(nth);
        result r = taxii_new(&options, &s->taxii, &diag);
        fired = fault_fired();
        fault_arm(0);
        assert_true(fired || succeeded(r));
        assert_true(failed(r) == (diag.text[0] != '\0') && failed(r) == (s->taxii == NULL));
        restart(s);
        assert_int_equal(file_count(s), 0);
        assert_int_equal(objects_here(s), nth * 3);
    }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_is_read_back_as_it_was_written),
        TEST(the_oldest_comes_first),
        TEST(what_is_none_of_ours_is_set_aside_once),
        TEST(only_plain_files_are_opened),
        TEST(a_half_written_file_was_promised_to_nobody),
        TEST(what_was_accepted_is_taken_in_under_its_status),
        TEST(what_is_here_already_is_a_success),
        TEST(a_right_that_is_gone_makes_failures),
        TEST(who_needed_no_account_then_needs_none_now),
        TEST(a_limit_that_was_lowered_is_told_in_the_status),
        TEST(the_body_is_on_the_disk_when_the_answer_is_out),
        TEST(when_too_much_waits_the_client_is_to_wait),
        TEST(a_folder_that_cannot_be_is_said_at_the_start),
#ifdef ENTENTE_FAULTS
        TEST(a_write_that_fails_leaves_nothing),
        TEST(every_failing_step_is_no_broken_promise),
        TEST(every_failing_step_of_a_start_loses_nothing),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
