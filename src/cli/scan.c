#include "cli/scan.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)1 << 30)
#define BROKEN_BYTES_MAX ((size_t)64 << 10)

/* A block on its way through the stages. */
struct slot {
    struct input_block block;
    struct block_hits hits;
    struct buf broken; /* words for the first lines that cannot be read */
    size_t broken_count;
};

struct session {
    struct scan scan;
    struct scan_keep keep;
    struct telemetry_map *map;
    struct input_choice input;
    struct input_files *files; /* one of the two */
    struct follow *follow;
    struct scanner *scanner;
    struct ruleset *set;
    struct scanner_worker *workers[SCAN_THREADS_MAX];
    struct slot *slots;
    size_t slot_count, threads;
    int code; /* of a failure that was said already */
    char state_path[INPUT_PATH_BYTES_MAX];
};

/* For the signal handler alone. */
static struct session *signalled;

/* ---- what is told on the way ---- */

static void input_report(void *context, enum input_trouble trouble, const char *name, uint64_t line,
                         const char *words)
{
    struct session *session = context;
    char place[32] = "";

    if (trouble == INPUT_LOST)
        (void)__atomic_add_fetch(&session->scan.totals.lost, 1, __ATOMIC_RELAXED);
    if (trouble == INPUT_LONG)
        (void)__atomic_add_fetch(&session->scan.totals.too_long, 1, __ATOMIC_RELAXED);
    if (trouble != INPUT_LOST && session->scan.cli->quiet)
        return;
    if (line > 0)
        (void)snprintf(place, sizeof(place), "line %" PRIu64 ": ", line);
    flockfile(stderr);
    (void)cli_fail(0, "%s: %s%s", name, place, words);
    funlockfile(stderr);
}

static void line_report(void *context, uint64_t line_number, const struct diag *why)
{
    struct slot *slot = context;

    if (slot->broken_count++ < SCAN_REPORTS_MAX)
        buf_printf(&slot->broken, "line %" PRIu64 ": %s\n", line_number, why->text);
}

static void broken_tell(struct session *session, struct slot *slot, struct scan_stream *stream)
{
    const char *name = slot->block.stream->name;
    slice rest = buf_slice(&slot->broken), line;

    flockfile(stderr);
    while (rest.len > 0 && !session->scan.cli->quiet) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (stream->broken++ < SCAN_REPORTS_MAX)
            (void)cli_fail(0, "%s: %.*s", name, SLICE_ARG(line));
        else if (stream->broken == SCAN_REPORTS_MAX + 1)
            (void)cli_fail(0, "%s: more lines cannot be read; --summary counts them", name);
    }
    funlockfile(stderr);
    buf_reset(&slot->broken);
    slot->broken_count = 0;
}

/* ---- the stages ---- */

static result stage_take(void *context, size_t slot, bool *is_end, struct diag *diag)
{
    struct session *session = context;
    struct input_block *block = &session->slots[slot].block;

    if (session->follow != NULL)
        return follow_next(session->follow, block, is_end, diag);
    return input_files_next(session->files, block, is_end, diag);
}

static result stage_work(void *context, size_t thread, size_t slot, struct diag *diag)
{
    struct session *session = context;
    struct slot *one = &session->slots[slot];

    block_hits_reset(&one->hits);
    one->hits.report = line_report;
    one->hits.context = one;
    return scanner_block(session->workers[thread], &one->block, &one->hits, diag);
}

static void stream_forget(void *context)
{
    struct scan_stream *stream = context;

    detector_state_free(&stream->state);
    table_free(stream);
}

static result stream_of(struct session *session, struct input_stream *input,
                        struct scan_stream **out, struct diag *diag)
{
    size_t capacity = 0;

