/* ledger witness: whose logs this node cosigns, and what it caught them at. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/cli.h"
#include "ledger/witness.h"

#include "base/banned.h"

static int vkey_print(const struct cli *cli, const char *role, const struct note_verifier *verifier)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX), out = BUF(1 << 13);
    struct json_writer w = JSON_WRITER(&out);

    note_verifier_write(verifier, &vkey);
    if (!cli->json) {
        /* As a key file has it: what this prints is what --keys reads. */
        (void)printf("# %s\n%.*s\n", role, SLICE_ARG(buf_slice(&vkey)));
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("key"), slice_text(role));
    jw_put_string(&w, SLICE("name"), slice_text(verifier->name));
    jw_put_string(&w, SLICE("vkey"), buf_slice(&vkey));
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_ledger_keys(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, false, &node);
    if (code == CLI_OK)
        code = vkey_print(cli, "log", &node.ledger.log_key.verifier);
    if (code == CLI_OK)
        code = vkey_print(cli, "witness", &node.ledger.witness_key.verifier);
    if (code == CLI_OK)
        code = vkey_print(cli, "node", &node.ledger.node_key.verifier);
    return code;
}

static int change(struct cli *cli, bool adds)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, adds ? "takes the vkey of a log" : "takes the origin of a log");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    slice word = slice_text(cli->words[0]);
    result r = adds ? witness_add(&node.ledger, word, SLICE("cli"), &diag)
                    : witness_remove(&node.ledger, word, SLICE("cli"), &diag);
    return failed(r) ? cli_failed(&diag) : CLI_OK;
}

int cmd_ledger_witness_add(struct cli *cli)
{
    return change(cli, true);
}

int cmd_ledger_witness_remove(struct cli *cli)
{
    return change(cli, false);
}

static int witnessed_print(const struct cli *cli, const struct witnessed *witnessed)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX), out = BUF(1 << 16);
    struct json_writer w = JSON_WRITER(&out);

    note_verifier_write(&witnessed->verifier, &vkey);
    if (!cli->json) {
        (void)printf("%s  cosigned up to %" PRIu64 " entries  %.*s\n", witnessed->verifier.name,
                     witnessed->size, SLICE_ARG(buf_slice(&vkey)));
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("origin"), slice_text(witnessed->verifier.name));
    jw_put_string(&w, SLICE("vkey"), buf_slice(&vkey));
    jw_put_u64(&w, SLICE("size"), witnessed->size);
    if (witnessed->note.len > 0)
        jw_put_string(&w, SLICE("checkpoint"), witnessed->note);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static int evidence_print(const struct cli *cli, const struct evidence *evidence)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 17);
    struct json_writer w = JSON_WRITER(&out);
    char at[TIMESTAMP_TEXT_BYTES_MAX];
    size_t bytes = time_format_us(evidence->at_us, at);

    if (!cli->json) {
        (void)printf("evidence %" PRIu64 ", %.*s: two notes of one log that do not agree\n\n"
                     "%.*s\n%.*s\n",
                     evidence->number, (int)bytes, at, SLICE_ARG(evidence->first),
                     SLICE_ARG(evidence->second));
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("evidence"), evidence->number);
    jw_put_string(&w, SLICE("at"), slice_of(at, bytes));
    jw_put_u64(&w, SLICE("old"), evidence->old_size);
    jw_put_string(&w, SLICE("first"), evidence->first);
    jw_put_string(&w, SLICE("second"), evidence->second);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_ledger_witness_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct witnessed witnessed;
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    kv_begin_read(node.ledger.kv, &txn, &diag);
    for (size_t i = 0; code == CLI_OK && witness_at(&txn, node.ledger.log, i, &witnessed); i++)
        code = witnessed_print(cli, &witnessed);
    return diag.code != ERR_NONE ? cli_failed(&diag) : code;
}

/* Exit 5 when there is any: a script may ask. */
int cmd_ledger_witness_evidence(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct evidence evidence;
    struct diag diag = {0};
    uint64_t count = 0;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    kv_begin_read(node.ledger.kv, &txn, &diag);
    for (; code == CLI_OK && evidence_at(&txn, node.ledger.log, count, &evidence); count++)
        code = evidence_print(cli, &evidence);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    return code == CLI_OK && count > 0 ? CLI_UNVERIFIED : code;
}
