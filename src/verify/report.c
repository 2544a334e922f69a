#include "verify/report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "verify/inside.h"

#include "base/banned.h"

#define FILE_BYTES_MAX ((size_t)4 << 30)
#define SEEN_MAX 4096
#define DATE_BYTES 24

/* One head that was met in this run: two of one size with different roots are two histories. */
struct seen {
    struct entente_hash origin, root;
    uint64_t size;
};

struct run {
    const struct report *report;
    struct entente_trust trust;
    struct loaded since_files[REPORT_SINCE_MAX];
    struct entente_head since[REPORT_SINCE_MAX];
    size_t since_count;
    struct seen seen[SEEN_MAX];
    size_t seen_count;
    const char *path; /* of the file at hand */
    enum report_exit worst;
};

/* ---- arguments ---- */

static bool misused(const struct report *report, const char *option, const struct entente_why *why)
{
    (void)fprintf(stderr, "%s: --%s: %s\n", report->program, option, why->text);
    return false;
}

static struct entente_bytes bytes_of(const char *text)
{
    return (struct entente_bytes){(const uint8_t *)text, strlen(text)};
}

bool report_key(struct report *report, const char *vkey, bool is_witness)
{
    const char *option = is_witness ? "witness" : "key";
    enum entente_key_kind wanted = is_witness ? ENTENTE_KEY_WITNESS : ENTENTE_KEY_LOG;
    struct entente_why why = {0};
    struct entente_key key;

    if (!entente_key_parse(bytes_of(vkey), &key, &why))
        return misused(report, option, &why);
    if (key.kind != wanted) {
        (void)refuse(&why, "key %s is not of signature type %d", key.name, (int)wanted);
        return misused(report, option, &why);
    }
    if (report->key_count == ENTENTE_KEYS_MAX) {
        (void)refuse(&why, "over %d keys", ENTENTE_KEYS_MAX);
        return misused(report, option, &why);
    }
    report->keys[report->key_count++] = key;
    report->witness_count += is_witness;
    return true;
}

bool report_keys(struct report *report, const char *path)
{
    LOADED loaded = {0};
    struct entente_why why = {0};

    if (!load_named(AT_FDCWD, path, (size_t)1 << 20, &loaded, &why) ||
        (!entente_keys_parse(loaded.bytes, report->keys, ENTENTE_KEYS_MAX, &report->key_count,
                             &why) &&
         !refuse_within(&why, "%s", path)))
        return misused(report, "keys", &why);
    return true;
}

bool report_quorum(struct report *report, const char *count)
{
    struct entente_why why = {0};
    uint64_t number;

    if (!number_parse(bytes_of(count), &number) || number > ENTENTE_SIGNATURES_MAX) {
        (void)refuse(&why, "takes a number from 0 to %d", ENTENTE_SIGNATURES_MAX);
        return misused(report, "quorum", &why);
    }
    report->quorum = (size_t)number;
    report->quorum_given = true;
    return true;
}

bool report_since(struct report *report, const char *path)
{
    struct entente_why why = {0};

    if (report->since_count == REPORT_SINCE_MAX) {
        (void)refuse(&why, "over %d files", REPORT_SINCE_MAX);
        return misused(report, "since", &why);
    }
    report->since[report->since_count++] = path;
    return true;
}

/* ---- words ---- */

