#include "scan/report.h"

#include <stdio.h>

#include "ledger/ledger.h"
#include "json/json.h"

#include "base/banned.h"

result report_identity(const struct report_place *place, struct report_identity *out,
                       struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    struct ledger_entry entry;
    struct stix_id own;
    slice first;

    if (!stix_id_parse(place->own, &own) || place->own.len >= sizeof(out->id))
        return diag_fail(diag, ERR_MISSING, "the node has no key yet, and so no identity");
    TRY(json_parser_new(LEDGER_DEPTH_MAX, &parser, diag));
    kv_begin_read(store_kv(place->store), &txn, diag);
    if (!ledger_read(&txn, store_log_table(place->store), 0, &first))
        return failed(txn.state) ? txn.state
                                 : diag_fail(diag, ERR_MISSING, "the node's log is empty");
    TRY(ledger_parse(parser, first, &entry, diag));
    out->name_space = own.uuid;
    (void)snprintf(out->id, sizeof(out->id), "%.*s", SLICE_ARG(place->own));
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
