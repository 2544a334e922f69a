/* Status resources (TAXII 2.1, 4.3): what became of POSTs, and the thread that works off large
 * ones.
 *
 * They live in memory, for taxii_status_keep_s after they are complete; what they tell of is in the
 * store by then.  A restart forgets those, which the client reads as 404; the ones that were
 * pending come back with what waits in the folder of accepted bodies.
 */
#include "taxii/server.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"

#include "base/banned.h"

#define STATUS_BYTES_MAX (sizeof(struct status) + 4096)
#define STATUSES_MAX 10000
#define JOB_BYTES_MAX (sizeof(struct job) + 4096)

struct statuses {
    struct arena arena; /* owned: this struct lives in it */
    struct taxii *taxii;
    pthread_t worker;
    pthread_mutex_t lock;   /* guards all that follows */
    pthread_cond_t changed; /* a job came, a job is done, or the end */
    struct status *oldest, *youngest;
    size_t status_count, status_bytes;
    struct job *first, *last;          /* waiting */
    size_t queued_count, queued_bytes; /* waiting, under way or on their way to the disk */
    bool is_busy, is_ending;
};

/* ---- one status ---- */

uint64_t status_owner(const struct exchange *exchange)
{
    return exchange->is_known ? (uint64_t)exchange->account.number + 1 : 0;
}

static result status_make(struct uuid id, uint64_t owner, int64_t requested_us, struct status **out,
                          struct diag *diag)
{
    struct arena arena = ARENA(STATUS_BYTES_MAX);
    struct status *status = arena_new(&arena, struct status, 1);

    *out = NULL;
    if (status == NULL) {
        arena_free(&arena);
        return diag_fail(diag, ERR_IO, "no memory for a status");
    }
    *status = (struct status){.arena = arena,
                              .id = id,
                              .owner = owner,
                              .requested_us = requested_us,
                              .successes = BUF(STATUS_LIST_BYTES_MAX),
                              .failures = BUF(STATUS_LIST_BYTES_MAX),
                              .pendings = BUF(STATUS_LIST_BYTES_MAX)};
    *out = status;
    return OK;
}

result status_new(const struct exchange *exchange, struct status **out, struct diag *diag)
{
    const struct world *world = exchange->taxii->world;
    uint8_t random[16];

    world->random(world->context, random, sizeof(random));
    return status_make(uuid_v4(random), status_owner(exchange), world->now_us(world->context), out,
                       diag);
}

result status_restore(const struct accepted_post *post, struct status **out, struct diag *diag)
{
    return status_make(post->status, post->owner, post->requested_us, out, diag);
}

void status_free(struct status **status)
{
    if (*status == NULL)
        return;
    buf_free(&(*status)->successes);
    buf_free(&(*status)->failures);
    buf_free(&(*status)->pendings);
    struct arena arena = (*status)->arena;
    *status = NULL;
    arena_free(&arena);
}

void status_detail(struct buf *list, slice id, slice version, slice message)
{
    struct json_writer w = JSON_WRITER(list);

    if (list->len > 0)
        buf_byte(list, ',');
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), id);
    jw_put_string(&w, SLICE("version"), version);
    if (message.len > 0)
        jw_put_string(&w, SLICE("message"), message);
    jw_object_end(&w);
}

static void list_write(struct json_writer *w, slice count_key, uint64_t count, slice list_key,
                       const struct buf *list)
{
    jw_put_u64(w, count_key, count);
    if (count == 0 || list->len == 0 || list->overflowed)
        return;
    jw_key(w, list_key);
    jw_array_begin(w);
    jw_raw(w, buf_slice(list));
    jw_array_end(w);
}

void status_write(const struct status *status, struct buf *json)
{
    struct json_writer w = JSON_WRITER(json);
    char id[UUID_TEXT_BYTES], when[TIMESTAMP_TEXT_BYTES_MAX];

    uuid_format(&status->id, id);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), slice_of(id, sizeof(id)));
    jw_put_string(&w, SLICE("status"), status->is_complete ? SLICE("complete") : SLICE("pending"));
    jw_put_string(&w, SLICE("request_timestamp"),
                  slice_of(when, time_format_us(status->requested_us, when)));
    jw_put_u64(&w, SLICE("total_count"), status->total);
    list_write(&w, SLICE("success_count"), status->success_count, SLICE("successes"),
               &status->successes);
    list_write(&w, SLICE("failure_count"), status->failure_count, SLICE("failures"),
               &status->failures);
    list_write(&w, SLICE("pending_count"), status->pending_count, SLICE("pendings"),
               &status->pendings);
    if (status->why[0] != '\0') /* a custom property: TAXII 2.1, 7.1 */
        jw_put_string(&w, SLICE("x_entente_message"), slice_text(status->why));
    jw_object_end(&w);
}

