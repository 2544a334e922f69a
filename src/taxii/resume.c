/* POSTs that an earlier run of the server accepted and did not take in. */
#include "taxii/server.h"

#include <inttypes.h>

#include "base/log.h"

#include "base/banned.h"

/* May it still be written?  Both may have been taken away since: the right, or the collection. */
static result right_check(struct taxii *taxii, const struct accepted_post *post,
                          struct collection *collection, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    char id[UUID_TEXT_BYTES];
    struct account account;

    store_view_begin(taxii->store, &view, diag);
    uuid_format(&post->collection, id);
    bool found = store_collection_find(&view, slice_of(id, sizeof(id)), collection);
    /* A name may be another person's by now; a number is given once. */
    bool is_same = post->owner == 0 ||
                   (account_find(&view.txn, taxii->accounts, slice_text(post->account), &account) &&
                    (uint64_t)account.number + 1 == post->owner);
    unsigned rights = found && is_same
                          ? account_rights(taxii->accounts, &view.txn,
                                           post->owner == 0 ? NULL : &account, collection->number)
                          : 0;
    if (failed(view.txn.state))
        return FAIL(ERR_IO); /* says nothing about the right */
    if (!found)
        return diag_fail(diag, ERR_DENIED, "the collection is gone");
    if ((rights & RIGHT_WRITE) == 0)
        return diag_fail(diag, ERR_DENIED, "%s has no right any more to add to the collection",
                         post->account);
    return OK;
}

/* The status as it was when the client was answered. */
static result status_again(const struct accepted_file *file, const struct limits *limits,
                           struct status **out, struct diag *diag)
{
    CLEANUP(status_free) struct status *status = NULL;

    TRY(status_restore(&file->post, &status, diag));
    TRY(envelope_measure(file->body, &status->total, diag));
    status->pending_count = status->total;
    /* A limit may be lower than it was: then the import says so, in the status. */
    if (failed(pendings_list(file->body, limits, status, NULL))) {
        buf_free(&status->pendings);
        status->pendings.overflowed = true;
    }
    *out = status;
    status = NULL;
    return OK;
}

static void refuse(struct taxii *taxii, struct status *status, const struct diag *diag)
{
    const struct world *world = taxii->world;
    struct uuid id = status->id;

    status_fail(status, diag);
    status->is_complete = true;
    status->finished_us = world->now_us(world->context);
    statuses_keep(taxii, status);
    accepted_remove(&taxii->accepted, &id);
}

static result post_resume(struct taxii *taxii, const struct accepted_post *post,
                          const struct limits *limits, struct diag *diag)
{
    CLEANUP(accepted_file_end) struct accepted_file file = {0};
    CLEANUP(status_free) struct status *status = NULL;
    struct collection collection;
    struct job *job;

    TRY(accepted_read(&taxii->accepted, &post->status, &file, diag));
    TRY(status_again(&file, limits, &status, diag));
    result r = right_check(taxii, post, &collection, diag);
    if (r.code == ERR_DENIED) {
        refuse(taxii, status, diag);
        status = NULL; /* theirs */
        return OK;
    }
    TRY(r);
    TRY(job_new(status, &collection, slice_text(post->account), limits, post->body_bytes, &job,
                diag));
    status = NULL;
    statuses_queue_again(taxii, job);
    return OK;
}

result accepted_resume(struct taxii *taxii, struct diag *diag)
{
    struct limits limits = limits_of(&taxii->config); /* nobody else has it yet */
    struct accepted_post *posts = NULL;
    size_t count = 0;

    TRY(accepted_list(&taxii->accepted, &posts, &count, diag));
    for (size_t i = 0; i < count; i++) {
        struct diag words = {0};
        result r = post_resume(taxii, &posts[i], &limits, &words);

        /* What the sender broke was refused at the door: the file is not what it was. */
        if (r.code == ERR_INVALID || r.code == ERR_CORRUPT)
            accepted_set_aside(&taxii->accepted, &posts[i].status, words.text);
        else if (failed(r))
            log_event(LOG_LEVEL_ERROR, "taxii.accepted_unread", "why=\"%s\"", words.text);
    }
    if (count > 0)
        log_event(LOG_LEVEL_INFO, "taxii.resumed", "posts=%zu", count);
    table_free(posts);
    return OK;
}
