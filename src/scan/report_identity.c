#include "scan/report.h"

#include <stdio.h>

#include "ledger/ledger.h"
#include "json/json.h"

#include "base/banned.h"

/* The name space of nodes: made once, for this purpose alone. */
static const struct uuid nodes = {{0x5f, 0x1c, 0x33, 0x0e, 0x8a, 0x47, 0x4d, 0x0b, 0x9e, 0x62, 0x17,
                                   0xd4, 0xa9, 0x05, 0x7b, 0xc1}};

result report_identity(struct store *store, struct report_identity *out, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct ledger_entry entry;
    char uuid[UUID_TEXT_BYTES];
    slice first;

    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    kv_begin_read(store_kv(store), &txn, diag);
    /* Entry 0 names the first collection by its random UUID, and is there for ever. */
    if (!ledger_read(&txn, store_log_table(store), 0, &first))
        return failed(txn.state) ? txn.state
                                 : diag_fail(diag, ERR_MISSING, "the node's log is empty");
    TRY(ledger_parse(parser, first, &entry, diag));
    out->name_space = uuid_v5(&nodes, first);
    uuid_format(&out->name_space, uuid);
    (void)snprintf(out->id, sizeof(out->id), "identity--%.*s", UUID_TEXT_BYTES, uuid);
    out->created_bytes = time_format_us(entry.at_us, out->created);
    return OK;
}

void report_id(const struct report_identity *identity, const char *type, slice name,
               char out[STIX_ID_BYTES_MAX + 1])
{
    struct uuid uuid = uuid_v5(&identity->name_space, name);
    char text[UUID_TEXT_BYTES];

    uuid_format(&uuid, text);
    (void)snprintf(out, STIX_ID_BYTES_MAX + 1, "%s--%.*s", type, UUID_TEXT_BYTES, text);
}
