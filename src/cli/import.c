#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/import_form.h"
#include "cli/intake.h"

#include "base/banned.h"

#define FOLDER_FILES_MAX 100000
#define PATH_BYTES_MAX 4096

struct importer {
    struct intake intake;
    struct node *node;
    struct collection collection;
    struct import_form form;
    enum stix_mode mode;
    bool dry_run;
    uint64_t file_count, failed_count;
    int worst;
};

static result import_source(struct importer *importer, struct source *source,
                            struct import_counts *counts, struct diag *diag)
{
    const struct config *config = &importer->node->config;
    struct import_options options = {
        .collection = importer->collection.number,
        .mode = importer->mode,
        .object_bytes_max = config->object_bytes_max,
        .json_depth_max = config->json_depth_max,
        .origin = slice_text(source_name(source)),
        .actor = SLICE("cli"),
        .dry_run = importer->dry_run,
        .report = intake_report,
        .progress = intake_progress,
        .context = &importer->intake,
    };

    return diag_within(diag, store_import(importer->node->store, source, &options, counts, diag),
                       "%s", source_name(source));
}

/* One file: all of it or, when it is broken, nothing; the next file is tried in any case. */
static void import_file(struct importer *importer, const char *path)
{
    struct source *source = NULL;
    struct import_counts counts = {0};
    struct diag diag = {0};

    importer->file_count++;
    intake_begin(&importer->intake, path);
    result r = source_open(path, &source, &diag);
    struct in *in = NULL;
    if (succeeded(r))
        r = import_form_open(&importer->form, path, source, &in, &diag);
    if (succeeded(r))
        r = import_source(importer, in != NULL ? in_source(in) : source, &counts, &diag);
    intake_end(&importer->intake);
    if (in != NULL && succeeded(r))
        import_form_tell(&importer->intake, in);
    in_close(&in);
    source_close(&source);
    if (failed(r)) {
        importer->failed_count++;
        importer->worst = cli_failed(&diag);
        return;
    }
    intake_add(&importer->intake, path, &counts);
}

static bool is_intelligence(slice name)
{
    return in_is_named(name, IN_STIX) || in_is_named(name, IN_LIST) || in_is_named(name, IN_CSV);
}

static int by_name_wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A pipe, a device, a link to a folder (which may lead in circles).  What cannot be looked at is
 * for the import to tell. */
static bool is_no_file(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && !S_ISREG(about.st_mode);
}

static void folder_later(struct importer *importer, struct arena *arena, const char *path,
                         const char **pending, size_t *pending_count)
{
    const char *copy =
        *pending_count < FOLDER_FILES_MAX ? arena_text(arena, slice_text(path)) : NULL;

    if (copy != NULL)
        pending[(*pending_count)++] = copy;
    else
        importer->worst = cli_fail(CLI_FAILED, "%s: left out, one import takes %d folders", path,
                                   FOLDER_FILES_MAX);
}

/* The intelligence files of one folder, by name; folders inside it are walked when their turn
 * comes, from a list, so that no depth of folders uses up the stack. */
static int import_folder(struct importer *importer, struct arena *arena, const char *path,
                         const char **pending, size_t *pending_count)
{
    struct dirent **entries;
    int count = scandir(path, &entries, by_name_wanted, alphasort);

    if (count < 0)
        return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(errno));
    for (int i = 0; i < count; i++) {
        char inner[PATH_BYTES_MAX];
        struct stat about;
        int bytes = snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);

        if (bytes < 0 || (size_t)bytes >= sizeof(inner)) {
            importer->worst = cli_fail(CLI_FAILED, "%s: holds a path that is too long", path);
            continue;
        }
        bool is_there = lstat(inner, &about) == 0;
        if (is_there && S_ISDIR(about.st_mode))
            folder_later(importer, arena, inner, pending, pending_count);
        else if (is_intelligence(slice_text(entries[i]->d_name)) && !is_no_file(inner))
            import_file(importer, inner);
    }
    for (int i = 0; i < count; i++)
        free(entries[i]); /* tidy: scandir gives them from the heap */
    free(entries);        /* tidy: scandir gives it from the heap */
    return CLI_OK;
}

static int import_path(struct importer *importer, const char *path)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    struct stat about;

    if (slice_eq(slice_text(path), SLICE("-")) || stat(path, &about) != 0 ||
        !S_ISDIR(about.st_mode)) {
        import_file(importer, path);
        return CLI_OK;
    }
    const char **pending = arena_new(&arena, const char *, FOLDER_FILES_MAX);
    size_t pending_count = 0;
    uint64_t before = importer->file_count;
    if (pending == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    pending[pending_count++] = path;
    for (size_t i = 0; i < pending_count && pending[i] != NULL; i++) {
        int code = import_folder(importer, &arena, pending[i], pending, &pending_count);

        if (code != CLI_OK)
            return code;
    }
    if (importer->file_count == before)
        return cli_fail(CLI_NOT_FOUND,
                        "%s: no .json, .ndjson, .jsonl, .stix, .csv, .tsv or .list file "
                        "(plain, .gz or .zst)",
                        path);
    return CLI_OK;
}

static int import_prepare(struct cli *cli, struct node *node, struct importer *importer)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag diag = {0};
    const char *mode = cli_value(cli, "check");

    if (cli->word_count == 0)
        return cli_misused(cli, "name a file, a folder or - for standard input");
    int code = cli_node_open(cli, false, node);
    if (code != CLI_OK)
        return code;
    code = import_form_read(cli, &importer->form);
    if (code != CLI_OK)
        return code;
    if (!stix_mode_parse(slice_text(mode != NULL ? mode : node->config.check), &importer->mode))
        return cli_misused(cli, "--check = \"%s\": strict, normal or lenient", mode);
    store_view_begin(node->store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    return cli_collection(&view, cli_value(cli, "collection"), false, &importer->collection);
}

int cmd_import(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct importer importer = {.node = &node, .dry_run = cli_has(cli, "dry-run")};

    int code = import_prepare(cli, &node, &importer);
    if (code != CLI_OK)
        return code;
    intake_init(&importer.intake, cli, cli_has(cli, "verbose"));
    for (size_t i = 0; i < cli->word_count; i++) {
        code = import_path(&importer, cli->words[i]);
        if (code != CLI_OK)
            importer.worst = code;
    }
    code = intake_summary(&importer.intake, importer.dry_run ? "would take" : "took",
                          importer.collection.title);
    return importer.worst != CLI_OK ? importer.worst : code;
}
