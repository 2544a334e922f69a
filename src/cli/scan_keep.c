/* What a scan leaves in the node: sightings of its hits, and the record of what it read. */
#include <inttypes.h>

#include "cli/scan.h"

#include "base/banned.h"

#define RULE_ARENA_BYTES_MAX ((size_t)64 << 20)

int scan_keep_open(struct cli *cli, struct scan_keep *keep)
{
    bool reports = cli_has(cli, "report"), records = cli_has(cli, "record");
    struct diag diag = {0};
    result r = OK;

    keep->arena = ARENA(RULE_ARENA_BYTES_MAX);
    if (!reports && !records)
        return CLI_OK;
    if (cli_node_open(cli, !reports, &keep->node) != CLI_OK)
        return SCAN_ERROR;
    keep->is_open = true;
    struct report_place report = node_report(&keep->node, SLICE("cli"));
    struct retro_place retro = node_retro(&keep->node);
    if (reports)
        r = report_open(&report, &keep->report, &diag);
    if (succeeded(r) && records)
        r = retro_open(&retro, &keep->retro, &diag);
    return failed(r) ? cli_fail(SCAN_ERROR, "%s", diag.text) : CLI_OK;
}

void scan_keep_free(struct scan_keep *keep)
{
    report_close(&keep->report);
    retro_close(&keep->retro);
    if (keep->is_open)
        node_close(&keep->node);
    keep->is_open = false;
    arena_free(&keep->arena);
}

void scan_keep_event(void *context, const struct telemetry_event *event)
{
    struct scan_keep *keep = context;

    retro_take(keep->retro, event);
}

result scan_keep_hits(struct scan_keep *keep, const struct ruleset *set, const struct hit *hits,
                      size_t count, struct diag *diag)
{
    for (size_t i = 0; keep->report != NULL && i < count; i++) {
        struct rule rule;

        arena_reset(&keep->arena);
        if (!ruleset_rule(set, hits[i].rule, &keep->arena, &rule))
            return diag_fail(diag, ERR_LIMIT, "no memory for a rule");
        TRY(report_take(keep->report, &rule, &hits[i], diag));
        keep->pending++;
    }
    return OK;
}

/* A position must not be kept before the sightings of what came before it: they would be lost with
 * a crash.  The record may lose its last minute, as that of `serve`. */
result scan_keep_on(struct scan_keep *keep, struct diag *diag)
{
    if (keep->pending > 0)
        TRY(report_flush(keep->report, &keep->counts, diag));
    keep->pending = 0;
    return keep->retro != NULL ? retro_flush_due(keep->retro, diag) : OK;
}

/* Each of the two is tried whatever comes of the other; the first failure has the words. */
result scan_keep_end(struct scan_keep *keep, struct diag *diag)
{
    struct diag second = {0};
    result r = OK, record = OK;

    if (keep->report != NULL)
        r = report_flush(keep->report, &keep->counts, diag);
    keep->pending = 0;
    if (keep->retro != NULL)
        record = retro_flush(keep->retro, failed(r) ? &second : diag);
    return failed(r) ? r : record;
}

void scan_keep_tell(const struct scan_keep *keep, const struct cli *cli)
{
    const struct report_counts *counts = &keep->counts;

    if (keep->report == NULL)
        return;
    cli_say(cli,
            "sightings: %" PRIu64 " made, %" PRIu64 " updated; %" PRIu64 " new events of %" PRIu64
            " hits",
            counts->made, counts->updated, counts->events, counts->hits);
    if (counts->anonymous > 0)
        cli_say(cli,
                "%" PRIu64 " hits of no STIX indicator are not reported: a sighting has nothing "
                "to refer to",
                counts->anonymous);
}
