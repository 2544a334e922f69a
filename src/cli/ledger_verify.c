/* ledger verify: files and folders that a ledger handed out, or this node's own folder. */
#include <errno.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "ledger/cosign.h"
#include "node/check.h"
#include "verify/report.h"

#include "base/banned.h"

#define BROKEN_TOLD_MAX 10

/* ---- files ---- */

static bool own_keys(struct report *report, const struct node *node)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);

    note_verifier_write(&node->ledger.log_key.verifier, &vkey);
    buf_byte(&vkey, '\0');
    return !vkey.overflowed && report_key(report, vkey.at, false);
}

/* Whom to believe: the keys that are named; none: this node's own. */
static int trust_take(struct cli *cli, struct report *report)
{
    bool is_good = true;

    for (size_t i = 0; i < cli_value_count(cli, "key"); i++)
        is_good = is_good && report_key(report, cli_value_at(cli, "key", i), false);
    for (size_t i = 0; i < cli_value_count(cli, "witness"); i++)
        is_good = is_good && report_key(report, cli_value_at(cli, "witness", i), true);
    for (size_t i = 0; i < cli_value_count(cli, "keys"); i++)
        is_good = is_good && report_keys(report, cli_value_at(cli, "keys", i));
    for (size_t i = 0; i < cli_value_count(cli, "since"); i++)
        is_good = is_good && report_since(report, cli_value_at(cli, "since", i));
    if (cli_has(cli, "quorum"))
        is_good = is_good && report_quorum(report, cli_value(cli, "quorum"));
    if (!is_good)
        return CLI_MISUSED;
    if (report->key_count > report->witness_count)
        return CLI_OK;
    CLEANUP(node_close) struct node node = {0};
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    return own_keys(report, &node) ? CLI_OK : CLI_FAILED;
}

static int files_verify(struct cli *cli)
{
    static struct report report; /* too large for the stack; one command a process */

    report = (struct report){
        .program = "entente", .json = cli->json, .quiet = cli->quiet, .list = cli_has(cli, "list")};
    int code = trust_take(cli, &report);
    return code != CLI_OK ? code : (int)report_run(&report, cli->words, cli->word_count);
}

/* ---- this node's folder ---- */

static void tell(void *context, const struct diag *diag)
{
    uint64_t *told = context;

    if ((*told)++ < BROKEN_TOLD_MAX)
        (void)cli_fail(CLI_UNVERIFIED, "%s", diag->text);
}

static int whole_say(const struct cli *cli, const struct node *node, const struct node_check *check)
{
    const char *origin = node->ledger.log_key.verifier.name;

    if (cli->json)
        (void)printf("{\"verified\":%s,\"origin\":\"%s\",\"entries\":%" PRIu64 ",\"heads\":%" PRIu64
                     ",\"additions\":%" PRIu64 ",\"broken\":%" PRIu64 "}\n",
                     check->broken == 0 ? "true" : "false", origin, check->entries, check->heads,
                     check->additions, check->broken);
    else if (check->broken == 0)
        (void)printf("The log %s holds %" PRIu64 " entries, each as it was appended; all %" PRIu64
                     " heads that it signed are of this history.\n",
                     origin, check->entries, check->heads);
    if (!cli->json && check->broken == 0 && !check->log_only)
        (void)printf("%" PRIu64
                     " additions: each text is the one whose hash was recorded. Every table "
                     "is what the log says.\n",
                     check->additions);
    return check->broken == 0
               ? CLI_OK
               : cli_fail(CLI_UNVERIFIED, "%" PRIu64 " things do not hold", check->broken);
}

static int folder_verify(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    uint64_t told = 0;
    struct node_check check = {
        .log_only = cli_has(cli, "log-only"), .tell = tell, .context = &told};
    int code = cli_node_open(cli, check.log_only, &node);

    if (code != CLI_OK)
        return code;
    node_check(&node, &check);
    return whole_say(cli, &node, &check);
}

/* LMDB believes the pages that it maps: one that is damaged may end the process.  So a child looks,
 * and when it does not come back the answer is no. */
static int folder_verify_apart(struct cli *cli)
{
    struct diag diag = {0};
    int status = 0;

    (void)fflush(NULL);
    pid_t child = fork();
    if (child < 0 && failed(diag_errno(&diag, errno, "a process to look with")))
        return cli_failed(&diag);
    if (child == 0) {
        int code = folder_verify(cli);

        _exit(fflush(NULL) == 0 ? code : CLI_FAILED);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return cli_fail(CLI_FAILED, "lost the process that looks");
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return cli_fail(
        CLI_UNVERIFIED,
        "index.mdb: a page is damaged: reading it ended with signal %d; put a copy back",
        WTERMSIG(status));
}

int cmd_ledger_verify(struct cli *cli)
{
    if (!entente_start())
        return cli_fail(CLI_FAILED, "libsodium does not start");
    return cli->word_count > 0 ? files_verify(cli) : folder_verify_apart(cli);
}