    *out = input->context;
    if (*out != NULL)
        return OK;
    struct scan_stream *stream = table_grow(NULL, &capacity, 1, 1, sizeof(*stream));
    if (stream == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    *stream = (struct scan_stream){0};
    input->context = stream; /* its own from now on */
    *out = stream;
    session->scan.totals.inputs++;
    if (!ruleset_is_temporal(session->set))
        return OK;
    return detector_state_new(session->set, time_now_us(), &stream->state, diag);
}

static bool is_wanted(struct scan *scan, const struct hit *hit)
{
    struct rule rule;

    if (scan->only_count == 0)
        return true;
    for (size_t i = 0; i < scan->only_count; i++) {
        slice type = slice_text(scan->only[i]);

        for (size_t j = 0; j < hit->field_count; j++)
            if (slice_starts(hit->fields[j].path, type) && hit->fields[j].path.len > type.len &&
                hit->fields[j].path.at[type.len] == ':')
                return true;
        /* A hit by what is not there has no fields: its pattern says what it is about. */
        if (hit->field_count == 0 && ruleset_rule(scan->set, hit->rule, &scan->arena, &rule) &&
            slice_find(rule.pattern, type) != SIZE_MAX)
            return true;
    }
    return false;
}

static int by_line(const void *a, const void *b)
{
    const struct hit *left = a, *right = b;

    if (left->line_offset != right->line_offset)
        return left->line_offset < right->line_offset ? -1 : 1;
    return (left->rule > right->rule) - (left->rule < right->rule);
}

/* Those that are wanted, by line: hits of several events come behind the others of their block. */
static size_t hits_sort(struct scan *scan, struct block_hits *hits)
{
    size_t count = 0;
    bool is_sorted = true;

    for (size_t i = 0; i < hits->count; i++) {
        if (!is_wanted(scan, &hits->hits[i]))
            continue;
        is_sorted &= count == 0 || hits->hits[count - 1].line_offset <= hits->hits[i].line_offset;
        hits->hits[count++] = hits->hits[i];
    }
    if (!is_sorted)
        qsort(hits->hits, count, sizeof(*hits->hits), by_line);
    return count;
}

/* *is_enough: of this stream. */
static result hits_tell(struct session *session, struct slot *slot, struct scan_stream *stream,
                        bool *is_enough, struct diag *diag)
{
    struct scan *scan = &session->scan;
    size_t count = hits_sort(scan, &slot->hits);
    const struct hit *hits = slot->hits.hits;

    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && hits[next].line_offset == hits[i].line_offset;)
            next++;
        *is_enough = stream->hit_lines >= scan->max_count;
        if (*is_enough)
            return OK;
        TRY(scan_keep_hits(&session->keep, session->set, &hits[i], next - i, diag));
        stream->hit_lines++;
        stream->hits += next - i;
        scan->totals.hit_lines++;
        scan->totals.hits += next - i;
        scan_print_line(scan, &slot->block, &hits[i], next - i);
    }
    *is_enough = stream->hit_lines >= scan->max_count ||
                 (scan->form == SCAN_SILENT && !scan->is_kept && stream->hit_lines > 0);
    return OK;
}

static void totals_add(struct session *session, const struct slot *slot)
{
    struct scan_totals *totals = &session->scan.totals;
    const struct block_counts *counts = &slot->hits.counts;

    totals->lines += slot->block.line_count;
    totals->bytes += slot->block.bytes.len;
    totals->read += counts->lines;
    totals->broken += counts->broken;
    totals->checked += counts->checked;
    totals->dropped += counts->dropped;
    totals->gave_up += counts->gave_up;
}

static void stream_end(struct session *session, const struct input_stream *input,
                       const struct scan_stream *stream)
{
    scan_print_end(&session->scan, input->name, stream);
    if (stream->state != NULL)
        session->scan.totals.evicted += detector_state_counts(stream->state)->evicted;
}

static result stage_give(void *context, size_t number, bool *is_enough, struct diag *diag)
{
    struct session *session = context;
    struct slot *slot = &session->slots[number];
    struct input_stream *input = slot->block.stream;
    struct scan_stream *stream;
    bool is_stream_enough = false;

    TRY(stream_of(session, input, &stream, diag));
    if (stream->state != NULL)
        TRY(detector_settle(stream->state, &slot->hits, diag));
    totals_add(session, slot);
    if (slot->broken.len > 0)
        broken_tell(session, slot, stream);
    if (slot->hits.count > 0)
        TRY(hits_tell(session, slot, stream, &is_stream_enough, diag));
    if (slot->block.is_last)
        stream_end(session, input, stream);
    else if (is_stream_enough && !session->scan.is_live && session->scan.is_single &&
             session->scan.form != SCAN_SILENT)
        stream_end(session, input, stream);
    *is_enough = (session->scan.out.len > 0 || session->scan.out.overflowed) &&
                 !scan_write(&session->scan, &session->code);
    *is_enough |=
        is_stream_enough && ((session->scan.form == SCAN_SILENT && !session->scan.is_kept) ||
                             session->scan.is_live || session->scan.is_single);
    if (session->follow != NULL)
        TRY(scan_keep_on(&session->keep, diag));
    if (session->follow != NULL)
        TRY(follow_told(session->follow, &slot->block, diag));
    return OK;
}

static void stage_wake(void *context)
{
    struct session *session = context;

    if (session->follow != NULL)
        follow_stop(session->follow);
    else
        input_files_stop(session->files);
}

/* ---- options ---- */

static enum scan_form form_of(const struct cli *cli)
{
    if (cli_has(cli, "count"))
        return SCAN_COUNT;
    if (cli_has(cli, "files-with-matches"))
        return SCAN_NAMES;
    if (cli->json)
        return SCAN_JSON;
    if (cli->quiet)
        return SCAN_SILENT;
    return isatty(STDOUT_FILENO) ? SCAN_TERMINAL : SCAN_LINES;
}

