/* Reading the store as somebody: --as USER, or on behalf of an organisation: --for ORGANISATION.
 *
 * Without either the operator reads, who has the folder and with it everything.
 */
#pragma once

#include "cli/cli.h"
#include "gate/gate.h"

struct cli_reader {
    struct gate *gate; /* owned; NULL: nothing is limited */
    struct accounts *accounts;
    struct account account; /* of --as */
    bool has_account;
    struct reader_of reader;
    uint64_t withheld;
};

/* inside: without options it is another server of the own organisation that reads, not the
 * operator. */
MUST_USE int cli_reader_open(const struct cli *cli, const struct node *node,
                             struct store_view *view, bool inside, struct cli_reader *out);
void cli_reader_close(struct cli_reader *reader); /* fits CLEANUP */
bool cli_reader_is_limited(const struct cli_reader *reader);

/* May it read a collection at all? */
bool cli_reader_may(const struct cli_reader *reader, struct store_view *view, uint32_t collection);

/* store_find, less what the reader may not have. */
MUST_USE result cli_reader_find(struct cli_reader *reader, struct store_view *view,
                                const struct store_query *query, size_t limit_objects,
                                size_t limit_bytes, bool with_text, struct arena *arena,
                                struct store_page *page, struct diag *diag);

/* One item; a redacted copy takes its id and text.  *is_there false: the reader may not have it. */
MUST_USE result cli_reader_item(struct cli_reader *reader, struct store_view *view,
                                struct store_item *item, struct arena *arena, bool *is_there,
                                struct diag *diag);

/* How many were withheld, on stderr, when any were. */
void cli_reader_tell(const struct cli *cli, const struct cli_reader *reader);
