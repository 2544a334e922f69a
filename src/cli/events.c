#include <inttypes.h>

#include "base/time.h"
#include "cli/cli.h"
#include "telemetry/telemetry.h"
#include "json/write.h"

#include "base/banned.h"

#define EVENT_OUT_BYTES_MAX ((size_t)256 << 20)
#define REPORTS_MAX 20 /* of broken lines; more are counted */

struct listing {
    const struct cli *cli;
    const char *name;
    struct telemetry_map *map;
    struct buf out;
    uint64_t report_count;
    bool is_broken;
};

static void listing_free(struct listing *listing)
{
    telemetry_map_free(&listing->map);
    buf_free(&listing->out);
}

static void line_report(void *context, uint64_t line_number, const struct diag *why)
{
    struct listing *listing = context;

    if (listing->report_count++ < REPORTS_MAX)
        cli_say(listing->cli, "entente: %s: line %" PRIu64 ": %s", listing->name, line_number,
                why->text);
}

static void observable_put(struct json_writer *w, const struct telemetry_observable *observable)
{
    jw_object_begin(w);
    jw_put_string(w, SLICE("path"), observable->path);
    jw_put_string(w, SLICE("value"), observable->value);
    jw_put_string(w, SLICE("field"), observable->field);
    jw_put_u64(w, SLICE("offset"), observable->offset);
    jw_put_u64(w, SLICE("object"), observable->object);
    jw_object_end(w);
}

static void time_text(const struct telemetry_event *event, char out[TIMESTAMP_TEXT_BYTES_MAX + 1])
{
    size_t len = event->has_time ? time_format_us(event->time_us, out) : 0;

    out[len] = '\0';
}

static int event_json(struct listing *listing, const struct telemetry_event *event)
{
    struct json_writer w = JSON_WRITER(&listing->out);
    char time[TIMESTAMP_TEXT_BYTES_MAX + 1];

    buf_reset(&listing->out);
    time_text(event, time);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("source"), slice_text(listing->name));
    jw_put_u64(&w, SLICE("line"), event->line_number);
    jw_put_u64(&w, SLICE("offset"), event->line_offset);
    if (event->has_time)
        jw_put_string(&w, SLICE("time"), slice_text(time));
    if (event->is_cut)
        jw_put_bool(&w, SLICE("cut"), true);
    jw_key(&w, SLICE("observables"));
    jw_array_begin(&w);
    for (size_t i = 0; i < event->count; i++)
        observable_put(&w, &event->observables[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return cli_print_json(&listing->out);
}

static int event_print(struct listing *listing, const struct telemetry_event *event)
{
    char time[TIMESTAMP_TEXT_BYTES_MAX + 1];

    if (listing->cli->json)
        return event_json(listing, event);
    if (event->count == 0)
        return CLI_OK;
    time_text(event, time);
    (void)printf("%s:%" PRIu64 "%s%s\n", listing->name, event->line_number,
                 event->has_time ? " " : "", time);
    for (size_t i = 0; i < event->count; i++) {
        const struct telemetry_observable *observable = &event->observables[i];

        (void)printf("  %.*s = ", SLICE_ARG(observable->path));
        cli_print_text(stdout, observable->value);
        (void)fputs("  (", stdout);
        cli_print_text(stdout, observable->field);
        (void)fputs(")\n", stdout);
    }
    return CLI_OK;
}

static int stream_list(struct listing *listing, struct telemetry_stream *stream)
{
    const struct telemetry_counts *counts = telemetry_stream_counts(stream);
    struct telemetry_event event;
    struct diag diag = {0};
    bool is_end = false;
    int code = CLI_OK;

    while (code == CLI_OK) {
        if (failed(telemetry_stream_next(stream, &event, &is_end, &diag)))
            return cli_failed(&diag);
        if (is_end)
            break;
        code = event_print(listing, &event);
    }
    listing->is_broken |= counts->broken > 0;
    cli_say(listing->cli,
            "entente: %s: %.*s: %" PRIu64 " lines, %" PRIu64 " observables, %" PRIu64
            " lines that cannot be read",
            listing->name, SLICE_ARG(telemetry_stream_format(stream)), counts->lines,
            counts->observables, counts->broken);
    return code;
}

static int file_list(struct listing *listing, const char *path)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(telemetry_stream_close) struct telemetry_stream *stream = NULL;
    struct telemetry_choice choice = {
        .format = cli_value(listing->cli, "format"),
        .map = listing->map,
        .now_us = time_now_us(),
        .report = line_report,
        .context = listing,
    };
    struct diag diag = {0};

    listing->name = path;
    listing->report_count = 0;
    if (failed(source_open(path, &source, &diag)) ||
        failed(telemetry_stream_open(source, &choice, &stream, &diag)))
        return cli_failed(&diag);
    return stream_list(listing, stream);
}

static result map_read(const char *path, struct telemetry_map **out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(buf_free) struct buf text = BUF(2 * TELEMETRY_MAP_BYTES_MAX + 2);
    size_t count = 0;

    TRY(source_open(path, &source, diag));
    do {
        char *room = text.len > TELEMETRY_MAP_BYTES_MAX
                         ? NULL
                         : buf_reserve(&text, TELEMETRY_MAP_BYTES_MAX + 1);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: a map takes %zu bytes at most", path,
                             TELEMETRY_MAP_BYTES_MAX);
        TRY(diag_within(diag, source_read(source, room, TELEMETRY_MAP_BYTES_MAX + 1, &count, diag),
                        "%s", path));
        text.len += count;
    } while (count > 0);
    return diag_within(diag, telemetry_map_read(buf_slice(&text), out, diag), "%s", path);
}

int cli_map_load(const struct cli *cli, struct telemetry_map **out)
{
    const char *path = cli_value(cli, "map");
    struct diag diag = {0};

    if (path != NULL && failed(map_read(path, out, &diag)))
        return cli_failed(&diag);
    return CLI_OK;
}

int cli_format_check(const struct cli *cli)
{
    CLEANUP(buf_free) struct buf names = BUF(4096);
    const char *wanted = cli_value(cli, "format");

    for (size_t i = 0; telemetry_format_at(i) != NULL; i++) {
        slice name = telemetry_format_at(i)->name;

        if (wanted == NULL || slice_eq(name, slice_text(wanted)))
            return CLI_OK;
        buf_printf(&names, "%s%.*s", i > 0 ? ", " : "", SLICE_ARG(name));
    }
    return cli_misused(cli, "--format = \"%s\": takes %.*s", wanted, SLICE_ARG(buf_slice(&names)));
}

int cmd_events(struct cli *cli)
{
    CLEANUP(listing_free) struct listing listing = {.cli = cli, .out = BUF(EVENT_OUT_BYTES_MAX)};
    int worst = CLI_OK;

    if (cli->word_count == 0)
        return cli_misused(cli, "name a file, or - for standard input");
    int code = cli_format_check(cli);
    if (code == CLI_OK)
        code = cli_map_load(cli, &listing.map);
    if (code != CLI_OK)
        return code;
    for (size_t i = 0; i < cli->word_count; i++) {
        code = file_list(&listing, cli->words[i]);
        worst = worst == CLI_OK ? code : worst;
    }
    return cli_end(worst == CLI_OK && listing.is_broken ? CLI_FAILED : worst);
}
