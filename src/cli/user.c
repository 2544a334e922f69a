#include <inttypes.h>

#include "base/crypto.h"
#include "base/time.h"
#include "cli/cli.h"
#include "stix/id.h"

#include "base/banned.h"

#define US_PER_DAY ((int64_t)86400 * 1000000)
#define TOKEN_DAYS_MAX 36500

static int name_and_node(struct cli *cli, struct node *node)
{
    if (cli->word_count != 1)
        return cli_misused(cli, "takes one argument");
    return cli_node_open(cli, false, node);
}

/* "role,role" of --role; fallback when it is not given. */
static int roles_take(const struct cli *cli, const char *fallback, unsigned *roles)
{
    const char *text = cli_value(cli, "role");

    if (text == NULL)
        text = fallback;
    if (text == NULL)
        return cli_misused(cli, "--role is needed");
    if (!role_parse(slice_text(text), roles))
        return cli_misused(
            cli, "--role = \"%s\": takes admin, analyst, releaser, reader, sensor, with commas",
            text);
    return CLI_OK;
}

/* Looked at before there is an account, which without it would be one of the own organisation. */
static int identities_check(const struct cli *cli)
{
    static const char *const options[] = {"organisation", "person"};

    for (size_t i = 0; i < 2; i++) {
        const char *id = cli_value(cli, options[i]);
        struct stix_id parsed;

        if (id != NULL &&
            (strlen(id) > ACCOUNT_IDENTITY_BYTES_MAX || !stix_id_parse(slice_text(id), &parsed) ||
             !slice_eq(parsed.type, SLICE("identity"))))
            return cli_misused(cli, "--%s = \"%s\": takes the id of an identity", options[i], id);
    }
    return CLI_OK;
}

int cmd_user_add(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    char password[CLI_PASSWORD_BYTES_MAX] = "";
    size_t password_bytes = 0;
    struct account account;
    struct diag diag = {0};
    unsigned roles;
    int code = roles_take(cli, "reader", &roles);

    if (code == CLI_OK)
        code = identities_check(cli);
    if (code == CLI_OK)
        code = name_and_node(cli, &node);
    if (code == CLI_OK && cli_value(cli, "password-file") != NULL)
        code = cli_secret(cli, cli_value(cli, "password-file"), "password: ", true, password,
                          &password_bytes);
    if (code != CLI_OK)
        return code;
    result r = account_add(node.accounts, slice_text(cli->words[0]), roles,
                           slice_of(password, password_bytes), SLICE("cli"), &account, &diag);
    secret_wipe(password, sizeof(password));
    if (succeeded(r))
        r = account_set_organisation(node.accounts, slice_text(cli->words[0]),
                                     slice_text(cli_value(cli, "organisation")),
                                     slice_text(cli_value(cli, "person")), SLICE("cli"), &diag);
    if (failed(r))
        return cli_failed(&diag);
    if (password_bytes == 0)
        cli_say(cli,
                "account %s added; it has no password: \"entente token add %s\" gives it a token",
                account.name, account.name);
    else
        cli_say(cli, "account %s added", account.name);
    return CLI_OK;
}

int cmd_user_organisation(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};

    if (cli->word_count < 1 || cli->word_count > 2)
        return cli_misused(cli, "takes an account and an identity's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    slice organisation = cli->word_count == 2 ? slice_text(cli->words[1]) : SLICE("");
    if (failed(account_set_organisation(node.accounts, slice_text(cli->words[0]), organisation,
                                        slice_text(cli_value(cli, "person")), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "account %s: organisation set", cli->words[0]);
    return CLI_OK;
}

int cmd_user_password(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    char password[CLI_PASSWORD_BYTES_MAX];
    size_t password_bytes;
    struct diag diag = {0};
    const char *path = cli_value(cli, "password-file");
    int code = name_and_node(cli, &node);

    if (code == CLI_OK)
        code = cli_secret(cli, path != NULL ? path : "-", "new password: ", true, password,
                          &password_bytes);
    if (code != CLI_OK)
        return code;
    result r = account_set_password(node.accounts, slice_text(cli->words[0]),
                                    slice_of(password, password_bytes), SLICE("cli"), &diag);
    secret_wipe(password, sizeof(password));
    if (failed(r))
        return cli_failed(&diag);
    cli_say(cli, "account %s: password set", cli->words[0]);
    return CLI_OK;
}

int cmd_user_roles(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};
    unsigned roles = 0;
    int code = roles_take(cli, NULL, &roles);

    if (code == CLI_OK)
        code = name_and_node(cli, &node);
    if (code != CLI_OK)
        return code;
    if (failed(account_set_roles(node.accounts, slice_text(cli->words[0]), roles, SLICE("cli"),
                                 &diag)))
        return cli_failed(&diag);
    cli_say(cli, "account %s: roles set", cli->words[0]);
    return CLI_OK;
}

static int set_disabled(struct cli *cli, bool disabled, const char *done)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};
    int code = name_and_node(cli, &node);

    if (code != CLI_OK)
        return code;
    if (failed(account_set_disabled(node.accounts, slice_text(cli->words[0]), disabled,
                                    SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "account %s %s", cli->words[0], done);
    return CLI_OK;
}

int cmd_user_disable(struct cli *cli)
{
    return set_disabled(cli, true, "disabled");
}

int cmd_user_enable(struct cli *cli)
{
    return set_disabled(cli, false, "enabled");
}

int cmd_user_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};
    int code = name_and_node(cli, &node);

    if (code != CLI_OK)
        return code;
    if (failed(account_remove(node.accounts, slice_text(cli->words[0]), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "account %s removed", cli->words[0]);
    return CLI_OK;
}

/* ---- lists ---- */

static int print_account_json(const struct account *account)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    CLEANUP(buf_free) struct buf roles = BUF(256);
    struct json_writer w = JSON_WRITER(&out);
    char created[TIMESTAMP_TEXT_BYTES_MAX];

    role_format(account->roles, &roles);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("name"), slice_text(account->name));
    jw_put_string(&w, SLICE("roles"), buf_slice(&roles));
    jw_put_bool(&w, SLICE("password"), account->has_password);
    jw_put_bool(&w, SLICE("disabled"), account->is_disabled);
    if (account->organisation[0] != '\0')
        jw_put_string(&w, SLICE("organisation"), slice_text(account->organisation));
    if (account->person[0] != '\0')
        jw_put_string(&w, SLICE("person"), slice_text(account->person));
    jw_put_string(&w, SLICE("created"),
                  slice_of(created, time_format_us(account->created_us, created)));
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void print_account(const struct account *account)
{
    CLEANUP(buf_free) struct buf roles = BUF(256);
    char created[TIMESTAMP_TEXT_BYTES_MAX];

    role_format(account->roles, &roles);
    (void)time_format_us(account->created_us, created);
    (void)printf("%-24s %-24.*s since %.10s%s%s\n", account->name, SLICE_ARG(buf_slice(&roles)),
                 created, account->has_password ? "" : "  no password",
                 account->is_disabled ? "  disabled" : "");
}