static size_t status_bytes(const struct status *status)
{
    return STATUS_BYTES_MAX + status->successes.capacity + status->failures.capacity +
           status->pendings.capacity;
}

/* ---- all of them ---- */

static int64_t keep_us(struct taxii *taxii)
{
    (void)pthread_rwlock_rdlock(&taxii->config_lock);
    int64_t keep = (int64_t)taxii->config.taxii_status_keep_s * 1000000;
    (void)pthread_rwlock_unlock(&taxii->config_lock);
    return keep;
}

static bool is_over(const struct statuses *statuses, const struct status *status, int64_t now_us,
                    int64_t keep)
{
    return status->is_complete &&
           (now_us - status->finished_us > keep || statuses->status_count > STATUSES_MAX ||
            statuses->status_bytes > STATUSES_BYTES_MAX);
}

/* Drop what is too old and, past the limits, the oldest.  The youngest stays: it was asked for just
 * now. */
static void sweep(struct statuses *statuses, int64_t now_us, int64_t keep)
{
    struct status **link = &statuses->oldest;

    while (*link != NULL && *link != statuses->youngest) {
        struct status *status = *link;

        if (is_over(statuses, status, now_us, keep)) {
            *link = status->next;
            statuses->status_count--;
            statuses->status_bytes -= status_bytes(status);
            status_free(&status);
        } else {
            link = &status->next;
        }
    }
}

static void keep_locked(struct statuses *statuses, struct status *status)
{
    /* Nothing that is pending can be swept out: the list goes, the count stays. */
    if (statuses->status_bytes + status_bytes(status) > STATUSES_BYTES_MAX) {
        buf_free(&status->pendings);
        status->pendings.overflowed = true;
    }
    if (statuses->youngest != NULL)
        statuses->youngest->next = status;
    else
        statuses->oldest = status;
    statuses->youngest = status;
    statuses->status_count++;
    statuses->status_bytes += status_bytes(status);
}

void statuses_keep(struct taxii *taxii, struct status *status)
{
    struct statuses *statuses = taxii->statuses;
    int64_t keep = keep_us(taxii), now_us = taxii->world->now_us(taxii->world->context);

    (void)pthread_mutex_lock(&statuses->lock);
    keep_locked(statuses, status);
    sweep(statuses, now_us, keep);
    (void)pthread_mutex_unlock(&statuses->lock);
}

/* TAXII 2.1, 4.3: for the account that sent the POST, and for admins; for others it is not there.
 */
static const struct status *find_locked(const struct exchange *exchange, const struct uuid *id,
                                        int64_t now_us, int64_t keep)
{
    const struct status *status = exchange->taxii->statuses->oldest;
    bool is_admin = exchange->is_known && (exchange->account.roles & ROLE_ADMIN) != 0;

    while (status != NULL && !uuid_eq(&status->id, id))
        status = status->next;
    if (status == NULL || (status->is_complete && now_us - status->finished_us > keep))
        return NULL;
    return is_admin || status->owner == status_owner(exchange) ? status : NULL;
}

void get_status(struct exchange *exchange)
{
    CLEANUP(buf_free) struct buf json = BUF(ANSWER_BYTES_MAX);
    struct taxii *taxii = exchange->taxii;
    int64_t keep = keep_us(taxii), now_us = taxii->world->now_us(taxii->world->context);
    const struct status *status = NULL;
    struct uuid id;

    if (uuid_parse(exchange->route.status, &id)) {
        (void)pthread_mutex_lock(&taxii->statuses->lock);
        status = find_locked(exchange, &id, now_us, keep);
        if (status != NULL)
            status_write(status, &json);
        (void)pthread_mutex_unlock(&taxii->statuses->lock);
    }
    if (status == NULL)
        answer_error(exchange, 404, "No such status.");
    else
        answer_json(exchange, 200, &json);
}

/* ---- what is done later ---- */

void job_free(struct job **job)
{
    if (*job == NULL)
        return;
    struct arena arena = (*job)->arena;
    *job = NULL;
    arena_free(&arena);
}

