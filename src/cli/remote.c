#include "cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4400
#define REMOTE_PAGE_BYTES_MAX ((size_t)256 << 20)
#define REMOTE_PAGE_OBJECTS_MAX 1000000

static void sleep_ms(void *context, uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)context;
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

int remote_open(const struct cli *cli, const struct node *node, struct taxii_remote **remote)
{
    struct taxii_remote_options options = {
        .url = cli->words[0],
        .user = cli_value(cli, "user"),
        .password_file = cli_value(cli, "password-file"),
        .token_file = cli_value(cli, "token-file"),
        .ca_file = cli_value(cli, "ca-file"),
        .pin_sha256_hex = cli_value(cli, "pin"),
        .timeout_s = (unsigned)node->config.pull_timeout_s,
        .retries_max = (unsigned)node->config.pull_retries_max,
        .page_bytes_max = REMOTE_PAGE_BYTES_MAX,
        .world = store_world(node->store),
        .sleep = sleep_ms,
    };
    struct diag diag = {0};
    int code = cli_count(cli, "page", 1, REMOTE_PAGE_OBJECTS_MAX, 0, &options.page_objects);

    if (code != CLI_OK)
        return code;
    if (options.user != NULL && options.password_file == NULL)
        return cli_misused(cli, "--user wants --password-file");
    return failed(taxii_remote_open(&options, remote, &diag)) ? cli_failed(&diag) : CLI_OK;
}

/* folder/pull/SHA-256 of what stands there: a URL is no file name. */
static void position_path(const struct node *node, const char *what, const char *url,
                          uint32_t collection, char out[PATH_BYTES_MAX])
{
    CLEANUP(buf_free) struct buf name = BUF(1 << 16);
    char hex[2 * SHA256_BYTES];

    buf_printf(&name, "%s\n%" PRIu32, url, collection);
    struct hash256 hash = sha256(buf_slice(&name));
    hex_encode(slice_of(hash.bytes, SHA256_BYTES), hex);
    (void)snprintf(out, PATH_BYTES_MAX, "%s/%s/%.32s", node->folder, what, hex);
}

result remote_position_load(const struct node *node, const char *what, const char *url,
                            uint32_t collection, char out[REMOTE_POSITION_BYTES_MAX],
                            struct diag *diag)
{
    char path[PATH_BYTES_MAX];

    position_path(node, what, url, collection, path);
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? OK : diag_errno(diag, errno, "%s", path);
    bool is_read = fgets(out, REMOTE_POSITION_BYTES_MAX, file) != NULL;
    (void)fclose(file);
    size_t bytes = strlen(out);
    if (!is_read || bytes == 0 || out[bytes - 1] != '\n')
        return diag_fail(diag, ERR_CORRUPT, "%s: holds no position; --from-start makes a new one",
                         path);
    out[bytes - 1] = '\0';
    return OK;
}

static result file_replace(const char *path, slice text, struct diag *diag)
{
    char beside[PATH_BYTES_MAX + 8];

    (void)snprintf(beside, sizeof(beside), "%s.part", path);
    int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return diag_errno(diag, errno, "%s", beside);
    ssize_t wrote = write(file, text.at, text.len);
    bool is_whole = wrote >= 0 && (size_t)wrote == text.len && fsync(file) == 0;
    int number = errno;
    (void)close(file);
    if (!is_whole)
        return diag_errno(diag, number, "%s", beside);
    return rename(beside, path) == 0 ? OK : diag_errno(diag, errno, "%s", path);
}

result remote_position_save(const struct node *node, const char *what, const char *url,
                            uint32_t collection, const char *position, struct diag *diag)
{
    char folder[PATH_BYTES_MAX], path[PATH_BYTES_MAX], line[REMOTE_POSITION_BYTES_MAX + 2];

    (void)snprintf(folder, sizeof(folder), "%s/%s", node->folder, what);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", folder);
    position_path(node, what, url, collection, path);
    int bytes = snprintf(line, sizeof(line), "%s\n", position);
    if (bytes < 0 || (size_t)bytes >= REMOTE_POSITION_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "%s: the position is longer than %d bytes", path,
                         REMOTE_POSITION_BYTES_MAX);
    return file_replace(path, slice_of(line, (size_t)bytes), diag);
}
