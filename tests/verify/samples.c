/* samples FOLDER: one of each file that a ledger hands out, for tests that run whole programs.
 *
 *     keys              the log's key and a witness's
 *     old               the head of the first 700 entries
 *     head, proof, growth (from the head `old`), bundle, several   of 1,000 entries
 *     log/              all of them, as tiles
 *     other/            another history of the same length, signed by the same key
 *     shorter           the head of the first 999: what `log` has, and `cut/` does not end with
 *     cut/              the first 700 entries alone
 */
#include "verify/building.h"

#include "base/banned.h"

#define SIZE 1000
#define OLD_SIZE 700

static void sample_put(const char *folder, const char *name, struct buf *text)
{
    file_put(folder, name, buf_slice(text));
    buf_reset(text);
}

int main(int argc, char **argv)
{
    static struct cast cast;
    static char path[512];
    struct buf text = BUF((size_t)1 << 24);
    struct made_log log = log_make(SIZE);

    if (argc != 2) {
        (void)fprintf(stderr, "usage: samples FOLDER\n");
        return 2;
    }
    cast_make(&cast);
    buf_printf(&text, "# what is believed\n%s\n%s\n", cast.log.vkey, cast.first.vkey);
    sample_put(argv[1], "keys", &text);
    head_make(&text, &log, OLD_SIZE, cast.signers);
    sample_put(argv[1], "old", &text);
    head_make(&text, &log, SIZE, cast.signers);
    sample_put(argv[1], "head", &text);
    head_make(&text, &log, SIZE - 1, cast.signers);
    sample_put(argv[1], "shorter", &text);
    proof_make(&text, &log, 321, SIZE, cast.signers);
    sample_put(argv[1], "proof", &text);
    growth_make(&text, &log, OLD_SIZE, SIZE, cast.signers);
    sample_put(argv[1], "growth", &text);
    bundle_make(&text, &log, SIZE, 90, cast.signers);
    sample_put(argv[1], "bundle", &text);
    bundle_make(&text, &log, OLD_SIZE, 300, cast.signers);
    proof_make(&text, &log, 0, 1, cast.signers);
    sample_put(argv[1], "several", &text);
    (void)snprintf(path, sizeof(path), "%s/log", argv[1]);
    (void)mkdir(path, 0700);
    folder_make(path, &log, SIZE, cast.signers);
    (void)snprintf(path, sizeof(path), "%s/cut", argv[1]);
    (void)mkdir(path, 0700);
    folder_make(path, &log, OLD_SIZE, cast.signers);
    log.entries[300].at[10] ^= 1;
    leaf_make(&log, 300);
    (void)snprintf(path, sizeof(path), "%s/other", argv[1]);
    (void)mkdir(path, 0700);
    folder_make(path, &log, SIZE, cast.signers);
    log_free(&log);
    buf_free(&text);
    return 0;
}