result job_new(struct status *status, const struct collection *collection, slice actor,
               const struct limits *limits, size_t body_bytes, struct job **out, struct diag *diag)
{
    struct arena arena = ARENA(JOB_BYTES_MAX);
    struct job *job = FAULT_HERE() ? NULL : arena_new(&arena, struct job, 1);

    *out = NULL;
    if (job == NULL) {
        arena_free(&arena);
        return diag_fail(diag, ERR_IO, "no memory to take the body in later");
    }
    *job = (struct job){.arena = arena,
                        .status = status,
                        .body_bytes = body_bytes,
                        .collection = collection->number,
                        .collection_id = collection->id,
                        .limits = *limits};
    (void)snprintf(job->actor, sizeof(job->actor), "%.*s", SLICE_ARG(actor));
    *out = job;
    return OK;
}

/* Room is set aside before the disk is written to, which takes its time and holds no lock. */
static bool room_take(struct statuses *statuses, size_t bytes)
{
    (void)pthread_mutex_lock(&statuses->lock);
    bool fits = statuses->queued_count == 0 ||
                (statuses->queued_count < ACCEPTED_FILES_MAX && bytes <= ACCEPTED_BYTES_MAX &&
                 statuses->queued_bytes <= ACCEPTED_BYTES_MAX - bytes);
    if (fits) {
        statuses->queued_count++;
        statuses->queued_bytes += bytes;
    }
    (void)pthread_mutex_unlock(&statuses->lock);
    return fits;
}

static void room_give_locked(struct statuses *statuses, size_t bytes)
{
    statuses->queued_count--;
    statuses->queued_bytes -= bytes;
}

static result body_keep(struct taxii *taxii, const struct job *job, slice body, struct diag *diag)
{
    struct accepted_post post = {.status = job->status->id,
                                 .collection = job->collection_id,
                                 .owner = job->status->owner,
                                 .requested_us = job->status->requested_us,
                                 .body_bytes = body.len};

    memcpy(post.account, job->actor, sizeof(post.account));
    return accepted_write(&taxii->accepted, &post, body, diag);
}

static void push_locked(struct statuses *statuses, struct job *job)
{
    keep_locked(statuses, job->status);
    if (statuses->last != NULL)
        statuses->last->next = job;
    else
        statuses->first = job;
    statuses->last = job;
    (void)pthread_cond_broadcast(&statuses->changed);
}

result statuses_queue(struct taxii *taxii, struct job *job, slice body, struct buf *json,
                      struct diag *diag)
{
    struct statuses *statuses = taxii->statuses;

    assert(body.len == job->body_bytes);
    if (!room_take(statuses, body.len))
        return diag_fail(diag, ERR_IO, "too many additions wait to be taken in");
    result r = body_keep(taxii, job, body, diag);
    (void)pthread_mutex_lock(&statuses->lock);
    if (failed(r)) {
        room_give_locked(statuses, body.len);
    } else {
        status_write(job->status, json); /* as it is now: the worker may be quick */
        push_locked(statuses, job);
    }
    (void)pthread_mutex_unlock(&statuses->lock);
    return r;
}

void statuses_queue_again(struct taxii *taxii, struct job *job)
{
    struct statuses *statuses = taxii->statuses;

    (void)pthread_mutex_lock(&statuses->lock);
    statuses->queued_count++;
    statuses->queued_bytes += job->body_bytes;
    push_locked(statuses, job);
    (void)pthread_mutex_unlock(&statuses->lock);
}

bool statuses_wait(struct taxii *taxii)
{
    struct statuses *statuses = taxii->statuses;

    (void)pthread_mutex_lock(&statuses->lock);
    bool wait = statuses->first != NULL || statuses->is_busy;
    (void)pthread_mutex_unlock(&statuses->lock);
    return wait;
}

/* What the worker gathered becomes the status, at once: nobody sees half of it. */
static void status_complete(struct status *status, struct status *done)
{
    buf_free(&status->pendings);
    status->pending_count = 0;
    status->total = done->total;
    status->success_count = done->success_count;
    status->failure_count = done->failure_count;
    status->successes = done->successes;
    status->failures = done->failures;
}

void status_fail(struct status *status, const struct diag *diag)
{
    status->failures = status->pendings;
    status->pendings = BUF(STATUS_LIST_BYTES_MAX);
    status->pending_count = 0;
    status->failure_count = status->total;
    (void)snprintf(status->why, sizeof(status->why), "%s", diag->text);
    log_event(LOG_LEVEL_WARN, "taxii.post_failed", "objects=%" PRIu64 " why=\"%s\"", status->total,
              diag->text);
}