static int colour_read(struct scan *scan)
{
    const char *when = cli_value(scan->cli, "color");

    if (when == NULL || slice_eq(slice_text(when), SLICE("auto"))) {
        scan->has_colour = cli_colour(stdout, "x")[0] != '\0';
    } else if (slice_eq(slice_text(when), SLICE("always"))) {
        scan->has_colour = true;
        if (scan->form == SCAN_LINES)
            scan->form = SCAN_TERMINAL;
    } else if (!slice_eq(slice_text(when), SLICE("never"))) {
        return cli_misused(scan->cli, "--color = \"%s\": takes auto, always or never", when);
    }
    return CLI_OK;
}

/* A folder is as many inputs as it holds. */
static bool is_single(const struct cli *cli)
{
    struct stat is;

    return cli->word_count == 1 && (stat(cli->words[0], &is) != 0 || !S_ISDIR(is.st_mode));
}

static int options_read(struct session *session, struct cli *cli)
{
    struct scan *scan = &session->scan;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t fallback = cores < 1 ? 1 : cores > SCAN_THREADS_MAX ? SCAN_THREADS_MAX : (size_t)cores;
    int code;

    scan->form = form_of(cli);
    scan->is_live = cli_has(cli, "follow") || cli_has(cli, "listen");
    scan->is_kept = cli_has(cli, "report") || cli_has(cli, "record");
    scan->is_single = is_single(cli);
    scan->has_names = (cli->word_count > 0 && !scan->is_single) || scan->is_live;
    if ((code = colour_read(scan)) != CLI_OK ||
        (code = cli_count(cli, "max-count", 1, SIZE_MAX, SIZE_MAX, &scan->max_count)) != CLI_OK ||
        (code = cli_count(cli, "threads", 1, SCAN_THREADS_MAX, fallback, &session->threads)) !=
            CLI_OK)
        return code;
    scan->only_count = cli_value_count(cli, "only");
    if (scan->only_count > SCAN_ONLY_MAX)
        return cli_misused(cli, "--only: at most %d types", SCAN_ONLY_MAX);
    for (size_t i = 0; i < scan->only_count; i++)
        scan->only[i] = cli_value_at(cli, "only", i);
    if (cli->word_count == 0 && !cli_has(cli, "listen"))
        return cli_misused(cli, "name a file or folder, or - for standard input");
    return CLI_OK;
}

static int state_path_find(struct session *session, struct cli *cli)
{
    const char *named = cli_value(cli, "state");
    bool has_node = session->scan.is_kept || cli_has(cli, "folder") ||
                    (!cli_has(cli, "indicators") && !cli_has(cli, "pattern"));
    int bytes = 0;

    if (named != NULL)
        bytes = snprintf(session->state_path, sizeof(session->state_path), "%s", named);
    else if (has_node && cli->folder != NULL)
        bytes =
            snprintf(session->state_path, sizeof(session->state_path), "%s/scan.json", cli->folder);
    if (bytes < 0 || (size_t)bytes >= sizeof(session->state_path))
        return cli_fail(SCAN_ERROR, "the path of the positions is too long");
    return CLI_OK;
}

static result sources_open(struct session *session, struct cli *cli, struct diag *diag)
{
    const char *sockets[FOLLOW_LISTENERS_MAX];
    size_t count = cli_value_count(cli, "listen");
    struct follow_choice choice = {
        .paths = (const char *const *)cli->words,
        .path_count = cli->word_count,
        .sockets = sockets,
        .socket_count = count,
        .state_path = session->state_path[0] != '\0' ? session->state_path : NULL,
        .input = &session->input,
    };

    if (!session->scan.is_live)
        return input_files_open((const char *const *)cli->words, cli->word_count, &session->input,
                                &session->files, diag);
    for (size_t i = 0; i < count && i < FOLLOW_LISTENERS_MAX; i++)
        sockets[i] = cli_value_at(cli, "listen", i);
    return follow_open(&choice, &session->follow, diag);
}

static result workers_make(struct session *session, struct diag *diag)
{
    const struct scanner_choice choice = {
        .map = session->map,
        .now_us = time_now_us(),
        /* The sieve passes over lines that cannot hit; the record wants them all. */
        .is_slow = cli_has(session->scan.cli, "slow") || session->keep.retro != NULL,
        .event = session->keep.retro != NULL ? scan_keep_event : NULL,
        .event_context = &session->keep,
    };
    size_t capacity = 0, wanted = scan_slots(session->threads);

    TRY(scanner_new(session->set, &choice, &session->scanner, diag));
    for (size_t i = 0; i < session->threads; i++)
        TRY(scanner_worker_new(session->scanner, &session->workers[i], diag));
    session->slots =
        table_grow(NULL, &capacity, wanted, wanted < 16 ? 16 : wanted, sizeof(*session->slots));
    if (session->slots == NULL)
        return diag_fail(diag, ERR_LIMIT, "out of memory");
    for (session->slot_count = 0; session->slot_count < wanted; session->slot_count++) {
        struct slot *slot = &session->slots[session->slot_count];

        *slot = (struct slot){.broken = BUF(BROKEN_BYTES_MAX)};
        block_hits_init(&slot->hits);
    }
    return OK;
}

