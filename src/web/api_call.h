/* One call of the API under way, and what its handlers share.  Inside src/web only. */
#pragma once

#include "web/api.h"
#include "json/write.h"

#define CALL_ARENA_BYTES_MAX ((size_t)64 << 20)
#define CALL_ANSWER_BYTES_MAX ((size_t)64 << 20)

struct api_call {
    struct api_door *door;
    const struct http_request *request;
    struct http_response *response;
    struct arena arena; /* owned */
    struct store_view view;
    struct account account;
    struct reader_of reader;
    bool is_inside; /* of the own organisation */
    slice session;  /* its text; empty: known by a token */
    slice id;       /* what {id} stands for in the path */
    struct buf out; /* owned: the answer */
    struct json_writer w;
    struct diag diag;
};

/* Each fills call->w with one JSON value, or says what is wrong with call_refuse. */
void api_situation(struct api_call *call);
void api_objects(struct api_call *call);
void api_object(struct api_call *call);
void api_object_false(struct api_call *call);
void api_partners(struct api_call *call);
void api_agreements(struct api_call *call);
void api_agreement(struct api_call *call);
void api_audit(struct api_call *call);
void api_accounts(struct api_call *call);
void api_settings(struct api_call *call);

void call_refuse(struct api_call *call, int status, slice words);
/* By the diag: what the caller did wrong in its words, our own trouble in the log. */
void call_failed(struct api_call *call, result why);
/* Dates as text. */
void call_put_us(struct api_call *call, slice key, int64_t us);
/* A number of the query; false: it was refused. */
bool call_number(struct api_call *call, slice name, size_t least, size_t most, size_t fallback,
                 size_t *out);
