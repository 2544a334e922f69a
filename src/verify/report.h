/* What files prove, in sentences: the whole of entente-verify, and `entente ledger verify FILE`. */
#pragma once

#include <stdio.h>

#include "entente/verify.h"

#define REPORT_SINCE_MAX 32

enum report_exit {
    REPORT_PROVEN = 0,
    REPORT_FAILED = 1, /* a file could not be read */
    REPORT_MISUSED = 2,
    REPORT_REFUSED = 5,
};

struct report {
    const char *program; /* "entente-verify": stands in front of what goes to stderr */
    struct entente_key keys[ENTENTE_KEYS_MAX];
    size_t key_count, witness_count; /* of those named one by one */
    size_t quorum;
    bool quorum_given, json, list, quiet;
    const char *since[REPORT_SINCE_MAX]; /* files of heads that must be continued */
    size_t since_count;
};

/* Each says what is wrong with the argument on stderr and returns false. */
bool report_key(struct report *report, const char *vkey, bool is_witness);
bool report_keys(struct report *report, const char *path);
bool report_quorum(struct report *report, const char *count);
bool report_since(struct report *report, const char *path);

/* Check files and folders; sentences (or, with json, one object a line) to stdout, refusals to
 * stderr.  The worst that happened. */
enum report_exit report_run(const struct report *report, char *const *paths, size_t path_count);