static void date_print(uint64_t time_s, char out[DATE_BYTES])
{
    time_t time = (time_t)time_s;
    struct tm parts;

    /* Years past 9999 are nobody's. */
    if (time_s > UINT64_C(253402300799) || gmtime_r(&time, &parts) == NULL ||
        strftime(out, DATE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(out, DATE_BYTES, "%" PRIu64 " s", time_s);
}

/* Text from outside for a terminal. */
static void text_print(struct entente_bytes text)
{
    for (size_t i = 0; i < text.count; i++)
        if (text.at[i] >= 0x20 && text.at[i] < 0x7f)
            (void)putchar(text.at[i]);
        else
            (void)printf("\\x%02x", text.at[i]);
}

/* As a JSON string; bytes that are not UTF-8 come as their code points in Latin-1. */
static void json_print(const char *name, struct entente_bytes text)
{
    bool is_utf8 = text_is_plain(text);

    (void)printf(",\"%s\":\"", name);
    for (size_t i = 0; i < text.count; i++) {
        uint8_t byte = text.at[i];

        if (byte == '"' || byte == '\\')
            (void)printf("\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_utf8))
            (void)printf("\\u%04x", byte);
        else
            (void)putchar(byte);
    }
    (void)putchar('"');
}

static void json_begin(const struct run *run, const char *what, bool holds)
{
    (void)printf("{\"verified\":%s", holds ? "true" : "false");
    json_print("file", bytes_of(run->path));
    if (what != NULL)
        json_print("what", bytes_of(what));
}

static void json_head(const struct entente_head *head)
{
    char root[HASH_TEXT_BYTES + 1], date[DATE_BYTES];

    hash_print(&head->root, root);
    json_print("origin", head->origin);
    (void)printf(",\"size\":%" PRIu64, head->size);
    json_print("root", bytes_of(root));
    (void)printf(",\"cosigned\":[");
    for (size_t i = 0; i < head->cosignature_count; i++) {
        date_print(head->cosignatures[i].time_s, date);
        (void)printf("%s{\"at\":\"%s\"", i > 0 ? "," : "", date);
        json_print("witness", bytes_of(head->cosignatures[i].key->name));
        (void)printf("}");
    }
    (void)printf("]");
}

/* The sentences about a head, the same behind every kind of proof. */
static void head_print(const struct entente_head *head)
{
    char root[HASH_TEXT_BYTES + 1], date[DATE_BYTES];

    hash_print(&head->root, root);
    (void)printf("  The log ");
    text_print(head->origin);
    (void)printf(" signed that it had %" PRIu64 " entries with the root hash %s.\n", head->size,
                 root);
    for (size_t i = 0; i < head->cosignature_count; i++) {
        date_print(head->cosignatures[i].time_s, date);
        (void)printf("  The witness ");
        text_print(bytes_of(head->cosignatures[i].key->name));
        (void)printf(" cosigned this at %s.\n", date);
    }
    if (head->cosignature_count == 0)
        (void)printf("  No witness that is trusted here cosigned it: the log may show others "
                     "another history.\n");
}

static void refused(struct run *run, const struct entente_why *why, enum report_exit code)
{
    if (run->worst != REPORT_REFUSED)
        run->worst = code;
    if (run->report->json) {
        json_begin(run, NULL, false);
        if (why->names_entry)
            (void)printf(",\"entry\":%" PRIu64, why->entry);
        json_print("reason", bytes_of(why->text));
        (void)printf("}\n");
        return;
    }
    (void)fprintf(stderr, "%s: %s: %s\n", run->report->program, run->path, why->text);
}

/* ---- heads that were met ---- */

static bool head_is_of(const struct entente_head *a, const struct entente_head *b)
{
    return bytes_equal(a->origin, b->origin);
}

static bool head_fits(struct run *run, const struct entente_head *head, struct entente_why *why)
{
    struct seen now = {hash_pieces(&head->origin, 1), head->root, head->size};

    for (size_t i = 0; i < run->seen_count; i++)
        if (run->seen[i].size == now.size &&
            entente_hash_equal(&run->seen[i].origin, &now.origin) &&
            !entente_hash_equal(&run->seen[i].root, &now.root))
            return refuse(
                why, "%.*s shows two histories: it signed two root hashes for %" PRIu64 " entries",
                SHOWN(head->origin), head->size);
    if (run->seen_count < SEEN_MAX)
        run->seen[run->seen_count++] = now;
    return true;
}

static bool since_load(struct run *run, const char *path, struct entente_why *why)
{
    struct loaded *file = &run->since_files[run->since_count];

    /* A head that was accepted then needs no quorum now. */
    struct entente_trust trust = {run->trust.keys, run->trust.key_count, 0};
    struct entente_head *head = &run->since[run->since_count];
    bool holds = load_file(AT_FDCWD, path, ENTENTE_NOTE_BYTES_MAX, file, why) &&
                 entente_head_check(file->bytes, &trust, head, why) && head_fits(run, head, why);

    if (holds)
        run->since_count++;
    else
        loaded_free(file);
    return holds;
}

/* ---- one kind of document each ---- */

static bool head_tell(struct run *run, struct entente_bytes bytes, struct entente_why *why)
{
    struct entente_head head;

    if (!entente_head_check(bytes, &run->trust, &head, why) || !head_fits(run, &head, why))
        return false;
    if (run->report->json) {
        json_begin(run, "head", true);
        json_head(&head);
        (void)printf("}\n");
    } else if (!run->report->quiet) {
        (void)printf("%s: a head that is signed as it should be.\n", run->path);
        head_print(&head);
    }
    return true;
}

static bool proof_tell(struct run *run, struct entente_bytes bytes, struct entente_why *why)
{
    static uint8_t room[ENTENTE_ENTRY_BYTES_MAX];
    struct entente_proof proof;

    if (!entente_proof_check(bytes, &run->trust, room, &proof, why) ||
        !head_fits(run, &proof.head, why))
        return false;
    if (run->report->json) {
        json_begin(run, "proof", true);
        json_head(&proof.head);
        (void)printf(",\"entry\":%" PRIu64, proof.index);
        json_print("text", proof.entry);
        (void)printf("}\n");
    } else if (!run->report->quiet) {
        (void)printf("%s: entry %" PRIu64 " of the log ", run->path, proof.index);
        text_print(proof.head.origin);
        (void)printf(" reads, byte for byte:\n  ");
        text_print(proof.entry);
        (void)printf("\n");
        head_print(&proof.head);
    }
    return true;
}

static void bundle_list(const struct run *run, struct entente_bytes lines)
{
    struct entente_bytes entry;
    uint64_t number;

    while (entente_bundle_next(&lines, &number, &entry)) {
        if (run->report->json) {
            json_begin(run, "entry", true);
            (void)printf(",\"entry\":%" PRIu64, number);
            json_print("text", entry);
            (void)printf("}\n");
        } else {
            (void)printf("  %" PRIu64 " ", number);
            text_print(entry);
            (void)printf("\n");
        }
    }
}

static void bundle_print(const struct run *run, const struct entente_bundle *bundle)
{
    struct entente_bytes lines = bundle->lines, entry;
    uint64_t number, first = 0, last = 0;

    for (bool is_first = true; entente_bundle_next(&lines, &number, &entry); is_first = false) {
        first = is_first ? number : first;
        last = number;
    }
    (void)printf("%s: %" PRIu64 " entries of the log ", run->path, bundle->entry_count);
    text_print(bundle->head.origin);
    (void)printf(bundle->entry_count > 0 ? " stand in it, from %" PRIu64 " to %" PRIu64
                                           ", byte for byte as they are here.\n"
                                         : ": it is empty of them.\n",
                 first, last);
    if (bundle->entry_count < bundle->head.size) {
        (void)printf("  It holds %" PRIu64 " of %" PRIu64 " entries", bundle->entry_count,
                     bundle->head.size);
        if (bundle->filter.count > 0) {
            (void)printf(", chosen by: ");
            text_print(bundle->filter);
        }
        (void)printf(".\n  That none was left out is not proven by it: an export of the whole log "
                     "shows that.\n");
    }
}

static bool bundle_tell(struct run *run, struct entente_bytes bytes, struct entente_why *why)
{
    struct entente_bundle bundle;

    if (!entente_bundle_check(bytes, &run->trust, &bundle, why) ||
        !head_fits(run, &bundle.head, why))
        return false;
    if (run->report->json) {
        json_begin(run, "bundle", true);
        json_head(&bundle.head);
        (void)printf(",\"entries\":%" PRIu64, bundle.entry_count);
        json_print("filter", bundle.filter);
        (void)printf("}\n");
    } else if (!run->report->quiet) {
        bundle_print(run, &bundle);
        head_print(&bundle.head);
    }
    if (run->report->list)
        bundle_list(run, bundle.lines);
    return true;
}

static bool consistency_tell(struct run *run, struct entente_bytes bytes, struct entente_why *why)
{
    struct entente_consistency proof;
    const struct entente_head *old = NULL;

    if (!entente_consistency_parse(bytes, &run->trust, &proof, why))
        return false;
    for (size_t i = 0; i < run->since_count; i++)
        if (head_is_of(&run->since[i], &proof.head) && run->since[i].size == proof.old_size)
            old = &run->since[i];
    if (old == NULL)
        return refuse(why,
                      "proves something only beside the head of %.*s with %" PRIu64
                      " entries: give its file by --since",
                      SHOWN(proof.head.origin), proof.old_size);
    if (!entente_consistency_file_check(bytes, &run->trust, &old->root, &proof, why) ||
        !head_fits(run, &proof.head, why))
        return false;
    if (run->report->json) {
        json_begin(run, "consistency", true);
        json_head(&proof.head);
        (void)printf(",\"old_size\":%" PRIu64 "}\n", proof.old_size);
    } else if (!run->report->quiet) {
        (void)printf("%s: the log ", run->path);
        text_print(proof.head.origin);
        (void)printf(" grew from %" PRIu64 " to %" PRIu64 " entries and altered none of the "
                     "first %" PRIu64 ".\n",
                     proof.old_size, proof.head.size, proof.old_size);
        head_print(&proof.head);
    }
    return true;
}

static bool folder_tell(struct run *run, struct entente_why *why)
{
    static struct entente_folder folder;

    if (!entente_folder_check(run->path, &run->trust, run->since, run->since_count, &folder, why)) {
        if (folder.entries_wrong > 1)
            (void)refuse_within(why, "%" PRIu64 " entries wrong, the first", folder.entries_wrong);
        return false;
    }
    if (!head_fits(run, &folder.head, why))
        return false;
    if (run->report->json) {
        json_begin(run, "log", true);
        json_head(&folder.head);
        (void)printf("}\n");
    } else if (!run->report->quiet) {
        (void)printf("%s: the whole log ", run->path);
        text_print(folder.head.origin);
        (void)printf(": all %" PRIu64 " entries are there, none altered, added or moved.\n",
                     folder.head.size);
        for (size_t i = 0; i < run->since_count; i++)
            if (head_is_of(&run->since[i], &folder.head))
                (void)printf("  It continues the head of %" PRIu64 " entries in %s.\n",
                             run->since[i].size, run->report->since[i]);
        head_print(&folder.head);
    }
    return true;
}

/* ---- files ---- */

static bool document_tell(struct run *run, const struct entente_document *document,
                          struct entente_why *why)
{
    switch (document->kind) {
    case ENTENTE_DOCUMENT_HEAD:
        return head_tell(run, document->bytes, why);
    case ENTENTE_DOCUMENT_PROOF:
        return proof_tell(run, document->bytes, why);
    case ENTENTE_DOCUMENT_CONSISTENCY:
        return consistency_tell(run, document->bytes, why);
    case ENTENTE_DOCUMENT_BUNDLE:
        return bundle_tell(run, document->bytes, why);
    }
    return refuse(why, "no document");
}

static void file_tell(struct run *run)
{
    LOADED loaded = {0};
    struct entente_why why = {0};
    struct entente_document document;
    struct entente_bytes rest;
    size_t number = 0;

    if (!load_file(AT_FDCWD, run->path, FILE_BYTES_MAX, &loaded, &why)) {
        refused(run, &why, REPORT_FAILED);
        return;
    }
    for (rest = loaded.bytes; entente_document_next(&rest, &document);) {
        number++;
        if (document_tell(run, &document, &why))
            continue;
        if (number > 1 || rest.count > 0)
            (void)refuse_within(&why, "part %zu", number);
        refused(run, &why, REPORT_REFUSED);
    }
    if (number == 0) {
        (void)refuse(&why, "is empty");
        refused(run, &why, REPORT_REFUSED);
    }
}

static void path_tell(struct run *run)
{
    struct entente_why why = {0};
    struct stat about;

    if (stat(run->path, &about) != 0 || !S_ISDIR(about.st_mode))
        file_tell(run);
    else if (!folder_tell(run, &why))
        refused(run, &why, REPORT_REFUSED);
}

enum report_exit report_run(const struct report *report, char *const *paths, size_t path_count)
{
    static struct run run; /* large, and there is one a process */
    struct entente_why why = {0};

    memset(&run, 0, sizeof(run));
    run.report = report;
    run.trust =
        (struct entente_trust){report->keys, report->key_count,
                               report->quorum_given ? report->quorum : report->witness_count};
    for (size_t i = 0; i < report->since_count; i++) {
        run.path = report->since[i];
        if (!since_load(&run, run.path, &why))
            refused(&run, &why, REPORT_REFUSED);
    }
    /* What a head that does not hold would have shown is not known: nothing else is proven then. */
    for (size_t i = 0; i < path_count && run.since_count == report->since_count; i++) {
        run.path = paths[i];
        path_tell(&run);
    }
    for (size_t i = 0; i < run.since_count; i++)
        loaded_free(&run.since_files[i]);
    if (fflush(stdout) != 0 && run.worst == REPORT_PROVEN) {
        (void)fprintf(stderr, "%s: standard output: not all of it could be written\n",
                      report->program);
        run.worst = REPORT_FAILED;
    }
    return run.worst;
}