int cmd_user_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    struct account account;
    struct diag diag = {0};
    int code = cli_node_open(cli, true, &node);

    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    for (size_t i = 0; account_at(&view.txn, node.accounts, i, &account); i++) {
        if (!cli->json)
            print_account(&account);
        else if (print_account_json(&account) != CLI_OK)
            return CLI_FAILED;
    }
    return diag.code != ERR_NONE ? cli_failed(&diag) : CLI_OK;
}

/* ---- tokens ---- */

static int print_token_json(const struct account_token *token, slice user, slice text)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), slice_text(token->id));
    jw_put_string(&w, SLICE("user"), user);
    jw_put_string(&w, SLICE("label"), slice_text(token->label));
    if (text.len > 0)
        jw_put_string(&w, SLICE("token"), text);
    jw_put_string(&w, SLICE("created"), slice_of(when, time_format_us(token->created_us, when)));
    if (token->expires_us != 0)
        jw_put_string(&w, SLICE("expires"),
                      slice_of(when, time_format_us(token->expires_us, when)));
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_token_add(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    char text[TOKEN_TEXT_BYTES_MAX];
    const char *label = cli_value(cli, "label");
    struct account_token token;
    struct diag diag = {0};
    size_t days;
    int code = cli_count(cli, "days", 1, TOKEN_DAYS_MAX, 0, &days);

    if (code == CLI_OK)
        code = name_and_node(cli, &node);
    if (code != CLI_OK)
        return code;
    int64_t expires_us = days == 0 ? 0 : time_now_us() + (int64_t)days * US_PER_DAY;
    if (failed(account_token_add(node.accounts, slice_text(cli->words[0]), slice_text(label),
                                 expires_us, SLICE("cli"), text, &token, &diag)))
        return cli_failed(&diag);
    if (cli->json)
        code = print_token_json(&token, slice_text(cli->words[0]), slice_text(text));
    else
        (void)printf("%s\n", text);
    secret_wipe(text, sizeof(text));
    cli_say(cli, "this is the only time the token is shown; its id is %s", token.id);
    return code;
}

static void print_token(const struct account_token *token, const char *user)
{
    char created[TIMESTAMP_TEXT_BYTES_MAX], expires[TIMESTAMP_TEXT_BYTES_MAX] = "never";

    (void)time_format_us(token->created_us, created);
    if (token->expires_us != 0)
        (void)time_format_us(token->expires_us, expires);
    (void)printf("%-16s %-24s since %.10s, ends %.10s  %s\n", token->id, user, created, expires,
                 token->label);
}

static const char *account_name(struct store_view *view, const struct node *node, uint32_t number,
                                struct account *account)
{
    for (size_t i = 0; account_at(&view->txn, node->accounts, i, account); i++)
        if (account->number == number)
            return account->name;
    return "?";
}

int cmd_token_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    struct account_token token;
    struct account account;
    struct diag diag = {0};
    int code = cli_node_open(cli, true, &node);

    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    for (size_t i = 0; account_token_at(&view.txn, node.accounts, i, &token); i++) {
        const char *user = account_name(&view, &node, token.account, &account);

        if (!cli->json)
            print_token(&token, user);
        else if (print_token_json(&token, slice_text(user), SLICE_NONE) != CLI_OK)
            return CLI_FAILED;
    }
    return diag.code != ERR_NONE ? cli_failed(&diag) : CLI_OK;
}

int cmd_token_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};
    int code = name_and_node(cli, &node);

    if (code != CLI_OK)
        return code;
    if (failed(account_token_remove(node.accounts, slice_text(cli->words[0]), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "token %s removed", cli->words[0]);
    return CLI_OK;
}