/* The body is read from where it was kept, and goes when what is to become of it is settled. */
static result job_do(struct taxii *taxii, struct job *job, struct status *done, struct diag *diag)
{
    CLEANUP(accepted_file_end) struct accepted_file file = {0};
    const struct uuid *id = &job->status->id;

    result r = accepted_read(&taxii->accepted, id, &file, diag);
    if (failed(r)) {
        accepted_set_aside(&taxii->accepted, id, diag->text);
        return r;
    }
    job->body = file.body;
    r = job_run(taxii, job, done, diag);
    job->body = SLICE_NONE;
    accepted_remove(&taxii->accepted, id);
    return r;
}

static void work(struct statuses *statuses, struct job *job)
{
    const struct world *world = statuses->taxii->world;
    struct status *status = job->status;
    struct status done = {.total = status->total,
                          .successes = BUF(STATUS_LIST_BYTES_MAX),
                          .failures = BUF(STATUS_LIST_BYTES_MAX)};
    struct diag diag = {0};
    result r = job_do(statuses->taxii, job, &done, &diag);
    int64_t keep = keep_us(statuses->taxii), now_us = world->now_us(world->context);

    (void)pthread_mutex_lock(&statuses->lock);
    statuses->status_bytes -= status_bytes(status);
    if (failed(r)) { /* the whole body was refused: whatever was pending failed */
        buf_free(&done.successes);
        buf_free(&done.failures);
        status_fail(status, &diag);
    } else {
        status_complete(status, &done);
    }
    status->finished_us = now_us;
    status->is_complete = true;
    statuses->status_bytes += status_bytes(status);
    sweep(statuses, now_us, keep);
    room_give_locked(statuses, job->body_bytes);
    statuses->is_busy = false;
    (void)pthread_cond_broadcast(&statuses->changed);
    (void)pthread_mutex_unlock(&statuses->lock);
    job_free(&job);
}

/* None at the end, though more may wait: it waits on the disk. */
static struct job *next_job(struct statuses *statuses)
{
    (void)pthread_mutex_lock(&statuses->lock);
    while (statuses->first == NULL && !statuses->is_ending)
        (void)pthread_cond_wait(&statuses->changed, &statuses->lock);
    struct job *job = statuses->is_ending ? NULL : statuses->first;
    if (job != NULL) {
        statuses->first = job->next;
        if (statuses->first == NULL)
            statuses->last = NULL;
        statuses->is_busy = true;
    }
    (void)pthread_mutex_unlock(&statuses->lock);
    return job;
}

static void *worker_main(void *context)
{
    struct statuses *statuses = context;

    for (struct job *job = next_job(statuses); job != NULL; job = next_job(statuses))
        work(statuses, job);
    return NULL;
}

void statuses_settle(struct statuses *statuses)
{
    (void)pthread_mutex_lock(&statuses->lock);
    while (statuses->first != NULL || statuses->is_busy)
        (void)pthread_cond_wait(&statuses->changed, &statuses->lock);
    (void)pthread_mutex_unlock(&statuses->lock);
}

result statuses_new(struct taxii *taxii, struct statuses **out, struct diag *diag)
{
    struct arena arena = ARENA(sizeof(struct statuses) + 4096);
    struct statuses *statuses = arena_new(&arena, struct statuses, 1);

    *out = NULL;
    if (statuses == NULL) {
        arena_free(&arena);
        return diag_fail(diag, ERR_LIMIT, "no memory for status resources");
    }
    *statuses = (struct statuses){.arena = arena, .taxii = taxii};
    (void)pthread_mutex_init(&statuses->lock, NULL);
    (void)pthread_cond_init(&statuses->changed, NULL);
    int number =
        FAULT_HERE() ? EAGAIN : pthread_create(&statuses->worker, NULL, worker_main, statuses);
    if (number != 0) {
        (void)pthread_mutex_destroy(&statuses->lock);
        (void)pthread_cond_destroy(&statuses->changed);
        arena_free(&arena);
        return diag_errno(diag, number, "a thread for large additions");
    }
    *out = statuses;
    return OK;
}

/* What is under way is finished; what waits behind it is taken up by the next start. */
void statuses_free(struct statuses **statuses)
{
    struct statuses *all = *statuses;

    if (all == NULL)
        return;
    (void)pthread_mutex_lock(&all->lock);
    all->is_ending = true;
    (void)pthread_cond_broadcast(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
    (void)pthread_join(all->worker, NULL);
    while (all->first != NULL) {
        struct job *job = all->first;

        all->first = job->next;
        job_free(&job);
    }
    while (all->oldest != NULL) {
        struct status *status = all->oldest;

        all->oldest = status->next;
        status_free(&status);
    }
    (void)pthread_mutex_destroy(&all->lock);
    (void)pthread_cond_destroy(&all->changed);
    struct arena arena = all->arena;
    *statuses = NULL;
    arena_free(&arena);
}