static void session_free(struct session *session)
{
    signalled = NULL;
    for (size_t i = 0; i < session->slot_count; i++) {
        input_block_free(&session->slots[i].block);
        block_hits_free(&session->slots[i].hits);
        buf_free(&session->slots[i].broken);
    }
    table_free(session->slots);
    input_files_close(&session->files);
    follow_close(&session->follow);
    for (size_t i = 0; i < session->threads && i < SCAN_THREADS_MAX; i++)
        scanner_worker_free(&session->workers[i]);
    scanner_free(&session->scanner);
    ruleset_release(&session->set);
    telemetry_map_free(&session->map);
    scan_keep_free(&session->keep);
    buf_free(&session->scan.out);
    arena_free(&session->scan.arena);
}

/* ---- running ---- */

static void stop_asked(int number)
{
    (void)number;
    if (signalled != NULL && signalled->follow != NULL)
        follow_stop(signalled->follow);
}

/* A scan of files that is interrupted ends as grep does; one that follows ends clean: what it has
 * told is kept in its positions. */
static void signals_take(struct session *session)
{
    struct sigaction action = {.sa_handler = stop_asked, .sa_flags = (int)SA_RESETHAND};

    if (session->follow == NULL)
        return;
    signalled = session;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

static int session_run(struct session *session)
{
    const struct scan_stages stages = {.take = stage_take,
                                       .work = stage_work,
                                       .give = stage_give,
                                       .wake = stage_wake,
                                       .context = session};
    struct scan_totals *totals = &session->scan.totals;
    uint64_t start = time_mono_ns();
    struct diag diag = {0}, why = {0};

    signals_take(session);
    result r = scan_run(&stages, session->threads, &diag);
    /* What was found is kept, whatever ended the scan. */
    if (failed(scan_keep_end(&session->keep, &why)))
        session->code = cli_fail(SCAN_ERROR, "%s", why.text);
    else if (session->follow != NULL && succeeded(r))
        r = follow_save(session->follow, &diag);
    totals->scan_ns = time_mono_ns() - start;
    if (cli_has(session->scan.cli, "summary"))
        scan_summary(&session->scan);
    scan_keep_tell(&session->keep, session->scan.cli);
    if (failed(r))
        return cli_fail(SCAN_ERROR, "%s", diag.text);
    if (session->code != 0)
        return session->code;
    if (session->scan.form == SCAN_SILENT && totals->hits > 0)
        return SCAN_HIT; /* as grep -q, whatever else happened */
    if (totals->lost > 0)
        return SCAN_ERROR;
    if (totals->inputs == 0 && !session->scan.is_live)
        return cli_fail(SCAN_ERROR, "no files in what was named");
    return totals->hits > 0 ? SCAN_HIT : SCAN_NONE;
}

int cmd_scan(struct cli *cli)
{
    static struct session session; /* large, and one in a process */
    uint64_t start = time_mono_ns();
    struct diag diag = {0};
    int code;

    session = (struct session){
        .scan = {.cli = cli, .out = BUF(SCAN_OUT_BYTES_MAX), .arena = ARENA(ARENA_BYTES_MAX)}};
    session.input = (struct input_choice){.format = cli_value(cli, "format"),
                                          .report = input_report,
                                          .forget = stream_forget,
                                          .context = &session};
    code = options_read(&session, cli);
    if (code == CLI_OK)
        code = cli_format_check(cli);
    if (code == CLI_OK)
        code = cli_map_load(cli, &session.map);
    if (code == CLI_OK)
        code = state_path_find(&session, cli);
    if (code == CLI_OK)
        code = scan_keep_open(cli, &session.keep);
    if (code == CLI_OK)
        code = scan_rules_load(cli, session.keep.is_open ? &session.keep.node : NULL, &session.set);
    if (code != CLI_OK) {
        session_free(&session);
        return SCAN_ERROR;
    }
    session.input.map = session.map;
    session.scan.set = session.set;
    session.scan.totals.load_ns = time_mono_ns() - start;
    if (failed(sources_open(&session, cli, &diag)) || failed(workers_make(&session, &diag)))
        code = cli_fail(SCAN_ERROR, "%s", diag.text);
    else
        code = session_run(&session);
    session_free(&session);
    return code;
}
